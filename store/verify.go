package store

import (
	"context"
	"slices"
	"time"

	"kyrochat/kyro"
)

// VerifyEmail uses up a token: the address of its user counts as confirmed, or the user is made whose registration it has,
// and all other registrations of the address lose their force. INVALID_TOKEN for a token that is not good, for a user that
// is deactivated, and where the address has got an account meanwhile. It gives the user. Deeds of nobody become theirs.
func (s *Store) VerifyEmail(ctx context.Context, hash string, now time.Time, deeds ...kyro.AuditEntry) (user kyro.ID, err error) {
	err = s.write(ctx, "verify the address", func(ctx context.Context, tx *writeTx) error {
		if err := tx.lockOwner(ctx, s, hash); err != nil {
			return err
		}
		token, err := tx.redeem(ctx, kyro.TokenVerifyEmail, hash, now)
		if err != nil {
			return err
		}
		if user = token.UserID; user.IsZero() {
			user, err = tx.register(ctx, token, now)
		} else {
			err = tx.confirmAddress(ctx, user, now)
		}
		if err != nil {
			return err
		}
		return tx.tell(ctx, user, "", nil, deeds)
	})
	return user, err
}

// lockOwner locks the user of a token: users are locked before their tokens, as by those who make tokens. Where it has
// none, it locks the registrations of its address, of which the first that is confirmed takes the force of all.
func (tx *writeTx) lockOwner(ctx context.Context, s *Store, hash string) error {
	var found []int64
	err := s.lock(tx.NewSelect().Table("users").Column("id").Where("id = (SELECT user_id FROM mail_tokens WHERE hash = ?)", clean(hash))).Scan(ctx, &found)
	if err != nil || len(found) > 0 {
		return err
	}
	return s.lock(tx.NewSelect().Table("mail_tokens").Column("id").Where("purpose = ? AND user_id IS NULL", string(kyro.TokenVerifyEmail)).
		Where("email = (SELECT email FROM mail_tokens WHERE hash = ?)", clean(hash)).Order("id")).Scan(ctx, &found)
}

// register makes the user of a registration.
func (tx *writeTx) register(ctx context.Context, token kyro.MailToken, now time.Time) (kyro.ID, error) {
	u, err := tx.addUser(ctx, kyro.NewUser{
		Email: token.Email, Name: token.Name, PasswordHash: token.PasswordHash, EmailVerified: true, CreatedAt: now,
	})
	if kyro.ErrorCode(err) == kyro.CodeEmailTaken {
		return kyro.ID{}, kyro.BadMailToken()
	}
	return kyro.UserID(u.ID), err
}

// confirmAddress notes that the user's address was proved to be theirs.
func (tx *writeTx) confirmAddress(ctx context.Context, user kyro.ID, now time.Time) error {
	result, err := tx.NewUpdate().Table("users").Set("email_verified = ?", true).
		Where("id = ? AND deactivated_at IS NULL", user.Key).Exec(ctx)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return orBadToken(err)
	}
	return tx.voidTokens(ctx, user, now, kyro.TokenVerifyEmail)
}

func orBadToken(err error) error {
	if err != nil {
		return err
	}
	return kyro.BadMailToken()
}

// ResetPassword uses up a token and sets the password. The address counts as confirmed, all sessions end, and other mails,
// those included that are not sent yet, lose their force, but for links that undo a change of the address: whoever changed
// it may be who resets the password now. API keys are revoked where the address had not been confirmed before. It gives what ended. INVALID_TOKEN
// as for VerifyEmail.
func (s *Store) ResetPassword(
	ctx context.Context, hash, passwordHash string, now time.Time, notice kyro.Letter, deeds ...kyro.AuditEntry,
) (ended []kyro.ID, err error) {
	now = kyro.Moment(now)
	err = s.write(ctx, "reset the password", func(ctx context.Context, tx *writeTx) error {
		ended = nil
		if err := tx.lockOwner(ctx, s, hash); err != nil {
			return err
		}
		token, err := tx.redeem(ctx, kyro.TokenResetPassword, hash, now)
		if err != nil {
			return err
		}
		var user userRow
		err = tx.NewSelect().Model(&user).Where("u.id = ? AND u.deactivated_at IS NULL", token.UserID.Key).Scan(ctx)
		if err != nil {
			return noToken(err)
		}
		_, err = tx.NewUpdate().Table("users").Set("password_hash = ?", passwordHash).Set("password_changed_at = ?", now).
			Set("email_verified = ?", true).Where("id = ?", user.ID).Exec(ctx)
		if err != nil {
			return err
		}
		if ended, err = tx.endSessions(ctx, token.UserID, kyro.ID{}, now); err != nil {
			return err
		}
		entries := deeds
		if !user.EmailVerified {
			keys, err := tx.revokeKeys(ctx, token.UserID, now)
			if err != nil {
				return err
			}
			ended, entries = append(ended, keys...), slices.Concat(deeds, revoking(keys, deeds))
		}
		if err := tx.voidMails(ctx, token.UserID, now); err != nil {
			return err
		}
		return tx.tell(ctx, token.UserID, user.Email, []kyro.Letter{notice}, entries)
	})
	return ended, err
}

// LiveKeyNames gives the names of the API keys of a user that work, oldest first.
func (s *Store) LiveKeyNames(ctx context.Context, user kyro.ID, now time.Time) (names []string, err error) {
	err = s.read().NewSelect().Table("api_keys").Column("name").
		Where("user_id = ? AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)", user.Key, kyro.Moment(now)).
		Order("id").Scan(ctx, &names)
	return names, failed("read the names of API keys", err)
}
