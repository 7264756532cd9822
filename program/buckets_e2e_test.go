package program

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"kyrochat/config"
	"kyrochat/internal/envtest"
	"kyrochat/internal/s3"
	"kyrochat/internal/website"
	"kyrochat/kyro"
	"kyrochat/setup"
)

// TestKillsWithABucket: the server is killed in the middle of an upload, and once more while it reads what came.
func TestKillsWithABucket(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		bucket := s3.Start(t)
		maps.Copy(env, bucket.Env())
		env["KYRO_SECRET"] = "an uploaded secret of more than 32 bytes 0123456789"
		first := startProcess(t, env)
		p := first.signUp(t)
		bot, content := p.newBot(), pages(900<<10)
		_, address := p.slot(bot, "killed.txt", len(content))
		if got := part(t, address, content[:300<<10], 0, len(content)); got.status != http.StatusPermanentRedirect {
			t.Fatalf("%d %s", got.status, got.body)
		}
		cutPut(t, address, content, 300<<10, 280<<10, len(content))
		waitUntil(t, "some of the second part is there", func() bool { return carry(t, "HEAD", address, nil).offset() > 300<<10 })
		first.kill()

		second := startProcess(t, env)
		address = atServer(address, &second.testServer)
		at := carry(t, "HEAD", address, nil).offset()
		if at <= 300<<10 {
			t.Fatalf("%d bytes are there", at)
		}
		p.s = &second.testServer
		document := part(t, address, content[at:], at, len(content)).document(t)
		p.states(document, func(status string) bool { return status == "QUEUED" })
		second.kill()
		if env["DATABASE_URL"] != "" {
			ageJobs(t, env["DATABASE_URL"])
		}

		third := startProcess(t, env)
		p.s = &third.testServer
		if status := p.settled(document); status != "READY" {
			t.Errorf("the document is %s", status)
		}
		if back := carry(t, "GET", atServer(p.download(document), p.s), nil); back.body != string(content) {
			t.Errorf("%d of %d bytes came back", len(back.body), len(content))
		}
		if keys := bucket.Keys(); len(keys) != 1 || string(bucket.Object(keys[0])) != string(content) {
			t.Errorf("in the bucket are %q", keys)
		}
	})
}

// TestPagesInABucket: originals of pages are there and can be downloaded, also after the page has changed, and nothing is
// left of an account that is purged.
func TestPagesInABucket(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		site, settings := newSite(t)
		bucket := s3.Start(t, s3.Options{})
		maps.Copy(env, settings)
		maps.Copy(env, bucket.Env())
		s := startServer(t, env)
		p := s.signUp(t)
		bot := p.newBot()
		first, second := htmlPage("Help", []string{tale("kettle")}, "/paper"), htmlPage("Help", []string{tale("samovar")}, "/paper")
		paper := string(newPDF(t, "The lighthouse of Varn was built in 1871."))
		site.Set("/paper", website.Page{Type: "application/pdf", Body: paper})
		site.Set("/help", first)
		r, pages := p.crawled(site, p.startCrawl(bot, vars{"url": site.URL + "/help"}))
		if pages["/help"] != "ADDED" || pages["/paper"] != "ADDED" {
			t.Fatalf("%s", r.body)
		}
		documents := map[string]string{}
		for i := range r.list("node.pages.nodes") {
			at := fmt.Sprintf("node.pages.nodes.%d.", i)
			path := strings.TrimPrefix(r.text(at+"url"), site.URL)
			documents[path] = r.text(at + "document.id")
			if status := p.settled(documents[path]); status != "READY" {
				t.Errorf("%s is %s", path, status)
			}
		}
		if n := len(bucket.Keys()); n != 2 {
			t.Errorf("there are %d objects for two pages", n)
		}
		for path, body := range map[string]string{"/help": first.Body, "/paper": paper} {
			if back := carry(t, "GET", p.download(documents[path]), nil); back.status != 200 || back.body != body || !strings.HasPrefix(back.head.Get("Content-Disposition"), "attachment") {
				t.Errorf("of %s come %d and %d bytes, as %s", path, back.status, len(back.body), back.head.Get("Content-Disposition"))
			}
		}
		site.Set("/help", second)
		want(t, p.resync(documents["/help"]), "document.lastRun.outcome", "DONE")
		if back := carry(t, "GET", p.download(documents["/help"]), nil); back.body != second.Body {
			t.Errorf("of the next version come %d and %.200s", back.status, back.body)
		}
		// A run that comes to nothing leaves nothing, and the original that answers use is there.
		site.Set("/help", website.Page{Type: "application/pdf", Body: string(newPDF(t, ""))})
		want(t, p.resync(documents["/help"]), "document.lastRun.outcome", "NEEDS_OCR")
		if back := carry(t, "GET", p.download(documents["/help"]), nil); back.body != second.Body {
			t.Errorf("after a run in vain come %d and %.200s", back.status, back.body)
		}
		waitUntil(t, "originals of other versions are given up", func() bool { return s.number(t, "SELECT count(*) FROM document_objects") == 2 })
		if n := len(bucket.Keys()); n != 2 {
			t.Errorf("without a sweep there are %d objects for two pages", n)
		}
		p.upload(bot, "more.txt", []byte(teaText))
		p.exported(p.must(exportMyData, nil).text("exportMyData.export.id"))
		p.deactivate(password).wantAccepted("deactivateAccount")
		s.exec(t, "UPDATE users SET purge_after = '2026-01-01 00:00:00+00:00'")
		if err := s.app.accounts.SweepUsers(t.Context()); err != nil {
			t.Error(err)
		}
		waitUntil(t, "the bucket is empty", func() bool { return len(bucket.Keys()) == 0 })
	})
}

// TestABucketIsAwayDuringACrawl: the crawl waits, and nothing is lost.
func TestABucketIsAwayDuringACrawl(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		site, settings := newSite(t)
		bucket := s3.Start(t)
		maps.Copy(env, settings)
		maps.Copy(env, bucket.Env())
		trap(site)
		s := startServer(t, env)
		p := s.signUp(t)
		bucket.Script(s3.Script{Kind: s3.Put, Skip: 3, Status: 503})
		id := p.startCrawl(p.newBot(), vars{"url": site.URL + "/p/0", "maxPages": 8, "maxDepth": 10, "include": []string{"/p/*"}})
		waits := fmt.Sprintf("SELECT count(*) FROM river_job WHERE kind = '%s' AND state = 'scheduled'", kyro.JobCrawl)
		waitUntil(t, "the crawl waits", func() bool { return s.number(t, waits) == 1 })
		r := p.must(aboutCrawl, vars{"c": id})
		want(t, r, "node.status", "RUNNING")
		want(t, r, "node.pagesAdded", 3.0)
		bucket.Reset()
		waitUntil(t, "the crawl is over", func() bool {
			s.exec(t, fmt.Sprintf("UPDATE river_job SET state = 'available', scheduled_at = created_at WHERE state = 'scheduled' AND kind = '%s'", kyro.JobCrawl))
			return s.number(t, "SELECT count(*) FROM crawls WHERE finished_at IS NULL") == 0
		})
		r, pages := p.crawled(site, id)
		want(t, r, "node.status", "COMPLETED")
		want(t, r, "node.pagesAdded", 8.0)
		for path, status := range pages {
			if status != "ADDED" {
				t.Errorf("%s is %s", path, status)
			}
		}
		for i := range r.list("node.pages.nodes") {
			if status := p.settled(r.text(fmt.Sprintf("node.pages.nodes.%d.document.id", i))); status != "READY" {
				t.Errorf("document %d is %s", i, status)
			}
		}
		if n := len(bucket.Keys()); n != 8 {
			t.Errorf("there are %d objects for eight pages", n)
		}
	})
}

// TestBucketIsAwayForAWhile takes the bucket away between upload and reading.
func TestBucketIsAwayForAWhile(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *testServer, bucket *s3.Emulator) {
		if bucket == nil {
			t.Skip("there is none")
		}
		p := s.signUp(t)
		bot := p.newBot()
		bucket.Script(s3.Script{Kind: s3.Get, Status: 503}, s3.Script{Kind: s3.Get, Trouble: s3.Cut})
		got := p.upload(bot, "away.txt", pages(10_000))
		document := got.text("uploadDocument.document.id")
		state := func() *reply {
			return p.must(`query($d: ID!) { document(id: $d) { status statusReason progress { retryAt } } }`, vars{"d": document})
		}
		var at *reply // what is told then: at its next try it is told no more
		waitUntil(t, "the document waits", func() bool { at = state(); return at.get("document.progress.retryAt") != nil })
		if at.text("document.status") != "EXTRACTING" || !strings.Contains(at.text("document.statusReason"), "storage") {
			t.Errorf("it waits as %s", at.body)
		}
		if got := carry(t, "GET", p.download(document), nil); got.status != 503 {
			t.Errorf("a download meanwhile: %d", got.status)
		}
		bucket.Reset()
		if status := p.settled(document); status != "READY" {
			t.Errorf("it ends as %s", status)
		}

		// What came to nothing is swept, once it is old; what is in use, and what is another's, is not.
		installation := strings.Split(bucket.Keys()[0], "/")[1]
		bucket.Plant("kyrochat/"+installation+"/orphan", []byte("x"), time.Now().Add(-2*time.Hour))
		bucket.Plant("kyrochat/"+installation+"/young", []byte("x"), time.Now())
		bucket.Plant("kyrochat/another/orphan", []byte("x"), time.Now().Add(-2*time.Hour))
		if err := s.app.documents.Sweep(t.Context()); err != nil {
			t.Error(err)
		}
		if keys := strings.Join(bucket.Keys(), " "); strings.Contains(keys, installation+"/orphan") || len(bucket.Keys()) != 3 {
			t.Errorf("after the sweep there are %s", keys)
		}
	})
}

func TestServerDoesNotStartWithoutItsBucket(t *testing.T) {
	t.Parallel()
	bucket := s3.Start(t)
	env := bucket.Env()
	env["KYRO_S3_BUCKET"], env["KYRO_DATA_DIR"], env["KYRO_ADDR"], env["KYRO_ADMIN_ADDR"] = "other", t.TempDir(), "127.0.0.1:0", "127.0.0.1:0"
	cfg, err := config.Read(envtest.Of(env))
	if err != nil {
		t.Fatal(err)
	}
	_, err = build(t.Context(), cfg, hooks{}, setup.NewLogger(cfg, testLog{t}))
	if err == nil || !strings.Contains(err.Error(), "KYRO_S3_BUCKET") || !strings.Contains(err.Error(), "there is no bucket other") {
		t.Errorf("it says %v", err)
	}
}
