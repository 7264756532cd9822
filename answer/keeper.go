package answer

import (
	"container/heap"
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"kyrochat/kyro"
)

const (
	keepPause   = 100 * time.Millisecond // between the beginnings of two rounds: a node writes no more often, however many answers it makes
	keepRows    = 500                    // of one statement
	keepBytes   = 1 << 20                // of text in one statement
	keepSuspect = 64                     // further statements of a round that look for what one was refused for
)

// keeper keeps the claims of all attempts of this node and saves what they have written: text after a second or 2 KiB,
// a stage once it has lasted a little, the lease with each of them and with every heartbeat. What is due at a time goes
// to the store together. It runs beside the models, so that a slow store does not hold the streams up.
type keeper struct {
	cfg  *Config
	wake chan struct{} // something is due sooner than what was waited for

	mu  sync.Mutex
	due dueAttempts
}

// keptState is what the keeper knows of an attempt, under its lock.
type keptState struct {
	entered bool
	writing bool // it is on its way to the store: what comes meanwhile is looked at afterwards
	failed  bool // it could not be kept, and is tried again when it is due
	refused bool // its state was refused where no other was with it, so that it goes alone
	at      time.Time
	place   int // in the heap; -1: not in it
}

func newKeeper(cfg *Config) *keeper { return &keeper{cfg: cfg, wake: make(chan struct{}, 1)} }

// enter begins to keep an attempt, whose claim was just made.
func (k *keeper) enter(a *attempt) {
	k.mu.Lock()
	defer k.mu.Unlock()
	a.kept = keptState{entered: true, place: -1}
	k.schedule(a, time.Now().Add(k.cfg.Limits.AnswerHeartbeat))
}

// leave ends it. What is on its way to the store may arrive there still, but has no effect here.
func (k *keeper) leave(a *attempt) {
	k.mu.Lock()
	defer k.mu.Unlock()
	a.kept.entered = false
	if a.kept.place >= 0 {
		heap.Remove(&k.due, a.kept.place)
	}
}

// hurry says that an attempt has something to save that may wait so long.
func (k *keeper) hurry(a *attempt, wait time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s := &a.kept; s.entered && !s.writing && !s.failed {
		if at := time.Now().Add(wait); at.Before(s.at) {
			k.schedule(a, at)
		}
	}
}

// schedule says when an attempt is due. The caller holds mu.
func (k *keeper) schedule(a *attempt, at time.Time) {
	a.kept.at = at
	if a.kept.place < 0 {
		heap.Push(&k.due, a)
	} else {
		heap.Fix(&k.due, a.kept.place)
	}
	if a.kept.place == 0 {
		select {
		case k.wake <- struct{}{}:
		default:
		}
	}
}

// run keeps attempts until ctx is done.
func (k *keeper) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var began time.Time // of the last round
	for {
		timer.Reset(max(k.wait(), keepPause-time.Since(began)))
		select {
		case <-ctx.Done():
			return
		case <-k.wake:
		case <-timer.C:
			began = time.Now()
			suspects := keepSuspect
			for _, batch := range k.take(began) {
				k.write(ctx, batch, &suspects)
			}
		}
	}
}

// wait is how long nothing is due.
func (k *keeper) wait() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.due) == 0 {
		return time.Hour
	}
	return time.Until(k.due[0].kept.at)
}

// keeping is an attempt on its way to the store.
type keeping struct {
	*attempt
	kyro.Keeping
}

// take gives what is due, in batches of what goes to the store together.
func (k *keeper) take(now time.Time) (batches [][]keeping) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var batch []keeping
	bytes := 0
	for len(k.due) > 0 && !k.due[0].kept.at.After(now) {
		a := heap.Pop(&k.due).(*attempt)
		if a.lost() || a.ctx.Err() != nil {
			a.kept.entered = false // what is to end has the rest of its lease for that, and is not kept from the sweep
			continue
		}
		a.kept.writing = true
		next := keeping{a, kyro.Keeping{Claim: a.claim, State: a.unsavedState()}}
		if a.kept.refused && next.State != nil {
			batches = append(batches, []keeping{next})
			next.State = nil // its claim is kept with the others'
		}
		size := 0
		if next.State != nil {
			size = len(next.State.Text)
		}
		if len(batch) == keepRows || bytes+size > keepBytes && len(batch) > 0 {
			batches, batch, bytes = append(batches, batch), nil, 0
		}
		batch, bytes = append(batch, next), bytes+size
	}
	if len(batch) > 0 {
		batches = append(batches, batch)
	}
	return batches
}

// write brings a batch to the store. Where that refuses it, its halves are tried, so that one attempt that cannot be
// kept does not keep the others from it. A store that fails is tolerated while the claims hold: the next save has
// everything.
func (k *keeper) write(ctx context.Context, batch []keeping, suspects *int) {
	before := k.cfg.Now()
	kept, err := k.keep(ctx, batch)
	if err == nil {
		for i, one := range batch {
			k.settle(one, kept[i], before)
		}
		return
	}
	refused := kyro.ErrorCode(err) == kyro.CodeInternal && ctx.Err() == nil
	if refused && len(batch) > 1 && *suspects > 0 {
		*suspects -= 2
		half := len(batch) / 2
		k.write(ctx, batch[:half], suspects)
		k.write(ctx, batch[half:], suspects)
		return
	}
	if ctx.Err() == nil {
		k.cfg.Logger.Warn("answers could not be kept; trying again", "answers", len(batch), "error", err)
	}
	for _, one := range batch {
		k.fail(one, refused && len(batch) == 1)
	}
}

// keep calls the store. A panic there is an error of this call alone.
func (k *keeper) keep(ctx context.Context, batch []keeping) (kept []kyro.Kept, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errPanicked
			k.cfg.Logger.Error("keeping answers panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	list := make([]kyro.Keeping, len(batch))
	for i := range batch {
		list[i] = batch[i].Keeping
	}
	return k.cfg.Store.Keep(ctx, k.cfg.Limits.AnswerLease, list)
}

// settle takes up what became of an attempt in the store, which was asked at a time.
func (k *keeper) settle(one keeping, kept kyro.Kept, asked time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	a, s := one.attempt, &one.attempt.kept
	if !s.entered {
		return // it has ended meanwhile
	}
	switch {
	case kept.Lost:
		s.entered = false
		a.lose(claimGone)
		return
	case !kept.Kept:
		k.retry(a, saveStage)
		return
	}
	if a.keptUntil(asked.Add(k.cfg.Limits.AnswerLease), one.State) {
		k.cfg.Wakes.Wake(a.claim.ConversationID)
	}
	if kept.Stop {
		a.cancel(errStopped)
	}
	if s.place >= 0 {
		return // its state went alone, which has said when it is due
	}
	s.writing, s.failed = false, false
	if one.State != nil {
		s.refused = false
	}
	wait := k.cfg.Limits.AnswerHeartbeat
	if unsaved, within := a.saveIn(); unsaved {
		wait = min(wait, within)
	}
	k.schedule(a, time.Now().Add(wait))
}

// fail has an attempt tried again; alone, where it was refused.
func (k *keeper) fail(one keeping, refused bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s := &one.attempt.kept; s.entered {
		s.refused = s.refused || refused && one.State != nil
		k.retry(one.attempt, saveText)
	}
}

// retry has an attempt tried again in a while, and not sooner. The caller holds mu.
func (k *keeper) retry(a *attempt, wait time.Duration) {
	a.kept.writing, a.kept.failed = false, true
	k.schedule(a, time.Now().Add(wait))
}

// claimGone says why an attempt is lost whose row is no more its own.
const claimGone = "it was ended or taken over"
