package store

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// RestartDocument implements ingest.Store.
func (s *Store) RestartDocument(ctx context.Context, owner, id kyro.ID, now time.Time) (kyro.Document, error) {
	return s.changeDocument(ctx, "restart document", owner, id, nil, func(ctx context.Context, tx *writeTx, row *documentRow) error {
		if err := row.retryable(); err != nil {
			return err
		}
		row.restart(now)
		return nil
	})
}

// retryable answers CONFLICT where the document cannot be retried.
func (r *documentRow) retryable() error {
	if kyro.DocumentStatus(r.Status).Retryable() {
		return nil
	}
	return kyro.Errorf(kyro.CodeConflict,
		"Only a document that failed, was canceled or needs OCR can be retried; this one is %s.", r.Status)
}

// restart begins another run on the version that the last one was at.
func (r *documentRow) restart(now time.Time) {
	if r.ActiveVersion > 0 {
		r.Version++ // what is in use cannot be made again
	}
	r.begin(kyro.RunRetried, now)
}

// CancelDocument implements ingest.Store. A document that is being made anew keeps the version that answers use.
func (s *Store) CancelDocument(ctx context.Context, owner, id kyro.ID, now time.Time) (kyro.Document, error) {
	return s.changeDocument(ctx, "cancel document", owner, id, nil, func(_ context.Context, _ *writeTx, row *documentRow) error {
		if kyro.DocumentStatus(row.Status).Final() {
			return kyro.Errorf(kyro.CodeConflict,
				"Only a document that is still being processed can be canceled; this one is %s.", row.Status)
		}
		row.cancel(now)
		return nil
	})
}

// DeleteDocument implements ingest.Store. From its return on no search finds the document: searches begin at the
// live documents.
func (s *Store) DeleteDocument(ctx context.Context, owner, id kyro.ID, now time.Time, deeds ...kyro.AuditEntry) (kyro.Document, error) {
	return s.changeDocument(ctx, "delete document", owner, id, deeds, func(ctx context.Context, tx *writeTx, row *documentRow) error {
		row.Run++
		row.UpdatedAt = kyro.Moment(now)
		row.DeletedAt = &row.UpdatedAt
		if err := knowledgeChanged(ctx, tx, row.BotID); err != nil {
			return err
		}
		return tx.Enqueue(ctx, kyro.Job{Kind: kyro.JobPurge, Key: row.ID, Run: row.Run})
	})
}

// cancel ends the run of a locked document.
func (r *documentRow) cancel(now time.Time) {
	r.Run++
	r.end(kyro.DocumentStep{Status: kyro.DocumentCanceled, Now: now})
}

// changeDocument lets change alter a live document of the owner, or of anybody where that is the zero ID, and writes what it
// can touch. Where that frees a place, the owner's next document gets it.
func (s *Store) changeDocument(
	ctx context.Context, tried string, owner, id kyro.ID, deeds []kyro.AuditEntry,
	change func(context.Context, *writeTx, *documentRow) error,
) (kyro.Document, error) {
	var row documentRow
	err := s.write(ctx, tried, func(ctx context.Context, tx *writeTx) error {
		if err := tx.holdOwnerOf(ctx, id); err != nil {
			return err
		}
		if err := s.holdBotOf(ctx, tx, id); err != nil {
			return err
		}
		row = documentRow{}
		query := s.hold(tx.NewSelect().Model(&row).Where("d.id = ? AND d.deleted_at IS NULL", id.Key))
		if !owner.IsZero() {
			query = query.Where("d.owner_id = ?", owner.Key)
		}
		if err := query.Scan(ctx); err != nil {
			return notFound(err, kyro.KindDocument)
		}
		if err := change(ctx, tx, &row); err != nil {
			return err
		}
		_, err := tx.NewUpdate().Model(&row).Where("id = ?", row.ID).Column(changedColumns...).Exec(ctx)
		if err != nil {
			return err
		}
		if err := tx.settle(ctx, &row); err != nil {
			return err
		}
		return tx.audit(ctx, deeds...)
	})
	if err != nil {
		return kyro.Document{}, err
	}
	return row.noun(), nil
}

var changedColumns = slices.Concat([]string{"run", "version", "deleted_at"}, runColumns, []string{"chunk_tokens", "overlap_tokens"},
	[]string{"fetch_tries", "sync_hours", "sync_at", "sync_failures"})

// holdBotOf locks the bot of a document before the document itself, as every transaction that may write both does.
func (s *Store) holdBotOf(ctx context.Context, tx *writeTx, document kyro.ID) error {
	_, err := s.hold(tx.NewSelect().Table("bots").Column("id").
		Where("id = (SELECT bot_id FROM documents WHERE id = ?)", document.Key)).Exec(ctx)
	return err
}

// hold is the lock of a row that is about to be written. Unlike FOR UPDATE it lets others store rows that refer to
// it, so that nobody who cancels or deletes a document waits while its chunks are being stored.
func (s *Store) hold(q *bun.SelectQuery) *bun.SelectQuery {
	if s.postgres() {
		return q.For("NO KEY UPDATE")
	}
	return q
}

// knowledgeChanged tells caches of the bot's live chunks that these are others now.
func knowledgeChanged(ctx context.Context, tx *writeTx, bot int64) error {
	_, err := tx.NewUpdate().Table("bots").Set("knowledge = knowledge + 1").Where("id = ?", bot).Exec(ctx)
	return err
}

// move makes the step on the row, which holds what was before it, but for the type, which is of a version.
func (r *documentRow) move(step kyro.DocumentStep) {
	if step.Status.Retryable() {
		before := r.noun()
		r.Reached = before.Progress().Percent()
	}
	if step.Status != "" {
		r.Status = string(step.Status)
	}
	r.StatusReason = clean(step.Reason)
	r.StageDone, r.StageTotal, r.RetryAt = step.StageDone, nil, stampPtr(step.RetryAt)
	if step.StageTotal != nil {
		total := *step.StageTotal // what is read back goes into it, and the caller's may be known to others
		r.StageTotal = &total
	}
	r.UpdatedAt = kyro.Moment(step.Now)
}
