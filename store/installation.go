package store

import (
	"context"
)

// Installation is the name of this database, the same for every process on it and for ever: what processes share
// outside of it is kept apart by it from what others share. fresh is the name of one that has none yet.
func (s *Store) Installation(ctx context.Context, fresh string) (string, error) {
	var name string
	err := s.write(ctx, "name the installation", func(ctx context.Context, tx *writeTx) error {
		if s.postgres() {
			// Two processes that start at once on a new database must not give it two names.
			if _, err := tx.ExecContext(ctx, "LOCK TABLE installation IN EXCLUSIVE MODE"); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO installation (name) SELECT ? WHERE NOT EXISTS (SELECT 1 FROM installation)", fresh)
		if err != nil {
			return err
		}
		return tx.NewSelect().Table("installation").Column("name").Scan(ctx, &name)
	})
	return name, err
}

// Name is the name of the installation; "" where it has none yet. It changes nothing.
func (s *Store) Name(ctx context.Context) (name string, err error) {
	var names []string
	err = s.read().NewSelect().Table("installation").Column("name").Scan(ctx, &names)
	for _, name = range names {
	}
	return name, failed("read the name of the installation", err)
}
