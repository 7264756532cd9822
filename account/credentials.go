package account

import (
	"context"

	"kyrochat/kyro"
)

// AuditLog is what was done to and by the viewer's account, newest first.
func (s *Service) AuditLog(ctx context.Context, viewer kyro.Viewer, page kyro.PageRequest) (kyro.Page[kyro.AuditEntry], error) {
	return kyro.Page[kyro.AuditEntry]{}, unbuilt()
}

func unbuilt() error { return kyro.Errorf(kyro.CodeUnavailable, "Not built yet.") }
