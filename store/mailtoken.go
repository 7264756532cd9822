package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

type mailTokenRow struct {
	bun.BaseModel `bun:"table:mail_tokens,alias:t"`

	ID           int64 `bun:"id,pk,autoincrement"`
	Hash         string
	Purpose      string
	UserID       *int64
	Email        string
	NewEmail     string
	SessionID    *int64
	Name         string
	PasswordHash string
	CreatedAt    time.Time
	ExpiresAt    time.Time
	UsedAt       *time.Time
	VoidedAt     *time.Time
}

func (r *mailTokenRow) noun() kyro.MailToken {
	n := kyro.MailToken{
		Hash: r.Hash, Purpose: kyro.TokenPurpose(r.Purpose), Email: r.Email, NewEmail: r.NewEmail,
		CreatedAt: r.CreatedAt.UTC(), ExpiresAt: r.ExpiresAt.UTC(), Name: r.Name, PasswordHash: r.PasswordHash,
	}
	if r.UserID != nil {
		n.UserID = kyro.UserID(*r.UserID)
	}
	if r.SessionID != nil {
		n.SessionID = kyro.SessionID(*r.SessionID)
	}
	return n
}

// IssueMailToken stores the token of a letter, and takes the force of those before it for the same. One that is there
// already, under its hash or a former one, is given as it is, and nothing is done. good is false where the token is of no
// use: it was used or voided, is over, the letter has ended, as one does whose link is to count for nothing, or a letter
// that was asked for later has brought a newer one.
func (s *Store) IssueMailToken(
	ctx context.Context, letter int64, token kyro.MailToken, former []string, now time.Time, deeds ...kyro.AuditEntry,
) (issued kyro.MailToken, good bool, err error) {
	now = kyro.Moment(now)
	issue := func(ctx context.Context, tx *writeTx) error {
		if err := tx.takeTurns(ctx, s, token.UserID); err != nil {
			return err
		}
		wanted, err := tx.NewSelect().Model((*letterRow)(nil)).Where("id = ? AND ended_at IS NULL", letter).Exists(ctx)
		if err != nil || !wanted {
			issued, good = token, false
			return err
		}
		var known []mailTokenRow
		err = tx.NewSelect().Model(&known).Where("t.hash IN (?)", list(append([]string{token.Hash}, former...))).Scan(ctx)
		if err != nil {
			return err
		}
		if len(known) > 0 {
			issued, good = known[0].noun(), known[0].good(now)
			return nil
		}
		r := rowOfToken(token)
		newer, err := tx.NewSelect().Model((*mailTokenRow)(nil)).ApplyQueryBuilder(r.same).Where("created_at > ?", r.CreatedAt).Exists(ctx)
		if err != nil || newer {
			issued, good = token, false
			return err
		}
		_, err = tx.NewUpdate().Model((*mailTokenRow)(nil)).Set("voided_at = ?", now).ApplyQueryBuilder(r.same).
			Where("used_at IS NULL AND voided_at IS NULL").Exec(ctx)
		if err != nil {
			return err
		}
		if _, err := tx.NewInsert().Model(&r).Exec(ctx); err != nil {
			return err
		}
		issued, good = r.noun(), r.good(now)
		return tx.audit(ctx, deeds...)
	}
	if err = s.write(ctx, "issue the token", issue); isUniqueViolation(err) {
		err = s.write(ctx, "issue the token", issue) // which finds the one that was made meanwhile
	}
	return issued, good, err
}

// takeTurns has those who make tokens of a user come one after another.
func (tx *writeTx) takeTurns(ctx context.Context, s *Store, user kyro.ID) error {
	if user.IsZero() {
		return nil
	}
	return s.holdUser(ctx, tx, user)
}

func rowOfToken(n kyro.MailToken) mailTokenRow {
	return mailTokenRow{
		Hash: n.Hash, Purpose: string(n.Purpose), UserID: keyOrNil(n.UserID), Email: clean(n.Email), NewEmail: clean(n.NewEmail),
		SessionID: keyOrNil(n.SessionID), CreatedAt: kyro.Moment(n.CreatedAt), ExpiresAt: kyro.Moment(n.ExpiresAt),
		Name: clean(n.Name), PasswordHash: n.PasswordHash,
	}
}

func (r *mailTokenRow) good(now time.Time) bool {
	return r.UsedAt == nil && r.VoidedAt == nil && r.ExpiresAt.After(now)
}

// same is the condition of tokens for the same: of which only the newest is good. Registrations of one address are good
// beside each other until one is confirmed, and are told apart by their password hash, which a second link for one shares
// with the first. Links that undo changes of the address are good beside each other, too: somebody who is not the owner
// could take the force of one by one more change.
func (r *mailTokenRow) same(q bun.QueryBuilder) bun.QueryBuilder {
	q = q.Where("purpose = ?", r.Purpose)
	switch {
	case r.UserID == nil:
		return q.Where("user_id IS NULL AND email = ? AND password_hash = ?", r.Email, r.PasswordHash)
	case r.Purpose == string(kyro.TokenRevertEmail):
		return q.Where("user_id = ? AND new_email = ?", *r.UserID, r.NewEmail)
	default:
		return q.Where("user_id = ?", *r.UserID)
	}
}

// MailTokenIssued reports whether there is a token with one of the hashes, good or not.
func (s *Store) MailTokenIssued(ctx context.Context, hashes ...string) (bool, error) {
	issued, err := s.read().NewSelect().Model((*mailTokenRow)(nil)).Where("hash IN (?)", list(hashes)).Exists(ctx)
	return issued, failed("look for a token", err)
}

// PendingRegistrations gives those of an address that were mailed and not confirmed, newest first. They may be over: who
// signed up can ask for another link for as long as they are kept.
func (s *Store) PendingRegistrations(ctx context.Context, email string, now time.Time) ([]kyro.MailToken, error) {
	var rows []mailTokenRow
	err := s.read().NewSelect().Model(&rows).
		Where("t.purpose = ? AND t.user_id IS NULL AND t.email = ?", string(kyro.TokenVerifyEmail), clean(email)).
		Where("t.used_at IS NULL AND t.voided_at IS NULL AND t.created_at > ?", kyro.Moment(now.Add(-kyro.RegistrationTTL))).
		Order("t.created_at DESC", "t.id DESC").Limit(100).Scan(ctx)
	return convert(rows, (*mailTokenRow).noun), failed("read the registrations of an address", err)
}

// MailToken reads a token that is good, without using it; INVALID_TOKEN for every other.
func (s *Store) MailToken(ctx context.Context, purpose kyro.TokenPurpose, hash string, now time.Time) (kyro.MailToken, error) {
	var r mailTokenRow
	err := s.read().NewSelect().Model(&r).Where(goodToken, clean(hash), string(purpose), kyro.Moment(now)).Where(ofItsAddress).Scan(ctx)
	if err != nil {
		return kyro.MailToken{}, failed("read the token", noToken(err))
	}
	return r.noun(), nil
}

// What makes a token good. One that undoes a change of the address is good whatever the address has become since then.
const (
	goodToken    = "hash = ? AND purpose = ? AND used_at IS NULL AND voided_at IS NULL AND expires_at > ?"
	ofItsAddress = "(user_id IS NULL OR purpose = 'revert-email' OR EXISTS (SELECT 1 FROM users WHERE users.id = t.user_id AND users.email = t.email))"
)

// redeem uses a token up: of all who come with it at once, one gets it. INVALID_TOKEN for a token that is not there, is
// for something else, was used, voided or is too old, and where its address is not the account's any more.
func (tx *writeTx) redeem(ctx context.Context, purpose kyro.TokenPurpose, hash string, now time.Time) (kyro.MailToken, error) {
	var r mailTokenRow
	now = kyro.Moment(now)
	err := tx.NewUpdate().Model(&r).Set("used_at = ?", now).
		Where(goodToken, hash, string(purpose), now).Where(ofItsAddress).
		Returning("*").Scan(ctx)
	if err != nil {
		return kyro.MailToken{}, noToken(err)
	}
	return r.noun(), nil
}

// voidTokens takes the force of a user's tokens for the purposes.
func (tx *writeTx) voidTokens(ctx context.Context, user kyro.ID, now time.Time, purposes ...kyro.TokenPurpose) error {
	_, err := tx.NewUpdate().Table("mail_tokens").Set("voided_at = ?", kyro.Moment(now)).
		Where("user_id = ? AND used_at IS NULL AND voided_at IS NULL AND purpose IN (?)", user.Key, bun.List(purposes)).Exec(ctx)
	return err
}

// endSessions revokes the user's live sessions but one, which may be zero for none, and gives their ids.
func (tx *writeTx) endSessions(ctx context.Context, user, except kyro.ID, now time.Time) ([]kyro.ID, error) {
	var ended []int64
	now = kyro.Moment(now)
	err := tx.NewUpdate().Table("sessions").Set("revoked_at = ?", now).
		Where("user_id = ? AND id <> ? AND revoked_at IS NULL AND expires_at > ?", user.Key, except.Key, now).
		Returning("id").Scan(ctx, &ended)
	return convert(ended, func(key *int64) kyro.ID { return kyro.SessionID(*key) }), err
}

// revokeKeys revokes the user's live API keys and gives their ids.
func (tx *writeTx) revokeKeys(ctx context.Context, user kyro.ID, now time.Time) ([]kyro.ID, error) {
	var ended []int64
	err := tx.NewUpdate().Table("api_keys").Set("revoked_at = ?", kyro.Moment(now)).
		Where("user_id = ? AND revoked_at IS NULL", user.Key).Returning("id").Scan(ctx, &ended)
	return convert(ended, func(key *int64) kyro.ID { return kyro.APIKeyID(*key) }), err
}

// revoking are the lines about API keys that a deed, the first of them, revoked.
func revoking(keys []kyro.ID, deeds []kyro.AuditEntry) (lines []kyro.AuditEntry) {
	if len(deeds) == 0 {
		return nil
	}
	for _, key := range keys {
		lines = append(lines, deeds[0].Following(kyro.AuditAPIKeyRevoked, key, "It may have been made by somebody else."))
	}
	return lines
}
