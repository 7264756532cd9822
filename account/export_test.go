package account

import (
	"context"

	"kyrochat/kyro"
)

// Confirm is confirm.
func (s *Service) Confirm(ctx context.Context, viewer kyro.Viewer, password, field string) (kyro.Credentials, error) {
	return s.confirm(ctx, viewer, kyro.AuditSessionsRevoked, password, field)
}

// MayMail is mayMail.
func (s *Service) MayMail(ctx context.Context, viewer kyro.Viewer, kind kyro.LetterKind, address string) bool {
	return s.mayMail(ctx, viewer, kind, address)
}
