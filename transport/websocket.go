package transport

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"kyrochat/kyro"

	"github.com/99designs/gqlgen/graphql"
	gqlgen "github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/coder/websocket"
)

// subprotocol is the only one spoken; its legacy predecessor cannot tell clients why a socket was closed.
const subprotocol = "graphql-transport-ws"

// Close codes: those of graphql-transport-ws, and 1001 for a server that goes away, which clients answer by
// connecting again after a while.
const (
	closeGoingAway     = 1001
	closeBadMessage    = 4400
	closeUnauthorized  = 4401
	closeForbidden     = 4403
	closeSubprotocol   = 4406
	closeInitTimeout   = 4408
	closeDuplicateID   = 4409
	closeSecondInit    = 4429
	maxCloseReason     = 123 // bytes (RFC 6455 §5.5.1)
	messageConnInit    = "connection_init"
	messageConnAck     = "connection_ack"
	messageSubscribe   = "subscribe"
	messageNext        = "next"
	messageError       = "error"
	messageComplete    = "complete"
	messagePing        = "ping"
	messagePong        = "pong"
	maxOperationIDSize = 256 // bytes
)

// Websocket carries operations over graphql-transport-ws. gqlgen runs the operations; this checks every message,
// keeps the limits and closes with the codes of the protocol. Zero fields take the defaults. One value serves all
// sockets and must not be copied.
type Websocket struct {
	// Init finds out who opens the socket, from the payload of connection_init. An error that has a method
	// WebsocketClose() (code int, reason string) closes the socket with these; any other with 4403.
	Init func(ctx context.Context, payload map[string]any) (kyro.Viewer, error)
	// AllowOrigin says whether pages of an origin may connect; those of the server's own host may always. nil
	// allows no other.
	AllowOrigin func(origin string) bool

	InitTimeout   time.Duration    // until connection_init; 5 s, then 4408
	WriteTimeout  time.Duration    // of one message; 5 s, then the socket is dropped
	PingInterval  time.Duration    // between pings (RFC 6455); 25 s
	PongTimeout   time.Duration    // until the pong; 10 s, then the socket is dropped
	ExpiryGrace   time.Duration    // after the access token's end; 5 s, then 4403 "token expired"
	MaxMessage    int64            // bytes of a client's message; 256 KiB, then 1009
	MaxOperations int              // at once on one socket; 100, then an error message
	Now           func() time.Time // time.Now

	mu      sync.Mutex
	sockets map[*socket]struct{}
	closing bool
	serving sync.WaitGroup
}

var _ graphql.Transport = (*Websocket)(nil)

// Supports takes requests to become a websocket. Other upgrades, such as h2c, are offers that may be left.
func (t *Websocket) Supports(r *http.Request) bool {
	for _, header := range r.Header.Values("Upgrade") {
		for each := range strings.SplitSeq(header, ",") {
			if strings.EqualFold(strings.TrimSpace(each), "websocket") {
				return true
			}
		}
	}
	return false
}

// Do serves one socket until it is closed.
func (t *Websocket) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	if !t.enter() {
		refuse(w, r, "", &refusal{status: http.StatusServiceUnavailable, code: string(kyro.CodeUnavailable), message: "The server is shutting down."})
		return
	}
	defer t.serving.Done()
	if !t.allows(r) {
		refuse(w, r, "", &refusal{status: http.StatusForbidden, code: string(kyro.CodeForbidden), message: "Pages of this origin may not connect; the server's operator can allow them."})
		return
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols: []string{subprotocol}, CompressionMode: websocket.CompressionDisabled,
		InsecureSkipVerify: true, // of the origin, which was checked
	})
	if err != nil {
		return // Accept has answered
	}
	if conn.Subprotocol() != subprotocol {
		_ = conn.Close(closeSubprotocol, "Subprotocol not acceptable")
		return
	}
	conn.SetReadLimit(cmp.Or(t.MaxMessage, DefaultMaxBody))
	s := newSocket(t, conn, r.Context())
	defer s.finish()
	t.add(s)
	defer t.remove(s)
	gqlgen.Websocket{Implementation: accepted{s}, InitFunc: s.init}.Do(w, r.WithContext(s.ctx), exec)
}

// allows checks the origin of the page that connects. Other clients name none.
func (t *Websocket) allows(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || t.AllowOrigin != nil && t.AllowOrigin(origin) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

// accepted hands gqlgen a socket that was accepted before.
type accepted struct{ *socket }

// Accept gives the socket.
func (a accepted) Accept(http.ResponseWriter, *http.Request, gqlgen.WebsocketAcceptOptions) (gqlgen.WebsocketConn, error) {
	return a.socket, nil
}

// enter counts a socket that is about to be served, unless the server goes away.
func (t *Websocket) enter() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closing {
		return false
	}
	t.serving.Add(1)
	return true
}

func (t *Websocket) add(s *socket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sockets == nil {
		t.sockets = map[*socket]struct{}{}
	}
	t.sockets[s] = struct{}{}
	if t.closing {
		s.close(closeGoingAway, "Going away")
	}
}

func (t *Websocket) remove(s *socket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.sockets, s)
}

// CloseSession closes the sockets of a session that ended, with 4401, which clients do not try again.
func (t *Websocket) CloseSession(session kyro.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range t.sockets {
		if s.sessionID() == session {
			s.close(closeUnauthorized, "Unauthorized")
		}
	}
}

// Settle waits until no socket has an operation under way, or ctx ends: what has just been finished reaches its
// readers before the sockets are closed.
func (t *Websocket) Settle(ctx context.Context) {
	tick := time.NewTicker(settleInterval)
	defer tick.Stop()
	for t.busy() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (t *Websocket) busy() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range t.sockets {
		if s.busy() {
			return true
		}
	}
	return false
}

// CloseAll refuses new sockets, closes the open ones with 1001, and waits for their end. Those that are still
// there when ctx ends are left to their own time limits, ten seconds at most; the error is ctx's then.
// http.Server.Shutdown does not know websockets, so this comes before it.
func (t *Websocket) CloseAll(ctx context.Context) error {
	t.mu.Lock()
	t.closing = true
	for s := range t.sockets {
		s.close(closeGoingAway, "Going away")
	}
	t.mu.Unlock()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		t.serving.Wait()
	}()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// init is gqlgen's InitFunc of one socket. It always gives a context, which gqlgen reads even beside an error.
func (s *socket) init(ctx context.Context, payload gqlgen.InitPayload) (context.Context, *gqlgen.InitPayload, error) {
	limited, cancel := context.WithTimeout(ctx, cmp.Or(s.options.InitTimeout, defaultInitTimeout))
	defer cancel()
	viewer := kyro.ViewerFrom(ctx)
	if s.options.Init != nil {
		var err error
		if viewer, err = s.options.Init(limited, payload); err != nil {
			return ctx, nil, s.refused(err)
		}
	}
	s.signedIn(viewer)
	if s.options.Init != nil && !viewer.SessionID.IsZero() {
		// CloseSession looks at sockets that are signed in: a session that ended a moment ago must not slip through.
		if _, err := s.options.Init(limited, payload); err != nil {
			return ctx, nil, s.refused(err)
		}
	}
	return kyro.WithViewer(ctx, viewer), nil, nil
}

// refused closes the socket with what the error of Init says.
func (s *socket) refused(err error) error {
	code, reason := closeForbidden, "Forbidden"
	var told interface{ WebsocketClose() (int, string) }
	if errors.As(err, &told) {
		code, reason = told.WebsocketClose()
	}
	s.close(code, reason)
	return err
}
