package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// SetSync implements ingest.Store.
func (s *Store) SetSync(ctx context.Context, owner, id kyro.ID, hours *int, first *time.Time, now time.Time) (kyro.Document, error) {
	return s.changeDocument(ctx, "set the sync of a document", owner, id, nil, func(_ context.Context, _ *writeTx, row *documentRow) error {
		if row.PageURL == "" {
			return noPage()
		}
		row.SyncHours, row.SyncAt, row.SyncFailures, row.UpdatedAt = hours, stampPtr(first), 0, kyro.Moment(now)
		return nil
	})
}

// noPage is what is answered where a document has no page to look at.
func noPage() error {
	return kyro.Errorf(kyro.CodeConflict, "Only a document that was added by its address has a page to look at again.")
}

// DueSyncs implements ingest.Store.
func (s *Store) DueSyncs(ctx context.Context, now time.Time, each, limit int) ([]kyro.ID, error) {
	var due []int64
	ranked := s.read().NewSelect().TableExpr("documents AS d").Column("d.id", "d.sync_at").
		ColumnExpr("row_number() OVER (PARTITION BY d.owner_id ORDER BY d.sync_at, d.id) AS nth").
		Join("JOIN bots AS b ON b.id = d.bot_id AND b.deleted_at IS NULL").
		Join("JOIN users AS u ON u.id = d.owner_id AND u.deactivated_at IS NULL").
		Where("d.deleted_at IS NULL AND d.sync_at IS NOT NULL AND d.sync_at <= ?", kyro.Moment(now)).
		Where("d.status IN (?)", bun.List(kyro.FinalDocumentStatuses))
	err := s.read().NewSelect().TableExpr("(?) AS due", ranked).Column("due.id").Where("due.nth <= ?", each).
		OrderExpr("due.nth, due.sync_at, due.id").Limit(int64(limit)).Scan(ctx, &due)
	if err != nil {
		return nil, failed("look for pages to look at", err)
	}
	return convert(due, func(key *int64) kyro.ID { return kyro.DocumentID(*key) }), nil
}

// BeginSync implements ingest.Store.
func (s *Store) BeginSync(ctx context.Context, id kyro.ID, now time.Time, next func(hours, failures int) time.Time) (d kyro.Document, begun bool, err error) {
	d, err = s.changeDocument(ctx, "begin a scheduled run", kyro.ID{}, id, nil, func(_ context.Context, _ *writeTx, row *documentRow) error {
		begun = false
		if row.SyncAt == nil || row.SyncAt.After(kyro.Moment(now)) || row.SyncHours == nil || !kyro.DocumentStatus(row.Status).Final() {
			return nil // another node was as fast, or its owner
		}
		if run := row.lastRun(); run.Cause == kyro.RunScheduled {
			switch run.Outcome {
			case kyro.RunFailed, kyro.RunNeedsOCR:
				row.SyncFailures++
			case kyro.RunCanceled:
			default:
				row.SyncFailures = 0
			}
		}
		at := kyro.Moment(next(*row.SyncHours, row.SyncFailures))
		row.SyncAt, begun = &at, true
		return row.beginNext(kyro.NewRun{Cause: kyro.RunScheduled, Now: now})
	})
	return d, begun && err == nil, err
}
