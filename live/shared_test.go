package live_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kyrochat/internal/logtest"
	"kyrochat/internal/redis"
	"kyrochat/internal/testdb"
	"kyrochat/kyro"
	"kyrochat/live"
)

// node is one process of an installation, as far as the live layer goes.
type node struct {
	*live.Redis
	logs  *live.SharedLogs
	local *live.Logs
	bus   *live.Bus
}

// join starts a node on the Redis; setUp is called before it runs. It is stopped when the test ends.
func join(t *testing.T, server *redis.Server, name string, setUp func(n *node)) *node {
	t.Helper()
	return joinAs(t, live.RedisConfig{URL: server.URL, Node: name}, setUp)
}

// joinPatiently is join for a node that waits for Redis however busy the machine is: of a test that counts what all nodes do
// together, or what nobody misses.
func joinPatiently(t *testing.T, server *redis.Server, name string, setUp func(n *node)) *node {
	t.Helper()
	return joinAs(t, live.RedisConfig{URL: server.URL, Node: name, Timeout: 20 * time.Second}, setUp)
}

func joinAs(t *testing.T, cfg live.RedisConfig, setUp func(n *node)) *node {
	t.Helper()
	cfg.Installation = "test"
	r, err := live.NewRedis(cfg)
	if err != nil {
		t.Fatal(err)
	}
	local := live.NewLogs(live.LogsConfig{})
	n := &node{Redis: r, local: local, logs: live.NewSharedLogs(r, local), bus: live.NewBus(r)}
	if setUp != nil {
		setUp(n)
	}
	n.Run()
	ctx, cancel := context.WithCancel(context.Background())
	var tidy sync.WaitGroup
	tidy.Go(func() { n.logs.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		tidy.Wait()
		n.Stop()
	})
	return n
}

// patience is how long a test waits for what comes by itself.
const patience = 2 * time.Minute

// until waits for a condition, for as long as a busy machine may need.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// across appends on one node and reads on another, each time after all that was appended has arrived there.
type across struct {
	t        *testing.T
	from, to *node
}

func (a across) Append(ctx context.Context, message kyro.ID, entries ...kyro.LogEntry) error {
	err := a.from.logs.Append(ctx, message, entries...)
	until(a.t, "what was appended is sent", a.from.logs.Sent)
	until(a.t, "what was sent arrives", func() bool { return a.to.logs.Arrived(message) })
	return err
}

func (a across) Read(ctx context.Context, message kyro.ID, attempt, seq int64) ([]kyro.LogEntry, bool, error) {
	return a.to.logs.Read(ctx, message, attempt, seq)
}

func (a across) Snapshot(ctx context.Context, message kyro.ID) (kyro.StreamSnapshot, bool, error) {
	return a.to.logs.Snapshot(ctx, message)
}

func TestSharedLogs(t *testing.T) {
	t.Parallel()
	server := testdb.Redis(t)
	logtest.Run(t, func(t *testing.T) logtest.Log { return join(t, server, "alone", nil).logs })
}

func TestSharedLogsAcrossNodes(t *testing.T) {
	t.Parallel()
	logtest.Run(t, func(t *testing.T) logtest.Log {
		server := testdb.Redis(t)
		return across{t, join(t, server, "a", nil), join(t, server, "b", nil)}
	})
}

// write appends an attempt of n words at a pace that leaves others time, and gives its text.
func write(t *testing.T, log logtest.Log, message kyro.ID, attempt int64, n int, each func(seq int)) string {
	t.Helper()
	var text strings.Builder
	for i := 1; i <= n; i++ {
		word := fmt.Sprintf("%d.%d ", attempt, i)
		text.WriteString(word)
		if err := log.Append(t.Context(), message, logtest.Delta(attempt, int64(i), word)); err != nil {
			t.Error(err)
		}
		if each != nil {
			each(i)
		}
	}
	if err := log.Append(t.Context(), message, logtest.End(attempt, int64(n+1))); err != nil {
		t.Error(err)
	}
	return text.String()
}

// follow reads an attempt to its end as a reader does: event by event, beginning anew from a snapshot where the log
// does not know the place. It gives the text, and how often it began anew.
func follow(t *testing.T, log logtest.Log, message kyro.ID, attempt int64) (text string, anew int) {
	var seq int64
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		entries, known, err := log.Read(ctx, message, attempt, seq)
		cancel()
		if t.Context().Err() != nil {
			return text, anew
		}
		if err == nil && !known {
			if s, whole, err := log.Snapshot(t.Context(), message); err == nil && whole && s.Attempt == attempt {
				text, seq = s.Text, s.Seq
				anew++
				if s.Final {
					return text, anew
				}
			}
		}
		for _, e := range entries {
			if e.Seq != seq+1 {
				t.Errorf("event %d follows %d", e.Seq, seq)
			}
			if seq = e.Seq; e.Final {
				return text, anew
			}
			text += e.Text
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) || !known {
			time.Sleep(10 * time.Millisecond) // as readers wait before they look at the row
		}
	}
}

func TestReadersOnEveryNodeGetEveryEvent(t *testing.T) {
	t.Parallel()
	server := testdb.Redis(t)
	nodes := []*node{joinPatiently(t, server, "a", nil), joinPatiently(t, server, "b", nil), joinPatiently(t, server, "c", nil)}
	const messages, readers, words = 20, 3, 200
	var wg sync.WaitGroup
	for m := range int64(messages) {
		message, texts := kyro.MessageID(m+1), make(chan string, readers)
		for i := range readers {
			wg.Go(func() {
				time.Sleep(rand.N(50 * time.Millisecond))
				text, _ := follow(t, nodes[i].logs, message, 1)
				texts <- text
			})
		}
		wg.Go(func() {
			want := write(t, nodes[int(m)%len(nodes)].logs, message, 1, words, func(int) { time.Sleep(rand.N(time.Millisecond)) })
			for range readers {
				if text := <-texts; text != want {
					t.Errorf("message %d: %d bytes arrived, want %d", m, len(text), len(want))
				}
			}
		})
	}
	wg.Wait()
}

func TestStreamsOutliveTheirRedis(t *testing.T) {
	t.Parallel()
	for name, hurt := range map[string]func(t *testing.T, s *redis.Server){
		"killed and empty again": func(t *testing.T, s *redis.Server) {
			fine(t, s.Stop())
			time.Sleep(300 * time.Millisecond)
			fine(t, s.Restart(t.Context()))
		},
		"frozen": func(t *testing.T, s *redis.Server) {
			fine(t, s.Freeze())
			time.Sleep(2 * time.Second)
			fine(t, s.Thaw())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := testdb.Redis(t)
			a, b := join(t, server, "a", nil), join(t, server, "b", nil)
			var wg sync.WaitGroup
			for m := range int64(10) {
				message := kyro.MessageID(m + 1)
				near, far := make(chan string, 1), make(chan string, 1)
				wg.Go(func() {
					text, anew := follow(t, a.logs, message, 1)
					if anew > 0 {
						t.Errorf("a reader on the same node began anew %d times", anew)
					}
					near <- text
				})
				wg.Go(func() {
					text, _ := follow(t, b.logs, message, 1)
					far <- text
				})
				wg.Go(func() {
					want := write(t, a.logs, message, 1, 400, func(int) { time.Sleep(10 * time.Millisecond) })
					if text := <-near; text != want {
						t.Errorf("message %d on the same node: %d bytes arrived, want %d", m, len(text), len(want))
					}
					if text := <-far; text != want {
						t.Errorf("message %d on another node: %d bytes arrived, want %d", m, len(text), len(want))
					}
				})
			}
			until(t, "the streams run", func() bool {
				last, _, err := a.local.Snapshot(t.Context(), kyro.MessageID(1))
				return err == nil && last.Seq > 40
			})
			hurt(t, server)
			wg.Wait()
		})
	}
}

func TestWhoWasTakenOverAddsNothing(t *testing.T) {
	t.Parallel()
	server := testdb.Redis(t)
	a, b, c := joinPatiently(t, server, "a", nil), joinPatiently(t, server, "b", nil), joinPatiently(t, server, "c", nil)
	message := kyro.MessageID(7)
	fine(t, a.logs.Append(t.Context(), message, logtest.Delta(1, 1, "old ")))
	until(t, "the first attempt is sent", a.logs.Sent)
	fine(t, b.logs.Append(t.Context(), message, logtest.Delta(2, 1, "new ")))
	until(t, "the second attempt is sent", b.logs.Sent)
	// a was frozen and knows nothing.
	fine(t, a.logs.Append(t.Context(), message, logtest.Delta(1, 2, "zombie "), logtest.End(1, 3)))
	until(t, "the zombie's events are sent", a.logs.Sent)
	fine(t, b.logs.Append(t.Context(), message, logtest.Delta(2, 2, "words"), logtest.End(2, 3)))
	text, anew := follow(t, c.logs, message, 2)
	if text != "new words" || anew > 0 {
		t.Errorf("another node reads %q, beginning anew %d times", text, anew)
	}
	if text, _ := follow(t, a.logs, message, 2); text != "new words" {
		t.Errorf("the node that was taken over from reads %q", text)
	}
}

func TestSignalsReachEveryOtherNode(t *testing.T) {
	t.Parallel()
	type word struct{ Text string }
	server := testdb.Redis(t)
	var mu sync.Mutex
	heard, missed := map[string][]string{}, map[string]int{}
	listen := func(name string) func(n *node) {
		return func(n *node) {
			live.On(n.bus, "word", func(w word) {
				mu.Lock()
				defer mu.Unlock()
				heard[name] = append(heard[name], w.Text)
			})
			n.bus.OnMissed(func() {
				mu.Lock()
				defer mu.Unlock()
				missed[name]++
			})
		}
	}
	a, b := joinPatiently(t, server, "a", listen("a")), joinPatiently(t, server, "b", listen("b"))
	until(t, "both are connected", func() bool { return a.bus.Connected() && b.bus.Connected() })
	want := make([]string, 100)
	for i := range want {
		want[i] = fmt.Sprint(i)
		live.Send(a.bus, "word", word{want[i]})
	}
	live.Send(a.bus, "nobody listens to", word{"x"})
	got := func(name string) []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(heard[name])
	}
	until(t, "all signals arrive", func() bool { return len(got("b")) == len(want) })
	if !slices.Equal(got("b"), want) || len(got("a")) > 0 {
		t.Errorf("b heard %v, a itself %v", got("b"), got("a"))
	}
	fine(t, server.Stop())
	until(t, "both notice", func() bool { return !a.bus.Connected() && !b.bus.Connected() })
	mu.Lock()
	clear(missed)
	mu.Unlock()
	fine(t, server.Restart(t.Context()))
	until(t, "b hears of a again", func() bool {
		live.Send(a.bus, "word", word{"again"})
		return slices.Contains(got("b"), "again")
	})
	until(t, "both are told that they may have missed something", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return missed["a"] > 0 && missed["b"] > 0
	})
}

func fine(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
