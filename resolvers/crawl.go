package resolvers

import (
	"context"

	"kyrochat/graph/model"
	"kyrochat/kyro"
)

func (r mutations) CrawlSite(ctx context.Context, in model.CrawlSiteInput) (*model.CrawlPayload, error) {
	return crawlPayload(r.Ingest.Crawl(ctx, kyro.ViewerFrom(ctx), in.BotID, kyro.NewCrawl{
		URL: in.URL, MaxPages: orDefault(in.MaxPages.Value(), kyro.DefaultPages), MaxDepth: orDefault(in.MaxDepth.Value(), kyro.DefaultDepth),
		Include: in.Include.Value(), Exclude: in.Exclude.Value(),
	}))
}

func (r mutations) CancelCrawl(ctx context.Context, in model.CancelCrawlInput) (*model.CrawlPayload, error) {
	return crawlPayload(r.Ingest.CancelCrawl(ctx, kyro.ViewerFrom(ctx), in.CrawlID))
}

func crawlPayload(crawl kyro.Crawl, err error) (*model.CrawlPayload, error) {
	errs, err := problems(err)
	return &model.CrawlPayload{Crawl: unless(errs, crawl), Errors: errs}, err
}

func (r subscriptions) CrawlProgress(ctx context.Context, crawlID kyro.ID) (<-chan *kyro.Crawl, error) {
	return stream(ctx, addresses(r.Ingest.WatchCrawl(ctx, kyro.ViewerFrom(ctx), crawlID)))
}

type crawlFields struct{ *Root }

func (r crawlFields) Bot(ctx context.Context, c *kyro.Crawl) (*kyro.Bot, error) {
	return promised(follow(ctx, crawlBot, c.BotID))(c.BotID)
}

func (r crawlFields) StatusReason(_ context.Context, c *kyro.Crawl) (*string, error) {
	return orNull(c.StatusReason), nil
}

func (r crawlFields) Pages(
	ctx context.Context, c *kyro.Crawl, first *int, after *string, last *int, before *string,
) (*model.CrawlPageConnection, error) {
	req, err := request(ctx, kyro.CrawlPagesOrder, first, after, last, before)
	if err != nil {
		return nil, err
	}
	l := from(ctx)
	return listed(page(ctx, children[kyro.Crawl, kyro.CrawlPage]{
		name: "pages", parents: &l.level.crawls, parentID: (*kyro.Crawl).NodeID, rows: &l.level.crawlPages, arguments: []any{req},
		read: func(ctx context.Context, crawls []kyro.ID) (map[kyro.ID]kyro.Page[kyro.CrawlPage], error) {
			return r.Ingest.CrawlPages(ctx, kyro.ViewerFrom(ctx), crawls, req)
		},
	}, c.ID))
}

type crawlPageFields struct{}

func (crawlPageFields) Reason(_ context.Context, p *kyro.CrawlPage) (*string, error) {
	return orNull(p.Reason), nil
}

func (crawlPageFields) Document(ctx context.Context, p *kyro.CrawlPage) (*kyro.Document, error) {
	return follow(ctx, crawlPageDocument, p.DocumentID)
}

func (r botFields) Crawls(
	ctx context.Context, bot *kyro.Bot, first *int, after *string, last *int, before *string,
) (*model.CrawlConnection, error) {
	req, err := request(ctx, kyro.CrawlsOrder, first, after, last, before)
	if err != nil {
		return nil, err
	}
	l := from(ctx)
	return listed(page(ctx, children[kyro.Bot, kyro.Crawl]{
		name: "crawls", parents: &l.level.bots, parentID: (*kyro.Bot).NodeID, rows: &l.level.crawls, arguments: []any{req},
		read: func(ctx context.Context, bots []kyro.ID) (map[kyro.ID]kyro.Page[kyro.Crawl], error) {
			return r.Ingest.CrawlList(ctx, kyro.ViewerFrom(ctx), bots, req)
		},
	}, bot.ID))
}
