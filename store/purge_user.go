package store

import (
	"context"
	"time"

	"kyrochat/kyro"
)

// How much one step of the deletion of an account does.
const (
	usersASweep      = 100
	botsAStep        = 10
	documentsAStep   = 50
	conversationStep = 50
	exportsAStep     = 10
	rowsAStep        = 1_000

	// purgeAgain is after how long a deletion that did not come to its end is begun again.
	purgeAgain = 24 * time.Hour
)

// toPurge holds for accounts whose time is over. It decides against whoever takes one back, and is looked at once more
// where that was waited for.
const toPurge = "deactivated_at IS NOT NULL AND purge_after <= ? AND (purge_began_at IS NULL OR purge_began_at <= ?)"

// SweepUsers begins the deletion of accounts whose grace is over, each by one job: from then on nobody takes them back.
func (s *Store) SweepUsers(ctx context.Context, now time.Time) error {
	now = kyro.Moment(now)
	before := now.Add(-purgeAgain)
	for {
		var users []int64
		err := s.write(ctx, "look for accounts to delete", func(ctx context.Context, tx *writeTx) error {
			users = nil
			some := tx.NewSelect().Table("users").Column("id").Where(toPurge, now, before).Order("id").Limit(usersASweep)
			err := tx.NewUpdate().Table("users").Set("purge_began_at = ?", now).Where("id IN (?)", some).Where(toPurge, now, before).
				Returning("id").Scan(ctx, &users)
			if err != nil {
				return err
			}
			purges := make([]kyro.Job, len(users))
			for i, key := range users {
				purges[i] = kyro.Job{Kind: kyro.JobPurgeUser, Key: key}
			}
			return tx.Enqueue(ctx, purges...)
		})
		if err != nil || len(users) < usersASweep {
			return err
		}
	}
}

// PurgeUser does a step of the deletion of an account whose grace is over, of which at last nothing is left but lines of
// the audit log without their devices. It gives the deleted documents that come next: once nothing is left of them but
// their rows, they are given back as purged. Any number of callers may be at it at once. The deeds are written with the
// last step.
func (s *Store) PurgeUser(
	ctx context.Context, user kyro.ID, purged []kyro.ID, now time.Time, deeds ...kyro.AuditEntry,
) (kyro.Purging, error) {
	begun, err := s.beginPurge(ctx, user, now)
	if err != nil || !begun {
		return kyro.Purging{Done: err == nil}, err
	}
	dropped, err := s.dropBots(ctx, user, now)
	if err != nil || dropped {
		return kyro.Purging{}, err
	}
	exports, err := s.dropExports(ctx, user, now)
	if err != nil || len(exports) > 0 {
		return kyro.Purging{Exports: exports}, err
	}
	if err := s.forgetDocuments(ctx, user, purged); err != nil {
		return kyro.Purging{}, err
	}
	documents, err := s.deletedOf(ctx, "documents", "owner_id", user, documentsAStep)
	if err != nil || len(documents) > 0 {
		return kyro.Purging{Documents: convert(documents, func(key *int64) kyro.ID { return kyro.DocumentID(*key) })}, err
	}
	for _, step := range []func(context.Context, *writeTx, kyro.ID) (more bool, err error){purgeTalks, purgeRows} {
		var more bool
		err := s.write(ctx, "delete the rows of an account", func(ctx context.Context, tx *writeTx) (err error) {
			more, err = step(ctx, tx, user)
			return err
		})
		if err != nil || more {
			return kyro.Purging{}, err
		}
	}
	var gone bool
	err = s.write(ctx, "delete the account", func(ctx context.Context, tx *writeTx) error {
		result, err := tx.NewDelete().Table("users").Where("id = ?", user.Key).Exec(ctx)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		if gone = n > 0; err != nil || !gone {
			return err // somebody else was at it, too
		}
		return tx.tell(ctx, user, "", nil, deeds)
	})
	return kyro.Purging{Done: err == nil, Gone: err == nil && gone}, err
}

// beginPurge reports whether the account is to be deleted, which nobody changes any more then.
func (s *Store) beginPurge(ctx context.Context, user kyro.ID, now time.Time) (begun bool, err error) {
	now = kyro.Moment(now)
	err = s.write(ctx, "begin to delete the account", func(ctx context.Context, tx *writeTx) error {
		result, err := tx.NewUpdate().Table("users").Set("purge_began_at = COALESCE(purge_began_at, ?)", now).
			Where("id = ? AND (purge_began_at IS NOT NULL OR deactivated_at IS NOT NULL AND purge_after <= ?)", user.Key, now).Exec(ctx)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		begun = n > 0
		return err
	})
	return begun, err
}

// dropBots deletes bots as their owner would, with all that they have.
func (s *Store) dropBots(ctx context.Context, user kyro.ID, now time.Time) (dropped bool, err error) {
	var bots []int64
	err = s.read().NewSelect().Table("bots").Column("id").Where("owner_id = ? AND deleted_at IS NULL", user.Key).
		Order("id").Limit(botsAStep).Scan(ctx, &bots)
	if err != nil {
		return false, failed("read the bots of an account", err)
	}
	for _, key := range bots {
		err := s.DeleteBot(ctx, user, kyro.BotID(key), now)
		if err != nil && kyro.ErrorCode(err) != kyro.CodeNotFound {
			return true, err
		}
	}
	return len(bots) > 0, nil
}

// dropExports deletes the exports of an account, and gives those of which a file may be left.
func (s *Store) dropExports(ctx context.Context, user kyro.ID, now time.Time) ([]kyro.ID, error) {
	err := s.write(ctx, "delete the exports of an account", func(ctx context.Context, tx *writeTx) error {
		_, err := tx.NewUpdate().Table("exports").Set("deleted_at = ?", kyro.Moment(now)).Where("owner_id = ? AND deleted_at IS NULL", user.Key).Exec(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	found, err := s.deletedOf(ctx, "exports", "owner_id", user, exportsAStep)
	return convert(found, func(key *int64) kyro.ID { return kyro.ExportID(*key) }), err
}

// deletedOf gives rows that were deleted, in the table's order.
func (s *Store) deletedOf(ctx context.Context, table, column string, user kyro.ID, limit int) (found []int64, err error) {
	err = s.read().NewSelect().Table(table).Column("id").Where(column+" = ? AND deleted_at IS NOT NULL", user.Key).
		Order("id").Limit(int64(limit)).Scan(ctx, &found)
	return found, failed("read what was deleted", err)
}

// forgetDocuments removes the rows of deleted documents of which nothing else is left.
func (s *Store) forgetDocuments(ctx context.Context, user kyro.ID, purged []kyro.ID) error {
	if len(purged) == 0 {
		return nil
	}
	return s.write(ctx, "delete documents", func(ctx context.Context, tx *writeTx) error {
		_, err := tx.NewDelete().Table("documents").
			Where("id IN (?) AND owner_id = ? AND deleted_at IS NOT NULL", keys(purged), user.Key).Exec(ctx)
		return err
	})
}

// purgeTalks removes messages with their citations, and then the conversations that have none any more.
func purgeTalks(ctx context.Context, tx *writeTx, user kyro.ID) (more bool, err error) {
	var talks, messages []int64
	err = tx.NewSelect().Table("conversations").Column("id").Where("user_id = ? AND deleted_at IS NOT NULL", user.Key).
		Order("id").Limit(conversationStep).Scan(ctx, &talks)
	if err != nil || len(talks) == 0 {
		return false, err
	}
	// The last ones first: answers refer to what they answer.
	err = tx.NewSelect().Table("messages").Column("id").Where("conversation_id IN (?)", list(talks)).
		OrderExpr("id DESC").Limit(rowsAStep).Scan(ctx, &messages)
	if err != nil {
		return false, err
	}
	if len(messages) == 0 {
		_, err := tx.NewDelete().Table("conversations").Where("id IN (?)", list(talks)).Exec(ctx)
		return true, err
	}
	if _, err := tx.NewDelete().Table("citations").Where("message_id IN (?)", list(messages)).Exec(ctx); err != nil {
		return false, err
	}
	_, err = tx.NewDelete().Table("messages").Where("id IN (?)", list(messages)).Exec(ctx)
	return true, err
}

// purgeRows removes what is left of the user but their own row: some of each, and more says that there is some left. Of
// lines of the audit log the devices go.
func purgeRows(ctx context.Context, tx *writeTx, user kyro.ID) (more bool, err error) {
	if more, err := tx.dropCrawls(ctx, "owner_id", user.Key); err != nil || more {
		return more, err
	}
	for _, table := range []string{"spendings", "budgets", "usages"} {
		row := map[bool]string{true: "hour", false: "id"}[table == "usages"]
		some := tx.NewSelect().Table(table).Column(row).Where("owner_id = ?", user.Key).Limit(rowsAStep)
		result, err := tx.NewDelete().Table(table).Where("owner_id = ? AND "+row+" IN (?)", user.Key, some).Exec(ctx)
		if err != nil {
			return false, err
		}
		if n, err := result.RowsAffected(); err != nil || n > 0 {
			return true, err
		}
	}
	const mine = "user_id = ? OR user_id IS NULL AND "
	const address = " = (SELECT email FROM users WHERE id = ?)"
	slots := tx.NewSelect().Table("upload_slots").Column("id").Where("owner_id = ?", user.Key)
	if _, err := tx.NewDelete().Table("upload_parts").Where("slot_id IN (?)", slots).Exec(ctx); err != nil {
		return false, err
	}
	asked := tx.NewSelect().Table("gaps").Column("id").Where("bot_id IN (SELECT id FROM bots WHERE owner_id = ?)", user.Key)
	if _, err := tx.NewDelete().Table("gap_questions").Where("gap_id IN (?) OR bot_id IN (SELECT id FROM bots WHERE owner_id = ?)", asked, user.Key).Exec(ctx); err != nil {
		return false, err
	}
	for _, part := range []struct {
		table, which string
		args         []any
	}{
		{"upload_slots", "owner_id = ?", []any{user.Key}},
		{"gaps", "bot_id IN (SELECT id FROM bots WHERE owner_id = ?)", []any{user.Key}},
		{"bots", "owner_id = ? AND deleted_at IS NOT NULL", []any{user.Key}},
		{"sessions", "user_id = ?", []any{user.Key}},
		{"api_keys", "user_id = ?", []any{user.Key}},
		{"letters", mine + "recipient" + address, []any{user.Key, user.Key}},
		{"mail_tokens", mine + "email" + address, []any{user.Key, user.Key}},
	} {
		some := tx.NewSelect().Table(part.table).Column("id").Where(part.which, part.args...).Limit(rowsAStep)
		result, err := tx.NewDelete().Table(part.table).Where("id IN (?)", some).Exec(ctx)
		if err != nil {
			return false, err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return false, err
		}
		more = more || n == rowsAStep
	}
	some := tx.NewSelect().Table("audit_log").Column("id").Where("user_id = ? AND device IS NOT NULL", user.Key).Limit(rowsAStep)
	result, err := tx.NewUpdate().Table("audit_log").Set("device = NULL").Set("device_salt = NULL").Where("id IN (?)", some).Exec(ctx)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return more || n == rowsAStep, err
}
