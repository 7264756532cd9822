package transport

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	gqlgen "github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/coder/websocket"

	"kyrochat/kyro"
)

// Defaults of Websocket.
const (
	defaultInitTimeout   = 5 * time.Second
	defaultWriteTimeout  = 5 * time.Second
	defaultPingInterval  = 25 * time.Second
	defaultPongTimeout   = 10 * time.Second
	defaultExpiryGrace   = 5 * time.Second
	defaultMaxOperations = 100
	defaultMaxSockets    = 10
)

// socket is one connection, between the client and gqlgen. gqlgen never sees a client's operation id: it gets one
// of our own for each operation, so that an id used again at once cannot be taken for the operation before.
type socket struct {
	options *Websocket
	conn    *websocket.Conn
	ctx     context.Context // of all operations; ends when the socket is being closed
	cancel  context.CancelFunc
	tasks   sync.WaitGroup // pings, and the closing handshake

	mu       sync.Mutex
	asked    bool                  // connection_init has come
	acked    bool                  // connection_ack has gone
	closed   bool                  // the end has begun
	running  map[string]*operation // by our id: what gqlgen has not ended yet
	live     map[string]*operation // by the client's id: what the client may still hear of
	lastID   int
	viewer   kyro.Viewer
	initDue  *time.Timer
	tokenDue *time.Timer
}

type operation struct {
	ours, theirs string
	silent       bool // the client has ended it, or been told of its end
}

type socketKey struct{}

var (
	_ gqlgen.WebsocketConn           = (*socket)(nil)
	_ gqlgen.WebsocketImplementation = accepted{}
)

func newSocket(t *Websocket, conn *websocket.Conn, ctx context.Context) *socket {
	s := &socket{options: t, conn: conn, running: map[string]*operation{}, live: map[string]*operation{}}
	ctx, s.cancel = context.WithCancel(ctx)
	s.ctx = context.WithValue(ctx, socketKey{}, s)
	s.mu.Lock() // the timer may be over before it is kept
	s.initDue = time.AfterFunc(cmp.Or(t.InitTimeout, defaultInitTimeout), func() {
		s.close(closeInitTimeout, "Connection initialisation timeout")
	})
	s.mu.Unlock()
	s.tasks.Go(s.ping)
	return s
}

// ping notices clients that vanished, and keeps proxies from closing a quiet socket. Every client answers by
// itself.
func (s *socket) ping() {
	tick := time.NewTicker(cmp.Or(s.options.PingInterval, defaultPingInterval))
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(s.ctx, cmp.Or(s.options.PongTimeout, defaultPongTimeout))
		err := s.conn.Ping(ctx)
		cancel()
		if err != nil && s.ctx.Err() == nil {
			s.drop()
			return
		}
	}
}

// signedIn remembers whose socket it is, and ends it soon after the access token does.
func (s *socket) signedIn(viewer kyro.Viewer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.viewer = viewer
	if viewer.Expires.IsZero() || s.closed {
		return
	}
	now := s.options.Now
	if now == nil {
		now = time.Now
	}
	s.tokenDue = time.AfterFunc(viewer.Expires.Sub(now())+cmp.Or(s.options.ExpiryGrace, defaultExpiryGrace), func() {
		s.close(closeForbidden, "token expired")
	})
}

// who is the viewer, nobody before connection_init.
func (s *socket) who() kyro.Viewer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.viewer
}

func isSocket(c connection) bool {
	_, yes := c.(*socket)
	return yes
}

// busy reports whether an operation is under way that the client still listens to.
func (s *socket) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed && len(s.live) > 0
}

// close ends all operations and begins the closing handshake. Only the first end of a socket counts.
func (s *socket) close(code int, reason string) {
	for len(reason) > maxCloseReason || !utf8.ValidString(reason) {
		reason = reason[:len(reason)-1]
	}
	// The handshake waits up to five seconds in each direction, and must not hold up whoever closes.
	s.end(func() { _ = s.conn.Close(websocket.StatusCode(code), reason) })
}

// drop ends all operations and the connection, without a word.
func (s *socket) drop() { s.end(func() { _ = s.conn.CloseNow() }) }

func (s *socket) end(how func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	s.initDue.Stop()
	if s.tokenDue != nil {
		s.tokenDue.Stop()
	}
	s.cancel()
	s.tasks.Go(how)
}

// finish waits until nothing of the socket runs. A handshake that was begun is brought to its end.
func (s *socket) finish() {
	s.drop()
	s.tasks.Wait()
}

// Subprotocol tells gqlgen what is spoken.
func (s *socket) Subprotocol() string { return subprotocol }

// WriteClose is gqlgen's wish to close. It has one reason that gets this far, the end of the context, and gives
// it as a normal closure, which clients would answer by connecting again without a pause.
func (s *socket) WriteClose(int, string) error {
	s.close(closeGoingAway, "Going away")
	return nil
}

// Close leaves the end of the connection to finish.
func (s *socket) Close() error { return nil }

// begin registers an operation. code is not 0 where it must not run: the socket is to be closed with it, or, for
// http.StatusTooManyRequests, only the operation refused.
func (s *socket) begin(theirs string) (op *operation, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.acked:
		return nil, closeUnauthorized
	case s.live[theirs] != nil:
		return nil, closeDuplicateID
	case len(s.running) >= s.maxOperations():
		return nil, http.StatusTooManyRequests
	}
	s.lastID++
	op = &operation{ours: strconv.Itoa(s.lastID), theirs: theirs}
	s.running[op.ours], s.live[theirs] = op, op
	return op, 0
}

func (s *socket) maxOperations() int { return cmp.Or(s.options.MaxOperations, defaultMaxOperations) }

// leave ends an operation by the client's wish: it hears no more of it. nil where there is none.
func (s *socket) leave(theirs string) *operation {
	s.mu.Lock()
	defer s.mu.Unlock()
	op := s.live[theirs]
	if op != nil {
		op.silent = true
		delete(s.live, theirs)
	}
	return op
}

// outgoing finds the operation of a message that gqlgen sends, and whether the client is to get it. last says
// that it ends the operation.
func (s *socket) outgoing(ours string, last bool) (theirs string, send bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	op := s.running[ours]
	if op == nil {
		return "", false
	}
	send = !op.silent
	if last {
		delete(s.running, ours)
		if s.live[op.theirs] == op {
			delete(s.live, op.theirs)
		}
	}
	return op.theirs, send
}
