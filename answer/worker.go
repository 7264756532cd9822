package answer

import (
	"context"
	"time"

	"kyrochat/kyro"
)

// A conversation with work has one worker on this node, which answers its waiting turns one after another. That
// none runs elsewhere is for ClaimNext to say.

// start lets workers begin; until then kick only remembers.
func (s *Service) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = true
	s.fill()
}

// fill hires workers for conversations that wait, as far as there are places. The caller holds mu.
func (s *Service) fill() {
	for s.open && !s.draining && len(s.queue) > 0 && s.vacant() {
		s.hire(s.dequeue())
	}
}

// vacant reports whether there is a place for one more worker. The caller holds mu.
func (s *Service) vacant() bool { return len(s.busy)+s.reserved < s.cfg.Limits.MaxRunning }

// kick says that a turn may wait in the conversation. It never waits.
func (s *Service) kick(conversation kyro.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, working := s.busy[conversation]
	switch {
	case s.draining:
	case working:
		s.busy[conversation] = true
	case s.open && s.vacant():
		s.hire(conversation)
	case len(s.queue) < s.cfg.Limits.MaxQueued && !s.queued[conversation]:
		s.queue, s.queued[conversation] = append(s.queue, conversation), true
	}
}

// hire starts a worker. The caller holds mu.
func (s *Service) hire(conversation kyro.ID) {
	s.busy[conversation] = false
	s.wg.Go(func() { s.work(conversation) })
}

// dequeue takes the conversation that waited longest. The caller holds mu.
func (s *Service) dequeue() kyro.ID {
	conversation := s.queue[0]
	s.queue = s.queue[1:]
	delete(s.queued, conversation)
	return conversation
}

// work answers what waits in the conversation, then in others that have no worker.
func (s *Service) work(conversation kyro.ID) {
	for found := true; found; {
		for s.answerNext(conversation) {
		}
		conversation, found = s.leave(conversation)
	}
}

// leave ends the work on a conversation and gives the next one, which is the same where a turn came meanwhile.
func (s *Service) leave(conversation kyro.ID) (next kyro.ID, found bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, begun := s.taken[conversation]; begun || s.busy[conversation] && !s.draining {
		s.busy[conversation] = false
		return conversation, true
	}
	delete(s.busy, conversation)
	if len(s.queue) == 0 {
		return kyro.ID{}, false
	}
	next = s.dequeue()
	s.busy[next] = false
	return next, true
}

// answerNext makes the next answer of the conversation and reports whether there was one.
func (s *Service) answerNext(conversation kyro.ID) bool {
	a, found := s.takenIn(conversation)
	if !found {
		claim, found := s.claimNext(conversation)
		if !found {
			return false
		}
		s.cfg.Wakes.Wake(conversation)
		a = s.newAttempt(claim)
	}
	message := a.claim.MessageID
	s.mu.Lock()
	s.attempts[message] = a
	s.mu.Unlock()
	defer func() {
		a.survive(recover())
		s.mu.Lock()
		if s.attempts[message] == a { // where a turn is not stored, another may get its ids
			delete(s.attempts, message)
		}
		s.mu.Unlock()
		a.trace.End(a.endCode())
		a.cancel(nil)
		close(a.done)
	}()
	a.run()
	return true
}

// claimNext tries a few times; what it misses the sweep finds.
func (s *Service) claimNext(conversation kyro.ID) (claim kyro.Claim, found bool) {
	for try := range 3 {
		if s.isDraining() || try > 0 && kyro.Pause(s.ctx, time.Duration(try)*200*time.Millisecond) != nil {
			return claim, false
		}
		ctx, cancel := context.WithTimeout(s.ctx, storeTimeout)
		asked := s.cfg.Now()
		claim, found, err := s.cfg.Store.ClaimNext(ctx, conversation, s.cfg.Node, s.cfg.Limits.AnswerLease)
		cancel()
		if err == nil {
			claim.Until = asked.Add(s.cfg.Limits.AnswerLease)
			return claim, found
		}
		s.cfg.Logger.Warn("no answer could be claimed", "conversation", conversation, "error", err)
	}
	return claim, false
}

func (s *Service) isDraining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draining
}

// attemptAt gives the attempt at the message that runs on this node.
func (s *Service) attemptAt(message kyro.ID) *attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attempts[message]
}
