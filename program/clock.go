//go:build !chaos

package program

import "time"

// wallClock is the clock of the machine, by which people are told what time it is, and tokens end. What lasts is measured
// by Go's monotonic clock, which no step of this one moves; leases and jobs of several nodes go by that of their database.
func wallClock(func(string) string) func() time.Time { return time.Now }
