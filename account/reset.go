package account

import (
	"context"

	"kyrochat/kyro"
)

// RequestPasswordReset mails a link for a new password, if the address has an account.
func (s *Service) RequestPasswordReset(ctx context.Context, viewer kyro.Viewer, email string) error {
	if !s.mayMail(ctx, viewer, email) {
		return nil
	}
	return unbuilt()
}

// ResetPassword sets the password by the token of a mail.
func (s *Service) ResetPassword(ctx context.Context, viewer kyro.Viewer, token, password string) error {
	if err := s.limitLinks(ctx, viewer); err != nil {
		return err
	}
	return unbuilt()
}

// RequestEmailVerification mails a link that confirms the address.
func (s *Service) RequestEmailVerification(ctx context.Context, viewer kyro.Viewer, email string) error {
	if !s.mayMail(ctx, viewer, email) {
		return nil
	}
	return unbuilt()
}

// VerifyEmail confirms an address by the token of a mail.
func (s *Service) VerifyEmail(ctx context.Context, viewer kyro.Viewer, token string) error {
	if err := s.limitLinks(ctx, viewer); err != nil {
		return err
	}
	return unbuilt()
}
