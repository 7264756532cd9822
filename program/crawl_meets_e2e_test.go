package program

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"kyrochat/internal/website"
	"kyrochat/kyro"
)

// withMeta is a page that tells robots something.
func withMeta(p website.Page, robots string) website.Page {
	p.Body = strings.Replace(p.Body, "<head>", "<head><meta name=robots content="+robots+">", 1)
	return p
}

func TestACrawlMeetsAllSorts(t *testing.T) {
	eachSite(t, func(p *person, bot string, site *website.Site) {
		t := p.t
		for path, page := range map[string]website.Page{
			"/scan.pdf":        {Type: "application/pdf", Body: string(newPDF(t, "", ""))},
			"/broken.pdf":      {Type: "application/pdf", Body: string(newPDF(t, tale("anchor")))[:700]},
			"/good.pdf":        {Type: "application/pdf", Body: string(newPDF(t, "The lighthouse of Varn was built in 1871 by Odile Marchetti."))},
			"/logo.png":        {Type: "image/png", Body: "\x89PNG\r\n\x1a\n"},
			"/huge":            {Body: "<p>", Zeros: 6 << 20},
			"/bomb":            {Body: "<p>", Packed: 1, Zeros: 64 << 20},
			"/empty":           {},
			"/away":            {Status: 503, Header: http.Header{"Retry-After": {"1"}}},
			"/unlisted":        withMeta(htmlPage("Unlisted", []string{tale("lantern")}, "/behind-unlisted"), "noindex"),
			"/dead-end":        withMeta(htmlPage("Dead end", []string{tale("anchor")}, "/behind-dead-end"), "nofollow"),
			"/by-header":       {Body: htmlPage("Header", []string{tale("rudder")}).Body, Header: http.Header{"X-Robots-Tag": {"noindex"}}},
			"/closed/a":        htmlPage("Closed", []string{tale("cellar")}),
			"/closed/open":     htmlPage("Open", []string{tale("attic")}),
			"/twin/a":          htmlPage("Twin", []string{tale("mirror")}),
			"/twin/b":          htmlPage("Twin", []string{tale("mirror")}),
			"/behind-unlisted": htmlPage("Behind", []string{tale("curtain")}),
			"/behind-dead-end": htmlPage("Never", []string{tale("wall")}),
		} {
			site.Set(path, page)
		}
		site.Set("/busy", htmlPage("Busy", []string{tale("market")}))
		site.Set("/busy", website.Page{Status: 429, Header: http.Header{"Retry-After": {"1"}}, Times: 1})
		site.Robots("User-agent: *\nDisallow: /closed\nAllow: /closed/open\n")
		site.Set("/", htmlPage("Home", []string{tale("home")}, "/busy", "/scan.pdf", "/broken.pdf", "/good.pdf", "/logo.png", "/huge", "/bomb", "/empty", "/away", "/unlisted",
			"/dead-end", "/by-header", "/closed/a", "/closed/open", "/twin/a", "/twin/b"))
		r, pages := p.crawled(site, p.startCrawl(bot, vars{"url": site.URL + "/", "maxPages": 40, "maxDepth": 3}))
		want(t, r, "node.status", "COMPLETED")
		for path, status := range map[string]string{
			"/": "ADDED", "/busy": "ADDED", "/good.pdf": "ADDED", "/dead-end": "ADDED", "/closed/open": "ADDED", "/behind-unlisted": "ADDED", "/twin/a": "ADDED",
			"/twin/b": "DUPLICATE", "/scan.pdf": "SKIPPED", "/broken.pdf": "FAILED", "/logo.png": "SKIPPED", "/huge": "SKIPPED", "/bomb": "SKIPPED", "/empty": "SKIPPED",
			"/away": "FAILED", "/unlisted": "SKIPPED", "/by-header": "SKIPPED", "/closed/a": "SKIPPED", "/behind-dead-end": "",
		} {
			if pages[path] != status {
				t.Errorf("%s is %q, want %q", path, pages[path], status)
			}
		}
		reasons := map[string]bool{}
		for i := range r.list("node.pages.nodes") {
			at := fmt.Sprintf("node.pages.nodes.%d.", i)
			reason, _ := r.get(at + "reason").(string)
			switch status := r.text(at + "status"); status {
			case "ADDED":
				if got := p.settled(r.text(at + "document.id")); got != "READY" {
					t.Errorf("the document of %s is %s", r.text(at+"url"), got)
				}
				if reason != "" {
					t.Errorf("%s was added, and says %q", r.text(at+"url"), reason)
				}
			default:
				if reason == "" {
					t.Errorf("%s is %s without a reason", r.text(at+"url"), status)
				}
				reasons[reason] = true
			}
		}
		if len(site.Hits("/busy")) != 2 || len(site.Hits("/closed/a")) != 0 || len(site.Hits("/behind-dead-end")) != 0 || len(reasons) < 6 {
			t.Errorf("/busy was asked for %d times; reasons are %v", len(site.Hits("/busy")), reasons)
		}
	})
}

// TestACrawlMeetsALimit: it ends with what there was room for, and says why.
func TestACrawlMeetsALimit(t *testing.T) {
	for name, limits := range map[string]map[string]string{
		"documents": {"KYRO_USER_MAX_DOCUMENTS": "3"}, "bytes": {"KYRO_USER_MAX_BYTES": "15000"},
	} {
		t.Run(name, func(t *testing.T) {
			eachSettings(t, func(t *testing.T, env map[string]string) {
				site, settings := newSite(t)
				maps.Copy(env, settings)
				maps.Copy(env, limits)
				trap(site)
				p := startServer(t, env).signUp(t)
				bot := p.newBot()
				r, pages := p.crawled(site, p.startCrawl(bot, vars{"url": site.URL + "/p/0", "maxDepth": 10, "include": []string{"/p/*"}}))
				want(t, r, "node.status", "COMPLETED")
				if reason, _ := r.get("node.statusReason").(string); !strings.Contains(reason, "Delete some") {
					t.Errorf("the reason is %q", reason)
				}
				added := 0
				for _, status := range pages {
					if status == "ADDED" {
						added++
					}
				}
				list := p.must(`query($b: ID!) { bot(id: $b) { documents(first: 50) { totalCount nodes { id } } } }`, vars{"b": bot})
				if added == 0 || added > 4 || int(r.number("node.pagesAdded")) != added || int(list.number("bot.documents.totalCount")) != added {
					t.Errorf("%d pages were added, and there are %g documents: %s", added, list.number("bot.documents.totalCount"), r.body)
				}
				for i := range list.list("bot.documents.nodes") {
					if status := p.settled(list.text(fmt.Sprintf("bot.documents.nodes.%d.id", i))); status != "READY" {
						t.Errorf("a document is %s", status)
					}
				}
			})
		})
	}
}

// TestACrawlOfWhoGoes: nothing more is fetched for a bot that is deleted, or an account that is deactivated.
func TestACrawlOfWhoGoes(t *testing.T) {
	for name, leave := range map[string]func(p *person, bot string){
		"bot": func(p *person, bot string) {
			p.must(`mutation($b: ID!) { deleteBot(input: {botId: $b}) { deletedId errors { code } } }`, vars{"b": bot})
		},
		"account": func(p *person, _ string) { p.deactivate(password).wantAccepted("deactivateAccount") },
	} {
		t.Run(name, func(t *testing.T) {
			eachSettings(t, func(t *testing.T, env map[string]string) {
				site, settings := newSite(t)
				maps.Copy(env, settings)
				env["KYRO_FETCH_DELAY"] = "1s" // so that there are eight seconds to leave in before the end
				trap(site)
				s := startServer(t, env)
				p := s.signUp(t)
				bot := p.newBot()
				p.startCrawl(bot, vars{"url": site.URL + "/p/0", "maxDepth": 10, "maxPages": 30, "include": []string{"/p/*", "/loop/*"}})
				if err := site.Wait(t.Context(), "/p/2", 1); err != nil {
					t.Fatal(err)
				}
				leave(p, bot)
				if n := s.number(t, "SELECT count(*) FROM crawls WHERE finished_at IS NULL"); n != 0 {
					t.Errorf("%d crawls go on", n)
				}
				waitUntil(t, "its job is over", func() bool {
					return s.number(t, fmt.Sprintf("SELECT count(*) FROM river_job WHERE kind = '%s' AND finalized_at IS NULL", kyro.JobCrawl)) == 0
				})
				if n := len(site.Hits("/p/10")); n != 0 {
					t.Error("pages were fetched to the end")
				}
				waitUntil(t, "its documents are at rest", func() bool {
					return s.number(t, fmt.Sprintf("SELECT count(*) FROM river_job WHERE kind = '%s' AND finalized_at IS NULL", kyro.JobIngest)) == 0
				})
			})
		})
	}
}
