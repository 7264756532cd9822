package kyro

import (
	"context"
	"net/netip"
	"time"
)

// Viewer is who is asking. It is an explicit argument of every use case; a context carries it only from the
// transport to the resolver. The zero Viewer is nobody.
type Viewer struct {
	UserID    ID        // zero: nobody is signed in
	SessionID ID        // the session the access token belongs to
	Expires   time.Time // when the access token ends; zero for nobody
	Rejected  *Error    // set when credentials were sent and refused; the viewer is nobody then
	Device    Device    // where the request comes from
	// Network is the sender's IPv4 address, or the /64 of an IPv6 address, which is what one household or server
	// has: what limits go by where nobody is signed in. It is never stored.
	Network netip.Prefix
}

// Device is what is known about the sender of a request, for the list of sessions.
type Device struct {
	UserAgent     string // at most 255 bytes
	AddressPrefix string // the /24 or /48 network of the address, never the whole address
}

// SignedIn reports whether the viewer is a user.
func (v Viewer) SignedIn() bool { return !v.UserID.IsZero() }

// Is reports whether the viewer is the user with the ID.
func (v Viewer) Is(user ID) bool { return v.SignedIn() && v.UserID == user }

// MustSignIn answers UNAUTHENTICATED unless the viewer is a user. Credentials that were refused say why.
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

// MustSignInFor is MustSignIn for a use case about the object of an id, which must be of the kind: BAD_USER_INPUT
// where it is not.
func (v Viewer) MustSignInFor(id ID, kind Kind) error {
	if err := v.MustSignIn(); err != nil {
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
