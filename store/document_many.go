package store

import (
	"context"
	"slices"
	"time"

	"kyrochat/kyro"
)

// RestartDocuments implements ingest.Store.
func (s *Store) RestartDocuments(
	ctx context.Context, owner kyro.ID, ids []kyro.ID, now time.Time,
) (changed []kyro.Document, errs map[kyro.ID]error, err error) {
	return s.changeDocuments(ctx, "restart documents", owner, ids, func(ctx context.Context, tx *writeTx, rows []documentRow) error {
		for i := range rows {
			rows[i].restart(now)
			_, err := tx.NewUpdate().Model(&rows[i]).Where("id = ?", rows[i].ID).Column(changedColumns...).Exec(ctx)
			if err != nil {
				return err
			}
		}
		return nil
	}, (*documentRow).retryable)
}

// DeleteDocuments implements ingest.Store.
func (s *Store) DeleteDocuments(
	ctx context.Context, owner kyro.ID, ids []kyro.ID, now time.Time, deeds ...kyro.AuditEntry,
) (changed []kyro.Document, errs map[kyro.ID]error, err error) {
	now = kyro.Moment(now)
	return s.changeDocuments(ctx, "delete documents", owner, ids, func(ctx context.Context, tx *writeTx, rows []documentRow) error {
		keys, bots := make([]int64, len(rows)), []int64(nil)
		jobs, lines := make([]kyro.Job, len(rows)), []kyro.AuditEntry(nil)
		for i := range rows {
			r := &rows[i]
			r.Run++
			r.UpdatedAt, r.DeletedAt = now, &now
			keys[i], jobs[i] = r.ID, kyro.Job{Kind: kyro.JobPurge, Key: r.ID, Run: r.Run}
			if !slices.Contains(bots, r.BotID) {
				bots = append(bots, r.BotID)
			}
			lines = append(lines, about(kyro.DocumentID(r.ID), deeds)...)
		}
		_, err := tx.NewUpdate().Table("documents").Set("run = run + 1").Set("updated_at = ?", now).Set("deleted_at = ?", now).
			Where("id IN (?)", list(keys)).Exec(ctx)
		if err != nil {
			return err
		}
		if _, err := tx.NewUpdate().Table("bots").Set("knowledge = knowledge + 1").Where("id IN (?)", list(bots)).Exec(ctx); err != nil {
			return err
		}
		if err := tx.Enqueue(ctx, jobs...); err != nil {
			return err
		}
		return tx.audit(ctx, lines...)
	}, func(*documentRow) error { return nil })
}

// changeDocuments lets change alter those live documents of the owner that allowed has nothing against, in one fact. It gives
// them, and why the others are as they were.
func (s *Store) changeDocuments(
	ctx context.Context, tried string, owner kyro.ID, ids []kyro.ID,
	change func(context.Context, *writeTx, []documentRow) error, allowed func(*documentRow) error,
) (changed []kyro.Document, errs map[kyro.ID]error, err error) {
	if len(ids) == 0 {
		return nil, nil, nil
	}
	err = s.write(ctx, tried, func(ctx context.Context, tx *writeTx) error {
		changed, errs = nil, make(map[kyro.ID]error, len(ids))
		for _, id := range ids {
			errs[id] = kyro.NotFound(kyro.KindDocument)
		}
		if err := tx.holdOwner(ctx, "id = ?", owner.Key); err != nil {
			return err
		}
		_, err := s.hold(tx.NewSelect().Table("bots").Column("id").Order("id").Where("owner_id = ?", owner.Key).
			Where("id IN (SELECT bot_id FROM documents WHERE id IN (?))", keys(ids))).Exec(ctx)
		if err != nil {
			return err
		}
		var rows []documentRow
		err = s.hold(tx.NewSelect().Model(&rows).Order("d.id").
			Where("d.id IN (?) AND d.owner_id = ? AND d.deleted_at IS NULL", keys(ids), owner.Key)).Scan(ctx)
		if err != nil {
			return err
		}
		rows = slices.DeleteFunc(rows, func(r documentRow) bool {
			errs[kyro.DocumentID(r.ID)] = allowed(&r)
			return errs[kyro.DocumentID(r.ID)] != nil
		})
		if len(rows) == 0 {
			return nil
		}
		if err := change(ctx, tx, rows); err != nil {
			return err
		}
		changed = convert(rows, (*documentRow).noun)
		return tx.feed(ctx, owner.Key)
	})
	return changed, errs, err
}
