package auth

import (
	"context"
	"errors"

	"kyrochat/kyro"
)

// Close codes of a websocket whose connection_init was refused. Clients try 4403 and 1013 again, with a fresh
// token where they have one, and take 4401 as the end.
const (
	closeTryAgain     = 1013
	closeUnauthorized = 4401
	closeForbidden    = 4403
)

// InitError is a refused connection_init: the code and reason the socket is closed with.
type InitError struct {
	Code   int
	Reason string
	cause  error
}

// Error names the cause, for logs.
func (e *InitError) Error() string { return e.Reason + ": " + e.cause.Error() }

// Unwrap gives the cause.
func (e *InitError) Unwrap() error { return e.cause }

// WebsocketClose is how the socket is closed.
func (e *InitError) WebsocketClose() (code int, reason string) { return e.Code, e.Reason }

// WebsocketInit finds out who opens a socket, by the authorization of the connection_init payload: "Bearer …"
// under the key authorization, in lower case or capitalised, with an access token or an API key. Without one it is
// whoever sent the HTTP request that became the socket, which may be nobody. A token that is malformed or expired closes
// the socket with 4403, a session that ended and an API key that does not work with 4401, and a check that could not be
// made with 1013; all of them are *InitError.
func (g *Gate) WebsocketInit(ctx context.Context, payload map[string]any) (kyro.Viewer, error) {
	before := kyro.ViewerFrom(ctx)
	value, found := payload["authorization"]
	if !found {
		value, found = payload["Authorization"]
	}
	if !found || value == nil {
		return before, nil
	}
	text, _ := value.(string)
	viewer, err := g.viewer(ctx, text, before.Address)
	if err != nil {
		return kyro.Viewer{}, g.refuse(ctx, err)
	}
	viewer.Device, viewer.Network, viewer.Address, viewer.RequestID = before.Device, before.Network, before.Address, before.RequestID
	return viewer, nil
}

func (g *Gate) refuse(ctx context.Context, err error) error {
	reason := g.reason(ctx, err)
	var over *endedError
	switch {
	case reason.Code != kyro.CodeUnauthenticated:
		return &InitError{closeTryAgain, "Try again later", reason}
	case errors.As(err, &over):
		return &InitError{closeUnauthorized, "Unauthorized", reason}
	default:
		return &InitError{closeForbidden, "Forbidden", reason}
	}
}
