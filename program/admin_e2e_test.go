package program

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"kyrochat/internal/commanded"
	"kyrochat/internal/testdb"
)

// operate runs a command of whoever runs the server, in a process of its own.
func operate(t *testing.T, env map[string]string, input string, args ...string) commanded.Command {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], append([]string{"admin"}, args...)...)
	cmd.Env = []string{"HOME=" + os.Getenv("HOME"), "PATH=" + os.Getenv("PATH"), endsAtOnce}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &errOut
	err := cmd.Run()
	c := commanded.Command{T: t, Args: args, Status: cmd.ProcessState.ExitCode(), Out: out.String(), ErrOut: errOut.String(), Secrets: []string{password}}
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	return c
}

// signInWith gives what is answered to somebody who signs in.
func (p *person) signInWith(email, password string) *reply {
	p.t.Helper()
	return p.ask(`mutation($e: String!, $p: String!) { logIn(input: {email: $e, password: $p}) { accessToken errors { code } } }`,
		vars{"e": email, "p": password})
}

// opened subscribes to something that goes on, and gives what ends when the connection does. It returns once the first
// event has come.
func (p *person) opened(bot string) <-chan error {
	p.t.Helper()
	begun, ended := make(chan struct{}), make(chan error, 1)
	p.know(bot, "First", "The ferry leaves at nine.")
	go func() {
		first := true
		ended <- p.follow(`subscription($b: ID!) { documentProgress(botId: $b) { status } }`, vars{"b": bot}, func(*reply) bool {
			if first {
				close(begun)
			}
			first = false
			return true
		})
	}()
	for end := time.Now().Add(patience); ; { // until an event comes, there is no telling that it listens
		p.know(bot, "Next", "The ferry leaves at ten.")
		select {
		case <-begun:
			return ended
		case err := <-ended:
			p.t.Fatalf("the subscription ended: %v", err)
		case <-time.After(100 * time.Millisecond):
		}
		if time.Now().After(end) {
			p.t.Fatal("no event comes")
		}
	}
}

func wantClosed(t *testing.T, ended <-chan error) {
	t.Helper()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the subscription ended as if it was over")
		}
	case <-time.After(patience):
		t.Fatal("the connection is still open")
	}
}

func TestAdminBesideAServer(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		server := startProcess(t, env)
		p, other := server.signUp(t), server.signUp(t)
		bot := p.newBot()
		ended := p.opened(bot)
		others := other.opened(other.newBot())

		operate(t, env, "a new horse battery\n", "set-password", p.email, "--password-stdin").Ended(0, "ended 1 session")
		wantClosed(t, ended)
		p.untilRefused()
		p.signInWith(p.email, password).wantCode("logIn", "INVALID_CREDENTIALS")
		p.token = p.signInWith(p.email, "a new horse battery").text("logIn.accessToken")
		p.must(`{ viewer { id } }`, nil)

		var account struct {
			ID, Email       string
			Bots, Documents int
			Sessions        int
		}
		listed := operate(t, env, "", "list", "--search", p.email, "--json").Ended(0)
		if err := json.Unmarshal([]byte(listed.Out), &account); err != nil || account.Email != p.email || account.Bots != 1 || account.Documents < 2 || account.Sessions != 1 {
			t.Errorf("listed %+v, %v: %s", account, err, listed.Out)
		}

		ended = p.opened(bot)
		operate(t, env, "", "deactivate", account.ID).Ended(0, "ended: 1")
		wantClosed(t, ended)
		p.untilRefused()
		operate(t, env, "", "show", p.email).Ended(0, "until an admin reactivates it")
		operate(t, env, "", "reactivate", p.email).Ended(0, "in use again")
		p.token = p.signInWith(p.email, "a new horse battery").text("logIn.accessToken")

		operate(t, env, "", "revoke-sessions", p.email).Ended(0, "Ended 1 session")
		p.untilRefused()
		select {
		case err := <-others:
			t.Errorf("somebody else's connection ended, too: %v", err)
		default:
		}
		other.must(`{ viewer { id } }`, nil)

		made := operate(t, env, password, "create-user", "new@example.com", "--password-stdin").Ended(0)
		newcomer := &person{t: t, s: &server.testServer}
		newcomer.token = newcomer.signInWith("new@example.com", password).text("logIn.accessToken")
		if id := newcomer.must(`{ viewer { id emailVerified } }`, nil).text("viewer.id"); id+"\n" != made.Out {
			t.Errorf("signed in as %s, made %s", id, made.Out)
		}
		operate(t, env, "", "audit", "list", p.email, "--action", "SESSIONS_REVOKED").Ended(0, "admin")
		operate(t, env, "", "audit", "verify").Ended(0, "intact")
	})
}

func TestAdminSeesAChangedAuditLog(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		for _, name := range []string{"ada", "bob", "cy"} {
			operate(t, s.env, "", "create-user", name+"@example.org", "--invite").Ended(0)
		}
		operate(t, s.env, "", "audit", "verify").Ended(0, "intact")
		s.exec(t, "UPDATE audit_head SET lines = lines + 1")
		got := operate(t, s.env, "", "audit", "verify").Ended(1, "was changed at line")
		if strings.Contains(got.Out, "intact") {
			t.Error("it says that it is intact, too")
		}
	})
}

func TestAdminTellsServersByRedis(t *testing.T) {
	t.Parallel()
	env := map[string]string{"KYRO_DATA_DIR": t.TempDir(), "DATABASE_URL": testdb.PostgresURL(t), "REDIS_URL": testdb.Redis(t).URL}
	server := startProcess(t, env)
	p := server.signUp(t)
	ended := p.opened(p.newBot())
	operate(t, env, "", "revoke-sessions", p.email).Ended(0, "Ended 1 session")
	wantClosed(t, ended)
	p.untilRefused()
}

func TestAdminDoesNotMigrateBelowOthers(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		const last = "(SELECT max(id) FROM bun_migrations)"
		s.exec(t, "UPDATE bun_migrations SET name = '0' || name WHERE id = "+last) // one that this program does not know
		operate(t, s.env, "", "list").Ended(1, "newer version")
		s.exec(t, "DELETE FROM bun_migrations WHERE id = "+last)
		operate(t, s.env, "", "list").Ended(1, "version", "than this program")
	})
}

func TestAdminMigratesANewDatabase(t *testing.T) {
	t.Parallel()
	pools := testdb.Postgres(t)
	if _, err := pools.Pgx.Exec(t.Context(), "DROP SCHEMA public CASCADE; CREATE SCHEMA public"); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"KYRO_DATA_DIR": t.TempDir(), "DATABASE_URL": pools.Pgx.Config().ConnString()}
	operate(t, env, password, "create-user", "ada@example.org", "--password-stdin").Ended(0)
	operate(t, env, "", "list").Ended(0, "ada@example.org")
}
