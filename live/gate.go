package live

import (
	"context"
	"slices"
	"sync"
)

// gate is where readers of one topic wait. Nothing is kept for a reader: whoever wakes looks for what it has not
// seen yet, so a slow one costs nothing. A mutex of the owner guards every field.
type gate struct {
	waiting []chan struct{} // of each who waits: has something once it is to wake
	spare   []chan struct{} // to be used again, since a reader waits for every token
}

// maxSpare is how many are kept to be used again.
const maxSpare = 4

// open wakes all who wait.
func (g *gate) open() {
	for _, woken := range g.waiting {
		woken <- struct{}{} // has room: it is here once
	}
	clear(g.waiting)
	g.waiting = g.waiting[:0]
}

// wait gives mu back until open is called or ctx is done, which is its error then. The caller holds mu before and
// after.
func (g *gate) wait(ctx context.Context, mu *sync.Mutex) error {
	var woken chan struct{}
	if n := len(g.spare); n > 0 {
		woken, g.spare = g.spare[n-1], g.spare[:n-1]
	} else {
		woken = make(chan struct{}, 1)
	}
	g.waiting = append(g.waiting, woken)
	mu.Unlock()
	var err error
	select {
	case <-woken:
		mu.Lock()
	case <-ctx.Done():
		mu.Lock()
		if err = ctx.Err(); !slices.Contains(g.waiting, woken) {
			<-woken // both happened
		} else {
			g.waiting = slices.DeleteFunc(g.waiting, func(w chan struct{}) bool { return w == woken })
		}
	}
	if len(g.spare) < maxSpare {
		g.spare = append(g.spare, woken)
	}
	return err
}
