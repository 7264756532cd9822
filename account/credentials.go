package account

import (
	"context"

	"kyrochat/kyro"
)

// Sessions are the viewer's signed-in devices, the one used last first.
func (s *Service) Sessions(ctx context.Context, viewer kyro.Viewer) ([]kyro.Session, error) {
	return nil, unbuilt()
}

// RevokeSession ends one of the viewer's sessions.
func (s *Service) RevokeSession(ctx context.Context, viewer kyro.Viewer, id kyro.ID) error {
	return unbuilt()
}

// RevokeOtherSessions ends all of the viewer's sessions but the one that asks.
func (s *Service) RevokeOtherSessions(ctx context.Context, viewer kyro.Viewer, password string) error {
	return unbuilt()
}

// APIKeys are the viewer's keys that are not revoked, newest first.
func (s *Service) APIKeys(ctx context.Context, viewer kyro.Viewer) ([]kyro.APIKey, error) {
	return nil, unbuilt()
}

// CreateAPIKey makes a key and gives its secret, this once.
func (s *Service) CreateAPIKey(ctx context.Context, viewer kyro.Viewer, key kyro.NewAPIKey, password string) (kyro.APIKey, string, error) {
	if err := s.limitAPIKeys(ctx, viewer); err != nil {
		return kyro.APIKey{}, "", err
	}
	return kyro.APIKey{}, "", unbuilt()
}

// RevokeAPIKey ends one of the viewer's keys.
func (s *Service) RevokeAPIKey(ctx context.Context, viewer kyro.Viewer, id kyro.ID) error {
	return unbuilt()
}

// AuditLog is what was done to and by the viewer's account, newest first.
func (s *Service) AuditLog(ctx context.Context, viewer kyro.Viewer, page kyro.PageRequest) (kyro.Page[kyro.AuditEntry], error) {
	return kyro.Page[kyro.AuditEntry]{}, unbuilt()
}

func unbuilt() error { return kyro.Errorf(kyro.CodeUnavailable, "Not built yet.") }
