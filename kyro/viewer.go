package kyro

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Viewer is who is asking. It is an explicit argument of every use case; a context carries it only from the
// transport to the resolver. The zero Viewer is nobody.
type Viewer struct {
	UserID    ID        // zero: nobody is signed in
	SessionID ID        // the session the access token belongs to; zero for an API key
	KeyID     ID        // the API key; zero for a session
	Scopes    []Scope   // of the API key
	Expires   time.Time // when the access token or the key ends; zero for nobody, and for a key that does not end
	RequestID string    // of the request, for the audit log
	Rejected  *Error    // set when credentials were sent and refused; the viewer is nobody then
	Device    Device    // where the request comes from
	// Network is the sender's IPv4 address, or the /64 of an IPv6 address, which is what one household or server
	// has: what limits go by where nobody is signed in. It is never stored.
	Network netip.Prefix
	Address netip.Addr // the sender's, for the networks that API keys are bound to; never stored and never logged
}

// Device is what is known about the sender of a request, for the list of sessions, the audit log and mails.
type Device struct {
	UserAgent     string // at most 255 bytes
	AddressPrefix string // the /24 or /48 network of the address, never the whole address
}

// SignedIn reports whether the viewer is a user, in person or by an API key.
func (v Viewer) SignedIn() bool { return !v.UserID.IsZero() }

// Is reports whether the viewer is the user with the ID.
func (v Viewer) Is(user ID) bool { return v.SignedIn() && v.UserID == user }

// Credential is what the viewer is signed in by: the session or the API key; zero for nobody.
func (v Viewer) Credential() ID {
	if !v.KeyID.IsZero() {
		return v.KeyID
	}
	return v.SessionID
}

// May reports whether the viewer has one of the rights: a person with a session has all of them, an API key those of
// its scopes.
func (v Viewer) May(scopes ...Scope) bool {
	if !v.SignedIn() {
		return false
	}
	return v.KeyID.IsZero() || slices.ContainsFunc(scopes, func(s Scope) bool { return slices.Contains(v.Scopes, s) })
}

// BadCredential is the one answer to every bearer token that is none, or is none any more, be it an access token or an API
// key: what is wrong with it says nothing to whoever made it up.
func BadCredential() *Error {
	return Errorf(CodeUnauthenticated,
		"The access token or API key is not valid, or no longer, or not from here. Refresh the session, sign in again, or use another key.")
}

// MustSignIn answers UNAUTHENTICATED unless the viewer is a user, by whatever means. Credentials that were refused say
// why. It is for what every API key may do.
func (v Viewer) MustSignIn() error {
	switch {
	case v.SignedIn():
		return nil
	case v.Rejected != nil:
		return v.Rejected
	default:
		return Errorf(CodeUnauthenticated, "Sign in first: send an access token as \"Authorization: Bearer …\".")
	}
}

// Must is MustSignIn, and FORBIDDEN for an API key that has none of the scopes.
func (v Viewer) Must(scopes ...Scope) error {
	if err := v.MustSignIn(); err != nil || v.May(scopes...) {
		return err
	}
	names := make([]string, len(scopes))
	for i, scope := range scopes {
		names[i] = string(scope)
	}
	return Errorf(CodeForbidden, "This API key may not do that: it takes a key with the scope %s.", strings.Join(names, " or "))
}

// MustBePerson is MustSignIn, and FORBIDDEN for every API key: for what is about the account, and for what no scope covers.
func (v Viewer) MustBePerson() error {
	if err := v.MustSignIn(); err != nil || v.KeyID.IsZero() {
		return err
	}
	return Errorf(CodeForbidden, "API keys may not do that: sign in, and send an access token.")
}

// MustFor is Must for a use case about the object of an id, which must be of the kind: BAD_USER_INPUT where it is not.
// What somebody may not do at all is refused before anything is said of the id.
func (v Viewer) MustFor(id ID, kind Kind, scopes ...Scope) error {
	if err := v.Must(scopes...); err != nil {
		return err
	}
	return id.Expect(kind)
}

// MustSignInFor is MustFor for what every API key may do.
func (v Viewer) MustSignInFor(id ID, kind Kind) error {
	if err := v.MustSignIn(); err != nil {
		return err
	}
	return id.Expect(kind)
}

// MustBePersonFor is MustFor for what no API key may do.
func (v Viewer) MustBePersonFor(id ID, kind Kind) error {
	if err := v.MustBePerson(); err != nil {
		return err
	}
	return id.Expect(kind)
}

type viewerKey struct{}

// WithViewer carries the viewer from the transport to the resolvers.
func WithViewer(ctx context.Context, v Viewer) context.Context {
	return context.WithValue(ctx, viewerKey{}, v)
}

// ViewerFrom gives the viewer that WithViewer put there, or nobody.
func ViewerFrom(ctx context.Context) Viewer {
	v, _ := ctx.Value(viewerKey{}).(Viewer)
	return v
}
