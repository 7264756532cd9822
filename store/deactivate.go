package store

import (
	"context"
	"time"

	"kyrochat/kyro"
)

// Deactivate takes an account out of use: its sessions end, whose ids it gives, and its links count for nothing. It is
// deleted after purgeAfter, unless that is nil. NOT_FOUND where there is no such user, CONFLICT where it is out of use.
func (s *Store) Deactivate(
	ctx context.Context, user kyro.ID, purgeAfter *time.Time, now time.Time, letters []kyro.Letter, deeds ...kyro.AuditEntry,
) (ended []kyro.ID, err error) {
	err = s.write(ctx, "deactivate the account", func(ctx context.Context, tx *writeTx) (err error) {
		var already *time.Time
		err = s.lock(tx.NewSelect().Table("users").Column("deactivated_at").Where("id = ?", user.Key)).Scan(ctx, &already)
		if err != nil {
			return notFound(err, kyro.KindUser)
		}
		if already != nil {
			return kyro.Errorf(kyro.CodeConflict, "The account is deactivated already.")
		}
		_, err = tx.NewUpdate().Table("users").Set("deactivated_at = ?", kyro.Moment(now)).Set("purge_after = ?", stampPtr(purgeAfter)).
			Where("id = ?", user.Key).Exec(ctx)
		if err != nil {
			return err
		}
		if ended, err = tx.endSessions(ctx, user, kyro.ID{}, now); err != nil {
			return err
		}
		if err := tx.voidTokens(ctx, user, now, kyro.TokenResetPassword, kyro.TokenChangeEmail); err != nil {
			return err
		}
		if err := tx.addLetters(ctx, letters...); err != nil {
			return err
		}
		return tx.audit(ctx, deeds...)
	})
	return ended, err
}

// Reactivate takes a deactivated account back into use. NOT_FOUND where there is no such user, CONFLICT where it is in use.
func (s *Store) Reactivate(ctx context.Context, user kyro.ID, now time.Time, letters []kyro.Letter, deeds ...kyro.AuditEntry) error {
	return s.write(ctx, "reactivate the account", func(ctx context.Context, tx *writeTx) error {
		var since *time.Time
		err := s.lock(tx.NewSelect().Table("users").Column("deactivated_at").Where("id = ?", user.Key)).Scan(ctx, &since)
		if err != nil {
			return notFound(err, kyro.KindUser)
		}
		if since == nil {
			return kyro.Errorf(kyro.CodeConflict, "The account is in use already.")
		}
		_, err = tx.NewUpdate().Table("users").Set("deactivated_at = NULL").Set("purge_after = NULL").Where("id = ?", user.Key).Exec(ctx)
		if err != nil {
			return err
		}
		if err := tx.voidTokens(ctx, user, now, kyro.TokenReactivate); err != nil {
			return err
		}
		if err := tx.addLetters(ctx, letters...); err != nil {
			return err
		}
		return tx.audit(ctx, deeds...)
	})
}
