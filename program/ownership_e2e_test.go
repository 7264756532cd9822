package program

import (
	"maps"
	"syscall"
	"testing"
	"time"

	"kyrochat/internal/testdb"
)

// twoNodes are server processes on the same PostgreSQL database, of which the first makes an answer slowly.
type twoNodes struct {
	first, second *process
	p             *person // of the second node
	bot, answer   string
	url           string    // of the database
	seen          *listener // of the second node; what it has seen of the answer so far
}

// startTwoNodes gives them once some of the answer is written and stored.
func startTwoNodes(t *testing.T, settings map[string]string) *twoNodes {
	t.Helper()
	env := map[string]string{
		"KYRO_DATA_DIR": t.TempDir(), "DATABASE_URL": testdb.PostgresURL(t), "KYRO_ANSWER_HEARTBEAT": "1s", "KYRO_ANSWER_SWEEP": "1s",
	}
	maps.Copy(env, settings)
	slow := maps.Clone(env)
	slow["KYRO_OFFLINE_PACE"] = "200ms"
	n := &twoNodes{first: startProcess(t, slow), second: startProcess(t, env), url: env["DATABASE_URL"]}
	n.p = n.first.signUp(t)
	n.bot = n.p.newBot()
	n.p.know(n.bot, "Rules", longAnswer)
	n.answer = n.p.send(vars{"botId": n.bot, "text": "What do the harbour rules of Lindau say about lamps?"}).text("sendMessage.botMessage.id")
	n.p.s = &n.second.testServer
	n.seen = &listener{t: t}
	n.seen.enough = func() bool { return len(n.seen.text) > 20 }
	n.listen(t)
	n.seen.enough = nil
	return n
}

// listen goes on with the answer on the second node.
func (n *twoNodes) listen(t *testing.T) {
	t.Helper()
	if err := n.p.follow(messageStream, vars{"m": n.answer, "a": n.seen.cursor}, n.seen.handle); err != nil {
		t.Fatal(err)
	}
}

// stored is the answer as the database has it.
func (n *twoNodes) stored(t *testing.T) (status, text string) {
	t.Helper()
	r := n.p.must(`query($m: ID!) { node(id: $m) { ... on Message { status text } } }`, vars{"m": n.answer})
	return r.text("node.status"), r.text("node.text")
}

// TestAnotherNodeTakesOver kills a node, or freezes it until it was taken for dead, in the middle of an answer.
func TestAnotherNodeTakesOver(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ restart, want string }{
		"kept":  {"false", "INTERRUPTED"},
		"again": {"true", "COMPLETED"},
	} {
		for _, frozen := range []bool{false, true} {
			t.Run(name+pick(frozen, ", frozen", ", killed"), func(t *testing.T) {
				t.Parallel()
				settings := map[string]string{"KYRO_ANSWER_RESTART": test.restart}
				if frozen {
					settings["KYRO_ANSWER_LEASE"] = shortLease
				}
				n := startTwoNodes(t, settings)
				begun := time.Now()
				if frozen {
					_ = n.first.cmd.Process.Signal(syscall.SIGSTOP)
				} else {
					n.first.kill()
					ageLeases(t, n.url)
				}
				n.listen(t)
				if n.seen.finished == nil || n.seen.finished.text("messageStream.message.status") != test.want {
					t.Fatalf("the answer: %+v", n.seen.finished)
				}
				if d := time.Since(begun); d > 30*time.Second {
					t.Errorf("the answer was final after %s", d)
				}
				status, text := n.stored(t)
				if status != test.want || text != n.seen.text || text == "" {
					t.Errorf("stored as %s %q, seen %q", status, text, n.seen.text)
				}
				if !frozen {
					return
				}
				_ = n.first.cmd.Process.Signal(syscall.SIGCONT)
				// The thawed node serves, and once it has found that its lease is over it can be heard about the answer.
				n.first.says(t, "the claim of an answer is lost")
				n.p.s = &n.first.testServer
				next, _ := n.p.chat(vars{"botId": n.bot, "text": "And the seventh lamp of Lindau?"})
				if got := next.text("messageStream.message.status"); got != "COMPLETED" {
					t.Errorf("the thawed node's next answer is %s", got)
				}
				if s, now := n.stored(t); s != status || now != text {
					t.Errorf("the thawed node made of it %s %q", s, now)
				}
				if finished, now := n.p.hear(n.answer); now != text || finished.text("messageStream.message.status") != status {
					t.Errorf("the thawed node tells of %q: %s", now, finished.body)
				}
			})
		}
	}
}

// TestStopOnAnotherNode stops an answer through a node that does not make it.
func TestStopOnAnotherNode(t *testing.T) {
	t.Parallel()
	n := startTwoNodes(t, nil)
	r := n.p.must(`mutation($m: ID!) { stopMessage(input: {messageId: $m}) { message { status text } errors { code } } }`, vars{"m": n.answer})
	if r.text("stopMessage.message.status") != "STOPPED" || len(r.text("stopMessage.message.text")) < len(n.seen.text) {
		t.Errorf("stopped as %s, seen %q", r.body, n.seen.text)
	}
	n.listen(t)
	if n.seen.finished == nil || n.seen.text != r.text("stopMessage.message.text") {
		t.Errorf("the stream ends with %q", n.seen.text)
	}
}
