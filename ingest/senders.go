package ingest

import (
	"context"
	"errors"
	"sync"
	"time"

	"kyrochat/kyro"
)

// errOvertaken is why the context of one who sends ends when another comes to the same upload.
var errOvertaken = errors.New("somebody else sends to the upload now")

// overtakeWait is how long a newcomer waits for the one before to leave.
const overtakeWait = 10 * time.Second

// senders are those that send to uploads on this node, one to each. Whoever comes ends the one before: that is most often a
// connection that broke without the server hearing of it, and whose client is back.
type senders struct {
	mu   sync.Mutex
	busy map[kyro.ID]*sender
}

type sender struct {
	cancel context.CancelCauseFunc
	gone   chan struct{}
}

func newSenders() *senders { return &senders{busy: map[kyro.ID]*sender{}} }

// begin gives a context that ends when another comes. The caller calls leave when it is done. CONFLICT where the one before
// does not leave.
func (s *senders) begin(ctx context.Context, slot kyro.ID) (_ context.Context, leave func(), err error) {
	patience := time.NewTimer(overtakeWait)
	defer patience.Stop()
	for {
		s.mu.Lock()
		before := s.busy[slot]
		if before == nil {
			ctx, cancel := context.WithCancelCause(ctx)
			own := &sender{cancel, make(chan struct{})}
			s.busy[slot] = own
			s.mu.Unlock()
			return ctx, func() { s.leave(slot, own) }, nil
		}
		s.mu.Unlock()
		before.cancel(errOvertaken)
		select {
		case <-before.gone:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-patience.C:
			return nil, nil, moved()
		}
	}
}

func (s *senders) leave(slot kyro.ID, own *sender) {
	own.cancel(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.busy, slot)
	close(own.gone)
}

// moved is the answer to a part that does not begin where the upload is.
func moved() error {
	return kyro.Errorf(kyro.CodeConflict, "The part does not begin where the upload is. Go on behind the Upload-Offset bytes that are there.")
}
