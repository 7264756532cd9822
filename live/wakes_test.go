package live_test

import (
	"sync"
	"testing"

	"kyrochat/kyro"
	"kyrochat/live"
)

// woken takes what there is to receive and reports whether there was something.
func woken(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestWakesReachWhoWatches(t *testing.T) {
	t.Parallel()
	var w live.Wakes
	mine, other := kyro.ConversationID(1), kyro.ConversationID(2)
	w.Wake(mine) // nobody watches
	one, stopOne := w.Watch(mine)
	two, stopTwo := w.Watch(mine)
	elsewhere, stopElsewhere := w.Watch(other)
	if woken(one) {
		t.Error("woken by what was before the watch")
	}
	for range 3 { // which nobody receives meanwhile
		w.Wake(mine)
	}
	if !woken(one) || woken(one) || !woken(two) || woken(elsewhere) {
		t.Error("three wakes must be one for both who watch, and for nobody else")
	}
	w.Wake(mine)
	stopOne()
	stopOne()
	w.Wake(mine)
	if !woken(two) {
		t.Error("another's leaving took the wake along")
	}
	stopTwo()
	stopElsewhere()
	if n := w.Watched(); n != 0 {
		t.Errorf("%d conversations are kept with nobody there", n)
	}
}

// TestNoWakeIsLost lets a reader wait only when it has read the newest, as readers of rows do.
func TestNoWakeIsLost(t *testing.T) {
	t.Parallel()
	const changes = 2_000
	var w live.Wakes
	id := kyro.ConversationID(1)
	var mu sync.Mutex
	row := 0
	var readers sync.WaitGroup
	for range 3 {
		changed, stop := w.Watch(id)
		readers.Go(func() {
			defer stop()
			for {
				mu.Lock()
				seen := row
				mu.Unlock()
				if seen == changes {
					return
				}
				<-changed // for ever, where a wake is lost
			}
		})
	}
	for range changes {
		mu.Lock()
		row++
		mu.Unlock()
		w.Wake(id)
	}
	readers.Wait()
}
