package transport

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"kyrochat/kyro"
)

const (
	settleInterval = 20 * time.Millisecond
	// DefaultMaxConnections is how many connections a process serves at once.
	DefaultMaxConnections = 10_000
	defaultMaxLive        = 20_000
	whenFull              = 5 * time.Second // after which a client may find a place
)

// Connections are the long ones that are open: websockets and event streams. The zero value is ready; it must not
// be copied once it is used. Zero fields take the defaults.
type Connections struct {
	Max     int // connections at once, all together; 10,000, then 503 for the new one
	MaxLive int // operations at once on all websockets together; 20,000, then an error message

	mu      sync.Mutex
	open    map[connection]holder
	held    map[holder]int
	served  int // connections that entered and have not left
	closing bool
	serving sync.WaitGroup

	live atomic.Int64 // operations on websockets; a socket counts them under its own lock
}

// connection is one of them. Its methods do not wait.
type connection interface {
	who() kyro.Viewer
	kind() kind
	busy() bool // an operation is under way that the client still listens to
	close(code int, reason string)
}

type kind byte

const (
	aSocket kind = iota + 1
	anEventStream
)

// holder is who has connections of a kind: a user, or a network from which nobody signed in; the zero holder is nobody.
type holder struct {
	user    kyro.ID
	network netip.Prefix
	kind    kind
}

// enter counts a connection that is about to be served, or says why there is no place for it.
func (c *Connections) enter() *refusal {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closing:
		return &refusal{status: http.StatusServiceUnavailable, code: string(kyro.CodeUnavailable), message: "The server is shutting down."}
	case c.served >= cmp.Or(c.Max, DefaultMaxConnections):
		return &refusal{status: http.StatusServiceUnavailable, code: string(kyro.CodeUnavailable), retryAfter: whenFull,
			message: "The server has as many connections as it can serve. Try again in a few seconds."}
	}
	c.served++
	c.serving.Add(1)
	return nil
}

func (c *Connections) leave() {
	c.mu.Lock()
	c.served--
	c.mu.Unlock()
	c.serving.Done()
}

func (c *Connections) add(each connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open, c.held = map[connection]holder{}, map[holder]int{}
	}
	c.open[each] = holder{}
	if c.closing {
		each.close(closeGoingAway, "Going away")
	}
}

func (c *Connections) remove(each connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	by := c.open[each]
	if c.held[by]--; c.held[by] <= 0 {
		delete(c.held, by)
	}
	delete(c.open, each)
}

// admit counts an open connection for its user, unless there are as many of its kind as a user may have. Nobody's count for
// the network that they come from, which may have ofNobody of them; 0: they are not counted.
func (c *Connections) admit(each connection, most, ofNobody int) bool {
	viewer := each.who()
	by := holder{user: viewer.UserID, kind: each.kind()}
	if !viewer.SignedIn() {
		if ofNobody <= 0 {
			return true
		}
		by.network, most = viewer.Network, ofNobody
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held[by] >= most {
		return false
	}
	c.held[by]++
	c.open[each] = by
	return true
}

// begin counts an operation on a websocket, unless there are as many as there may be.
func (c *Connections) begin() bool {
	if c.live.Add(1) > int64(cmp.Or(c.MaxLive, defaultMaxLive)) {
		c.live.Add(-1)
		return false
	}
	return true
}

// end takes an operation from the count that has ended.
func (c *Connections) end() { c.live.Add(-1) }

// Counts is how many connections of each kind are open, and how many operations are under way on websockets.
func (c *Connections) Counts() (websockets, eventStreams, operations int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for each := range c.open {
		if each.kind() == aSocket {
			websockets++
		} else {
			eventStreams++
		}
	}
	return websockets, eventStreams, int(c.live.Load())
}

// CloseCredential closes the connections of a session or an API key that ended, with 4401, which clients do not try again.
func (c *Connections) CloseCredential(id kyro.ID) {
	if id.IsZero() {
		return // those are nobody's
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for each := range c.open {
		if each.who().Credential() == id {
			each.close(closeUnauthorized, "Unauthorized")
		}
	}
}

// Credentials are the sessions and API keys that have a connection open, each once.
func (c *Connections) Credentials() []kyro.ID {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := make(map[kyro.ID]bool, len(c.open))
	for each := range c.open {
		if id := each.who().Credential(); !id.IsZero() {
			seen[id] = true
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
