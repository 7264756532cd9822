package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// Backlog gives the jobs that something is left to do for, as a transaction of the store sees them.
type Backlog interface {
	BacklogPostgres(ctx context.Context, tx pgx.Tx) ([]kyro.Job, error)
	BacklogSQLite(ctx context.Context, tx *sql.Tx) ([]kyro.Job, error)
}

// Snapshot is all of a database as it was at one moment, however long it is read and whatever is written meanwhile. It is read
// by one goroutine.
type Snapshot struct {
	image Image
	conn  bun.Conn
	tx    bun.Tx
	pg    *pgx.Conn // nil on SQLite
}

// Snapshot begins one. Writers are not in its way, nor it in theirs; but SQLite's log, and the dead rows of PostgreSQL, grow
// for as long as it is open.
func (s *Store) Snapshot(ctx context.Context) (_ *Snapshot, err error) {
	sn := &Snapshot{}
	if sn.conn, err = s.pools.readers.Conn(ctx); err != nil {
		return nil, failed("take a snapshot", err)
	}
	defer func() {
		if err != nil {
			sn.Close()
			err = fmt.Errorf("take a snapshot of the database: %w", err)
		}
	}()
	options := &sql.TxOptions{ReadOnly: true}
	sn.image.Database = "sqlite"
	if s.postgres() {
		sn.image.Database, options.Isolation = "postgresql", sql.LevelRepeatableRead
		if err := sn.conn.Raw(func(driver any) error { sn.pg = driver.(*stdlib.Conn).Conn(); return nil }); err != nil {
			return nil, err
		}
	}
	if sn.tx, err = sn.conn.BeginTx(ctx, options); err != nil {
		return nil, err
	}
	if s.postgres() { // what is written elsewhere between two reads may take long
		if _, err := sn.tx.ExecContext(ctx, "SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0"); err != nil {
			return nil, err
		}
	}
	// The first read makes the snapshot.
	if err := sn.tx.NewSelect().Table("bun_migrations").Column("name").Order("name").Scan(ctx, &sn.image.Migrations); err != nil {
		return nil, err
	}
	sn.image.Tables, err = imageTables(ctx, sn.tx, s.postgres())
	return sn, err
}

// Image says what it holds.
func (sn *Snapshot) Image() Image { return sn.image }

// Close ends it.
func (sn *Snapshot) Close() {
	if sn.tx.Tx != nil {
		_ = sn.tx.Rollback()
	}
	_ = sn.conn.Close()
}

// imagePart is how many bytes of rows are given at once, about.
const imagePart = 4 << 20

// Rows gives the rows of a table, in parts of some megabytes, in the order of their keys. A part is good until the next.
func (sn *Snapshot) Rows(ctx context.Context, table ImageTable, part func(rows int, body []byte) error) (err error) {
	columns := make([]string, len(table.Columns))
	for i, c := range table.Columns {
		switch {
		case sn.pg == nil:
			columns[i] = `+"` + c.Name + `"` // which has the driver give the value as it is stored, whatever the column's type
		case c.Type == imageJSON:
			columns[i] = `"` + c.Name + `"::text`
		default:
			columns[i] = `"` + c.Name + `"`
		}
	}
	statement := "SELECT " + strings.Join(columns, ", ") + ` FROM "` + table.Name + `"` //nolint:gosec // names of the catalogue
	if some := imagedRows[table.Name]; some != "" {
		statement += " WHERE " + some
	}
	if table.order != "" {
		statement += " ORDER BY " + table.order
	}
	rows, err := sn.tx.Tx.QueryContext(ctx, statement)
	if err != nil {
		return fmt.Errorf("read table %s: %w", table.Name, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	values, places := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		places[i] = &values[i]
	}
	var body []byte
	n := 0
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			return fmt.Errorf("read table %s: %w", table.Name, err)
		}
		for i, value := range values {
			if body, err = appendValue(body, table.Columns[i], value); err != nil {
				return fmt.Errorf("read table %s: %w", table.Name, err)
			}
		}
		n++
		if len(body) >= imagePart {
			if err := part(n, body); err != nil {
				return err
			}
			body, n = body[:0], 0
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read table %s: %w", table.Name, err)
	}
	if n == 0 {
		return nil
	}
	return part(n, body)
}

// Jobs gives the jobs that something is left to do for.
func (sn *Snapshot) Jobs(ctx context.Context, queue Backlog) ([]kyro.Job, error) {
	if sn.pg != nil {
		return queue.BacklogPostgres(ctx, &joinedTx{conn: sn.pg})
	}
	return queue.BacklogSQLite(ctx, sn.tx.Tx)
}

// FiledBatch is how many documents whoever reads all of them asks for at once.
const FiledBatch = 500

// Filed is a live document that may have originals outside of the database.
type Filed struct {
	DocumentID kyro.ID
	Kind       kyro.DocumentKind
	Version    int            // no original of a later one belongs to the snapshot
	Kept       []int          // versions whose originals the database has itself
	Objects    map[int]string // of the bucket, by version
	Hash       string         // the SHA-256 of the file, in hexadecimal; "" where it is not known
	Size       int64          // of the file; 0 where it is not known
}

// Filed gives the live documents after one, in the order of their keys; less than limit are the last ones.
func (sn *Snapshot) Filed(ctx context.Context, after kyro.ID, limit int) ([]Filed, error) {
	return filed(ctx, sn.tx, slices.Contains(sn.image.Migrations, "20261127000004"), after, limit)
}

// Filed gives the live documents after one, as Snapshot.Filed, as they are now.
func (s *Store) Filed(ctx context.Context, after kyro.ID, limit int) ([]Filed, error) {
	list, err := filed(ctx, s.read(), true, after, limit)
	return list, failed("list documents with files", err)
}

func filed(ctx context.Context, db bun.IDB, buckets bool, after kyro.ID, limit int) ([]Filed, error) {
	var rows []struct {
		ID      int64
		Kind    string
		Version int

		ContentHash string
		SizeBytes   *int64
	}
	err := db.NewSelect().TableExpr("documents AS d").Column("d.id", "d.kind", "d.version", "d.content_hash", "d.size_bytes").
		Where("d.deleted_at IS NULL AND d.id > ?", after.Key).Order("d.id").Limit(int64(limit)).Scan(ctx, &rows)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	list, at := make([]Filed, len(rows)), map[int64]*Filed{}
	for i, r := range rows {
		list[i] = Filed{DocumentID: kyro.DocumentID(r.ID), Kind: kyro.DocumentKind(r.Kind), Version: r.Version}
		if r.Kind == string(kyro.DocumentFile) && r.SizeBytes != nil {
			list[i].Hash, list[i].Size = r.ContentHash, *r.SizeBytes
		}
		at[r.ID] = &list[i]
	}
	var kept []struct {
		DocumentID int64
		Version    int
	}
	err = db.NewSelect().Table("document_files").Column("document_id", "version").
		Where("part = 0 AND document_id > ? AND document_id <= ?", after.Key, rows[len(rows)-1].ID).Order("document_id", "version").Scan(ctx, &kept)
	for _, k := range kept {
		if f := at[k.DocumentID]; f != nil {
			f.Kept = append(f.Kept, k.Version)
		}
	}
	if err != nil || !buckets {
		return list, err
	}
	var objects []struct {
		DocumentID int64
		Version    int
		Object     string
	}
	err = db.NewSelect().Table("document_objects").Column("document_id", "version", "object").
		Where("document_id > ? AND document_id <= ?", after.Key, rows[len(rows)-1].ID).Scan(ctx, &objects)
	for _, o := range objects {
		if f := at[o.DocumentID]; f != nil {
			if f.Objects == nil {
				f.Objects = map[int]string{}
			}
			f.Objects[o.Version] = o.Object
		}
	}
	return list, err
}
