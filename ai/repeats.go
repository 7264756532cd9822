package ai

import (
	"sync"
	"time"
)

// How much is tried again, over all callers.
const (
	repeatShare = 0.1 // of the calls
	repeatsASec = 5.0 // besides, so that a few who are alone are not left without
	mostRepeats = 20.0
)

// repeats is what is left to try again: a tenth of the calls, and five a second, of which twenty can be saved up.
type repeats struct {
	mu   sync.Mutex
	left float64
	at   time.Time // when it was worked out
}

// earn counts a call.
func (r *repeats) earn() { r.change(repeatShare) }

// spend takes one where there is one.
func (r *repeats) spend() bool { return r.change(-1) }

func (r *repeats) change(by float64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	left := min(mostRepeats, r.left+max(0, now.Sub(r.at).Seconds())*repeatsASec)
	r.left, r.at = left, now
	if left+by < 0 {
		return false
	}
	r.left = min(mostRepeats, left+by)
	return true
}
