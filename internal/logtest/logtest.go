// Package logtest is the suite that every stream log must pass, in process or on Redis.
package logtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"kyrochat/kyro"
)

// Log is the port of the answers' stream log.
type Log interface {
	Append(ctx context.Context, message kyro.ID, entries ...kyro.LogEntry) error
	Read(ctx context.Context, message kyro.ID, attempt, seq int64) (entries []kyro.LogEntry, known bool, err error)
	Snapshot(ctx context.Context, message kyro.ID) (s kyro.StreamSnapshot, known bool, err error)
}

// patience bounds what must come; no test waits that long unless it fails.
const patience = 20 * time.Second

// Run tests a log. Each subtest works on messages of its own, so open may give the same log every time.
func Run(t *testing.T, open func(t *testing.T) Log) {
	tests := []struct {
		name string
		test func(t *testing.T, l Log, m kyro.ID)
	}{
		{"reads what was appended, from anywhere", readsFromAnywhere},
		{"repeats change nothing", repeats},
		{"refuses gaps, older attempts and what follows the end", refuses},
		{"a newer attempt starts anew", newerAttempt},
		{"an end replaces a log that it does not follow", foreignEnd},
		{"without a log, only the beginning is waited for", withoutLog},
		{"a reader waits for the next event", waits},
		{"a waiting reader learns of a newer attempt", waitsThroughAttempt},
		{"a reader's context ends its wait", contextEnds},
		{"many readers miss nothing", manyReaders},
	}
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.test(t, open(t), kyro.MessageID(int64(1_000+i))) })
	}
}

// Delta is an entry with text.
func Delta(attempt, seq int64, text string) kyro.LogEntry {
	return kyro.LogEntry{Attempt: attempt, Seq: seq, Text: text}
}

// Stage is an entry with a status.
func Stage(attempt, seq int64, status kyro.MessageStatus) kyro.LogEntry {
	return kyro.LogEntry{Attempt: attempt, Seq: seq, Status: status}
}

// End is the entry of the end.
func End(attempt, seq int64) kyro.LogEntry {
	return kyro.LogEntry{Attempt: attempt, Seq: seq, Status: kyro.MessageCompleted, Final: true}
}

func readsFromAnywhere(t *testing.T, l Log, m kyro.ID) {
	want := []kyro.LogEntry{
		Stage(1, 1, kyro.MessageRetrieving), Stage(1, 2, kyro.MessageStreaming), Delta(1, 3, "Hello"), Delta(1, 4, ", 世界"), End(1, 5),
	}
	for _, e := range want[:3] {
		mustAppend(t, l, m, e)
	}
	wantSnapshot(t, l, m, kyro.StreamSnapshot{Attempt: 1, Seq: 3, Status: kyro.MessageStreaming, Text: "Hello"})
	mustAppend(t, l, m, want[3:]...)
	for seq := range want {
		wantRead(t, l, m, 1, int64(seq), want[seq:]...)
	}
	wantUnknown(t, l, m, 1, 5)
	wantUnknown(t, l, m, 1, 6)
	wantSnapshot(t, l, m, kyro.StreamSnapshot{Attempt: 1, Seq: 5, Status: kyro.MessageCompleted, Text: "Hello, 世界", Final: true})
}

func repeats(t *testing.T, l Log, m kyro.ID) {
	mustAppend(t, l, m, Stage(1, 1, kyro.MessageRetrieving), Delta(1, 2, "a"))
	mustAppend(t, l, m, Delta(1, 2, "a"))
	mustAppend(t, l, m, Stage(1, 1, kyro.MessageRetrieving), Delta(1, 2, "a"), Delta(1, 3, "b"))
	mustAppend(t, l, m, End(1, 4))
	mustAppend(t, l, m, Delta(1, 3, "b"), End(1, 4))
	wantRead(t, l, m, 1, 0, Stage(1, 1, kyro.MessageRetrieving), Delta(1, 2, "a"), Delta(1, 3, "b"), End(1, 4))
}

func refuses(t *testing.T, l Log, m kyro.ID) {
	wantConflict(t, l, m, Delta(2, 2, "not the first"))
	mustAppend(t, l, m, Delta(2, 1, "a"))
	wantConflict(t, l, m, Delta(2, 3, "gap"))
	wantConflict(t, l, m, Delta(1, 1, "older"))
	wantConflict(t, l, m, End(1, 2))
	wantConflict(t, l, m, Delta(3, 2, "not the first"))
	wantRead(t, l, m, 2, 0, Delta(2, 1, "a"))
	mustAppend(t, l, m, End(2, 2))
	wantConflict(t, l, m, Delta(2, 3, "late"))
	wantRead(t, l, m, 2, 1, End(2, 2))
}

func newerAttempt(t *testing.T, l Log, m kyro.ID) {
	mustAppend(t, l, m, Delta(1, 1, "old"), Delta(1, 2, "er"))
	mustAppend(t, l, m, Delta(2, 1, "new"))
	wantUnknown(t, l, m, 1, 0)
	wantUnknown(t, l, m, 1, 2)
	wantUnknown(t, l, m, 3, 1)
	wantRead(t, l, m, 2, 0, Delta(2, 1, "new"))
	wantSnapshot(t, l, m, kyro.StreamSnapshot{Attempt: 2, Seq: 1, Text: "new"})
}

func foreignEnd(t *testing.T, l Log, m kyro.ID) {
	mustAppend(t, l, m, Delta(1, 1, "a"), Delta(1, 2, "b"), Delta(1, 3, "c"))
	mustAppend(t, l, m, End(1, 3))
	wantUnknown(t, l, m, 1, 0)
	wantUnknown(t, l, m, 1, 3)
	wantRead(t, l, m, 1, 2, End(1, 3))
	if _, known, err := l.Snapshot(t.Context(), m); known || err != nil {
		t.Errorf("Snapshot of a log that is only an end: known %v, %v", known, err)
	}
	mustAppend(t, l, m, End(2, 7))
	wantUnknown(t, l, m, 2, 5)
	wantRead(t, l, m, 2, 6, End(2, 7))
}

func withoutLog(t *testing.T, l Log, m kyro.ID) {
	wantUnknown(t, l, m, 1, 4)
	if _, known, err := l.Snapshot(t.Context(), m); known || err != nil {
		t.Errorf("Snapshot without a log: known %v, %v", known, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, _, err := l.Read(ctx, m, 1, 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Read without a log after 0: %v, want the deadline", err)
	}
}

func waits(t *testing.T, l Log, m kyro.ID) {
	got := readLater(t, l, m, 1, 0)
	mustAppend(t, l, m, Delta(1, 1, "first"))
	wantLater(t, got, Delta(1, 1, "first"))
	got = readLater(t, l, m, 1, 1)
	mustAppend(t, l, m, Delta(1, 2, "second"))
	wantLater(t, got, Delta(1, 2, "second"))
	got = readLater(t, l, m, 1, 2)
	mustAppend(t, l, m, End(1, 3))
	wantLater(t, got, End(1, 3))
}

func waitsThroughAttempt(t *testing.T, l Log, m kyro.ID) {
	mustAppend(t, l, m, Delta(1, 1, "old"))
	got := readLater(t, l, m, 1, 1)
	mustAppend(t, l, m, Delta(2, 1, "new"))
	if r := <-got; r.known || r.err != nil {
		t.Errorf("a reader of attempt 1 got %+v when attempt 2 began, want unknown", r)
	}
}

func contextEnds(t *testing.T, l Log, m kyro.ID) {
	mustAppend(t, l, m, Delta(1, 1, "a"))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if entries, _, err := l.Read(ctx, m, 1, 1); !errors.Is(err, context.DeadlineExceeded) || len(entries) > 0 {
		t.Errorf("Read gave %v, %v, want the deadline", entries, err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, _, err := l.Read(gone, m, 1, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("Read with a context that is done: %v", err)
	}
}

func manyReaders(t *testing.T, l Log, m kyro.ID) {
	const readers, events = 20, 500
	var want strings.Builder
	for i := range events {
		fmt.Fprintf(&want, "%d ", i)
	}
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			var text strings.Builder
			for seq := int64(0); ; {
				entries, known, err := l.Read(ctx, m, 1, seq)
				if err != nil || !known {
					t.Errorf("a reader after %d: known %v, %v", seq, known, err)
					return
				}
				for _, e := range entries {
					if seq++; e.Seq != seq {
						t.Errorf("a reader got seq %d, want %d", e.Seq, seq)
						return
					}
					text.WriteString(e.Text)
					if e.Final {
						if text.String() != want.String() {
							t.Error("a reader got another text")
						}
						return
					}
				}
			}
		})
	}
	for i := 0; i < events; {
		var batch []kyro.LogEntry
		for range min(1+rand.IntN(3), events-i) {
			batch = append(batch, Delta(1, int64(i+1), fmt.Sprintf("%d ", i)))
			i++
		}
		mustAppend(t, l, m, batch...)
	}
	mustAppend(t, l, m, End(1, events+1))
	wg.Wait()
}
