package live

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"kyrochat/kyro"
)

// RatesConfig bounds the counting of rates. A zero field takes its default.
type RatesConfig struct {
	Keys int              // keys counted; above it the one that has the least to lose is forgotten; 100,000
	Now  func() time.Time // time.Now
}

// Rates counts how often things are done, by key. Of each key it keeps one moment, when all of its rate is back
// (GCRA, the generic cell rate algorithm): every time something is done the moment moves on by the time that it takes
// to come back, and it may not move further ahead of now than the whole rate takes.
//
// A key whose moment is over is as one that was never seen, and goes first. So a flood of new keys, each of which has
// done little, makes room by its own: a key that is nearly or wholly spent stays until all that have less to wait are
// gone. Then keys are forgotten all the same, and what they count is allowed again: memory is bounded before rates are.
type Rates struct {
	limit int
	now   func() time.Time

	mu    sync.Mutex
	keys  map[string]*spent
	order order[*spent]
}

// spent is what is known of one key.
type spent struct {
	key   string
	full  time.Time // when all of the rate is back
	place int       // in the order
}

// NewRates makes an empty count.
func NewRates(cfg RatesConfig) *Rates {
	r := &Rates{limit: cfg.Keys, now: cfg.Now, keys: map[string]*spent{}}
	if r.limit <= 0 {
		r.limit = 100_000
	}
	if r.now == nil {
		r.now = time.Now
	}
	return r
}

// Take does something once under the key, if the rate allows it; what is refused does not count. Every key belongs to
// one rate. The error is always nil: a process can always count for itself.
func (r *Rates) Take(_ context.Context, key string, rate kyro.Rate) (kyro.Allowance, error) {
	now := r.now()
	if rate.Unlimited() {
		return kyro.Allowance{Allowed: true, Remaining: kyro.NoLimit, ResetAt: now}, nil
	}
	each := max(rate.Per/time.Duration(rate.Count), 1)
	all := each * time.Duration(rate.Count)
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.keys[key]
	before := now
	if known != nil && known.full.After(now) {
		before = known.full
	}
	after := before.Add(each)
	if wait := after.Sub(now) - all; wait > 0 {
		return kyro.Allowance{ResetAt: before, RetryAfter: wait}, nil
	}
	if known == nil {
		known = &spent{key: key, full: after}
		r.keys[key] = known
		heap.Push(&r.order, known)
	} else {
		known.full = after
		heap.Fix(&r.order, known.place)
	}
	r.forget(now)
	return kyro.Allowance{Allowed: true, Remaining: int((all - after.Sub(now)) / each), ResetAt: after}, nil
}

// forget drops keys above the bound, and two at the most whose moment is over: more than one comes in by, so that
// they do not pile up, and few enough that nobody waits for it.
func (r *Rates) forget(now time.Time) {
	for over := 2; len(r.order) > r.limit || over > 0 && len(r.order) > 0 && !r.order[0].full.After(now); over-- {
		delete(r.keys, heap.Pop(&r.order).(*spent).key)
	}
}

// moment and setPlace are for the order: what is back first comes first.
func (s *spent) moment() time.Time  { return s.full }
func (s *spent) setPlace(place int) { s.place = place }
