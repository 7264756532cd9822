package answer

import (
	"context"
	"errors"
	"slices"
	"time"

	"kyrochat/kyro"
)

// The first word waits for everything that comes before it. So the answer of a turn is claimed as the turn is stored, by
// the node that stores it, where that has a place for it and nothing else runs or waits in the conversation; and what an
// attempt works on is read with it. All else waits until ClaimNext finds it.
//
// The attempt begins while its turn is being stored, which takes as long as the disk takes. Until the turn is stored it
// keeps what it says to itself, and it stores nothing; where the turn is not stored it gives up, and nobody hears of it.

// errUnstored ends an attempt whose turn was not stored.
var errUnstored = errors.New("the turn was not stored")

// reserve keeps a place for a worker in the conversation, which may be new. There is none where a worker is at it: its
// next answer is for that one to claim.
func (s *Service) reserve(conversation kyro.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, working := s.busy[conversation]; working || !s.open || s.draining || !s.vacant() {
		return false
	}
	s.reserved++
	return true
}

// vacate gives a reserved place to others.
func (s *Service) vacate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserved--
	s.fill()
}

// anticipate begins the answer of a turn that is about to be stored, in the reserved place. It must be settled. While the
// server shuts down it gives nil, and keeps the place.
func (s *Service) anticipate(turn kyro.Turn, asked time.Time) *attempt {
	claim := *turn.Claim
	claim.Until = asked.Add(s.cfg.Limits.AnswerLease)
	a := s.newAttempt(claim)
	a.given, a.early, a.settled = turn.Job, true, make(chan struct{})
	if !s.handOver(a) {
		a.cancel(nil)
		return nil
	}
	return a
}

// handOver gives an attempt to a worker, which is one of its own unless one came to the conversation meanwhile.
func (s *Service) handOver(next *attempt) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return false
	}
	s.reserved--
	conversation := next.claim.ConversationID
	s.taken[conversation] = next
	if _, working := s.busy[conversation]; working {
		s.fill()
		return true
	}
	s.hire(conversation)
	if s.queued[conversation] { // what it waits there for is this worker's to look for
		s.queue = slices.DeleteFunc(s.queue, func(waiting kyro.ID) bool { return waiting == conversation })
		delete(s.queued, conversation)
		s.busy[conversation] = true
	}
	return true
}

// giveBack gives back the answer of a stored turn that this node does not make, and the turn is as it is then.
func (s *Service) giveBack(ctx context.Context, turn *kyro.Turn, claim kyro.Claim) {
	err := bounded(context.WithoutCancel(ctx), func(ctx context.Context) error { return s.cfg.Store.Release(ctx, claim, false) })
	if err != nil {
		s.cfg.Logger.Warn("an answer could not be given back; it is taken over when its lease ends", "message", turn.Bot.ID, "error", err)
		return
	}
	turn.Bot.Status = kyro.MessagePending
	s.kick(turn.Conversation.ID)
}

// takenIn gives the conversation's worker an attempt that was begun for it.
func (s *Service) takenIn(conversation kyro.ID) (next *attempt, found bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, found = s.taken[conversation]
	delete(s.taken, conversation)
	return next, found
}

// has reports whether it is this claim that the attempt, which may be nil, works under.
func (a *attempt) has(claim *kyro.Claim) bool {
	return a != nil && a.claim.MessageID == claim.MessageID && a.claim.Attempt == claim.Attempt
}

// settle says whether the turn is stored, the first time it is called. What was kept back until then is said now, or never.
func (a *attempt) settle(stored bool) {
	if a == nil {
		return
	}
	a.once.Do(func() {
		defer close(a.settled)
		if !stored {
			a.cancel(errUnstored)
			return
		}
		a.saying.Lock() // so that nothing is said before what was kept back
		defer a.saying.Unlock()
		a.mu.Lock()
		held := a.held
		a.early, a.held, a.dirty = false, nil, len(held) > 0
		a.mu.Unlock()
		if len(held) > 0 {
			a.append(a.ctx, held...)
			a.save()
		}
	})
}

// stands waits until it is known whether the turn is stored, and reports whether it is.
func (a *attempt) stands() bool {
	if a.settled != nil {
		<-a.settled
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.early
}

// read gives what the attempt works on, as far as it is not at hand.
func (a *attempt) read(ctx context.Context) (Job, error) {
	if a.given == nil {
		return a.cfg.Store.Job(ctx, a.claim, a.cfg.History)
	}
	job := *a.given
	if !job.Unread {
		return job, nil
	}
	var err error
	job.History, err = a.cfg.Store.History(ctx, job.Bot.ID, a.claim.ConversationID, job.Question.Turn, a.cfg.History)
	return job, err
}
