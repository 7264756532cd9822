package ingest

import (
	"context"
	"iter"

	"kyrochat/kyro"
)

// Crawl begins a walk through a site for a bot of the viewer.
func (s *Service) Crawl(ctx context.Context, v kyro.Viewer, botID kyro.ID, c kyro.NewCrawl) (kyro.Crawl, error) {
	return kyro.Crawl{}, unbuilt()
}

// CancelCrawl ends a crawl of the viewer.
func (s *Service) CancelCrawl(ctx context.Context, v kyro.Viewer, id kyro.ID) (kyro.Crawl, error) {
	return kyro.Crawl{}, unbuilt()
}

// Crawls reads crawls of the viewer, in any order, and leaves out what is not the viewer's.
func (s *Service) Crawls(ctx context.Context, v kyro.Viewer, ids []kyro.ID) ([]kyro.Crawl, error) {
	return nil, unbuilt()
}

// CrawlList lists the crawls of each bot, newest first.
func (s *Service) CrawlList(
	ctx context.Context, v kyro.Viewer, bots []kyro.ID, page kyro.PageRequest,
) (map[kyro.ID]kyro.Page[kyro.Crawl], error) {
	return nil, unbuilt()
}

// CrawlPages lists the pages of each crawl, in the order they were found.
func (s *Service) CrawlPages(
	ctx context.Context, v kyro.Viewer, crawls []kyro.ID, page kyro.PageRequest,
) (map[kyro.ID]kyro.Page[kyro.CrawlPage], error) {
	return nil, unbuilt()
}

// WatchCrawl gives the present state of a crawl of the viewer, then every change, and ends after a final state.
func (s *Service) WatchCrawl(ctx context.Context, v kyro.Viewer, id kyro.ID) iter.Seq2[kyro.Crawl, error] {
	return func(yield func(kyro.Crawl, error) bool) { yield(kyro.Crawl{}, unbuilt()) }
}
