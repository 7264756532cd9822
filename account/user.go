package account

import (
	"context"
	"fmt"

	"kyrochat/kyro"
)

// User is who the viewer is; nil when nobody is signed in.
func (s *Service) User(ctx context.Context, viewer kyro.Viewer) (*kyro.User, error) {
	if !viewer.SignedIn() {
		return nil, nil
	}
	users, err := s.Users(ctx, viewer, []kyro.ID{viewer.UserID})
	if err != nil || len(users) == 0 {
		return nil, err
	}
	return &users[0], nil
}

// Users reads users by id, in any order. Those the viewer may not see are left out like those that do not exist:
// people see themselves only.
func (s *Service) Users(ctx context.Context, viewer kyro.Viewer, ids []kyro.ID) ([]kyro.User, error) {
	var visible []kyro.ID
	for _, id := range ids {
		if viewer.Is(id) {
			visible = append(visible, id)
			break
		}
	}
	if len(visible) == 0 {
		return nil, nil
	}
	users, err := s.users.Read(ctx, viewer.UserID, visible, func(ctx context.Context, _ kyro.ID, ids []kyro.ID) ([]kyro.User, error) {
		return s.store.Users(ctx, ids)
	})
	if err != nil {
		return nil, fmt.Errorf("read users: %w", err)
	}
	return users, nil
}
