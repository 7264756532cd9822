package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kyrochat/kyro"
)

// SignedIn is what a person gets who registered, logged in or refreshed: who they are and both tokens.
type SignedIn struct {
	User          kyro.User
	AccessToken   string
	AccessExpires time.Time
	RefreshToken  string
	// RefreshExpires is when the refresh token is over, unless it is used before.
	RefreshExpires time.Time
	DeviceToken    string // empty where none is made
}

// Register makes an account and signs it in at once. All fields that are wrong are told together, joined by
// errors.Join: VALIDATION for the address and the name, WEAK_PASSWORD. A taken address is EMAIL_TAKEN where
// signing up is OPEN. Any other mode answers FORBIDDEN, before anything is looked at: VERIFIED too, which
// gives no tokens before a mail is confirmed.
func (s *Service) Register(ctx context.Context, viewer kyro.Viewer, email, password, name string) (SignedIn, error) {
	if s.signUp != kyro.SignUpOpen {
		return SignedIn{}, kyro.Errorf(kyro.CodeForbidden, "Sign-up is closed on this server.")
	}
	address, emailErr := kyro.NormalizeEmail(email)
	name, nameErr := kyro.CheckUserName(name)
	if err := errors.Join(emailErr, kyro.CheckPassword(password), nameErr); err != nil {
		return SignedIn{}, err
	}
	// The hash comes before the insert, so that a taken address costs the same time as a free one.
	hash, err := s.hasher.Hash(ctx, password)
	if err != nil {
		return SignedIn{}, fmt.Errorf("hash the password of a new account: %w", err)
	}
	now := s.now()
	account := kyro.NewUser{Email: address, Name: name, PasswordHash: hash, CreatedAt: now}
	user, session, err := s.store.CreateUser(ctx, account, newSession(kyro.ID{}, viewer.Device, now))
	if err != nil {
		return SignedIn{}, fmt.Errorf("create an account: %w", err)
	}
	s.log.InfoContext(ctx, "registered", "user", user.ID.String())
	return s.signedIn(user, session, now)
}

// LogIn starts a session. A wrong password, an unknown address and an account out of use are the same INVALID_CREDENTIALS
// after the same work. Beyond 20 live sessions the oldest ends.
func (s *Service) LogIn(ctx context.Context, viewer kyro.Viewer, email, password, device string) (SignedIn, error) {
	known, err := s.credentials(ctx, email)
	if err != nil {
		return SignedIn{}, fmt.Errorf("read the credentials of a log-in: %w", err)
	}
	ok, stale, err := s.hasher.Verify(ctx, known.PasswordHash, password)
	if err != nil {
		return SignedIn{}, fmt.Errorf("verify a password: %w", err)
	}
	if !ok || known.User.ID.IsZero() || known.DeactivatedAt != nil {
		return SignedIn{}, badCredentials()
	}
	if stale {
		s.renewHash(ctx, known, password)
	}
	now := s.now()
	session, revoked, err := s.store.CreateSession(ctx, newSession(known.User.ID, viewer.Device, now), kyro.MaxSessionsPerUser)
	if err != nil {
		return SignedIn{}, fmt.Errorf("create a session: %w", err)
	}
	for _, former := range revoked {
		s.sessions.Forget(known.User.ID, former)
		s.ended(former)
	}
	if err := s.recheck(ctx, known, session, now); err != nil {
		return SignedIn{}, err
	}
	s.log.InfoContext(ctx, "logged in", "user", known.User.ID.String(), "session", session.ID.String())
	return s.signedIn(known.User, session, now)
}

// credentials finds by address. An address that has no account, or cannot be one, gives empty credentials, whose
// empty hash is verified like any other.
func (s *Service) credentials(ctx context.Context, email string) (kyro.Credentials, error) {
	address, err := kyro.NormalizeEmail(email)
	if err != nil {
		// A sure miss keeps the work the same as for an address without an account.
		address = ""
	}
	known, err := s.store.CredentialsByEmail(ctx, address)
	if kyro.ErrorCode(err) == kyro.CodeNotFound {
		return kyro.Credentials{}, nil
	}
	return known, err
}

// renewHash stores the password under today's parameters. Signing in does not depend on it: where it fails, the
// next log-in tries again.
func (s *Service) renewHash(ctx context.Context, known kyro.Credentials, password string) {
	hash, err := s.hasher.Hash(ctx, password)
	if err == nil {
		err = s.store.SetPasswordHash(ctx, known.User.ID, known.PasswordHash, hash)
	}
	if err != nil {
		s.log.WarnContext(ctx, "password hash not renewed", "user", known.User.ID.String(), "error", err)
	}
}

func newSession(user kyro.ID, device kyro.Device, now time.Time) kyro.Session {
	return kyro.Session{
		UserID: user, Counter: 1, Device: device, RotatedAt: now, CreatedAt: now, LastUsedAt: now,
		ExpiresAt: now.Add(kyro.SessionMaxAge),
	}
}

func (s *Service) signedIn(user kyro.User, session kyro.Session, now time.Time) (SignedIn, error) {
	token, expires, err := s.tokens.Access(user.ID, session.ID, now)
	if err != nil {
		return SignedIn{}, fmt.Errorf("make an access token: %w", err)
	}
	return SignedIn{
		User: user, AccessToken: token, AccessExpires: expires,
		RefreshToken: s.tokens.Refresh(session.ID, session.Counter), RefreshExpires: session.RefreshEnds(s.idle),
	}, nil
}

func badCredentials() error {
	return kyro.Errorf(kyro.CodeInvalidCredentials, "The email address or the password is wrong.")
}
