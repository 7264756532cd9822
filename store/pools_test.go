package store_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"kyrochat/internal/port"
	"kyrochat/internal/testdb"
	"kyrochat/kyro"
	"kyrochat/migrations"
	"kyrochat/store"
)

func TestOneProcessHoldsTheDataFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a #odd? 100% name", "data")
	p, err := store.Open(t.Context(), store.Config{DataDir: dir})
	fine(t, err)
	_, err = store.Open(t.Context(), store.Config{DataDir: dir})
	if err == nil || !strings.Contains(err.Error(), "another process uses this data folder") {
		t.Errorf("a second opening gives %v", err)
	}
	fine(t, p.Migrate(t.Context(), nil))
	if runtime.GOOS != "windows" {
		for name, want := range map[string]fs.FileMode{".": 0o700, "kyro.db": 0o600, "kyro.db-wal": 0o600, "kyro.db.lock": 0o600} {
			info, err := os.Stat(filepath.Join(dir, name))
			fine(t, err)
			if got := info.Mode().Perm(); got != want {
				t.Errorf("%s has mode %o, want %o", name, got, want)
			}
		}
	}
	fine(t, p.Close())
	fine(t, p.Close())
	if _, err := os.Stat(filepath.Join(dir, "kyro.db-wal")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the log stays after closing: %v", err)
	}
	p, err = store.Open(t.Context(), store.Config{DataDir: dir})
	fine(t, err)
	fine(t, p.Migrate(t.Context(), nil))
	fine(t, p.Close())
}

// TestUnhurriedIsNotBounded: what a role or a database has as bounds of statements is for servers, and not for commands that take long.
func TestUnhurriedIsNotBounded(t *testing.T) {
	t.Parallel()
	url := testdb.PostgresURL(t)
	for _, c := range []struct {
		unhurried bool
		want      string
	}{{false, "0"}, {false, "3s"}, {true, "0"}} {
		p, err := store.Open(t.Context(), store.Config{DatabaseURL: url, Unhurried: c.unhurried})
		fine(t, err)
		var got string
		fine(t, p.Pgx.QueryRow(t.Context(), "SHOW statement_timeout").Scan(&got))
		if got != c.want {
			t.Errorf("unhurried %v: the bound is %s, want %s", c.unhurried, got, c.want)
		}
		_, err = p.Pgx.Exec(t.Context(), "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = ''3s''', current_database()); END $$")
		fine(t, err)
		fine(t, p.Close())
	}
}

// TestSettleSaysWhereItFails: what is to be one file afterwards is, or that it is not is told.
func TestSettleSaysWhereItFails(t *testing.T) {
	t.Parallel()
	p := testdb.SQLite(t)
	snapshot, err := store.New(p, nil).Snapshot(t.Context())
	fine(t, err)
	_, err = p.SQLite.ExecContext(t.Context(), "INSERT INTO installation (name) VALUES ('here')")
	fine(t, err)
	if err := p.Settle(t.Context()); err == nil || !strings.Contains(err.Error(), "something reads it") {
		t.Errorf("beside a reader: %v", err)
	}
	snapshot.Close()
	fine(t, p.Settle(t.Context()))
	var file string
	fine(t, p.SQLite.QueryRowContext(t.Context(), "SELECT file FROM pragma_database_list").Scan(&file))
	if log, err := os.Stat(file + "-wal"); err != nil || log.Size() > 0 {
		t.Errorf("the log has %d bytes left, %v", log.Size(), err)
	}
}

func TestSQLiteIsSetForDurability(t *testing.T) {
	t.Parallel()
	p := testdb.SQLite(t)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000"} {
		var got string
		fine(t, p.SQLite.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got))
		if got != want {
			t.Errorf("%s is %s, want %s", pragma, got, want)
		}
	}
	_, err := p.SQLite.ExecContext(t.Context(), "INSERT INTO bots SELECT 1")
	if err == nil {
		t.Error("a wrong statement passed")
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	fine(t, os.WriteFile(file, nil, 0o600))
	for name, c := range map[string]struct {
		config store.Config
		want   string
	}{
		"nothing":       {store.Config{}, "neither"},
		"folder a file": {store.Config{DataDir: file}, "make the data folder"},
		"no URL":        {store.Config{DatabaseURL: "postgres://u:secret@host:port/x"}, "looks like postgres://"},
		"small pool":    {store.Config{DatabaseURL: "postgres://u:secret@host/x?pool_max_conns=1"}, "at least 4"},
	} {
		p, err := store.Open(t.Context(), c.config)
		if err == nil {
			p.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOpenDoesNotWaitForWhatWillNotChange(t *testing.T) {
	t.Parallel()
	url := testdb.PostgresURL(t)
	name := url[strings.LastIndex(url[:strings.Index(url, "?")], "/")+1 : strings.Index(url, "?")]
	_, err := store.Open(t.Context(), store.Config{DatabaseURL: strings.Replace(url, name, "no_such_database", 1)})
	if err == nil || !strings.Contains(err.Error(), "no_such_database") || !strings.Contains(err.Error(), "3D000") {
		t.Errorf("a database that is not there: %v", err)
	}
}

func TestOpenGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	address, leave, err := port.Keep() // nobody answers there
	fine(t, err)
	defer leave()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // in which it is tried at least once, however busy the machine is
	defer cancel()
	_, err = store.Open(ctx, store.Config{DatabaseURL: "postgres://u:secret@" + address + "/x"})
	if err == nil || !strings.Contains(err.Error(), "refused") || strings.Contains(err.Error(), "secret") {
		t.Errorf("a server that is not there: %v", err)
	}
}

func TestManyNodesMigrateAtOnce(t *testing.T) {
	t.Parallel()
	p := testdb.Postgres(t)
	_, err := p.Pgx.Exec(t.Context(), "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
	fine(t, err)
	inside, most := 0, 0
	var mu sync.Mutex
	count := func(by int) {
		mu.Lock()
		defer mu.Unlock()
		inside += by
		most = max(most, inside)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			err := p.Migrate(t.Context(), func(ctx context.Context) error {
				count(1)
				defer count(-1)
				_, err := p.Pgx.Exec(ctx, "CREATE TABLE IF NOT EXISTS queue (id INT); INSERT INTO queue VALUES (1)")
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most != 1 {
		t.Errorf("%d nodes were at it at once", most)
	}
	var applied, queued int
	fine(t, p.Pgx.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM bun_migrations), (SELECT count(*) FROM queue)").Scan(&applied, &queued))
	files, err := fs.Glob(migrations.Files, "*.up.sql")
	fine(t, err)
	if applied != len(files) || queued != 4 {
		t.Errorf("%d migrations and %d queue migrations, want %d and 4", applied, queued, len(files))
	}
}

func TestMigrateReportsTheQueuesError(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, p *store.Pools) {
		mine := errors.New("mine")
		if err := p.Migrate(t.Context(), func(context.Context) error { return mine }); !errors.Is(err, mine) {
			t.Errorf("got %v", err)
		}
		// The lock is free again.
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		fine(t, p.Migrate(ctx, nil))
	})
}

func TestOlderProgramsRefuseNewerSchemas(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		w.exec(t, "INSERT INTO bun_migrations (name, group_id, migrated_at) VALUES ('20991231000001', 2, '2026-11-22 10:00:00+00:00')")
		if err := w.pools.Migrate(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "newer version") {
			t.Errorf("got %v", err)
		}
	})
}

func TestClosedPoolsDoNotPing(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, p *store.Pools) {
		fine(t, p.Ping(t.Context()))
		fine(t, p.Close())
		if err := p.Ping(t.Context()); err == nil {
			t.Error("a closed database answers")
		}
	})
}

func TestWaitsForTheDatabaseEndWithTheContext(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user := w.user(t)
		id := w.bot(t, user, "b", start)
		holds, free := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := w.UpdateBot(context.Background(), user, id, func(*kyro.Bot) error {
				close(holds)
				<-free
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		<-holds
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		err := w.DeleteBot(ctx, user, id, start)
		wantCode(t, err, kyro.CodeUnavailable)
		var known *kyro.Error
		if !errors.As(err, &known) || known.RetryAfter == 0 || strings.Contains(known.Message, "context") {
			t.Errorf("error %+v", err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		cancel()
		if err := w.DeleteBot(ctx, user, id, start); !errors.Is(err, context.Canceled) {
			t.Errorf("after a cancel: %v", err)
		}
		close(free)
		wg.Wait()
		fine(t, w.DeleteBot(t.Context(), user, id, start))
	})
}

func TestPanicsUndoTheWrite(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user := w.user(t)
		id := w.bot(t, user, "b", start)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			_, _ = w.UpdateBot(t.Context(), user, id, func(*kyro.Bot) error { panic("boom") })
		}()
		fine(t, w.DeleteBot(t.Context(), user, id, start)) // nothing is locked
	})
}

// TestAnOlderProgramGoesOnBesideANewerOne adds columns as a newer program does that was started while this one runs.
func TestAnOlderProgramGoesOnBesideANewerOne(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, _, id := w.talk(t)
		for _, table := range []string{"messages", "conversations", "documents", "bots", "users", "sessions"} {
			w.exec(t, "ALTER TABLE "+table+" ADD COLUMN later TEXT")
		}
		w.say(t, user, id, "q")
		w.finish(t, w.claim(t, id, "n"), "a")
		w.say(t, user, id, "and?")
		w.claim(t, id, "n")
		if ended, _, err := w.Recover(t.Context(), kyro.Recovery{Now: start, Everything: true}); err != nil || len(ended) != 0 {
			t.Errorf("ended %+v, %v", ended, err)
		}
	})
}
