package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/uptrace/bun/dialect/sqlitedialect"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Synchronous FULL: what was acknowledged survives a power cut. One connection writes, because the queue of
// database/sql is fair and SQLite's own waiting is not; readers are never in its way under WAL.
const (
	sqlitePragmas = "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
		"&_pragma=foreign_keys(1)&_pragma=temp_store(MEMORY)&_pragma=cache_size(-16000)"
	sqliteWriter = sqlitePragmas + "&_txlock=immediate"
	sqliteReader = sqlitePragmas + "&_pragma=query_only(1)"
)

// errLocked says that another process has the lock of the data folder.
var errLocked = errors.New("another process uses this data folder")

// LockFolder keeps servers off a data folder until release is called. It fails where one has it.
func LockFolder(dir string) (release func() error, err error) {
	lock, err := lockFile(filepath.Join(dir, "kyro.db.lock"))
	if err != nil {
		return nil, err
	}
	return lock.release, nil
}

func openSQLite(ctx context.Context, c Config) (_ *Pools, err error) {
	if c.DataDir == "" {
		return nil, errors.New("open the database: neither a database URL nor a data folder is given")
	}
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	path := filepath.Join(c.DataDir, "kyro.db")
	lock, err := lockFile(path + ".lock")
	if errors.Is(err, errLocked) && c.Beside {
		lock, err = &fileLock{}, nil
	}
	if err != nil {
		return nil, err
	}
	p := &Pools{lock: lock, log: c.Log, onQuery: c.OnQuery, watch: c.watch()}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.closeHalfOpen())
		}
	}()
	// Made here so that it, and the files SQLite makes beside it, are the owner's only.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the database file: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("open the database file: %w", err)
	}
	// The writer comes first: it turns the file to WAL, which readers cannot.
	if p.SQLite, err = openSQLitePool(ctx, path, sqliteWriter, 1); err != nil {
		return nil, err
	}
	p.writers = newDB(p.SQLite, sqlitedialect.New(), c)
	readers, err := openSQLitePool(ctx, path, sqliteReader, max(4, runtime.NumCPU()))
	if err != nil {
		return nil, err
	}
	p.readers = newDB(readers, sqlitedialect.New(), c)
	return p, nil
}

func openSQLitePool(ctx context.Context, path, options string, connections int) (*sql.DB, error) {
	db, err := sql.Open("sqlite", sqliteURI(path)+"?"+options)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), db.Close())
	}
	return db, nil
}

// sqliteURI is the path as a file URI (https://sqlite.org/uri.html).
func sqliteURI(path string) string {
	path = filepath.ToSlash(path)
	if filepath.VolumeName(path) != "" {
		path = "/" + path
	}
	return "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
}

func (p *Pools) closeHalfOpen() error {
	var err error
	if p.SQLite != nil {
		err = p.SQLite.Close()
	}
	return errors.Join(err, p.lock.release())
}
