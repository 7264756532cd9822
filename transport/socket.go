package transport

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
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
	DefaultMaxOperations = 100
	DefaultMaxSockets    = 10

	defaultFarewell = time.Second
)

// socket is one connection, between the client and gqlgen. gqlgen never sees a client's operation id: it gets one
// of our own for each operation, so that an id used again at once cannot be taken for the operation before.
type socket struct {
	options *Websocket
	conn    *websocket.Conn
	wire    net.Conn        // below conn
	ctx     context.Context // of all operations; ends when the socket is being closed
	cancel  context.CancelFunc
	tasks   sync.WaitGroup // a ping under way, and the closing handshake

	writing sync.Mutex  // held while a message is written
	late    *time.Timer // runs meanwhile
	written int         // messages

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
	pingDue  *time.Timer
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

func newSocket(t *Websocket, conn *websocket.Conn, wire net.Conn, ctx context.Context) *socket {
	s := &socket{options: t, conn: conn, wire: wire, running: map[string]*operation{}, live: map[string]*operation{}}
	ctx, s.cancel = context.WithCancel(ctx)
	s.ctx = context.WithValue(ctx, socketKey{}, s)
	s.mu.Lock() // a timer may be over before it is kept
	defer s.mu.Unlock()
	s.initDue = time.AfterFunc(cmp.Or(t.InitTimeout, defaultInitTimeout), func() {
		s.close(closeInitTimeout, "Connection initialisation timeout")
	})
	s.pingDue = time.AfterFunc(s.pingInterval(), s.ping)
	s.late = time.AfterFunc(time.Hour, s.tooSlow)
	s.late.Stop()
	return s
}

// serve carries operations until the socket is closed.
func (s *socket) serve(exec graphql.GraphExecutor) {
	connections := s.options.Connections
	connections.add(s)
	defer connections.remove(s)
	defer s.finish()
	defer func() { // as net/http does for requests
		if p := recover(); p != nil && s.options.Log != nil {
			s.options.Log.Error("panic", "part", "transport", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	gqlgen.Websocket{Implementation: accepted{s}, InitFunc: s.init}.Do(nil, (&http.Request{}).WithContext(s.ctx), exec)
}

func (s *socket) pingInterval() time.Duration {
	return cmp.Or(s.options.PingInterval, defaultPingInterval)
}

// ping notices clients that vanished, and keeps proxies from closing a quiet socket. Every client answers by itself.
// Between pings there is only a timer: most sockets are quiet, and there are many.
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
	switch err := s.conn.Ping(ctx); {
	case s.ctx.Err() != nil:
	case err != nil:
		s.drop()
	default:
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.closed {
			s.pingDue.Reset(s.pingInterval())
		}
	}
}

// tooSlow ends a socket whose client has not taken a message in time. It is told why if it takes the rest of the message
// at once; a client that comes back goes on behind its last cursor.
func (s *socket) tooSlow() {
	_ = s.wire.SetWriteDeadline(time.Now().Add(cmp.Or(s.options.Farewell, defaultFarewell)))
	s.end(func() {
		err := s.conn.Close(closeTryAgain, "Slow consumer")
		if s.options.Log != nil {
			s.options.Log.Debug("slow consumer", "transport", "websocket", "user", s.who().UserID, "messages", s.taken(), "told", err == nil)
		}
	})
}

// taken is how many messages the client has taken.
func (s *socket) taken() int {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.written
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
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options.Connections.end(len(s.running))
	s.running = nil // what is left sends nothing any more
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
// http.StatusTooManyRequests and http.StatusServiceUnavailable, only the operation refused.
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
	case !s.options.Connections.begin():
		return nil, http.StatusServiceUnavailable
	}
	s.lastID++
	op = &operation{ours: strconv.Itoa(s.lastID), theirs: theirs}
	s.running[op.ours], s.live[theirs] = op, op
	return op, 0
}

func (s *socket) maxOperations() int { return cmp.Or(s.options.MaxOperations, DefaultMaxOperations) }

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
		s.options.Connections.end(1)
		delete(s.running, ours)
		if s.live[op.theirs] == op {
			delete(s.live, op.theirs)
		}
	}
	return op.theirs, send
}
