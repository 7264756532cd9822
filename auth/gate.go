package auth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"kyrochat/kyro"
)

// Authenticator says whether a session still lives, and whose API key it is that has the hash and is used from the
// address, which may be invalid. UNAUTHENTICATED where there is none; any other error means that nobody could tell.
type Authenticator interface {
	CheckSession(ctx context.Context, user, session kyro.ID, issued time.Time) error
	CheckKey(ctx context.Context, secretHash string, from netip.Addr) (kyro.APIKey, error)
}

// Gate finds out who is asking. It refuses nobody by itself: requests that need no user, such as logging in with
// a stale token still attached, must go on.
type Gate struct {
	// RequestID gives the id of a request, for its viewer; nil: none has one.
	RequestID func(context.Context) string

	tokens  *Tokens
	users   Authenticator
	trusted []netip.Prefix
	log     *slog.Logger
}

// NewGate makes a gate. trusted are the proxies whose X-Forwarded-For counts.
func NewGate(tokens *Tokens, users Authenticator, trusted []netip.Prefix, log *slog.Logger) *Gate {
	return &Gate{tokens: tokens, users: users, trusted: trusted, log: log.With("part", "auth")}
}

// Middleware puts the viewer into the context by "Authorization: Bearer …", with an access token or an API key.
// Credentials that are refused make a viewer who is nobody and carries the reason, which a use case gives to whoever has
// to sign in.
func (g *Gate) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		viewer, addr := kyro.Viewer{}, ClientAddr(r, g.trusted)
		if headers := r.Header.Values("Authorization"); len(headers) > 0 {
			var err error
			if viewer, err = g.viewer(r.Context(), strings.Join(headers, ","), addr); err != nil {
				viewer = kyro.Viewer{Rejected: g.reason(r.Context(), err)}
			}
		}
		viewer.Device, viewer.Network, viewer.Address = deviceOf(r, addr), networkOf(addr), addr
		if g.RequestID != nil {
			viewer.RequestID = g.RequestID(r.Context())
		}
		next.ServeHTTP(w, r.WithContext(kyro.WithViewer(r.Context(), viewer)))
	})
}

// viewer is the user of an Authorization header that came from the address.
func (g *Gate) viewer(ctx context.Context, authorization string, from netip.Addr) (kyro.Viewer, error) {
	scheme, token, _ := strings.Cut(strings.TrimSpace(authorization), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return kyro.Viewer{}, kyro.Errorf(kyro.CodeUnauthenticated, "The authorization must be \"Bearer\" and an access token or API key.")
	}
	if isAPIKey(token) {
		return g.holder(ctx, token, from)
	}
	claims, err := g.tokens.ParseAccess(token)
	if err != nil {
		return kyro.Viewer{}, err
	}
	if err := g.users.CheckSession(ctx, claims.UserID, claims.SessionID, claims.Issued); err != nil {
		return kyro.Viewer{}, &endedError{err}
	}
	return kyro.Viewer{UserID: claims.UserID, SessionID: claims.SessionID, Expires: claims.Expires}, nil
}

// holder is the user of an API key.
func (g *Gate) holder(ctx context.Context, secret string, from netip.Addr) (kyro.Viewer, error) {
	hash, ok := parseAPIKey(secret)
	if !ok {
		return kyro.Viewer{}, &endedError{kyro.BadAPIKey()}
	}
	key, err := g.users.CheckKey(ctx, hash, from)
	if err != nil {
		return kyro.Viewer{}, &endedError{err}
	}
	viewer := kyro.Viewer{UserID: key.UserID, KeyID: key.ID, Scopes: key.Scopes}
	if key.ExpiresAt != nil {
		viewer.Expires = *key.ExpiresAt
	}
	return viewer, nil
}

// endedError marks an error for which no fresh token helps: the session has ended, or the key does not work.
type endedError struct{ error }

func (e *endedError) Unwrap() error { return e.error }

// reason is what a viewer is told about refused credentials. A check that could not be made is logged here, and
// its details stay here.
func (g *Gate) reason(ctx context.Context, err error) *kyro.Error {
	var refused *kyro.Error
	if errors.As(err, &refused) && refused.Code == kyro.CodeUnauthenticated {
		return refused
	}
	if !errors.Is(err, context.Canceled) {
		g.log.WarnContext(ctx, "session or API key could not be checked", "error", err)
	}
	unknown := kyro.Errorf(kyro.CodeUnavailable, "Who you are cannot be checked right now. Try again in a few seconds.")
	unknown.RetryAfter = 2 * time.Second
	return unknown
}
