package program

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"kyrochat/internal/testdb"
	"kyrochat/internal/website"
	"kyrochat/kyro"
)

// eachPair runs a test against two servers on one PostgreSQL that may read a site, with Redis and without.
func eachPair(t *testing.T, roles [2]string, test func(t *testing.T, site *website.Site, first, second *testServer)) {
	t.Helper()
	t.Parallel()
	for name, redis := range map[string]bool{"redis": true, "database alone": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site, settings := newSite(t)
			settings["KYRO_FETCH_TIMEOUT"] = "35s"
			if redis {
				settings["REDIS_URL"] = testdb.Redis(t).URL
			}
			database := testdb.PostgresURL(t)
			var servers [2]*testServer
			for i, role := range roles {
				env := node(t, role, database)
				maps.Copy(env, settings)
				servers[i] = startServer(t, env)
			}
			test(t, site, servers[0], servers[1])
		})
	}
}

// TestACrawlOnAnotherNode is asked for, followed and canceled at a node that has no part in it.
func TestACrawlOnAnotherNode(t *testing.T) {
	eachPair(t, [2]string{"api", "worker"}, func(t *testing.T, site *website.Site, door, _ *testServer) {
		trap(site)
		p := door.signUp(t)
		bot := p.newBot()
		var listening sync.WaitGroup
		ready := map[string]bool{}
		heard := make(chan struct{})
		listening.Go(func() {
			err := p.follow(`subscription($b: ID!) { documentProgress(botId: $b) { documentId status } }`, vars{"b": bot}, func(e *reply) bool {
				if e.text("documentProgress.status") == "READY" {
					ready[e.text("documentProgress.documentId")] = true
				}
				return len(ready) < 6
			})
			if err != nil {
				t.Error(err)
			}
			close(heard)
		})
		r, pages := p.crawled(site, p.startCrawl(bot, vars{"url": site.URL + "/p/0", "maxPages": 6, "maxDepth": 10, "include": []string{"/p/*"}}))
		want(t, r, "node.status", "COMPLETED")
		want(t, r, "node.pagesAdded", 6.0)
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
		// Whoever began to listen late has missed some, and is told of further ones.
		for i := 0; ; i++ {
			select {
			case <-heard:
			default:
				if i < 20 {
					p.know(bot, "More", fmt.Sprintf("The ferry of %d o'clock goes to Bregenz.", i))
					continue
				}
				<-heard
			}
			break
		}
		listening.Wait()

		site.Set("/silent", website.Page{Silent: true})
		id := p.startCrawl(bot, vars{"url": site.URL + "/silent"})
		if err := site.Wait(t.Context(), "/silent", 1); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		p.must(`mutation($c: ID!) { cancelCrawl(input: {crawlId: $c}) { crawl { id status } errors { code } } }`, vars{"c": id})
		r, _ = p.crawled(site, id)
		want(t, r, "node.status", "CANCELED")
		eventually(t, door.env["DATABASE_URL"], 0, fmt.Sprintf("SELECT count(*) FROM river_job WHERE kind = '%s' AND finalized_at IS NULL", kyro.JobCrawl))
		if took := time.Since(began); took > 25*time.Second { // a page may take 35 s
			t.Errorf("the other node went on for %s", took)
		}
	})
}

// TestAnUploadOnTwoNodes is begun at one node, goes on at the other, and what the first one still gets of it is refused.
func TestAnUploadOnTwoNodes(t *testing.T) {
	eachPair(t, [2]string{"all", "all"}, func(t *testing.T, _ *website.Site, first, second *testServer) {
		p := first.signUp(t)
		content := pages(700 << 10)
		_, address := p.slot(p.newBot(), "both.txt", len(content))
		elsewhere := atServer(address, second)
		if got := part(t, address, content[:200<<10], 0, len(content)); got.status != http.StatusPermanentRedirect {
			t.Fatalf("%d %s", got.status, got.body)
		}
		if got := carry(t, "HEAD", elsewhere, nil); got.offset() != 200<<10 {
			t.Errorf("the other node has %d bytes", got.offset())
		}
		// A connection to the first one hangs in the middle of a part.
		u, _ := url.Parse(address)
		conn, err := net.Dial("tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: %d\r\nContent-Range: bytes %d-%d/%d\r\n\r\n%s",
			u.Path, u.Host, len(content)-200<<10, 200<<10, len(content)-1, len(content), content[200<<10:400<<10])
		at := 0
		waitUntil(t, "some of the second part is there", func() bool { at = carry(t, "HEAD", elsewhere, nil).offset(); return at > 200<<10 })
		document := part(t, elsewhere, content[at:], at, len(content)).document(t)
		if _, err := conn.Write(content[400<<10:]); err != nil {
			t.Fatal(err)
		}
		said, _ := io.ReadAll(conn)
		if !strings.HasPrefix(string(said), "HTTP/1.1 409 ") && !strings.Contains(string(said), document) {
			t.Errorf("the first node says %.300q", said)
		}
		if again := part(t, address, content[at:], at, len(content)).document(t); again != document {
			t.Errorf("the last part again makes %s of %s", again, document)
		}
		for _, s := range []*testServer{first, second} {
			p.s = s
			if status := p.settled(document); status != "READY" {
				t.Errorf("the document is %s", status)
			}
			if back := carry(t, "GET", atServer(p.download(document), s), nil); back.body != string(content) {
				t.Errorf("%d of %d bytes came back", len(back.body), len(content))
			}
		}
		if n := first.number(t, "SELECT count(*) FROM documents"); n != 1 {
			t.Errorf("there are %d documents", n)
		}
	})
}

// TestTwoNodesBeginOneScheduledRun has both look for pages that are due at the same moment.
func TestTwoNodesBeginOneScheduledRun(t *testing.T) {
	eachPair(t, [2]string{"all", "all"}, func(t *testing.T, site *website.Site, first, second *testServer) {
		p := first.signUp(t)
		bot := p.newBot()
		const number = 8
		var documents []string
		for i := range number {
			path := fmt.Sprintf("/news/%d", i)
			site.Set(path, website.Page{Type: "text/plain", Body: fmt.Sprintf("Edition %d of the harbour news.", i)})
			r := p.page(bot, site.URL+path)
			want(t, r, "document.status", "READY")
			documents = append(documents, r.text("document.id"))
			p.must(`mutation($d: ID!) { setDocumentSync(input: {documentId: $d, intervalHours: 8760}) { document { id } errors { code } } }`, vars{"d": documents[i]})
		}
		first.exec(t, "UPDATE documents SET sync_at = now() - interval '1 minute'")
		var looking sync.WaitGroup
		for range 3 {
			for _, s := range []*testServer{first, second} {
				looking.Go(func() {
					if err := s.app.documents.Sync(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
		}
		looking.Wait()
		p.s = second
		for i, document := range documents {
			p.settled(document)
			r := p.must(aboutRun, vars{"d": document})
			want(t, r, "document.lastRun.cause", "SCHEDULED")
			want(t, r, "document.lastRun.outcome", "UNCHANGED")
			if hits := len(site.Hits(fmt.Sprintf("/news/%d", i))); hits != 2 {
				t.Errorf("page %d was fetched %d times", i, hits)
			}
		}
		if n := first.number(t, "SELECT count(*) FROM documents WHERE run <> 2 OR sync_at < now()"); n != 0 {
			t.Errorf("%d documents had another number of runs than two, or are due again", n)
		}
	})
}
