package live

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// errAway refuses commands while Redis is away.
var errAway = errors.New("Redis does not answer")

// health knows whether Redis answers. Any command that finds it away closes the way for all others, so that they fail
// at once; the reader, which asks all the time, opens it again. It is the circuit breaker of the client for commands.
type health struct {
	log *slog.Logger

	mu     sync.Mutex
	why    error         // it is away; nil while it is there
	failed time.Time     // when it was last found away
	turned chan struct{} // closed when it is back, or gone
}

var _ redis.Limiter = (*health)(nil)

// init begins with a Redis that is away until it has answered.
func (h *health) init(log *slog.Logger) {
	h.log, h.why, h.turned = log, errAway, make(chan struct{})
}

// away says why Redis is away; nil while it is there.
func (h *health) away() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.why
}

// Allow implements redis.Limiter.
func (h *health) Allow() error {
	if h.away() != nil {
		return errAway
	}
	return nil
}

// ReportResult implements redis.Limiter.
func (h *health) ReportResult(err error) {
	if unreachable(err) {
		h.gone(err)
	}
}

// gone notes that Redis did not answer, or takes nothing.
func (h *health) gone(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	there := h.why == nil
	h.why, h.failed = err, time.Now()
	if there {
		h.turn()
		h.log.Warn("Redis does not answer, or refuses; going on without it", "error", err)
	}
}

// answered notes that Redis took a command that was sent at that time.
func (h *health) answered(sent time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.why != nil && sent.After(h.failed) {
		h.why = nil
		h.turn()
		h.log.Info("Redis answers")
	}
}

// turn wakes who waits for a change. The caller holds mu.
func (h *health) turn() {
	close(h.turned)
	h.turned = make(chan struct{})
}

// back is closed once Redis is back, or next gone and back; there is nothing to wait for while it is there.
func (h *health) back() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.why == nil {
		return nil
	}
	return h.turned
}

// lost is closed once Redis is away; at once where it is.
func (h *health) lost() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.why != nil {
		closed := make(chan struct{})
		close(closed)
		return closed
	}
	return h.turned
}

// refusals begin the errors of a Redis that takes nothing at the moment, from us or from anybody: what was written to it
// would be missed, as if it were down.
var refusals = []string{"LOADING", "MASTERDOWN", "READONLY", "OOM", "MISCONF", "NOREPLICAS", "BUSY", "NOAUTH", "WRONGPASS"}

// unreachable tells a Redis that is away from one that answers with an error, and from a caller that went away. Commands
// carry a time of their own and not their caller's (see Redis.limited), so that one whose time is over has found Redis
// away. That all connections of the pool are in use says nothing of Redis.
func unreachable(err error) bool {
	switch {
	case err == nil, errors.Is(err, redis.Nil), errors.Is(err, redis.ErrPoolTimeout), errors.Is(err, context.Canceled), errors.Is(err, errAway):
		return false
	case errors.As(err, new(redis.Error)):
		return slices.ContainsFunc(refusals, func(prefix string) bool { return redis.HasErrorPrefix(err, prefix) })
	}
	var network net.Error // also a context's that is over
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed)
}
