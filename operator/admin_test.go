package operator

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kyrochat/command"
	"kyrochat/internal/commanded"
	"kyrochat/internal/envtest"
	"kyrochat/kyro"
)

// password is one that the server would take.
const password = "correct horse battery"

// administered runs a command, with the settings and the first line of standard input.
func administered(t *testing.T, env map[string]string, input string, args ...string) commanded.Command {
	t.Helper()
	var out, errOut bytes.Buffer
	err := Admin(t.Context(), args, Options{Getenv: envtest.Of(env), In: strings.NewReader(input), Out: &out, ErrOut: &errOut, Now: time.Now})
	c := commanded.Command{T: t, Args: args, Status: command.Status(err), Out: out.String(), ErrOut: errOut.String(), Secrets: []string{password}}
	if err != nil {
		c.ErrOut += err.Error()
	}
	return c
}

func TestAdminCommandLines(t *testing.T) {
	t.Parallel()
	env := map[string]string{"KYRO_DATA_DIR": filepath.Join(t.TempDir(), "none")}
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"", 2, "name a command"},
		{"help", 0, "create-user EMAIL"},
		{"--help", 0, "create-user EMAIL"},
		{"audit", 0, "audit verify"},
		{"audit -h", 0, "audit verify"},
		{"audit burn", 2, `there is no command "audit burn"`},
		{"delete-user ada@example.org", 2, `there is no command "delete-user"`},
		{"help set-password", 0, "usage: kyrochat admin set-password EMAIL"},
		{"set-password ada@example.org --help", 0, "usage: kyrochat admin set-password EMAIL"},
		{"set-password", 2, "name the account"},
		{"set-password ada@example.org", 2, "--password-stdin"},
		{"set-password ada@example.org correct", 2, `"correct" is one too many`},
		{"list ada@example.org", 2, "one too many"},
		{"list --limit 0", 2, "whole number"},
		{"list --color", 2, "-color"},
		{"deactivate ada@example.org --purge-after soon", 2, "a duration"},
		{"deactivate ada@example.org --purge-after 1s", 2, "a minute or more"},
		{"create-user ada@example.org --invite --password-stdin", 2, "leave out"},
		{"rotate-secret --announce --promote", 2, "announce first"},
		{"audit list --since yesterday", 2, "a duration"},
		{"audit list --action LOGGED_INN", 2, "use one of SIGNED_UP, LOGGED_IN, LOGGED_OUT"},
		{"audit list --action LOGGED_INN", 2, "SECRET_ROTATED"},
		{"list", 1, "there is no database in the data folder"},
		{"purge ada@example.org", 1, "KYRO_DATA_DIR"},
	} {
		administered(t, env, "", strings.Fields(c.args)...).Ended(c.status, c.says)
	}
	if _, err := os.Stat(env["KYRO_DATA_DIR"]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a command that changes nothing made a data folder: %v", err)
	}
	for name, c := range adminCommands {
		if !strings.HasPrefix(c.usage, "usage: kyrochat admin "+name) || !strings.Contains(adminUsage, "\n  "+name+" ") {
			t.Errorf("%s is not in the help as it is", name)
		}
		for line := range strings.Lines(c.usage) {
			if len(strings.TrimSpace(line)) > 120 {
				t.Errorf("%s: a line of the help is too long: %s", name, line)
			}
		}
	}
	env["KYRO_SECRET"] = "short"
	administered(t, env, "", "list").Ended(1, "KYRO_SECRET", "admin list needs the settings of the server")
}

func TestAdminWithoutAServer(t *testing.T) {
	t.Parallel()
	env := map[string]string{"KYRO_DATA_DIR": t.TempDir(), "KYRO_PUBLIC_URL": "https://chat.example.org"}
	made := administered(t, env, password+"\n", "create-user", "Ada@Example.org", "--name", "Ada", "--password-stdin").Ended(0, "making one")
	if made.Out != "user_1\n" {
		t.Errorf("printed %q", made.Out)
	}
	invited := administered(t, env, "", "create-user", "--invite", "bob@example.org").Ended(0, "pass this link on")
	token, found := strings.CutPrefix(invited.Out, "user_2\nhttps://chat.example.org/account/reset-password#token=")
	if !found || len(strings.TrimSpace(token)) != 43 {
		t.Errorf("printed %q", invited.Out)
	}
	administered(t, env, password, "create-user", "ada@example.org", "--password-stdin").Ended(1, "an account with this address already")
	administered(t, env, "short\n", "create-user", "cy@example.org", "--password-stdin").Ended(1, "at least 12 characters")
	administered(t, env, "", "create-user", "cy@example.org", "--password-stdin").Ended(1, "no password on standard input")
	administered(t, env, strings.Repeat("x", 600), "create-user", "cy@example.org", "--password-stdin").Ended(1, "at most 128")
	administered(t, env, "", "show", "cy@example.org").Ended(1, "no account with the address cy@example.org", "list --search")
	administered(t, env, "", "show", "bot_1").Ended(1, "not the id of a User")
	administered(t, env, "", "show", "user_2").Ended(0, "bob@example.org", "not set")

	administered(t, env, "", "purge", "user_2", "--yes").Ended(1, "is in use", "deactivate user_2")
	administered(t, env, "", "deactivate", "--purge-after=24h", "bob@example.org").Ended(0, "deleted after")
	administered(t, env, "", "deactivate", "user_2").Ended(1, "deactivated already")
	administered(t, env, "", "purge", "user_2").Ended(2, "--yes")
	administered(t, env, "", "purge", "user_2", "--yes").Ended(0, "the next one does it")
	administered(t, env, "", "deactivate", "user_1").Ended(0, "admin reactivate user_1")
	administered(t, env, password+" too\n", "set-password", "user_1", "--password-stdin").Ended(0, "is deactivated")
	administered(t, env, "", "reactivate", "user_1").Ended(0, "in use again")
	administered(t, env, "", "reactivate", "user_1").Ended(1, "in use already")
	administered(t, env, "", "revoke-sessions", "user_1", "--keys").Ended(0, "0 in all")

	lines := strings.Split(administered(t, env, "", "audit", "list", "user_1").Ended(0).Out, "\n")
	var actions []string
	for _, line := range lines[1 : len(lines)-1] {
		actions = append(actions, strings.Fields(line)[3])
	}
	if want := []string{"API_KEY_REVOKED", "SESSIONS_REVOKED", "REACTIVATED", "PASSWORD_CHANGED", "DEACTIVATED", "SIGNED_UP"}; !slices.Equal(actions, want) {
		t.Errorf("the log says %v, want %v", actions, want)
	}
	var line struct {
		Line             int64
		Action, Actor    string
		User, Detail     string
		At               time.Time
		Email, UserAgent string
	}
	one := administered(t, env, "", "audit", "list", "--action", "purged", "--since", "1h", "--json").Ended(0).Out
	if err := json.Unmarshal([]byte(one), &line); err != nil || line.Action != "PURGED" || line.Actor != "ADMIN" || line.User != "user_2" ||
		!strings.Contains(line.Detail, "by ") || strings.Contains(one, "@") {
		t.Errorf("%+v, %v: %s", line, err, one)
	}
	verified := administered(t, env, "", "audit", "verify").Ended(0, "intact").Out
	if !strings.Contains(verified, "lines 9\n") {
		t.Errorf("printed %q", verified)
	}

	administered(t, env, "", "rotate-secret").Ended(0, "Renewed the secret")
	administered(t, env, "", "audit", "list", "--limit", "1").Ended(0, "SECRET_ROTATED")
	env["KYRO_SECRET"] = "Zk3vX8pQ2mN7rT5wY1bC6dF9gH4jL0aSeUiOoP"
	by := administered(t, env, "", "rotate-secret").Ended(0, "1. ", "2. ")
	if len(strings.TrimSpace(by.Out)) != 43 || strings.Contains(by.Out+by.ErrOut, env["KYRO_SECRET"]) {
		t.Errorf("printed %q and %q", by.Out, by.ErrOut)
	}
}

func TestAdminLists(t *testing.T) {
	t.Parallel()
	env := map[string]string{"KYRO_DATA_DIR": t.TempDir()}
	administered(t, env, "", "create-user", "ada@example.org", "--invite", "--name", "Ada Lovelace").Ended(0)
	administered(t, env, "", "create-user", "a-longer-address@example.org", "--invite", "--name", "Zoë").Ended(0)
	administered(t, env, "", "deactivate", "user_2").Ended(0)

	rows := strings.Split(strings.TrimSpace(administered(t, env, "", "list").Ended(0).Out), "\n")
	if len(rows) != 3 || !strings.HasPrefix(rows[0], "ID") {
		t.Fatalf("printed %q", rows)
	}
	for i, cell := range []string{"STATUS", "active", "deactivated"} {
		if at := strings.Index(rows[i], cell); at != strings.Index(rows[0], "STATUS") {
			t.Errorf("%q begins at %d of %q", cell, at, rows[i])
		}
	}
	if strings.Index(rows[0], "NAME") != strings.Index(rows[1], "Ada Lovelace") {
		t.Errorf("names are not below each other:\n%s\n%s", rows[0], rows[1])
	}
	found := administered(t, env, "", "list", "--search", "ZOE", "--deactivated", "--json").Ended(0).Out
	var account struct {
		ID, Email, Name, Status string
		LastUsedAt              *time.Time
		HasPassword             bool
	}
	if err := json.Unmarshal([]byte(found), &account); err != nil || account.ID != "user_2" || account.Status != "deactivated" ||
		account.Name != "Zoë" || account.LastUsedAt != nil || account.HasPassword || strings.Count(found, "\n") != 1 {
		t.Errorf("%+v, %v: %s", account, err, found)
	}
	none := administered(t, env, "", "list", "--search", "nobody").Ended(0, "no such accounts")
	if none.Out != "" {
		t.Errorf("printed %q", none.Out)
	}
}

func TestGridKeepsItsColumnsOverPages(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	g := newGrid(&out, "A", ">N", "B")
	for _, row := range [][]string{{"one", "1", "x"}, {"é", "1000", "y"}} {
		g.row(row...)
	}
	if err := g.flush(); err != nil {
		t.Fatal(err)
	}
	g.row("z", "2", "w")
	g.row("longer", "3", "w")
	if err := g.flush(); err != nil {
		t.Fatal(err)
	}
	want := "A       N  B\none     1  x\né    1000  y\nz       2  w\nlonger     3  w\n"
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
}

func TestErrorsAreWordedForPeople(t *testing.T) {
	t.Parallel()
	several := errors.Join(kyro.Invalid("email", "No address."), kyro.Errorf(kyro.CodeUnavailable, "Away.").Because(errors.New("refused")))
	if got := worded(several); got != "No address.\nAway. (refused)" {
		t.Errorf("worded %q", got)
	}
}

// TestInvitedByMail: where mails are set up, however that is said, the server sends the link, and it is not shown.
func TestInvitedByMail(t *testing.T) {
	t.Parallel()
	const server = "smtp://mail.example.org:25"
	folder := t.TempDir() // as the service manager gives it
	if err := os.WriteFile(filepath.Join(folder, "kyrochat_SMTP_URL"), []byte(server+"\n"), 0o400); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"SMTP_URL": server, "SMTP_URL_FILE": envtest.File(t, server+"\n", 0o600), "CREDENTIALS_DIRECTORY": folder} {
		env := map[string]string{"KYRO_DATA_DIR": t.TempDir(), "KYRO_MAIL_FROM": "kyrochat@example.org", name: value}
		c := administered(t, env, "", "create-user", "--invite", "bob@example.org").Ended(0, "A link to set the password goes to that address")
		if c.Out != "user_1\n" {
			t.Errorf("with %s it prints %q", name, c.Out)
		}
	}
}

func TestAdminKeepsRootOutOfTheServersFolder(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can make a folder of another user")
	}
	dir := t.TempDir()
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"KYRO_DATA_DIR": dir}
	administered(t, env, "", "create-user", "ada@example.org", "--invite").Ended(1, "belongs to", "  kyrochat-run admin create-user …\n", "  sudo -u nobody -E kyrochat admin create-user …")
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("root left %v there, %v", files, err)
	}
}
