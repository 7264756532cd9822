package program

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kyrochat/internal/racetest"
	"kyrochat/internal/redis"
	"kyrochat/internal/testdb"
)

// town is an installation of two servers, each a process of its own, on one PostgreSQL.
type town struct {
	servers [2]*process
	redis   *redis.Server // nil where the servers share the database alone
	env     map[string]string
}

const sharedSecret = "yX0nTq8v3LwR5bKz1mPa7cHd9eUf2gSj4hQk6iVo"

// startTown starts the servers with the settings.
func startTown(t *testing.T, withRedis bool, env map[string]string) *town {
	t.Helper()
	w := &town{env: map[string]string{"DATABASE_URL": testdb.PostgresURL(t), "KYRO_SECRET": sharedSecret, "KYRO_DRAIN_TIMEOUT": "1s"}}
	maps.Copy(w.env, env)
	if withRedis {
		w.redis = testdb.Redis(t)
		w.env["REDIS_URL"] = w.redis.URL
	}
	for i := range w.servers {
		w.servers[i] = w.start(t)
	}
	return w
}

func (w *town) start(t *testing.T) *process {
	t.Helper()
	env := maps.Clone(w.env)
	env["KYRO_DATA_DIR"] = t.TempDir()
	return startProcess(t, env)
}

// withAndWithoutRedis runs a test against two servers that share Redis, and against two that share the database alone.
func withAndWithoutRedis(t *testing.T, env map[string]string, test func(t *testing.T, w *town)) {
	t.Helper()
	t.Parallel()
	for name, redis := range map[string]bool{"redis": true, "database alone": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, startTown(t, redis, env))
		})
	}
}

// at is the person at another server.
func (p *person) at(server *process) *person {
	return &person{t: p.t, s: &server.testServer, token: p.token, email: p.email}
}

// wordy is what a bot without documents answers: 160 words, some of them longer than a byte a letter.
var wordy = func() string {
	var words []string
	for i := range 160 {
		words = append(words, []string{"na", "ïve", "日本", "and", "🙂x"}[i%5]+fmt.Sprint(i%10))
	}
	return strings.Join(words, " ")
}()

// wordyBot makes a bot that answers in 160 words.
func (p *person) wordyBot() string {
	p.t.Helper()
	return p.must(`mutation($t: String!) { createBot(input: {name: "Wordy", noAnswerText: $t}) { bot { id } errors { message } } }`,
		vars{"t": wordy}).text("createBot.bot.id")
}

// followTo follows an answer to its end from either server, hanging up at random up to so many times and coming back
// with the last cursor.
func (w *town) followTo(t *testing.T, p *person, answer string, cuts int) (l *listener, cut int) {
	l = &listener{t: t}
	for patience := time.Now().Add(2 * time.Minute); l.finished == nil; {
		left := 1 + rand.IntN(7)
		l.enough = func() bool { left--; return left == 0 && cut < cuts }
		p := p.at(w.servers[rand.IntN(2)])
		p.t = t
		err := p.follow(messageStream, vars{"m": answer, "a": l.cursor}, l.handle)
		switch {
		case t.Failed() || time.Now().After(patience):
			t.Errorf("no end of %s: %v", answer, err)
			return l, cut
		case l.finished == nil:
			cut++
		}
	}
	if stored := l.finished.text("messageStream.message.text"); l.text != stored {
		t.Errorf("%s: shown are %d bytes, stored %d", answer, len(l.text), len(stored))
	}
	return l, cut
}

func TestStreamsAreExactOnEveryNode(t *testing.T) {
	withAndWithoutRedis(t, map[string]string{"KYRO_OFFLINE_PACE": "25ms", "KYRO_WS_MAX_SOCKETS": "1000"}, func(t *testing.T, w *town) {
		p := w.servers[0].signUp(t)
		bot := p.wordyBot()
		cuts := 1000
		if racetest.On() || w.redis == nil {
			cuts = 100
		}
		var total atomic.Int64
		for total.Load() < int64(cuts) {
			var readers sync.WaitGroup
			for i := range 2 {
				answer := p.at(w.servers[i]).send(vars{"botId": bot, "text": "Anything?"}).text("sendMessage.botMessage.id")
				for range 16 {
					readers.Go(func() {
						l, cut := w.followTo(t, p, answer, 1000)
						if l.finished != nil && l.text != wordy {
							t.Errorf("the answer has %d bytes, want %d", len(l.text), len(wordy))
						}
						total.Add(int64(cut))
					})
				}
			}
			readers.Wait()
			if t.Failed() {
				return
			}
		}
		t.Logf("came back %d times", total.Load())
	})
}

func TestOneTurnForOneClientMessageIDOnEveryNode(t *testing.T) {
	withAndWithoutRedis(t, map[string]string{"KYRO_OFFLINE_PACE": "5ms"}, func(t *testing.T, w *town) {
		p := w.servers[0].signUp(t)
		bot, key := p.newBot(), newKey()
		var mu sync.Mutex
		turns := map[string]int{}
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				sent := p.at(w.servers[i%2]).send(vars{"botId": bot, "text": "Once?", "key": key})
				mu.Lock()
				defer mu.Unlock()
				turns[sent.text("sendMessage.userMessage.id")+" "+sent.text("sendMessage.botMessage.id")]++
			})
		}
		all.Wait()
		if len(turns) != 1 {
			t.Fatalf("the turns %v", turns)
		}
		for turn := range turns {
			_, answer, _ := strings.Cut(turn, " ")
			finished, _ := p.hear(answer)
			if n := finished.number("messageStream.seq"); n <= 0 || finished.text("messageStream.message.status") != "COMPLETED" {
				t.Errorf("the answer: %s", finished.body)
			}
		}
		list := p.must(`query($b: ID!) { bot(id: $b) { conversations { totalCount nodes { messages { totalCount } } } } }`, vars{"b": bot})
		if list.number("bot.conversations.totalCount") != 1 || !strings.Contains(string(list.body), `"messages":{"totalCount":2}`) {
			t.Errorf("stored is %s", list.body)
		}
	})
}

func TestOneNodeStopsWhatAnotherWrites(t *testing.T) {
	withAndWithoutRedis(t, map[string]string{"KYRO_OFFLINE_PACE": "100ms"}, func(t *testing.T, w *town) {
		p := w.servers[0].signUp(t)
		answer := p.send(vars{"botId": p.wordyBot(), "text": "Anything?"}).text("sendMessage.botMessage.id")
		l := &listener{t: t}
		l.enough = func() bool { return l.text != "" }
		if err := p.at(w.servers[1]).follow(messageStream, vars{"m": answer}, l.handle); err != nil {
			t.Fatal(err)
		}
		stopped := p.at(w.servers[1]).must(`mutation($m: ID!) { stopMessage(input: {messageId: $m}) { message { status text } errors { code } } }`, vars{"m": answer})
		if status, text := stopped.text("stopMessage.message.status"), stopped.text("stopMessage.message.text"); status != "STOPPED" || text == "" || !strings.HasPrefix(wordy, text) {
			t.Errorf("stopping gave %s with %q", status, text)
		}
		l, _ = w.followTo(t, p, answer, 0)
		if l.text != stopped.text("stopMessage.message.text") {
			t.Errorf("stored is %q", l.text)
		}
	})
}

func TestWhatOneNodeChangesTheOtherShows(t *testing.T) {
	withAndWithoutRedis(t, nil, func(t *testing.T, w *town) {
		p := w.servers[0].signUp(t)
		bot := p.newBot()
		name := func(s *process) string {
			return p.at(s).must(`query($b: ID!) { bot(id: $b) { name } }`, vars{"b": bot}).text("bot.name")
		}
		name(w.servers[1]) // which remembers it now
		for i := range 5 {
			want := fmt.Sprint("Renamed ", i)
			p.at(w.servers[i%2]).must(`mutation($b: ID!, $n: String!) { updateBot(input: {botId: $b, name: $n}) { bot { id } } }`, vars{"b": bot, "n": want})
			began := time.Now()
			for name(w.servers[1-i%2]) != want {
				if time.Since(began) > time.Minute {
					t.Fatal("the other node does not see the name")
				}
				time.Sleep(10 * time.Millisecond)
			}
			t.Logf("seen after %v", time.Since(began))
		}
	})
}

func TestAPersistedQueryOfOneNodeIsKnownToAnother(t *testing.T) {
	t.Parallel()
	w := startTown(t, true, nil)
	p := w.servers[0].signUp(t)
	const query = `{ viewer { email } }`
	sum := sha256.Sum256([]byte(query))
	named := `"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "` + hex.EncodeToString(sum[:]) + `"}}`
	ask := func(s *process, body string) string {
		return string(p.at(s).request(strings.NewReader("{"+body+"}"), "application/json").body)
	}
	if got := ask(w.servers[1], named); !strings.Contains(got, "PersistedQueryNotFound") {
		t.Fatalf("before anybody sent it: %s", got)
	}
	if got := ask(w.servers[0], `"query": "`+query+`", `+named); !strings.Contains(got, p.email) {
		t.Fatal(got)
	}
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		got := ask(w.servers[1], named)
		if strings.Contains(got, p.email) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("after it was sent to the other node: %s", got)
		}
	}
}

func TestOneNodeEndsTheSocketsOfAnother(t *testing.T) {
	withAndWithoutRedis(t, nil, func(t *testing.T, w *town) {
		p := w.servers[0].signUp(t)
		elsewhere := p.at(w.servers[1])
		bot := p.newBot()
		socket, quiet, told := elsewhere.socket(t), elsewhere.socket(t), elsewhere.listen(t, bot)
		socket.send(endless("a", bot))
		began := time.Now()
		p.must(`mutation { logOut { loggedOut errors { code } } }`, nil)
		socket.expect("4401 ")
		quiet.expect("4401 ")
		if got := told(); !strings.Contains(got, `"code":"UNAUTHENTICATED"`) || !strings.Contains(got, "event: complete") {
			t.Errorf("the event stream: %q", got)
		}
		t.Logf("closed after %v", time.Since(began))
	})
}

// storedText waits until some of an answer is stored.
func (p *person) storedText(answer string) {
	p.t.Helper()
	waitUntil(p.t, "some of the answer is stored", func() bool {
		return p.must(`query($m: ID!) { node(id: $m) { ... on Message { text } } }`, vars{"m": answer}).text("node.text") != ""
	})
}

// watchful has nodes look often for answers whose node is gone, and store often what they write. Leases are as long as they are
// where nothing is set: a node that lives and is held up for some seconds, as on a busy machine, keeps its answers.
var watchful = map[string]string{"KYRO_OFFLINE_PACE": "50ms", "KYRO_ANSWER_HEARTBEAT": "1s", "KYRO_ANSWER_SWEEP": "1s"}

// shortLease is for a node that is frozen until its lease is over by its own clock, too.
const shortLease = "6s"

// ageLeases makes the leases on answers of a node that was killed as old as they are when its silence is noticed, which the test
// does not wait for.
func ageLeases(t *testing.T, url string) {
	t.Helper()
	inDatabase(t, url, func(conn *pgx.Conn) error {
		_, err := conn.Exec(t.Context(), "UPDATE messages SET lease_until = now() - interval '1 second' WHERE lease_until IS NOT NULL")
		return err
	})
}

func TestAnotherNodeEndsWhatAKilledOneWrote(t *testing.T) {
	withAndWithoutRedis(t, watchful, func(t *testing.T, w *town) {
		p := w.servers[0].signUp(t)
		sent := p.send(vars{"botId": p.wordyBot(), "text": "Anything?"})
		answer, conversation := sent.text("sendMessage.botMessage.id"), sent.text("sendMessage.conversation.id")
		next := p.send(vars{"conversationId": conversation, "text": "And more?"}).text("sendMessage.botMessage.id")
		elsewhere := p.at(w.servers[1])
		heard := make(chan *listener, 1)
		go func() {
			l := &listener{t: t}
			l.enough = func() bool { return l.finished != nil }
			if err := elsewhere.follow(messageStream, vars{"m": answer}, l.handle); err != nil {
				t.Error(err)
			}
			heard <- l
		}()
		elsewhere.storedText(answer)
		w.servers[0].kill()
		ageLeases(t, w.env["DATABASE_URL"])
		l := <-heard
		if l.finished == nil || l.finished.text("messageStream.message.status") != "INTERRUPTED" || l.text == "" || l.text != l.finished.text("messageStream.message.text") || !strings.HasPrefix(wordy, l.text) {
			t.Fatalf("the reader shows %q, the end is %v", l.text, l.finished)
		}
		finished, text := elsewhere.hear(next)
		if finished.text("messageStream.message.status") != "COMPLETED" || text != wordy {
			t.Errorf("the turn behind it: %s", finished.body)
		}
	})
}

func TestAFrozenNodeThatThawsChangesNothing(t *testing.T) {
	settings := maps.Clone(watchful)
	settings["KYRO_ANSWER_LEASE"] = shortLease
	withAndWithoutRedis(t, settings, func(t *testing.T, w *town) {
		p := w.servers[0].signUp(t)
		answer := p.send(vars{"botId": p.wordyBot(), "text": "Anything?"}).text("sendMessage.botMessage.id")
		p.at(w.servers[1]).storedText(answer)
		if err := w.servers[0].cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		finished, text := p.at(w.servers[1]).hear(answer)
		if finished.text("messageStream.message.status") != "INTERRUPTED" {
			t.Errorf("after the node froze: %s", finished.body)
		}
		if err := w.servers[0].cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		w.servers[0].says(t, "the claim of an answer is lost")
		for _, server := range w.servers {
			again, now := p.at(server).hear(answer)
			if now != text || again.text("messageStream.message.status") != "INTERRUPTED" || again.number("messageStream.seq") != finished.number("messageStream.seq") {
				t.Errorf("after it thawed: %s", again.body)
			}
		}
	})
}
