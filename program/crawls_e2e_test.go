package program

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"

	"kyrochat/internal/website"
)

const aboutCrawl = `query($c: ID!) { node(id: $c) { ... on Crawl { id status statusReason pagesFound pagesDone pagesAdded pagesUnchanged pagesSkipped pagesFailed finishedAt
	bot { id } pages(first: 100) { totalCount nodes { url depth status reason document { id title status crawl { id } } } } } } }`

func (p *person) startCrawl(bot string, input vars) string {
	p.t.Helper()
	input["botId"] = bot
	return p.must(`mutation($in: CrawlSiteInput!) { crawlSite(input: $in) { crawl { id status } errors { code message field } } }`, vars{"in": input}).text("crawlSite.crawl.id")
}

// crawled follows a crawl to its end, and gives what became of its pages by path.
func (p *person) crawled(site *website.Site, id string) (*reply, map[string]string) {
	p.t.Helper()
	last, status := -1.0, ""
	see := func(e *reply) bool {
		if done := e.number("crawlProgress.pagesDone"); done < last {
			p.t.Errorf("pagesDone fell from %g to %g", last, done)
		} else {
			last = done
		}
		status = e.text("crawlProgress.status")
		return true
	}
	var err error
	for range 3 { // what a killed server was at is taken for lost after a minute only
		if err = p.follow(`subscription($c: ID!) { crawlProgress(crawlId: $c) { status pagesDone } }`, vars{"c": id}, see); err == nil {
			break
		}
	}
	if err != nil || status == "RUNNING" || status == "QUEUED" {
		p.t.Fatalf("crawlProgress: %v, %s", err, status)
	}
	r := p.must(aboutCrawl, vars{"c": id})
	pages := map[string]string{}
	for _, each := range r.list("node.pages.nodes") {
		page := each.(map[string]any)
		pages[strings.TrimPrefix(page["url"].(string), site.URL)] = page["status"].(string)
	}
	return r, pages
}

// trap fills a site with thirty pages and what crawlers get lost in.
func trap(site *website.Site) {
	links := []string{"/p/0", "/loop/a", "/calendar?day=1", "/twin", "/print", "http://elsewhere.example/", "/file.png", "/broken", "/private/x", "/hidden", "mailto:a@example.com"}
	site.Set("/", htmlPage("Home", []string{tale("home")}, links...))
	for i := range 24 {
		site.Set(fmt.Sprintf("/p/%d", i), htmlPage(fmt.Sprintf("Page %d", i), []string{tale(fmt.Sprintf("number%d", i))}, fmt.Sprintf("/p/%d", i+1), "/p/0#part", "/"))
	}
	site.Set("/loop/a", htmlPage("Loop a", []string{tale("loop")}, "/loop/b"))
	site.Set("/loop/b", website.Page{Status: 302, Location: "/loop/a"})
	for i := 1; i < 50; i++ {
		site.Set(fmt.Sprintf("/calendar?day=%d", i), htmlPage("Day", []string{tale(fmt.Sprintf("day%d", i))}, fmt.Sprintf("/calendar?day=%d", i+1)))
	}
	site.Set("/twin", htmlPage("Page 0", []string{tale("number0")}, "/p/1", "/p/0#part", "/"))
	canonical := htmlPage("Print", []string{tale("print")})
	canonical.Body = strings.Replace(canonical.Body, "</head>", `<link rel=canonical href="/p/0"></head>`, 1)
	site.Set("/print", canonical)
	site.Set("/file.png", website.Page{Type: "image/png", Body: "\x89PNG\r\n\x1a\n"})
	site.Set("/broken", website.Page{Status: 404})
	site.Set("/private/x", htmlPage("Private", []string{tale("private")}))
	hidden := htmlPage("Hidden", []string{tale("hidden")})
	hidden.Body = strings.Replace(hidden.Body, "<head>", `<head><meta name=robots content=noindex>`, 1)
	site.Set("/hidden", hidden)
	site.Robots("User-agent: *\nDisallow: /private\n")
}

func TestCrawl(t *testing.T) {
	eachSite(t, func(p *person, bot string, site *website.Site) {
		t := p.t
		trap(site)
		id := p.startCrawl(bot, vars{"url": site.URL + "/", "maxPages": 60, "maxDepth": 10, "exclude": []string{"/calendar*"}})
		r, pages := p.crawled(site, id)
		want(t, r, "node.status", "COMPLETED")
		wanted := map[string]string{
			"/": "ADDED", "/p/0": "ADDED", "/p/9": "ADDED", "/loop/a": "ADDED", "/loop/b": "DUPLICATE", "/twin": "DUPLICATE", "/print": "DUPLICATE",
			"/file.png": "SKIPPED", "/broken": "FAILED", "/private/x": "SKIPPED", "/hidden": "SKIPPED", "/calendar?day=1": "",
		}
		for path, status := range wanted {
			if pages[path] != status {
				t.Errorf("%s is %q, want %q", path, pages[path], status)
			}
		}
		if len(site.Hits("/private/x")) != 0 || len(site.Hits("/calendar?day=1")) != 0 {
			t.Error("what was not to be fetched was")
		}
		for _, hit := range site.Hits("") {
			if hit.Host != "127.0.0.1" {
				t.Errorf("another host was asked: %s", hit.Host)
			}
		}
		if len(site.Hits("/p/0")) != 1 {
			t.Errorf("/p/0 was fetched %d times", len(site.Hits("/p/0")))
		}
		done := r.number("node.pagesDone")
		if done != r.number("node.pagesFound") || done != r.number("node.pages.totalCount") ||
			done != r.number("node.pagesAdded")+r.number("node.pagesUnchanged")+r.number("node.pagesSkipped")+r.number("node.pagesFailed") {
			t.Errorf("the counts do not add up: %s", r.body)
		}
		document := r.text("node.pages.nodes.0.document.id")
		if status := p.settled(document); status != "READY" {
			t.Errorf("the document is %s", status)
		}
		about := p.must(aboutRun, vars{"d": document})
		want(t, about, "document.title", "Home")
		want(t, about, "document.crawl.id", id)
		if len(site.Hits("/")) != 1 {
			t.Errorf("what was crawled is fetched %d times", len(site.Hits("/")))
		}

		// Another crawl compares, and makes new versions where pages changed.
		all := p.must(`query($b: ID!) { bot(id: $b) { documents(first: 100) { nodes { id } } } }`, vars{"b": bot}).list("bot.documents.nodes")
		for _, each := range all {
			p.settled(each.(map[string]any)["id"].(string))
		}
		site.Set("/p/3", htmlPage("Page 3", []string{tale("changed")}, "/p/4"))
		second := p.startCrawl(bot, vars{"url": site.URL + "/p/0", "maxPages": 6, "maxDepth": 5, "include": []string{"/p/*"}})
		r, pages = p.crawled(site, second)
		for path, status := range map[string]string{"/p/0": "UNCHANGED", "/p/3": "UPDATED", "/p/4": "UNCHANGED"} {
			if pages[path] != status {
				t.Errorf("again, %s is %q, want %q: %s", path, pages[path], status, r.body)
			}
		}
		list := p.must(`query($b: ID!) { bot(id: $b) { crawls(first: 1) { totalCount pageInfo { hasNextPage } nodes { id } } } }`, vars{"b": bot})
		want(t, list, "bot.crawls.totalCount", 2.0)
		want(t, list, "bot.crawls.nodes.0.id", second)
		want(t, list, "bot.crawls.pageInfo.hasNextPage", true)
		other := p.s.signUp(t)
		if got := other.must(aboutCrawl, vars{"c": id}).get("node"); got != nil {
			t.Errorf("somebody else reads the crawl: %v", got)
		}
		other.ask(`mutation($c: ID!) { cancelCrawl(input: {crawlId: $c}) { crawl { id } errors { code } } }`, vars{"c": id}).wantCode("", "NOT_FOUND")
		p.ask(`mutation($c: ID!) { cancelCrawl(input: {crawlId: $c}) { crawl { id } errors { code } } }`, vars{"c": id}).wantCode("cancelCrawl", "CONFLICT")
	})
}

func TestCrawlBySitemapAndItsEnds(t *testing.T) {
	eachSite(t, func(p *person, bot string, site *website.Site) {
		t := p.t
		trap(site)
		site.Sitemap("/sitemap.xml", "/p/1", "/p/2", "/p/1", "http://elsewhere.example/page")
		r, pages := p.crawled(site, p.startCrawl(bot, vars{"url": site.URL + "/sitemap.xml", "maxDepth": 1}))
		if len(pages) != 2 || pages["/p/1"] != "ADDED" || pages["/p/2"] != "ADDED" {
			t.Errorf("%s", r.body)
		}
		r, _ = p.crawled(site, p.startCrawl(bot, vars{"url": site.URL + "/no-such-page"}))
		want(t, r, "node.status", "FAILED")
		want(t, r, "node.statusReason", "The site answered 404. There is no page at the address: check it.")
		// Where nothing was taken the crawl has failed, and says why.
		for path, reason := range map[string]string{"/private/x": "robots.txt", "/hidden": "noindex"} {
			r, _ = p.crawled(site, p.startCrawl(bot, vars{"url": site.URL + path}))
			want(t, r, "node.status", "FAILED")
			if !strings.Contains(r.text("node.statusReason"), reason) {
				t.Errorf("%s: %s", path, r.body)
			}
		}
		site.Set("/again", htmlPage("Page 1", []string{tale("number1")}))
		r, pages = p.crawled(site, p.startCrawl(bot, vars{"url": site.URL + "/again"}))
		if r.text("node.status") != "COMPLETED" || pages["/again"] != "DUPLICATE" {
			t.Errorf("of a page whose text is known: %s", r.body)
		}
		for field, input := range map[string]vars{
			"url": {"url": "ftp://example.com/"}, "maxPages": {"url": site.URL, "maxPages": 1001}, "maxDepth": {"url": site.URL, "maxDepth": 11},
			"include": {"url": site.URL, "include": []string{strings.Repeat("/a", 101)}},
		} {
			input["botId"] = bot
			r := p.ask(`mutation($in: CrawlSiteInput!) { crawlSite(input: $in) { crawl { id } errors { code field } } }`, vars{"in": input})
			r.wantCode("crawlSite", "VALIDATION")
			if got := fmt.Sprint(r.get("crawlSite.errors.0.field")); !strings.Contains(got, field) {
				t.Errorf("%s: the error is at %s", field, got)
			}
		}

		// A page that never answers: the crawl is canceled in the middle of it.
		site.Set("/silent", website.Page{Silent: true})
		id := p.startCrawl(bot, vars{"url": site.URL + "/silent"})
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := site.Wait(ctx, "/silent", 1); err != nil {
			t.Fatal(err)
		}
		p.must(`mutation($c: ID!) { cancelCrawl(input: {crawlId: $c}) { crawl { id status } errors { code } } }`, vars{"c": id})
		r, _ = p.crawled(site, id)
		want(t, r, "node.status", "CANCELED")

		// Twelve at once are too many and one more is refused.
		var last *reply
		for range 13 {
			last = p.ask(`mutation($in: CrawlSiteInput!) { crawlSite(input: $in) { crawl { id } errors { code } } }`, vars{"in": vars{"botId": bot, "url": site.URL + "/silent"}})
		}
		last.wantCode("crawlSite", "LIMIT_REACHED")
		p.must(`mutation($b: ID!) { deleteBot(input: {botId: $b}) { deletedId errors { code } } }`, vars{"b": bot})
		if n := p.s.number(t, "SELECT count(*) FROM crawls WHERE finished_at IS NULL"); n != 0 {
			t.Errorf("%d crawls of a deleted bot go on", n)
		}
	})
}

func TestKillInTheMiddleOfACrawl(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		site, settings := newSite(t)
		trap(site)
		maps.Copy(env, settings)
		env["KYRO_FETCH_DELAY"] = "100ms"
		server := startProcess(t, env)
		p := server.signUp(t)
		bot := p.newBot()
		id := p.startCrawl(bot, vars{"url": site.URL + "/p/0", "maxPages": 30, "maxDepth": 10, "include": []string{"/p/*"}})
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := site.Wait(ctx, "/p/4", 1); err != nil {
			t.Fatal(err)
		}
		server.kill()
		env["KYRO_FETCH_DELAY"] = "0"
		again := startProcess(t, env)
		p.s = &again.testServer
		r, pages := p.crawled(site, id)
		want(t, r, "node.status", "COMPLETED")
		twice := 0
		for i := range 11 { // which is as deep as it goes
			path := fmt.Sprintf("/p/%d", i)
			if pages[path] != "ADDED" {
				t.Errorf("%s is %q", path, pages[path])
			}
			if n := len(site.Hits(path)); n > 1 {
				twice++
			}
		}
		if twice > 1 {
			t.Errorf("%d pages were fetched again, besides the one in the middle of which the server ended", twice)
		}
		documents := p.must(`query($b: ID!) { bot(id: $b) { documents(first: 100) { nodes { id status } } } }`, vars{"b": bot}).list("bot.documents.nodes")
		if len(documents) != 11 {
			t.Errorf("there are %d documents", len(documents))
		}
	})
}
