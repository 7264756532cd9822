package kyro

import "time"

// Moment is a time as everything keeps and shows it: UTC, in microseconds, which is what PostgreSQL holds.
func Moment(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
