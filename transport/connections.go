package transport

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"kyrochat/kyro"
)

const settleInterval = 20 * time.Millisecond

// Connections are the long ones that are open: websockets and event streams. The zero value is ready; it must not
// be copied.
type Connections struct {
	mu      sync.Mutex
	open    map[connection]struct{}
	closing bool
	serving sync.WaitGroup
}

// connection is one of them. Its methods do not wait.
type connection interface {
	who() kyro.Viewer
	busy() bool // an operation is under way that the client still listens to
	close(code int, reason string)
}

// enter counts a connection that is about to be served, unless the server goes away.
func (c *Connections) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return false
	}
	c.serving.Add(1)
	return true
}

func (c *Connections) leave() { c.serving.Done() }

func (c *Connections) add(each connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = map[connection]struct{}{}
	}
	c.open[each] = struct{}{}
	if c.closing {
		each.close(closeGoingAway, "Going away")
	}
}

func (c *Connections) remove(each connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, each)
}

// of counts the user's connections of a kind.
func (c *Connections) of(user kyro.ID, kind func(connection) bool) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for each := range c.open {
		if kind(each) && each.who().Is(user) {
			n++
		}
	}
	return n
}

// CloseSession closes the connections of a session that ended, with 4401, which clients do not try again.
func (c *Connections) CloseSession(session kyro.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for each := range c.open {
		if each.who().SessionID == session {
			each.close(closeUnauthorized, "Unauthorized")
		}
	}
}

// Sessions are those that have a connection open, each once.
func (c *Connections) Sessions() []kyro.ID {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := make(map[kyro.ID]bool, len(c.open))
	for each := range c.open {
		if session := each.who().SessionID; !session.IsZero() {
			seen[session] = true
		}
	}
	return slices.Collect(maps.Keys(seen))
}

// Settle waits until no connection has an operation under way, or ctx ends: what has just been finished reaches its
// readers before the connections are closed.
func (c *Connections) Settle(ctx context.Context) {
	tick := time.NewTicker(settleInterval)
	defer tick.Stop()
	for c.busy() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (c *Connections) busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for each := range c.open {
		if each.busy() {
			return true
		}
	}
	return false
}

// CloseAll refuses new connections, closes the open ones so that clients come back, and waits for their end. Those
// that are still there when ctx ends are left to their own time limits, ten seconds at most; the error is ctx's then.
// http.Server.Shutdown does not know websockets, and would wait for event streams, so this comes before it.
func (c *Connections) CloseAll(ctx context.Context) error {
	c.mu.Lock()
	c.closing = true
	for each := range c.open {
		each.close(closeGoingAway, "Going away")
	}
	c.mu.Unlock()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		c.serving.Wait()
	}()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func shuttingDown() *refusal {
	return &refusal{status: http.StatusServiceUnavailable, code: string(kyro.CodeUnavailable), message: "The server is shutting down."}
}
