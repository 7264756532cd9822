//go:build unix

package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestKilledAndBack: what was committed is there after a kill, a frozen server answers nobody, and a thawed one does.
func TestKilledAndBack(t *testing.T) {
	if _, err := findPostgres(); err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	run := func(ctx context.Context, statement string) error {
		conn, err := pgx.Connect(ctx, s.URL)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close(ctx) }()
		_, err = conn.Exec(ctx, statement)
		return err
	}
	if err := run(ctx, "CREATE TABLE kept (id int)"); err != nil {
		t.Fatal(err)
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := run(ctx, "SELECT 1"); err == nil {
		t.Error("a killed server answers")
	}
	if err := s.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if err := run(ctx, "SELECT * FROM kept"); err != nil {
		t.Errorf("after the kill: %v", err)
	}
	if err := s.Freeze(); err != nil {
		t.Fatal(err)
	}
	short, stop := context.WithTimeout(ctx, 200*time.Millisecond)
	if err := run(short, "SELECT 1"); err == nil {
		t.Error("a frozen server answers")
	}
	stop()
	if err := s.Thaw(); err != nil {
		t.Fatal(err)
	}
	if err := run(ctx, "SELECT 1"); err != nil {
		t.Errorf("after the thaw: %v", err)
	}
}
