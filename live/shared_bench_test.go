package live_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"kyrochat/internal/logtest"
	"kyrochat/internal/redis"
	"kyrochat/kyro"
	"kyrochat/live"
)

// pair is two nodes on a Redis of their own.
func pair(b *testing.B) (from, to *live.SharedLogs) {
	b.Helper()
	server, err := redis.Start(b.Context())
	if err != nil {
		b.Skip(err)
	}
	b.Cleanup(func() { _ = server.Stop() })
	open := func(name string) *live.SharedLogs {
		r, err := live.NewRedis(live.RedisConfig{URL: server.URL, Installation: "bench", Node: name})
		if err != nil {
			b.Fatal(err)
		}
		logs := live.NewSharedLogs(r, live.NewLogs(live.LogsConfig{}))
		r.Run()
		b.Cleanup(r.Stop)
		return logs
	}
	return open("a"), open("b")
}

// BenchmarkTokenToAnotherNode is one token at a time, from the append on one node to the reader on another; the
// baseline is a reader on the same node.
func BenchmarkTokenToAnotherNode(b *testing.B) {
	from, to := pair(b)
	for name, reader := range map[string]*live.SharedLogs{"same": from, "another": to} {
		b.Run(name, func(b *testing.B) {
			message, attempt, seq := kyro.MessageID(1), time.Now().UnixNano(), int64(0)
			for b.Loop() {
				if seq++; seq > 4_000 {
					attempt, seq = attempt+1, 1
				}
				if err := from.Append(b.Context(), message, logtest.Delta(attempt, seq, "token ")); err != nil {
					b.Fatal(err)
				}
				for got := false; !got; {
					ctx, cancel := context.WithTimeout(b.Context(), 10*time.Millisecond)
					_, got, _ = reader.Read(ctx, message, attempt, seq-1)
					cancel()
				}
			}
		})
	}
}

// BenchmarkStreamsToAnotherNode is a token in each of many streams, until all of them are with the other node's readers.
func BenchmarkStreamsToAnotherNode(b *testing.B) {
	for _, streams := range []int{1, 100, 2_000} {
		b.Run(fmt.Sprint(streams), func(b *testing.B) {
			from, to := pair(b)
			const tokens = 20
			for b.Loop() {
				base := time.Now().UnixNano()
				var readers sync.WaitGroup
				for i := range streams {
					message := kyro.MessageID(base + int64(i))
					readers.Go(func() {
						for seq := int64(0); seq < tokens; {
							entries, known, err := to.Read(b.Context(), message, 1, seq)
							if err != nil || !known && seq > 0 {
								b.Errorf("after %d: known %v, %v", seq, known, err)
								return
							}
							seq += int64(len(entries))
						}
					})
				}
				for seq := range int64(tokens) {
					for i := range streams {
						if err := from.Append(b.Context(), kyro.MessageID(base+int64(i)), logtest.Delta(1, seq+1, "token ")); err != nil {
							b.Fatal(err)
						}
					}
				}
				readers.Wait()
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*streams*tokens), "µs/token")
		})
	}
}
