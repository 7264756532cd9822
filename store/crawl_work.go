package store

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// errCrawlOver is what a worker gets whose run is not the crawl's own any more.
func errCrawlOver() error {
	return kyro.Errorf(kyro.CodeConflict, "The crawl was canceled, or is over.")
}

// CrawlForWork implements ingest.Store.
func (s *Store) CrawlForWork(ctx context.Context, id kyro.ID, run int64) (kyro.Crawl, error) {
	row, err := crawlInRun(ctx, s.read(), id, run)
	if err != nil {
		return kyro.Crawl{}, failed("read crawl for work", err)
	}
	return row.noun(), nil
}

// crawlInRun reads a crawl for a worker: it is not over, in the run, and its bot and owner are there.
func crawlInRun(ctx context.Context, db bun.IDB, id kyro.ID, run int64) (crawlRow, error) {
	var row crawlRow
	err := db.NewSelect().Model(&row).Where("w.id = ? AND w.run = ? AND w.finished_at IS NULL", id.Key, run).
		Where("EXISTS (SELECT 1 FROM bots AS b WHERE b.id = w.bot_id AND b.deleted_at IS NULL)").Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		err = errCrawlOver()
	}
	return row, err
}

// inCrawl changes a crawl in its run and writes how far it is.
func (s *Store) inCrawl(
	ctx context.Context, id kyro.ID, run int64, now time.Time, timeout time.Duration, change func(context.Context, *writeTx, *crawlRow) error,
) (kyro.Crawl, error) {
	var row crawlRow
	err := s.writeOnce(ctx, "get on with a crawl", timeout, func(ctx context.Context, tx *writeTx) (err error) {
		if err := tx.holdOwner(ctx, "id = (SELECT owner_id FROM crawls WHERE id = ?)", id.Key); err != nil {
			return err
		}
		// Whoever ends it waits for this row.
		if _, err := s.hold(tx.NewSelect().Table("crawls").Column("id").Where("id = ?", id.Key)).Exec(ctx); err != nil {
			return err
		}
		if row, err = crawlInRun(ctx, tx, id, run); err != nil {
			return err
		}
		row.UpdatedAt = kyro.Moment(now)
		if err := change(ctx, tx, &row); err != nil {
			return err
		}
		return nil
	})
	if err != nil {
		return kyro.Crawl{}, err
	}
	return row.noun(), nil
}

// save writes what a worker changes of a crawl.
func (tx *writeTx) saveCrawl(ctx context.Context, r *crawlRow) error {
	_, err := tx.NewUpdate().Model(r).Where("id = ?", r.ID).Column("status", "status_reason", "updated_at", "finished_at", "run", "pages_found",
		"pages_done", "pages_added", "pages_unchanged", "pages_skipped", "pages_failed").Exec(ctx)
	return err
}

// BeginCrawl implements ingest.Store.
func (s *Store) BeginCrawl(ctx context.Context, id kyro.ID, run int64, pages []string, depth int, now time.Time) (kyro.Crawl, error) {
	return s.inCrawl(ctx, id, run, now, writeTimeout, func(ctx context.Context, tx *writeTx, row *crawlRow) error {
		row.Status = string(kyro.CrawlRunning)
		if err := tx.addPages(ctx, row, pages, depth); err != nil {
			return err
		}
		return tx.saveCrawl(ctx, row)
	})
}

// addPages adds pages that the crawl does not know, as long as there is room.
func (tx *writeTx) addPages(ctx context.Context, row *crawlRow, urls []string, depth int) error {
	for batch := range slices.Chunk(urls, 200) {
		room := row.MaxPages - row.PagesFound
		if room <= 0 {
			return nil
		}
		var known []string
		err := tx.NewSelect().Table("crawl_pages").Column("url").Where("crawl_id = ? AND url IN (?)", row.ID, list(batch)).Scan(ctx, &known)
		if err != nil {
			return err
		}
		there := map[string]bool{}
		for _, url := range known {
			there[url] = true
		}
		var fresh []crawlPageRow
		for _, url := range batch {
			if there[url] || len(fresh) == room {
				continue
			}
			there[url] = true
			row.PagesFound++
			fresh = append(fresh, crawlPageRow{
				CrawlID: row.ID, Place: row.PagesFound, URL: url, Depth: depth, Status: string(kyro.PageWaiting),
			})
		}
		if len(fresh) == 0 {
			continue
		}
		if _, err := tx.NewInsert().Model(&fresh).Returning("NULL").Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// NextPage implements ingest.Store. Those that may be tried now go before those that wait.
func (s *Store) NextPage(ctx context.Context, crawl kyro.ID, now time.Time) (page kyro.CrawlPage, retryAt *time.Time, found bool, err error) {
	var row crawlPageRow
	waiting := func() *bun.SelectQuery {
		row = crawlPageRow{}
		return s.read().NewSelect().Model(&row).Where("p.crawl_id = ? AND p.status = ?", crawl.Key, string(kyro.PageWaiting)).Limit(1)
	}
	err = waiting().Where("p.retry_at IS NULL OR p.retry_at <= ?", kyro.Moment(now)).Order("p.id").Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		err = waiting().Order("p.retry_at").Scan(ctx)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return page, nil, false, nil
	}
	if err != nil {
		return page, nil, false, failed("read the next page of a crawl", err)
	}
	if row.RetryAt != nil && row.RetryAt.After(kyro.Moment(now)) {
		retryAt = utcPtr(row.RetryAt)
	}
	return row.noun(), retryAt, true, nil
}

// PostponePage implements ingest.Store.
func (s *Store) PostponePage(ctx context.Context, id kyro.ID, run int64, page kyro.CrawlPage, reason string, at, now time.Time) error {
	_, err := s.inCrawl(ctx, id, run, now, writeTimeout, func(ctx context.Context, tx *writeTx, row *crawlRow) error {
		_, err := tx.NewUpdate().Table("crawl_pages").Set("tries = tries + 1").Set("reason = ?", clean(reason)).Set("retry_at = ?", kyro.Moment(at)).
			Where("id = ? AND crawl_id = ? AND status = ?", page.Key, id.Key, string(kyro.PageWaiting)).Exec(ctx)
		return err
	})
	return err
}

// KnownPage implements ingest.Store.
func (s *Store) KnownPage(ctx context.Context, crawl kyro.ID, url string) (page kyro.CrawlPage, found bool, err error) {
	return s.pageWhere(ctx, "p.crawl_id = ? AND p.url = ?", crawl.Key, url)
}

// PageWithText implements ingest.Store.
func (s *Store) PageWithText(ctx context.Context, crawl kyro.ID, hash string) (page kyro.CrawlPage, found bool, err error) {
	return s.pageWhere(ctx, "p.crawl_id = ? AND p.text_hash = ? AND p.text_hash <> '' AND p.document_id IS NOT NULL", crawl.Key, hash)
}

// AnyPage implements ingest.Store.
func (s *Store) AnyPage(ctx context.Context, crawl kyro.ID, status kyro.CrawlPageStatus) (bool, error) {
	_, found, err := s.pageWhere(ctx, "p.crawl_id = ? AND p.status = ?", crawl.Key, string(status))
	return found, err
}

func (s *Store) pageWhere(ctx context.Context, condition string, args ...any) (page kyro.CrawlPage, found bool, err error) {
	var row crawlPageRow
	err = s.read().NewSelect().Model(&row).Where(condition, args...).Order("p.id").Limit(1).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return page, false, nil
	}
	return row.noun(), err == nil, failed("look for a page of a crawl", err)
}

// FinishPage implements ingest.Store.
func (s *Store) FinishPage(
	ctx context.Context, id kyro.ID, run int64, step kyro.CrawlStep, original io.Reader, place func(kyro.Document) error,
) (crawl kyro.Crawl, changed *kyro.Document, err error) {
	size := stepSize(step)
	crawl, err = s.inCrawl(ctx, id, run, step.Now, patience(original, size), func(ctx context.Context, tx *writeTx, row *crawlRow) error {
		bot, owner := kyro.BotID(row.BotID), kyro.UserID(row.OwnerID)
		if err := s.liveBot(ctx, tx, owner, bot); err != nil {
			return errCrawlOver()
		}
		var deeds []kyro.AuditEntry
		page := step.Page
		switch {
		case step.Document != nil:
			d, err := tx.addDocument(ctx, *step.Document, original, place)
			if err != nil {
				return err
			}
			page.DocumentID, changed = d.ID, &d
			deeds = about(d.ID, []kyro.AuditEntry{row.Deed.Dated(step.Now)})
		case step.Update != nil:
			d, err := s.updatePage(ctx, tx, page.DocumentID, *step.Update, original, place, step.Now)
			if err != nil {
				return err
			}
			changed = &d
		case page.Status == kyro.PageUnchanged:
			_, err := tx.NewUpdate().Table("documents").Set("checked_at = ?", kyro.Moment(step.Now)).Where("id = ?", page.DocumentID.Key).Exec(ctx)
			if err != nil {
				return err
			}
		}
		result, err := tx.NewUpdate().Table("crawl_pages").Set("status = ?", string(page.Status)).Set("reason = ?", clean(page.Reason)).
			Set("document_id = ?", keyOrNil(page.DocumentID)).Set("text_hash = ?", step.TextHash).Set("retry_at = NULL").
			Where("id = ? AND crawl_id = ? AND status = ?", page.Key, row.ID, string(kyro.PageWaiting)).Exec(ctx)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, errCrawlOver())
		}
		row.count(page.Status)
		if err := tx.addPages(ctx, row, step.Links, page.Depth+1); err != nil {
			return err
		}
		if err := tx.saveCrawl(ctx, row); err != nil {
			return err
		}
		return tx.audit(ctx, deeds...)
	})
	if isUniqueViolation(err) {
		err = kyro.Errorf(kyro.CodeConflict, "The page was added meanwhile.").Because(err)
	}
	if err != nil {
		changed = nil
	}
	return crawl, changed, err
}

func stepSize(step kyro.CrawlStep) *int64 {
	switch {
	case step.Document != nil:
		return step.Document.SizeBytes
	case step.Update != nil:
		return &step.Update.SizeBytes
	}
	return nil
}

// updatePage begins a run of a document, of which what was fetched is the original. Its owner is held.
func (s *Store) updatePage(
	ctx context.Context, tx *writeTx, id kyro.ID, p kyro.SavedPage, original io.Reader, place func(kyro.Document) error, now time.Time,
) (kyro.Document, error) {
	var row documentRow
	if err := s.holdBotOf(ctx, tx, id); err != nil {
		return kyro.Document{}, err
	}
	err := s.hold(tx.NewSelect().Model(&row).Where("d.id = ? AND d.deleted_at IS NULL", id.Key)).Scan(ctx)
	if err != nil {
		return kyro.Document{}, notFound(err, kyro.KindDocument)
	}
	if err := row.beginNext(kyro.NewRun{Cause: kyro.RunResynced, Now: now}); err != nil {
		return kyro.Document{}, err
	}
	if _, err := tx.NewUpdate().Model(&row).Where("id = ?", row.ID).Column(changedColumns...).Exec(ctx); err != nil {
		return kyro.Document{}, err
	}
	if err := tx.saveFetched(ctx, &row, p, original, place, now); err != nil {
		return kyro.Document{}, err
	}
	return row.noun(), tx.settle(ctx, &row)
}

// count notes what became of a page.
func (r *crawlRow) count(status kyro.CrawlPageStatus) {
	r.PagesDone++
	switch status {
	case kyro.PageAdded, kyro.PageUpdated:
		r.PagesAdded++
	case kyro.PageUnchanged:
		r.PagesUnchanged++
	case kyro.PageDuplicate, kyro.PageSkipped:
		r.PagesSkipped++
	case kyro.PageFailed:
		r.PagesFailed++
	}
}

// FinishCrawl implements ingest.Store.
func (s *Store) FinishCrawl(ctx context.Context, id kyro.ID, run int64, status kyro.CrawlStatus, reason string, now time.Time) (kyro.Crawl, error) {
	var row crawlRow
	err := s.write(ctx, "end a crawl", func(ctx context.Context, tx *writeTx) error {
		read, err := crawlInRun(ctx, tx, id, run)
		if err != nil {
			return err
		}
		if err := s.holdUser(ctx, tx, kyro.UserID(read.OwnerID)); err != nil {
			return err
		}
		if _, err := s.hold(tx.NewSelect().Table("crawls").Column("id").Where("id = ?", id.Key)).Exec(ctx); err != nil {
			return err
		}
		if row, err = crawlInRun(ctx, tx, id, run); err != nil {
			return err
		}
		return tx.endCrawl(ctx, &row, status, reason, now)
	})
	if err != nil {
		return kyro.Crawl{}, err
	}
	return row.noun(), nil
}
