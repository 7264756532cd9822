package program

import (
	"fmt"
	"strings"
	"testing"

	"kyrochat/internal/testdb"
	"kyrochat/internal/website"
)

// newSite starts a site, and gives the settings of a server that may read it.
func newSite(t *testing.T) (*website.Site, map[string]string) {
	t.Helper()
	site, err := website.Start(website.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(site.Close)
	return site, map[string]string{"KYRO_FETCH_ALLOW": site.Address.String(), "KYRO_FETCH_DELAY": "0"}
}

// eachSite runs a test against a server on each database that may read a site.
func eachSite(t *testing.T, test func(p *person, bot string, site *website.Site)) {
	t.Helper()
	t.Parallel()
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			site, env := newSite(t)
			if database == "postgres" {
				env["DATABASE_URL"] = testdb.PostgresURL(t)
			}
			p := startServer(t, env).signUp(t)
			test(p, p.newBot(), site)
		})
	}
}

// page is a page of HTML with a paragraph for each text, and links.
func htmlPage(title string, paragraphs []string, links ...string) website.Page {
	var b strings.Builder
	fmt.Fprintf(&b, "<!DOCTYPE html><html lang=en><head><title>%s</title></head><body><main><article>", title)
	for i, text := range paragraphs {
		fmt.Fprintf(&b, "<h2>Part %d</h2><p>%s</p>", i+1, text)
	}
	b.WriteString("</article>")
	for _, link := range links {
		fmt.Fprintf(&b, `<p><a href="%s">A link to %s</a></p>`, link, strings.ReplaceAll(link, "/", " "))
	}
	b.WriteString("</main></body></html>")
	return website.Page{Body: b.String()}
}

// tale is a paragraph about something, long enough to be a chunk by itself.
func tale(about string) string {
	var b strings.Builder
	for i := range 40 {
		fmt.Fprintf(&b, "In chapter %d the %s of the old harbour is described with great care and patience. ", i+1, about)
	}
	return b.String()
}

const aboutRun = `query($d: ID!) { document(id: $d) { id title url kind status statusReason version mimeType contentHash text warnings { code message }
	chunkCount crawl { id } sync { intervalHours nextAt checkedAt } lastRun { cause outcome reason chunksReused chunksEmbedded chunksRemoved } } }`

func (p *person) addURL(bot, url string) *reply {
	p.t.Helper()
	return p.must(`mutation($b: ID!, $u: URL!) { addUrlDocument(input: {botId: $b, url: $u}) { document { id status title } errors { code message field } } }`, vars{"b": bot, "u": url})
}

// page adds a page, waits for its end, and gives what is known of it.
func (p *person) page(bot, url string) *reply {
	p.t.Helper()
	id := p.addURL(bot, url).text("addUrlDocument.document.id")
	p.settled(id)
	return p.must(aboutRun, vars{"d": id})
}

func (p *person) resync(id string) *reply {
	p.t.Helper()
	p.must(`mutation($d: ID!) { resyncDocument(input: {documentId: $d}) { document { id } errors { code message } } }`, vars{"d": id})
	p.settled(id)
	return p.must(aboutRun, vars{"d": id})
}

func want(t *testing.T, r *reply, at string, wanted any) {
	t.Helper()
	if got := r.get(at); got != wanted {
		t.Errorf("%s is %v, want %v: %s", at, got, wanted, r.body)
	}
}

func TestPagesOfTheWeb(t *testing.T) {
	eachSite(t, func(p *person, bot string, site *website.Site) {
		t := p.t
		site.Set("/help", htmlPage("Help with tea", []string{tale("kettle"), tale("teapot"), tale("saucer")}))
		r := p.page(bot, site.URL+"/help#top")
		id := r.text("document.id")
		want(t, r, "document.status", "READY")
		want(t, r, "document.kind", "URL")
		want(t, r, "document.title", "Help with tea")
		want(t, r, "document.mimeType", "text/html")
		want(t, r, "document.url", site.URL+"/help")
		want(t, r, "document.lastRun.cause", "ADDED")
		if !strings.Contains(r.text("document.text"), "teapot of the old harbour") || r.get("document.sync.checkedAt") == nil {
			t.Errorf("%s", r.body)
		}

		// The same page again is the same document, which is looked at again.
		again := p.page(bot, site.URL+"/help?utm_source=letter")
		want(t, again, "document.id", id)
		want(t, again, "document.lastRun.cause", "RESYNCED")
		want(t, again, "document.lastRun.outcome", "UNCHANGED")
		want(t, again, "document.status", "READY")

		// Where only what is around the text changes, nothing changes; where a part does, only that is embedded.
		nonce := htmlPage("Help with tea", []string{tale("kettle"), tale("teapot"), tale("saucer")})
		nonce.Body = strings.Replace(nonce.Body, "<main>", `<script>var nonce = 4711</script><main data-n="1">`, 1)
		site.Set("/help", nonce)
		r = p.resync(id)
		want(t, r, "document.lastRun.outcome", "UNCHANGED")
		before := r.number("document.chunkCount")
		site.Set("/help", htmlPage("Help with tea, and more", []string{tale("kettle"), tale("samovar"), tale("saucer")}))
		r = p.resync(id)
		want(t, r, "document.lastRun.outcome", "DONE")
		want(t, r, "document.title", "Help with tea, and more")
		if reused, fresh := r.number("document.lastRun.chunksReused"), r.number("document.lastRun.chunksEmbedded"); reused < before/2 || fresh == 0 || fresh > before/2 {
			t.Errorf("%g chunks are as before, %g embedded of %g: %s", reused, fresh, before, r.body)
		}
		if text := r.text("document.text"); !strings.Contains(text, "samovar") || strings.Contains(text, "teapot") {
			t.Errorf("the text is not that of the new page: %s", text[:min(len(text), 300)])
		}

		// 304 is asked for, and a failure leaves the document as it is.
		site.Set("/tag", website.Page{Type: "text/plain", Body: "A plain text about the tides.", ETag: `"one"`})
		tag := p.page(bot, site.URL+"/tag").text("document.id")
		r = p.resync(tag)
		want(t, r, "document.lastRun.outcome", "UNCHANGED")
		if hits := site.Hits("/tag"); hits[len(hits)-1].Status != 304 {
			t.Errorf("the server answered %d", hits[len(hits)-1].Status)
		}
		site.Set("/tag", website.Page{Status: 404})
		r = p.resync(tag)
		want(t, r, "document.status", "READY")
		want(t, r, "document.lastRun.outcome", "FAILED")
		want(t, r, "document.lastRun.reason", "The site answered 404. There is no page at the address: check it.")
		if !strings.Contains(r.text("document.text"), "tides") {
			t.Errorf("%s", r.body)
		}
	})
}

func TestWhatPagesCanBe(t *testing.T) {
	eachSite(t, func(p *person, bot string, site *website.Site) {
		t := p.t
		site.Set("/paper", website.Page{Type: "application/octet-stream", Body: string(newPDF(t, "The lighthouse of Varn was built in 1871."))})
		r := p.page(bot, site.URL+"/paper")
		want(t, r, "document.status", "READY")
		want(t, r, "document.mimeType", "application/pdf")

		site.Set("/moved", website.Page{Status: 301, Location: "/target"})
		site.Set("/target", htmlPage("The target", []string{tale("anchor")}))
		r = p.page(bot, site.URL+"/moved")
		want(t, r, "document.status", "READY")
		want(t, r, "document.url", site.URL+"/moved")
		want(t, r, "document.title", "The target")
		r = p.page(bot, site.URL+"/target")
		want(t, r, "document.status", "READY_WITH_WARNINGS")
		want(t, r, "document.warnings.0.code", "DUPLICATE_CONTENT")

		canonical := htmlPage("Canonical", []string{tale("rudder")})
		canonical.Body = strings.Replace(canonical.Body, "</head>", `<link rel=canonical href="/own"></head>`, 1)
		site.Set("/print?p=1", canonical)
		r = p.page(bot, site.URL+"/print?p=1")
		want(t, r, "document.url", site.URL+"/own")
		same := p.page(bot, site.URL+"/print?p=1")
		want(t, same, "document.id", r.get("document.id"))

		site.Set("/flaky", website.Page{Type: "text/plain", Body: "At last it is here."})
		site.Set("/flaky", website.Page{Status: 503, Header: map[string][]string{"Retry-After": {"1"}}, Times: 2})
		r = p.page(bot, site.URL+"/flaky")
		want(t, r, "document.status", "READY")
		if n := len(site.Hits("/flaky")); n != 3 {
			t.Errorf("it was asked for %d times", n)
		}

		site.Set("/picture", website.Page{Type: "image/png", Body: "\x89PNG\r\n\x1a\n"})
		for path, reason := range map[string]string{"/picture": "", "/nowhere": "The site answered 404. There is no page at the address: check it."} {
			r = p.page(bot, site.URL+path)
			want(t, r, "document.status", "FAILED")
			if got := r.text("document.statusReason"); got == "" || reason != "" && got != reason {
				t.Errorf("%s: %s", path, got)
			}
		}
		// What is asked for again after a failure is fetched again.
		site.Set("/nowhere", htmlPage("Here it is", []string{tale("lantern")}))
		want(t, p.page(bot, site.URL+"/nowhere"), "document.status", "READY")
		// An address that nobody may reach, and what is none.
		r = p.page(bot, "http://127.0.0.1:1/secret")
		want(t, r, "document.status", "FAILED")
		p.ask(`mutation($b: ID!) { addUrlDocument(input: {botId: $b, url: "https://user:secret@example.com/"}) { document { id } errors { code field } } }`, vars{"b": bot}).wantCode("addUrlDocument", "VALIDATION")
		other := p.s.signUp(t)
		other.ask(`mutation($d: ID!) { resyncDocument(input: {documentId: $d}) { document { id } errors { code } } }`, vars{"d": r.text("document.id")}).wantCode("", "NOT_FOUND")
		text := p.know(bot, "A text", "Not a page "+newKey())
		p.ask(`mutation($d: ID!) { resyncDocument(input: {documentId: $d}) { document { id } errors { code } } }`, vars{"d": text}).wantCode("resyncDocument", "CONFLICT")
		p.ask(`mutation($d: ID!) { setDocumentSync(input: {documentId: $d, intervalHours: 3}) { document { id } errors { code } } }`, vars{"d": text}).wantCode("setDocumentSync", "CONFLICT")
	})
}

func TestPagesByRobots(t *testing.T) {
	eachSite(t, func(p *person, bot string, site *website.Site) {
		site.Robots("User-agent: *\nDisallow: /private\n")
		site.Set("/private/page", htmlPage("Private", []string{tale("secret")}))
		r := p.page(bot, site.URL+"/private/page")
		want(p.t, r, "document.status", "FAILED")
		if len(site.Hits("/private/page")) != 0 || !strings.Contains(r.text("document.statusReason"), "robots.txt") {
			p.t.Errorf("%s", r.body)
		}
	})
}

// Hours take two seconds here.
func TestPagesOnSchedule(t *testing.T) {
	eachSite(t, func(p *person, bot string, site *website.Site) {
		t := p.t
		site.Set("/news", website.Page{Type: "text/plain", Body: "The first edition."})
		id := p.page(bot, site.URL+"/news").text("document.id")
		set := func(hours any) *reply {
			return p.ask(`mutation($d: ID!, $h: Int) { setDocumentSync(input: {documentId: $d, intervalHours: $h}) { document { sync { intervalHours nextAt } } errors { code field } } }`, vars{"d": id, "h": hours})
		}
		set(0).wantCode("setDocumentSync", "VALIDATION")
		set(8761).wantCode("setDocumentSync", "VALIDATION")
		if r := set(1); r.get("setDocumentSync.document.sync.nextAt") == nil {
			t.Errorf("%s", r.body)
		}
		site.Set("/news", website.Page{Type: "text/plain", Body: "The second edition."})
		waitUntil(t, "the page is looked at", func() bool {
			text, _ := p.must(aboutRun, vars{"d": id}).get("document.text").(string)
			return strings.Contains(text, "second")
		})
		if r := set(nil); r.get("setDocumentSync.document.sync.nextAt") != nil || r.get("setDocumentSync.document.sync.intervalHours") != nil {
			t.Errorf("%s", r.body)
		}
	})
}
