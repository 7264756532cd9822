package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// insertMany inserts n rows, of which row gives one at a time, by the fastest way of each database: a prepared
// statement on SQLite, COPY on PostgreSQL. It is for rows without generated values.
func insertMany(ctx context.Context, tx *writeTx, table string, columns []string, n int, row func(i int) []any) (err error) {
	if n == 0 {
		return nil
	}
	if tx.pg != nil {
		source := pgx.CopyFromSlice(n, func(i int) ([]any, error) { return row(i), nil })
		_, err := tx.pg.CopyFrom(ctx, pgx.Identifier{table}, columns, source)
		return err
	}
	marks := strings.TrimSuffix(strings.Repeat("?,", len(columns)), ",")
	statement := fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", table, strings.Join(columns, ","), marks)
	insert, err := tx.Tx.Tx.PrepareContext(ctx, statement)
	if err != nil {
		return err
	}
	defer func(s *sql.Stmt) { err = errors.Join(err, s.Close()) }(insert)
	for i := range n {
		if _, err := insert.ExecContext(ctx, row(i)...); err != nil {
			return err
		}
	}
	return nil
}
