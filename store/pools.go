package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

// Config says which database to open.
type Config struct {
	DatabaseURL string // of PostgreSQL; "" keeps everything in DataDir/kyro.db
	DataDir     string // made where it is not there, readable by its owner only; used without DatabaseURL only
	Log         *slog.Logger
	// Beside opens SQLite also where another process has it, such as a running server: then this process must neither
	// migrate nor work on jobs and answers, which are whose lock it is. The other one waits for writes of this one, and
	// sees them when it looks.
	Beside bool
	// Unhurried has a PostgreSQL that is slow to answer be waited for: it is for commands that nobody waits for.
	Unhurried bool
	// OnQuery, when set, is told every statement before it runs, BEGIN and COMMIT included; those of the queue
	// are not among them. Those that are sent together are told as one text, with ";\n" between them. It is called from
	// many goroutines.
	OnQuery func(ctx context.Context, statement string)
	// Measure, when set, is told how long each statement took, after it: what it is (SELECT, INSERT, UPDATE, DELETE, WITH,
	// BEGIN, COMMIT, ROLLBACK; PIPELINE for several that are sent together, COPY for many rows that are inserted, else OTHER), and whether it failed. A read that
	// whoever asked gave up has not. Those of the queue are not among them. It is called from many goroutines, and must not
	// wait.
	Measure Measure
}

// Pools are the open connections to the one database there is. Exactly one of Pgx and SQLite is set: it is what
// the queue shares with the store.
type Pools struct {
	Pgx    *pgxpool.Pool
	SQLite *sql.DB // the one connection that writes

	writers *bun.DB
	readers *bun.DB // the same as writers on PostgreSQL

	readMode   pgx.QueryExecMode // of hot reads on PostgreSQL
	statements statements        // of hot reads on SQLite
	onQuery    func(ctx context.Context, statement string)
	watch      watch

	pulse *pulse // of PostgreSQL
	lock  *fileLock
	log   *slog.Logger
	full  atomic.Int64 // when a write last found no room on the disk, in nanoseconds of Unix; 0: there is room
}

// Open connects to the database. An unreachable server is tried for some ten seconds, so that both can be started
// at once. Errors are for the operator and never show the password.
func Open(ctx context.Context, c Config) (*Pools, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Log = c.Log.With("part", "store")
	if c.DatabaseURL != "" {
		return openPostgres(ctx, c)
	}
	return openSQLite(ctx, c)
}

// Postgres reports which of the two databases this is.
func (p *Pools) Postgres() bool { return p.Pgx != nil }

// Alone reports whether this process may migrate: on SQLite, that no other process has the database, until Share is
// called. On PostgreSQL, where any number of processes are at work, it is true.
func (p *Pools) Alone() bool { return p.Postgres() || p.lock.held() }

// Share lets other processes open an SQLite that this one has for itself so far. Pools opened with Beside alone may do so.
func (p *Pools) Share() error {
	if p.Postgres() {
		return nil
	}
	return p.lock.release()
}

// Ping reports whether the database answers reads, and takes writes, where one found no room on the disk lately.
func (p *Pools) Ping(ctx context.Context) error {
	if err := p.readers.PingContext(ctx); err != nil {
		return fmt.Errorf("ping the database: %w", err)
	}
	switch at := p.full.Load(); {
	case at == 0:
		return nil
	case time.Since(time.Unix(0, at)) < fullFor:
		return errors.New("write to the database: there is no room on the disk")
	}
	// Whether there still is none, only a write tells. That a short one succeeds says little while longer ones are refused.
	if _, err := p.writers.ExecContext(ctx, "UPDATE installation SET name = name"); err != nil {
		p.noteRoom(err)
		return fmt.Errorf("write to the database: %w", err)
	}
	p.full.Store(0)
	return nil
}

// fullFor is how long the disk counts as full after a write that found no room.
const fullFor = 2 * time.Second

// noteRoom notes a write that found no room on the disk.
func (p *Pools) noteRoom(err error) {
	if err != nil && full(err) {
		p.full.Store(time.Now().UnixNano())
	}
}

// Close ends all connections; it waits for those in use. Closing twice does no harm.
func (p *Pools) Close() error {
	if p.Postgres() {
		if p.pulse != nil {
			p.pulse.end()
		}
		err := p.writers.Close()
		p.Pgx.Close()
		return err
	}
	// The writer goes last: the last connection to close moves the log into the file.
	return errors.Join(p.readers.Close(), p.writers.Close(), p.lock.release())
}

// queryHook tells of the statements that bun makes.
type queryHook struct {
	onQuery func(ctx context.Context, statement string)
	watch   watch
}

func (h queryHook) BeforeQuery(ctx context.Context, e *bun.QueryEvent) context.Context {
	if h.onQuery != nil {
		h.onQuery(ctx, e.Query)
	}
	return ctx
}

func (h queryHook) AfterQuery(ctx context.Context, e *bun.QueryEvent) {
	h.watch.tell(ctx, e.Operation(), e.StartTime, e.Err, e.Query)
}

// newDB is bun on a pool. Columns that it does not know are those of a newer program, which was started while this one
// runs.
func newDB(pool *sql.DB, dialect schema.Dialect, c Config) *bun.DB {
	db := bun.NewDB(pool, dialect, bun.WithDiscardUnknownColumns())
	return db.WithQueryHook(queryHook{c.OnQuery, c.watch()})
}
