package program

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"kyrochat/internal/gemini"
	"kyrochat/internal/pinecone"
	"kyrochat/internal/website"
)

// chapters is a page of many passages, each about an animal of its own.
func chapters(animals []string) website.Page {
	var passages []string
	for i, animal := range animals {
		var b strings.Builder
		for k := range 14 {
			fmt.Fprintf(&b, "The %s of chamber %d eats %d herrings from basin %d before the bell rings. ", animal, i, i*31+k, k)
		}
		passages = append(passages, b.String())
	}
	return htmlPage("The menagerie", passages)
}

// passagesOf are the texts of the chunks of the version in use, in order.
func (p *person) passagesOf(document string) (texts []string) {
	p.t.Helper()
	r := p.must(`query($d: ID!) { document(id: $d) { chunks(first: 100) { nodes { text } } } }`, vars{"d": document})
	for i := range r.list("document.chunks.nodes") {
		texts = append(texts, r.text(fmt.Sprintf("document.chunks.nodes.%d.text", i)))
	}
	return texts
}

// without gives what is in a and not in b, each as often as it is there more.
func without(a, b []string) (more []string) {
	left := map[string]int{}
	for _, s := range b {
		left[s]++
	}
	for _, s := range a {
		if left[s]--; left[s] < 0 {
			more = append(more, s)
		}
	}
	return more
}

// Of a page of thirty passages three change: those alone are embedded, and until they are, answers cite the old version.
func TestAResyncEmbedsWhatChanged(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		site, settings := newSite(t)
		maps.Copy(env, settings)
		w := startUpstreams(t, gemini.Options{}).serve(t, env)
		p := w.signUp(t)
		bot := p.newBot()
		animals := make([]string, 30)
		for i := range animals {
			animals[i] = fmt.Sprintf("walrus%d", i)
		}
		site.Set("/menagerie", chapters(animals))
		r := p.page(bot, site.URL+"/menagerie")
		document := r.text("document.id")
		want(t, r, "document.status", "READY")
		before := p.passagesOf(document)

		changed := slices.Clone(animals)
		changed[4], changed[15], changed[27] = "ocelot4", "ocelot15", "ocelot27"
		site.Set("/menagerie", chapters(changed))
		w.gemini.Forget()
		w.gemini.Script(gemini.Script{Kind: gemini.KindEmbed, Match: "ocelot", Status: 500, Message: bodyCanary})
		p.must(`mutation($d: ID!) { resyncDocument(input: {documentId: $d}) { document { id } errors { code message } } }`, vars{"d": document})
		p.waiting(document)
		for range 2 {
			final, _ := p.chat(vars{"botId": bot, "text": "How many herrings does the walrus4 of chamber 4 eat?"})
			want(t, final, "messageStream.message.grounding", "GROUNDED")
			want(t, final, "messageStream.message.citations.0.documentVersion", 1.0)
			want(t, final, "messageStream.message.citations.0.verified", true)
		}
		w.gemini.Reset()
		stop := w.hurry(t)
		if status := p.settled(document); status != "READY" {
			t.Errorf("the document is %s", status)
		}
		stop()
		after := p.passagesOf(document)
		fresh, gone := without(after, before), without(before, after)
		r = p.must(aboutRun, vars{"d": document})
		want(t, r, "document.version", 2.0)
		want(t, r, "document.lastRun.cause", "RESYNCED")
		want(t, r, "document.lastRun.outcome", "DONE")
		want(t, r, "document.lastRun.chunksEmbedded", float64(len(fresh)))
		want(t, r, "document.lastRun.chunksReused", float64(len(after)-len(fresh)))
		want(t, r, "document.lastRun.chunksRemoved", float64(len(gone)))
		for _, text := range fresh {
			if !strings.Contains(text, "ocelot") {
				t.Errorf("a passage that did not change is new: %.100s", text)
			}
		}
		paid := w.paid("gemini-embedding-001")
		if len(paid) != len(fresh) || len(fresh) == 0 || len(fresh) > 6 || slices.ContainsFunc(paid, func(s string) bool { return !strings.Contains(s, "ocelot") }) {
			t.Errorf("of %d passages %d are new, and %d were embedded", len(after), len(fresh), len(paid))
		}
		// The index has what answers use, and soon nothing else.
		own := func() []pinecone.Record { return (&outside{w.gemini, w.upstreams.pinecone}).of(document) }
		waitUntil(t, "the vectors of the old version are gone", func() bool { return len(own()) == len(after) })
		final, _ := p.chat(vars{"botId": bot, "text": "How many herrings does the ocelot4 of chamber 4 eat?"})
		want(t, final, "messageStream.message.grounding", "GROUNDED")
		want(t, final, "messageStream.message.citations.0.documentVersion", 2.0)
	})
}

// Whatever becomes of a page, what was read of it before goes on answering, and its owner is told.
func TestPagesThatGoWrong(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		site, settings := newSite(t)
		maps.Copy(env, settings)
		other, err := website.Start(website.Options{Address: "127.0.0.2:0"})
		if err != nil {
			t.Skip("this machine has one loopback address only")
		}
		t.Cleanup(other.Close)
		env["KYRO_FETCH_ALLOW"] += "," + other.Address.String()
		p := startServer(t, env).signUp(t)
		bot := p.newBot()
		other.Set("/login", htmlPage("Sign in", []string{"Sign in with your name and your password to go on. " + tale("doorman")}))
		soon := http.Header{"Retry-After": {"1"}}
		good := htmlPage("Help with tea", []string{tale("kettle"), tale("teapot")})
		site.Set("/help", good)
		r := p.page(bot, site.URL+"/help")
		id := r.text("document.id")
		want(t, r, "document.status", "READY")
		for _, c := range []struct {
			name            string
			page            website.Page
			outcome, reason string
		}{
			{"gone", website.Page{Status: 404}, "FAILED", "The site answered 404. There is no page at the address: check it."},
			{"forbidden", website.Page{Status: 403}, "FAILED", "The site answered 403. It does not give the page to everybody"},
			{"broken for good", website.Page{Status: 500, Header: soon}, "FAILED", "The site answered 500. Try again later."},
			{"empty", website.Page{}, "FAILED", "The page is empty."},
			{"without text", website.Page{Body: "<!DOCTYPE html><html><body><img src=a.png></body></html>"}, "FAILED", "The document holds no text."},
			{"a login form elsewhere", website.Page{Status: 302, Location: other.URL + "/login"}, "FAILED", "another site"},
			{"a picture", website.Page{Type: "image/png", Body: "\x89PNG\r\n\x1a\n"}, "FAILED", ""},
			{"a scan", website.Page{Type: "application/pdf", Body: string(newPDF(t, "", ""))}, "NEEDS_OCR", "OCR"},
			{"half a PDF", website.Page{Type: "application/pdf", Body: string(newPDF(t, tale("anchor")))[:700]}, "FAILED", ""},
			{"as it was", good, "UNCHANGED", ""},
		} {
			site.Set("/help", c.page)
			r := p.resync(id)
			got, _ := r.get("document.lastRun.reason").(string)
			if r.text("document.status") != "READY" || r.text("document.lastRun.outcome") != c.outcome || !strings.Contains(got, c.reason) || c.outcome != "UNCHANGED" && got == "" {
				t.Errorf("%s: it is %s, the run %s: %q", c.name, r.get("document.status"), r.get("document.lastRun.outcome"), got)
			}
			if text := r.text("document.text"); !strings.Contains(text, "kettle of the old harbour") || r.text("document.mimeType") != "text/html" || r.text("document.title") != "Help with tea" {
				t.Errorf("%s: the document is another one: %.300s", c.name, r.body)
			}
			if final, _ := p.chat(vars{"botId": bot, "text": "How is the kettle of the old harbour described?"}); final.text("messageStream.message.grounding") != "GROUNDED" {
				t.Errorf("%s: the answer is %s", c.name, final.body)
			}
		}
		// What is wrong for a while is waited for.
		site.Set("/help", htmlPage("Help with tea", []string{tale("kettle"), tale("samovar")}))
		site.Set("/help", website.Page{Status: 500, Header: soon, Times: 2})
		hits := len(site.Hits("/help"))
		r = p.resync(id)
		want(t, r, "document.lastRun.outcome", "DONE")
		if n := len(site.Hits("/help")) - hits; n != 3 || !strings.Contains(r.text("document.text"), "samovar") {
			t.Errorf("after %d requests: %.300s", n, r.body)
		}
		// One that led to another site from the start may do so again, which is the one it led to.
		site.Set("/elsewhere", website.Page{Status: 302, Location: other.URL + "/login"})
		r = p.page(bot, site.URL+"/elsewhere")
		want(t, r, "document.status", "READY")
		elsewhere := r.text("document.id")
		r = p.resync(elsewhere)
		want(t, r, "document.lastRun.outcome", "UNCHANGED")
		other.Set("/login", htmlPage("Sign in", []string{"Sign in with your name and your password to go on. " + tale("porter")}))
		r = p.resync(elsewhere)
		want(t, r, "document.lastRun.outcome", "DONE")
		if !strings.Contains(r.text("document.text"), "porter") {
			t.Errorf("%.300s", r.body)
		}
		// A page may become a document of another type.
		site.Set("/help", website.Page{Type: "application/pdf", Body: string(newPDF(t, "The lighthouse of Varn was built in 1871."))})
		r = p.resync(id)
		want(t, r, "document.lastRun.outcome", "DONE")
		want(t, r, "document.mimeType", "application/pdf")
		if !strings.Contains(r.text("document.text"), "lighthouse of Varn") {
			t.Errorf("%.300s", r.body)
		}
	})
}

// Many documents, their next versions among them, while every third call is refused: nothing fails, nothing is paid twice.
func TestAQuotaInEveryRun(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		site, settings := newSite(t)
		maps.Copy(env, settings)
		w := startUpstreams(t, gemini.Options{}).serve(t, env)
		p := w.signUp(t)
		bot := p.newBot()
		stop := w.hurry(t)
		refuse := func() {
			for i := range 4 {
				w.gemini.Script(gemini.Script{Kind: gemini.KindEmbed, Skip: 2 * (i + 1), Times: 1, Status: 429, RetryAfter: 300 * time.Millisecond, Message: bodyCanary})
			}
		}
		var documents []string
		end := func(cause string) {
			t.Helper()
			for i, d := range documents {
				p.settled(d)
				r := p.must(aboutRun, vars{"d": d})
				if r.get("document.status") != "READY" || r.get("document.lastRun.cause") != cause || r.get("document.lastRun.outcome") != "DONE" {
					t.Errorf("document %d: %.400s", i, r.body)
				}
			}
		}
		const number = 10
		write := func(edition string) {
			for i := range number {
				site.Set(fmt.Sprintf("/ledger/%d", i), htmlPage(fmt.Sprintf("Ledger %d", i), []string{tale(fmt.Sprintf("clerk%d", i)), tale(fmt.Sprintf("%s%d", edition, i))}))
			}
		}
		write("first")
		refuse()
		for i := range number {
			documents = append(documents, p.addURL(bot, fmt.Sprintf("%s/ledger/%d", site.URL, i)).text("addUrlDocument.document.id"))
		}
		end("ADDED")
		write("second")
		refuse()
		for _, d := range documents {
			p.must(`mutation($d: ID!) { resyncDocument(input: {documentId: $d}) { document { id } errors { code message } } }`, vars{"d": d})
		}
		end("RESYNCED")
		refuse()
		for _, d := range documents {
			p.must(reprocess, vars{"d": d, "c": 150, "o": 0})
		}
		end("REPROCESSED")
		stop()
		paidOnce(t, w.paid("gemini-embedding-001"))
		if refused := len(w.passageCalls()) - countOK(w.passageCalls()); refused < 6 {
			t.Errorf("%d calls were refused", refused)
		}
		// With the quota of the day used up, the next version waits, and the one before answers.
		old := p.chunkIDs(documents[0])
		w.gemini.Script(gemini.Script{Kind: gemini.KindEmbed, Match: "third", Status: 429, Daily: true, Message: bodyCanary})
		write("third")
		p.must(`mutation($d: ID!) { resyncDocument(input: {documentId: $d}) { document { id } errors { code message } } }`, vars{"d": documents[0]})
		if told := p.waiting(documents[0]); told.text("documentProgress.status") != "WAITING_QUOTA" {
			t.Errorf("%s", told.body)
		}
		if found := p.hits(bot, "clerk0 second0 of the old harbour"); !slices.ContainsFunc(found, func(id string) bool { return slices.Contains(old, id) }) {
			t.Errorf("the version before is not found: %v", found)
		}
	})
}
