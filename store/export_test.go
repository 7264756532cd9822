package store

import (
	"context"

	"github.com/uptrace/bun"
)

// Write lets tests run a transaction of their own.
func (s *Store) Write(ctx context.Context, fn func(ctx context.Context, tx bun.Tx) error) error {
	return s.write(ctx, "test", func(ctx context.Context, tx *writeTx) error { return fn(ctx, tx.Tx) })
}

// Read gives the database for reads.
func (s *Store) Read() bun.IDB { return s.read() }

// IsUniqueViolation shows what counts as one.
var IsUniqueViolation = isUniqueViolation
