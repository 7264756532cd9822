package transport

import (
	"cmp"
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
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
	DefaultMaxOperations = 100
	DefaultMaxSockets    = 10
	defaultFarewell      = time.Second
)

// socket is one connection: it checks every message of the client, and runs the operations.
type socket struct {
	options *Websocket
	exec    graphql.GraphExecutor
	headers http.Header
	conn    *websocket.Conn
	ctx     context.Context // ends when the socket is being closed
	cancel  context.CancelFunc
	tasks   sync.WaitGroup // operations, pings, and the closing handshake
	written atomic.Int64   // messages

	mu       sync.Mutex
	asked    bool                  // connection_init has come
	acked    bool                  // connection_ack has gone
	closed   bool                  // the end has begun
	signed   context.Context       // of operations: knows whose socket it is
	running  int                   // operations that have not ended
	live     map[string]*operation // by id: what the client may still hear of
	viewer   kyro.Viewer
	initDue  *time.Timer
	tokenDue *time.Timer
	pingDue  *time.Timer
}

type socketKey struct{}

func newSocket(t *Websocket, conn *websocket.Conn, r *http.Request, exec graphql.GraphExecutor) *socket {
	s := &socket{options: t, exec: exec, headers: r.Header, conn: conn}
	// The socket outlives the request, of which it keeps what somebody asks for, and no more.
	ctx := context.WithValue(context.Background(), requestIDKey{}, RequestIDFrom(r.Context()))
	ctx = context.WithValue(kyro.WithViewer(ctx, kyro.ViewerFrom(r.Context())), socketKey{}, s)
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.mu.Lock() // the timer may be over before it is kept
	s.initDue = time.AfterFunc(cmp.Or(t.InitTimeout, defaultInitTimeout), func() {
		s.close(closeInitTimeout, "Connection initialisation timeout")
	})
	s.pingDue = time.AfterFunc(s.pingInterval(), s.ping)
	s.mu.Unlock()
	return s
}

func (s *socket) pingInterval() time.Duration {
	return cmp.Or(s.options.PingInterval, defaultPingInterval)
}

// ping notices clients that vanished, and keeps proxies from closing a quiet socket. Every client answers by
// itself.
func (s *socket) ping() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.tasks.Add(1)
	s.mu.Unlock()
	defer s.tasks.Done()
	ctx, cancel := context.WithTimeout(s.ctx, cmp.Or(s.options.PongTimeout, defaultPongTimeout))
	defer cancel()
	if err := s.conn.Ping(ctx); err != nil {
		if s.ctx.Err() == nil {
			s.drop()
		}
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.pingDue.Reset(s.pingInterval())
	}
}

// tooSlow ends a socket whose client has not taken a message in time. It is told why if it takes the rest of the message
// at once; a client that comes back goes on behind its last cursor.
func (s *socket) tooSlow() {
	s.end(func() {
		err := s.conn.Close(closeTryAgain, "Slow consumer")
		if s.options.Log != nil {
			s.options.Log.Debug("slow consumer", "transport", "websocket", "user", s.who().UserID, "messages", s.written.Load(), "told", err == nil)
		}
	})
}

// signedIn remembers whose socket it is, and ends it soon after the access token does.
func (s *socket) signedIn(viewer kyro.Viewer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.viewer = viewer
	if viewer.Expires.IsZero() || s.closed {
		return
	}
	due := viewer.Expires.Add(cmp.Or(s.options.ExpiryGrace, defaultExpiryGrace)) // which may be in thousands of years
	s.tokenDue = time.AfterFunc(due.Sub(s.now()), func() {
		s.close(closeForbidden, "token expired")
	})
}

func (s *socket) now() time.Time {
	if s.options.Now != nil {
		return s.options.Now()
	}
	return time.Now()
}

// who is the viewer, nobody before connection_init.
func (s *socket) who() kyro.Viewer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.viewer
}

func (s *socket) kind() kind { return aSocket }

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
	s.pingDue.Stop()
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

// begin registers an operation. code is not 0 where it must not run: the socket is to be closed with it, or, for
// http.StatusTooManyRequests and http.StatusServiceUnavailable, only the operation refused.
func (s *socket) begin(id string) (op *operation, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.acked:
		return nil, closeUnauthorized
	case s.live[id] != nil:
		return nil, closeDuplicateID
	case s.running >= s.maxOperations():
		return nil, http.StatusTooManyRequests
	case !s.options.Connections.begin():
		return nil, http.StatusServiceUnavailable
	}
	if s.live == nil {
		s.live = map[string]*operation{}
	}
	op = newOperation(s, id)
	s.live[id] = op
	s.running++
	return op, 0
}

func (s *socket) maxOperations() int { return cmp.Or(s.options.MaxOperations, DefaultMaxOperations) }

// leave ends an operation by the client's wish: it hears no more of it.
func (s *socket) leave(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if op := s.live[id]; op != nil {
		op.silent = true
		delete(s.live, id)
		op.cancel()
	}
}

// listens reports whether the client is to get a message of the operation. last says that it is the operation's end,
// after which its id is free.
func (s *socket) listens(op *operation, last bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	listens := !op.silent
	if last && !op.ended {
		op.ended, op.silent = true, true
		s.running--
		s.options.Connections.end()
		if s.live[op.id] == op {
			delete(s.live, op.id)
		}
	}
	return listens
}
