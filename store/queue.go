package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// Documents of one owner get jobs a window at a time, the oldest first. The others wait in line, so that somebody who adds
// five hundred at once is before nobody with more than a window of them. What waits for a quota or for a site leaves its
// place to the next one, but no more than waitingWindows of them: it keeps its job, and goes on by itself. Whoever takes a
// place or leaves one holds the owner, so that no place is given twice and none is lost.

// waitingWindows is how many windows of documents of one owner have jobs at most, those that wait included.
const waitingWindows = 4

// Within has the store keep to the limits of documents; without it they are the defaults.
func (s *Store) Within(l kyro.Limits) *Store {
	s.limits = l
	return s
}

// unfinishedRow holds for live documents that are not final, in the words of the indexes on them.
func unfinishedRow(q *bun.SelectQuery) *bun.SelectQuery {
	return q.Where("deleted_at IS NULL").Where("status NOT IN (?)", bun.List(kyro.FinalDocumentStatuses))
}

// inWork counts the documents that have a job, inLine finds those that wait for one.
func inWork(q *bun.SelectQuery) *bun.SelectQuery { return unfinishedRow(q).Where("queued_run = run") }

// places is how many more of the owner's documents may have a job, as an expression, which may be below zero.
func places(db bun.IDB, pg bool, window int, owner string, args ...any) *bun.SelectQuery {
	least := "min"
	if pg {
		least = "least"
	}
	return inWork(db.NewSelect().Table("documents").
		ColumnExpr(least+"(? - count(CASE WHEN retry_at IS NULL THEN 1 END), ? - count(*))", window, waitingWindows*window).Where(owner, args...))
}
func inLine(q *bun.SelectQuery) *bun.SelectQuery { return unfinishedRow(q).Where("queued_run <> run") }

// holdOwner locks a user before their bots and documents, as all do who change how many of these are worked on.
func (tx *writeTx) holdOwner(ctx context.Context, where string, args ...any) error {
	if tx.pg == nil {
		return nil // there is one writer
	}
	_, err := tx.NewSelect().Table("users").Column("id").Where(where, args...).For("NO KEY UPDATE").Exec(ctx)
	return err
}

// holdOwnerOf is holdOwner for the owner of a document.
func (tx *writeTx) holdOwnerOf(ctx context.Context, document kyro.ID) error {
	return tx.holdOwner(ctx, "id = (SELECT owner_id FROM documents WHERE id = ?)", document.Key)
}

// enqueueIngest lets a document be worked on whose row is stored as QUEUED, once its owner has a place for it.
func (tx *writeTx) enqueueIngest(ctx context.Context, row *documentRow) error {
	return tx.feed(ctx, row.OwnerID)
}

// feed enqueues the work on documents of the owner that wait in line, as far as there are places.
func (tx *writeTx) feed(ctx context.Context, owner int64) error {
	most := "max"
	if tx.pg != nil {
		most = "greatest"
	}
	free := places(tx, tx.pg != nil, tx.limits.IngestWindow, "owner_id = ?", owner)
	next := inLine(tx.NewSelect().Table("documents").Column("id").Where("owner_id = ?", owner)).Order("id")
	var found []struct{ ID, Run int64 }
	err := tx.NewUpdate().Table("documents").Set("queued_run = run").Where("queued_run <> run").
		Where("id IN (? LIMIT "+most+"(0, (?)))", next, free).Returning("id, run").Scan(ctx, &found)
	if err != nil {
		return err
	}
	slices.SortFunc(found, func(a, b struct{ ID, Run int64 }) int { return cmp.Compare(a.ID, b.ID) })
	jobs := make([]kyro.Job, len(found))
	for i, d := range found {
		jobs[i] = kyro.Job{Kind: kyro.JobIngest, Key: d.ID, Run: d.Run}
	}
	return tx.Enqueue(ctx, jobs...)
}

// feedBatch is how many owners are fed by one turn at most.
const feedBatch = 1_000

// Feed implements ingest.Store.
func (s *Store) Feed(ctx context.Context) (owners int, err error) {
	free := places(s.read(), s.postgres(), s.limits.IngestWindow, "owner_id = w.owner_id")
	waiting := inLine(s.read().NewSelect().Table("documents").ColumnExpr("DISTINCT owner_id"))
	var missed []int64
	err = s.read().NewSelect().TableExpr("(?) AS w", waiting).ColumnExpr("w.owner_id").
		Where("(?) > 0", free).Limit(feedBatch).Scan(ctx, &missed)
	if err != nil {
		return 0, failed("look for documents that wait", err)
	}
	for _, owner := range missed {
		err := s.write(ctx, "enqueue documents that wait", func(ctx context.Context, tx *writeTx) error {
			if err := tx.holdOwner(ctx, "id = ?", owner); err != nil {
				return err
			}
			return tx.feed(ctx, owner)
		})
		if err != nil {
			return owners, err
		}
		owners++
	}
	return owners, nil
}

// Overdue implements ingest.Store.
func (s *Store) Overdue(ctx context.Context, since time.Time, after kyro.ID, limit int) ([]kyro.Job, error) {
	since = kyro.Moment(since)
	var found []struct{ ID, Run int64 }
	err := inWork(s.read().NewSelect().Table("documents").Column("id", "run")).
		Where("id > ? AND updated_at < ? AND (retry_at IS NULL OR retry_at < ?)", after.Key, since, since).
		Order("id").Limit(int64(limit)).Scan(ctx, &found)
	if err != nil {
		return nil, failed("look for documents without a job", err)
	}
	jobs := make([]kyro.Job, len(found))
	for i, d := range found {
		jobs[i] = kyro.Job{Kind: kyro.JobIngest, Key: d.ID, Run: d.Run}
	}
	return jobs, nil
}

// EnqueueAgain implements ingest.Store.
func (s *Store) EnqueueAgain(ctx context.Context, job kyro.Job) (enqueued bool, err error) {
	err = s.write(ctx, "enqueue a document again", func(ctx context.Context, tx *writeTx) error {
		enqueued = false
		if err := tx.holdOwnerOf(ctx, kyro.DocumentID(job.Key)); err != nil {
			return err
		}
		still, err := inWork(tx.NewSelect().Table("documents").Where("id = ? AND run = ?", job.Key, job.Run)).Count(ctx)
		if err != nil || still == 0 {
			return err
		}
		enqueued = true
		return tx.Enqueue(ctx, job)
	})
	return enqueued && err == nil, err
}

// roomFor answers LIMIT_REACHED unless the owner, who is held, may add a document of so many bytes, and as long as not too
// many of all people are unfinished. What others add at this very moment does not count for the latter.
func (tx *writeTx) roomFor(ctx context.Context, owner kyro.ID, bytes int64) error {
	l := tx.limits
	if l.MaxDocuments == 0 && l.MaxStorageBytes == 0 && l.MaxUnfinished == 0 {
		return nil
	}
	var documents, waiting int
	var stored int64
	backlog := tx.NewSelect().ColumnExpr("0")
	if l.MaxUnfinished > 0 {
		some := unfinishedRow(tx.NewSelect().Table("documents").ColumnExpr("1")).Limit(int64(l.MaxUnfinished))
		backlog = tx.NewSelect().TableExpr("(?) AS u", some).ColumnExpr("count(*)")
	}
	err := tx.NewSelect().Table("documents").
		ColumnExpr("count(*), CAST(coalesce(sum(size_bytes), 0) AS BIGINT), (?)", backlog).
		Where("owner_id = ? AND deleted_at IS NULL", owner.Key).Scan(ctx, &documents, &stored, &waiting)
	switch {
	case err != nil:
		return err
	case l.MaxDocuments > 0 && documents >= l.MaxDocuments:
		return kyro.Errorf(kyro.CodeLimitReached, "You have %d documents, and no more are allowed. Delete some that you do not need.", documents)
	case l.MaxStorageBytes > 0 && stored+bytes > l.MaxStorageBytes:
		return kyro.Errorf(kyro.CodeLimitReached,
			"With this one, your documents would take more than the %d MiB that are allowed. Delete some that you do not need.", l.MaxStorageBytes>>20)
	case l.MaxUnfinished > 0 && waiting >= l.MaxUnfinished:
		return kyro.Errorf(kyro.CodeLimitReached, "Too many documents are waiting to be read at the moment. Try again in a few minutes.")
	}
	return nil
}
