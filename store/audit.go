package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

type auditRow struct {
	bun.BaseModel `bun:"table:audit_log,alias:a"`

	ID         int64 `bun:"id,pk"`
	At         time.Time
	UserID     *int64
	Action     string
	Succeeded  bool
	Actor      string
	ByID       string
	TargetID   string
	RequestID  string
	Detail     string
	Device     *string
	DeviceSalt *string
	DeviceHash string
	Hash       string
}

// Record adds lines to the audit log by themselves, for what is no write: everything else adds its line in its own
// transaction.
func (s *Store) Record(ctx context.Context, entries ...kyro.AuditEntry) error {
	return s.write(ctx, "write the audit log", func(ctx context.Context, tx *writeTx) error {
		return tx.audit(ctx, entries...)
	})
}

// audit adds lines to the log. It is the last thing a transaction does: until that ends, nobody else adds any.
func (tx *writeTx) audit(ctx context.Context, entries ...kyro.AuditEntry) error {
	if len(entries) == 0 {
		return nil
	}
	var lines int64
	var hash string
	// An update locks the row on both databases, and gives it as it is once the lock is there.
	err := tx.NewRaw("UPDATE audit_head SET lines = lines + ? WHERE id = 1 RETURNING lines, hash", len(entries)).Scan(ctx, &lines, &hash)
	if err != nil {
		return err
	}
	rows := make([]auditRow, len(entries))
	for i, entry := range entries {
		rows[i] = rowOfEntry(entry, lines-int64(len(entries))+int64(i)+1)
		hash = rows[i].chained(hash)
		rows[i].Hash = hash
	}
	if _, err := tx.NewInsert().Model(&rows).Exec(ctx); err != nil {
		return err
	}
	_, err = tx.NewRaw("UPDATE audit_head SET hash = ? WHERE id = 1", hash).Exec(ctx)
	return err
}

func rowOfEntry(e kyro.AuditEntry, id int64) auditRow {
	device, _ := json.Marshal([]string{clean(e.Device.UserAgent), clean(e.Device.AddressPrefix)})
	text, salt := string(device), rand.Text()
	r := auditRow{
		ID: id, At: kyro.Moment(e.At), Action: string(e.Action), Succeeded: e.Succeeded, Actor: string(e.Actor),
		ByID: e.By.String(), TargetID: e.Target.String(), RequestID: clean(e.RequestID),
		Detail: clean(e.Detail[:min(len(e.Detail), kyro.MaxAuditDetail)]), Device: &text, DeviceSalt: &salt,
		DeviceHash: hexSum(salt + text),
	}
	if !e.UserID.IsZero() {
		r.UserID = &e.UserID.Key
	}
	return r
}

// chained is the hash of the line behind a line with the hash before.
func (r *auditRow) chained(before string) string {
	said, _ := json.Marshal([]any{
		before, r.ID, r.At.UTC().UnixMicro(), r.UserID, r.Action, r.Succeeded, r.Actor, r.ByID, r.TargetID, r.RequestID, r.Detail,
		r.DeviceHash,
	})
	return hexSum(string(said))
}

func hexSum(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
