package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// Deactivate takes an account out of use, in one fact: its sessions end, its API keys work no more, though they are not
// revoked, what was mailed counts for nothing but links that undo a change of the address, documents that are being
// processed are CANCELED, and answers are asked to stop. It gives the ids of the sessions and keys. The account is deleted
// after purgeAfter; with nil it is not, and no mail takes it back. NOT_FOUND where there is no such user, CONFLICT where it
// is out of use. Letters without an address go to the account's.
func (s *Store) Deactivate(
	ctx context.Context, user kyro.ID, purgeAfter *time.Time, now time.Time, letters []kyro.Letter, deeds ...kyro.AuditEntry,
) (ended []kyro.ID, err error) {
	now = kyro.Moment(now)
	err = s.write(ctx, "deactivate the account", func(ctx context.Context, tx *writeTx) error {
		var r userRow
		// Messages refer to the row, and whoever stores one has its conversation, which is wanted here: so that must not wait.
		err := s.hold(tx.NewSelect().Model(&r).Where("u.id = ?", user.Key)).Scan(ctx)
		if err != nil {
			return notFound(err, kyro.KindUser)
		}
		if r.DeactivatedAt != nil {
			return kyro.Errorf(kyro.CodeConflict, "The account is deactivated already.")
		}
		_, err = tx.NewUpdate().Table("users").Set("deactivated_at = ?", now).Set("purge_after = ?", stampPtr(purgeAfter)).
			Where("id = ?", user.Key).Exec(ctx)
		if err != nil {
			return err
		}
		if ended, err = tx.endSessions(ctx, user, kyro.ID{}, now); err != nil {
			return err
		}
		var keys []int64
		err = tx.NewSelect().Table("api_keys").Column("id").Where("user_id = ? AND revoked_at IS NULL", user.Key).Scan(ctx, &keys)
		if err != nil {
			return err
		}
		ended = append(ended, convert(keys, func(key *int64) kyro.ID { return kyro.APIKeyID(*key) })...)
		if err := tx.voidMails(ctx, user, now); err != nil {
			return err
		}
		if err := tx.cancelCrawls(ctx, "owner_id", user.Key, now); err != nil {
			return err
		}
		if err := s.cancelDocuments(ctx, tx, user, now); err != nil {
			return err
		}
		if err := s.stopAllAnswers(ctx, tx, user, now); err != nil {
			return err
		}
		return tx.tell(ctx, user, r.Email, letters, deeds)
	})
	return ended, err
}

// cancelDocuments cancels the user's documents that are being processed.
func (s *Store) cancelDocuments(ctx context.Context, tx *writeTx, user kyro.ID, now time.Time) error {
	var bots []int64
	working := tx.NewSelect().TableExpr("documents AS d").ColumnExpr("1").
		Where("d.bot_id = b.id AND d.deleted_at IS NULL AND d.status NOT IN (?)", bun.List(kyro.FinalDocumentStatuses))
	err := s.hold(tx.NewSelect().TableExpr("bots AS b").Column("b.id").
		Where("b.owner_id = ? AND b.deleted_at IS NULL AND EXISTS (?)", user.Key, working).Order("b.id")).Scan(ctx, &bots)
	if err != nil || len(bots) == 0 {
		return err
	}
	var rows []documentRow
	err = s.hold(tx.NewSelect().Model(&rows).Where("d.bot_id IN (?) AND d.deleted_at IS NULL", bun.List(bots)).
		Where("d.status NOT IN (?)", bun.List(kyro.FinalDocumentStatuses)).Order("d.id")).Scan(ctx)
	if err != nil {
		return err
	}
	for i := range rows {
		rows[i].cancel(now)
		_, err := tx.NewUpdate().Model(&rows[i]).Where("id = ?", rows[i].ID).Column("run").Column(runColumns...).Exec(ctx)
		if err != nil {
			return err
		}
	}
	return nil
}

// stopAllAnswers asks all of the user's unfinished answers to stop, wherever they are made.
func (s *Store) stopAllAnswers(ctx context.Context, tx *writeTx, user kyro.ID, now time.Time) error {
	var conversations []int64
	waiting := tx.NewSelect().TableExpr("messages AS m").ColumnExpr("1").Where("m.conversation_id = c.id").Where("m." + unfinished)
	err := tx.NewSelect().TableExpr("conversations AS c").Column("c.id").
		Where("c.user_id = ? AND c.deleted_at IS NULL AND EXISTS (?)", user.Key, waiting).Order("c.id").Scan(ctx, &conversations)
	if err != nil {
		return err
	}
	var ended []settlement
	for _, key := range conversations {
		number, err := nextEvent(ctx, tx, "id = ?", key)
		if err != nil {
			return err
		}
		stopped, err := stopAnswers(ctx, tx, now, number, "conversation_id = ?", key)
		if err != nil {
			return err
		}
		ended = append(ended, stopped...)
	}
	return s.settle(ctx, tx, now, ended...)
}

// Reactivate takes a deactivated account back into use. NOT_FOUND where there is no such user, CONFLICT where it is in
// use, or is being deleted. Letters without an address go to the account's.
func (s *Store) Reactivate(ctx context.Context, user kyro.ID, now time.Time, letters []kyro.Letter, deeds ...kyro.AuditEntry) error {
	return s.write(ctx, "reactivate the account", func(ctx context.Context, tx *writeTx) error {
		var r userRow
		err := s.hold(tx.NewSelect().Model(&r).Where("u.id = ?", user.Key)).Scan(ctx)
		switch {
		case err != nil:
			return notFound(err, kyro.KindUser)
		case r.DeactivatedAt == nil:
			return kyro.Errorf(kyro.CodeConflict, "The account is in use already.")
		case r.PurgeBeganAt != nil:
			return kyro.Errorf(kyro.CodeConflict, "The account is being deleted.")
		}
		if err := tx.reactivate(ctx, user, now); err != nil {
			return err
		}
		return tx.tell(ctx, user, r.Email, letters, deeds)
	})
}

// RedeemReactivation takes an account back by the token of a mail. INVALID_TOKEN also where the account is being deleted,
// or was deactivated otherwise than by its owner. The letter goes to the account's address; the user's id is put into
// letter and deeds.
func (s *Store) RedeemReactivation(
	ctx context.Context, hash string, now time.Time, letter kyro.Letter, deeds ...kyro.AuditEntry,
) (done kyro.AccountChange, err error) {
	err = s.write(ctx, "reactivate the account", func(ctx context.Context, tx *writeTx) error {
		r, token, err := s.redeemFor(ctx, tx, kyro.TokenReactivate, hash, now)
		if err != nil {
			return err
		}
		if r.DeactivatedAt == nil || r.PurgeAfter == nil {
			return kyro.BadMailToken()
		}
		done = kyro.AccountChange{UserID: token.UserID}
		if err := tx.reactivate(ctx, token.UserID, now); err != nil {
			return err
		}
		return tx.tell(ctx, token.UserID, r.Email, []kyro.Letter{letter}, deeds)
	})
	return done, err
}

// reactivate takes an account back whose row is locked.
func (tx *writeTx) reactivate(ctx context.Context, user kyro.ID, now time.Time) error {
	_, err := tx.NewUpdate().Table("users").Set("deactivated_at = NULL").Set("purge_after = NULL").Where("id = ?", user.Key).Exec(ctx)
	if err == nil {
		err = tx.voidTokens(ctx, user, now, kyro.TokenReactivate)
	}
	if err == nil {
		err = tx.dropLetters(ctx, user, now, kyro.LetterDeactivated)
	}
	return err
}
