package jobs

import (
	"sync/atomic"
	"time"

	"github.com/riverqueue/river/rivertype"
)

// clock is the time by which jobs are put off and found again. On PostgreSQL that is the server's: whoever looks for jobs
// compares with it, and a node whose own clock is ahead would put a job off for as much longer. It was asked for once, and
// goes on by the monotonic clock, which no step of the machine's moves. On SQLite it is the machine's, which the one process
// there is compares with, too.
type clock struct {
	read atomic.Pointer[reading]
}

// reading is what the server's clock showed at a moment of this process.
type reading struct{ shown, at time.Time }

var _ rivertype.TimeGenerator = (*clock)(nil)

// set goes by what the server's clock showed, which was asked for at a moment and answered by now.
func (c *clock) set(shown, asked time.Time) {
	c.read.Store(&reading{shown, asked.Add(time.Since(asked) / 2)})
}

// Now implements rivertype.TimeGenerator.
func (c *clock) Now() time.Time {
	r := c.read.Load()
	if r == nil {
		return time.Now()
	}
	return r.shown.Add(time.Since(r.at))
}

// NowOrNil implements rivertype.TimeGenerator: statements take the database's own time.
func (c *clock) NowOrNil() *time.Time { return nil }
