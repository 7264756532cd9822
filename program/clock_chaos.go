//go:build chaos

package program

import (
	"os"
	"strings"
	"sync"
	"time"
)

// wallClock is a clock that somebody sets while the server runs: that of the machine and what the file says which
// KYRO_CHAOS_CLOCK names. No release has it. It tells the wall's time alone, as what was read from a database does.
func wallClock(getenv func(string) string) func() time.Time {
	file := getenv("KYRO_CHAOS_CLOCK")
	if file == "" {
		return time.Now
	}
	var mu sync.Mutex
	var looked time.Time
	var ahead time.Duration
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		if now.Sub(looked) > 10*time.Millisecond {
			text, err := os.ReadFile(file)
			if step, wrong := time.ParseDuration(strings.TrimSpace(string(text))); err == nil && wrong == nil {
				ahead = step
			}
			looked = now
		}
		return now.Round(0).Add(ahead)
	}
}
