package kyro

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

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
	Run            int64      // fences workers, as a document's does
	Deed           AuditEntry // as of NewCrawl
	CreatedAt      time.Time
	UpdatedAt      time.Time
	FinishedAt     *time.Time
}

// NodeID makes Crawl a Node.
func (c *Crawl) NodeID() ID { return c.ID }

// ReadableBy reports whether the viewer may see the crawl. Only the owner may.
func (c *Crawl) ReadableBy(v Viewer) bool { return v.Is(c.OwnerID) }

// CrawlPage is a page that a crawl knows of.
type CrawlPage struct {
	Key        int64 // of its row: what lists are ordered by
	CrawlID    ID
	Place      int // in the crawl, from 1
	URL        string
	Depth      int
	Status     CrawlPageStatus
	Reason     string
	DocumentID ID  // zero where it has none
	Tries      int // how often it could not be fetched, and may be later
}

// NewCrawl is a crawl that is asked for.
type NewCrawl struct {
	BotID, OwnerID ID // set by the use case, as are Deed and Now
	URL            string
	MaxPages       int
	MaxDepth       int
	Include        []string
	Exclude        []string
	Deed           AuditEntry // the line of the audit log for each document it will add
	Now            time.Time
}

// How many crawls of one user there may be that are not over: those that walk, and those that wait for these.
const (
	MaxCrawlsRunning = 2
	MaxCrawlsWaiting = 10
)

// CrawlsKept is how long a crawl is kept after its end, with what became of its pages. Its documents stay.
const CrawlsKept = 30 * 24 * time.Hour

// maxCrawlPattern is the longest pattern, in bytes.
const maxCrawlPattern = 200

// Check checks the figures and patterns. The address is checked where addresses are.
func (c NewCrawl) Check() error {
	if c.MaxPages < 1 || c.MaxPages > MaxCrawlPages {
		return Invalid("maxPages", "maxPages must be between 1 and %d.", MaxCrawlPages)
	}
	if c.MaxDepth < 0 || c.MaxDepth > MaxCrawlDepth {
		return Invalid("maxDepth", "maxDepth must be between 0 and %d.", MaxCrawlDepth)
	}
	for _, list := range []struct {
		field    string
		patterns []string
	}{{"include", c.Include}, {"exclude", c.Exclude}} {
		if len(list.patterns) > MaxCrawlPatterns {
			return Invalid(list.field, "Give at most %d patterns.", MaxCrawlPatterns)
		}
		for _, p := range list.patterns {
			if p == "" || len(p) > maxCrawlPattern || p[0] != '/' && p[0] != '*' {
				return Invalid(list.field, "A pattern has 1 to %d bytes and begins with / or *, such as /docs/*.", maxCrawlPattern)
			}
			if strings.ContainsFunc(p, unicode.IsControl) {
				return Invalid(list.field, "A pattern has no line breaks and no other control characters. Give each pattern by itself.")
			}
		}
	}
	return nil
}

// Takes reports whether the crawl takes a path: include names it, or is empty, and exclude does not.
func (c *Crawl) Takes(path string) bool {
	matches := func(pattern string) bool { return MatchPath(pattern, path) }
	return (len(c.Include) == 0 || slices.ContainsFunc(c.Include, matches)) && !slices.ContainsFunc(c.Exclude, matches)
}

// MatchPath reports whether a pattern, in which * stands for anything, is the whole path. Both may be percent-encoded or
// plain: /ü* and /%C3%BC* are one pattern. It takes one pass for each *: what stands between two of them is looked for where
// it comes first.
func MatchPath(pattern, path string) bool {
	parts := strings.Split(plainPath(pattern), "*")
	rest, begins := strings.CutPrefix(strings.ReplaceAll(plainPath(path), "*", "%2A"), parts[0])
	if !begins {
		return false
	}
	if len(parts) == 1 {
		return rest == ""
	}
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		at := strings.Index(rest, part)
		if at < 0 {
			return false
		}
		rest = rest[at+len(part):]
	}
	return strings.HasSuffix(rest, parts[last])
}

// plainPath is a path without percent-encodings, but for those of what means something as it is: / parts a path, * stands for
// anything in a pattern, and % begins an encoding.
func plainPath(path string) string {
	if !strings.Contains(path, "%") {
		return path
	}
	var plain strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' {
			plain.WriteByte(path[i])
			continue
		}
		c := byte('%')
		if i+2 < len(path) {
			if n, err := strconv.ParseUint(path[i+1:i+3], 16, 8); err == nil {
				c, i = byte(n), i+2
			}
		}
		if c == '/' || c == '*' || c == '%' {
			fmt.Fprintf(&plain, "%%%02X", c)
			continue
		}
		plain.WriteByte(c)
	}
	return plain.String()
}

// CrawlStep is what became of a page of a crawl, stored in one fact with what it brings: links, and perhaps a document or
// the next version of one.
type CrawlStep struct {
	Page     CrawlPage // with Status, Reason and DocumentID as they are now
	TextHash string    // of what was read on it; "" where nothing was
	Links    []string  // pages to go to, which are added where they are not known and there is room
	Now      time.Time
	// Document, where it is set, is a new document, whose original is given along; else, where Page.DocumentID is set and
	// the status is UPDATED, that document gets a run of which what was fetched is the original.
	Document *NewDocument
	Update   *SavedPage
}

// The one order of crawls, newest first, and of the pages of one, in the order they were found.
const (
	CrawlsOrder     = "crawls.CREATED_AT.DESC"
	CrawlPagesOrder = "crawlPages.PLACE.ASC"
)
