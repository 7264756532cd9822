package program

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"kyrochat/internal/envtest"
	"kyrochat/internal/gemini"
	"kyrochat/internal/pinecone"
)

// readiness is what the admin address says of the server at url.
func readiness(t *testing.T, url string) string {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		res, err := http.Get(url + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		switch {
		case err == nil && res.StatusCode == http.StatusOK:
			return string(text)
		case !strings.Contains(string(text), "the database does not answer") || time.Now().After(end): // within half a second, on a busy machine
			t.Fatalf("/readyz is %d with %q, %v", res.StatusCode, text, err)
		}
	}
}

// TestGeminiIsAwayForAWhile lets it fail until nobody asks it any more, sees that one question alone finds out whether it
// is back, and that a document which waited goes on by itself.
func TestGeminiIsAwayForAWhile(t *testing.T) {
	t.Parallel()
	w := startUpstreams(t, gemini.Options{}).serve(t, nil)
	admin := "http://" + w.app.adminListener.Addr().String()
	p := w.signUp(t)
	bot := p.newBot()
	p.know(bot, "Tea Book", teaText)
	question := "When does the tea house on Pepper Lane open?"
	p.chat(vars{"botId": bot, "text": question}) // whose embedding is known from now on

	w.gemini.Script(gemini.Script{Kind: gemini.KindAnswer, Status: 503, Message: bodyCanary}, gemini.Script{Kind: gemini.KindEmbed, Status: 503, Message: bodyCanary})
	w.gemini.Forget()
	document := p.upload(bot, "Harbour.txt", []byte(longAnswer)).text("uploadDocument.document.id")
	if waits := p.waiting(document); waits.text("documentProgress.status") != "EMBEDDING" {
		t.Errorf("%s", waits.body)
	}
	fails := func() {
		t.Helper()
		finished, text := p.chat(vars{"botId": bot, "text": question})
		if code := finished.text("messageStream.message.error.code"); code != "UPSTREAM_FAILED" || text != "" {
			t.Errorf("%s: %s", code, finished.body)
		}
	}
	began := time.Now()
	for !strings.Contains(readiness(t, admin), "Gemini") {
		fails()
	}
	answers := func() int { return len(w.gemini.RequestsOf(gemini.KindAnswer)) }
	// Every six seconds one may find out whether it is back, which is a second one on a machine that is held up for as long.
	most := func() int { return 5 + int(time.Since(began)/(6*time.Second)) }
	if n := answers(); n < 5 || n > most() {
		t.Errorf("it was asked %d times before nobody did any more, want 5", n)
	}
	for range 5 {
		fails()
	}
	before := answers()
	if before > most() {
		t.Errorf("it was asked %d times more while it was left alone", before-5)
	}

	// Once it may be asked again, one of many does, and the others do not wait for that.
	w.gemini.Reset()
	letGo := w.gate.hold("streamGenerateContent")
	waitUntil(t, "it may be asked again", func() bool { return !strings.Contains(readiness(t, admin), "Gemini") })
	ends := make(chan string, 6)
	for range cap(ends) {
		go func() {
			finished, _ := p.chat(vars{"botId": bot, "text": question})
			ends <- finished.text("messageStream.message.status")
		}()
	}
	for range cap(ends) - 1 {
		if status := <-ends; status != "FAILED" {
			t.Errorf("while one finds out, another is %s", status)
		}
	}
	letGo()
	if status := <-ends; status != "COMPLETED" {
		t.Errorf("the one that finds out is %s", status)
	}
	if n := answers() - before; n != 1 {
		t.Errorf("%d asked at once whether it is back, want one", n)
	}
	if finished, _ := p.chat(vars{"botId": bot, "text": question}); finished.text("messageStream.message.status") != "COMPLETED" {
		t.Errorf("afterwards: %s", finished.body)
	}
	if status := p.settled(document); status != "READY" { // which nobody helped
		t.Errorf("the document that waited is %s", status)
	}
	keepsSecrets(t, "the log", w.log.String(), "Pepper Lane", "Lindau")
}

// TestPineconeIsAway starts with an index that cannot be reached: answers are found by words, and documents go on once it
// is back.
func TestPineconeIsAway(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		u := startUpstreams(t, gemini.Options{})
		env["KYRO_PINECONE_HOST"], env["KYRO_PINECONE_CONTROL_URL"] = u.pinecone.Host, ""
		w := u.serve(t, env)
		p := w.signUp(t)
		bot := p.newBot()
		p.know(bot, "Tea Book", teaText)
		if err := w.stop(); err != nil {
			t.Fatal(err)
		}
		if err := u.pinecone.Script(pinecone.Script{Away: true}); err != nil {
			t.Fatal(err)
		}
		again := u.serve(t, env)
		p.s = again.testServer
		finished, _ := p.chat(vars{"botId": bot, "text": "When does the tea house on Pepper Lane open?"})
		if finished.text("messageStream.message.notices.0") != "LEXICAL_ONLY" || finished.text("messageStream.message.grounding") != "GROUNDED" {
			t.Errorf("%s", finished.body)
		}
		second := p.upload(bot, "Harbour.txt", []byte(longAnswer)).text("uploadDocument.document.id")
		p.waiting(second)
		u.pinecone.Behave()
		defer again.hurry(t)()
		if status := p.settled(second); status != "READY" {
			t.Errorf("the document that waited is %s", status)
		}
		waitUntil(t, "vectors are searched again", func() bool {
			finished, _ := p.chat(vars{"botId": bot, "text": "What do the harbour rules of Lindau say about lamps?"})
			return len(finished.list("messageStream.message.notices")) == 0
		})
		keepsSecrets(t, "the log", again.log.String(), "Pepper Lane", "Lindau")
	})
}

// TestAStartThatCannotBe is refused with what to do, and without the key.
func TestAStartThatCannotBe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pinecone pinecone.Script
		change   map[string]string
		says     []string
	}{
		"away, and its host unknown": {pinecone: pinecone.Script{Away: true}, says: []string{"KYRO_PINECONE_HOST"}},
		"another length":             {pinecone: pinecone.Script{Dimension: 1536}, says: []string{"1536", "KYRO_EMBEDDING_DIMS", "768"}},
		"another metric":             {pinecone: pinecone.Script{Metric: "euclidean"}, says: []string{"euclidean", "cosine"}},
		"another key":                {change: map[string]string{"PINECONE_API_KEY": pineconeKeyCanary + "-wrong"}, says: []string{"PINECONE_API_KEY"}},
		"another index":              {change: map[string]string{"KYRO_PINECONE_INDEX": "nowhere"}, says: []string{"nowhere", "KYRO_PINECONE_INDEX"}},
		"no Gemini":                  {change: map[string]string{"GEMINI_API_KEY": ""}, says: []string{"GEMINI_API_KEY", "PINECONE_API_KEY"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := startUpstreams(t, gemini.Options{})
			if err := u.pinecone.Script(c.pinecone); err != nil {
				t.Fatal(err)
			}
			settings := u.env()
			settings["KYRO_DATA_DIR"], settings["KYRO_ADDR"], settings["KYRO_ADMIN_ADDR"] = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0"
			for setting, value := range c.change {
				settings[setting] = value
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			log := &journal{}
			err := serve(ctx, envtest.Of(settings), log)
			if err == nil {
				t.Fatal("it started")
			}
			for _, part := range c.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in it: %v", part, err)
				}
			}
			keepsSecrets(t, "what the operator is told", err.Error()+log.String())
		})
	}
}

// TestForeignVectors asks an index that gives whatever it has, of every bot.
func TestForeignVectors(t *testing.T) {
	t.Parallel()
	w := startUpstreams(t, gemini.Options{}).serve(t, nil)
	p, other := w.signUp(t), w.signUp(t)
	bot, foreign := p.newBot(), other.newBot()
	p.know(bot, "Tea Book", teaText)
	other.know(foreign, "Tea Book", strings.ReplaceAll(teaText, "Ottilie Brandt", "Somebody-Else"))
	if err := w.upstreams.pinecone.Script(pinecone.Script{IgnoreNamespaces: true, IgnoreFilters: true}); err != nil {
		t.Fatal(err)
	}
	w.gemini.Forget()
	finished, _ := p.chat(vars{"botId": bot, "text": "Who founded the tea house on Pepper Lane?"})
	p.grounded(finished, w.upstreams)
	if slices.ContainsFunc(w.gemini.Requests(), func(q gemini.Request) bool { return strings.Contains(q.Words(), "Somebody-Else") }) {
		t.Error("what belongs to another is in a prompt")
	}
}
