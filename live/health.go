package live

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
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
	isAway bool
	failed time.Time     // when it was last found away
	turned chan struct{} // closed when it is back, or gone
}

var _ redis.Limiter = (*health)(nil)

// init begins with a Redis that is away until it has answered.
func (h *health) init(log *slog.Logger) {
	h.log, h.isAway, h.turned = log, true, make(chan struct{})
}

func (h *health) away() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.isAway
}

// Allow implements redis.Limiter.
func (h *health) Allow() error {
	if h.away() {
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

// gone notes that Redis did not answer.
func (h *health) gone(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failed = time.Now()
	if !h.isAway {
		h.isAway = true
		h.turn()
		h.log.Warn("Redis does not answer; going on without it", "error", err)
	}
}

// answered notes that Redis answered a command that was sent at that time.
func (h *health) answered(sent time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.isAway && sent.After(h.failed) {
		h.isAway = false
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
	if !h.isAway {
		return nil
	}
	return h.turned
}

// lost is closed once Redis is away; at once where it is.
func (h *health) lost() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.isAway {
		closed := make(chan struct{})
		close(closed)
		return closed
	}
	return h.turned
}

// unreachable tells a Redis that is away from one that answers with an error, and from a caller that went away. That a
// caller's own time was over says nothing of Redis, so commands that are to find it away must not carry one; nor does
// that all connections of the pool are in use.
func unreachable(err error) bool {
	switch {
	case err == nil, errors.Is(err, redis.Nil), errors.Is(err, redis.ErrPoolTimeout), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, errAway):
		return false
	case redis.HasErrorPrefix(err, "LOADING"), redis.HasErrorPrefix(err, "MASTERDOWN"), redis.HasErrorPrefix(err, "READONLY"):
		return true
	case errors.As(err, new(redis.Error)):
		return false
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed)
}
