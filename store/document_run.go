package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// The columns that the beginning or the end of a run writes.
var runColumns = []string{
	"status", "status_reason", "stage_done", "stage_total", "reached", "retry_at", "updated_at", "making", "last_run",
}

// The columns of what is known of a version.
var factColumns = []string{
	"making", "title", "search_key", "url", "mime_type", "content_hash", "size_bytes", "etag", "last_modified", "claimed",
	"fetched_type", "fetched_url", "page_count", "page_chars", "chunk_count", "char_count", "language", "warnings", "chunk_tokens", "overlap_tokens",
}

// BeginRun implements ingest.Store. The version that answers use stays what it is until the new one is activated.
func (s *Store) BeginRun(ctx context.Context, owner, id kyro.ID, r kyro.NewRun) (kyro.Document, error) {
	return s.changeDocument(ctx, "begin a run", owner, id, nil, func(_ context.Context, _ *writeTx, row *documentRow) error {
		return row.beginNext(r)
	})
}

// beginNext makes the row one that waits for a run of its next version; CONFLICT unless it is final.
func (r *documentRow) beginNext(n kyro.NewRun) error {
	if !kyro.DocumentStatus(r.Status).Final() {
		return kyro.Errorf(kyro.CodeConflict, "The document is being worked on: it is %s. Wait for it, or cancel that first.", r.Status)
	}
	r.begin(n.Cause, n.Now)
	r.Version++
	facts := r.known()
	if r.ActiveVersion > 0 {
		facts = kyro.VersionFacts{
			MimeType: r.MimeType, ContentHash: r.ContentHash, SizeBytes: r.SizeBytes, ETag: r.ETag, LastModified: r.LastModified,
			Claimed: r.Claimed, FetchedType: r.FetchedType, FetchedURL: r.FetchedURL, ChunkTokens: r.ChunkTokens, OverlapTokens: r.OverlapTokens,
		}
	}
	n.ChunkTokens.Into(&facts.ChunkTokens)
	n.OverlapTokens.Into(&facts.OverlapTokens)
	r.learn(facts)
	return nil
}

// begin makes the row one that waits for a new run.
func (r *documentRow) begin(cause kyro.RunCause, now time.Time) {
	r.Run++
	r.FetchTries = 0
	r.move(kyro.DocumentStep{Status: kyro.DocumentQueued, Now: now})
	r.LastRun = &kyro.DocumentRun{Cause: cause, StartedAt: r.UpdatedAt}
}

// known is what is known of the version that is being made, or was made last.
func (r *documentRow) known() kyro.VersionFacts {
	if r.Making != nil {
		return *r.Making
	}
	return kyro.VersionFacts{
		MimeType: r.MimeType, ContentHash: r.ContentHash, SizeBytes: r.SizeBytes, ETag: r.ETag, LastModified: r.LastModified,
		Claimed: r.Claimed, FetchedType: r.FetchedType, FetchedURL: r.FetchedURL, PageCount: r.PageCount, PageChars: r.PageChars, ChunkCount: r.ChunkCount, CharCount: r.CharCount, Language: r.Language,
		Warnings: r.Warnings, ChunkTokens: r.ChunkTokens, OverlapTokens: r.OverlapTokens,
	}
}

// learn notes what is known of the version that is being made: beside what is known of the one that answers use, where there
// is one.
func (r *documentRow) learn(f kyro.VersionFacts) {
	if r.ActiveVersion > 0 {
		r.Making = &f
		return
	}
	r.adopt(f)
}

// adopt makes what is known of a version the document's own.
func (r *documentRow) adopt(f kyro.VersionFacts) {
	if f.Title != "" {
		r.Title = clean(f.Title)
		r.SearchKey = fold(clean(r.Title + "\n" + r.FileName))
	}
	if f.URL != "" {
		r.URL = f.URL
	}
	r.MimeType, r.ContentHash, r.SizeBytes, r.ETag, r.LastModified = f.MimeType, f.ContentHash, f.SizeBytes, f.ETag, f.LastModified
	r.Claimed, r.FetchedType, r.FetchedURL = f.Claimed, f.FetchedType, f.FetchedURL
	r.PageCount, r.PageChars, r.ChunkCount, r.CharCount, r.Language = f.PageCount, f.PageChars, f.ChunkCount, f.CharCount, f.Language
	r.Warnings, r.ChunkTokens, r.OverlapTokens, r.Making = orEmpty(f.Warnings), f.ChunkTokens, f.OverlapTokens, nil
}

// worked is the document as its worker sees it: with what is known of the version that is being made.
func (r *documentRow) worked() kyro.Document {
	if r.Making == nil {
		return r.noun()
	}
	seen := *r
	seen.adopt(*r.Making)
	return seen.noun()
}

// back ends the run of a document that has an active version without a new one: it is what it was.
func (r *documentRow) back(outcome kyro.RunOutcome, reason string, now time.Time) {
	status := kyro.DocumentReady
	if len(r.Warnings) > 0 {
		status = kyro.DocumentWarned
	}
	r.move(kyro.DocumentStep{Status: status, Now: now})
	r.Making = nil
	r.ended(outcome, reason)
}

// outcomes are how runs end without success, by what becomes of a document that has no version that answers use.
var outcomes = map[kyro.DocumentStatus]kyro.RunOutcome{
	kyro.DocumentFailed: kyro.RunFailed, kyro.DocumentNeedsOCR: kyro.RunNeedsOCR, kyro.DocumentCanceled: kyro.RunCanceled,
}

// end ends the run without success: status is FAILED, NEEDS_OCR or CANCELED, which the document is only where there is no
// version that answers use.
func (r *documentRow) end(step kyro.DocumentStep) {
	outcome := outcomes[step.Status]
	if r.ActiveVersion > 0 {
		r.back(outcome, step.Reason, step.Now)
		return
	}
	r.move(step)
	r.ended(outcome, step.Reason)
}

// ended notes how the run ended, at the time of the move before.
func (r *documentRow) ended(outcome kyro.RunOutcome, reason string) {
	run, at := r.lastRun(), r.UpdatedAt
	run.Outcome, run.Reason, run.FinishedAt = outcome, clean(reason), &at
	r.LastRun = &run
}

// lastRun is what was last done about the document; of one from before that was kept, that it was added, and how that ended.
func (r *documentRow) lastRun() kyro.DocumentRun {
	if r.LastRun != nil {
		return *r.LastRun
	}
	run := kyro.DocumentRun{Cause: kyro.RunAdded, StartedAt: r.CreatedAt.UTC()}
	status := kyro.DocumentStatus(r.Status)
	if !status.Final() {
		return run
	}
	at := r.UpdatedAt.UTC()
	run.FinishedAt = &at
	if status.Ready() {
		run.Outcome, run.ChunksEmbedded = kyro.RunDone, r.ChunkCount
		if r.ReadyAt != nil {
			at = r.ReadyAt.UTC()
		}
	} else {
		run.Outcome, run.Reason = outcomes[status], r.StatusReason
	}
	return run
}

// abandoned reports whether the version that was made last is one that never became active and never will.
func (r *documentRow) abandoned() bool {
	return kyro.DocumentStatus(r.Status).Ready() && r.Version != r.ActiveVersion
}

// settle is what follows the end of a run: what it left is removed, and the next document of the owner has its place.
func (tx *writeTx) settle(ctx context.Context, row *documentRow) error {
	if row.DeletedAt == nil && row.abandoned() {
		if err := tx.Enqueue(ctx, kyro.Job{Kind: kyro.JobPurge, Key: row.ID, Run: row.Run}); err != nil {
			return err
		}
	}
	return tx.feed(ctx, row.OwnerID)
}

// compare fills in what the version that is about to be activated has in common with the one before, and switches those of
// its chunks off that say what was switched off there.
func (tx *writeTx) compare(ctx context.Context, before *documentRow, run *kyro.DocumentRun) error {
	if before.ActiveVersion == 0 {
		return nil
	}
	// Compared as sets: row by row it would take the product of both versions, since SQLite finds each by document and version.
	of := func(version int) *bun.SelectQuery {
		return tx.NewSelect().Table("chunks").Column("content_hash").Where("document_id = ? AND version = ?", before.ID, version)
	}
	removed, err := tx.NewSelect().Table("chunks").Where("document_id = ? AND version = ?", before.ID, before.ActiveVersion).
		Where("content_hash IN (?)", of(before.ActiveVersion).Except(of(before.Version))).Count(ctx)
	if err != nil {
		return err
	}
	run.ChunksRemoved = int(removed)
	off := tx.NewSelect().Table("chunks").Column("content_hash").
		Where("bot_id = ? AND document_id = ? AND version = ? AND NOT enabled", before.BotID, before.ID, before.ActiveVersion)
	_, err = tx.NewUpdate().Table("chunks").Set("enabled = ?", false).
		Where("document_id = ? AND version = ? AND content_hash IN (?)", before.ID, before.Version, off).Exec(ctx)
	if err != nil {
		return err
	}
	return tx.staysOff(ctx, before)
}

// reused counts the chunks of the version that is being made whose embedding is stored.
func (tx *writeTx) reused(ctx context.Context, row *documentRow, model string, dims int) (int, error) {
	n, err := tx.NewSelect().TableExpr("chunks AS c").Where("c.document_id = ? AND c.version = ?", row.ID, row.Version).
		Where("EXISTS (SELECT 1 FROM embeddings e WHERE e.content_hash = c.content_hash AND e.model = ? AND e.dims = ?)", model, dims).Count(ctx)
	return int(n), err
}

// CountReused implements ingest.Store.
func (s *Store) CountReused(ctx context.Context, id kyro.ID, run int64, model string, dims int) (kyro.Document, error) {
	var row documentRow
	err := s.write(ctx, "count what is embedded already", func(ctx context.Context, tx *writeTx) (err error) {
		if row, err = inRun(ctx, tx, id, run); err != nil {
			return err
		}
		last := row.lastRun()
		if last.ChunksReused, err = tx.reused(ctx, &row, model, dims); err != nil {
			return err
		}
		last.Counted = true
		row.LastRun = &last
		return updateInRun(ctx, tx, &row, id, run, "last_run")
	})
	if err != nil {
		return kyro.Document{}, err
	}
	return row.worked(), nil
}

// Unprepare implements ingest.Store.
func (s *Store) Unprepare(ctx context.Context, id kyro.ID, run int64) error {
	return s.write(ctx, "take back what was prepared", func(ctx context.Context, tx *writeTx) error {
		row, err := inRun(ctx, tx, id, run)
		if err != nil {
			return err
		}
		row.PreparedVersion = 0
		return updateInRun(ctx, tx, &row, id, run, "prepared_version")
	})
}
