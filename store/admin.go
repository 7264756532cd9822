package store

import (
	"context"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// accountTimeout is how long a read for whoever runs the server may take. Nobody else waits for it.
const accountTimeout = time.Minute

type accountRow struct {
	ID            int64
	Email         string
	Name          string
	EmailVerified bool
	CreatedAt     time.Time
	DeactivatedAt *time.Time
	PurgeAfter    *time.Time
	HasPassword   bool
	SessionUsedAt *time.Time
	KeyUsedAt     *time.Time
	Sessions      int
	Keys          int
	Bots          int
	Documents     int
}

func (r *accountRow) noun() kyro.Account {
	a := kyro.Account{
		User: kyro.User{
			ID: kyro.UserID(r.ID), Email: r.Email, Name: r.Name, EmailVerified: r.EmailVerified, CreatedAt: r.CreatedAt.UTC(),
		},
		HasPassword: r.HasPassword, DeactivatedAt: utcPtr(r.DeactivatedAt), PurgeAfter: utcPtr(r.PurgeAfter),
		LastUsedAt: utcPtr(r.SessionUsedAt), Sessions: r.Sessions, APIKeys: r.Keys, Bots: r.Bots, Documents: r.Documents,
	}
	if used := utcPtr(r.KeyUsedAt); used != nil && (a.LastUsedAt == nil || used.After(*a.LastUsedAt)) {
		a.LastUsedAt = used
	}
	return a
}

// accounts selects accounts with what belongs to each, which indexes by user count: one statement for a page.
func (s *Store) accounts(into *[]accountRow, now time.Time) *bun.SelectQuery {
	now = kyro.Moment(now)
	return s.read().NewSelect().Model(into).ModelTableExpr("users AS u").
		ColumnExpr("u.id, u.email, u.name, u.email_verified, u.created_at, u.deactivated_at, u.purge_after").
		ColumnExpr("u.password_hash <> '' AS has_password").
		ColumnExpr("(SELECT max(s.last_used_at) FROM sessions AS s WHERE s.user_id = u.id) AS session_used_at").
		ColumnExpr("(SELECT max(k.last_used_at) FROM api_keys AS k WHERE k.user_id = u.id) AS key_used_at").
		ColumnExpr("(SELECT count(*) FROM sessions AS s WHERE s.user_id = u.id AND s.revoked_at IS NULL AND s.expires_at > ?) AS sessions", now).
		ColumnExpr(`(SELECT count(*) FROM api_keys AS k WHERE k.user_id = u.id AND k.revoked_at IS NULL
			AND (k.expires_at IS NULL OR k.expires_at > ?)) AS keys`, now).
		ColumnExpr("(SELECT count(*) FROM bots AS b WHERE b.owner_id = u.id AND b.deleted_at IS NULL) AS bots").
		ColumnExpr(`(SELECT count(*) FROM bots AS b JOIN documents AS d ON d.bot_id = b.id AND d.deleted_at IS NULL
			WHERE b.owner_id = u.id AND b.deleted_at IS NULL) AS documents`).
		OrderExpr("u.id")
}

// Accounts reads accounts in the order of their ids.
func (s *Store) Accounts(ctx context.Context, want kyro.AccountQuery, now time.Time) ([]kyro.Account, error) {
	ctx, cancel := context.WithTimeout(ctx, accountTimeout)
	defer cancel()
	var rows []accountRow
	q := s.accounts(&rows, now)
	if want.Search == "" {
		q = q.Where("u.id > ?", want.After.Key).Limit(int64(want.Limit))
		if want.Deactivated {
			q = q.Where("u.deactivated_at IS NOT NULL")
		}
	} else {
		found, err := s.usersNamed(ctx, want)
		if err != nil || len(found) == 0 {
			return nil, failed("search the accounts", err)
		}
		q = q.Where("u.id IN (?)", bun.List(found))
	}
	if err := q.Scan(ctx); err != nil {
		return nil, failed("read the accounts", err)
	}
	return convert(rows, (*accountRow).noun), nil
}

// searchAtOnce is how many accounts are looked at by one statement of a search.
const searchAtOnce = 2_000

// usersNamed finds the accounts with the text in their address or name. Neither database folds case and accents as the
// rest of the program does, so it is done here: a search looks at every account once.
func (s *Store) usersNamed(ctx context.Context, want kyro.AccountQuery) (found []int64, err error) {
	text, after := fold(want.Search), want.After.Key
	for {
		var rows []struct {
			ID          int64
			Email, Name string
		}
		q := s.read().NewSelect().Model(&rows).ModelTableExpr("users AS u").Column("u.id", "u.email", "u.name").
			Where("u.id > ?", after).OrderExpr("u.id").Limit(searchAtOnce)
		if want.Deactivated {
			q = q.Where("u.deactivated_at IS NOT NULL")
		}
		if err := q.Scan(ctx); err != nil {
			return nil, err
		}
		for _, r := range rows {
			if strings.Contains(fold(r.Email), text) || strings.Contains(fold(r.Name), text) {
				found = append(found, r.ID)
			}
			if len(found) == want.Limit {
				return found, nil
			}
			after = r.ID
		}
		if len(rows) < searchAtOnce {
			return found, nil
		}
	}
}

// Account reads one account; NOT_FOUND where there is none.
func (s *Store) Account(ctx context.Context, id kyro.ID, now time.Time) (kyro.Account, error) {
	return s.account(ctx, now, "u.id = ?", id.Key)
}

// AccountByEmail finds by the normalised address; NOT_FOUND where there is none.
func (s *Store) AccountByEmail(ctx context.Context, email string, now time.Time) (kyro.Account, error) {
	return s.account(ctx, now, "u.email = ?", clean(email))
}

func (s *Store) account(ctx context.Context, now time.Time, condition string, value any) (kyro.Account, error) {
	ctx, cancel := context.WithTimeout(ctx, accountTimeout)
	defer cancel()
	var rows []accountRow
	err := s.accounts(&rows, now).Where(condition, value).Scan(ctx)
	account, err := kyro.One(convert(rows, (*accountRow).noun), err, kyro.KindUser)
	return account, failed("read the account", err)
}

// AddUser stores a user without a session, as whoever runs the server makes them. The id is put into the letters, the
// tokens and the deeds. EMAIL_TAKEN as addUser.
func (s *Store) AddUser(
	ctx context.Context, user kyro.NewUser, letters []kyro.Letter, tokens []kyro.MailToken, deeds ...kyro.AuditEntry,
) (kyro.User, error) {
	var u userRow
	user.Letters = letters
	err := s.write(ctx, "add the user", func(ctx context.Context, tx *writeTx) (err error) {
		if u, err = tx.addUser(ctx, user); err != nil {
			return err
		}
		for _, token := range tokens {
			token.UserID = kyro.UserID(u.ID)
			r := rowOfToken(token)
			if _, err := tx.NewInsert().Model(&r).Exec(ctx); err != nil {
				return err
			}
		}
		return tx.tell(ctx, kyro.UserID(u.ID), "", nil, deeds)
	})
	return u.noun(), err
}

// OverwritePassword sets a user's password whatever it was, ends all sessions, whose ids it gives, and takes the force of
// what was mailed before but for links that undo a change of the address. NOT_FOUND where there is no such user.
func (s *Store) OverwritePassword(
	ctx context.Context, user kyro.ID, hash string, now time.Time, letters []kyro.Letter, deeds ...kyro.AuditEntry,
) (ended []kyro.ID, err error) {
	err = s.write(ctx, "set the password", func(ctx context.Context, tx *writeTx) (err error) {
		var key int64
		err = tx.NewUpdate().Table("users").Set("password_hash = ?", hash).Set("password_changed_at = ?", kyro.Moment(now)).
			Where("id = ?", user.Key).Returning("id").Scan(ctx, &key)
		if err != nil {
			return notFound(err, kyro.KindUser)
		}
		if ended, err = tx.endSessions(ctx, user, kyro.ID{}, now); err != nil {
			return err
		}
		if err := tx.voidMails(ctx, user, now); err != nil {
			return err
		}
		return tx.tell(ctx, user, "", letters, deeds)
	})
	return ended, err
}

// EndAccess ends a user's sessions and, if they are to go too, API keys. It gives the ids of those it ended. NOT_FOUND
// where there is no such user.
func (s *Store) EndAccess(ctx context.Context, user kyro.ID, keys bool, now time.Time, deeds ...kyro.AuditEntry) (ended []kyro.ID, err error) {
	err = s.write(ctx, "end the sessions", func(ctx context.Context, tx *writeTx) (err error) {
		if err := s.holdUser(ctx, tx, user); err != nil {
			return err
		}
		if ended, err = tx.endSessions(ctx, user, kyro.ID{}, now); err != nil {
			return err
		}
		if keys {
			revoked, err := tx.revokeKeys(ctx, user, now)
			if err != nil {
				return err
			}
			ended = append(ended, revoked...)
		}
		return tx.tell(ctx, user, "", nil, deeds)
	})
	return ended, err
}

// purgeLeeway is how far the clock of the process that does the job may be behind.
const purgeLeeway = time.Minute

// PurgeNow has a deactivated account deleted as soon as somebody does jobs, and not given back any more. CONFLICT where
// it is in use, NOT_FOUND where there is none.
func (s *Store) PurgeNow(ctx context.Context, user kyro.ID, now time.Time, deeds ...kyro.AuditEntry) error {
	return s.write(ctx, "have the account deleted", func(ctx context.Context, tx *writeTx) error {
		var deactivated *time.Time
		err := s.lock(tx.NewSelect().Table("users").Column("deactivated_at").Where("id = ?", user.Key)).Scan(ctx, &deactivated)
		if err != nil {
			return notFound(err, kyro.KindUser)
		}
		if deactivated == nil {
			return kyro.Errorf(kyro.CodeConflict, "The account is in use: deactivate it first.")
		}
		if _, err := tx.NewUpdate().Table("users").Set("purge_after = ?", kyro.Moment(now.Add(-purgeLeeway))).Where("id = ?", user.Key).Exec(ctx); err != nil {
			return err
		}
		if err := tx.voidTokens(ctx, user, now, kyro.TokenReactivate); err != nil {
			return err
		}
		if err := tx.Enqueue(ctx, kyro.Job{Kind: kyro.JobPurgeUser, Key: user.Key}); err != nil {
			return err
		}
		return tx.tell(ctx, user, "", nil, deeds)
	})
}

// Remains is what is there of an account, deleted things included. Each half of a count has an index of its own.
func (s *Store) Remains(ctx context.Context, user kyro.ID) (kyro.Remains, error) {
	ctx, cancel := context.WithTimeout(ctx, accountTimeout)
	defer cancel()
	var r kyro.Remains
	err := s.read().NewRaw(`SELECT (SELECT count(*) FROM users WHERE id = ?0) > 0,
		(SELECT count(*) FROM bots WHERE owner_id = ?0 AND deleted_at IS NULL) +
			(SELECT count(*) FROM bots WHERE owner_id = ?0 AND deleted_at IS NOT NULL),
		(SELECT count(*) FROM bots AS b JOIN documents AS d ON d.bot_id = b.id AND d.deleted_at IS NULL WHERE b.owner_id = ?0 AND b.deleted_at IS NULL) +
			(SELECT count(*) FROM documents WHERE owner_id = ?0 AND deleted_at IS NOT NULL),
		(SELECT count(*) FROM conversations WHERE user_id = ?0 AND deleted_at IS NULL) +
			(SELECT count(*) FROM conversations WHERE user_id = ?0 AND deleted_at IS NOT NULL)`, user.Key).
		Scan(ctx, &r.Account, &r.Bots, &r.Documents, &r.Conversations)
	return r, failed("look what is left of the account", err)
}
