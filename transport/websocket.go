package transport

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"

	"kyrochat/kyro"
)

// subprotocol is the only one spoken; its legacy predecessor cannot tell clients why a socket was closed.
const subprotocol = "graphql-transport-ws"

// Close codes: those of graphql-transport-ws, and 1001 for a server that goes away, which clients answer by
// connecting again after a while.
const (
	closeGoingAway     = 1001
	closeTryAgain      = 1013
	closeBadMessage    = 4400
	closeUnauthorized  = 4401
	closeForbidden     = 4403
	closeSubprotocol   = 4406
	closeInitTimeout   = 4408
	closeDuplicateID   = 4409
	closeSecondInit    = 4429
	closeTooMany       = 4429
	maxCloseReason     = 123 // bytes (RFC 6455 §5.5.1)
	messageConnInit    = "connection_init"
	messageConnAck     = "connection_ack"
	messageSubscribe   = "subscribe"
	messageError       = "error"
	messageComplete    = "complete"
	messagePing        = "ping"
	messagePong        = "pong"
	maxOperationIDSize = 256 // bytes
)

// Websocket carries operations over graphql-transport-ws: it checks every message, keeps the limits and closes with the
// codes of the protocol. Zero fields take the defaults, but for Connections.
type Websocket struct {
	// Init finds out who opens the socket, from the payload of connection_init. An error that has a method
	// WebsocketClose() (code int, reason string) closes the socket with these; any other with 4403.
	Init func(ctx context.Context, payload map[string]any) (kyro.Viewer, error)
	// AllowOrigin says whether pages of an origin may connect; those of the server's own host may always. nil
	// allows no other.
	AllowOrigin func(origin string) bool

	InitTimeout   time.Duration    // until connection_init; 5 s, then 4408
	WriteTimeout  time.Duration    // of one message; 5 s, then 1013 for a client that reads on at once, or none
	Farewell      time.Duration    // for a client that was too slow to take the rest of the message, and the close; 1 s
	PingInterval  time.Duration    // between pings (RFC 6455); 25 s
	PongTimeout   time.Duration    // until the pong; 10 s, then the socket is dropped
	ExpiryGrace   time.Duration    // after the access token's end; 5 s, then 4403 "token expired"
	MaxMessage    int64            // bytes of a client's message; 256 KiB, then 1009
	MaxOperations int              // at once on one socket; 100, then an error message
	MaxSockets    int              // of one user; 10, then 4429 for the new one
	Now           func() time.Time // time.Now
	Log           *slog.Logger     // of clients that are too slow, at debug; none
	Rates         Rates            // whose Connects bound how often sockets are opened; then 429; and whose Messages what comes on each; none

	Measure Measure     // its operations; sockets are counted by Connections
	Traces  kyro.Traces // of its operations; nil: nothing is traced

	// Connections are where its sockets are kept; several transports may share them.
	Connections *Connections
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

// Do opens a socket, which is served until it is closed. It returns at once: what net/http holds for a request, its
// goroutine among it, takes more memory than an idle socket.
func (t *Websocket) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	if why := t.Connections.enter(); why != nil {
		refuse(w, r, "", why)
		return
	}
	conn, line := t.accept(w, r)
	if conn == nil {
		t.Connections.leave()
		return
	}
	conn.SetReadLimit(cmp.Or(t.MaxMessage, DefaultMaxBody))
	s := newSocket(t, conn, r, exec)
	line.slow = s.tooSlow
	go func() {
		defer t.Connections.leave()
		defer s.finish()
		t.Connections.add(s)
		defer t.Connections.remove(s)
		s.serve()
	}()
}

// accept makes the connection a websocket; nil where it has been refused.
func (t *Websocket) accept(w http.ResponseWriter, r *http.Request) (*websocket.Conn, *line) {
	if !t.allows(r) {
		refuse(w, r, "", &refusal{status: http.StatusForbidden, code: string(kyro.CodeForbidden),
			message: "Pages of this origin may not connect; the server's operator can allow them."})
		return nil, nil
	}
	if why := t.Rates.connect(r.Context()); why != nil {
		refuse(w, r, "", why)
		return nil, nil
	}
	line := newLine(cmp.Or(t.WriteTimeout, defaultWriteTimeout), cmp.Or(t.Farewell, defaultFarewell))
	conn, err := websocket.Accept(taken{w, line}, r, &websocket.AcceptOptions{
		Subprotocols: []string{subprotocol}, CompressionMode: websocket.CompressionDisabled,
		InsecureSkipVerify: true, // of the origin, which was checked
	})
	if err != nil {
		return nil, nil // Accept has answered
	}
	if conn.Subprotocol() != subprotocol {
		_ = conn.Close(closeSubprotocol, "Subprotocol not acceptable")
		return nil, nil
	}
	return conn, line
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

// init finds out who has opened the socket, or gives the code to close it with.
func (s *socket) init(payload map[string]any) (code int, reason string) {
	limited, cancel := context.WithTimeout(s.ctx, cmp.Or(s.options.InitTimeout, defaultInitTimeout))
	defer cancel()
	viewer := kyro.ViewerFrom(s.ctx)
	if s.options.Init != nil {
		var err error
		if viewer, err = s.options.Init(limited, payload); err != nil {
			return refused(err)
		}
	}
	s.signedIn(viewer)
	if !s.options.Connections.admit(s, cmp.Or(s.options.MaxSockets, DefaultMaxSockets), s.options.Rates.ofNobody()) {
		return closeTooMany, "Too many connections"
	}
	if s.options.Init != nil && viewer.SignedIn() {
		// CloseCredential looks at sockets that are signed in: a session that ended a moment ago must not slip through.
		if _, err := s.options.Init(limited, payload); err != nil {
			return refused(err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signed = kyro.WithViewer(s.ctx, viewer)
	return 0, ""
}

// refused is how a socket is closed for an error of Init.
func refused(err error) (code int, reason string) {
	var told interface{ WebsocketClose() (int, string) }
	if errors.As(err, &told) {
		return told.WebsocketClose()
	}
	return closeForbidden, "Forbidden"
}
