package program

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"testing"
	"time"
)

// TestDrainInTheMiddleOfEverything ends a server politely while a file comes in parts, a site is walked through and files
// are read. Nothing is lost, and the next process goes on where that one was.
func TestDrainInTheMiddleOfEverything(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		site, settings := newSite(t)
		trap(site)
		maps.Copy(env, settings)
		env["KYRO_FETCH_DELAY"], env["KYRO_DRAIN_TIMEOUT"] = "100ms", "2s"
		env["KYRO_SECRET"] = "an uploaded secret of more than 32 bytes 0123456789"
		server := startProcess(t, env)
		p := server.signUp(t)
		bot, content := p.newBot(), pages(700<<10)
		_, address := p.slot(bot, "slow.txt", len(content))
		if got := part(t, address, content[:200<<10], 0, len(content)); got.status != http.StatusPermanentRedirect {
			t.Fatalf("%d %s", got.status, got.body)
		}
		u, _ := url.Parse(address)
		conn, err := net.Dial("tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\nContent-Range: bytes %d-%d/%d\r\n\r\n%s",
			u.Path, u.Host, len(content)-200<<10, 200<<10, len(content)-1, len(content), content[200<<10:400<<10])
		waitUntil(t, "some of the second part is there", func() bool { return carry(t, "HEAD", address, nil).offset() > 200<<10 })
		crawl := p.startCrawl(bot, vars{"url": site.URL + "/p/0", "maxPages": 30, "maxDepth": 10, "include": []string{"/p/*"}})
		var documents []string
		for i := range 3 {
			documents = append(documents, p.upload(bot, fmt.Sprintf("ledger%d.txt", i), bigText(256<<10)).text("uploadDocument.document.id"))
		}
		if err := site.Wait(t.Context(), "/p/3", 1); err != nil {
			t.Fatal(err)
		}
		at := carry(t, "HEAD", address, nil).offset()
		_ = server.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-server.done:
			if code := server.cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("the server ended with %d", code)
			}
		case <-time.After(patience):
			t.Fatal("the server does not end")
		}
		if env["DATABASE_URL"] != "" {
			if n := number(t, env["DATABASE_URL"], "SELECT count(*) FROM river_job WHERE state = 'running'"); n != 0 {
				t.Errorf("%d jobs are left with a server that is gone", n)
			}
		}

		again := startProcess(t, env)
		p.s = &again.testServer
		address = atServer(address, p.s)
		there := carry(t, "HEAD", address, nil).offset()
		if there < at {
			t.Errorf("%d bytes are there, and %d were", there, at)
		}
		documents = append(documents, part(t, address, content[there:], there, len(content)).document(t))
		r, pages := p.crawled(site, crawl)
		want(t, r, "node.status", "COMPLETED")
		twice := 0
		for i := range 11 { // which is as deep as it goes
			path := fmt.Sprintf("/p/%d", i)
			if pages[path] != "ADDED" {
				t.Errorf("%s is %q", path, pages[path])
			}
			if len(site.Hits(path)) > 1 {
				twice++
			}
		}
		if twice > 1 {
			t.Errorf("%d pages were fetched again, besides the one that the server was at", twice)
		}
		for i := range r.list("node.pages.nodes") {
			documents = append(documents, r.text(fmt.Sprintf("node.pages.nodes.%d.document.id", i)))
		}
		for _, d := range documents {
			if status := p.settled(d); status != "READY" {
				t.Errorf("%s is %s", d, status)
			}
		}
		if n := p.must(`query($b: ID!) { bot(id: $b) { documents { totalCount } } }`, vars{"b": bot}).number("bot.documents.totalCount"); int(n) != len(documents) {
			t.Errorf("there are %g documents, want %d", n, len(documents))
		}
	})
}
