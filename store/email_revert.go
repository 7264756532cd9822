package store

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// RevertEmailChange makes a former address the account's again. Of several former addresses the oldest wins: it can be
// taken back after a younger one was, and not the other way round. All sessions end, API keys are revoked, what was mailed
// before and the tokens of devices count for nothing, the address stays as it is for kyro.RevertEmailTTL, and where the
// account was deactivated by whoever had it, it is back in use. The password stays until the owner sets a new one, which the
// letter brings a link for. EMAIL_TAKEN where another account has the address, after which the token is still good. The
// letter goes to the address that is back. The user's id is put into letter and deeds.
func (s *Store) RevertEmailChange(
	ctx context.Context, hash string, now time.Time, letter kyro.Letter, deeds ...kyro.AuditEntry,
) (done kyro.AccountChange, err error) {
	now = kyro.Moment(now)
	err = s.write(ctx, "undo the change of the address", func(ctx context.Context, tx *writeTx) error {
		r, token, err := s.redeemFor(ctx, tx, kyro.TokenRevertEmail, hash, now)
		if err != nil {
			return err
		}
		user, former := token.UserID, r.Email
		q := tx.NewUpdate().Table("users").Set("email = ?", token.NewEmail).Set("email_verified = ?", true).
			Set("password_changed_at = ?", now). // sign-ins that are under way count for nothing, nor do tokens of devices
			Set("email_locked_until = ?", now.Add(kyro.RevertEmailTTL)).Where("id = ?", r.ID)
		entries := slices.Clone(deeds)
		if r.PurgeAfter != nil { // which no admin sets who wants an account out of use
			q = q.Set("deactivated_at = NULL").Set("purge_after = NULL")
			for _, deed := range deeds {
				deed.Action = kyro.AuditReactivated
				entries = append(entries, deed)
			}
		}
		if _, err := q.Exec(ctx); err != nil {
			return takenBy(err)
		}
		done = kyro.AccountChange{UserID: user}
		if done.Ended, err = tx.endSessions(ctx, user, kyro.ID{}, now); err != nil {
			return err
		}
		keys, err := tx.revokeKeys(ctx, user, now)
		if err != nil {
			return err
		}
		done.Ended, entries = append(done.Ended, keys...), append(entries, revoking(keys, deeds)...)
		if err := tx.voidMails(ctx, user, now); err != nil {
			return err
		}
		if err := tx.voidTokens(ctx, user, now, kyro.TokenReactivate); err != nil {
			return err
		}
		if err := tx.dropLetters(ctx, user, now, kyro.LetterDeactivated); err != nil {
			return err
		}
		if err := tx.voidReverts(ctx, user, token.NewEmail, now); err != nil {
			return err
		}
		letter.OldEmail, letter.NewEmail = former, token.NewEmail
		return tx.tell(ctx, user, token.NewEmail, []kyro.Letter{letter}, entries)
	})
	return done, err
}

// voidReverts takes the force of the links, and of the letters that would bring them, to a former address of the user and
// to all that the account got later. Which is later, the letters about the changes say: they are kept for longer than
// links are good.
func (tx *writeTx) voidReverts(ctx context.Context, user kyro.ID, address string, now time.Time) error {
	var had []string // former addresses in the order in which the account had them
	err := tx.NewSelect().Table("letters").Column("old_email").Where("user_id = ? AND kind = ?", user.Key, string(kyro.LetterEmailChanged)).
		Group("old_email").OrderExpr("MIN(id)").Scan(ctx, &had)
	if err != nil {
		return err
	}
	older := had[:max(slices.Index(had, address), 0)]
	tokens := tx.NewUpdate().Table("mail_tokens").Set("voided_at = ?", now).
		Where("user_id = ? AND used_at IS NULL AND voided_at IS NULL AND purpose = ?", user.Key, string(kyro.TokenRevertEmail))
	letters := tx.NewUpdate().Table("letters").Set("ended_at = ?", now).
		Where("user_id = ? AND ended_at IS NULL AND kind = ?", user.Key, string(kyro.LetterEmailChanged))
	if len(older) > 0 {
		tokens, letters = tokens.Where("new_email NOT IN (?)", bun.List(older)), letters.Where("old_email NOT IN (?)", bun.List(older))
	}
	if _, err := tokens.Exec(ctx); err != nil {
		return err
	}
	_, err = letters.Exec(ctx)
	return err
}

// notKept answers EMAIL_TAKEN for a new account whose address nobody has shown to be theirs, while another account may get
// it back by a link: else whoever took an account over could keep its owner from that. It comes after the row was stored,
// since what changed that address away may have been waited for until then.
func (tx *writeTx) notKept(ctx context.Context, r userRow) error {
	if r.EmailVerified {
		return nil
	}
	n, err := tx.NewSelect().Table("letters").Where("old_email = ? AND kind = 'email-changed'", r.Email).
		Where("user_id IS NOT NULL AND created_at > ?", r.CreatedAt.Add(-kyro.RevertEmailTTL)).Count(ctx)
	if err == nil && n > 0 {
		return addressTaken()
	}
	return err
}
