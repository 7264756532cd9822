package store

import (
	"context"

	"kyrochat/kyro"
)

// AuditLines reads lines of the audit log of all accounts, newest first, for whoever runs the server.
func (s *Store) AuditLines(ctx context.Context, want kyro.AuditQuery) ([]kyro.AuditEntry, error) {
	ctx, cancel := context.WithTimeout(ctx, accountTimeout)
	defer cancel()
	var rows []auditRow
	q := s.read().NewSelect().Model(&rows).OrderExpr("a.id DESC").Limit(int64(want.Limit))
	if !want.Before.IsZero() {
		q = q.Where("a.id < ?", want.Before.Key)
	}
	if !want.UserID.IsZero() {
		q = q.Where("a.user_id = ?", want.UserID.Key)
	}
	if want.Action != "" {
		q = q.Where("a.action = ?", string(want.Action))
	}
	if !want.Since.IsZero() {
		q = q.Where("a.at >= ?", kyro.Moment(want.Since))
	}
	if err := q.Scan(ctx); err != nil {
		return nil, failed("read the audit log", err)
	}
	return convert(rows, (*auditRow).noun), nil
}
