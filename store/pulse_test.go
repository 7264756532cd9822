package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/internal/postgres"
	"kyrochat/kyro"
	"kyrochat/store"
)

// TestSilentPostgres hangs, with its connections open. What waits for it ends long before the thirty seconds that a write
// has, and what comes later is refused; all works again when it answers.
func TestSilentPostgres(t *testing.T) {
	t.Parallel()
	starting, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	server, err := postgres.Start(starting)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	p, err := store.Open(t.Context(), store.Config{DatabaseURL: server.URL})
	fine(t, err)
	t.Cleanup(func() { _ = p.Close() })
	w := &world{pools: p, Store: store.New(p, rowQueue{})}
	ask := func(ctx context.Context) error {
		return w.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.ExecContext(ctx, "SELECT 1")
			return err
		})
	}
	fine(t, ask(t.Context()))
	fine(t, server.Freeze())
	for range 3 {
		hung, stop := context.WithTimeout(t.Context(), 15*time.Second)
		wantCode(t, ask(hung), kyro.CodeUnavailable)
		if hung.Err() != nil {
			t.Error("a write waited for a server that says nothing")
		}
		stop()
	}
	fine(t, server.Thaw())
	for end := time.Now().Add(time.Minute); ask(t.Context()) != nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it answers, and is not asked any more")
		}
	}
}
