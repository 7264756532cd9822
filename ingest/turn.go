package ingest

import (
	"context"
	"time"
)

// turn is the time that a job has now.
type turn struct {
	began   time.Time
	clock   func() time.Time
	length  time.Duration // after this others should have theirs
	allowed time.Duration // after this the queue ends it; 0 where it does not
	busy    bool          // something was stored in it
}

// beginTurn begins one.
func (s *Service) beginTurn(ctx context.Context) turn {
	t := turn{began: s.now(), clock: s.now, length: s.turn}
	if deadline, ok := ctx.Deadline(); ok {
		t.allowed = time.Until(deadline)
	}
	return t
}

// up reports that other documents should have their turn.
func (t *turn) up() bool { return t.clock().Sub(t.began) >= t.length }

// late reports that more of the turn is over than should be when an upstream is asked: its answer may be paid for, and
// come too late to be stored.
func (t *turn) late(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < t.allowed/2
}

// withinTurn bounds a step so that the rest of the turn is left for what follows it.
func withinTurn(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	within, cancel := context.WithCancelCause(ctx)
	deadline, ok := ctx.Deadline()
	if !ok {
		return within, cancel
	}
	share := min(saveShare, time.Until(deadline)/4)
	within, stop := context.WithDeadline(within, deadline.Add(-share))
	return within, func(cause error) { cancel(cause); stop() }
}
