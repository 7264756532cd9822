package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// Whatever changes an account locks its row first: then sessions, keys, tokens and letters are changed by one at a time.

// UpdateProfile writes what a user shows of themselves; NOT_FOUND where there is no such user.
func (s *Store) UpdateProfile(ctx context.Context, user kyro.ID, name string, deeds ...kyro.AuditEntry) (kyro.User, error) {
	var r userRow
	err := s.write(ctx, "update the profile", func(ctx context.Context, tx *writeTx) error {
		r = userRow{}
		err := tx.NewUpdate().Model(&r).Set("name = ?", clean(name)).Where("id = ? AND deactivated_at IS NULL", user.Key).
			Returning("id, email, name, email_verified, created_at").Scan(ctx)
		if err != nil {
			return notFound(err, kyro.KindUser)
		}
		return tx.tell(ctx, user, "", nil, deeds)
	})
	return r.noun(), err
}

// ChangePassword sets the hash where it is still the old one, else it answers CONFLICT. All other sessions end, whose
// ids it gives, and what was mailed before counts for nothing. The letter goes to the account's address.
func (s *Store) ChangePassword(
	ctx context.Context, c kyro.PasswordChange, letter kyro.Letter, deeds ...kyro.AuditEntry,
) (user kyro.User, ended []kyro.ID, err error) {
	err = s.write(ctx, "change the password", func(ctx context.Context, tx *writeTx) error {
		var r userRow
		err := tx.NewUpdate().Model(&r).Set("password_hash = ?", c.Hash).Set("password_changed_at = ?", kyro.Moment(c.At)).
			Where("id = ? AND password_hash = ? AND deactivated_at IS NULL", c.UserID.Key, c.Old).
			Returning("id, email, name, email_verified, created_at").Scan(ctx)
		if errors.Is(err, sql.ErrNoRows) {
			return kyro.Errorf(kyro.CodeConflict, "The password was changed meanwhile.")
		}
		if err != nil {
			return err
		}
		user = r.noun()
		if ended, err = tx.endSessions(ctx, c.UserID, c.SessionID, c.At); err != nil {
			return err
		}
		if err := tx.voidMails(ctx, c.UserID, c.At); err != nil {
			return err
		}
		return tx.tell(ctx, c.UserID, r.Email, []kyro.Letter{letter}, deeds)
	})
	return user, ended, err
}

// RequestEmailChange stores the letter that asks for a change of the address, in the place of earlier ones. CONFLICT where
// the address cannot be changed yet; INVALID_CREDENTIALS where the credentials, which the user gave, count no more.
func (s *Store) RequestEmailChange(ctx context.Context, known kyro.Credentials, letter kyro.Letter, deeds ...kyro.AuditEntry) error {
	user, now := known.User.ID, kyro.Moment(letter.CreatedAt)
	return s.write(ctx, "ask for another address", func(ctx context.Context, tx *writeTx) error {
		current, err := s.stillCounts(ctx, tx, known)
		if err != nil {
			return err
		}
		if until := current.EmailLockedUntil; until.After(now) {
			return kyro.Errorf(kyro.CodeConflict, "A change of the address was undone, so it stays as it is until %s.",
				until.Format(time.RFC3339)).At("newEmail")
		}
		if err := tx.voidTokens(ctx, user, now, kyro.TokenChangeEmail); err != nil {
			return err
		}
		if err := tx.dropLetters(ctx, user, now, kyro.LetterEmailChange); err != nil {
			return err
		}
		return tx.tell(ctx, user, "", []kyro.Letter{letter}, deeds)
	})
}

// stillCounts locks the row of somebody whose password was verified, and gives their credentials as they are then.
// INVALID_CREDENTIALS where the password was changed, or the account taken out of use, since known was read; NOT_FOUND
// where there is none any more.
func (s *Store) stillCounts(ctx context.Context, tx *writeTx, known kyro.Credentials) (kyro.Credentials, error) {
	var r userRow
	if err := s.hold(tx.NewSelect().Model(&r).Where("u.id = ?", known.User.ID.Key)).Scan(ctx); err != nil {
		return kyro.Credentials{}, notFound(err, kyro.KindUser)
	}
	today := r.credentials()
	if today.DeactivatedAt != nil || !today.PasswordChangedAt.Equal(known.PasswordChangedAt) {
		return today, kyro.Errorf(kyro.CodeInvalidCredentials, "The password was changed meanwhile.").At("password")
	}
	return today, nil
}

// holdUser locks the row of a user, so that what belongs to them is changed by one at a time. Others may store rows that
// refer to it meanwhile. NOT_FOUND where there is no such user.
func (s *Store) holdUser(ctx context.Context, tx *writeTx, user kyro.ID) error {
	var id int64
	err := s.hold(tx.NewSelect().Table("users").Column("id").Where("id = ?", user.Key)).Scan(ctx, &id)
	return notFound(err, kyro.KindUser)
}

// ConfirmEmailChange makes the address of a token the account's. INVALID_TOKEN also where the address is not to be changed
// now; EMAIL_TAKEN where another account has it, after which the token is still good. All sessions end but the one that
// asked for the change, and what was mailed before counts for nothing but the links that undo a change. The letter goes
// to the former address. The user's id is put into letter and deeds.
func (s *Store) ConfirmEmailChange(
	ctx context.Context, hash string, now time.Time, letter kyro.Letter, deeds ...kyro.AuditEntry,
) (done kyro.AccountChange, err error) {
	err = s.write(ctx, "change the address", func(ctx context.Context, tx *writeTx) error {
		r, token, err := s.redeemFor(ctx, tx, kyro.TokenChangeEmail, hash, now)
		if err != nil {
			return err
		}
		if r.DeactivatedAt != nil || r.EmailLockedUntil != nil && r.EmailLockedUntil.After(now) {
			return kyro.BadMailToken()
		}
		_, err = tx.NewUpdate().Table("users").Set("email = ?", token.NewEmail).Set("email_verified = ?", true).
			Where("id = ?", r.ID).Exec(ctx)
		if err != nil {
			return takenBy(err)
		}
		done = kyro.AccountChange{UserID: token.UserID}
		if done.Ended, err = tx.endSessions(ctx, token.UserID, token.SessionID, now); err != nil {
			return err
		}
		if err := tx.voidMails(ctx, token.UserID, now); err != nil {
			return err
		}
		letter.OldEmail, letter.NewEmail = r.Email, token.NewEmail
		return tx.tell(ctx, token.UserID, r.Email, []kyro.Letter{letter}, deeds)
	})
	return done, err
}

// redeemFor uses a token of an account up, whose row it locks before and gives as it is then.
func (s *Store) redeemFor(
	ctx context.Context, tx *writeTx, purpose kyro.TokenPurpose, hash string, now time.Time,
) (r userRow, token kyro.MailToken, err error) {
	err = s.lock(tx.NewSelect().Model(&r).Where("u.id = (SELECT user_id FROM mail_tokens WHERE hash = ?)", hash)).Scan(ctx)
	if err != nil {
		return r, token, noToken(err)
	}
	if r.PurgeBeganAt != nil || r.PurgeAfter != nil && !r.PurgeAfter.After(now) {
		return r, token, kyro.BadMailToken()
	}
	token, err = tx.redeem(ctx, purpose, hash, now)
	return r, token, err
}

// takenBy is EMAIL_TAKEN where a token's address has another account.
func takenBy(err error) error {
	if !isUniqueViolation(err) {
		return err
	}
	return kyro.Errorf(kyro.CodeEmailTaken, "Another account has this address.").At("token")
}

// voidMails takes the force of what was mailed to a user: links, and letters that would bring some. Links that undo a
// change of the address are not among them: they are there for somebody else than whoever changes things now.
func (tx *writeTx) voidMails(ctx context.Context, user kyro.ID, now time.Time) error {
	err := tx.voidTokens(ctx, user, now, kyro.TokenResetPassword, kyro.TokenChangeEmail, kyro.TokenVerifyEmail)
	if err != nil {
		return err
	}
	return tx.dropLetters(ctx, user, now, kyro.LetterEmailChange, kyro.LetterVerification, kyro.LetterPasswordReset)
}

// dropLetters ends letters to a user that are not sent yet.
func (tx *writeTx) dropLetters(ctx context.Context, user kyro.ID, now time.Time, kinds ...kyro.LetterKind) error {
	_, err := tx.NewUpdate().Table("letters").Set("ended_at = ?", kyro.Moment(now)).
		Where("user_id = ? AND ended_at IS NULL AND kind IN (?)", user.Key, bun.List(kinds)).Exec(ctx)
	return err
}

// tell stores letters and lines of the audit log about a user, whose id is put into them. Letters without an address go
// to email. It is the last thing a transaction does.
func (tx *writeTx) tell(ctx context.Context, user kyro.ID, email string, letters []kyro.Letter, deeds []kyro.AuditEntry) error {
	for _, letter := range letters {
		if letter.UserID = user; letter.To == "" {
			letter.To = email
		}
		if err := tx.addLetters(ctx, letter); err != nil {
			return err
		}
	}
	entries := make([]kyro.AuditEntry, len(deeds))
	for i, deed := range deeds {
		deed.UserID = user
		entries[i] = deed
	}
	return tx.audit(ctx, entries...)
}
