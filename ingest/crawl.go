package ingest

import (
	"context"
	"iter"
	"slices"
	"time"

	"kyrochat/kyro"
)

// Crawl begins a walk through a site for a bot of the viewer. VALIDATION for the address, figures and patterns; LIMIT_REACHED
// where as many crawls of the viewer's wait as may; otherwise errors as of AddText.
func (s *Service) Crawl(ctx context.Context, v kyro.Viewer, botID kyro.ID, c kyro.NewCrawl) (kyro.Crawl, error) {
	if err := v.MustFor(botID, kyro.KindBot, kyro.ScopeIngest); err != nil {
		return kyro.Crawl{}, err
	}
	if err := s.takesIn(); err != nil {
		return kyro.Crawl{}, err
	}
	var err error
	if c.URL, err = s.addresses.Canonical(c.URL); err != nil {
		return kyro.Crawl{}, err
	}
	if err := c.Check(); err != nil {
		return kyro.Crawl{}, err
	}
	if err := s.ownBot(ctx, v, botID); err != nil {
		return kyro.Crawl{}, err
	}
	if err := s.limit(ctx, v); err != nil {
		return kyro.Crawl{}, err
	}
	c.BotID, c.OwnerID, c.Now, c.Deed = botID, v.UserID, s.time(), v.Entry(kyro.AuditDocumentAdded, kyro.ID{})
	return s.store.AddCrawl(ctx, c)
}

// CancelCrawl ends a crawl of the viewer: on this node at once, on others within a second. CONFLICT where it is over.
func (s *Service) CancelCrawl(ctx context.Context, v kyro.Viewer, id kyro.ID) (kyro.Crawl, error) {
	if err := v.MustFor(id, kyro.KindCrawl, kyro.ScopeIngest); err != nil {
		return kyro.Crawl{}, err
	}
	c, err := s.store.CancelCrawl(ctx, v.UserID, id, s.time())
	if err != nil {
		return kyro.Crawl{}, err
	}
	s.walks.end(kyro.Document{ID: c.ID, Run: c.Run})
	return c, nil
}

// Crawls reads crawls of the viewer, in any order, and leaves out what is not the viewer's.
func (s *Service) Crawls(ctx context.Context, v kyro.Viewer, ids []kyro.ID) ([]kyro.Crawl, error) {
	if err := v.Must(kyro.ScopeRead, kyro.ScopeIngest); err != nil {
		return nil, err
	}
	crawls, err := s.store.Crawls(ctx, v.UserID, ids)
	return slices.DeleteFunc(crawls, func(c kyro.Crawl) bool { return !c.ReadableBy(v) }), err
}

// CrawlList lists the crawls of each bot, newest first; none for a bot that is not the viewer's.
func (s *Service) CrawlList(
	ctx context.Context, v kyro.Viewer, bots []kyro.ID, page kyro.PageRequest,
) (map[kyro.ID]kyro.Page[kyro.Crawl], error) {
	if err := v.Must(kyro.ScopeRead, kyro.ScopeIngest); err != nil {
		return nil, err
	}
	return s.store.CrawlsOfBots(ctx, v.UserID, bots, page)
}

// CrawlPages lists the pages of each crawl, in the order they were found; none for a crawl that is not the viewer's.
func (s *Service) CrawlPages(
	ctx context.Context, v kyro.Viewer, crawls []kyro.ID, page kyro.PageRequest,
) (map[kyro.ID]kyro.Page[kyro.CrawlPage], error) {
	if err := v.Must(kyro.ScopeRead, kyro.ScopeIngest); err != nil {
		return nil, err
	}
	return s.store.PagesOfCrawls(ctx, v.UserID, crawls, page)
}

// WatchCrawl gives the present state of a crawl of the viewer, then every change, and ends after a final state. NOT_FOUND for
// what is not the viewer's, also once its bot is deleted. It ends silently with ctx. It looks at the row: a crawl takes a
// second for each page, so that there is nothing to gain by being told.
func (s *Service) WatchCrawl(ctx context.Context, v kyro.Viewer, id kyro.ID) iter.Seq2[kyro.Crawl, error] {
	return func(yield func(kyro.Crawl, error) bool) {
		if err := v.MustFor(id, kyro.KindCrawl, kyro.ScopeRead, kyro.ScopeIngest); err != nil {
			yield(kyro.Crawl{}, err)
			return
		}
		var told time.Time
		for first := true; ; first = false {
			crawls, err := s.store.Crawls(ctx, v.UserID, []kyro.ID{id})
			c, err := kyro.One(crawls, err, kyro.KindCrawl)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil && (first || kyro.ErrorCode(err) == kyro.CodeNotFound):
				yield(kyro.Crawl{}, err)
				return
			case err != nil: // the next look may be better
			case first || !c.UpdatedAt.Equal(told) || c.Status.Final():
				told = c.UpdatedAt
				if !yield(c, nil) || c.Status.Final() {
					return
				}
			}
			if kyro.Pause(ctx, lookEvery) != nil {
				return
			}
		}
	}
}
