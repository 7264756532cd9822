package account

import (
	"context"
	"fmt"
	"time"

	"kyrochat/kyro"
)

// Verifications is the part of the Store that uses up tokens which prove an address.
type Verifications interface {
	// MailToken reads a token that is good, without using it; INVALID_TOKEN for every other.
	MailToken(ctx context.Context, purpose kyro.TokenPurpose, hash string, now time.Time) (kyro.MailToken, error)
	// VerifyEmail uses up a token: the address of its user counts as confirmed, or the user is made whose registration it
	// has, and all other registrations of the address lose their force. INVALID_TOKEN for a token that is not good, for a
	// user that is deactivated, and where the address has got an account meanwhile. It gives the user.
	VerifyEmail(ctx context.Context, hash string, now time.Time, deeds ...kyro.AuditEntry) (kyro.ID, error)
	// ResetPassword uses up a token and sets the password. The address counts as confirmed, all sessions end, and other
	// mails lose their force but links that undo a change of the address; API keys are revoked where the address
	// had not been confirmed before. It gives what ended. INVALID_TOKEN as for VerifyEmail.
	ResetPassword(ctx context.Context, hash, passwordHash string, now time.Time, notice kyro.Letter, deeds ...kyro.AuditEntry) (ended []kyro.ID, err error)
}

// RequestEmailVerification mails a link that confirms the address, if it belongs to an account that has not done so, or to
// a registration that waits for it. The request stores one letter, whatever the address is, and answers the same. VALIDATION
// for what is no address.
func (s *Service) RequestEmailVerification(ctx context.Context, viewer kyro.Viewer, email string) error {
	return s.request(ctx, viewer, kyro.LetterVerification, email)
}

// request has a letter sent to whoever has the address.
func (s *Service) request(ctx context.Context, viewer kyro.Viewer, kind kyro.LetterKind, email string) error {
	address, err := NormalizeEmail(email)
	if err != nil {
		return err
	}
	if !s.mayMail(ctx, viewer, kind, address) {
		return nil
	}
	letter := s.letter(kind, address, kyro.ID{}, viewer, s.now())
	letter.SessionID = kyro.ID{} // whoever is signed in here need not be who has the address
	if err := s.store.AddLetter(ctx, letter); err != nil {
		return fmt.Errorf("ask for a %s letter: %w", kind, err)
	}
	return nil
}

// VerifyEmail confirms an address by the token of a mail: of an account, or of a registration, which makes the account.
// Whoever opens the link is not signed in by it. INVALID_TOKEN for a token that is not good, also where the address has
// got an account in another way meanwhile, or sign-up was closed.
func (s *Service) VerifyEmail(ctx context.Context, viewer kyro.Viewer, token string) error {
	if err := s.limitLinks(ctx, viewer); err != nil {
		return err
	}
	now, hash := s.now(), hashOf(token)
	known, err := s.store.MailToken(ctx, kyro.TokenVerifyEmail, hash, now)
	if err != nil {
		return fmt.Errorf("read a token: %w", err)
	}
	if known.UserID.IsZero() && s.signUp == kyro.SignUpClosed {
		return kyro.BadMailToken() // closed since then
	}
	deeds := []kyro.AuditEntry{byLink(viewer, kyro.AuditEmailVerified, now)}
	if known.UserID.IsZero() {
		deeds = append([]kyro.AuditEntry{byLink(viewer, kyro.AuditSignedUp, now)}, deeds...)
	}
	user, err := s.store.VerifyEmail(ctx, hash, now, deeds...)
	if !known.UserID.IsZero() {
		s.users.Forget(known.UserID, known.UserID)
	}
	if err != nil {
		return fmt.Errorf("verify an address: %w", err)
	}
	s.log.InfoContext(ctx, "address verified", "user", user.String(), "new", known.UserID.IsZero())
	return nil
}
