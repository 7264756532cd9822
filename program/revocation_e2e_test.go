package program

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// intruder is a device, or a program with a key, that has something open on every node: a socket, and an answer that it
// follows while it is written.
type intruder struct {
	*person
	nodes   []*process
	sockets []*rawSocket
	streams []chan error // give what ended the stream of the node; nil for the end of the answer
}

// comeIn opens everything. The answer takes much longer to be written than a test waits.
func (p *person) comeIn(t *testing.T, bot string, nodes []*process) *intruder {
	t.Helper()
	v := &intruder{person: p, nodes: nodes}
	answer := p.send(vars{"botId": bot, "text": "Anything?"}).text("sendMessage.botMessage.id")
	for _, node := range nodes {
		here := p.at(node)
		here.t = t
		v.sockets = append(v.sockets, here.socket(t))
		begun, ended := make(chan struct{}), make(chan error, 1)
		v.streams = append(v.streams, ended)
		go func() {
			l, said := &listener{t: t}, sync.OnceFunc(func() { close(begun) })
			l.enough = func() bool {
				if l.text != "" {
					said()
				}
				return l.finished != nil
			}
			err := here.follow(messageStream, vars{"m": answer}, l.handle)
			if l.finished != nil && l.finished.text("messageStream.message.status") == "STOPPED" {
				err = errors.New("the answer was stopped") // as those of an account that is out of use are
			}
			ended <- err
		}()
		select {
		case <-begun:
		case err := <-ended:
			t.Fatalf("the stream ended before anything was said: %v", err)
		case <-time.After(patience):
			t.Fatal("nothing of the answer comes")
		}
	}
	return v
}

// wantOut checks that the intruder is refused on every node, and that everything is closed. It logs how long that took;
// what is promised is a second, and five.
func (v *intruder) wantOut(t *testing.T, began time.Time) {
	t.Helper()
	var all sync.WaitGroup
	var refused, closed, cut time.Duration
	var mu sync.Mutex
	note := func(longest *time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		*longest = max(*longest, time.Since(began))
	}
	for i, node := range v.nodes {
		here := v.at(node)
		here.t = t
		all.Go(func() {
			for here.known() {
				if time.Since(began) > time.Minute {
					t.Error("it is still let in")
					return
				}
				time.Sleep(10 * time.Millisecond) // between two looks
			}
			note(&refused)
		})
		all.Go(func() {
			if got := v.sockets[i].receive(); !strings.HasPrefix(got, "4401 ") {
				t.Errorf("the socket: %s", got)
			}
			note(&closed)
		})
		all.Go(func() {
			if err := <-v.streams[i]; err == nil {
				t.Error("the answer was followed to its end")
			}
			note(&cut)
		})
	}
	all.Wait()
	t.Logf("refused after %v, sockets closed after %v, streams cut after %v", refused.Round(time.Millisecond), closed.Round(time.Millisecond), cut.Round(time.Millisecond))
}

// drawnOut has an answer take as long as answers may.
var drawnOut = map[string]string{"KYRO_OFFLINE_PACE": "1s", "KYRO_DRAIN_TIMEOUT": "1s"}

// deeds end sessions and keys, each in its way. Each is given the owner, who is signed in elsewhere, and gives when it was
// done.
var deeds = map[string]func(t *testing.T, owner *person, v *person, env map[string]string) time.Time{
	"revokeSession": func(t *testing.T, owner, v *person, _ map[string]string) time.Time {
		_, id := v.sessions()
		owner.must(`mutation($s: ID!) { revokeSession(input: {sessionId: $s}) { deletedId errors { code } } }`, vars{"s": id})
		return time.Now()
	},
	"revokeOtherSessions": func(t *testing.T, owner, _ *person, _ map[string]string) time.Time {
		owner.must(`mutation($p: String!) { revokeOtherSessions(input: {password: $p}) { accepted errors { code } } }`, vars{"p": password})
		return time.Now()
	},
	"changePassword": func(t *testing.T, owner, _ *person, _ map[string]string) time.Time {
		if r := owner.changePassword(password, freshPassword); r.text("changePassword.user.email") != owner.email {
			t.Errorf("%s", r.body)
		}
		return time.Now()
	},
	"deactivateAccount": func(t *testing.T, owner, _ *person, _ map[string]string) time.Time {
		owner.deactivate(password).wantAccepted("deactivateAccount")
		return time.Now()
	},
	"revokeApiKey": func(t *testing.T, owner, v *person, _ map[string]string) time.Time {
		id := owner.must(`{ viewer { apiKeys { id } } }`, nil).text("viewer.apiKeys.0.id")
		owner.revokeKey(id).text("revokeApiKey.deletedId")
		return time.Now()
	},
	"admin set-password": func(t *testing.T, owner, _ *person, env map[string]string) time.Time {
		operate(t, env, freshPassword+"\n", "set-password", owner.email, "--password-stdin").Ended(0)
		return time.Now() // the command ends a moment after its transaction
	},
}

// wantDeedsToReach tries each of the deeds at the first node, against somebody who is on all of them.
func wantDeedsToReach(t *testing.T, env map[string]string, nodes []*process) {
	t.Helper()
	for name, do := range deeds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			owner := nodes[0].signUp(t)
			bot := owner.wordyBot()
			v, _ := owner.signIn()
			if name == "revokeApiKey" {
				_, v = owner.newAPIKey(nil, "READ", "CHAT")
			}
			out := v.comeIn(t, bot, nodes)
			out.wantOut(t, do(t, owner, v, env))
		})
	}
}

// TestWhatEndsIsOverEverywhere on one node, and on two with and without Redis.
func TestWhatEndsIsOverEverywhere(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		env := map[string]string{"KYRO_DATA_DIR": t.TempDir(), "KYRO_OFFLINE_PACE": drawnOut["KYRO_OFFLINE_PACE"]}
		wantDeedsToReach(t, env, []*process{startProcess(t, env)})
	})
	for name, redis := range map[string]bool{"redis": true, "database alone": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := startTown(t, redis, drawnOut)
			w.env["KYRO_DATA_DIR"] = t.TempDir() // the operator's
			wantDeedsToReach(t, w.env, w.servers[:])
		})
	}
}

// TestAStolenRefreshTokenEndsEverything: twenty refreshes at once on two nodes agree. The token that they used up, which
// comes once more after its grace, ends the session with all it has open on both nodes, and no other.
func TestAStolenRefreshTokenEndsEverything(t *testing.T) {
	withAndWithoutRedis(t, drawnOut, func(t *testing.T, w *town) {
		p := w.servers[0].signUp(t)
		bot := p.wordyBot()
		device, stolen := p.signIn()
		next := refreshAtOnce(t, stolen, &w.servers[0].testServer, &w.servers[1].testServer)
		refreshed := device.refresh(next) // and its successor is good, on which it goes on
		device.token = refreshed.text("refreshSession.accessToken")
		last := refreshed.text("refreshSession.refreshToken")
		v := device.comeIn(t, bot, w.servers[:])

		db, err := pgx.Connect(t.Context(), w.env["DATABASE_URL"])
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close(t.Context()) }()
		if _, err := db.Exec(t.Context(), "UPDATE sessions SET rotated_at = rotated_at - interval '11 seconds'"); err != nil {
			t.Fatal(err)
		}
		thief := &person{t: t, s: &w.servers[1].testServer}
		thief.refresh(next).wantCode("refreshSession", "INVALID_TOKEN")
		v.wantOut(t, time.Now())
		for _, token := range []string{stolen, next, last} {
			device.refresh(token).wantCode("refreshSession", "INVALID_TOKEN")
		}
		p.at(w.servers[1]).must(`{ viewer { id } }`, nil)
	})
}
