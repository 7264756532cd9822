package ingest

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"kyrochat/kyro"
)

const (
	pageTries = 3 // of a page that may be better in a while
	maxLinks  = 2 * kyro.MaxCrawlPages
)

// WorkCrawl does a turn of a JobCrawl: page after page is fetched, read, and stored with what it leads to. What became of a
// page is one fact, so that a turn after a crash goes on behind the last one. It answers kyro.ErrJobAgain when its time is up
// or pages have to wait, and nil when the crawl is over.
func (s *Service) WorkCrawl(ctx context.Context, job kyro.Job) error {
	id := kyro.CrawlID(job.Key)
	ctx, leave := s.walks.begin(ctx, id, job.Run)
	defer leave()
	w := &walk{Service: s, turn: s.beginTurn(ctx), id: id, run: job.Run}
	err := w.do(ctx)
	if errors.Is(context.Cause(ctx), errRunOver) {
		return nil
	}
	return overIsFine(err)
}

// GiveUpCrawl ends a JobCrawl that has failed for the last time.
func (s *Service) GiveUpCrawl(ctx context.Context, job kyro.Job, _ error) error {
	_, err := s.store.FinishCrawl(ctx, kyro.CrawlID(job.Key), job.Run, kyro.CrawlFailed,
		"The crawl could not be continued because of a fault on our side. Start it again later.", s.time())
	return overIsFine(err)
}

// walk is one turn of one crawl.
type walk struct {
	*Service
	turn
	id    kyro.ID
	run   int64
	crawl kyro.Crawl // as it was last stored
}

func (w *walk) do(ctx context.Context) (err error) {
	if w.crawl, err = w.store.CrawlForWork(ctx, w.id, w.run); err != nil {
		return err
	}
	if w.crawl.PagesFound == 0 {
		if over, err := w.begin(ctx); over || err != nil {
			return err
		}
	}
	for {
		page, retryAt, found, err := w.store.NextPage(ctx, w.id, w.time())
		switch {
		case err != nil:
			return err
		case !found:
			return w.finish(ctx, "")
		case retryAt != nil:
			return kyro.JobAgainAfter(max(retryAt.Sub(w.now()), time.Second))
		}
		if err := w.step(ctx, page); err != nil {
			return err
		}
		if w.up() || w.late(ctx) {
			return kyro.ErrJobAgain
		}
	}
}

// begin notes where the walk begins: at a page, or at those that a sitemap names.
func (w *walk) begin(ctx context.Context) (over bool, err error) {
	pages, depth := []string{w.crawl.URL}, 0
	if path := strings.ToLower(pathOf(w.crawl.URL)); strings.HasSuffix(path, ".xml") || strings.HasSuffix(path, ".xml.gz") {
		listed, err := w.sitemap(ctx)
		if code := kyro.ErrorCode(err); code == kyro.CodeFetchFailed || code == kyro.CodeUnsupportedType || code == kyro.CodeFileTooLarge || code == kyro.CodeValidation {
			known, _ := errors.AsType[*kyro.Error](err)
			return true, w.end(ctx, kyro.CrawlFailed, known.Message)
		}
		if err != nil {
			return false, w.again(ctx, err)
		}
		if pages, depth = w.wanted(listed), 1; len(pages) == 0 {
			return true, w.end(ctx, kyro.CrawlFailed, "The sitemap names no page of this site that the crawl is to take.")
		}
	}
	if w.crawl, err = w.store.BeginCrawl(ctx, w.id, w.run, pages, depth, w.time()); err != nil {
		return false, err
	}
	w.log.InfoContext(ctx, "crawl begun", "crawl", w.id.String(), "bot", w.crawl.BotID.String(), "host", hostOf(w.crawl.URL), "pages", len(pages),
		"most", w.crawl.MaxPages)
	return false, nil
}

// sitemap reads the one that the crawl begins with.
func (w *walk) sitemap(ctx context.Context) (urls []string, err error) {
	if w.fetcher == nil {
		return nil, kyro.Errorf(kyro.CodeFetchFailed, "This server fetches no pages.")
	}
	within, cancel := withinTurn(ctx)
	defer cancel(nil)
	defer w.attend(within, cancel, w.stillWanted)()
	urls, err = w.fetcher.Sitemap(within, w.crawl.URL, maxLinks)
	return urls, told(ctx, within, err)
}

func (w *walk) stillWanted(ctx context.Context) error {
	_, err := w.store.CrawlForWork(ctx, w.id, w.run)
	return err
}

// again puts the rest of the crawl off: the site, or others that want it, are in the way.
func (w *walk) again(ctx context.Context, err error) error {
	if ctx.Err() != nil || !passes(err) || errors.Is(err, kyro.ErrJobAgain) {
		return err
	}
	return kyro.JobAgainAfter(w.spread(max(asked(err), time.Second)))
}

// passes reports an error that may be gone in a while.
func passes(err error) bool {
	switch kyro.ErrorCode(err) {
	case kyro.CodeUpstreamFailed, kyro.CodeTimeout, kyro.CodeUnavailable, kyro.CodeRateLimited:
		return true
	}
	return false
}

// wanted are those of the addresses that the crawl takes, in their canonical form.
func (w *walk) wanted(addresses []string) (wanted []string) {
	seen := map[string]bool{}
	for _, raw := range addresses {
		address, err := w.addresses.Canonical(raw)
		if err != nil || seen[address] || !w.addresses.SameSite(address, w.crawl.URL) || !w.crawl.Takes(pathOf(address)) {
			continue
		}
		seen[address] = true
		wanted = append(wanted, address)
	}
	return wanted
}

// step looks at one page.
func (w *walk) step(ctx context.Context, page kyro.CrawlPage) error {
	within, cancel := withinTurn(ctx)
	defer cancel(nil)
	leave := w.attend(within, cancel, w.stillWanted)
	result, err := w.look(within, page)
	leave()
	if result != nil {
		defer result.discard()
	}
	if err = told(ctx, within, err); err != nil {
		return w.failed(ctx, page, err)
	}
	return w.settle(ctx, result)
}

// failed stores that a page could not be read, or tries it again later. Errors of ours are given back.
func (w *walk) failed(ctx context.Context, page kyro.CrawlPage, err error) error {
	known, ok := errors.AsType[*kyro.Error](err)
	if !ok || errors.Is(err, kyro.ErrJobAgain) || ctx.Err() != nil {
		return err
	}
	switch {
	case known.Code == kyro.CodeRateLimited:
		return w.again(ctx, err)
	case passes(err) && known.RetryAfter == 0 && known.Code == kyro.CodeUnavailable:
		return err // the database
	case passes(err) && page.Tries+1 < pageTries && asked(err) <= longAway:
		pause := w.spread(max(asked(err), w.pause<<page.Tries))
		return w.store.PostponePage(ctx, w.id, w.run, page, known.Message, w.time().Add(pause), w.time())
	case passes(err):
		page.Status = kyro.PageFailed
	default:
		switch known.Code {
		case kyro.CodeUnsupportedType, kyro.CodeFileTooLarge, kyro.CodeFileEmpty:
			page.Status = kyro.PageSkipped
		case kyro.CodeFetchFailed, kyro.CodeValidation, kyro.CodeLimitReached, kyro.CodeContentBlocked:
			page.Status = kyro.PageFailed
		default:
			return err
		}
	}
	page.Reason = known.Message
	if passes(err) {
		page.Reason = inTheEnd(known)
	}
	return w.settle(ctx, &looked{got: &got{discard: func() {}}, step: kyro.CrawlStep{Page: page}})
}

// settle stores what became of a page.
func (w *walk) settle(ctx context.Context, l *looked) error {
	l.step.Now = w.time()
	crawl, changed, err := w.finishPage(ctx, l)
	switch kyro.ErrorCode(err) {
	case kyro.CodeLimitReached:
		known, _ := errors.AsType[*kyro.Error](err)
		return w.finish(ctx, known.Message)
	case kyro.CodeConflict, kyro.CodeNotFound:
		return w.meanwhile(ctx, l.step.Page, err)
	}
	if err != nil {
		return err
	}
	w.crawl = crawl
	kyro.JobProgress(ctx) // what failed before has nothing to do with the pages that are left
	if changed != nil {
		w.publish(ctx, *changed)
	} else if id := l.step.Page.DocumentID; !id.IsZero() {
		w.heads.Forget(w.crawl.OwnerID, id)
	}
	return nil
}

// meanwhile has a page looked at once more whose document was added, changed or deleted since it was looked at. Where it is the
// crawl that is over, the error is given back.
func (w *walk) meanwhile(ctx context.Context, page kyro.CrawlPage, err error) error {
	if w.stillWanted(ctx) != nil {
		return err
	}
	page.DocumentID = kyro.ID{}
	if page.Tries+1 < pageTries {
		return w.store.PostponePage(ctx, w.id, w.run, page, "Its document was changed while it was read.", w.time().Add(time.Second), w.time())
	}
	page.Status, page.Reason = kyro.PageFailed, "Its document was changed each time it was read."
	w.crawl, _, err = w.store.FinishPage(ctx, w.id, w.run, kyro.CrawlStep{Page: page, Now: w.time()}, nil, nil)
	return err
}

func (w *walk) finishPage(ctx context.Context, l *looked) (crawl kyro.Crawl, changed *kyro.Document, err error) {
	if l.step.Document == nil && l.step.Update == nil {
		return w.store.FinishPage(ctx, w.id, w.run, l.step, nil, nil)
	}
	err = w.keeping(ctx, l.got, func(original io.Reader, place func(kyro.Document) error) error {
		if l.step.Document != nil {
			l.step.Document.Object = l.got.saved.Object
		} else {
			l.step.Update.Object = l.got.saved.Object
		}
		crawl, changed, err = w.store.FinishPage(ctx, w.id, w.run, l.step, original, place)
		return err
	})
	if up, ok := errors.AsType[*upstream](err); ok && up.waits() {
		err = w.later(ctx, kyro.JobCrawl, w.id.Key, awayPause, err)
	}
	return crawl, changed, err
}

// finish ends the crawl when there is nothing left to look at, or no room for more: reason says that.
func (w *walk) finish(ctx context.Context, reason string) error {
	c := &w.crawl
	if c.PagesAdded+c.PagesUnchanged > 0 {
		return w.end(ctx, kyro.CrawlCompleted, reason)
	}
	if reason != "" {
		return w.end(ctx, kyro.CrawlFailed, reason)
	}
	first, found, err := w.store.KnownPage(ctx, w.id, c.URL)
	if err != nil {
		return err
	}
	known, err := w.store.AnyPage(ctx, w.id, kyro.PageDuplicate)
	if err != nil {
		return err
	}
	failed := c.PagesFound == c.PagesFailed
	switch {
	case found && first.Reason != "" && (failed || c.PagesFound == 1):
		reason = first.Reason // nobody should have to look for it among the pages
	case known:
	case failed:
		reason = "No page could be read."
	default:
		reason = "No page was taken: what was found of each says why."
	}
	if known {
		return w.end(ctx, kyro.CrawlCompleted, reason)
	}
	return w.end(ctx, kyro.CrawlFailed, reason)
}

// errWalked ends a turn whose crawl is over.
var errWalked = kyro.Errorf(kyro.CodeConflict, "The crawl is over.")

func (w *walk) end(ctx context.Context, status kyro.CrawlStatus, reason string) error {
	c, err := w.store.FinishCrawl(ctx, w.id, w.run, status, reason, w.time())
	if err != nil {
		return err
	}
	w.log.InfoContext(ctx, "crawl ended", "crawl", w.id.String(), "bot", c.BotID.String(), "host", hostOf(c.URL), "status", status,
		"found", c.PagesFound, "added", c.PagesAdded, "unchanged", c.PagesUnchanged, "skipped", c.PagesSkipped, "failed", c.PagesFailed,
		"took", c.FinishedAt.Sub(c.CreatedAt).Round(time.Millisecond))
	return errWalked // which is no failure: see WorkCrawl
}
