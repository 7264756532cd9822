// Package live carries what happens now to those who watch, the events of running answers and the progress of
// documents; it remembers rows that are read often, and counts what is limited by the hour or the second. This is the
// in-process form, for a server that is alone; nothing in it is the truth, which is in the store, so all of it may be
// lost at any time.
package live

import (
	"context"
	"sync"
)

// gate is where readers of one topic wait. Nothing is kept for a reader: whoever wakes looks for what it has not
// seen yet, so a slow one costs nothing. A mutex of the owner guards every field.
type gate struct {
	wake    chan struct{} // closed by open; nil while nobody waits
	waiting int
}

// open wakes all who wait.
func (g *gate) open() {
	if g.wake != nil {
		close(g.wake)
		g.wake = nil
	}
}

// wait gives mu back until open is called or ctx is done, which is its error then. The caller holds mu before and
// after.
func (g *gate) wait(ctx context.Context, mu *sync.Mutex) error {
	if g.wake == nil {
		g.wake = make(chan struct{})
	}
	wake := g.wake
	g.waiting++
	mu.Unlock()
	var err error
	select {
	case <-wake:
	case <-ctx.Done():
		err = ctx.Err()
	}
	mu.Lock()
	g.waiting--
	return err
}
