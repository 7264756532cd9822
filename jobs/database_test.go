package jobs_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kyrochat/internal/testdb"
	"kyrochat/jobs"
	"kyrochat/kyro"
)

// patience is how long a test waits before it says that something hangs; River looks for dead work every 30 s.
const patience = 2 * time.Minute

var errAbort = errors.New("abort")

// database is a database of one test, in either kind.
type database struct {
	open    func(jobs.Config) (*jobs.Queue, error)
	exec    func(ctx context.Context, statement string) error
	count   func(ctx context.Context, query string) (int, error)
	enqueue func(ctx context.Context, q *jobs.Queue, abort bool, list ...kyro.Job) error
}

// onEach runs a test on both databases, each with the queue's tables.
func onEach(t *testing.T, test func(t *testing.T, db database)) {
	t.Helper()
	for name, open := range map[string]func(*testing.T) database{"SQLite": openSQLite, "PostgreSQL": openPostgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := open(t)
			q, err := db.open(jobs.Config{})
			if err != nil {
				t.Fatal(err)
			}
			if err := q.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			test(t, db)
		})
	}
}

func openSQLite(t *testing.T) database {
	db := testdb.SQLite(t).SQLite
	return database{
		open: func(c jobs.Config) (*jobs.Queue, error) { return jobs.NewSQLite(db, c) },
		exec: func(ctx context.Context, statement string) error {
			_, err := db.ExecContext(ctx, statement)
			return err
		},
		count: func(ctx context.Context, query string) (n int, err error) {
			err = db.QueryRowContext(ctx, query).Scan(&n)
			return n, err
		},
		enqueue: func(ctx context.Context, q *jobs.Queue, abort bool, list ...kyro.Job) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			defer tx.Rollback()
			if err := q.EnqueueSQLite(ctx, tx, list...); err != nil || abort {
				return errors.Join(err, tx.Rollback())
			}
			return tx.Commit()
		},
	}
}

func openPostgres(t *testing.T) database {
	pool := testdb.Postgres(t).Pgx
	return database{
		open: func(c jobs.Config) (*jobs.Queue, error) { return jobs.NewPostgres(pool, c) },
		exec: func(ctx context.Context, statement string) error {
			_, err := pool.Exec(ctx, statement)
			return err
		},
		count: func(ctx context.Context, query string) (n int, err error) {
			err = pool.QueryRow(ctx, query).Scan(&n)
			return n, err
		},
		enqueue: func(ctx context.Context, q *jobs.Queue, abort bool, list ...kyro.Job) error {
			err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
				if err := q.EnqueuePostgres(ctx, tx, list...); err != nil || !abort {
					return err
				}
				return errAbort
			})
			if abort && errors.Is(err, errAbort) {
				return nil
			}
			return err
		},
	}
}

// start starts a queue and stops it at the end of the test.
func start(t *testing.T, db database, c jobs.Config, register func(*jobs.Queue)) *jobs.Queue {
	t.Helper()
	q, err := db.open(c)
	if err != nil {
		t.Fatal(err)
	}
	register(q)
	if err := q.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, q) })
	return q
}

func stop(t *testing.T, q *jobs.Queue) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := q.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func add(t *testing.T, db database, q *jobs.Queue, list ...kyro.Job) {
	t.Helper()
	if err := db.enqueue(t.Context(), q, false, list...); err != nil {
		t.Fatal(err)
	}
}

// receive waits for the next value of a channel.
func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// until waits until the query counts as many rows as wanted.
func until(t *testing.T, db database, want int, query string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		n, err := db.count(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		if n == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %d, want %d", query, n, want)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
