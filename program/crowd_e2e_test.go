package program

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"kyrochat/internal/testdb"
)

// TestAFileIsBeforeTheHundredsOfAnother: somebody adds three hundred texts, and then somebody else adds one.
func TestAFileIsBeforeTheHundredsOfAnother(t *testing.T) {
	t.Parallel()
	database := testdb.PostgresURL(t)
	door := startServer(t, node(t, "api", database))
	many, one := door.signUp(t), door.signUp(t)
	bot := many.newBot()
	const number, atOnce = 300, 5
	for i := 0; i < number; i += atOnce {
		var b strings.Builder
		for k := range atOnce {
			fmt.Fprintf(&b, `a%d: addTextDocument(input: {botId: "%s", title: "Note %d", text: "Note %d is about the ferry to Bregenz."}) { document { id } errors { code } } `, k, bot, i+k, i+k)
		}
		many.must("mutation { "+b.String()+" }", nil)
	}
	last := one.upload(one.newBot(), "tea.txt", []byte(teaText)).text("uploadDocument.document.id")
	startServer(t, node(t, "worker", database))
	if status := one.settled(last); status != "READY" {
		t.Fatalf("the document is %s", status)
	}
	before := door.number(t, fmt.Sprintf("SELECT count(*) FROM documents WHERE ready_at < (SELECT ready_at FROM documents WHERE id = %s)", strings.TrimPrefix(last, "doc_")))
	t.Logf("%d of %d were before it", before, number)
	if before >= number/2 {
		t.Errorf("%d of %d documents that somebody else had added were before it", before, number)
	}
	eventually(t, database, 0, "SELECT count(*) FROM documents WHERE ready_at IS NULL")
}

// TestStatementsOfCrawls: bots, crawls, their pages and the documents of those take as many statements for six as for one.
func TestStatementsOfCrawls(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		site, settings := newSite(t)
		maps.Copy(env, settings)
		for i := range 4 {
			site.Set(fmt.Sprintf("/p/%d", i), htmlPage(fmt.Sprintf("Page %d", i), []string{tale(fmt.Sprintf("number%d", i))}, fmt.Sprintf("/p/%d", i+1)))
		}
		s := startRemembering(t, env)
		p := s.signUp(t)
		grow := func(bots, size int) {
			for range bots {
				bot := p.newBot()
				r, _ := p.crawled(site, p.startCrawl(bot, vars{"url": site.URL + "/p/0", "maxPages": size}))
				for i := range r.list("node.pages.nodes") {
					p.settled(r.text(fmt.Sprintf("node.pages.nodes.%d.document.id", i)))
				}
			}
		}
		queries := map[string]string{
			"crawls with their pages": `{ viewer { bots(first: 6) { nodes { crawls(first: 3) { totalCount nodes { status bot { name owner { name } }
				pages(first: 5) { totalCount nodes { url document { title crawl { id bot { name } } chunks(first: 2) { nodes { id } } } } } } } } } } }`,
			"documents with their crawls": `{ viewer { bots(first: 6) { nodes { documents(first: 5) { nodes { title downloadUrl lastRun { outcome } sync { checkedAt }
				crawl { status pages(first: 3) { nodes { document { title bot { name } } } } } } } } } } }`,
		}
		count := func(query string) int64 {
			s.forget(p)
			before := s.statements.Load()
			p.must(query, nil)
			return s.statements.Load() - before
		}
		narrow := map[string]int64{}
		grow(1, 1)
		for name, query := range queries {
			narrow[name] = count(query)
		}
		grow(5, 4)
		for name, query := range queries {
			wide := count(query)
			t.Logf("%s: %d statements for one, %d for six", name, narrow[name], wide)
			if wide != narrow[name] || wide > 16 {
				t.Errorf("%s: %d statements for one, %d for six", name, narrow[name], wide)
			}
		}
	})
}
