package store_test

import (
	"fmt"
	"strings"
	"testing"

	"kyrochat/kyro"
)

// crawl begins a crawl that knows its first page.
func (k *knowledge) crawl(t *testing.T, most int) kyro.Crawl {
	t.Helper()
	c, err := k.store.AddCrawl(t.Context(), kyro.NewCrawl{BotID: k.bot, OwnerID: k.owner, URL: "https://a.example/", MaxPages: most, MaxDepth: 3, Now: k.tick(),
		Deed: kyro.AuditEntry{UserID: k.owner, Action: kyro.AuditDocumentAdded, Succeeded: true}})
	check(t, err)
	return c
}

func (k *knowledge) crawlJobs() (jobs []kyro.Job) {
	for _, job := range k.jobs.take() {
		if job.Kind == kyro.JobCrawl {
			jobs = append(jobs, job)
		}
	}
	return jobs
}

func TestCrawlsTakeTurns(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		var crawls []kyro.Crawl
		for range kyro.MaxCrawlsRunning + kyro.MaxCrawlsWaiting {
			crawls = append(crawls, k.crawl(t, 5))
		}
		expect(t, "crawls with a job", len(k.crawlJobs()), kyro.MaxCrawlsRunning)
		_, err := k.store.AddCrawl(ctx, kyro.NewCrawl{BotID: k.bot, OwnerID: k.owner, URL: "https://a.example/", Now: k.now})
		expect(t, "one too many", kyro.ErrorCode(err), kyro.CodeLimitReached)

		_, err = k.store.FinishCrawl(ctx, crawls[0].ID, 1, kyro.CrawlCompleted, "", k.tick())
		check(t, err)
		expect(t, "the next", k.crawlJobs(), []kyro.Job{{Kind: kyro.JobCrawl, Key: crawls[2].ID.Key, Run: 1}})
		_, err = k.store.FinishCrawl(ctx, crawls[0].ID, 1, kyro.CrawlCompleted, "", k.tick())
		expect(t, "the end of what is over", kyro.ErrorCode(err), kyro.CodeConflict)
		canceled, err := k.store.CancelCrawl(ctx, k.owner, crawls[5].ID, k.tick())
		check(t, err)
		expect(t, "canceled", canceled.Status, kyro.CrawlCanceled)
		expect(t, "jobs for one that waited", len(k.crawlJobs()), 0)

		check(t, k.store.DeleteBot(ctx, k.owner, k.bot, k.tick()))
		_, err = k.store.CrawlForWork(ctx, crawls[1].ID, 1)
		expect(t, "work on a crawl of a deleted bot", kyro.ErrorCode(err), kyro.CodeConflict)
		done, err := k.store.PurgeCrawls(ctx, k.bot)
		check(t, err)
		expect(t, "done", done, true)
		expect(t, "crawls", k.count(t, "crawls", "1 = 1"), 0)
	})
}

func TestPagesOfACrawl(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		c := k.crawl(t, 4)
		_, err := k.store.BeginCrawl(ctx, c.ID, c.Run, []string{"https://a.example/"}, 0, k.tick())
		check(t, err)
		page, retryAt, found, err := k.store.NextPage(ctx, c.ID, k.now)
		check(t, err)
		expect(t, "the first page", fmt.Sprint(page.URL, page.Depth, page.Place, retryAt, found), "https://a.example/0 1 <nil> true")

		// A page, its document, its links and the counts are one fact, once.
		size := int64(4)
		page.Status = kyro.PageAdded
		step := kyro.CrawlStep{
			Page: page, TextHash: sha("home"), Now: k.tick(), Links: []string{"https://a.example/1", "https://a.example/", "https://a.example/2", "https://a.example/3", "https://a.example/4"},
			Document: &kyro.NewDocument{
				BotID: k.bot, OwnerID: k.owner, Kind: kyro.DocumentURL, Title: "Home", URL: "https://a.example/", CrawlID: c.ID, SizeBytes: &size,
				ContentHash: sha("body"), Page: &kyro.SavedPage{MimeType: "text/html", ContentHash: sha("body"), SizeBytes: 4, ETag: "e"}, Now: k.now,
			},
		}
		crawl, added, err := k.store.FinishPage(ctx, c.ID, c.Run, step, strings.NewReader("body"), nil)
		check(t, err)
		expect(t, "found, done and added", []int{crawl.PagesFound, crawl.PagesDone, crawl.PagesAdded}, []int{4, 1, 1})
		expect(t, "the document", []any{added.CrawlID, added.ETag, added.FetchedRun, added.TitleGiven}, []any{c.ID, "e", int64(1), false})
		_, _, err = k.store.FinishPage(ctx, c.ID, c.Run, step, strings.NewReader("body"), nil)
		expect(t, "the same page again", kyro.ErrorCode(err) != "", true)
		expect(t, "documents", k.count(t, "documents", "1 = 1"), 1)
		expect(t, "lines of the audit log", k.count(t, "audit_log", "action = '"+string(kyro.AuditDocumentAdded)+"'"), 1)

		known, found, err := k.store.PageOf(ctx, k.bot, "https://a.example/")
		check(t, err)
		expect(t, "the page's document", fmt.Sprint(known.ID, found), fmt.Sprint(added.ID, true))
		twin, found, err := k.store.PageWithText(ctx, c.ID, sha("home"))
		check(t, err)
		expect(t, "the page with the text", fmt.Sprint(twin.DocumentID, found), fmt.Sprint(added.ID, true))

		// What has to wait comes after what has not.
		page, _, _, err = k.store.NextPage(ctx, c.ID, k.now)
		check(t, err)
		check(t, k.store.PostponePage(ctx, c.ID, c.Run, page, "away", k.now.AddDate(0, 0, 1), k.now))
		for range 2 {
			next, retryAt, found, err := k.store.NextPage(ctx, c.ID, k.now)
			check(t, err)
			if next.Key == page.Key || retryAt != nil || !found || next.Depth != 1 {
				t.Errorf("the next page is %v, %v", next, retryAt)
			}
			next.Status = kyro.PageSkipped
			_, _, err = k.store.FinishPage(ctx, c.ID, c.Run, kyro.CrawlStep{Page: next, Now: k.now}, nil, nil)
			check(t, err)
		}
		next, retryAt, found, err := k.store.NextPage(ctx, c.ID, k.now)
		check(t, err)
		if next.Tries != 1 || retryAt == nil || !found {
			t.Errorf("at last %v, %v", next, retryAt)
		}
		pages, err := k.store.PagesOfCrawls(ctx, k.owner, []kyro.ID{c.ID}, kyro.PageRequest{Order: kyro.CrawlPagesOrder, Limit: 3, Total: true})
		check(t, err)
		expect(t, "pages", fmt.Sprint(len(pages[c.ID].Nodes), pages[c.ID].Total, pages[c.ID].HasNextPage), "3 4 true")
		other, err := k.store.PagesOfCrawls(ctx, kyro.UserID(999), []kyro.ID{c.ID}, kyro.PageRequest{Order: kyro.CrawlPagesOrder, Limit: 3})
		check(t, err)
		expect(t, "pages for somebody else", len(other[c.ID].Nodes), 0)
		_, err = k.store.CancelCrawl(ctx, k.owner, c.ID, k.tick())
		check(t, err)
		_, _, err = k.store.FinishPage(ctx, c.ID, c.Run, kyro.CrawlStep{Page: next, Now: k.now}, nil, nil)
		expect(t, "a page of what was canceled", kyro.ErrorCode(err), kyro.CodeConflict)
	})
}

func TestPagesAreAddedOnce(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		added := make(chan kyro.ID, 8)
		for range cap(added) {
			go func() {
				d, _, err := k.store.AddPage(t.Context(), kyro.NewDocument{BotID: k.bot, OwnerID: k.owner, Kind: kyro.DocumentURL, Title: "t", URL: "https://a.example/", Now: k.now})
				if err != nil {
					t.Error(err)
				}
				added <- d.ID
			}()
		}
		ids := map[kyro.ID]bool{}
		for range cap(added) {
			ids[<-added] = true
		}
		expect(t, "documents", len(ids), 1)
	})
}

func TestOldCrawlsAreRemoved(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		old, young, walking := k.crawl(t, 1000), k.crawl(t, 5), k.crawl(t, 5)
		var urls []string
		for i := range 1000 {
			urls = append(urls, fmt.Sprint("https://a.example/", i))
		}
		_, err := k.store.BeginCrawl(ctx, old.ID, 1, urls, 0, k.tick())
		check(t, err)
		for _, c := range []kyro.Crawl{young, walking} {
			_, err := k.store.BeginCrawl(ctx, c.ID, 1, urls[:3], 0, k.tick())
			check(t, err)
		}
		_, err = k.store.FinishCrawl(ctx, old.ID, 1, kyro.CrawlCompleted, "", k.tick())
		check(t, err)
		before := k.tick()
		_, err = k.store.CancelCrawl(ctx, k.owner, young.ID, before)
		check(t, err)
		done, err := k.store.SweepCrawls(ctx, before)
		check(t, err)
		expect(t, "done", done, true)
		left, err := k.store.Crawls(ctx, k.owner, []kyro.ID{old.ID, young.ID, walking.ID})
		check(t, err)
		expect(t, "crawls that are left", len(left), 2)
		expect(t, "pages that are left", k.count(t, "crawl_pages", "1 = 1"), 6)
		_, err = k.store.SweepCrawls(ctx, k.tick())
		check(t, err)
		expect(t, "only the one that walks is left at last", k.count(t, "crawls", "finished_at IS NULL"), 1)
		expect(t, "crawls", k.count(t, "crawls", "1 = 1"), 1)
	})
}
