package program

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"kyrochat/ai"
	"kyrochat/internal/gemini"
	"kyrochat/internal/pinecone"
	"kyrochat/internal/testdb"
	"kyrochat/kyro"
)

// setback is one way in which upstreams misbehave while a document is taken in, and what has to come of it. In the end,
// with upstreams that are well, it is READY, and all of it was embedded, paid for once, and put into the index.
type setback struct {
	name     string
	content  []byte // teaText where it is not given
	gemini   []gemini.Script
	pinecone pinecone.Script
	also     func(t *testing.T, w *asking) (heal func()) // whatever else goes wrong

	waits  string // how it waits; "": what is wrong passes within a turn
	alone  bool   // it goes on without anybody's help
	fails  bool   // it fails, and is to be retried
	vain   bool   // what was paid for was of no use
	embeds int    // how often passages were sent until it waits, fails or is ready
	says   string // what the log tells the operator
}

// passages is a trouble with the embedding of documents.
func passages(s gemini.Script) []gemini.Script {
	s.Kind = gemini.KindEmbed
	return []gemini.Script{s}
}

// ledger is a document of more passages than are embedded at once.
var ledger = bigText(200 << 10)

var setbacks = []setback{
	{name: "429 once", gemini: passages(gemini.Script{Times: 1, Status: 429, Message: bodyCanary}), embeds: 2},
	{name: "500 twice", gemini: passages(gemini.Script{Times: 2, Status: 500, Message: bodyCanary}), embeds: 3},
	{name: "cuts, twice", gemini: passages(gemini.Script{Times: 2, Then: gemini.Drop}), embeds: 3},
	{name: "the quota, in the middle", content: ledger, gemini: passages(gemini.Script{Skip: 1, Times: 1, Status: 429, RetryAfter: 12 * time.Second, Message: bodyCanary}), // in which it is seen to wait
		waits: "WAITING_QUOTA", alone: true, embeds: 2},
	{name: "500", gemini: passages(gemini.Script{Status: 500, Message: bodyCanary}), waits: "EMBEDDING", embeds: 3},
	{name: "500, in the middle", content: ledger, gemini: passages(gemini.Script{Skip: 1, Status: 500, Message: bodyCanary}), waits: "EMBEDDING", embeds: 4},
	{name: "vectors of another length", gemini: passages(gemini.Script{Dims: 256}), waits: "EMBEDDING", vain: true, embeds: 1},
	{name: "a vector is missing", gemini: passages(gemini.Script{Missing: 1}), waits: "EMBEDDING", vain: true, embeds: 1},
	{name: "a vector too many", gemini: passages(gemini.Script{Missing: -1}), waits: "EMBEDDING", vain: true, embeds: 1},
	{name: "a key that is refused", gemini: passages(gemini.Script{Status: 403, Message: bodyCanary}), waits: "EMBEDDING", embeds: 1, says: "check GEMINI_API_KEY"},
	{name: "a text that is refused", gemini: passages(gemini.Script{Status: 400, Message: bodyCanary}), fails: true, embeds: 1},
	{name: "nobody is there", waits: "EMBEDDING", also: func(t *testing.T, w *asking) func() {
		w.gate.shut()
		return func() { w.gate.open(t) }
	}},

	{name: "the index fails twice", pinecone: faulty(pinecone.Fault{Method: "Upsert", Calls: 2, Code: "Unavailable"}), embeds: 1},
	{name: "the index fails after it took everything", pinecone: faulty(pinecone.Fault{Method: "Upsert", Calls: 1, Code: "Internal", After: true}), embeds: 1},
	{name: "the index takes a part, once", content: ledger, pinecone: faulty(pinecone.Fault{Method: "Upsert", Calls: 1, Partial: 0.5}), embeds: 5},
	{name: "the index takes a part", content: ledger, pinecone: faulty(pinecone.Fault{Method: "Upsert", Partial: 0.5}), waits: "EMBEDDING", embeds: 5},
	{name: "the index fails", pinecone: faulty(pinecone.Fault{Method: "Upsert", Code: "Unavailable", Message: indexCanary}), waits: "EMBEDDING", embeds: 1},
	{name: "the index is away", pinecone: pinecone.Script{Away: true}, waits: "EMBEDDING", embeds: 1},
	{name: "the plan of the month is used up", pinecone: faulty(pinecone.Fault{Method: "Upsert", Code: "ResourceExhausted", Message: "Request failed. You've reached your write unit limit for the current month"}),
		waits: "EMBEDDING", embeds: 1, says: "plan is used up for this month"},
	{name: "the index shows late what it took", pinecone: pinecone.Script{UpsertLag: pinecone.Lag{Reads: 3}}, embeds: 1},
	{name: "reading back fails once", pinecone: faulty(pinecone.Fault{Method: "Fetch", Calls: 1, Code: "Unavailable"}), embeds: 1},
}

// TestDocumentsInTrouble takes documents in while upstreams misbehave, on one of the databases in turn.
func TestDocumentsInTrouble(t *testing.T) {
	t.Parallel()
	for i, c := range setbacks {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			settings := map[string]string{}
			if i%2 == 0 {
				settings["DATABASE_URL"] = testdb.PostgresURL(t)
			}
			c.try(t, startUpstreams(t, gemini.Options{}).serve(t, settings))
		})
	}
}

func (c setback) try(t *testing.T, w *asking) {
	w.gemini.Script(c.gemini...)
	if err := w.upstreams.pinecone.Script(c.pinecone); err != nil {
		t.Fatal(err)
	}
	heal := func() {}
	if c.also != nil {
		heal = c.also(t, w)
	}
	p := w.signUp(t)
	bot := p.newBot()
	content := c.content
	if content == nil {
		content = []byte(teaText)
	}
	document := p.upload(bot, "Tea Book.txt", content).text("uploadDocument.document.id")
	seen := ""
	switch {
	case c.waits != "":
		waiting := p.waiting(document)
		seen = string(waiting.body)
		if status, reason := waiting.text("documentProgress.status"), waiting.text("documentProgress.document.statusReason"); status != c.waits || !strings.Contains(reason, "goes on by itself") {
			t.Errorf("it waits as %s: %s", status, reason)
		}
	case c.fails:
		if status := p.settled(document); status != "FAILED" {
			t.Errorf("the document is %s", status)
		}
		r := p.must(`query($d: ID!) { document(id: $d) { statusReason } }`, vars{"d": document})
		seen = string(r.body)
		if r.text("document.statusReason") == "" {
			t.Error("it is not said why")
		}
	default:
		if status := p.settled(document); status != "READY" {
			t.Errorf("the document is %s", status)
		}
	}
	if got := len(w.passageCalls()); got != c.embeds {
		t.Errorf("passages were sent %d times, want %d", got, c.embeds)
	}
	log := w.log.String()
	if c.says != "" && !strings.Contains(log, c.says) {
		t.Errorf("the log does not say %q:\n%s", c.says, log)
	}

	if c.waits != "" && !c.alone || c.fails {
		w.gemini.Reset()
		w.upstreams.pinecone.Behave()
		heal()
	}
	if c.vain {
		w.gemini.Forget()
	}
	switch {
	case c.fails:
		p.must(`mutation($d: ID!) { retryDocument(input: {documentId: $d}) { document { status } errors { code } } }`, vars{"d": document})
	case c.waits != "" && !c.alone:
		defer w.hurry(t)()
	}
	if status := p.settled(document); status != "READY" {
		t.Fatalf("in the end the document is %s", status)
	}
	w.complete(t, p, bot, document)
	keepsSecrets(t, "what people are told", seen, indexCanary)
	keepsSecrets(t, "the log", w.log.String(), "Ottilie", "lamp oil")
}

// complete checks that every passage of a document was paid for once and is in the index, where it is found.
func (w *asking) complete(t *testing.T, p *person, bot, document string) {
	t.Helper()
	chunks := int(p.must(`query($d: ID!) { document(id: $d) { chunkCount } }`, vars{"d": document}).number("document.chunkCount"))
	paid := w.paid(ai.DefaultEmbeddingModel)
	paidOnce(t, paid)
	if len(paid) != chunks || chunks == 0 {
		t.Errorf("%d passages were paid for, of %d", len(paid), chunks)
	}
	if records := w.upstreams.pinecone.Records(); len(records) != chunks {
		t.Errorf("the index has %d vectors of %d", len(records), chunks)
	}
	r := p.must(`query($b: ID!) { bot(id: $b) { search(query: "What is noted, of which tea or crate?", first: 1) { vectorRank similarity } } }`, vars{"b": bot})
	if r.get("bot.search.0.vectorRank") == nil && r.get("bot.search.0.similarity") == nil {
		t.Errorf("it is not found by its vectors: %s", r.body)
	}
}

// waiting waits until a document waits for an upstream, and gives what its watchers are told.
func (p *person) waiting(document string) (told *reply) {
	p.t.Helper()
	err := p.follow(`subscription($d: ID!) { documentProgress(documentId: $d) { status retryAt percent document { statusReason } } }`, vars{"d": document}, func(e *reply) bool {
		told = e
		return e.get("documentProgress.retryAt") == nil
	})
	if err != nil || told == nil || told.get("documentProgress.retryAt") == nil {
		p.t.Fatalf("the document does not wait: %v, %s", err, told.body)
	}
	at, err := time.Parse(time.RFC3339, told.text("documentProgress.retryAt"))
	if left := time.Until(at); err != nil || left > 75*time.Minute {
		p.t.Errorf("it goes on at %s: %v", at, err)
	}
	return told
}

// hurry lets time pass for whatever waits for an upstream, until it is told to stop: a test does not wait for minutes.
func (s *testServer) hurry(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for tick := time.NewTicker(50 * time.Millisecond); ; {
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case <-tick.C:
			}
			for _, statement := range []string{
				`UPDATE documents SET retry_at = updated_at WHERE retry_at > updated_at`,
				fmt.Sprintf(`UPDATE river_job SET state = 'available', scheduled_at = created_at WHERE state = 'scheduled' AND kind IN ('%s', '%s')`, kyro.JobIngest, kyro.JobEmbed),
			} {
				if err := s.tryExec(ctx, statement); err != nil && ctx.Err() == nil {
					t.Errorf("hurrying: %v", err)
				}
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// TestADocumentThatWaits waits for the quota of a day, which is canceled, and for a model that says nothing.
func TestADocumentThatWaits(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		w := startUpstreams(t, gemini.Options{}).serve(t, env)
		p := w.signUp(t)
		bot := p.newBot()
		cancel := func(document string) {
			t.Helper()
			if r := p.must(`mutation($d: ID!) { cancelDocument(input: {documentId: $d}) { document { status progress { retryAt } } errors { code } } }`, vars{"d": document}); r.text("cancelDocument.document.status") != "CANCELED" ||
				r.get("cancelDocument.document.progress.retryAt") != nil {
				t.Errorf("%s", r.body)
			}
			if status := p.settled(document); status != "CANCELED" {
				t.Errorf("the document is %s", status)
			}
		}
		w.gemini.Script(gemini.Script{Kind: gemini.KindEmbed, Match: "Silence", Then: gemini.Hang})
		silent := p.upload(bot, "Silence.txt", []byte("Silence is golden.")).text("uploadDocument.document.id")
		w.gemini.MustAwait(t, func(list []gemini.Request) bool { return len(list) == 1 })
		cancel(silent)
		w.gemini.MustAwait(t, func(list []gemini.Request) bool { return list[0].Gone != nil })

		w.gemini.Reset()
		w.gemini.Forget()
		w.gemini.Script(gemini.Script{Kind: gemini.KindEmbed, Status: 429, Daily: true, Message: bodyCanary})
		waits := p.upload(bot, "Tea Book.txt", []byte(teaText)).text("uploadDocument.document.id")
		told := p.waiting(waits)
		if told.text("documentProgress.status") != "WAITING_QUOTA" || !strings.Contains(told.text("documentProgress.document.statusReason"), "quota") {
			t.Errorf("%s", told.body)
		}
		// Another one waits as well, without asking.
		if told := p.waiting(p.upload(bot, "Harbour.txt", []byte(longAnswer)).text("uploadDocument.document.id")); told.text("documentProgress.status") != "WAITING_QUOTA" {
			t.Errorf("%s", told.body)
		}
		cancel(waits)
		if calls := len(w.passageCalls()); calls != 1 {
			t.Errorf("passages were sent %d times, want 1", calls)
		}
		if vectors := w.upstreams.pinecone.Records(); len(vectors) != 0 {
			t.Errorf("the index holds %d vectors of documents that are none", len(vectors))
		}
		keepsSecrets(t, "the log", w.log.String(), "Ottilie", "Silence")
	})
}
