package live

import (
	"sync"

	"kyrochat/kyro"
)

// Wakes tells those who follow a conversation in this process that something in it has changed; what it is they read
// themselves. Nothing is kept but who follows what. The zero Wakes is ready.
type Wakes struct {
	mu       sync.Mutex
	watching map[kyro.ID]map[chan struct{}]struct{}
}

// Wake wakes all who watch the conversation. It never waits for one.
func (w *Wakes) Wake(conversation kyro.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for woken := range w.watching[conversation] {
		select {
		case woken <- struct{}{}:
		default: // it will look in any case
		}
	}
}

// Watch gives a channel that has something to receive once the conversation was woken since the last time, or since the
// call. So whoever receives before it reads, and receives again before it waits, misses nothing. stop ends the watch.
func (w *Wakes) Watch(conversation kyro.ID) (woken <-chan struct{}, stop func()) {
	mine := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watching == nil {
		w.watching = map[kyro.ID]map[chan struct{}]struct{}{}
	}
	if w.watching[conversation] == nil {
		w.watching[conversation] = map[chan struct{}]struct{}{}
	}
	w.watching[conversation][mine] = struct{}{}
	return mine, func() { w.leave(conversation, mine) }
}

func (w *Wakes) leave(conversation kyro.ID, mine chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.watching[conversation], mine)
	if len(w.watching[conversation]) == 0 {
		delete(w.watching, conversation)
	}
}

// Connected reports whether the changes that other processes make wake as well. They do not.
func (w *Wakes) Connected() bool { return false }
