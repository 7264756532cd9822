package kyro

import "time"

// CrawlStatus is how far a crawl is.
type CrawlStatus string

// The states of a crawl.
const (
	CrawlQueued    CrawlStatus = "QUEUED"
	CrawlRunning   CrawlStatus = "RUNNING"
	CrawlCompleted CrawlStatus = "COMPLETED"
	CrawlFailed    CrawlStatus = "FAILED"
	CrawlCanceled  CrawlStatus = "CANCELED"
)

// Final reports whether the crawl is over.
func (s CrawlStatus) Final() bool {
	return s == CrawlCompleted || s == CrawlFailed || s == CrawlCanceled
}

// CrawlPageStatus is what became of a page of a crawl.
type CrawlPageStatus string

// What becomes of pages.
const (
	PageWaiting   CrawlPageStatus = "WAITING"
	PageAdded     CrawlPageStatus = "ADDED"
	PageUpdated   CrawlPageStatus = "UPDATED"
	PageUnchanged CrawlPageStatus = "UNCHANGED"
	PageDuplicate CrawlPageStatus = "DUPLICATE"
	PageSkipped   CrawlPageStatus = "SKIPPED"
	PageFailed    CrawlPageStatus = "FAILED"
)

// The limits of crawls.
const (
	MaxCrawlPages    = 1_000
	MaxCrawlDepth    = 10
	MaxCrawlPatterns = 20
	DefaultPages     = 50
	DefaultDepth     = 2
)

// Crawl is a walk through a site that makes a document of each page.
type Crawl struct {
	ID             ID
	BotID          ID
	OwnerID        ID
	URL            string
	Status         CrawlStatus
	StatusReason   string
	MaxPages       int
	MaxDepth       int
	Include        []string
	Exclude        []string
	PagesFound     int
	PagesDone      int
	PagesAdded     int
	PagesUnchanged int
	PagesSkipped   int
	PagesFailed    int
	Run            int64 // fences workers, as a document's does
	CreatedAt      time.Time
	UpdatedAt      time.Time
	FinishedAt     *time.Time
}

// NodeID makes Crawl a Node.
func (c *Crawl) NodeID() ID { return c.ID }

// ReadableBy reports whether the viewer may see the crawl. Only the owner may.
func (c *Crawl) ReadableBy(v Viewer) bool { return v.Is(c.OwnerID) }

// CrawlPage is a page that a crawl knows of. ID is its place in the crawl, from 1.
type CrawlPage struct {
	CrawlID    ID
	Place      int
	URL        string
	Depth      int
	Status     CrawlPageStatus
	Reason     string
	DocumentID ID // zero where it has none
}

// NewCrawl is a crawl that is asked for.
type NewCrawl struct {
	URL      string
	MaxPages int
	MaxDepth int
	Include  []string
	Exclude  []string
}

// The one order of crawls, newest first, and of the pages of one, in the order they were found.
const (
	CrawlsOrder     = "crawls.CREATED_AT.DESC"
	CrawlPagesOrder = "crawlPages.PLACE.ASC"
)
