package program

import (
	"fmt"
	"log/slog"
	"testing"

	"kyrochat/ai"
	"kyrochat/answer"
	"kyrochat/internal/retrievalset"
	"kyrochat/kyro"
	"kyrochat/store"
)

// TestRetrievalQuality measures the offline parts as they are put together here: the real index and vectors on each
// database, with all paragraphs of all languages as documents of one bot, added through the API.
func TestRetrievalQuality(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		set, err := retrievalset.Load()
		if err != nil {
			t.Fatal(err)
		}
		p := s.signUp(t)
		bot := p.newBot()
		for i, paragraph := range set.Paragraphs {
			p.must(`mutation($b: ID!, $ti: String!, $te: String!) { addTextDocument(input: {botId: $b, title: $ti, text: $te}) {
				document { id } errors { code message } } }`, vars{"b": bot, "ti": fmt.Sprintf("%s %d", paragraph.Title, i), "te": paragraph.Text})
		}
		err = p.follow(`subscription($b: ID!) { documentProgress(botId: $b) { documentId status } }`, vars{"b": bot}, func(e *reply) bool {
			switch e.text("documentProgress.status") {
			case "FAILED":
				t.Fatalf("%s", e.body)
			case "READY":
			default:
				return true
			}
			r := p.must(`query($b: ID!) { bot(id: $b) { documents(filter: {status: [READY]}) { totalCount } } }`, vars{"b": bot})
			return int(r.number("bot.documents.totalCount")) < len(set.Paragraphs)
		})
		if err != nil {
			t.Fatal(err)
		}
		st := store.New(s.app.pools, s.app.queue)
		model, dims := ai.HashEmbedder{}.Model()
		retriever := answer.NewRetriever(st, ai.NewVectors(st, model, dims, 0), ai.HashEmbedder{}, slog.New(slog.DiscardHandler))
		id, err := kyro.ParseID(bot)
		if err != nil {
			t.Fatal(err)
		}
		retrievalset.Measure(t, set, func(string) (answer.Retriever, kyro.ID) { return retriever, id })
	})
}
