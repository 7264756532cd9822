package live_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	client "github.com/redis/go-redis/v9"

	"kyrochat/internal/logtest"
	"kyrochat/internal/racetest"
	"kyrochat/internal/redis"
	"kyrochat/internal/testdb"
	"kyrochat/kyro"
	"kyrochat/live"
)

// operator is somebody who works on the Redis by hand.
func operator(t *testing.T, server *redis.Server) *client.Client {
	t.Helper()
	options, err := client.ParseURL(server.URL)
	fine(t, err)
	c := client.NewClient(options)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// cutOff breaks the connections of all nodes, and waits until they are back.
func cutOff(t *testing.T, hand *client.Client, nodes ...*node) {
	t.Helper()
	var gone []<-chan struct{}
	for _, n := range nodes {
		gone = append(gone, n.Turned())
	}
	fine(t, hand.Do(t.Context(), "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").Err())
	for i, n := range nodes {
		<-gone[i]
		until(t, "the node is back", n.Connected)
	}
}

func TestARedisThatTakesNothingIsAway(t *testing.T) {
	t.Parallel()
	for name, hurt := range map[string]struct{ begin, end []any }{
		"without memory": {[]any{"CONFIG", "SET", "maxmemory", "1"}, []any{"CONFIG", "SET", "maxmemory", "0"}},
		"a replica":      {[]any{"REPLICAOF", "127.0.0.1", "1"}, []any{"REPLICAOF", "NO", "ONE"}},
		"with a secret":  {[]any{"CONFIG", "SET", "requirepass", "x"}, []any{"CONFIG", "SET", "requirepass", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := testdb.Redis(t)
			hand := operator(t, server)
			row := &kyro.Bot{ID: kyro.BotID(2), Name: "before"}
			na, a := caching(t, server, "a", row)
			nb, b := caching(t, server, "b", row)
			until(t, "both are connected", func() bool { return na.Connected() && nb.Connected() })
			b.name()
			fine(t, hand.Do(t.Context(), hurt.begin...).Err())
			if name == "with a secret" { // which connections that are there do not need
				fine(t, hand.Do(t.Context(), "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").Err())
			}
			row.Name = "after"
			a.cache.Forget(kyro.UserID(1), row.ID)
			until(t, "b reads what a has changed", func() bool { return b.name() == "after" })
			until(t, "both know it", func() bool { return !na.Connected() && !nb.Connected() })
			row.Name = "again"
			a.cache.Forget(kyro.UserID(1), row.ID)
			until(t, "b reads what a has changed", func() bool { return b.name() == "again" })
			fine(t, hand.Do(t.Context(), hurt.end...).Err())
			until(t, "both are back", func() bool { return na.Connected() && nb.Connected() })
		})
	}
}

func TestWhyRedisIsAwayIsKnown(t *testing.T) {
	t.Parallel()
	server := testdb.Redis(t)
	hand := operator(t, server)
	fine(t, hand.Do(t.Context(), "CONFIG", "SET", "requirepass", "right").Err())
	n := join(t, &redis.Server{URL: strings.Replace(server.URL, "//", "//:wrong@", 1)}, "a", nil)
	if err := n.Away(); err == nil || !strings.HasPrefix(err.Error(), "WRONGPASS") {
		t.Errorf("with a wrong password Redis is away because of: %v", err)
	}
	fine(t, hand.Do(t.Context(), "CONFIG", "SET", "requirepass", "wrong").Err())
	until(t, "the node is connected", n.Connected)
}

// TestAStreamIsFollowedAtOnce also where another was left before: the read under way is told to end.
func TestAStreamIsFollowedAtOnce(t *testing.T) {
	t.Parallel()
	server := testdb.Redis(t)
	n, hand := join(t, server, "a", nil), operator(t, server)
	until(t, "the node is connected", n.Connected)
	told := func() string {
		newest, err := hand.XRevRangeN(t.Context(), "kyro:test:wake:a", "+", "-", 1).Result()
		fine(t, err)
		return newest[0].ID
	}
	n.Listen("left")
	until(t, "it is read", func() bool { return n.Reading() && n.Unsent() == 0 })
	before := told()
	n.Leave("left")
	n.Listen("next")
	until(t, "the read is told to end", func() bool { return told() != before })
}

func TestAStreamIsWrittenOnceHoweverOftenItsNodeIsCutOff(t *testing.T) {
	t.Parallel()
	server := testdb.Redis(t)
	n, hand := join(t, server, "a", nil), operator(t, server)
	until(t, "the node is connected", n.Connected)
	message, text := kyro.MessageID(1), strings.Repeat("x", 1_000)
	for seq := range int64(20) {
		if seq%4 == 3 {
			cutOff(t, hand, n)
		}
		fine(t, n.logs.Append(t.Context(), message, logtest.Delta(1, seq+1, text)))
		until(t, "it is sent", n.logs.Sent)
	}
	entries, err := hand.XRange(t.Context(), "kyro:test:log:1", "-", "+").Result()
	fine(t, err)
	bytes := 0
	for _, e := range entries {
		bytes += strings.Count(fmt.Sprint(e.Values), "x")
	}
	if bytes != 20*len(text) {
		t.Errorf("the stream has %d bytes of %d", bytes, 20*len(text))
	}
}

// TestAStreamThatWasLostIsWrittenAnew, also where there is nothing more to say, and where only its end was lost.
func TestAStreamThatWasLostIsWrittenAnew(t *testing.T) {
	t.Parallel()
	const key = "kyro:test:log:1"
	for name, lose := range map[string]func(ctx context.Context, hand *client.Client, first string) error{
		"all": func(ctx context.Context, hand *client.Client, _ string) error { return hand.FlushAll(ctx).Err() },
		"its end": func(ctx context.Context, hand *client.Client, first string) error {
			return hand.RestoreReplace(ctx, key, 0, first).Err()
		},
		"something": func(ctx context.Context, hand *client.Client, _ string) error { return hand.Ping(ctx).Err() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := testdb.Redis(t)
			a, hand := join(t, server, "a", nil), operator(t, server)
			until(t, "the node is connected", a.Connected)
			message := kyro.MessageID(1)
			fine(t, a.logs.Append(t.Context(), message, logtest.Delta(1, 1, "one ")))
			until(t, "it is sent", a.logs.Sent)
			first, err := hand.Dump(t.Context(), key).Result()
			fine(t, err)
			fine(t, a.logs.Append(t.Context(), message, logtest.Delta(1, 2, "two ")))
			until(t, "it is sent", a.logs.Sent)
			fine(t, lose(t.Context(), hand, first))
			cutOff(t, hand, a)
			until(t, "the stream is whole", func() bool {
				newest, err := hand.XRevRangeN(t.Context(), key, "+", "-", 1).Result()
				return err == nil && len(newest) == 1 && newest[0].ID == "1-2"
			})
			b := join(t, server, "b", nil)
			until(t, "b is connected", b.Connected)
			entries, known, err := b.logs.Read(t.Context(), message, 1, 0)
			if fine(t, err); !known || len(entries) != 2 {
				t.Errorf("another node reads %v, %v", entries, known)
			}
		})
	}
}

// TestWhatWaitsForRedisIsBounded: an answer that nobody can be told of any more is not kept for the day Redis is back.
func TestWhatWaitsForRedisIsBounded(t *testing.T) {
	t.Parallel()
	server := testdb.Redis(t)
	n := join(t, server, "a", nil)
	fine(t, server.Stop())
	until(t, "it is noticed", func() bool { return !n.Connected() })
	for message := range int64(1_000) {
		fine(t, n.logs.Append(t.Context(), kyro.MessageID(message+1), logtest.Delta(1, 1, "words"), logtest.End(1, 2)))
	}
	until(t, "all of them wait", func() bool { return n.Unsent() >= 1_000 })
	n.logs.Disown(time.Now().Add(time.Hour))
	fine(t, n.logs.Append(t.Context(), kyro.MessageID(2_000), logtest.Delta(1, 1, "words")))
	until(t, "the others are given up", func() bool { return n.Unsent() == 1 })
}

func TestALateDeliveryDoesNotSpoilTheNextMirror(t *testing.T) {
	t.Parallel()
	server := testdb.Redis(t)
	a, b := join(t, server, "a", nil), join(t, server, "b", nil)
	until(t, "both are connected", func() bool { return a.Connected() && b.Connected() })
	message := kyro.MessageID(1)
	fine(t, a.logs.Append(t.Context(), message, logtest.Delta(1, 1, "one ")))
	until(t, "it is sent", a.logs.Sent)
	read := func() int {
		t.Helper()
		entries, known, err := b.logs.Read(t.Context(), message, 1, 0)
		if fine(t, err); !known {
			t.Error("the place is unknown")
		}
		return len(entries)
	}
	until(t, "b reads one", func() bool { return read() == 1 })
	deliver := b.logs.Drop(message)
	fine(t, a.logs.Append(t.Context(), message, logtest.Delta(1, 2, "two ")))
	until(t, "it is sent", a.logs.Sent)
	deliver(logtest.Delta(1, 2, "two "))
	until(t, "b reads both", func() bool { return read() == 2 })
}

// TestMissingSignalsAreMissed: those of a node are numbered.
func TestMissingSignalsAreMissed(t *testing.T) {
	t.Parallel()
	server := testdb.Redis(t)
	hand := operator(t, server)
	var heard, missed atomic.Int64
	n := joinPatiently(t, server, "b", func(n *node) {
		live.On(n.bus, "word", func(i int64) { heard.Store(heard.Load()*10 + i) })
		n.bus.OnMissed(func() { missed.Add(1) })
	})
	until(t, "the node is connected", n.Connected)
	say := func(number int) {
		t.Helper()
		fine(t, hand.XAdd(t.Context(), &client.XAddArgs{Stream: "kyro:test:bus", Values: []any{"n", "a", "i", number, "k", "word", "d", number}}).Err())
	}
	before := missed.Load()
	say(1)
	say(2)
	say(2)
	say(1)
	say(3)
	until(t, "three signals are heard", func() bool { return heard.Load() == 123 })
	if missed.Load() != before {
		t.Error("told of a gap where there is none")
	}
	fine(t, hand.FlushAll(t.Context()).Err()) // with the fourth
	until(t, "the fifth is heard", func() bool {
		say(5) // again: an emptied Redis may give an id of the same millisecond, which is behind the last
		return heard.Load() == 1235
	})
	if missed.Load() != before+1 {
		t.Errorf("told of %d gaps", missed.Load()-before)
	}
}

func TestThousandsOfSignalsAtOnceAreHeardOrMissed(t *testing.T) {
	t.Parallel()
	server := testdb.Redis(t)
	var heard, missed, last atomic.Int64
	a := join(t, server, "a", nil)
	b := join(t, server, "b", func(n *node) {
		live.On(n.bus, "word", func(i int64) {
			if i <= last.Load() {
				t.Errorf("%d comes after %d", i, last.Load())
			}
			last.Store(i)
			heard.Add(1)
		})
		n.bus.OnMissed(func() { missed.Add(1) })
	})
	until(t, "both are connected", func() bool { return a.Connected() && b.Connected() })
	before := missed.Load()
	i := int64(0)
	for ; i < 30_000; i++ {
		live.Send(a.bus, "word", i+1)
	}
	until(t, "the last is heard", func() bool {
		i++
		live.Send(a.bus, "word", i)
		return last.Load() > 30_000
	})
	if n := missed.Load() - before; heard.Load() != last.Load() && n == 0 {
		t.Errorf("of %d signals %d were heard, and none missed", last.Load(), heard.Load())
	} else {
		t.Logf("of %d signals %d were heard, with %d gaps", last.Load(), heard.Load(), n)
	}
}

func TestAClockThatIsSetBackRefusesNobodyForLong(t *testing.T) {
	t.Parallel()
	server := testdb.Redis(t)
	hand := operator(t, server)
	n := join(t, server, "a", nil)
	until(t, "the node is connected", n.Connected)
	rate := kyro.Rate{Count: 10, Per: 10 * time.Minute}
	const key = "kyro:test:rate:somebody"
	fine(t, hand.Set(t.Context(), key, time.Now().Add(10*time.Hour).UnixMicro(), 11*time.Hour).Err())
	a, err := live.NewSharedRates(n.Redis, live.NewRates(live.RatesConfig{})).Take(t.Context(), "somebody", rate)
	fine(t, err)
	if a.Allowed || a.RetryAfter != time.Minute {
		t.Errorf("all is spent, but there is %+v", a)
	}
	if left := hand.PTTL(t.Context(), key).Val(); left <= 0 || left > rate.Per {
		t.Errorf("the key is kept for %v", left)
	}
}

func TestNothingStaysInRedisForEver(t *testing.T) {
	t.Parallel()
	server := testdb.Redis(t)
	a, b := join(t, server, "a", nil), join(t, server, "b", nil)
	hand := operator(t, server)
	until(t, "both are connected", func() bool { return a.Connected() && b.Connected() })
	live.Send(a.bus, "word", 1)
	live.NewSharedTexts(a.Redis).Add(t.Context(), strings.Repeat("0", 64), "text")
	taken(t, live.NewSharedRates(a.Redis, live.NewRates(live.RatesConfig{})), "somebody", hourly, 1)
	fine(t, a.logs.Append(t.Context(), kyro.MessageID(1), logtest.Delta(1, 1, "x")))
	fine(t, a.logs.Append(t.Context(), kyro.MessageID(2), logtest.Delta(1, 1, "x"), logtest.End(1, 2)))
	until(t, "all is sent", a.logs.Sent)
	until(t, "the kinds of keys are there", func() bool { return hand.DBSize(t.Context()).Val() == 8 })
	for _, key := range hand.Keys(t.Context(), "*").Val() {
		if left := hand.PTTL(t.Context(), key).Val(); left <= 0 {
			t.Errorf("%s stays", key)
		}
	}
}

// TestManyReadersOfLongStreamsAtOnce, as after a restart of their node: what they ask for must not be so much at once that
// Redis seems to be away for it, since they would come back and ask again.
func TestManyReadersOfLongStreamsAtOnce(t *testing.T) {
	t.Parallel()
	const streams, words = 300, 999
	server := testdb.Redis(t)
	hand := operator(t, server)
	for message := 1; message <= streams; message++ {
		fine(t, hand.Eval(t.Context(), `for i = 1, tonumber(ARGV[1]) do
			redis.call('XADD', KEYS[1], '1-' .. i, 'e', '[{"a":1,"s":' .. i .. ',"t":"word "}]')
		end return ''`, []string{fmt.Sprint("kyro:test:log:", message)}, words).Err())
	}
	timeout := time.Duration(0)
	if racetest.On() {
		timeout = 4 * time.Second // everything takes so much longer, and other tests run beside it
	}
	n := joinAs(t, live.RedisConfig{URL: server.URL, Node: "b", Timeout: timeout}, nil)
	until(t, "the node is connected", n.Connected)
	var readers sync.WaitGroup
	var whole, refused atomic.Int64
	for message := range int64(streams) {
		readers.Go(func() {
			for t.Context().Err() == nil {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				entries, _, err := n.logs.Read(ctx, kyro.MessageID(message+1), 1, 0)
				cancel()
				if len(entries) == words {
					whole.Add(1)
					return
				} else if err == nil {
					t.Errorf("%d events of %d", len(entries), words)
					return
				}
				refused.Add(1)
				time.Sleep(10 * time.Millisecond) // as readers wait before they look at the row
			}
		})
	}
	until(t, "all streams are read", func() bool { return whole.Load() == streams || t.Failed() })
	readers.Wait()
	if n := refused.Load(); n > 10*streams {
		t.Errorf("%d readers were told %d times that Redis is away", streams, n)
	}
}

// TestStopEndsEverything, also while Redis hangs or was never there. It is not parallel, to be the only one.
func TestStopEndsEverything(t *testing.T) {
	for name, hurt := range map[string]func(s *redis.Server) error{
		"while Redis hangs": (*redis.Server).Freeze,
		"without Redis":     (*redis.Server).Stop,
		"with Redis":        func(*redis.Server) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			server := testdb.Redis(t)
			r, err := live.NewRedis(live.RedisConfig{URL: server.URL, Installation: "test", Node: "a"})
			fine(t, err)
			logs, bus := live.NewSharedLogs(r, live.NewLogs(live.LogsConfig{})), live.NewBus(r)
			r.Run()
			until(t, "it is connected", r.Connected)
			fine(t, hurt(server))
			fine(t, logs.Append(t.Context(), kyro.MessageID(1), logtest.Delta(1, 1, "x")))
			live.Send(bus, "word", 1)
			r.Stop()
			var stacks string
			until(t, "all goroutines have ended", func() bool {
				text := make([]byte, 1<<20)
				stacks = string(text[:runtime.Stack(text, true)])
				return !strings.Contains(stacks, "kyrochat/live.(") && !strings.Contains(stacks, "go-redis")
			})
		})
	}
}
