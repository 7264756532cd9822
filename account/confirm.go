package account

import (
	"context"
	"fmt"

	"kyrochat/kyro"
)

// confirm checks the password of a person who is signed in, before something that a session alone is not enough for.
// INVALID_CREDENTIALS, at the field, for a wrong one; RATE_LIMITED after several of one session, so that whoever has got
// hold of a token cannot guess.
func (s *Service) confirm(ctx context.Context, viewer kyro.Viewer, password, field string) (kyro.Credentials, error) {
	if err := viewer.MustBePerson(); err != nil {
		return kyro.Credentials{}, err
	}
	known, err := s.store.Credentials(ctx, viewer.UserID)
	if err != nil {
		return kyro.Credentials{}, fmt.Errorf("read the credentials of a user: %w", err)
	}
	g := guess{own: s.attempt("session", viewer.UserID.String()+" "+viewer.SessionID.String(), kyro.AttemptsOfDevice)}
	ok, _, err := s.verify(ctx, g, known.PasswordHash, password)
	if err != nil {
		return kyro.Credentials{}, err
	}
	if !ok {
		return kyro.Credentials{}, kyro.Errorf(kyro.CodeInvalidCredentials, "The password is wrong.").At(field)
	}
	return known, nil
}
