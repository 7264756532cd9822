package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	sqlite3 "modernc.org/sqlite/lib"
)

// Examined is what a database says of itself to somebody who changes nothing in it.
type Examined struct {
	Where   string // without the user and the password
	Version string
	Took    time.Duration // of one statement, there and back, the quickest of several

	Schema       Schema
	Lacks        int   // migrations that Migrate would run
	SchemaErr    error // why the schema could not be looked at; ErrNewer where a newer program made it
	Installation string

	Postgres *ExaminedPostgres
	File     *ExaminedFile
}

// ExaminedPostgres is what there is to know of a PostgreSQL besides.
type ExaminedPostgres struct {
	VersionNumber int // 150004 is 15.4
	Encoding      string
	ReadOnly      bool // a replica, or set so
	// CanMake says that tables can be made in the schema, CanUse that the rows of those which are there can be read and written,
	// and CanChange that the tables themselves can be changed, as migrations do.
	CanMake, CanUse, CanChange bool
	User, Owner                string // of the tables; "" where there are none

	// Connections that programs may have open together, those that are kept for the operator left out; those that are open;
	// and those that one process of this program may open.
	Most, Open, Pool int

	SynchronousCommit, FullPageWrites, Fsync string
	StatementTimeout                         time.Duration // 0: none
	// Ahead is how far its clock is before that of this machine, within Took.
	Ahead time.Duration
	// Shared says that two connections were served by one session: a pooler in transaction mode is between, which loses locks.
	Shared bool
}

// ExaminedFile is what there is to know of an SQLite besides.
type ExaminedFile struct {
	Path       string
	None       bool // there is no file yet
	Bytes, Log int64
	WAL        bool
	Damage     []string // what is wrong with the file; the first few things
	Unchecked  bool     // looking for damage took too long
}

// OldestPostgres is the oldest version that the schema works on, as VersionNumber has it.
const OldestPostgres = oldestPostgres

// Examine looks at the database that Open would open. It neither waits for a server that is away, nor makes, locks or
// changes anything, and it may be called beside running servers. Errors are for the operator and never show the password.
func Examine(ctx context.Context, c Config) (Examined, error) {
	if c.DatabaseURL != "" {
		return examinePostgres(ctx, c)
	}
	return examineFile(ctx, filepath.Join(c.DataDir, "kyro.db"))
}

// several times is a database asked for how long it takes: one time may be an accident.
const several = 5

func examinePostgres(ctx context.Context, c Config) (x Examined, err error) {
	config, _, err := postgresConfig(c.DatabaseURL)
	if err != nil {
		return x, fmt.Errorf("read the database URL: %w", err)
	}
	x.Where = fmt.Sprintf("%s:%d, database %s", config.ConnConfig.Host, config.ConnConfig.Port, config.ConnConfig.Database)
	p := &ExaminedPostgres{Pool: int(config.MaxConns) + 1}
	config.ConnConfig.RuntimeParams["application_name"] = "kyrochat doctor"
	pool := stdlib.OpenDB(*config.ConnConfig)
	defer func() { _ = pool.Close() }()
	if p.Shared, err = shared(ctx, pool); err != nil {
		return x, err
	}
	pool.SetMaxOpenConns(1)
	var clock, statementTimeout float64
	for range several {
		asked := time.Now()
		if err := pool.QueryRowContext(ctx, "SELECT extract(epoch FROM clock_timestamp())::float8").Scan(&clock); err != nil {
			return x, err
		}
		if took := time.Since(asked); x.Took == 0 || took < x.Took {
			x.Took = took
			p.Ahead = time.Unix(0, int64(clock*1e9)).Sub(asked.Add(took / 2))
		}
	}
	err = pool.QueryRowContext(ctx, `SELECT current_setting('server_version'), current_setting('server_version_num')::int, current_setting('server_encoding'),
			pg_is_in_recovery() OR current_setting('transaction_read_only')::bool, current_user,
			coalesce(has_schema_privilege(current_schema(), 'CREATE'), false),
			least(current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
					- coalesce(current_setting('reserved_connections', true)::int, 0),
				nullif((SELECT datconnlimit FROM pg_database WHERE datname = current_database()), -1),
				nullif((SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user), -1)),
			(SELECT count(*)::int FROM pg_stat_activity WHERE coalesce(backend_type, 'client backend') = 'client backend' AND pid <> pg_backend_pid()),
			current_setting('synchronous_commit'), current_setting('full_page_writes'), current_setting('fsync'),
			(SELECT setting::float8 FROM pg_settings WHERE name = 'statement_timeout')`).
		Scan(&x.Version, &p.VersionNumber, &p.Encoding, &p.ReadOnly, &p.User, &p.CanMake, &p.Most, &p.Open,
			&p.SynchronousCommit, &p.FullPageWrites, &p.Fsync, &statementTimeout)
	if err != nil {
		return x, err
	}
	p.StatementTimeout = time.Duration(statementTimeout * float64(time.Millisecond))
	x.Postgres, p.CanUse, p.CanChange = p, true, true
	// What keeps count of migrations is theirs alone.
	err = pool.QueryRowContext(ctx, `SELECT pg_get_userbyid(i.relowner), pg_has_role(current_user, i.relowner, 'USAGE'),
			(SELECT bool_and(has_table_privilege(c.oid, 'SELECT') AND (c.relname IN ('bun_migrations', 'river_migration')
					OR has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE')))
				FROM pg_class c WHERE c.relnamespace = i.relnamespace AND c.relowner = i.relowner AND c.relkind IN ('r', 'p'))
		FROM pg_class i WHERE i.oid = to_regclass('installation')`).Scan(&p.Owner, &p.CanChange, &p.CanUse)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return x, err
	}
	x.look(ctx, bun.NewDB(pool, pgdialect.New()))
	return x, nil
}

// shared looks whether two connections that are open at the same time have one session of PostgreSQL, in turn. Where there is no
// room for a second one nobody knows.
func shared(ctx context.Context, pool *sql.DB) (bool, error) {
	const who = "SELECT pg_backend_pid()"
	var first, second int
	one, err := pool.Conn(ctx)
	if err != nil {
		return false, unconnected(err)
	}
	defer func() { _ = one.Close() }()
	if err := one.QueryRowContext(ctx, who).Scan(&first); err != nil {
		return false, err
	}
	another, err := pool.Conn(ctx)
	if err != nil {
		return false, nil
	}
	defer func() { _ = another.Close() }()
	if err := another.QueryRowContext(ctx, who).Scan(&second); err != nil {
		return false, err
	}
	return first == second, nil
}

// unconnected is why there is no connection, without every address and try that led to that.
func unconnected(err error) error {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return fmt.Errorf("%s (SQLSTATE %s)", refused.Message, refused.Code)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op
	}
	return err
}

// look looks at the schema, and for the name of the installation.
func (x *Examined) look(ctx context.Context, db *bun.DB) {
	x.Schema, x.Lacks, x.SchemaErr = lookAtSchema(ctx, db, x.Postgres != nil)
	if x.SchemaErr == nil && x.Schema != SchemaNone {
		// There may be none yet, nor a table for it.
		_ = db.NewSelect().Table("installation").Column("name").Scan(ctx, &x.Installation)
	}
}

// checkTime is how long an SQLite may be looked through for damage.
const checkTime = 4 * time.Second

func examineFile(ctx context.Context, path string) (x Examined, err error) {
	x.Where, x.File = path, &ExaminedFile{Path: path}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		x.File.None = true
		return x, nil
	}
	if err != nil {
		return x, err
	}
	x.File.Bytes = info.Size()
	if x.File.WAL, err = isWAL(path); err != nil {
		return x, err
	}
	for {
		// Nobody has a file without a log open. It is read as one that nobody changes: then nothing is made beside it, which
		// could be in the way of a server of another user. Where somebody opens it meanwhile it is looked at once more.
		log, err := os.Stat(path + "-wal")
		quiet := errors.Is(err, fs.ErrNotExist)
		options := "mode=ro&_pragma=query_only(1)&_pragma=busy_timeout(2000)"
		if quiet {
			options += "&immutable=1"
		} else if err == nil {
			x.File.Log = log.Size()
		}
		err = x.readFile(ctx, path, options)
		if code, ok := sqliteCode(err); ok && (code&0xff == sqlite3.SQLITE_CORRUPT || code&0xff == sqlite3.SQLITE_NOTADB) {
			x.File.Damage, err = []string{err.Error()}, nil
		}
		if _, opened := os.Stat(path + "-wal"); !quiet || opened != nil {
			return x, err
		}
	}
}

// readFile reads the file by a connection of its own.
func (x *Examined) readFile(ctx context.Context, path, options string) error {
	pool, err := openSQLitePool(ctx, path, options, 1)
	if err != nil {
		return err
	}
	defer func() { _ = pool.Close() }()
	asked := time.Now()
	if err := pool.QueryRowContext(ctx, "SELECT sqlite_version(), (SELECT count(*) FROM sqlite_master)").Scan(&x.Version, new(int)); err != nil {
		return err
	}
	x.Took = time.Since(asked)
	x.look(ctx, bun.NewDB(pool, sqlitedialect.New()))
	limited, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	x.File.Damage, x.File.Unchecked = nil, false
	rows, err := pool.QueryContext(limited, "PRAGMA quick_check(3)")
	for err == nil && rows.Next() {
		var said string
		if err = rows.Scan(&said); said != "ok" {
			x.File.Damage = append(x.File.Damage, said)
		}
	}
	if rows != nil {
		err = errors.Join(err, rows.Err(), rows.Close()) //nolint:sqlclosecheck // its error counts
	}
	switch {
	case limited.Err() != nil:
		x.File.Unchecked = true
		return nil
	case err != nil: // a page that cannot even be read
		x.File.Damage = append(x.File.Damage, err.Error())
	}
	return nil
}

// isWAL reads from the head of a file whether it is written by a log (https://sqlite.org/fileformat.html).
func isWAL(path string) (bool, error) {
	file, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	var head [20]byte
	if _, err := io.ReadFull(file, head[:]); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, err
	}
	return head[18] == 2 && head[19] == 2, nil
}

// InUse reports whether a process has the SQLite of a data folder. Where there is none yet, nobody has.
func InUse(dataDir string) (bool, error) { return fileLocked(filepath.Join(dataDir, "kyro.db.lock")) }
