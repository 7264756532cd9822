package operator

import (
	"context"
	"errors"
	"sync"
	"time"

	"kyrochat/kyro"
)

const (
	holdFor   = time.Minute // originals stay for so long where the backup dies
	holdEvery = 15 * time.Second
)

// holding is a hold on originals that is renewed, and knows whether there was a time without it.
type holding struct {
	mu   sync.Mutex
	last time.Time // when the last renewal that succeeded was begun
	over bool
}

// renewed notes a renewal that was begun at a time. Where the one before was over by then, the hold is of no use any more.
func (h *holding) renewed(began time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = h.over || !h.last.IsZero() && passed(h.last, began) >= holdFor
	h.last = began
}

// passed is how much time lies between two moments, also where the process or the machine stood still, or its clock was set.
func passed(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)))
}

// errLapsed ends a backup of which nobody can say whether it is of one moment.
var errLapsed = errors.New("nothing kept files from being removed for a while, since the backup stood still or could not write to the database: make it again")

// lapsed is an error where there was a time without the hold. Without any hold there is none.
func (h *holding) lapsed(now time.Time) error {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over || passed(h.last, now) >= holdFor {
		return errLapsed
	}
	return nil
}

// hold keeps originals where they are until stop is called.
func (b *backingUp) hold(ctx context.Context) (stop func(), err error) {
	known, err := b.store.KnowsHolds(ctx)
	if err != nil || !known { // nor do servers of this schema
		return func() {}, err
	}
	b.held = &holding{}
	began := b.operator.Now()
	id, err := b.store.Hold(ctx, 0, holdFor)
	if err != nil {
		return nil, err
	}
	b.held.renewed(began)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for kyro.Pause(ctx, holdEvery) == nil {
			began := b.operator.Now()
			if _, err := b.store.Hold(ctx, id, holdFor); err == nil { // else it is tried again, while there is time
				b.held.renewed(began)
			}
		}
	}()
	return func() {
		cancel()
		<-done
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), holdEvery)
		defer cancel()
		_ = b.store.EndHold(ctx, id) // else it is over by itself
	}, nil
}
