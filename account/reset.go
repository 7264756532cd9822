package account

import (
	"context"
	"fmt"

	"kyrochat/kyro"
)

// RequestPasswordReset mails a link for a new password, if the address has an account. The request stores one letter,
// whatever the address is, and answers the same. VALIDATION for what is no address.
func (s *Service) RequestPasswordReset(ctx context.Context, viewer kyro.Viewer, email string) error {
	return s.request(ctx, viewer, kyro.LetterPasswordReset, email)
}

// ResetPassword sets the password by the token of a mail, and tells the owner by mail. Nobody is signed in by it: all
// sessions end. It proves the address: where that had not been done before, API keys are revoked too, since somebody else
// may have made the account. INVALID_TOKEN for a token that is not good; WEAK_PASSWORD, after which it is still good.
func (s *Service) ResetPassword(ctx context.Context, viewer kyro.Viewer, token, password string) error {
	if err := s.limitLinks(ctx, viewer); err != nil {
		return err
	}
	now, hash := s.now(), hashOf(token)
	known, err := s.store.MailToken(ctx, kyro.TokenResetPassword, hash, now)
	if err != nil {
		return fmt.Errorf("read a token: %w", err)
	}
	owner, err := s.store.Credentials(ctx, known.UserID)
	if kyro.ErrorCode(err) == kyro.CodeNotFound {
		return kyro.BadMailToken() // purged since then
	}
	if err != nil {
		return fmt.Errorf("read the owner of a token: %w", err)
	}
	if err := s.checkNewPassword(password, owner.User.Email, owner.User.Name); err != nil {
		return atField(err, "newPassword")
	}
	passwordHash, err := s.hasher.Hash(ctx, password)
	if err != nil {
		return fmt.Errorf("hash a new password: %w", err)
	}
	notice := s.letter(kyro.LetterPasswordChanged, known.Email, known.UserID, kyro.Viewer{Device: viewer.Device}, now)
	ended, err := s.store.ResetPassword(ctx, hash, passwordHash, now, notice, byLink(viewer, kyro.AuditPasswordReset, now))
	s.changed(known.UserID, ended)
	if err != nil {
		return fmt.Errorf("reset a password: %w", err)
	}
	s.log.InfoContext(ctx, "password reset", "user", known.UserID.String(), "ended", len(ended))
	return nil
}
