package account

import (
	"context"
	"fmt"

	"kyrochat/kyro"
)

// confirm checks the password of a person who is signed in, before something that a session alone is not enough for.
// INVALID_CREDENTIALS, at the field, for a wrong one.
func (s *Service) confirm(ctx context.Context, viewer kyro.Viewer, password, field string) (kyro.Credentials, error) {
	if err := viewer.MustBePerson(); err != nil {
		return kyro.Credentials{}, err
	}
	known, err := s.store.Credentials(ctx, viewer.UserID)
	if err != nil {
		return kyro.Credentials{}, fmt.Errorf("read the credentials of a user: %w", err)
	}
	ok, _, err := s.hasher.Verify(ctx, known.PasswordHash, password)
	if err != nil {
		return kyro.Credentials{}, fmt.Errorf("verify a password: %w", err)
	}
	if !ok {
		return kyro.Credentials{}, kyro.Errorf(kyro.CodeInvalidCredentials, "The password is wrong.").At(field)
	}
	return known, nil
}
