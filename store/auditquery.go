package store

import (
	"context"
	"encoding/json"

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
	return convert(rows, (*auditRow).entry), nil
}

// entry is the line as whoever runs the server reads it.
func (r *auditRow) entry() kyro.AuditEntry {
	e := kyro.AuditEntry{
		ID: kyro.AuditID(r.ID), At: r.At.UTC(), Action: kyro.AuditAction(r.Action), Succeeded: r.Succeeded, Actor: kyro.AuditActor(r.Actor),
		By: idOrZero(r.ByID), Target: idOrZero(r.TargetID), RequestID: r.RequestID, Detail: r.Detail,
	}
	if r.UserID != nil {
		e.UserID = kyro.UserID(*r.UserID)
	}
	var device []string
	if r.Device != nil && json.Unmarshal([]byte(*r.Device), &device) == nil && len(device) == 2 {
		e.Device = kyro.Device{UserAgent: device[0], AddressPrefix: device[1]}
	}
	return e
}

// idOrZero reads an id that the log has as text; "" is none.
func idOrZero(s string) kyro.ID {
	id, _ := kyro.ParseID(s)
	return id
}
