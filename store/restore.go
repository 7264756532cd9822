package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"

	"kyrochat/kyro"
)

// restoredAhead is how many numbers of rows and of changes a restore leaves out: those that were given after the backup was made.
// Clients and other programs may have them, and none may come to mean something else.
const restoredAhead = 1_000_000_000

const (
	restoreTime = 24 * time.Hour // bounds the one transaction of a restore
	settleTime  = time.Hour      // the moving of SQLite's log into its file
)

// Inhabited reports whether there is more in the database than a schema: somebody has an account.
func (p *Pools) Inhabited(ctx context.Context) (bool, error) {
	there := "SELECT count(*) FROM sqlite_master WHERE name = 'users'"
	if p.Postgres() {
		there = "SELECT count(*) FROM pg_class WHERE oid = to_regclass('users')"
	}
	var n int
	if err := p.readers.NewRaw(there).Scan(ctx, &n); err != nil || n == 0 {
		return false, err
	}
	err := p.readers.NewRaw("SELECT count(*) FROM (SELECT 1 FROM users LIMIT 1) AS one").Scan(ctx, &n)
	return n > 0, err
}

// OthersConnected is how many connections of servers there are to a PostgreSQL besides those of this process, none of which is
// in use.
func (p *Pools) OthersConnected(ctx context.Context) (n int, err error) {
	if !p.Postgres() {
		return 0, nil
	}
	name := p.Pgx.Config().ConnConfig.RuntimeParams["application_name"]
	var own []int64
	for _, c := range p.Pgx.AcquireAllIdle(ctx) {
		own = append(own, int64(c.Conn().PgConn().PID()))
		c.Release()
	}
	err = p.Pgx.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1
		AND pid <> pg_backend_pid() AND NOT pid = ANY($2)`, name, own).Scan(&n)
	return n, err
}

// Unmigrate takes a schema back to nothing, with all that is in it; also takes back what the queue has.
func (p *Pools) Unmigrate(ctx context.Context, also func(ctx context.Context) error) error {
	return p.alone(ctx, func() error {
		migrator, err := p.migrator(ctx, nil)
		if err != nil {
			return err
		}
		for {
			group, err := migrator.Rollback(ctx)
			if err != nil {
				return fmt.Errorf("take the schema back: %w", err)
			}
			if group.IsZero() {
				break
			}
		}
		for _, table := range []string{"bun_migrations", "bun_migration_locks"} {
			if _, err := p.writers.ExecContext(ctx, "DROP TABLE IF EXISTS "+table); err != nil {
				return fmt.Errorf("take the schema back: %w", err)
			}
		}
		return also(ctx)
	})
}

// Restoring is what a restore puts into an empty database, in the order of the backup.
type Restoring struct {
	store   *Store
	tx      *writeTx
	tables  []ImageTable                      // of the database
	columns map[string]map[string]ImageColumn // likewise, by table
	image   Image
}

// Restored says what a restored database is to be.
type Restored struct {
	Installation string // its name, which none had before
	Sessions     bool   // people stay signed in
	At           time.Time
}

// Restore fills a database that has the schema of the image and nothing in it, in one transaction: all that fill puts into it, and
// nothing where fill fails. The transaction is this process's alone.
func (s *Store) Restore(ctx context.Context, image Image, want Restored, fill func(ctx context.Context, r *Restoring) error) error {
	if !s.postgres() {
		if err := s.pools.unguarded(ctx); err != nil {
			return err
		}
	}
	return s.writeOnce(ctx, "restore", restoreTime, func(ctx context.Context, tx *writeTx) error {
		if tx.pg != nil {
			if _, err := tx.pg.Exec(ctx, "SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0"); err != nil {
				return err
			}
		}
		tables, err := imageTables(ctx, tx.Tx, s.postgres())
		if err != nil {
			return err
		}
		r := &Restoring{store: s, tx: tx, image: image, tables: tables, columns: columnsByName(tables)}
		if err := image.fits(r.columns); err != nil {
			return err
		}
		rebuild, err := r.bare(ctx)
		if err != nil {
			return err
		}
		for _, t := range slices.Backward(tables) { // of what migrations put there
			if _, err := tx.ExecContext(ctx, `DELETE FROM "`+t.Name+`"`); err != nil {
				return err
			}
		}
		if err := fill(ctx, r); err != nil {
			return err
		}
		for _, statement := range rebuild {
			if _, err := tx.Tx.Tx.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("build an index again: %w", err)
			}
		}
		return r.settle(ctx, want)
	})
}

// unguarded has writes go straight into a file of SQLite that nobody else has: where they break off it is worth nothing, and what is
// complete is synced as a whole. What refers to what is checked at the end.
func (p *Pools) unguarded(ctx context.Context) error {
	p.readers.SetMaxIdleConns(0) // which closes those that would keep the file from leaving WAL
	defer p.readers.SetMaxIdleConns(runtime.NumCPU())
	for _, pragma := range []string{"journal_mode = OFF", "synchronous = OFF", "foreign_keys = OFF", "cache_size = -64000"} {
		if _, err := p.SQLite.ExecContext(ctx, "PRAGMA "+pragma); err != nil {
			return fmt.Errorf("prepare the file: %w", err)
		}
	}
	return nil
}

// Settle moves all that was written into the one file of SQLite: migrations that follow a restore, and a check of it, bring the log
// back. Closing would do so too, and not say where it failed.
func (p *Pools) Settle(ctx context.Context) error {
	if p.Postgres() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	var busy, frames, moved int
	err := p.SQLite.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved)
	if err == nil && busy != 0 {
		err = errors.New("something reads it")
	}
	if err != nil {
		return fmt.Errorf("move the log of the database into its file: %w", err)
	}
	return nil
}

func columnsByName(tables []ImageTable) map[string]map[string]ImageColumn {
	all := map[string]map[string]ImageColumn{}
	for _, t := range tables {
		all[t.Name] = map[string]ImageColumn{}
		for _, c := range t.Columns {
			all[t.Name][c.Name] = c
		}
	}
	return all
}

// Fits refuses an image for which the schema of this database has no place.
func (p *Pools) Fits(ctx context.Context, image Image) error {
	tables, err := imageTables(ctx, p.readers, p.Postgres())
	if err != nil {
		return err
	}
	return image.fits(columnsByName(tables))
}

// fits sees that all of the image has its place among the columns of a schema, which are by table and name.
func (i Image) fits(schema map[string]map[string]ImageColumn) error {
	for _, t := range i.Tables {
		columns := schema[t.Name]
		for _, c := range t.Columns {
			if _, ok := columns[c.Name]; !ok {
				return fmt.Errorf("the backup has a column %s.%s, which this program's schema of the same version does not have", t.Name, c.Name)
			}
		}
	}
	return nil
}

// bare takes away indexes and triggers, so that rows go in at once and as they were, and gives what brings them back.
func (r *Restoring) bare(ctx context.Context) (rebuild []string, err error) {
	var parts []struct{ Name, Kind, Tbl, Sql string }
	if r.tx.pg == nil {
		err := r.tx.NewRaw("SELECT name, type AS kind, tbl_name AS tbl, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL").Scan(ctx, &parts)
		if err != nil {
			return nil, err
		}
		for _, p := range parts {
			if r.columns[p.Tbl] == nil {
				continue
			}
			if _, err := r.tx.ExecContext(ctx, "DROP "+strings.ToUpper(p.Kind)+` "`+p.Name+`"`); err != nil {
				return nil, err
			}
			rebuild = append(rebuild, p.Sql)
		}
		return rebuild, nil
	}
	err = r.tx.NewRaw(`SELECT i.relname AS name, 'index' AS kind, t.relname AS tbl, pg_get_indexdef(i.oid) AS sql FROM pg_index x
			JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
			WHERE t.relnamespace = current_schema()::regnamespace AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.oid)
		UNION ALL SELECT DISTINCT '', 'trigger', t.relname, '' FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid
			WHERE NOT g.tgisinternal AND t.relnamespace = current_schema()::regnamespace`).Scan(ctx, &parts)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		if r.columns[p.Tbl] == nil {
			continue
		}
		away, back := `DROP INDEX "`+p.Name+`"`, p.Sql
		if p.Kind == "trigger" {
			away, back = `ALTER TABLE "`+p.Tbl+`" DISABLE TRIGGER USER`, `ALTER TABLE "`+p.Tbl+`" ENABLE TRIGGER USER`
		}
		if _, err := r.tx.ExecContext(ctx, away); err != nil {
			return nil, err
		}
		rebuild = append(rebuild, back)
	}
	return rebuild, nil
}

// Rows puts a part of a table in, as Snapshot.Rows gave it.
func (r *Restoring) Rows(ctx context.Context, table string, body []byte) (n int, err error) {
	i := slices.IndexFunc(r.image.Tables, func(t ImageTable) bool { return t.Name == table })
	if i < 0 {
		return 0, fmt.Errorf("the backup has rows of a table %q that it does not name", table)
	}
	columns := r.image.Tables[i].Columns
	names, here := make([]string, len(columns)), make([]ImageColumn, len(columns))
	for i, c := range columns {
		names[i], here[i] = `"`+c.Name+`"`, r.columns[table][c.Name]
		if r.tx.pg != nil {
			names[i] = c.Name // which COPY quotes
		}
	}
	row := make([]any, len(columns))
	err = insertEach(ctx, r.tx, table, names, func() ([]any, error) {
		if len(body) == 0 {
			return nil, nil
		}
		for i := range columns {
			value, rest, err := readValue(body)
			if err != nil {
				return nil, err
			}
			body = rest
			if r.tx.pg == nil {
				value = forSQLite(value)
			} else if value, err = forPostgres(value, here[i]); err != nil {
				return nil, err
			}
			row[i] = value
		}
		n++
		return row, nil
	})
	if err != nil {
		err = fmt.Errorf("restore table %s: %w", table, err)
	}
	return n, err
}

// Original puts the original of a version into the database.
func (r *Restoring) Original(ctx context.Context, document kyro.ID, version int, from io.Reader) error {
	return saveOriginal(ctx, r.tx, document.Key, version, from)
}

// Object notes in which object of the bucket the original of a version lies.
func (r *Restoring) Object(ctx context.Context, document kyro.ID, version int, object string) error {
	return saveObject(ctx, r.tx, document.Key, version, object)
}

// Jobs puts jobs into the queue.
func (r *Restoring) Jobs(ctx context.Context, jobs []kyro.Job) error {
	for some := range slices.Chunk(jobs, 500) {
		if err := r.tx.Enqueue(ctx, some...); err != nil {
			return err
		}
	}
	return nil
}

func (r *Restoring) has(table, column string) bool {
	_, ok := r.columns[table][column]
	return ok
}

// settle makes of what was restored an installation of its own: nothing that Redis, a bucket or an index has of the one that the
// backup was made of is taken for its own, and nothing that came after the backup is taken for what comes now.
func (r *Restoring) settle(ctx context.Context, want Restored) error {
	do := func(statement string, args ...any) error {
		_, err := r.tx.ExecContext(ctx, statement, args...)
		return err
	}
	if _, err := r.tx.ExecContext(ctx, "DELETE FROM installation"); err != nil {
		return err
	}
	errs := []error{do("INSERT INTO installation (name) VALUES (?)", want.Installation)}
	if !want.Sessions {
		errs = append(errs, do("UPDATE sessions SET revoked_at = ? WHERE revoked_at IS NULL", kyro.Moment(want.At)))
	}
	if r.has("conversations", "events") {
		errs = append(errs, do("UPDATE conversations SET events = events + ?", restoredAhead))
	}
	if r.has("documents", "refreshing_with") {
		errs = append(errs, do("UPDATE documents SET refreshing_with = '' WHERE refreshing_with <> ''"))
	}
	for _, t := range r.tables {
		if !t.numbered {
			continue
		}
		last := int64(restoredAhead) // also where there was no row yet
		if i := slices.IndexFunc(r.image.Tables, func(of ImageTable) bool { return of.Name == t.Name }); i >= 0 {
			last += r.image.Tables[i].Last
		}
		if r.tx.pg != nil {
			errs = append(errs, do("SELECT setval(pg_get_serial_sequence(?, 'id'), ?, TRUE)", t.Name, last))
			continue
		}
		errs = append(errs, do("DELETE FROM sqlite_sequence WHERE name = ?", t.Name),
			do("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", t.Name, last))
	}
	return errors.Join(errs...)
}

// CountRows reads a part of a table, as Snapshot.Rows gives it, and says how many rows it has.
func CountRows(image Image, table string, body []byte) (n int, err error) {
	i := slices.IndexFunc(image.Tables, func(t ImageTable) bool { return t.Name == table })
	if i < 0 {
		return 0, fmt.Errorf("the backup has rows of a table %q that it does not name", table)
	}
	for len(body) > 0 {
		for range image.Tables[i].Columns {
			if body, err = skipValue(body); err != nil {
				return n, err
			}
		}
		n++
	}
	return n, nil
}
