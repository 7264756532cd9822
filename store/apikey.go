package store

import (
	"context"
	"net/netip"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

type apiKeyRow struct {
	bun.BaseModel `bun:"table:api_keys,alias:k"`

	ID         int64 `bun:"id,pk,autoincrement"`
	UserID     int64
	Name       string
	Prefix     string
	SecretHash string
	Scopes     []kyro.Scope   `bun:",type:jsonb"`
	Networks   []netip.Prefix `bun:",type:jsonb"`
	CreatedAt  time.Time
	ExpiresAt  *time.Time
	LastUsedAt *time.Time
	RevokedAt  *time.Time
}

func (r *apiKeyRow) noun() kyro.APIKey {
	return kyro.APIKey{
		ID: kyro.APIKeyID(r.ID), UserID: kyro.UserID(r.UserID), Name: r.Name, Prefix: r.Prefix,
		Scopes: r.Scopes, Networks: r.Networks, CreatedAt: r.CreatedAt.UTC(),
		ExpiresAt: utcPtr(r.ExpiresAt), LastUsedAt: utcPtr(r.LastUsedAt), RevokedAt: utcPtr(r.RevokedAt),
	}
}

// inUse is the condition that the user of a row of the alias has not deactivated the account: credentials of one who has
// are as if they were not there.
func inUse(alias string) string {
	return "EXISTS (SELECT 1 FROM users WHERE users.id = " + alias + ".user_id AND users.deactivated_at IS NULL)"
}

// CreateAPIKey stores a key with the hash of its secret, the letter that tells of it, and deeds, whose target is the key.
// LIMIT_REACHED where the user has so many that are not revoked; those that expired count, since they are listed.
// INVALID_CREDENTIALS where those of the owner, who gave the password, count no more: who was to lose the account must not
// keep a key to it.
func (s *Store) CreateAPIKey(
	ctx context.Context, owner kyro.Credentials, key kyro.APIKey, secretHash string, most int, letter kyro.Letter, deeds ...kyro.AuditEntry,
) (kyro.APIKey, error) {
	var r apiKeyRow
	err := s.write(ctx, "create the API key", func(ctx context.Context, tx *writeTx) error {
		// Two that are made at once count one after the other.
		if _, err := s.stillCounts(ctx, tx, owner); err != nil {
			return err
		}
		user := owner.User.ID.Key
		there, err := tx.NewSelect().Table("api_keys").Where("user_id = ? AND revoked_at IS NULL", user).Count(ctx)
		if err != nil {
			return err
		}
		if int(there) >= most {
			return kyro.Errorf(kyro.CodeLimitReached, "There are %d API keys already, which is as many as there may be. Revoke one first.", there)
		}
		r = apiKeyRow{
			UserID: user, Name: clean(key.Name), Prefix: key.Prefix, SecretHash: secretHash,
			Scopes: orEmpty(key.Scopes), Networks: orEmpty(key.Networks),
			CreatedAt: kyro.Moment(key.CreatedAt), ExpiresAt: stampPtr(key.ExpiresAt),
		}
		if _, err := tx.NewInsert().Model(&r).Exec(ctx); err != nil {
			return err
		}
		if err := tx.addLetters(ctx, letter); err != nil {
			return err
		}
		return tx.audit(ctx, about(kyro.APIKeyID(r.ID), deeds)...)
	})
	if err != nil {
		return kyro.APIKey{}, err
	}
	return r.noun(), nil
}

// FindAPIKey finds a key by the hash of its secret, revoked and expired ones too; NOT_FOUND where there is none, and
// where the account is out of use.
func (s *Store) FindAPIKey(ctx context.Context, secretHash string) (kyro.APIKey, error) {
	var r apiKeyRow
	err := s.read().NewSelect().Model(&r).Where("k.secret_hash = ?", clean(secretHash)).Where(inUse("k")).Scan(ctx)
	if err != nil {
		return kyro.APIKey{}, failed("find the API key", notFound(err, kyro.KindAPIKey))
	}
	return r.noun(), nil
}

// APIKeys reads keys of the user by id, in any order, revoked and expired ones too. Those of others are left out, and
// all of an account that is out of use.
func (s *Store) APIKeys(ctx context.Context, user kyro.ID, ids []kyro.ID) ([]kyro.APIKey, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	return s.apiKeys(ctx, func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("k.user_id = ? AND k.id IN (?)", user.Key, keys(ids)).Where(inUse("k"))
	})
}

// APIKeysOf are the user's keys that are not revoked, newest first.
func (s *Store) APIKeysOf(ctx context.Context, user kyro.ID) ([]kyro.APIKey, error) {
	return s.apiKeys(ctx, func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("k.user_id = ? AND k.revoked_at IS NULL", user.Key).Order("k.id DESC")
	})
}

func (s *Store) apiKeys(ctx context.Context, which func(*bun.SelectQuery) *bun.SelectQuery) ([]kyro.APIKey, error) {
	var rows []apiKeyRow
	if err := which(s.read().NewSelect().Model(&rows)).Scan(ctx); err != nil {
		return nil, failed("read the API keys", err)
	}
	return convert(rows, (*apiKeyRow).noun), nil
}

// RevokeAPIKey ends a key of the user. NOT_FOUND where the user has none that is not revoked.
func (s *Store) RevokeAPIKey(ctx context.Context, user, id kyro.ID, now time.Time, deeds ...kyro.AuditEntry) error {
	return s.write(ctx, "revoke the API key", func(ctx context.Context, tx *writeTx) error {
		result, err := tx.NewUpdate().Table("api_keys").Set("revoked_at = ?", kyro.Moment(now)).
			Where("id = ? AND user_id = ? AND revoked_at IS NULL", id.Key, user.Key).Exec(ctx)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return orNotFound(err, kyro.KindAPIKey)
		}
		if err := tx.dropBudgets(ctx, user, id); err != nil {
			return err
		}
		return tx.audit(ctx, deeds...)
	})
}

// TouchAPIKeys notes that keys were used in the minute, unless that or a later one is noted.
func (s *Store) TouchAPIKeys(ctx context.Context, ids []kyro.ID, minute time.Time) error {
	minute = kyro.Moment(minute)
	return s.write(ctx, "note the use of API keys", func(ctx context.Context, tx *writeTx) error {
		_, err := tx.NewUpdate().Table("api_keys").Set("last_used_at = ?", minute).
			Where("id IN (?) AND (last_used_at IS NULL OR last_used_at < ?)", keys(ids), minute).Exec(ctx)
		return err
	})
}
