package program

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"kyrochat/internal/gemini"
	"kyrochat/internal/testdb"
)

const reprocess = `mutation($d: ID!, $c: Int, $o: Int) { reprocessDocument(input: {documentId: $d, chunkTokens: $c, overlapTokens: $o}) {
	document { id status version chunkTokens lastRun { cause outcome finishedAt } } errors { code field message } } }`

// lamps is a text of many sections, each of which says where its lamp is.
func lamps() string {
	var b strings.Builder
	b.WriteString("# Lamps of Lindau\n\n")
	for i := range 30 {
		fmt.Fprintf(&b, "## Pier %d\n\n", i)
		for k := range 12 {
			fmt.Fprintf(&b, "Lantern %d of pier %d burns rapeseed oil, is lit at dusk by the harbour keeper, and is put out %d minutes after dawn. ", k, i, i*k+1)
		}
		b.WriteString("\n\n")
	}
	return b.String()
}

// chunkIDs are the chunks of the version in use.
func (p *person) chunkIDs(document string) (ids []string) {
	p.t.Helper()
	for after := any(nil); ; {
		r := p.must(`query($d: ID!, $a: String) { document(id: $d) { chunks(first: 100, after: $a) { nodes { id } pageInfo { hasNextPage endCursor } } } }`, vars{"d": document, "a": after})
		for i := range r.list("document.chunks.nodes") {
			ids = append(ids, r.text(fmt.Sprintf("document.chunks.nodes.%d.id", i)))
		}
		if r.get("document.chunks.pageInfo.hasNextPage") != true {
			return ids
		}
		after = r.text("document.chunks.pageInfo.endCursor")
	}
}

// hits are the chunks that a search of the bot gives, without those that it only tells of.
func (p *person) hits(bot, query string) (ids []string) {
	p.t.Helper()
	r := p.must(`query($b: ID!, $q: String!) { bot(id: $b) { search(query: $q, first: 10) { dropped chunk { id } } } }`, vars{"b": bot, "q": query})
	for i := range r.list("bot.search") {
		if at := fmt.Sprintf("bot.search.%d.", i); r.get(at+"dropped") != "NOT_LIVE" {
			ids = append(ids, r.text(at+"chunk.id"))
		}
	}
	return ids
}

// A document is cut anew while it is asked about all the time: every search has one version or the other, and always one.
func TestReprocessingLeavesNoGap(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		bot := p.newBot()
		document := p.know(bot, "Lamps", lamps())
		old := p.chunkIDs(document)
		p.ask(reprocess, vars{"d": document, "c": 63}).wantCode("reprocessDocument", "VALIDATION")
		p.ask(reprocess, vars{"d": document, "c": 1025}).wantCode("reprocessDocument", "VALIDATION")
		if r := p.ask(reprocess, vars{"d": document, "c": 100, "o": 51}); r.get("reprocessDocument.errors.0.field.0") != "overlapTokens" {
			t.Errorf("%s", r.body)
		}
		p.ask(reprocess, vars{"d": "doc_999999"}).wantCode("", "NOT_FOUND")
		s.signUp(t).ask(reprocess, vars{"d": document}).wantCode("", "NOT_FOUND")

		var seen [][]string
		var asking sync.WaitGroup
		stop := make(chan struct{})
		asking.Go(func() {
			for {
				seen = append(seen, p.hits(bot, "lantern pier rapeseed oil"))
				select {
				case <-stop:
					return
				default:
				}
			}
		})
		asking.Go(func() {
			for answers := 0; ; answers++ {
				final, _ := p.chat(vars{"botId": bot, "text": "What does lantern 3 of pier 7 burn?"})
				if got := final.text("messageStream.message.grounding"); got != "GROUNDED" {
					t.Errorf("answer %d is %s", answers, got)
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
		begun := p.must(reprocess, vars{"d": document, "c": 64, "o": 0})
		if begun.text("reprocessDocument.document.status") != "QUEUED" || begun.text("reprocessDocument.document.lastRun.cause") != "REPROCESSED" {
			t.Errorf("%s", begun.body)
		}
		if status := p.settled(document); status != "READY" {
			t.Errorf("the document is %s", status)
		}
		now := p.chunkIDs(document)
		close(stop)
		asking.Wait()
		seen = append(seen, p.hits(bot, "lantern pier rapeseed oil"))
		if len(now) <= len(old) {
			t.Fatalf("%d chunks became %d", len(old), len(now))
		}
		for i, ids := range seen {
			of := old
			if len(ids) > 0 && slices.Contains(now, ids[0]) {
				of = now
			}
			if len(ids) == 0 || slices.ContainsFunc(ids, func(id string) bool { return !slices.Contains(of, id) }) {
				t.Errorf("search %d of %d found %v", i, len(seen), ids)
			}
		}
		if last := seen[len(seen)-1]; !slices.Contains(now, last[0]) {
			t.Errorf("the last search found %v", last)
		}
		r := p.must(`query($d: ID!) { document(id: $d) { version chunkTokens overlapTokens lastRun { outcome finishedAt chunksReused chunksEmbedded chunksRemoved } } }`, vars{"d": document})
		if r.number("document.version") != 2 || r.number("document.chunkTokens") != 64 || r.number("document.overlapTokens") != 0 || r.text("document.lastRun.outcome") != "DONE" ||
			int(r.number("document.lastRun.chunksReused")+r.number("document.lastRun.chunksEmbedded")) != len(now) || int(r.number("document.lastRun.chunksRemoved")) != len(old) {
			t.Errorf("%d chunks became %d: %s", len(old), len(now), r.body)
		}
		// Once more as it is by default: nothing of that has to be embedded but what was purged meanwhile.
		p.must(reprocess, vars{"d": document})
		p.settled(document)
		if again := p.chunkIDs(document); len(again) != len(old) {
			t.Errorf("%d chunks became %d", len(old), len(again))
		}
	})
}

// A document that failed is retried by it with other sizes; one of which the original is gone stays what it is, and says why.
func TestReprocessingOfWhatFailed(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		bot := p.newBot()
		scan := p.upload(bot, "scan.pdf", newPDF(t, "", "")).text("uploadDocument.document.id")
		p.settled(scan)
		p.must(reprocess, vars{"d": scan, "c": 128})
		if status := p.settled(scan); status != "NEEDS_OCR" {
			t.Errorf("the scan is %s", status)
		}
		file := p.upload(bot, "tea.txt", []byte(teaText)).text("uploadDocument.document.id")
		p.settled(file)
		p.must(reprocess, vars{"d": file, "c": 64})
		if status := p.settled(file); status != "READY" {
			t.Errorf("the file is %s", status)
		}
		ready := p.know(bot, "Kept", teaText+" And tea is kept dry.")
		s.exec(t, "DELETE FROM document_files")
		p.must(reprocess, vars{"d": ready, "c": 64})
		if status := p.settled(ready); status != "READY" {
			t.Errorf("the document is %s", status)
		}
		r := p.must(`query($d: ID!) { document(id: $d) { chunkTokens text lastRun { outcome reason } } }`, vars{"d": ready})
		if r.text("document.lastRun.outcome") != "FAILED" || !strings.Contains(r.text("document.lastRun.reason"), "not there any more") ||
			r.number("document.chunkTokens") != 400 || !strings.Contains(r.text("document.text"), "kept dry") {
			t.Errorf("%s", r.body)
		}
	})
}

func TestQADocuments(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		bot := p.newBot()
		const add = `mutation($b: ID!, $q: String!, $a: String!) { addQADocument(input: {botId: $b, question: $q, answer: $a}) {
			document { id title kind mimeType } duplicateOf { id } errors { code field } } }`
		ask := func(question, answer string) *reply {
			return p.ask(add, vars{"b": bot, "q": question, "a": answer})
		}
		ask(" ", "x").wantCode("addQADocument", "VALIDATION")
		ask("x", "").wantCode("addQADocument", "VALIDATION")
		ask(strings.Repeat("x", 1_001), "x").wantCode("addQADocument", "VALIDATION")
		ask("x", strings.Repeat("x", 20_001)).wantCode("addQADocument", "VALIDATION")
		r := ask("When may a boat\nleave the harbour? "+strings.Repeat("Really? ", 40), "At high water.")
		if r.text("addQADocument.document.kind") != "QA" || !strings.HasPrefix(r.text("addQADocument.document.title"), "When may a boat leave") || len(r.text("addQADocument.document.title")) > 200 {
			t.Errorf("%s", r.body)
		}
		twin := ask("When may a boat\nleave the harbour? "+strings.Repeat("Really? ", 40), "At high water.")
		if twin.text("addQADocument.duplicateOf.id") != r.text("addQADocument.document.id") {
			t.Errorf("%s", twin.body)
		}
	})
}

func TestManyDocumentsAtOnce(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		env["KYRO_CACHE_TTL"] = "0" // so that it makes no difference to the statements how soon one thing follows another
		s := startServer(t, env)
		p, stranger := s.signUp(t), s.signUp(t)
		bot := p.newBot()
		ready := p.know(bot, "Tea", teaText)
		broken := p.upload(bot, "scan.pdf", newPDF(t, "")).text("uploadDocument.document.id")
		p.settled(broken)
		theirs := stranger.know(stranger.newBot(), "Theirs", teaText)
		ids := []string{ready, broken, theirs, "doc_999999", bot, "nonsense", broken}
		codes := func(r *reply, field string) (codes []string) {
			for i, id := range ids {
				at := fmt.Sprintf("%s.results.%d.", field, i)
				if got := r.text(at + "documentId"); got != id && id != "nonsense" {
					t.Errorf("result %d is about %s", i, got)
				}
				code := "ok"
				if len(r.list(at+"errors")) > 0 {
					code = r.text(at + "errors.0.code")
				}
				codes = append(codes, code)
			}
			return codes
		}
		const retry = `mutation($d: [ID!]!) { retryDocuments(input: {documentIds: $d}) { results { documentId document { status } errors { code } } errors { code } } }`
		const remove = `mutation($d: [ID!]!) { deleteDocuments(input: {documentIds: $d}) { results { documentId document { status } errors { code } } errors { code } } }`
		r := p.must(retry, vars{"d": ids})
		if got, want := codes(r, "retryDocuments"), []string{"CONFLICT", "ok", "NOT_FOUND", "NOT_FOUND", "BAD_USER_INPUT", "BAD_USER_INPUT", "VALIDATION"}; !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		if r.get("retryDocuments.results.1.document.status") != "QUEUED" {
			t.Errorf("%s", r.body)
		}
		p.settled(broken)
		p.ask(retry, vars{"d": []string{}}).wantCode("retryDocuments", "VALIDATION")
		p.ask(`mutation { deleteDocuments(input: {documentIds: [`+strings.Repeat(`"`+ready+`" `, 101)+`]}) { results { documentId } errors { code } } }`, nil).wantCode("deleteDocuments", "VALIDATION")
		before := s.statements.Load()
		if got, want := codes(p.must(remove, vars{"d": ids}), "deleteDocuments"), []string{"ok", "ok", "NOT_FOUND", "NOT_FOUND", "BAD_USER_INPUT", "BAD_USER_INPUT", "VALIDATION"}; !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		t.Logf("deleting took %d statements", s.statements.Load()-before)
		if got := p.hits(bot, "tea house"); len(got) != 0 {
			t.Errorf("found %v after the deletion", got)
		}
		if got := p.must(`query($b: ID!) { bot(id: $b) { documents { totalCount } } }`, vars{"b": bot}); got.number("bot.documents.totalCount") != 0 {
			t.Errorf("%s", got.body)
		}
		count := func(n int) int64 {
			many := make([]string, n)
			for i := range many {
				many[i] = p.know(bot, fmt.Sprint("Tea ", n, i), fmt.Sprint(teaText, n, i))
			}
			before := s.statements.Load()
			p.must(remove, vars{"d": many})
			return s.statements.Load() - before
		}
		few, many := count(2), count(12)
		if many > few+2 {
			t.Errorf("deleting 12 documents takes %d statements, deleting 2 takes %d", many, few)
		}
	})
}

// A passage that is switched off is in no answer from the mutation's answer on, with vectors in process and in an index.
func TestAPassageIsSwitchedOff(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		for name, upstream := range map[string]bool{"in process": false, "in an index": true} {
			t.Run(name, func(t *testing.T) {
				var s *testServer
				env := maps.Clone(env)
				env["KYRO_DATA_DIR"] = t.TempDir()
				if env["DATABASE_URL"] != "" {
					env["DATABASE_URL"] = testdb.PostgresURL(t)
				}
				if upstream {
					s = startUpstreams(t, gemini.Options{}).serve(t, env).testServer
				} else {
					s = startServer(t, env)
				}
				p := s.signUp(t)
				bot := p.newBot()
				document := p.know(bot, "Tea Book", teaText)
				p.know(bot, "Other", "The ferry to Bregenz leaves at noon.")
				const question = "Who founded the tea house on Pepper Lane?"
				const set = `mutation($c: ID!, $e: Boolean!) { updateChunk(input: {chunkId: $c, enabled: $e}) { chunk { id enabled } errors { code } } }`
				chunks := p.chunkIDs(document)
				first := p.send(vars{"botId": bot, "text": question})
				conversation := first.text("sendMessage.conversation.id")
				if final, _ := p.hear(first.text("sendMessage.botMessage.id")); final.text("messageStream.message.grounding") != "GROUNDED" {
					t.Fatalf("%s", final.body)
				}
				s.signUp(t).ask(set, vars{"c": chunks[0], "e": false}).wantCode("", "NOT_FOUND")
				for _, c := range chunks {
					if r := p.must(set, vars{"c": c, "e": false}); r.get("updateChunk.chunk.enabled") != false {
						t.Errorf("%s", r.body)
					}
				}
				for _, v := range []vars{{"botId": bot, "text": question}, {"conversationId": conversation, "text": question}} {
					final, text := p.chat(v)
					if strings.Contains(text, "Ottilie") || strings.Contains(text, "nine") || strings.Contains(string(final.body), chunks[0]) {
						t.Errorf("a passage that is off is in the answer: %s", final.body)
					}
				}
				if got := p.hits(bot, question); slices.ContainsFunc(got, func(id string) bool { return slices.Contains(chunks, id) }) {
					t.Errorf("the search found %v", got)
				}
				// What is made anew and says the same stays off.
				p.must(reprocess, vars{"d": document})
				p.settled(document)
				if got := p.hits(bot, question); slices.ContainsFunc(got, func(id string) bool { return slices.Contains(p.chunkIDs(document), id) }) {
					t.Errorf("the search found %v of the new version", got)
				}
				p.ask(set, vars{"c": chunks[0], "e": true}).wantCode("", "NOT_FOUND")
				for _, c := range p.chunkIDs(document) {
					p.must(set, vars{"c": c, "e": true})
				}
				if final, _ := p.chat(vars{"botId": bot, "text": question}); final.text("messageStream.message.grounding") != "GROUNDED" {
					t.Errorf("%s", final.body)
				}
			})
		}
	})
}

func TestLimitsOfDocuments(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		env["KYRO_USER_MAX_DOCUMENTS"], env["KYRO_USER_MAX_BYTES"] = "3", "2000"
		s := startServer(t, env)
		p := s.signUp(t)
		r := p.must(`{ serverInfo { limits { maxDocuments maxStorageBytes } } }`, nil)
		if r.number("serverInfo.limits.maxDocuments") != 3 || r.number("serverInfo.limits.maxStorageBytes") != 2000 {
			t.Errorf("%s", r.body)
		}
		bot := p.newBot()
		first := p.know(bot, "One", "Tea is kept dry.")
		p.upload(bot, "large.txt", []byte(strings.Repeat("tea ", 600))).wantCode("uploadDocument", "LIMIT_REACHED")
		p.know(p.newBot(), "Two", "Tea is kept dark.")
		p.know(bot, "Three", "Tea is kept cool.")
		r = p.upload(bot, "four.txt", []byte("Tea is kept."))
		r.wantCode("uploadDocument", "LIMIT_REACHED")
		if !strings.Contains(string(r.body), "Delete some") {
			t.Errorf("%s", r.body)
		}
		s.signUp(t).newBot() // whom this does not concern
		p.must(`mutation($d: ID!) { deleteDocument(input: {documentId: $d}) { deletedId errors { code } } }`, vars{"d": first})
		p.know(bot, "Four", "Tea is kept.")
	})
}
