package program

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"kyrochat/internal/gemini"
	"kyrochat/internal/pinecone"
	"kyrochat/internal/testdb"
)

// TestSearchByMeaning asks a server that embeds with Gemini and finds with Pinecone, both emulated.
func TestSearchByMeaning(t *testing.T) {
	for name, more := range map[string]func(t *testing.T) vars{
		"sqlite":   func(*testing.T) vars { return nil },
		"postgres": func(t *testing.T) vars { return vars{"DATABASE_URL": testdb.PostgresURL(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			model := gemini.Start(t)
			model.Alike("kettle", "boiler")
			index, err := pinecone.Start(pinecone.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = index.Close() })
			env := map[string]string{
				"GEMINI_API_KEY": model.Key, "KYRO_GEMINI_URL": model.URL, "PINECONE_API_KEY": index.APIKey,
				"KYRO_PINECONE_INDEX": index.Index, "KYRO_PINECONE_CONTROL_URL": index.ControlURL,
			}
			for key, value := range more(t) {
				env[key] = fmt.Sprint(value)
			}
			searchByMeaning(t, startServer(t, env), model, index)
		})
	}
}

func searchByMeaning(t *testing.T, s *testServer, model *gemini.Emulator, index *pinecone.Emulator) {
	p := s.signUp(t)
	bot := p.newBot()
	p.know(bot, "Kettle", "The kettle of the tea house holds four litres and sings when it boils.")
	p.know(bot, "Lamp", "A green lamp hangs over the stairs to the cellar where nobody goes.")
	p.know(bot, "Ferry", "Tickets for the ferry are sold on board by the mate, who takes coins.")
	const query = `query($b: ID!, $q: String!) { bot(id: $b) { search(query: $q) {
		chunk { text document { title } } score similarity lexicalRank vectorRank dropped } } }`
	ask := func(question string) (r *reply, hits map[string]string) {
		r, hits = p.must(query, vars{"b": bot, "q": question}), map[string]string{}
		for i := range r.list("bot.search") {
			at := fmt.Sprintf("bot.search.%d.", i)
			hits[r.text(at+"chunk.document.title")] = fmt.Sprint(r.get(at + "dropped"))
		}
		return r, hits
	}

	r, hits := ask("boiler")
	if r.text("bot.search.0.chunk.document.title") != "Kettle" || r.get("bot.search.0.lexicalRank") != nil || r.number("bot.search.0.vectorRank") != 1 ||
		r.number("bot.search.0.similarity") <= r.number("bot.search.1.similarity") || len(hits) != 3 {
		t.Errorf("by meaning: %s", r.body)
	}
	p.must(`mutation($b: ID!, $s: Float) { updateBot(input: {botId: $b, minScore: $s}) { bot { id } errors { code } } }`, vars{"b": bot, "s": r.number("bot.search.0.similarity") - 0.001})
	if r, hits = ask("boiler"); !maps.Equal(hits, map[string]string{"Kettle": "<nil>", "Lamp": "BELOW_MIN_SCORE", "Ferry": "BELOW_MIN_SCORE"}) {
		t.Errorf("with a least similarity: %s", r.body)
	}

	// A vector that is still there of a chunk that is switched off.
	s.exec(t, "UPDATE chunks SET enabled = FALSE WHERE text LIKE 'The kettle%'")
	if r, hits = ask("boiler"); hits["Kettle"] != "NOT_LIVE" || !strings.Contains(string(r.body), "holds four litres") {
		t.Errorf("switched off: %s", r.body)
	}
	// One of a document that is deleted, whose vectors cannot be removed.
	index.Misbehave(pinecone.Fault{Method: "Delete", Code: "Unavailable"})
	document := p.must(`query($b: ID!) { bot(id: $b) { documents(filter: {search: "Kettle"}) { nodes { id } } } }`, vars{"b": bot}).text("bot.documents.nodes.0.id")
	p.must(`mutation($d: ID!) { deleteDocument(input: {documentId: $d}) { deletedId errors { code } } }`, vars{"d": document})
	if r, hits = ask("boiler"); hits["Kettle"] != "" || strings.Contains(string(r.body), "litres") {
		t.Errorf("deleted: %s", r.body)
	}

	// Without the index words find what they can, and nobody sees an error.
	if err := index.Script(pinecone.Script{Away: true}); err != nil {
		t.Fatal(err)
	}
	if r, hits = ask("When does the ferry leave?"); !maps.Equal(hits, map[string]string{"Ferry": "<nil>"}) || r.get("bot.search.0.vectorRank") != nil || r.get("bot.search.0.similarity") != nil {
		t.Errorf("without the index: %s", r.body)
	}
	index.Behave()

	// A model that says its prompt is cut, and nothing of the prompt is delivered or stored.
	model.Script(gemini.Script{Reveal: true, Match: "Who sells tickets"})
	message := p.send(vars{"botId": bot, "text": "Who sells tickets for the ferry?"}).text("sendMessage.botMessage.id")
	_, delivered := p.hear(message)
	r = p.must(`query($m: ID!) { message(id: $m) { text status notices } }`, vars{"m": message})
	notices := fmt.Sprint(r.get("message.notices"))
	if text := r.text("message.text"); text != delivered || len(text) > 60 || r.text("message.status") != "COMPLETED" || !strings.Contains(notices, "FILTERED") {
		t.Errorf("delivered %q, stored %s", delivered, r.body)
	}
	if asked := model.RequestsOf(gemini.KindAnswer); len(asked) != 1 {
		t.Errorf("the model was asked %d times", len(asked))
	}
}
