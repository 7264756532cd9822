package store_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/uptrace/bun"

	"kyrochat/internal/testdb"
	"kyrochat/kyro"
	"kyrochat/store"
)

// brokenQueue stores a job and then fails, in a savepoint on PostgreSQL.
type brokenQueue struct{ err error }

func (q brokenQueue) EnqueuePostgres(ctx context.Context, tx pgx.Tx, jobs ...kyro.Job) error {
	return errors.Join(rowQueue{}.EnqueuePostgres(ctx, tx, jobs...), q.err)
}

func (q brokenQueue) EnqueueSQLite(ctx context.Context, tx *sql.Tx, jobs ...kyro.Job) error {
	return errors.Join(rowQueue{}.EnqueueSQLite(ctx, tx, jobs...), q.err)
}

func TestAJobThatIsNotStoredUndoesTheWrite(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, bot, _ := w.talk(t)
		w.document(t, bot, user, 1)
		mine := errors.New("mine")
		broken := store.New(w.pools, brokenQueue{mine})
		if err := broken.DeleteBot(t.Context(), user, bot, start); !errors.Is(err, mine) {
			t.Errorf("got %v, want the queue's error", err)
		}
		if got, err := w.Bots(t.Context(), user, []kyro.ID{bot}); err != nil || len(got) != 1 {
			t.Errorf("the bot is gone: %v %v", got, err)
		}
		if n := w.number(t, "SELECT count(*) FROM test_jobs"); n != 0 {
			t.Errorf("%d jobs of a write that failed", n)
		}
	})
}

// savepoints checks the transaction that a queue gets: what a nested one rolls back is gone, the rest stays.
type savepoints struct{ rowQueue }

func (savepoints) EnqueuePostgres(ctx context.Context, tx pgx.Tx, _ ...kyro.Job) error {
	for key, keep := range []bool{false, true} {
		inner, err := tx.Begin(ctx)
		if err != nil {
			return err
		}
		if _, err := inner.Exec(ctx, "INSERT INTO test_jobs VALUES ('inner', $1, 0)", key); err != nil {
			return err
		}
		if keep {
			err = inner.Commit(ctx)
		} else {
			err = inner.Rollback(ctx)
		}
		if err != nil {
			return err
		}
		if err := inner.Rollback(ctx); !errors.Is(err, pgx.ErrTxClosed) {
			return errors.New("a closed savepoint was rolled back")
		}
	}
	batch := &pgx.Batch{}
	batch.Queue("INSERT INTO test_jobs VALUES ('batch', 1, 0)")
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return err
	}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"test_jobs"}, []string{"kind", "job_key", "run"}, pgx.CopyFromRows([][]any{{"copy", int64(1), int64(0)}}))
	return errors.Join(err, tx.Commit(ctx), tx.Rollback(ctx)) // of the whole: neither does anything
}

func TestTheQueueSharesTheTransaction(t *testing.T) {
	t.Parallel()
	w := &world{pools: testdb.Postgres(t, testdb.Also(jobTable))}
	w.Store = store.New(w.pools, savepoints{})
	user, bot, _ := w.talk(t)
	w.document(t, bot, user, 1)
	fine(t, w.DeleteBot(t.Context(), user, bot, start))
	if n := w.number(t, "SELECT count(*) FROM test_jobs WHERE kind = 'inner' AND job_key = 1"); n != 1 {
		t.Errorf("%d kept jobs, want 1", n)
	}
	if n := w.number(t, "SELECT count(*) FROM test_jobs"); n != 3 {
		t.Errorf("%d jobs, want 3", n)
	}
}

func TestRivalsAreTriedAgain(t *testing.T) {
	t.Parallel()
	w := &world{pools: testdb.Postgres(t)}
	w.Store = store.New(w.pools, rowQueue{})
	first, second := w.user(t), w.user(t)
	_, err := w.pools.Pgx.Exec(t.Context(), "ALTER DATABASE \""+w.pools.Pgx.Config().ConnConfig.Database+"\" SET deadlock_timeout = '50ms'")
	fine(t, err)
	w.pools.Pgx.Reset()

	var tries atomic.Int64
	var both sync.WaitGroup
	both.Add(2)
	cross := func(a, b kyro.ID) error {
		once := sync.OnceFunc(func() { both.Done(); both.Wait() })
		return w.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			tries.Add(1)
			for _, id := range []kyro.ID{a, b} {
				if _, err := tx.ExecContext(ctx, "UPDATE users SET name = name || '.' WHERE id = ?", id.Key); err != nil {
					return err
				}
				once()
			}
			return nil
		})
	}
	var wg sync.WaitGroup
	for _, pair := range [][2]kyro.ID{{first, second}, {second, first}} {
		wg.Go(func() {
			if err := cross(pair[0], pair[1]); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := tries.Load(); n < 3 {
		t.Errorf("%d tries: the two did not meet", n)
	}
	if n := w.number(t, "SELECT count(*) FROM users WHERE name = 'Ann..'"); n != 2 {
		t.Errorf("%d users were changed twice, want 2", n)
	}
}

func TestReadersCannotWriteOnSQLite(t *testing.T) {
	t.Parallel()
	s := store.New(testdb.SQLite(t), rowQueue{})
	_, err := s.Read().ExecContext(t.Context(), "DELETE FROM users")
	if err == nil || !strings.Contains(err.Error(), "readonly") {
		t.Errorf("got %v", err)
	}
}

func TestReadersGoOnWhileSQLiteWrites(t *testing.T) {
	t.Parallel()
	w := &world{pools: testdb.SQLite(t)}
	w.Store = store.New(w.pools, rowQueue{})
	user := w.user(t)
	err := w.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE users SET name = 'new'"); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		got, err := w.Users(ctx, []kyro.ID{user})
		if err == nil && got[0].Name != "Ann" {
			err = errors.New("a reader sees what is not committed")
		}
		return err
	})
	fine(t, err)
}

func TestViolationsAreKnown(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		w.user(t)
		for statement, want := range map[string]bool{
			"INSERT INTO users (id, email, name, password_hash, email_verified, created_at) SELECT 99, email, name, password_hash, email_verified, created_at FROM users":           true,
			"INSERT INTO users (id, email, name, password_hash, email_verified, created_at) SELECT id, 'x@example.com', name, password_hash, email_verified, created_at FROM users": true,
			"UPDATE sessions SET user_id = 99999": false,
			"UPDATE sessions SET counter = NULL":  false,
			"UPDATE":                              false,
		} {
			tries := 0
			err := w.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
				tries++
				_, err := tx.ExecContext(ctx, statement)
				return err
			})
			if tries != 1 {
				t.Errorf("%s: tried %d times", statement, tries)
			}
			if err == nil || store.IsUniqueViolation(err) != want {
				t.Errorf("%s: %v: unique %v", statement, err, store.IsUniqueViolation(err))
			}
		}
		if store.IsUniqueViolation(nil) || store.IsUniqueViolation(errors.New("x")) {
			t.Error("no error of the database, but a violation")
		}
	})
}

// TestAFrozenNodeHoldsNothingForLong freezes a node in the middle of a write. Its rows are free again soon, and it learns
// of that when it thaws.
func TestAFrozenNodeHoldsNothingForLong(t *testing.T) {
	t.Parallel()
	url := testdb.PostgresURL(t)
	open := func(url string) *world {
		p, err := store.Open(t.Context(), store.Config{DatabaseURL: url})
		fine(t, err)
		t.Cleanup(func() { _ = p.Close() })
		return &world{pools: p, Store: store.New(p, rowQueue{})}
	}
	frozen, other := open(url+"&idle_in_transaction_session_timeout=2s"), open(url)
	user, _, id := other.talk(t)
	holds, thaw := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		err := frozen.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.ExecContext(ctx, "UPDATE conversations SET events = events + 1000")
			close(holds)
			<-thaw
			if err == nil {
				_, err = tx.ExecContext(ctx, "UPDATE conversations SET archived = TRUE")
			}
			return err
		})
		if kyro.ErrorCode(err) != kyro.CodeUnavailable {
			t.Errorf("the thawed node is told %v", err)
		}
	})
	<-holds
	other.say(t, user, id, "Hi")
	close(thaw)
	wg.Wait()
	if n := other.number(t, "SELECT count(*) FROM conversations WHERE events < 1000 AND NOT archived"); n != 1 {
		t.Error("a write that was given up is there")
	}
	if n := other.number(t, "SELECT (current_setting('idle_in_transaction_session_timeout')::interval BETWEEN '1s' AND '15s')::int"); n != 1 {
		t.Error("by default a frozen node is waited for without end, or for longer than a lease")
	}
}
