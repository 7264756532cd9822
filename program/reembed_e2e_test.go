package program

import (
	"maps"
	"strings"
	"testing"

	"kyrochat/internal/gemini"
	"kyrochat/internal/pinecone"
	"kyrochat/internal/port"
)

const garage = `The automobile of the mayor of Lindau is parked behind the old mill.`

// restart ends a server and starts another one with further settings on the same data.
func (w *asking) restart(t *testing.T, p *person, env, more map[string]string) *asking {
	t.Helper()
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	all := maps.Clone(env)
	maps.Copy(all, more)
	again := w.upstreams.serve(t, all)
	p.s = again.testServer
	return again
}

// ranks are how the best hit of a search was found: by words, by vectors.
func (p *person) ranks(bot, query string) (words, vectors any) {
	p.t.Helper()
	r := p.must(`query($b: ID!, $q: String!) { bot(id: $b) { search(query: $q, first: 1) { lexicalRank vectorRank } documents { nodes { status } } } }`, vars{"b": bot, "q": query})
	if strings.Count(string(r.body), `"READY"`) != len(r.list("bot.documents.nodes")) {
		p.t.Errorf("a document is not ready: %s", r.body)
	}
	if len(r.list("bot.search")) == 0 {
		return nil, nil
	}
	return r.get("bot.search.0.lexicalRank"), r.get("bot.search.0.vectorRank")
}

// found waits until a query that shares no word with the document finds it by meaning.
func (p *person) found(bot string) {
	p.t.Helper()
	waitUntil(p.t, "the document is found by meaning", func() bool {
		words, vectors := p.ranks(bot, "vehicle")
		return words == nil && vectors != nil
	})
}

// TestAnotherEmbeddingModel changes the model between two starts and back: documents stay ready and are found by words
// while they are embedded anew, and each model is paid for once.
func TestAnotherEmbeddingModel(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		const first, second = "gemini-embedding-001", "gemini-embedding-2"
		env["KYRO_VECTOR_TIMEOUT"] = "500ms"
		u := startUpstreams(t, gemini.Options{})
		u.gemini.Alike("automobile", "vehicle")
		w := u.serve(t, env)
		p := w.signUp(t)
		bot := p.newBot()
		p.know(bot, "Garage", garage)
		p.found(bot)

		letGo := u.gate.hold(second)
		w = w.restart(t, p, env, map[string]string{"KYRO_EMBEDDING_MODEL": second})
		finished, _ := p.chat(vars{"botId": bot, "text": "Where is the automobile of the mayor parked?"})
		if finished.text("messageStream.message.grounding") != "GROUNDED" || finished.text("messageStream.message.notices.0") != "LEXICAL_ONLY" {
			t.Errorf("while it is embedded anew: %s", finished.body)
		}
		if words, vectors := p.ranks(bot, "automobile"); words == nil || vectors != nil {
			t.Errorf("while it is embedded anew it is found by words at %v, by vectors at %v", words, vectors)
		}
		letGo()
		p.found(bot)
		finished, _ = p.chat(vars{"botId": bot, "text": "Where does the mayor of Lindau park?"})
		p.grounded(finished, u)

		w = w.restart(t, p, env, map[string]string{"KYRO_EMBEDDING_MODEL": first})
		p.found(bot)
		for _, model := range []string{first, second} {
			if n := len(u.paid(model)); n != 1 {
				t.Errorf("%s was paid for %d passages, want 1", model, n)
			}
		}
		if n := len(u.pinecone.Records()); n != 1 {
			t.Errorf("the index has %d vectors, want 1", n)
		}
		keepsSecrets(t, "the log", w.log.String(), "mayor")
	})
}

// TestAnotherIndex goes to a new index, finds it emptied, and puts it in order: from what the database has, for which
// nobody pays again.
func TestAnotherIndex(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		u := startUpstreams(t, gemini.Options{})
		u.gemini.Alike("automobile", "vehicle")
		w := u.serve(t, env)
		p := w.signUp(t)
		bot := p.newBot()
		p.know(bot, "Garage", garage)
		p.found(bot)

		var addresses [2]string // to which it comes back
		for i := range addresses {
			address, leave, err := port.Keep()
			if err != nil {
				t.Fatal(err)
			}
			defer leave()
			addresses[i] = address
		}
		u.pinecone = startPinecone(t, pinecone.Options{Index: "another", Control: addresses[0], Data: addresses[1]})
		w = w.restart(t, p, env, u.env())
		p.found(bot)

		// The same index, with nothing in it but what belongs to nobody.
		namespace := u.pinecone.Records()[0].Namespace
		if err := w.stop(); err != nil {
			t.Fatal(err)
		}
		if err := u.pinecone.Close(); err != nil {
			t.Fatal(err)
		}
		u.pinecone = startPinecone(t, pinecone.Options{Index: "another", Control: addresses[0], Data: addresses[1]})
		orphan := pinecone.Record{Namespace: namespace, ID: "999#1#00000", Values: make([]float32, 768), Metadata: map[string]any{"bot": "1"}}
		orphan.Values[0] = 1
		if err := u.pinecone.Put(orphan); err != nil {
			t.Fatal(err)
		}
		again := u.serve(t, env)
		p.s = again.testServer
		p.found(bot)
		waitUntil(t, "what belongs to nobody is gone", func() bool {
			records := u.pinecone.Records()
			return len(records) == 1 && records[0].ID != orphan.ID
		})
		if n := len(u.paid("gemini-embedding-001")); n != 1 {
			t.Errorf("%d passages were paid for, want 1", n)
		}
	})
}

// TestAKeyThatIsWrong starts with another key than before: everybody hears that there is no answer, the operator hears
// why, and with the right key everything goes on.
func TestAKeyThatIsWrong(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		u := startUpstreams(t, gemini.Options{})
		w := u.serve(t, env)
		p := w.signUp(t)
		bot := p.newBot()
		p.know(bot, "Tea Book", teaText)
		w = w.restart(t, p, env, map[string]string{"GEMINI_API_KEY": geminiKeyCanary + "-wrong"})
		question := vars{"botId": bot, "text": "When does the tea house on Pepper Lane open?"}
		finished, text := p.chat(question)
		if finished.text("messageStream.message.error.code") != "UPSTREAM_FAILED" || text != "" || finished.text("messageStream.message.notices.0") != "LEXICAL_ONLY" {
			t.Errorf("%s", finished.body)
		}
		waits := p.upload(bot, "Harbour.txt", []byte(longAnswer)).text("uploadDocument.document.id")
		if told := p.waiting(waits); told.text("documentProgress.status") != "EMBEDDING" {
			t.Errorf("%s", told.body)
		}
		if log := w.log.String(); !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "GEMINI_API_KEY") {
			t.Errorf("the operator is not told: %s", log)
		}
		keepsSecrets(t, "the log", w.log.String(), "Pepper Lane", "Lindau")

		w = w.restart(t, p, env, nil)
		defer w.hurry(t)()
		if status := p.settled(waits); status != "READY" {
			t.Errorf("with the right key the document is %s", status)
		}
		if finished, _ := p.chat(question); finished.text("messageStream.message.grounding") != "GROUNDED" {
			t.Errorf("%s", finished.body)
		}
	})
}
