package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// errRunOver is what a worker gets whose run is not the document's own any more.
func errRunOver() error {
	return kyro.Errorf(kyro.CodeConflict, "The document was changed, canceled or deleted while it was being processed.")
}

// DocumentForWork implements ingest.Store.
func (s *Store) DocumentForWork(ctx context.Context, id kyro.ID, run int64) (kyro.Document, error) {
	row, err := inRun(ctx, s.read(), id, run)
	if err != nil {
		return kyro.Document{}, failed("read document for work", err)
	}
	return row.worked(), nil
}

// HasPrepared implements ingest.Store.
func (s *Store) HasPrepared(ctx context.Context, id kyro.ID, run int64) (bool, error) {
	row, err := inRun(ctx, s.read(), id, run)
	if err != nil {
		return false, failed("read document for work", err)
	}
	return row.PreparedVersion == row.Version, nil
}

// Step implements ingest.Store. Only Activate makes a document ready.
func (s *Store) Step(ctx context.Context, id kyro.ID, run int64, step kyro.DocumentStep) (kyro.Document, error) {
	if step.Status.Ready() {
		return kyro.Document{}, fmt.Errorf("a step of %s to %s: only an activation makes a document ready", id, step.Status)
	}
	var row documentRow
	err := s.write(ctx, "step document", func(ctx context.Context, tx *writeTx) error {
		row = documentRow{}
		if step.Status.Retryable() {
			return tx.endRun(ctx, &row, id, run, step)
		}
		if step.RetryAt != nil { // which leaves its place to the next one
			if err := tx.holdOwnerOf(ctx, id); err != nil {
				return err
			}
		}
		columns := []string{"status_reason", "stage_done", "stage_total", "retry_at", "updated_at"}
		if step.Status != "" {
			columns = append(columns, "status")
		}
		if step.MimeType != "" {
			before, err := inRun(ctx, tx, id, run)
			if err != nil {
				return err
			}
			row = before
			facts := row.known()
			facts.MimeType = step.MimeType
			row.learn(facts)
			columns = append(columns, factColumns...)
		}
		row.move(step)
		if err := updateInRun(ctx, tx, &row, id, run, columns...); err != nil || step.RetryAt == nil {
			return err
		}
		return tx.feed(ctx, row.OwnerID)
	})
	if err != nil {
		return kyro.Document{}, err
	}
	return row.worked(), nil
}

// endRun ends a run without success.
func (tx *writeTx) endRun(ctx context.Context, row *documentRow, id kyro.ID, run int64, step kyro.DocumentStep) error {
	if err := tx.holdOwnerOf(ctx, id); err != nil {
		return err
	}
	before, err := inRun(ctx, tx, id, run)
	if err != nil {
		return err
	}
	*row = before
	columns := runColumns
	if p := step.Pages; p != nil && row.ActiveVersion == 0 { // the pages that answers use are those of the active version
		row.PageCount, row.PageChars, row.Warnings = &p.Count, p.Chars, orEmpty(p.Warnings)
		columns = slices.Concat(runColumns, []string{"page_count", "page_chars", "warnings"})
	}
	row.end(step)
	if err := updateInRun(ctx, tx, row, id, run, columns...); err != nil {
		return err
	}
	return tx.settle(ctx, row)
}

// Activate implements ingest.Store. It also enqueues the removal of a former version's rows.
func (s *Store) Activate(
	ctx context.Context, id kyro.ID, run int64, final kyro.DocumentStatus, with string, now time.Time,
) (kyro.Document, error) {
	if !final.Ready() {
		return kyro.Document{}, fmt.Errorf("activate %s: %s is not a status of a searchable document", id, final)
	}
	var row documentRow
	err := s.write(ctx, "activate document", func(ctx context.Context, tx *writeTx) error {
		if err := tx.holdOwnerOf(ctx, id); err != nil {
			return err
		}
		if err := s.holdBotOf(ctx, tx, id); err != nil {
			return err
		}
		before, err := inRun(ctx, tx, id, run)
		if err != nil {
			return err
		}
		if before.PreparedVersion != before.Version {
			return fmt.Errorf("version %d of %s has no text and chunks yet", before.Version, id)
		}
		row = before
		row.move(kyro.DocumentStep{Status: final, Now: now})
		row.adopt(row.known())
		row.ended(kyro.RunDone, "")
		row.LastRun.ChunksEmbedded = row.ChunkCount - row.LastRun.ChunksReused
		if err := tx.compare(ctx, &before, row.LastRun); err != nil {
			return err
		}
		row.ReadyAt = &row.UpdatedAt
		row.ActiveVersion = row.Version
		row.EmbeddedWith, row.RefreshingWith = with, ""
		err = tx.NewSelect().Table("chunks").ColumnExpr("count(*), coalesce(sum(term_count), 0)").
			Where("document_id = ? AND version = ?", id.Key, row.Version).Scan(ctx, &row.ActiveChunks, &row.ActiveTerms)
		if err != nil {
			return err
		}
		if err := knowledgeChanged(ctx, tx, row.BotID); err != nil {
			return err
		}
		if err := arrived(ctx, tx, row.ID, row.Version); err != nil {
			return err
		}
		columns := slices.Concat(runColumns, factColumns[1:], []string{
			"ready_at", "active_version", "active_chunks", "active_terms", "embedded_with", "refreshing_with",
		})
		if err := updateInRun(ctx, tx, &row, id, run, columns...); err != nil {
			return err
		}
		if row.Version > 1 {
			if err := tx.Enqueue(ctx, kyro.Job{Kind: kyro.JobPurge, Key: row.ID, Run: row.Run}); err != nil {
				return err
			}
		}
		return tx.feed(ctx, row.OwnerID)
	})
	if err != nil {
		return kyro.Document{}, err
	}
	return row.noun(), nil
}

// inRun reads a document for a worker: it must be live, unfinished and in the run.
func inRun(ctx context.Context, db bun.IDB, id kyro.ID, run int64) (documentRow, error) {
	var row documentRow
	err := db.NewSelect().Model(&row).
		Where("d.id = ? AND d.run = ? AND d.deleted_at IS NULL", id.Key, run).
		Where("d.status NOT IN (?)", bun.List(kyro.FinalDocumentStatuses)).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		err = errRunOver()
	}
	return row, err
}

// updateInRun writes columns of the row where it is live, unfinished and in the run, and reads it back.
func updateInRun(ctx context.Context, tx *writeTx, row *documentRow, id kyro.ID, run int64, columns ...string) error {
	err := tx.NewUpdate().Model(row).Column(columns...).
		Where("id = ? AND run = ? AND deleted_at IS NULL", id.Key, run).
		Where("status NOT IN (?)", bun.List(kyro.FinalDocumentStatuses)).
		Returning("*").Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return errRunOver()
	}
	return err
}
