package store

import (
	"context"
	"time"

	"kyrochat/kyro"
)

// BeginRun implements ingest.Store.
func (s *Store) BeginRun(ctx context.Context, owner, id kyro.ID, r kyro.NewRun) (kyro.Document, error) {
	var row documentRow
	err := s.write(ctx, "begin a run", func(ctx context.Context, tx *writeTx) error {
		row = documentRow{}
		if err := s.holdDocument(ctx, tx, &row, owner, id); err != nil {
			return err
		}
		return tx.beginRun(ctx, &row, r)
	})
	if err != nil {
		return kyro.Document{}, err
	}
	return row.noun(), nil
}

// holdDocument reads a live document and its bot's lock; of anybody where the owner is zero.
func (s *Store) holdDocument(ctx context.Context, tx *writeTx, row *documentRow, owner, id kyro.ID) error {
	if err := s.holdBotOf(ctx, tx, id); err != nil {
		return err
	}
	query := tx.NewSelect().Model(row).Where("d.id = ? AND d.deleted_at IS NULL", id.Key)
	if !owner.IsZero() {
		query = query.Where("d.owner_id = ?", owner.Key)
	}
	return notFound(s.hold(query).Scan(ctx), kyro.KindDocument)
}

// beginRun begins a run of a document that is held: CONFLICT unless it is final.
func (tx *writeTx) beginRun(ctx context.Context, row *documentRow, r kyro.NewRun) error {
	if !kyro.DocumentStatus(row.Status).Final() {
		return kyro.Errorf(kyro.CodeConflict, "The document is being processed; this one is %s. Wait for its end, or cancel it.", row.Status)
	}
	now := kyro.Moment(r.Now)
	row.Run++
	if row.ActiveVersion != 0 {
		row.Version++
	}
	row.FetchTries = 0
	row.LastRun = &kyro.DocumentRun{Cause: r.Cause, StartedAt: now}
	row.move(kyro.DocumentStep{Status: kyro.DocumentQueued, Now: now})
	_, err := tx.NewUpdate().Model(row).Where("id = ?", row.ID).
		Column("run", "version", "status", "status_reason", "stage_done", "stage_total", "retry_at", "updated_at", "last_run", "fetch_tries").
		Exec(ctx)
	if err != nil {
		return err
	}
	return tx.Enqueue(ctx, kyro.Job{Kind: kyro.JobIngest, Key: row.ID, Run: row.Run})
}

// back ends a run beside an active version, which stays what answers use.
func (r *documentRow) back(outcome kyro.RunOutcome, reason string, now time.Time) {
	status := kyro.DocumentReady
	if len(r.Warnings) > 0 {
		status = kyro.DocumentWarned
	}
	r.move(kyro.DocumentStep{Status: status, Now: now})
	r.Making = nil
	run := kyro.DocumentRun{Cause: kyro.RunAdded, StartedAt: r.CreatedAt}
	if r.LastRun != nil {
		run = *r.LastRun
	}
	run.Outcome, run.Reason, run.FinishedAt = outcome, clean(reason), &r.UpdatedAt
	r.LastRun = &run
}
