package logtest

import (
	"context"
	"slices"
	"testing"

	"kyrochat/kyro"
)

type result struct {
	entries []kyro.LogEntry
	known   bool
	err     error
}

// readLater reads beside the test, which goes on.
func readLater(t *testing.T, l Log, m kyro.ID, attempt, seq int64) <-chan result {
	got := make(chan result, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		entries, known, err := l.Read(ctx, m, attempt, seq)
		got <- result{entries, known, err}
	}()
	return got
}

func wantLater(t *testing.T, got <-chan result, want ...kyro.LogEntry) {
	t.Helper()
	if r := <-got; r.err != nil || !r.known || !slices.Equal(r.entries, want) {
		t.Errorf("Read gave %+v, want %v", r, want)
	}
}

func mustAppend(t *testing.T, l Log, m kyro.ID, entries ...kyro.LogEntry) {
	t.Helper()
	if err := l.Append(t.Context(), m, entries...); err != nil {
		t.Errorf("Append(%v): %v", entries, err)
	}
}

func wantConflict(t *testing.T, l Log, m kyro.ID, entry kyro.LogEntry) {
	t.Helper()
	if err := l.Append(t.Context(), m, entry); kyro.ErrorCode(err) != kyro.CodeConflict {
		t.Errorf("Append(%v): %v, want CONFLICT", entry, err)
	}
}

func wantRead(t *testing.T, l Log, m kyro.ID, attempt, seq int64, want ...kyro.LogEntry) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	entries, known, err := l.Read(ctx, m, attempt, seq)
	if err != nil || !known || !slices.Equal(entries, want) {
		t.Errorf("Read(%d, %d): %v, known %v, %v; want %v", attempt, seq, entries, known, err, want)
	}
}

func wantUnknown(t *testing.T, l Log, m kyro.ID, attempt, seq int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if entries, known, err := l.Read(ctx, m, attempt, seq); known || err != nil || len(entries) > 0 {
		t.Errorf("Read(%d, %d): %v, known %v, %v; want unknown", attempt, seq, entries, known, err)
	}
}

func wantSnapshot(t *testing.T, l Log, m kyro.ID, want kyro.StreamSnapshot) {
	t.Helper()
	got, known, err := l.Snapshot(t.Context(), m)
	if err != nil || !known || got != want {
		t.Errorf("Snapshot: %+v, known %v, %v; want %+v", got, known, err, want)
	}
}
