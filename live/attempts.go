package live

import (
	"container/heap"
	"container/list"
	"context"
	"slices"
	"sync"
	"time"

	"kyrochat/kyro"
)

// AttemptsConfig bounds the counting of attempts. A zero field takes its default.
type AttemptsConfig struct {
	Moments int              // remembered over all keys; above it the key that has the least to lose is forgotten; 200,000
	Now     func() time.Time // time.Now
}

// Attempts counts tries at what may be guessed, such as passwords, by key: exactly, by the moment of each. An attempt is
// counted before it is made, so that a hundred at once are a hundred.
//
// Keys whose attempts count for nothing any more go by themselves. Beyond the bound goes the key that is the furthest
// from being refused, so that a flood of new keys makes room by its own, and those at their limit stay the longest.
type Attempts struct {
	limit int
	now   func() time.Time

	mu      sync.Mutex
	keys    map[string]*tried
	order   order[*tried]
	recent  *list.List // of keys, the one that was tried last at the end
	moments int
}

// tried is what is known of one key.
type tried struct {
	key    string
	former []time.Time   // oldest first
	span   time.Duration // for so long each of them counts
	back   time.Time     // about when all would be allowed again, if attempts came back evenly
	place  int           // in the order
	recent *list.Element
}

// NewAttempts makes an empty count.
func NewAttempts(cfg AttemptsConfig) *Attempts {
	a := &Attempts{limit: cfg.Moments, now: cfg.Now, keys: map[string]*tried{}, recent: list.New()}
	if a.limit <= 0 {
		a.limit = 200_000
	}
	if a.now == nil {
		a.now = time.Now
	}
	return a
}

// Try counts an attempt under all of the keys, or under none where one of them does not allow it: then RetryAfter is
// the longest that one of them has to wait. The error is always nil: a process can always count for itself.
func (a *Attempts) Try(_ context.Context, attempts ...kyro.Attempt) (kyro.Allowance, error) {
	now := a.now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.expire(now)
	var wait time.Duration
	for _, attempt := range attempts {
		wait = max(wait, attempt.Policy.Wait(a.former(attempt, now), now))
	}
	if wait > 0 {
		return kyro.Allowance{RetryAfter: wait, ResetAt: now.Add(wait)}, nil
	}
	for _, attempt := range attempts {
		a.count(attempt, now)
	}
	for a.moments > a.limit && len(a.order) > 0 {
		a.forget(a.order[0])
	}
	return kyro.Allowance{Allowed: true, Remaining: kyro.NoLimit, ResetAt: now}, nil
}

// TakeBack uncounts the last attempt under each of the keys: one that was not made after all, or was right.
func (a *Attempts) TakeBack(_ context.Context, attempts ...kyro.Attempt) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, attempt := range attempts {
		if known := a.keys[attempt.Key]; known != nil {
			a.moments--
			if known.former = known.former[:len(known.former)-1]; len(known.former) == 0 {
				a.forget(known)
				continue
			}
			a.place(known, attempt.Policy)
		}
	}
}

// Forget uncounts all attempts under each of the keys.
func (a *Attempts) Forget(_ context.Context, attempts ...kyro.Attempt) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, attempt := range attempts {
		if known := a.keys[attempt.Key]; known != nil {
			a.forget(known)
		}
	}
}

// former gives the attempts under the key that count still, after it has forgotten the others.
func (a *Attempts) former(attempt kyro.Attempt, now time.Time) []time.Time {
	known := a.keys[attempt.Key]
	if known == nil {
		return nil
	}
	since := now.Add(-attempt.Policy.Span())
	over := 0
	for over < len(known.former) && !known.former[over].After(since) {
		over++
	}
	a.moments -= over
	if known.former = slices.Delete(known.former, 0, over); len(known.former) == 0 {
		a.forget(known)
		return nil
	}
	return known.former
}

func (a *Attempts) count(attempt kyro.Attempt, now time.Time) {
	if attempt.Policy.Unlimited() {
		return
	}
	known := a.keys[attempt.Key]
	if known == nil {
		known = &tried{key: attempt.Key}
		a.keys[attempt.Key] = known
		known.recent = a.recent.PushBack(known)
		heap.Push(&a.order, known)
	}
	known.former = append(known.former, now)
	known.span = attempt.Policy.Span()
	a.moments++
	a.recent.MoveToBack(known.recent)
	a.place(known, attempt.Policy)
}

// place puts a key where it belongs in the order: by how much of its policy is spent, as time.
func (a *Attempts) place(known *tried, policy kyro.AttemptPolicy) {
	spent := time.Duration(0)
	if policy.Free > 0 {
		spent = policy.Within * time.Duration(len(known.former)) / time.Duration(policy.Free)
	}
	for _, w := range policy.Windows {
		spent = max(spent, w.Per/time.Duration(w.Most)*time.Duration(min(len(known.former), w.Most)))
	}
	known.back = known.former[len(known.former)-1].Add(spent)
	heap.Fix(&a.order, known.place)
}

// expire drops a few keys of which nothing counts any more: more than come in by one attempt, so that they do not pile
// up, and few enough that nobody waits for it.
func (a *Attempts) expire(now time.Time) {
	for range 8 {
		oldest := a.recent.Front()
		if oldest == nil {
			return
		}
		known := oldest.Value.(*tried)
		if known.former[len(known.former)-1].Add(known.span).After(now) {
			return
		}
		a.forget(known)
	}
}

func (a *Attempts) forget(known *tried) {
	a.moments -= len(known.former)
	delete(a.keys, known.key)
	a.recent.Remove(known.recent)
	heap.Remove(&a.order, known.place)
}

// moment and setPlace are for the order: what has the least to lose comes first.
func (t *tried) moment() time.Time  { return t.back }
func (t *tried) setPlace(place int) { t.place = place }
