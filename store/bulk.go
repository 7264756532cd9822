package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// insertMany inserts n rows, of which row gives one at a time, by the fastest way of each database: a prepared
// statement on SQLite, COPY on PostgreSQL. It is for rows without generated values.
func insertMany(ctx context.Context, tx *writeTx, table string, columns []string, n int, row func(i int) []any) error {
	if n == 0 {
		return nil
	}
	i := -1
	return insertEach(ctx, tx, table, columns, func() ([]any, error) {
		if i++; i == n {
			return nil, nil
		}
		return row(i), nil
	})
}

// insertEach is insertMany for rows that are made one after another: next gives nil after the last one. What a row
// refers to is not used any more when the next one is asked for.
func insertEach(ctx context.Context, tx *writeTx, table string, columns []string, next func() ([]any, error)) (err error) {
	began := tx.watch.began(ctx)
	defer func() { tx.watch.tell(ctx, aCopy, began, err, "INTO "+table) }()
	if tx.pg != nil {
		var broken error // of next, which the server would only quote
		rows := pgx.CopyFromFunc(func() (row []any, err error) {
			row, err = next()
			broken = err
			return row, err
		})
		_, err := tx.pg.CopyFrom(ctx, pgx.Identifier{table}, columns, rows)
		return cmp.Or(broken, err)
	}
	marks := strings.TrimSuffix(strings.Repeat("?,", len(columns)), ",")
	statement := fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", table, strings.Join(columns, ","), marks) //nolint:gosec // of names in our own code
	insert, err := tx.Tx.Tx.PrepareContext(ctx, statement)                                                //nolint:sqlclosecheck // deferred below, with its error
	if err != nil {
		return err
	}
	defer func(s *sql.Stmt) { err = errors.Join(err, s.Close()) }(insert)
	for {
		row, err := next()
		if err != nil || row == nil {
			return err
		}
		if _, err := insert.ExecContext(ctx, row...); err != nil {
			return err
		}
	}
}
