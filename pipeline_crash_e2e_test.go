package main

import (
	"fmt"
	"testing"
	"time"
)

// Two hundred documents of three users come in at once, while the server is killed ten times: each is READY in the end, or
// says why it is not, with as many chunks as where nothing happens.
func TestManyDocumentsWhileTheServerIsKilled(t *testing.T) {
	if testing.Short() || raceDetector() {
		t.Skip("takes a while")
	}
	eachEngine(t, func(t *testing.T, env map[string]string) {
		const users, each, kills = 3, 67, 10
		server := startProcess(t, env)
		var owners [users]*person
		var bots [users]string
		content := func(owner, i int) []byte {
			return append(fmt.Appendf(nil, "Ledger %03d of owner %d.\n\n", i, owner), bigText(4<<10*(1+i%5))...)
		}
		for u := range owners {
			owners[u] = server.signUp(t)
			bots[u] = owners[u].newBot()
			for i := range each {
				if i%20 == 19 {
					owners[u].upload(bots[u], "scan.pdf", newPDF(t, ""))
				} else {
					owners[u].upload(bots[u], fmt.Sprintf("ledger %03d.txt", i), content(u, i))
				}
			}
		}
		unfinished := func() (n int) {
			for u, p := range owners {
				p.s = &server.testServer
				n += int(p.must(`query($b: ID!) { bot(id: $b) { documents(filter: {status: [QUEUED, FETCHING, EXTRACTING, CHUNKING, EMBEDDING, WAITING_QUOTA]}) { totalCount } } }`,
					vars{"b": bots[u]}).number("bot.documents.totalCount"))
			}
			return n
		}
		until := func(n int) {
			t.Helper()
			for end := time.Now().Add(2 * time.Minute); unfinished() > n; time.Sleep(20 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("%d documents are unfinished", unfinished())
				}
			}
		}
		for kill := range kills {
			until(max(1, users*each*(kills-kill)/(kills+1)))
			server.kill()
			if url := env["DATABASE_URL"]; url != "" {
				ageJobs(t, url)
			}
			server = startProcess(t, env)
		}
		until(0)
		want := map[int]float64{} // chunks by the kind of content, where nothing happens
		calm := server.signUp(t)
		calmBot := calm.newBot()
		for kind := range 5 {
			d := calm.upload(calmBot, fmt.Sprintf("ledger %03d.txt", kind), content(0, kind)).text("uploadDocument.document.id")
			if status := calm.settled(d); status != "READY" {
				t.Fatalf("the document is %s", status)
			}
			want[kind] = calm.must(`query($d: ID!) { document(id: $d) { chunkCount } }`, vars{"d": d}).number("document.chunkCount")
		}
		for u, p := range owners {
			r := p.must(`query($b: ID!) { bot(id: $b) { documents(first: 100) { nodes { fileName status statusReason chunkCount chunks(first: 1) { totalCount } } } } }`, vars{"b": bots[u]})
			if got := len(r.list("bot.documents.nodes")); got != each {
				t.Errorf("%d documents, want %d", got, each)
			}
			for k := range r.list("bot.documents.nodes") {
				at := fmt.Sprintf("bot.documents.nodes.%d.", k)
				var i int
				switch name, status := r.text(at+"fileName"), r.text(at+"status"); {
				case name == "scan.pdf":
					if status != "NEEDS_OCR" || r.get(at+"statusReason") == nil {
						t.Errorf("a scan is %s", status)
					}
				case status != "READY":
					t.Errorf("%s is %s: %v", name, status, r.get(at+"statusReason"))
				default:
					_, _ = fmt.Sscanf(name, "ledger %d.txt", &i)
					if n := r.number(at + "chunkCount"); n != want[i%5] || r.number(at+"chunks.totalCount") != n {
						t.Errorf("%s has %g chunks, and %g said, want %g", name, r.number(at+"chunks.totalCount"), n, want[i%5])
					}
				}
			}
		}
		if url := env["DATABASE_URL"]; url != "" {
			eventually(t, url, 0, "SELECT count(*) FROM chunks c WHERE NOT EXISTS (SELECT 1 FROM embeddings e WHERE e.content_hash = c.content_hash)")
			eventually(t, url, 0, "SELECT count(*) FROM embeddings e WHERE NOT EXISTS (SELECT 1 FROM chunks c WHERE e.content_hash = c.content_hash)")
		}
	})
}
