package jobs

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestClockOfTheDatabase goes on by what the database said once.
func TestClockOfTheDatabase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c clock
		if got := c.Now(); !got.Equal(time.Now()) {
			t.Errorf("before it was asked: %s", got)
		}
		asked, shown := time.Now(), time.Now().Add(-time.Hour)
		time.Sleep(2 * time.Second) // the way there and back
		c.set(shown, asked)
		time.Sleep(time.Minute)
		if got, want := c.Now(), shown.Add(time.Second+time.Minute); !got.Equal(want) {
			t.Errorf("it is %s, want %s", got, want)
		}
	})
}
