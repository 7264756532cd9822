package program

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"kyrochat/internal/gemini"
	"kyrochat/internal/testdb"
)

// TestThreeSourcesOfOneBot asks about a file, a page, and a question with its answer, offline and with models.
func TestThreeSourcesOfOneBot(t *testing.T) {
	t.Parallel()
	for _, database := range []string{"sqlite", "postgres"} {
		for _, models := range []bool{false, true} {
			t.Run(database+pick(models, " with models", " offline"), func(t *testing.T) {
				t.Parallel()
				site, env := newSite(t)
				if database == "postgres" {
					env["DATABASE_URL"] = testdb.PostgresURL(t)
				}
				if models {
					maps.Copy(env, startUpstreams(t, gemini.Options{}).env())
				}
				p := startServer(t, env).signUp(t)
				bot := p.newBot()
				site.Set("/varn", htmlPage("Varn", []string{"The lighthouse of Varn was built in 1871 by Odile Marchetti. Its lamp burns rapeseed oil and is seen from forty miles."}))
				file := p.upload(bot, "ferry.pdf", newPDF(t, "The ferry to Bregenz leaves pier four at half past noon.")).text("uploadDocument.document.id")
				page := p.addURL(bot, site.URL+"/varn").text("addUrlDocument.document.id")
				const question, answer = "How much does a ticket for the clock museum cost?", "Grown-ups pay nine crowns on weekdays. Children under six enter for nothing."
				pair := p.must(`mutation($b: ID!, $q: String!, $a: String!) { addQADocument(input: {botId: $b, question: $q, answer: $a}) { document { id } errors { code field } } }`,
					vars{"b": bot, "q": question, "a": answer}).text("addQADocument.document.id")
				for _, d := range []string{file, page, pair} {
					if status := p.settled(d); status != "READY" {
						t.Fatalf("%s is %s", d, status)
					}
				}
				for _, c := range []struct{ document, question, words string }{
					{file, "When does the ferry to Bregenz leave?", "half past noon"},
					{page, "Who built the lighthouse of Varn?", "Odile Marchetti"},
					{pair, question, "nine crowns"},
					{pair, "What does a ticket of the clock museum cost on weekdays?", "nine crowns"},
				} {
					final, text := p.chat(vars{"botId": bot, "text": c.question})
					quotes := ""
					for i := range final.list("messageStream.message.citations") {
						at := fmt.Sprintf("messageStream.message.citations.%d.", i)
						if final.get(at+"verified") != true {
							t.Errorf("%s: a citation is not verified: %s", c.question, final.body)
						}
						if final.get(at+"document.id") == c.document {
							quotes += final.text(at+"quote") + "\n"
							whole := final.text(at + "document.text")
							if slice(whole, final.number(at+"charStart"), final.number(at+"charEnd")) != final.text(at+"quote") {
								t.Errorf("%s: the quote does not stand there: %s", c.question, final.body)
							}
						}
					}
					if final.text("messageStream.message.grounding") != "GROUNDED" || !models && !strings.Contains(text, c.words) || !strings.Contains(quotes, c.words) {
						t.Errorf("%s: %q, quoting %q: %s", c.question, text, quotes, final.body)
					}
				}
			})
		}
	}
}
