package store

import (
	"time"

	"kyrochat/kyro"
)

// Leases of all nodes go by one clock. On PostgreSQL that is the server's: clocks of nodes differ, and a node whose
// clock is ahead would take answers from others that are well. On SQLite there is one process, and its clock it is.

// byClock is the SQL of the time that the clock shows, shifted, and its values.
func (s *Store) byClock(shift time.Duration) (sql string, values []any) {
	if s.clock != nil {
		return "?", []any{kyro.Moment(s.clock().Add(shift))}
	}
	return "clock_timestamp() + ? * INTERVAL '1 microsecond'", []any{shift.Microseconds()}
}
