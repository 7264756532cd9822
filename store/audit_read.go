package store

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	"kyrochat/kyro"
)

const auditColumns = "id at user_id action succeeded actor by_id target_id request_id detail device device_salt device_hash hash"

func (r *auditRow) places(func(any) any) []any {
	return []any{
		&r.ID, &r.At, &r.UserID, &r.Action, &r.Succeeded, &r.Actor, &r.ByID, &r.TargetID, &r.RequestID, &r.Detail, &r.Device,
		&r.DeviceSalt, &r.DeviceHash, &r.Hash,
	}
}

var (
	auditTable = newTable("audit_log", "a", auditColumns, (*auditRow).places, func(r *auditRow, n *kyro.AuditEntry) { *n = r.noun() })
	// auditChain is the lines as they are stored.
	auditChain = newTable("audit_log", "a", auditColumns, (*auditRow).places, func(r, n *auditRow) { *n = *r })
)

func (r *auditRow) noun() kyro.AuditEntry {
	e := kyro.AuditEntry{
		ID: kyro.AuditID(r.ID), At: r.At.UTC(), Action: kyro.AuditAction(r.Action), Succeeded: r.Succeeded, Actor: kyro.AuditActor(r.Actor),
		RequestID: r.RequestID, Detail: r.Detail,
	}
	if r.UserID != nil {
		e.UserID = kyro.UserID(*r.UserID)
	}
	e.By, _ = kyro.ParseID(r.ByID) // "" for none
	e.Target, _ = kyro.ParseID(r.TargetID)
	var device [2]string
	if r.Device != nil && json.Unmarshal([]byte(*r.Device), &device) == nil {
		e.Device = kyro.Device{UserAgent: device[0], AddressPrefix: device[1]}
	}
	return e
}

// AuditPage lists the lines about a user's account, newest first: in the order in which they were added, so that a page
// stays what it is while more come.
func (s *Store) AuditPage(ctx context.Context, user kyro.ID, req kyro.PageRequest) (kyro.Page[kyro.AuditEntry], error) {
	id := func(e *kyro.AuditEntry) kyro.ID { return e.ID }
	added := byNumber("a.id", "a.id", kyro.Desc, func(e *kyro.AuditEntry) int64 { return e.ID.Key }, id)
	result, err := page(ctx, s, rowsOf(auditTable).where("a.user_id = ?", user.Key), req, added)
	return result, failed("list the audit log", err)
}

// auditBatch is how many lines of the log are held at once.
const auditBatch = 1_000

// VerifyAudit reads the whole log and says whether all of it fits together. Lines that are added meanwhile are left to
// the next time.
func (s *Store) VerifyAudit(ctx context.Context) (kyro.AuditCheck, error) {
	return s.VerifyAuditSince(ctx, kyro.AuditMark{})
}

// VerifyAuditSince is VerifyAudit, and looks besides whether the log is still the one that a mark was noted of; the zero
// mark is of every log.
func (s *Store) VerifyAuditSince(ctx context.Context, noted kyro.AuditMark) (kyro.AuditCheck, error) {
	check, err := s.verifyAudit(ctx, noted)
	return check, failed("verify the audit log", err)
}

func (s *Store) verifyAudit(ctx context.Context, noted kyro.AuditMark) (check kyro.AuditCheck, err error) {
	// The last line is looked for before the head: that moves with every line, so it is never behind.
	var last int64
	if err := s.each(ctx, s.query().add("SELECT coalesce(max(id), 0) FROM audit_log"), []any{&last}, func() {}); err != nil {
		return check, err
	}
	var head kyro.AuditMark
	known := false
	q := s.query().add("SELECT lines, hash FROM audit_head WHERE id = 1")
	if err := s.each(ctx, q, []any{&head.Lines, &head.Hash}, func() { known = true }); err != nil {
		return check, err
	}
	after := int64(math.MinInt64) // where nobody may have put a line
	for check.Lines < head.Lines {
		q := s.query()
		rowsOf(auditChain).where("a.id > ? AND a.id <= ?", after, head.Lines).write(q, auditChain.columns)
		rows, err := read(ctx, s, auditChain, q.add(" ORDER BY a.id LIMIT ?", auditBatch), auditBatch)
		if err != nil {
			return check, err
		}
		for i := range rows {
			if why := rows[i].misfit(check, noted); why != "" {
				return check.BrokenAt(check.Lines+1, why), nil
			}
			check.Lines, check.Hash = rows[i].ID, rows[i].Hash
		}
		if len(rows) == 0 {
			return check.BrokenAt(check.Lines+1, lineMissing), nil
		}
		after = check.Lines
	}
	switch {
	case !known:
		return check.BrokenAt(1, "the head of the log is missing"), nil
	case check.Hash != head.Hash:
		return check.BrokenAt(max(head.Lines, 1), "the head of the log has another hash than the line"), nil
	case last > head.Lines:
		return check.BrokenAt(head.Lines+1, "the head of the log does not know the line"), nil
	case noted.Lines > head.Lines:
		return check.BrokenAt(head.Lines+1, "the log was longer when it was noted"), nil
	}
	return check, nil
}

const lineMissing = "the line is missing"

// misfit is why the line is not the one behind those that were checked; "" where it is.
func (r *auditRow) misfit(before kyro.AuditCheck, noted kyro.AuditMark) string {
	switch {
	case r.ID > before.Lines+1:
		return lineMissing
	case r.ID != before.Lines+1:
		return fmt.Sprintf("there is a line %d, and they begin at 1", r.ID)
	case r.chained(before.Hash) != r.Hash:
		return "the line is another one than was stored, or the one before it is"
	case (r.Device == nil) != (r.DeviceSalt == nil):
		return "half of the line's device is missing"
	case r.Device != nil && hashOf(*r.DeviceSalt, *r.Device) != r.DeviceHash:
		return "the line's device is another one than was stored"
	case r.ID == noted.Lines && r.Hash != noted.Hash:
		return "the line has another hash than was noted"
	}
	return ""
}
