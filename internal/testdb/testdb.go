// Package testdb gives tests a database of their own: a SQLite file, or a fresh database on a private PostgreSQL
// that is started from the installed binaries, once for each test process, and is gone when the process ends,
// however it ends.
//
//	KYRO_TEST_DATABASE_URL  a running PostgreSQL to make databases on, instead of a private one
//
// Without PostgreSQL or Redis their tests are skipped, and say so, unless they are required.
package testdb

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"kyrochat/internal/redis"
	"kyrochat/internal/required"
	"kyrochat/jobs"
	"kyrochat/store"
)

const patience = 5 * time.Minute // for whatever a test waits on here; machines that test are busy

// Option says more about a database.
type Option func(*options)

type options struct {
	also    func(ctx context.Context, p *store.Pools) error
	onQuery func(ctx context.Context, statement string)
	measure store.Measure
}

// Also runs a further migration on the new database, such as that of the queue.
func Also(migrate func(ctx context.Context, p *store.Pools) error) Option {
	return func(o *options) { o.also = migrate }
}

// OnQuery is told every statement of the store.
func OnQuery(hook func(ctx context.Context, statement string)) Option {
	return func(o *options) { o.onQuery = hook }
}

// Measure is told how long every statement of the store took.
func Measure(measure store.Measure) Option {
	return func(o *options) { o.measure = measure }
}

func gather(list []Option) options {
	var o options
	for _, option := range list {
		option(&o)
	}
	return o
}

// Each runs the test on every database, as the subtests "sqlite" and "postgres", in parallel.
func Each(t *testing.T, test func(t *testing.T, p *store.Pools), list ...Option) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, SQLite(t, list...))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, Postgres(t, list...))
	})
}

// SQLite is a migrated SQLite file in a folder of the test. It is closed when the test ends.
func SQLite(t testing.TB, list ...Option) *store.Pools {
	t.Helper()
	dir := t.TempDir()
	putSQLite(t, dir, sqliteImage)
	return open(t, store.Config{DataDir: dir}, gather(list))
}

// SQLiteFile puts a migrated SQLite file into the folder, for a server that opens it itself and finds nothing to migrate.
// One that is there stays.
func SQLiteFile(t testing.TB, dir string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, "kyro.db")); errors.Is(err, fs.ErrNotExist) {
		putSQLite(t, dir, sqliteServerImage)
	}
}

func putSQLite(t testing.TB, dir string, image func() ([]byte, error)) {
	t.Helper()
	content, err := image()
	if err != nil {
		t.Fatalf("make the SQLite template: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kyro.db"), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Postgres is a migrated PostgreSQL database of the test's own. It is closed when the test ends.
func Postgres(t testing.TB, list ...Option) *store.Pools {
	t.Helper()
	return open(t, store.Config{DatabaseURL: freshDatabase(t, false)}, gather(list))
}

// PostgresURL is the URL of a migrated PostgreSQL database of the test's own, for a server that opens it itself and
// finds nothing to migrate.
func PostgresURL(t testing.TB, list ...Option) string {
	t.Helper()
	url := freshDatabase(t, true)
	if o := gather(list); o.also != nil {
		p := open(t, store.Config{DatabaseURL: url}, o)
		if err := p.Close(); err != nil {
			t.Fatalf("close the database: %v", err)
		}
	}
	return url
}

// open gives pools on a migrated database and sees to their end.
func open(t testing.TB, c store.Config, o options) *store.Pools {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c.OnQuery, c.Measure = o.onQuery, o.measure
	p, err := store.Open(ctx, c)
	if err != nil {
		t.Fatalf("open the test database: %v", err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("close the test database: %v", err)
		}
	})
	if o.also != nil {
		if err := o.also(ctx, p); err != nil {
			t.Fatalf("migrate the test database further: %v", err)
		}
	}
	return p
}

// The contents of migrated, empty SQLite files, without and with the queue: copying is quicker than migrating again.
var (
	sqliteImage       = sync.OnceValues(func() ([]byte, error) { return makeImage(migrate) })
	sqliteServerImage = sync.OnceValues(func() ([]byte, error) { return makeImage(migrateForServer) })
)

func makeImage(migrate func(store.Config) error) ([]byte, error) {
	dir, err := os.MkdirTemp("", "kyrosqlite")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := migrate(store.Config{DataDir: dir}); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, "kyro.db"))
}

// migrate brings a database up to date and leaves no connection to it.
func migrate(c store.Config) error { return migrateWith(c, nil) }

// migrateForServer is migrate with the queue that a server has in its database.
func migrateForServer(c store.Config) error {
	return migrateWith(c, func(ctx context.Context, p *store.Pools) error {
		open := func() (*jobs.Queue, error) { return jobs.NewSQLite(p.SQLite, jobs.Config{}) }
		if p.Postgres() {
			open = func() (*jobs.Queue, error) { return jobs.NewPostgres(p.Pgx, jobs.Config{}) }
		}
		queue, err := open()
		if err != nil {
			return err
		}
		return queue.Migrate(ctx)
	})
}

func migrateWith(c store.Config, also func(context.Context, *store.Pools) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p, err := store.Open(ctx, c)
	if err != nil {
		return err
	}
	err = p.Migrate(ctx, func(ctx context.Context) error {
		if also == nil {
			return nil
		}
		return also(ctx, p)
	})
	if closing := p.Close(); err == nil {
		err = closing
	}
	return err
}

// Redis is a Redis of the test's own, with nothing in it. It is stopped when the test ends.
func Redis(t testing.TB) *redis.Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	server, err := redis.Start(ctx)
	if err != nil {
		required.Missing(t, "redis", err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	return server
}
