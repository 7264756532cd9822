package account

import (
	"context"

	"kyrochat/kyro"
)

// UpdateProfile changes the viewer's profile.
func (s *Service) UpdateProfile(ctx context.Context, viewer kyro.Viewer, patch kyro.UserPatch) (kyro.User, error) {
	return kyro.User{}, unbuilt()
}

// ChangePassword sets the viewer's password.
func (s *Service) ChangePassword(ctx context.Context, viewer kyro.Viewer, current, password string) (kyro.User, error) {
	return kyro.User{}, unbuilt()
}

// RequestEmailChange mails a link to the new address.
func (s *Service) RequestEmailChange(ctx context.Context, viewer kyro.Viewer, password, email string) error {
	if err := s.limitEmailChanges(ctx, viewer); err != nil {
		return err
	}
	return unbuilt()
}

// ConfirmEmailChange changes the address by the token of a mail.
func (s *Service) ConfirmEmailChange(ctx context.Context, viewer kyro.Viewer, token string) error {
	if err := s.limitLinks(ctx, viewer); err != nil {
		return err
	}
	return unbuilt()
}

// RevertEmailChange undoes a change of the address by the token of a mail.
func (s *Service) RevertEmailChange(ctx context.Context, viewer kyro.Viewer, token string) error {
	if err := s.limitLinks(ctx, viewer); err != nil {
		return err
	}
	return unbuilt()
}

// Deactivate takes the viewer's account out of use.
func (s *Service) Deactivate(ctx context.Context, viewer kyro.Viewer, password string) error {
	return unbuilt()
}

// Reactivate takes a deactivated account back by the token of a mail.
func (s *Service) Reactivate(ctx context.Context, viewer kyro.Viewer, token string) error {
	if err := s.limitLinks(ctx, viewer); err != nil {
		return err
	}
	return unbuilt()
}
