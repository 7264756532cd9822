package account

import (
	"context"
	"fmt"

	"kyrochat/kyro"
)

// LogOutWith is LogOut for a browser that keeps its refresh token where its pages cannot read it: it ends the viewer's
// session and that of the refresh token, which may be all that is left of it when the access token is over. A token of
// whatever age will do: who has a former one could end the session by using it, too. A token that names nothing ends
// nothing and is no error.
func (s *Service) LogOutWith(ctx context.Context, viewer kyro.Viewer, refreshToken string) (bool, error) {
	if viewer.Rejected != nil && viewer.Rejected.Code == kyro.CodeUnauthenticated {
		viewer.Rejected = nil // what it could not say, the refresh token says
	}
	ended, err := s.LogOut(ctx, viewer)
	if err != nil {
		return false, err
	}
	id, _, err := s.tokens.ParseRefresh(refreshToken)
	if err != nil || id == viewer.SessionID {
		return ended, nil //nolint:nilerr // what is no token of a session ends none
	}
	session, err := s.store.Session(ctx, id)
	switch {
	case kyro.ErrorCode(err) == kyro.CodeNotFound:
		return ended, nil
	case err != nil:
		return ended, fmt.Errorf("read the session of a refresh token: %w", err)
	case !session.Live(s.now()):
		return ended, nil
	}
	viewer.UserID, viewer.SessionID, viewer.KeyID = session.UserID, session.ID, kyro.ID{}
	also, err := s.LogOut(ctx, viewer)
	return ended || also, err
}
