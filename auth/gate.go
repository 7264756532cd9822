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

// Authenticator says whether a session still lives. UNAUTHENTICATED where it does not; any other error means that
// nobody could tell.
type Authenticator interface {
	CheckSession(ctx context.Context, user, session kyro.ID, issued time.Time) error
}

// Gate finds out who is asking. It refuses nobody by itself: requests that need no user, such as logging in with
// a stale token still attached, must go on.
type Gate struct {
	tokens   *Tokens
	sessions Authenticator
	trusted  []netip.Prefix
	log      *slog.Logger
}

// NewGate makes a gate. trusted are the proxies whose X-Forwarded-For counts.
func NewGate(tokens *Tokens, sessions Authenticator, trusted []netip.Prefix, log *slog.Logger) *Gate {
	return &Gate{tokens: tokens, sessions: sessions, trusted: trusted, log: log.With("part", "auth")}
}

// Middleware puts the viewer into the context by "Authorization: Bearer …". Credentials that are refused make a
// viewer who is nobody and carries the reason, which a use case gives to whoever has to sign in.
func (g *Gate) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		viewer := kyro.Viewer{}
		if headers := r.Header.Values("Authorization"); len(headers) > 0 {
			var err error
			if viewer, err = g.viewer(r.Context(), strings.Join(headers, ",")); err != nil {
				viewer = kyro.Viewer{Rejected: g.reason(r.Context(), err)}
			}
		}
		addr := ClientAddr(r, g.trusted)
		viewer.Device, viewer.Network = deviceOf(r, addr), networkOf(addr)
		next.ServeHTTP(w, r.WithContext(kyro.WithViewer(r.Context(), viewer)))
	})
}

// viewer is the user of an Authorization header.
func (g *Gate) viewer(ctx context.Context, authorization string) (kyro.Viewer, error) {
	scheme, token, _ := strings.Cut(strings.TrimSpace(authorization), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return kyro.Viewer{}, kyro.Errorf(kyro.CodeUnauthenticated, "The authorization must be \"Bearer\" and an access token.")
	}
	claims, err := g.tokens.ParseAccess(token)
	if err != nil {
		return kyro.Viewer{}, err
	}
	if err := g.sessions.CheckSession(ctx, claims.UserID, claims.SessionID, claims.Issued); err != nil {
		return kyro.Viewer{}, &sessionError{err}
	}
	return kyro.Viewer{UserID: claims.UserID, SessionID: claims.SessionID, Expires: claims.Expires}, nil
}

// sessionError marks an error of the session check, after the token itself was found good.
type sessionError struct{ error }

func (e *sessionError) Unwrap() error { return e.error }

// reason is what a viewer is told about refused credentials. A check that could not be made is logged here, and
// its details stay here.
func (g *Gate) reason(ctx context.Context, err error) *kyro.Error {
	var refused *kyro.Error
	if errors.As(err, &refused) && refused.Code == kyro.CodeUnauthenticated {
		return refused
	}
	if !errors.Is(err, context.Canceled) {
		g.log.WarnContext(ctx, "session could not be checked", "error", err)
	}
	unknown := kyro.Errorf(kyro.CodeUnavailable, "The session cannot be checked right now. Try again in a few seconds.")
	unknown.RetryAfter = 2 * time.Second
	return unknown
}
