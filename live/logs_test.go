package live_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/internal/logtest"
	"kyrochat/kyro"
	"kyrochat/live"
)

func TestLogs(t *testing.T) {
	t.Parallel()
	logtest.Run(t, func(*testing.T) logtest.Log { return live.NewLogs(live.LogsConfig{}) })
}

func TestLogsOnce(t *testing.T) {
	t.Parallel()
	shared := live.NewLogs(live.LogsConfig{})
	logtest.Run(t, func(*testing.T) logtest.Log { return shared })
}

// has reports whether the log of the message is there, whole.
func has(t *testing.T, l *live.Logs, message int64) bool {
	t.Helper()
	_, known, err := l.Snapshot(t.Context(), kyro.MessageID(message))
	if err != nil {
		t.Fatal(err)
	}
	return known
}

func put(t *testing.T, l *live.Logs, message int64, entries ...kyro.LogEntry) {
	t.Helper()
	if err := l.Append(t.Context(), kyro.MessageID(message), entries...); err != nil {
		t.Fatal(err)
	}
}

func TestLogsAreKeptForATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := live.NewLogs(live.LogsConfig{TTL: 10 * time.Minute})
		put(t, l, 1, logtest.Delta(1, 1, "a"), logtest.End(1, 2))
		put(t, l, 2, logtest.Delta(1, 1, "left by its writer"))
		put(t, l, 3, logtest.Delta(1, 1, "runs"))
		time.Sleep(6 * time.Minute)
		put(t, l, 3, logtest.Delta(1, 2, "on"))
		if !has(t, l, 1) || !has(t, l, 2) {
			t.Error("a log went before its time")
		}
		time.Sleep(4 * time.Minute)
		if has(t, l, 1) || has(t, l, 2) {
			t.Error("a log outlived its time")
		}
		if !has(t, l, 3) {
			t.Error("a running log went")
		}
		put(t, l, 1, logtest.Delta(2, 1, "a new attempt after the log was dropped"))
		if !has(t, l, 1) {
			t.Error("a dropped log does not begin again")
		}
	})
}

func TestWaitingReaderLearnsThatItsLogWasDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := live.NewLogs(live.LogsConfig{TTL: time.Minute})
		put(t, l, 1, logtest.Delta(1, 1, "a"))
		known, err := true, error(nil)
		var wg sync.WaitGroup
		wg.Go(func() { _, known, err = l.Read(t.Context(), kyro.MessageID(1), 1, 1) })
		synctest.Wait()
		time.Sleep(time.Minute)
		put(t, l, 2, logtest.Delta(1, 1, "anything"))
		wg.Wait()
		if known || err != nil {
			t.Errorf("known %v, %v; want unknown", known, err)
		}
	})
}

func TestLogsDropTheOldestEndedAboveTheirBound(t *testing.T) {
	t.Parallel()
	l := live.NewLogs(live.LogsConfig{MaxBytes: 10_000, MaxAttemptBytes: 4_000})
	text := strings.Repeat("x", 2_000)
	put(t, l, 1, logtest.Delta(1, 1, text))
	put(t, l, 2, logtest.Delta(1, 1, text), logtest.End(1, 2))
	put(t, l, 3, logtest.Delta(1, 1, text), logtest.End(1, 2))
	put(t, l, 4, logtest.Delta(1, 1, text))
	if !has(t, l, 2) {
		t.Fatal("a log went below the bound")
	}
	put(t, l, 5, logtest.Delta(1, 1, text))
	got := fmt.Sprint(has(t, l, 1), has(t, l, 2), has(t, l, 3), has(t, l, 4), has(t, l, 5))
	if want := "true false true true true"; got != want {
		t.Errorf("kept: %s, want %s", got, want)
	}
	put(t, l, 6, logtest.Delta(1, 1, text))
	put(t, l, 7, logtest.Delta(1, 1, text))
	got = fmt.Sprint(has(t, l, 1), has(t, l, 3), has(t, l, 4), has(t, l, 5), has(t, l, 6), has(t, l, 7))
	if want := "true false true true true true"; got != want {
		t.Errorf("kept: %s, want %s: running logs stay", got, want)
	}
}

func TestLongAttemptLosesItsBeginning(t *testing.T) {
	t.Parallel()
	l := live.NewLogs(live.LogsConfig{MaxAttemptBytes: 1_000})
	const events = 100
	for i := int64(1); i <= events; i++ {
		put(t, l, 1, logtest.Delta(1, i, "twenty bytes of text"))
	}
	if has(t, l, 1) {
		t.Error("a snapshot without the beginning")
	}
	if _, known, err := l.Read(t.Context(), kyro.MessageID(1), 1, 1); known || err != nil {
		t.Errorf("Read of dropped events: known %v, %v", known, err)
	}
	entries, known, err := l.Read(t.Context(), kyro.MessageID(1), 1, events-5)
	if err != nil || !known || len(entries) != 5 || entries[0].Seq != events-4 {
		t.Errorf("Read of the end: %v, known %v, %v", entries, known, err)
	}
}

// A reader that leaves between two events must not take a wake-up or a topic with it.
func TestReadersComeAndGo(t *testing.T) {
	t.Parallel()
	l := live.NewLogs(live.LogsConfig{})
	const events = 2_000
	var wg sync.WaitGroup
	for reader := range 8 {
		wg.Go(func() {
			for seq := int64(0); seq < events; {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+reader)*100*time.Microsecond)
				entries, known, err := l.Read(ctx, kyro.MessageID(1), 1, seq)
				cancel()
				if err != nil && !errors.Is(err, context.DeadlineExceeded) || err == nil && !known {
					t.Errorf("after %d: known %v, %v", seq, known, err)
					return
				}
				for _, e := range entries {
					if seq++; e.Seq != seq {
						t.Errorf("got seq %d, want %d", e.Seq, seq)
						return
					}
				}
			}
		})
	}
	for i := int64(1); i <= events; i++ {
		put(t, l, 1, logtest.Delta(1, i, "x"))
	}
	wg.Wait()
}

func BenchmarkLogs(b *testing.B) {
	for _, readers := range []int{0, 1, 10} {
		b.Run(fmt.Sprintf("%d readers", readers), func(b *testing.B) {
			l := live.NewLogs(live.LogsConfig{MaxAttemptBytes: 1 << 30})
			ctx, cancel := context.WithCancel(b.Context())
			var wg sync.WaitGroup
			for range readers {
				wg.Go(func() {
					for seq := int64(0); ; {
						entries, _, err := l.Read(ctx, kyro.MessageID(1), 1, seq)
						if err != nil {
							return
						}
						seq = entries[len(entries)-1].Seq
					}
				})
			}
			b.ReportAllocs()
			for seq := int64(1); b.Loop(); seq++ {
				if err := l.Append(ctx, kyro.MessageID(1), logtest.Delta(1, seq, "piece ")); err != nil {
					b.Fatal(err)
				}
			}
			cancel()
			wg.Wait()
		})
	}
}
