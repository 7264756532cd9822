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

// redeem uses a token up: of all who come with it at once, one gets it. INVALID_TOKEN for a token that is not there, is
// for something else, was used, voided or is too old, and where its address is not the account's any more.
func (tx *writeTx) redeem(ctx context.Context, purpose kyro.TokenPurpose, hash string, now time.Time) (kyro.MailToken, error) {
	var r mailTokenRow
	now = kyro.Moment(now)
	err := tx.NewUpdate().Model(&r).Set("used_at = ?", now).
		Where("hash = ? AND purpose = ? AND used_at IS NULL AND voided_at IS NULL AND expires_at > ?", hash, string(purpose), now).
		Where("(user_id IS NULL OR purpose = 'revert-email' OR EXISTS (SELECT 1 FROM users WHERE users.id = t.user_id AND users.email = t.email))").
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
