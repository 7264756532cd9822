package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kyrochat/kyro"
)

// SignedIn is what a person gets who registered, logged in or refreshed: who they are and both tokens. The zero SignedIn
// is nobody's: of a registration that waits for its mail.
type SignedIn struct {
	User          kyro.User
	AccessToken   string
	AccessExpires time.Time
	RefreshToken  string
	// RefreshExpires is when the refresh token is over, unless it is used before.
	RefreshExpires time.Time
	DeviceToken    string // empty where none is made
}

// Register makes an account. All fields that are wrong are told together, joined by errors.Join: VALIDATION for the
// address and the name, WEAK_PASSWORD. Where signing up is OPEN it signs in at once, a link to confirm the address is
// mailed, and a taken address is EMAIL_TAKEN. Where it is VERIFIED the answer is nobody, always: a mail brings the link
// that makes the account, or says that there is one. Where it is CLOSED it is FORBIDDEN, before anything is looked at.
func (s *Service) Register(ctx context.Context, viewer kyro.Viewer, email, password, name string) (SignedIn, error) {
	if s.signUp == kyro.SignUpClosed {
		return SignedIn{}, kyro.Errorf(kyro.CodeForbidden, "Sign-up is closed on this server.")
	}
	address, emailErr := NormalizeEmail(email)
	name, nameErr := kyro.CheckUserName(name)
	if err := errors.Join(emailErr, s.checkNewPassword(password, email, name), nameErr); err != nil {
		return SignedIn{}, err
	}
	if err := s.limitSignUps(ctx, viewer); err != nil {
		return SignedIn{}, err
	}
	// The hash comes before the insert, so that a taken address costs the same time as a free one.
	hash, err := s.hasher.Hash(ctx, password)
	if err != nil {
		return SignedIn{}, fmt.Errorf("hash the password of a new account: %w", err)
	}
	now := s.now()
	by := kyro.Viewer{Device: viewer.Device, RequestID: viewer.RequestID} // who signs up is somebody new
	if s.signUp == kyro.SignUpVerified {
		if !s.mayRegister(ctx, address) {
			return SignedIn{}, nil
		}
		letter := s.letter(kyro.LetterRegistration, address, kyro.ID{}, by, now)
		letter.Name, letter.PasswordHash = name, hash
		if err := s.store.AddLetter(ctx, letter); err != nil {
			return SignedIn{}, fmt.Errorf("store a registration: %w", err)
		}
		return SignedIn{}, nil
	}
	account := kyro.NewUser{
		Email: address, Name: name, PasswordHash: hash, CreatedAt: now,
		Letters: []kyro.Letter{s.letter(kyro.LetterVerification, address, kyro.ID{}, by, now)},
	}
	signedUp := deedOf(by, kyro.ID{}, kyro.AuditSignedUp, now)
	signedUp.Actor = kyro.ActorUser
	user, session, err := s.store.CreateUser(ctx, account, newSession(kyro.ID{}, viewer.Device, now), signedUp)
	if err != nil {
		return SignedIn{}, fmt.Errorf("create an account: %w", err)
	}
	s.log.InfoContext(ctx, "registered", "user", user.ID.String())
	return s.signedInOn(s.tokens.Device(user.ID, now), user, session, now)
}

// LogIn starts a session. A wrong password, an unknown address and an account out of use are the same INVALID_CREDENTIALS
// after the same work, and count as a guess: RATE_LIMITED, without any, after several (see signInGuess). device is the token
// that the device was given before, if there was one. Beyond 20 live sessions the oldest ends.
func (s *Service) LogIn(ctx context.Context, viewer kyro.Viewer, email, password, device string) (SignedIn, error) {
	known, err := s.credentials(ctx, email)
	if err != nil {
		return SignedIn{}, fmt.Errorf("read the credentials of a log-in: %w", err)
	}
	if known.DeactivatedAt != nil {
		known = kyro.Credentials{} // like one that is not there
	}
	g, err := s.signInGuess(ctx, viewer, email, known, device)
	if err != nil {
		return SignedIn{}, err
	}
	ok, stale, err := s.verify(ctx, g, known.PasswordHash, password)
	if err != nil {
		return SignedIn{}, err
	}
	now := s.now()
	loggedIn := deedOf(viewer, known.User.ID, kyro.AuditLoggedIn, now)
	if !ok || known.User.ID.IsZero() {
		// With or without an account: the same work again.
		if err := s.store.Record(ctx, loggedIn.Refused("Wrong credentials.")); err != nil {
			return SignedIn{}, fmt.Errorf("note a log-in that was refused: %w", err)
		}
		return SignedIn{}, wrongCredentials()
	}
	if stale {
		s.renewHash(ctx, known, password)
	}
	loggedIn.Actor = kyro.ActorUser
	session, revoked, err := s.store.CreateSession(ctx, newSession(known.User.ID, viewer.Device, now), kyro.MaxSessionsPerUser, loggedIn)
	s.over(known.User.ID, revoked)
	if err != nil {
		return SignedIn{}, fmt.Errorf("create a session: %w", err)
	}
	if err := s.endLate(ctx, known, session, loggedIn); err != nil {
		return SignedIn{}, err
	}
	s.log.InfoContext(ctx, "logged in", "user", known.User.ID.String(), "session", session.ID.String())
	return s.signedInOn(s.deviceToken(known, device, now), known.User, session, now)
}

// endLate ends a session that was made from a password which was changed, or for an account that was deactivated, while it
// was verified: it came too late to end with the others. Whether it did is looked up after it is stored, so that one of
// the two sees the other.
func (s *Service) endLate(ctx context.Context, known kyro.Credentials, session kyro.Session, loggedIn kyro.AuditEntry) error {
	today, err := s.store.Credentials(ctx, known.User.ID)
	if err == nil && today.DeactivatedAt == nil && today.PasswordChangedAt.Equal(known.PasswordChangedAt) {
		return nil
	}
	if err != nil && kyro.ErrorCode(err) != kyro.CodeNotFound {
		err = fmt.Errorf("read the credentials of a log-in again: %w", err)
	} else {
		err = wrongCredentials()
	}
	ended := loggedIn.Following(kyro.AuditSessionRevoked, session.ID, "What it was begun with counts no more.")
	return errors.Join(err, s.end(context.WithoutCancel(ctx), known.User.ID, session.ID, loggedIn.At, ended))
}

func wrongCredentials() error {
	return kyro.Errorf(kyro.CodeInvalidCredentials, "The email address or the password is wrong.")
}

// credentials finds by address. An address that has no account, or cannot be one, gives empty credentials, whose
// empty hash is verified like any other.
func (s *Service) credentials(ctx context.Context, email string) (kyro.Credentials, error) {
	address, err := NormalizeEmail(email)
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

// signedInOn is signedIn on a device, which gets its token.
func (s *Service) signedInOn(device string, user kyro.User, session kyro.Session, now time.Time) (SignedIn, error) {
	in, err := s.signedIn(user, session, now)
	if err == nil {
		in.DeviceToken = device
	}
	return in, err
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
