package store

import (
	"context"
	"time"
)

// Hold has originals stay where they are for so long: those that something which begins afterwards finds in use. Where id is not
// 0 it goes on with that hold, else it begins one. Those that are over are forgotten.
func (s *Store) Hold(ctx context.Context, id int64, long time.Duration) (held int64, err error) {
	err = s.write(ctx, "hold originals", func(ctx context.Context, tx *writeTx) error {
		now, none := s.byClock(0)
		q := s.query().add("DELETE FROM holds WHERE until < ").add(now, none...)
		if _, err := tx.Tx.Tx.ExecContext(ctx, q.text.String(), q.values...); err != nil {
			return err
		}
		until, shift := s.byClock(long)
		q = s.query()
		if id == 0 {
			q.add("INSERT INTO holds (until) VALUES (").add(until, shift...).add(") RETURNING id")
		} else {
			q.add("INSERT INTO holds (id, until) VALUES (?, ", id).add(until, shift...).add(") ON CONFLICT (id) DO UPDATE SET until = excluded.until RETURNING id")
		}
		return tx.Tx.Tx.QueryRowContext(ctx, q.text.String(), q.values...).Scan(&held)
	})
	return held, err
}

// KnowsHolds reports whether the schema has a place for holds.
func (s *Store) KnowsHolds(ctx context.Context) (bool, error) {
	there := "SELECT count(*) FROM sqlite_master WHERE name = 'holds'"
	if s.postgres() {
		there = "SELECT count(*) FROM pg_class WHERE oid = to_regclass('holds')"
	}
	var n int
	err := s.read().NewRaw(there).Scan(ctx, &n)
	return n > 0, failed("look at the schema", err)
}

// EndHold ends a hold.
func (s *Store) EndHold(ctx context.Context, id int64) error {
	return s.write(ctx, "release originals", func(ctx context.Context, tx *writeTx) error {
		_, err := tx.NewDelete().Table("holds").Where("id = ?", id).Exec(ctx)
		return err
	})
}

// Held reports whether originals are to stay where they are, of whatever was in use before.
func (s *Store) Held(ctx context.Context) (bool, error) {
	now, none := s.byClock(0)
	var n int
	q := s.query().add("SELECT count(*) FROM holds WHERE until >= ").add(now, none...)
	err := s.each(ctx, q, []any{&n}, func() {})
	return n > 0, failed("look whether originals are held", err)
}
