package store

import (
	"context"

	"kyrochat/kyro"
)

const auditBatch = 1_000 // lines that are held at once

// VerifyAudit reads the whole log and says whether all of it fits together.
func (s *Store) VerifyAudit(ctx context.Context) (check kyro.AuditCheck, err error) {
	var head kyro.AuditMark
	err = s.read().NewSelect().Table("audit_head").Column("lines", "hash").Where("id = 1").Scan(ctx, &head.Lines, &head.Hash)
	for err == nil && check.Lines < head.Lines {
		var rows []auditRow
		err = s.read().NewSelect().Model(&rows).Where("a.id > ?", check.Lines).OrderExpr("a.id").Limit(auditBatch).Scan(ctx)
		if err == nil && len(rows) == 0 {
			check.Broken, check.Why = check.Lines+1, "the line is missing"
			return check, nil
		}
		for i := range rows {
			if rows[i].ID != check.Lines+1 || rows[i].chained(check.Hash) != rows[i].Hash {
				check.Broken, check.Why = check.Lines+1, "the line is another one than was stored, or is missing"
				return check, nil
			}
			check.Lines, check.Hash = rows[i].ID, rows[i].Hash
		}
	}
	if err == nil && check.Hash != head.Hash {
		check.Broken, check.Why = max(head.Lines, 1), "the head of the log has another hash than the line"
	}
	return check, failed("verify the audit log", err)
}
