package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"kyrochat/ingest"
	"kyrochat/internal/testdb"
	"kyrochat/kyro"
	"kyrochat/store"
)

const home = "https://a.example/"

// site is a site in memory, and the extractor of its pages: a title, the links, and the text, a line each or more.
type site struct {
	mu       sync.Mutex
	pages    map[string]string
	unread   string // what cannot be read: the text of such a page
	stands   int    // how many extractions more come to nothing, since what is to do them hardly runs
	extracts []kyro.Original
	ahead    time.Duration // of the clock
}

func (s *site) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.ahead)
}

func (s *site) wait(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead += d
}

func (s *site) set(path, title, links, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pages == nil {
		s.pages = map[string]string{}
	}
	s.pages[home+path] = title + "\n" + links + "\n" + text
}

func (s *site) Fetch(_ context.Context, what kyro.Fetch) (kyro.Fetched, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	page, found := s.pages[what.URL]
	if !found {
		return kyro.Fetched{}, kyro.Errorf(kyro.CodeFetchFailed, "There is no such page.")
	}
	return kyro.Fetched{URL: what.URL, ContentType: "text/html", ETag: sum(page), Body: io.NopCloser(strings.NewReader(page))}, nil
}

func (s *site) Sitemap(context.Context, string, int) ([]string, error) {
	return nil, kyro.Errorf(kyro.CodeFetchFailed, "There is no sitemap.")
}

func (s *site) Allowed(context.Context, string) (bool, error) { return true, nil }

func (s *site) Extract(_ context.Context, original kyro.Original, _ func(done, total int)) (kyro.Extraction, error) {
	body, err := os.ReadFile(original.Path)
	if err != nil {
		return kyro.Extraction{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stands > 0 {
		s.stands--
		return kyro.Extraction{}, kyro.Errorf(kyro.CodeTimeout, "The file could not be read within 30s.").Because(kyro.ErrNotRun)
	}
	s.extracts = append(s.extracts, original)
	title, rest, _ := strings.Cut(string(body), "\n")
	links, text, _ := strings.Cut(rest, "\n")
	if s.unread != "" && strings.Contains(text, s.unread) && len(s.extracts)%2 == 0 { // the second time of two
		return kyro.Extraction{}, kyro.Errorf(kyro.CodeValidation, "The page cannot be read.")
	}
	page := &kyro.WebPage{}
	for _, link := range strings.Fields(links) {
		page.Links = append(page.Links, home+link)
	}
	return kyro.Extraction{MimeType: original.MimeType, Title: title, Text: text, Page: page}, nil
}

func sum(s string) string { return s[:min(len(s), 8)] }

// newSite is a service on a real database that reads the site.
func newSite(t *testing.T, p *store.Pools, s *site, wrap func(ingest.Store) ingest.Store) *wired {
	t.Helper()
	return newWired(t, p, wrap, func(c *ingest.Config) {
		c.Fetcher, c.Extractor, c.Now = s, s, s.now
		c.Addresses = ingest.Addresses{
			Canonical: func(raw string) (string, error) {
				if u, err := url.Parse(raw); err != nil || u.Host == "" {
					return "", kyro.Invalid("url", "That is no address.")
				}
				return raw, nil
			},
			SameSite: func(a, b string) bool { return strings.HasPrefix(a, home) == strings.HasPrefix(b, home) },
		}
		c.SniffPage = func(file io.ReaderAt, size int64, _, _ string) (string, error) {
			body := make([]byte, size)
			_, err := file.ReadAt(body, 0)
			if err != nil && !errors.Is(err, io.EOF) {
				return "", err
			}
			if strings.Contains(string(body), "%PDF") {
				return "application/pdf", nil
			}
			return "text/html", nil
		}
	})
}

func plainly(s ingest.Store) ingest.Store { return s }

// worked does the turns of a document's run to its end.
func (h *wired) worked(t *testing.T, d kyro.Document) kyro.Document {
	t.Helper()
	job := jobOf(d)
	err := h.Work(t.Context(), job)
	for tries := 0; err != nil && tries < 3; tries++ {
		err = h.Work(t.Context(), job)
	}
	if err != nil {
		if err := h.GiveUp(t.Context(), job, err); err != nil {
			t.Fatal(err)
		}
	}
	got, err := h.Document(t.Context(), h.owner, d.ID)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// walked does the turns of a crawl to the end of its job, and gives the crawl with its pages' states.
func (h *wired) walked(t *testing.T, site *site, c kyro.Crawl) (kyro.Crawl, map[string]kyro.CrawlPageStatus) {
	t.Helper()
	var err error
	for turns := 0; turns == 0 || err != nil && turns < 20; turns++ {
		site.wait(2 * time.Second)
		err = h.WorkCrawl(t.Context(), kyro.Job{Kind: kyro.JobCrawl, Key: c.ID.Key, Run: c.Run})
		if err != nil && !errors.Is(err, kyro.ErrJobAgain) {
			t.Fatalf("a turn of the crawl ended with %v", err)
		}
	}
	crawls, err := h.Crawls(t.Context(), h.owner, []kyro.ID{c.ID})
	if err != nil || len(crawls) != 1 {
		t.Fatal(crawls, err)
	}
	lists, err := h.CrawlPages(t.Context(), h.owner, []kyro.ID{c.ID}, kyro.PageRequest{Order: kyro.CrawlPagesOrder, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	pages := map[string]kyro.CrawlPageStatus{}
	for _, page := range lists[c.ID].Nodes {
		pages[strings.TrimPrefix(page.URL, home)] = page.Status
	}
	return crawls[0], pages
}

func (h *wired) startCrawl(t *testing.T) kyro.Crawl {
	t.Helper()
	c, err := h.Crawl(t.Context(), h.owner, h.bot, kyro.NewCrawl{URL: home, MaxPages: 10, MaxDepth: 2})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// between is a store in which something else happens just before what was looked at is stored.
type between struct {
	ingest.Store
	happens func(step kyro.CrawlStep)
}

func (b *between) FinishPage(
	ctx context.Context, id kyro.ID, run int64, step kyro.CrawlStep, original io.Reader, place func(kyro.Document) error,
) (kyro.Crawl, *kyro.Document, error) {
	if b.happens != nil {
		b.happens(step)
	}
	return b.Store.FinishPage(ctx, id, run, step, original, place)
}

// A crawl ends, whatever others do to its documents between its look at a page and what it stores of it.
func TestRealCrawlGoesOnWhateverHappensToItsDocuments(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		known   bool // the bot has the page before
		happens func(t *testing.T, h *wired, id kyro.ID) error
		want    kyro.CrawlPageStatus
	}{
		{"looked at again", true, func(t *testing.T, h *wired, id kyro.ID) error {
			_, err := h.Resync(t.Context(), h.owner, id)
			return err
		}, kyro.PageUnchanged},
		{"deleted", true, func(t *testing.T, h *wired, id kyro.ID) error { return h.Delete(t.Context(), h.owner, id) }, kyro.PageAdded},
		{"added by hand", false, func(t *testing.T, h *wired, _ kyro.ID) error {
			_, err := h.AddURL(t.Context(), h.owner, h.bot, home+"page", nil)
			return err
		}, kyro.PageUnchanged},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			testdb.Each(t, func(t *testing.T, p *store.Pools) {
				pages, b := &site{}, &between{}
				h := newSite(t, p, pages, func(s ingest.Store) ingest.Store { b.Store = s; return b })
				pages.set("", "Home", "page", "the first text")
				pages.set("page", "Page", "", "the text of the page")
				var id kyro.ID
				if c.known {
					added, err := h.AddURL(t.Context(), h.owner, h.bot, home+"page", nil)
					if err != nil {
						t.Fatal(err)
					}
					id = h.worked(t, added.Document).ID
					pages.set("page", "Page", "", "another text of the page")
				}
				b.happens = func(step kyro.CrawlStep) {
					if step.Page.URL != home+"page" {
						return
					}
					b.happens = nil
					if err := c.happens(t, h, id); err != nil {
						t.Error(err)
					}
				}
				crawl, states := h.walked(t, pages, h.startCrawl(t))
				if crawl.Status != kyro.CrawlCompleted || crawl.PagesDone != 2 || states["page"] != c.want {
					t.Errorf("the crawl is %s with %d of %d pages done, %v", crawl.Status, crawl.PagesDone, crawl.PagesFound, states)
				}
			})
		})
	}
}

// The passages of a page stand under its first title, and are found again under every later one.
func TestRealPageWithANewTitleIsFoundAgain(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, p *store.Pools) {
		pages := &site{}
		h := newSite(t, p, pages, plainly)
		pages.set("news", "News of Monday", "", "It rained.")
		added, err := h.AddURL(t.Context(), h.owner, h.bot, home+"news", nil)
		if err != nil {
			t.Fatal(err)
		}
		d := h.worked(t, added.Document)
		pages.set("news", "News of Tuesday", "", "It snowed.")
		if d, err = h.Resync(t.Context(), h.owner, d.ID); err != nil {
			t.Fatal(err)
		}
		if d = h.worked(t, d); d.LastRun.Outcome != kyro.RunDone || d.Title != "News of Tuesday" {
			t.Errorf("the run is %+v, the title %q", d.LastRun, d.Title)
		}
	})
}

// A page whose reading hardly ran is read again, when it is fetched for the first time and when it is looked at anew.
func TestRealPageIsReadAgainWhereNothingRan(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, p *store.Pools) {
		pages := &site{stands: 1}
		h := newSite(t, p, pages, plainly)
		pages.set("page", "Page", "", "the first text")
		added, err := h.AddURL(t.Context(), h.owner, h.bot, home+"page", nil)
		if err != nil {
			t.Fatal(err)
		}
		d := h.worked(t, added.Document)
		if d.LastRun.Outcome != kyro.RunDone {
			t.Fatalf("added, the run is %+v", d.LastRun)
		}
		for times := 1; times <= 2; times++ { // once while it is compared, and once besides while it is made
			text := fmt.Sprintf("the text after %d times", times)
			pages.set("page", fmt.Sprintf("Page %d", times), "", text)
			if d, err = h.Resync(t.Context(), h.owner, d.ID); err != nil {
				t.Fatal(err)
			}
			pages.stands = times
			d = h.worked(t, d)
			texts, err := h.Texts(t.Context(), h.owner, []kyro.ID{d.ID}, 0, 100)
			if err != nil || texts[d.ID] != text || d.LastRun.Outcome != kyro.RunDone {
				t.Errorf("after %d times: %v, %v, %+v", times, texts, err, d.LastRun)
			}
		}
	})
}

// What a failed run fetched is nothing that later runs or downloads are made from.
func TestRealRunIsMadeFromWhatAnswersUse(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, p *store.Pools) {
		pages := &site{}
		h := newSite(t, p, pages, plainly)
		pages.set("page", "Page", "", "the first text")
		added, err := h.AddURL(t.Context(), h.owner, h.bot, home+"page", nil)
		if err != nil {
			t.Fatal(err)
		}
		first := h.worked(t, added.Document)
		pages.set("page", "Page", "", "%PDF that cannot be read")
		pages.extracts, pages.unread = nil, "%PDF"
		d, err := h.Resync(t.Context(), h.owner, first.ID)
		if err != nil {
			t.Fatal(err)
		}
		if d = h.worked(t, d); d.LastRun.Outcome != kyro.RunFailed || d.MimeType != "text/html" || d.ContentHash != first.ContentHash {
			t.Fatalf("after a run that failed: %+v", d)
		}
		pages.extracts, pages.unread = nil, ""
		if d, err = h.Reprocess(t.Context(), h.owner, d.ID, ingest.Cut{}); err != nil {
			t.Fatal(err)
		}
		d = h.worked(t, d)
		texts, err := h.Texts(t.Context(), h.owner, []kyro.ID{d.ID}, 0, 100)
		if err != nil || texts[d.ID] != "the first text" || d.LastRun.Outcome != kyro.RunDone || d.ContentHash != first.ContentHash {
			t.Errorf("made again: %v, %v, %+v", texts, err, d)
		}
		if asked := pages.extracts[0]; asked.MimeType != "text/html" {
			t.Errorf("it was read as %s", asked.MimeType)
		}
	})
}

// Of a page that changes again and again one original is kept, which is the one of the version in use.
func TestRealOriginalsThatNothingIsMadeFromGo(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, p *store.Pools) {
		pages := &site{}
		h := newSite(t, p, pages, plainly)
		pages.set("page", "Page", "", "text 0")
		added, err := h.AddURL(t.Context(), h.owner, h.bot, home+"page", nil)
		if err != nil {
			t.Fatal(err)
		}
		d := h.worked(t, added.Document)
		see := func(what string, version int) {
			t.Helper()
			if err := h.Purge(t.Context(), kyro.Job{Kind: kyro.JobPurge, Key: d.ID.Key}); err != nil {
				t.Fatal(err)
			}
			for n := 1; n <= d.Version; n++ {
				_, there := os.Stat(h.files.Path(d.ID, n))
				if p.Postgres() {
					_, there = h.store.Original(t.Context(), d.ID, n)
				}
				if want := n == version || p.Postgres() && n > version; want != (there == nil) { // the store gives the last one before
					t.Errorf("%s, the original of version %d: %v", what, n, there)
				}
			}
		}
		again := func(begin func() (kyro.Document, error)) {
			t.Helper()
			if d, err = begin(); err != nil {
				t.Fatal(err)
			}
			d = h.worked(t, d)
		}
		resync := func() (kyro.Document, error) { return h.Resync(t.Context(), h.owner, d.ID) }
		see("at first", 1)
		pages.set("page", "Page", "", "text 1")
		again(resync)
		see("changed", 2)
		again(func() (kyro.Document, error) { return h.Reprocess(t.Context(), h.owner, d.ID, ingest.Cut{}) })
		see("made again", 2)
		pages.set("page", "Page", "", "text that cannot be read")
		pages.extracts, pages.unread = nil, "cannot"
		again(resync)
		if d.LastRun.Outcome != kyro.RunFailed {
			t.Fatalf("the run is %+v", d.LastRun)
		}
		see("after a failure", 2)
		pages.extracts, pages.unread = nil, ""
		again(resync)
		see("changed again", 5)
		if d.ActiveVersion != 5 || d.LastRun.Outcome != kyro.RunDone {
			t.Errorf("at last %+v", d)
		}
	})
}
