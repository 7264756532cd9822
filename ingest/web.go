package ingest

import (
	"context"
	"io"
	"time"

	"kyrochat/kyro"
)

// Fetcher gets pages from the web, from nowhere but where the operator lets it. FETCH_FAILED, UNSUPPORTED_TYPE and
// FILE_TOO_LARGE are final; UPSTREAM_FAILED, TIMEOUT and UNAVAILABLE may be gone after their RetryAfter, and RATE_LIMITED is
// only the wait for others that want the same site.
type Fetcher interface {
	Fetch(ctx context.Context, what kyro.Fetch) (kyro.Fetched, error)
	// Sitemap gives the pages that a sitemap names, each once, in their canonical form, most of them at the most.
	Sitemap(ctx context.Context, url string, most int) ([]string, error)
	// Allowed reports whether the site's robots.txt lets us read the address.
	Allowed(ctx context.Context, url string) (bool, error)
}

// Addresses reads addresses of pages. None of it touches the network.
type Addresses struct {
	Canonical func(raw string) (string, error) // the one form of an address; VALIDATION at url
	SameSite  func(a, b string) bool
}

// PageStore keeps what is known of pages.
type PageStore interface {
	// AddPage stores a document of the page and its first job, or gives the bot's live document that was added by its
	// address, or else is called by it. Errors as of AddDocument.
	AddPage(ctx context.Context, d kyro.NewDocument, deeds ...kyro.AuditEntry) (document kyro.Document, added bool, err error)
	// PageOf is the live document of the bot that was added by the address, or else is called by it.
	PageOf(ctx context.Context, bot kyro.ID, url string) (document kyro.Document, found bool, err error)
	// BeginRun begins a run of a live document of the owner, or of anybody where that is zero, with its job. CONFLICT unless
	// it is final.
	BeginRun(ctx context.Context, owner, id kyro.ID, r kyro.NewRun) (kyro.Document, error)

	// SaveFetched keeps the original of the version that is being made, as AddDocument does. It holds while the run does,
	// and so do the next two.
	SaveFetched(
		ctx context.Context, id kyro.ID, run int64, p kyro.SavedPage, original io.Reader, place func(kyro.Document) error, now time.Time,
	) (kyro.Document, error)
	// Unchanged ends a run beside an active version, which is what the page still says. What etag and lastModified are now
	// is noted, unless both are "".
	Unchanged(ctx context.Context, id kyro.ID, run int64, etag, lastModified string, now time.Time) (kyro.Document, error)
	// PostponeFetch is Step for a fetch that failed; counts says that it is one more try.
	PostponeFetch(ctx context.Context, id kyro.ID, run int64, counts bool, step kyro.DocumentStep) (kyro.Document, error)

	// TextHash is the SHA-256 of the text of the active version, in hex; "" where there is none.
	TextHash(ctx context.Context, id kyro.ID) (string, error)
	// SameText is a live document of the bot, but not that one, whose active version has the text.
	SameText(ctx context.Context, bot, but kyro.ID, hash string) (document kyro.Document, found bool, err error)

	// SetSync says how often a page is looked at and when first; nil: not by itself. CONFLICT where there is no page.
	SetSync(ctx context.Context, owner, id kyro.ID, hours *int, first *time.Time, now time.Time) (kyro.Document, error)
	// DueSyncs gives up to limit final documents, at most each of one owner, whose page is to be looked at, those of
	// accounts in use and live bots alone.
	DueSyncs(ctx context.Context, now time.Time, each, limit int) ([]kyro.ID, error)
	// BeginSync begins the scheduled run of a document that is still due, and says when the next one is due: next gets the
	// interval and how many scheduled runs failed in a row.
	BeginSync(ctx context.Context, id kyro.ID, now time.Time, next func(hours, failures int) time.Time) (d kyro.Document, begun bool, err error)
}

// CrawlStore keeps crawls and the pages that they know of.
type CrawlStore interface {
	// AddCrawl stores a crawl of the owner's live bot, with its job where fewer than kyro.MaxCrawlsRunning of the owner's
	// have one: the others get theirs when one ends. LIMIT_REACHED for too many; NOT_FOUND for the bot.
	AddCrawl(ctx context.Context, c kyro.NewCrawl) (kyro.Crawl, error)
	// CancelCrawl ends a crawl and its run; CONFLICT where it is over.
	CancelCrawl(ctx context.Context, owner, id kyro.ID, now time.Time) (kyro.Crawl, error)
	// Crawls, CrawlsOfBots and PagesOfCrawls read those of the owner's live bots.
	Crawls(ctx context.Context, owner kyro.ID, ids []kyro.ID) ([]kyro.Crawl, error)
	CrawlsOfBots(ctx context.Context, owner kyro.ID, bots []kyro.ID, page kyro.PageRequest) (map[kyro.ID]kyro.Page[kyro.Crawl], error)
	PagesOfCrawls(ctx context.Context, owner kyro.ID, crawls []kyro.ID, page kyro.PageRequest) (map[kyro.ID]kyro.Page[kyro.CrawlPage], error)

	// What a worker does. All of it holds only while run is the crawl's own, it is not over, and its bot is there;
	// otherwise it changes nothing and answers CONFLICT.
	CrawlForWork(ctx context.Context, id kyro.ID, run int64) (kyro.Crawl, error)
	// BeginCrawl notes that the crawl walks, and adds pages at a depth that it does not know, as long as there is room.
	BeginCrawl(ctx context.Context, id kyro.ID, run int64, pages []string, depth int, now time.Time) (kyro.Crawl, error)
	// NextPage is the next page that waits, first of those that may be fetched now; retryAt is set where there is none of
	// these.
	NextPage(ctx context.Context, crawl kyro.ID, now time.Time) (page kyro.CrawlPage, retryAt *time.Time, found bool, err error)
	// PostponePage counts a try of a page, which is to be fetched again then.
	PostponePage(ctx context.Context, id kyro.ID, run int64, page kyro.CrawlPage, reason string, at, now time.Time) error
	// KnownPage is the crawl's page of an address; PageWithText one that has a document and the text.
	KnownPage(ctx context.Context, crawl kyro.ID, url string) (page kyro.CrawlPage, found bool, err error)
	PageWithText(ctx context.Context, crawl kyro.ID, hash string) (page kyro.CrawlPage, found bool, err error)
	// AnyPage reports whether there is a page of the crawl that has become that.
	AnyPage(ctx context.Context, crawl kyro.ID, status kyro.CrawlPageStatus) (bool, error)
	// FinishPage stores what became of a page in one fact, with original and place as of AddDocument; changed is the
	// document that has work to do now. LIMIT_REACHED where the owner may have no more; CONFLICT and NOT_FOUND also where the
	// document was added, changed or deleted since the page was looked at.
	FinishPage(
		ctx context.Context, id kyro.ID, run int64, step kyro.CrawlStep, original io.Reader, place func(kyro.Document) error,
	) (crawl kyro.Crawl, changed *kyro.Document, err error)
	FinishCrawl(ctx context.Context, id kyro.ID, run int64, status kyro.CrawlStatus, reason string, now time.Time) (kyro.Crawl, error)
	// PurgeCrawls removes some of the crawls of a deleted bot; done reports that none is left.
	PurgeCrawls(ctx context.Context, bot kyro.ID) (done bool, err error)
	// SweepCrawls removes some of the crawls that ended before then, with their pages; done reports that none is left.
	SweepCrawls(ctx context.Context, before time.Time) (done bool, err error)
}
