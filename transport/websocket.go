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
	gqlgen "github.com/99designs/gqlgen/graphql/handler/transport"
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
	messageNext        = "next"
	messageError       = "error"
	messageComplete    = "complete"
	messagePing        = "ping"
	messagePong        = "pong"
	maxOperationIDSize = 256 // bytes
)

// Websocket carries operations over graphql-transport-ws. gqlgen runs the operations; this checks every message,
// keeps the limits and closes with the codes of the protocol. Zero fields take the defaults, but for Connections.
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
	Rates         Rates            // whose Connects bound how often sockets are opened; then 429; none

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

// Do accepts a socket, which is served until it is closed; the request is over before, so that nothing is kept of what
// net/http holds for it.
func (t *Websocket) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	if why := t.Connections.enter(); why != nil {
		refuse(w, r, "", why)
		return
	}
	s := t.accept(w, r)
	if s == nil {
		t.Connections.leave()
		return
	}
	go func() {
		defer t.Connections.leave()
		s.serve(exec)
	}()
}

// accept makes a socket of a request; nil where it was refused, which has been answered.
func (t *Websocket) accept(w http.ResponseWriter, r *http.Request) *socket {
	if !t.allows(r) {
		refuse(w, r, "", &refusal{status: http.StatusForbidden, code: string(kyro.CodeForbidden),
			message: "Pages of this origin may not connect; the server's operator can allow them."})
		return nil
	}
	if why := t.Rates.connect(r.Context()); why != nil {
		refuse(w, r, "", why)
		return nil
	}
	taken := &takenOver{ResponseWriter: w}
	conn, err := websocket.Accept(taken, r, &websocket.AcceptOptions{
		Subprotocols: []string{subprotocol}, CompressionMode: websocket.CompressionDisabled,
		InsecureSkipVerify: true, // of the origin, which was checked
	})
	if err != nil {
		return nil // Accept has answered
	}
	if conn.Subprotocol() != subprotocol {
		_ = conn.Close(closeSubprotocol, "Subprotocol not acceptable")
		return nil
	}
	conn.SetReadLimit(cmp.Or(t.MaxMessage, DefaultMaxBody))
	ctx := context.WithValue(context.Background(), requestIDKey{}, RequestIDFrom(r.Context()))
	return newSocket(t, conn, taken.conn, kyro.WithViewer(ctx, kyro.ViewerFrom(r.Context())))
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
	if !s.options.Connections.admit(s, cmp.Or(s.options.MaxSockets, DefaultMaxSockets)) {
		s.close(closeTooMany, "Too many connections")
		return ctx, nil, errors.New("too many connections")
	}
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
