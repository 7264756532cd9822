package answer

import (
	"context"
	"time"

	"kyrochat/kyro"
)

// stopWait is how long Stop waits for the stopped answer to be stored.
const stopWait = 2 * time.Second

// Stop ends an answer and gives it as it is stored: STOPPED with the text written so far. One that is final
// stays as it is. An answer that runs on another node, or cannot be stored at once, is given as far as it is
// stored after two seconds; its stop is on the row and takes effect. Only who sees the message may stop it.
func (s *Service) Stop(ctx context.Context, viewer kyro.Viewer, id kyro.ID) (kyro.Message, error) {
	if err := viewer.MustSignInFor(id, kyro.KindMessage); err != nil {
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
	return s.awaitStop(ctx, viewer, m)
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
			pause(wait, 100*time.Millisecond)
		}
		m, err := s.cfg.Store.Message(ctx, viewer.UserID, m.ID)
		if err != nil || m.Status.Final() || wait.Err() != nil {
			return m, err
		}
	}
}
