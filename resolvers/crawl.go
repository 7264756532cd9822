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
	return promised(load(ctx, from(ctx).botRows(), c.BotID))(c.BotID)
}

func (r crawlFields) StatusReason(_ context.Context, c *kyro.Crawl) (*string, error) {
	return orNull(c.StatusReason), nil
}

func (r crawlFields) Pages(
	ctx context.Context, c *kyro.Crawl, first *int, after *string, last *int, before *string,
) (*model.CrawlPageConnection, error) {
	return nil, kyro.Errorf(kyro.CodeUnavailable, "This is not there yet.")
}

type crawlPageFields struct{}

func (crawlPageFields) Reason(_ context.Context, p *kyro.CrawlPage) (*string, error) {
	return orNull(p.Reason), nil
}

func (crawlPageFields) Document(ctx context.Context, p *kyro.CrawlPage) (*kyro.Document, error) {
	return load(ctx, from(ctx).documentRows(), p.DocumentID)
}

func (r botFields) Crawls(
	ctx context.Context, bot *kyro.Bot, first *int, after *string, last *int, before *string,
) (*model.CrawlConnection, error) {
	return nil, kyro.Errorf(kyro.CodeUnavailable, "This is not there yet.")
}
