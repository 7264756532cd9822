package answer

import (
	"context"
	"slices"
	"time"

	"kyrochat/kyro"
)

// The first word waits for everything that comes before it. So the answer of a turn is claimed as the turn is stored, by
// the node that stores it, where that has a place for it and nothing else runs or waits in the conversation; and what an
// attempt works on is read with it. All else waits until ClaimNext finds it.

// taken is an answer that was claimed as its turn was stored.
type taken struct {
	claim kyro.Claim
	job   *Job
}

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

// take begins the answer of a turn that was claimed, in the reserved place. While the server shuts down it gives the
// answer back instead, and the turn is as it is then.
func (s *Service) take(ctx context.Context, turn *kyro.Turn, asked time.Time) {
	next := taken{*turn.Claim, turn.Job}
	next.claim.Until = asked.Add(s.cfg.Limits.AnswerLease)
	turn.Claim, turn.Job = nil, nil
	if s.handOver(next) {
		return
	}
	err := bounded(context.WithoutCancel(ctx), func(ctx context.Context) error { return s.cfg.Store.Release(ctx, next.claim, false) })
	if err != nil {
		s.cfg.Logger.Warn("an answer could not be given back; it is taken over when its lease ends", "message", turn.Bot.ID, "error", err)
		return
	}
	turn.Bot.Status = kyro.MessagePending
}

// handOver gives a claimed answer to a worker, which is one of its own unless one came to the conversation meanwhile.
func (s *Service) handOver(next taken) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserved--
	if s.draining {
		return false
	}
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

// takenIn gives the conversation's worker an answer that was claimed for it.
func (s *Service) takenIn(conversation kyro.ID) (next taken, found bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, found = s.taken[conversation]
	delete(s.taken, conversation)
	return next, found
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
