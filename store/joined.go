package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// joinedTx lets code written for pgx take part in a transaction that was begun through database/sql on the same
// connection. Committing or rolling it back does nothing: that is for who began it. Transactions begun within it
// are savepoints.
type joinedTx struct {
	conn   *pgx.Conn
	opened *int   // savepoints opened so far, of the whole family
	name   string // of the savepoint; "" at the top
	closed bool
}

var _ pgx.Tx = (*joinedTx)(nil)

func (t *joinedTx) Begin(ctx context.Context) (pgx.Tx, error) {
	if t.opened == nil {
		t.opened = new(int)
	}
	*t.opened++
	child := &joinedTx{conn: t.conn, opened: t.opened, name: fmt.Sprintf("joined_%d", *t.opened)}
	if _, err := t.conn.Exec(ctx, "SAVEPOINT "+child.name); err != nil {
		return nil, err
	}
	return child, nil
}

func (t *joinedTx) Commit(ctx context.Context) error { return t.end(ctx, "RELEASE SAVEPOINT ") }

func (t *joinedTx) Rollback(ctx context.Context) error { return t.end(ctx, "ROLLBACK TO SAVEPOINT ") }

func (t *joinedTx) end(ctx context.Context, verb string) error {
	if t.name == "" {
		return nil
	}
	if t.closed {
		return pgx.ErrTxClosed
	}
	t.closed = true
	_, err := t.conn.Exec(ctx, verb+t.name)
	return err
}

func (t *joinedTx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return t.conn.Exec(ctx, sql, args...)
}

func (t *joinedTx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return t.conn.Query(ctx, sql, args...)
}

func (t *joinedTx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return t.conn.QueryRow(ctx, sql, args...)
}

func (t *joinedTx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return t.conn.SendBatch(ctx, b)
}

func (t *joinedTx) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	return t.conn.CopyFrom(ctx, table, columns, rows)
}

func (t *joinedTx) Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	return t.conn.Prepare(ctx, name, sql)
}

func (t *joinedTx) LargeObjects() pgx.LargeObjects { return pgx.LargeObjects{} }

func (t *joinedTx) Conn() *pgx.Conn { return t.conn }
