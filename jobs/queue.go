// Package jobs runs background work on River, in the database that holds the data: a job is stored in the
// transaction of what it is about, so neither exists without the other, and it is done at least once.
//
// A job that fails is tried again later; after the last try its verb is told. Being interrupted is no failure: a
// job that a shutdown stops goes back as it was, and one whose process died is taken up again.
package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"

	"kyrochat/kyro"
)

// Handler does one turn of a job. It answers nil when the job is done, kyro.ErrJobAgain for another turn (after
// the RetryAfter of the error around it), and any other error for a failed try. It must return soon after ctx ends.
type Handler func(ctx context.Context, job kyro.Job) error

// ExhaustedHandler is told that a job has failed for the last time, and why. Its error makes the queue ask again.
type ExhaustedHandler func(ctx context.Context, job kyro.Job, cause error) error

// Queue keeps jobs in one database and works on them once started. Handlers are registered before Start. One that is
// never started stores jobs for other processes and takes no part in looking after them.
type Queue struct {
	cfg      Config
	log      *slog.Logger
	postgres *engine[pgx.Tx]  // nil on SQLite
	sqlite   *engine[*sql.Tx] // nil on PostgreSQL
	backend  backend          // the one of the two that is there
	exec     func(ctx context.Context, statement string) error
	ids      func(ctx context.Context, statement string) ([]int64, error) // runs a statement that gives numbers
	census   func(ctx context.Context) ([]Count, error)
	turns    *turns
	clock    clock
	shown    func(ctx context.Context) (time.Time, error) // the clock of the database; nil: that of this machine
	handlers map[kyro.JobKind]*handler
	started  bool
}

// backend is what a Queue needs of its database, whatever the type of its transactions.
type backend interface {
	migrate(ctx context.Context) error
	unmigrate(ctx context.Context) error
	start(ctx context.Context, config *river.Config) error
	stop(ctx context.Context) error
}

type handler struct {
	work      Handler
	exhausted ExhaustedHandler
	every     time.Duration // of a periodic job; 0 for all others
}

// NewPostgres is the queue of a PostgreSQL database that any number of processes share.
func NewPostgres(pool *pgxpool.Pool, cfg Config) (*Queue, error) {
	q := newQueue(cfg)
	engine, err := newEngine(riverpgxv5.New(pool), q.log)
	if err != nil {
		return nil, err
	}
	q.postgres, q.backend = engine, engine
	q.exec = func(ctx context.Context, statement string) error {
		_, err := pool.Exec(ctx, statement)
		return err
	}
	q.ids = func(ctx context.Context, statement string) ([]int64, error) {
		rows, err := pool.Query(ctx, statement)
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(rows, pgx.RowTo[int64])
	}
	q.census = func(ctx context.Context) ([]Count, error) { return censusPostgres(ctx, pool) }
	q.shown = func(ctx context.Context) (now time.Time, err error) {
		err = pool.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&now)
		return now, err
	}
	return q, nil
}

// NewSQLite is the queue of an SQLite database that this process alone has open, through the one connection that
// also makes all other writes (begun with BEGIN IMMEDIATE).
func NewSQLite(db *sql.DB, cfg Config) (*Queue, error) {
	q := newQueue(cfg)
	engine, err := newEngine(riversqlite.New(db), q.log)
	if err != nil {
		return nil, err
	}
	q.sqlite, q.backend = engine, engine
	q.exec = func(ctx context.Context, statement string) error {
		_, err := db.ExecContext(ctx, statement)
		return err
	}
	q.ids = func(ctx context.Context, statement string) (ids []int64, err error) {
		rows, err := db.QueryContext(ctx, statement)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		for rows.Next() {
			var id int64
			if err := rows.Scan(&id); err != nil {
				return nil, err
			}
			ids = append(ids, id)
		}
		return ids, rows.Err()
	}
	q.census = func(ctx context.Context) ([]Count, error) { return censusSQLite(ctx, db) }
	return q, nil
}

func newQueue(cfg Config) *Queue {
	cfg = cfg.withDefaults()
	q := &Queue{cfg: cfg, log: cfg.Log.With("part", "jobs"), handlers: map[kyro.JobKind]*handler{}}
	q.turns = newTurns(q)
	return q
}

// Migrate brings the queue's tables up to date. Only one process at a time may do so.
func (q *Queue) Migrate(ctx context.Context) error {
	if err := q.backend.migrate(ctx); err != nil {
		return err
	}
	return q.readClock(ctx)
}

// Unmigrate removes the queue's tables, and all jobs with them.
func (q *Queue) Unmigrate(ctx context.Context) error { return q.backend.unmigrate(ctx) }

// readClock finds out how late it is by the database's clock.
func (q *Queue) readClock(ctx context.Context) error {
	if q.shown == nil {
		return nil
	}
	asked := time.Now()
	shown, err := q.shown(ctx)
	if err != nil {
		return fmt.Errorf("ask the database for the time: %w", err)
	}
	q.clock.set(shown, asked)
	return nil
}

// EnqueuePostgres stores jobs in the transaction.
func (q *Queue) EnqueuePostgres(ctx context.Context, tx pgx.Tx, jobs ...kyro.Job) error {
	if q.postgres == nil {
		return errors.New("enqueue on PostgreSQL: the queue is kept in SQLite")
	}
	return q.postgres.enqueue(ctx, tx, q.inserts(ctx, jobs))
}

// EnqueueSQLite stores jobs in the transaction.
func (q *Queue) EnqueueSQLite(ctx context.Context, tx *sql.Tx, jobs ...kyro.Job) error {
	if q.sqlite == nil {
		return errors.New("enqueue on SQLite: the queue is kept in PostgreSQL")
	}
	return q.sqlite.enqueue(ctx, tx, q.inserts(ctx, jobs))
}

// Handle names who works on jobs of a kind. A process works on the kinds it has handlers for and on no others.
func (q *Queue) Handle(kind kyro.JobKind, work Handler) { q.handler(kind).work = work }

// OnExhausted names who is told when a job of a kind has failed for the last time.
func (q *Queue) OnExhausted(kind kyro.JobKind, tell ExhaustedHandler) {
	q.handler(kind).exhausted = tell
}

// Periodic has work done soon after the start and then about every interval, by one process at a time. A failed
// turn is logged and left to the next one, or tried again first where that is more than ten minutes away. The interval is
// at least a second.
func (q *Queue) Periodic(name kyro.JobKind, every time.Duration, work func(context.Context) error) {
	h := q.handler(name)
	h.every = every
	h.work = func(ctx context.Context, _ kyro.Job) error { return work(ctx) }
}

func (q *Queue) handler(kind kyro.JobKind) *handler {
	if q.started {
		// A handler that comes late would never be called: a mistake in the wiring, found at the first start.
		panic("jobs: handlers are registered before Start")
	}
	h := q.handlers[kind]
	if h == nil {
		h = &handler{}
		q.handlers[kind] = h
	}
	return h
}

// Start begins to work on jobs and returns; ctx bounds the starting only, Stop ends the work. On SQLite, jobs that
// an earlier process left running are taken up at once, so the caller must hold the data folder's lock.
func (q *Queue) Start(ctx context.Context) error {
	for kind, h := range q.handlers {
		if h.work == nil {
			return fmt.Errorf("start jobs: nothing handles %q", kind)
		}
	}
	q.started = true
	if err := q.readClock(ctx); err != nil {
		return err
	}
	if err := q.exec(ctx, gatherTidying); err != nil {
		return fmt.Errorf("gather the jobs of former queues: %w", err)
	}
	if q.sqlite != nil {
		if err := q.takeBackRunning(ctx); err != nil {
			return err
		}
	}
	if err := q.backend.start(ctx, q.riverConfig()); err != nil {
		return err
	}
	q.turns.watch()
	return nil
}

// Stop takes no more jobs, gives running ones the configured time to end, then cancels them; those go back to the
// queue as they were. It returns when nothing runs any more, or with the error of ctx.
func (q *Queue) Stop(ctx context.Context) error {
	defer q.turns.done()
	if err := q.backend.stop(ctx); err != nil {
		return fmt.Errorf("stop jobs: %w", err)
	}
	return nil
}
