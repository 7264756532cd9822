package answer

import (
	"context"
	"time"

	"kyrochat/kyro"
)

// stopWait is how long Stop waits for the stopped answer to be stored.
const stopWait = 2 * time.Second

// Stop ends an answer and gives it as it is stored: STOPPED with the text written so far. One that is final
// stays as it is. One that runs on another node is stopped there within about a second. What is not stored after two
// seconds is given as it is then; its stop is on the row and takes effect. Only who sees the message may stop it.
func (s *Service) Stop(ctx context.Context, viewer kyro.Viewer, id kyro.ID) (kyro.Message, error) {
	if err := viewer.MustFor(id, kyro.KindMessage, kyro.ScopeChat); err != nil {
		return kyro.Message{}, err
	}
	m, err := s.cfg.Store.Message(ctx, viewer.UserID, id)
	if err != nil {
		return kyro.Message{}, err
	}
	if m.Role == kyro.RoleUser {
		return kyro.Message{}, kyro.Invalid("messageId", "Only answers can be stopped; this message is your own.")
	}
	if m.Status.Final() {
		return m, nil
	}
	m, err = s.cfg.Store.RequestStop(ctx, viewer.UserID, id, s.now())
	if err != nil {
		return kyro.Message{}, err
	}
	if m.Status.Final() {
		s.cfg.Wakes.Wake(m.ConversationID)
		s.logEnd(ctx, m)
		s.kick(m.ConversationID) // the turns behind it wait no more
		return m, nil
	}
	if s.cfg.Signals != nil && s.attemptAt(id) == nil {
		s.cfg.Signals.Stop(id)
	}
	return s.awaitStop(ctx, viewer, m)
}

// StopHere stops an answer that runs on this node and was asked to stop on another one. Others it leaves alone.
func (s *Service) StopHere(message kyro.ID) {
	if a := s.attemptAt(message); a != nil {
		a.cancel(errStopped)
	}
}

// watchStops asks the store for stops that no signal told of, until ctx is done.
func (s *Service) watchStops(ctx context.Context) {
	ticker := time.NewTicker(s.cfg.StopPoll)
	defer ticker.Stop()
	for turn := 0; ; turn++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if !s.isRunning() || turn%2 == 1 && s.cfg.Signals != nil && s.cfg.Signals.Connected() {
			continue
		}
		err := bounded(ctx, s.findStops)
		if err != nil && ctx.Err() == nil {
			s.cfg.Logger.Warn("answers that are to stop could not be looked for", "error", err)
		}
	}
}

func (s *Service) findStops(ctx context.Context) error {
	asked, err := s.cfg.Store.StopsAsked(ctx, s.cfg.Node)
	for _, message := range asked {
		s.StopHere(message)
	}
	return err
}

// isRunning reports whether an answer is made on this node.
func (s *Service) isRunning() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.attempts) > 0
}

// awaitStop cancels the attempt wherever it turns up on this node and waits until the message is final. An
// attempt that was claimed just before the request turns up a moment later.
func (s *Service) awaitStop(ctx context.Context, viewer kyro.Viewer, m kyro.Message) (kyro.Message, error) {
	wait, cancel := context.WithTimeout(ctx, stopWait)
	defer cancel()
	for {
		if a := s.attemptAt(m.ID); a != nil {
			a.cancel(errStopped)
			select {
			case <-a.done:
			case <-wait.Done():
			}
		} else {
			_ = kyro.Pause(wait, 100*time.Millisecond)
		}
		m, err := s.cfg.Store.Message(ctx, viewer.UserID, m.ID)
		if err != nil || m.Status.Final() || wait.Err() != nil {
			return m, err
		}
	}
}
