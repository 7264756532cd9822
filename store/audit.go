package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
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
	head := "SELECT lines, hash FROM audit_head WHERE id = 1"
	if tx.pg != nil {
		head += " FOR UPDATE" // which gives the row as it is once the lock is there
	}
	if err := tx.NewRaw(head).Scan(ctx, &lines, &hash); err != nil {
		return err
	}
	rows := make([]auditRow, len(entries))
	for i, entry := range entries {
		rows[i] = rowOfEntry(entry, lines+int64(i)+1)
		hash = rows[i].chained(hash)
		rows[i].Hash = hash
	}
	// A trigger of the table moves the head. Nothing is to come back: else a line about no account would be another statement
	// than one about somebody's, and a log-in take another time.
	_, err := tx.NewInsert().Model(&rows).Returning("NULL").Exec(ctx)
	return err
}

// about gives the deeds of a write that made something whose id nobody knew before: those that name no target are about it.
func about(target kyro.ID, deeds []kyro.AuditEntry) []kyro.AuditEntry {
	deeds = slices.Clone(deeds) // the caller's, of which a write that is tried again needs them as they were
	for i := range deeds {
		if deeds[i].Target.IsZero() {
			deeds[i].Target = target
		}
	}
	return deeds
}

// signedIn gives the deeds of a write that signed a user in: they are the user's, done with the new session.
func signedIn(user, session int64, deeds []kyro.AuditEntry) []kyro.AuditEntry {
	deeds = slices.Clone(deeds)
	for i := range deeds {
		deeds[i].UserID, deeds[i].By = kyro.UserID(user), kyro.SessionID(session)
	}
	return deeds
}

func rowOfEntry(e kyro.AuditEntry, id int64) auditRow {
	list, _ := json.Marshal([]string{plain(e.Device.UserAgent), plain(e.Device.AddressPrefix)})
	device, salt := string(list), rand.Text()
	return auditRow{
		ID: id, At: kyro.Moment(e.At), UserID: keyOrNil(e.UserID), Action: string(e.Action), Succeeded: e.Succeeded,
		Actor: string(e.Actor), ByID: e.By.String(), TargetID: e.Target.String(), RequestID: plain(e.RequestID),
		Detail: plain(e.Detail[:min(len(e.Detail), kyro.MaxAuditDetail)]), Device: &device, DeviceSalt: &salt,
		DeviceHash: hashOf(salt, device),
	}
}

// plain is a text as both databases store it, so that it is hashed as it is read back. One that was cut in the middle of
// a character loses the rest of it.
func plain(s string) string { return clean(strings.ToValidUTF8(s, "")) }

// chained is the hash of the line behind a line with the hash before.
func (r *auditRow) chained(before string) string {
	user := ""
	if r.UserID != nil {
		user = strconv.FormatInt(*r.UserID, 10)
	}
	return hashOf(
		before, strconv.FormatInt(r.ID, 10), strconv.FormatInt(r.At.UnixMicro(), 10), user, r.Action, strconv.FormatBool(r.Succeeded),
		r.Actor, r.ByID, r.TargetID, r.RequestID, r.Detail, r.DeviceHash,
	)
}

// hashOf is the SHA-256, in hexadecimal, of texts as netstrings, "5:hello,": none can pass for another list of texts.
func hashOf(texts ...string) string {
	said := make([]byte, 0, 512)
	for _, text := range texts {
		said = append(append(append(strconv.AppendInt(said, int64(len(text)), 10), ':'), text...), ',')
	}
	sum := sha256.Sum256(said)
	return hex.EncodeToString(sum[:])
}
