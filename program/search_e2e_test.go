package program

import (
	"fmt"
	"strings"
	"testing"
)

// TestSearchShowsWhatAnAnswerGets asks the offline parts of the real server.
func TestSearchShowsWhatAnAnswerGets(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		bot := p.must(`mutation { createBot(input: {name: "Tea", topK: 2}) { bot { id } errors { code message } } }`, nil).text("createBot.bot.id")
		p.know(bot, "Tea", teaText)
		p.know(bot, "Copy", teaText)
		for i, herb := range []string{"Mint", "Sage", "Thyme"} {
			p.know(bot, herb, fmt.Sprintf("%s tea is made of fresh leaves and steeps for %d minutes.", herb, 7+i))
		}
		const query = `query($b: ID!, $q: String!, $n: Int) { bot(id: $b) { search(query: $q, first: $n) {
			chunk { id text document { title } } score similarity lexicalRank vectorRank dropped } } }`
		r := p.must(query, vars{"b": bot, "q": "How long does green tea steep?", "n": nil})
		hits := r.list("bot.search")
		if len(hits) != 5 {
			t.Fatalf("%d hits: %s", len(hits), r.body)
		}
		drops, last := map[string]int{}, 1.0
		for i := range hits {
			at := fmt.Sprintf("bot.search.%d.", i)
			score := r.number(at + "score")
			if score <= 0 || score > last || r.get(at+"similarity") != nil || r.get(at+"lexicalRank") == nil && r.get(at+"vectorRank") == nil {
				t.Errorf("hit %d: %s", i, r.body)
			}
			last = score
			drops[fmt.Sprint(r.get(at+"dropped"))]++
		}
		if drops["<nil>"] != 2 || drops["DUPLICATE"] != 1 || drops["OVER_BUDGET"] != 2 || !strings.Contains(r.text("bot.search.0.chunk.text"), "Green tea") || r.get("bot.search.0.dropped") != nil {
			t.Errorf("%v: %s", drops, r.body)
		}
		if r.number("bot.search.0.lexicalRank") > 2 || r.at("extensions.cost.requested").(float64) < 1_000 {
			t.Errorf("%s", r.body)
		}
		if few := p.must(query, vars{"b": bot, "q": "How long does green tea steep?", "n": 1}); len(few.list("bot.search")) != 1 {
			t.Errorf("%s", few.body)
		}
		if none := p.must(query, vars{"b": p.newBot(), "q": "anything", "n": 50}); len(none.list("bot.search")) != 0 {
			t.Errorf("%s", none.body)
		}
		// An answer to the same question cites what the search says that it gets.
		gets := map[string]bool{}
		for i := range hits {
			if at := fmt.Sprintf("bot.search.%d.", i); r.get(at+"dropped") == nil {
				gets[r.text(at+"chunk.id")] = true
			}
		}
		message := p.send(vars{"botId": bot, "text": "How long does green tea steep?"}).text("sendMessage.botMessage.id")
		p.hear(message)
		cited := p.must(`query($m: ID!) { message(id: $m) { citations { chunk { id } } } }`, vars{"m": message})
		for i := range cited.list("message.citations") {
			if chunk := cited.text(fmt.Sprintf("message.citations.%d.chunk.id", i)); !gets[chunk] {
				t.Errorf("the answer cites %s: %s", chunk, r.body)
			}
		}

		for _, wrong := range []vars{
			{"q": "", "n": 5}, {"q": " \n\u200b", "n": 5}, {"q": strings.Repeat("x", 8_001), "n": 5}, {"q": "x", "n": 0}, {"q": "x", "n": 51}, {"q": "x", "n": -1},
		} {
			wrong["b"] = bot
			r := p.ask(query, wrong)
			r.wantCode("", "BAD_USER_INPUT")
			if strings.Contains(string(r.body), "xxxx") {
				t.Errorf("the query comes back: %.200s", r.body)
			}
		}
		p.ask(`query($b: ID!) { bot(id: $b) { `+aliases(20, `search(query: "x") { score }`)+` } }`, vars{"b": bot}).wantCode("", "COMPLEXITY_LIMIT_EXCEEDED")
		stranger := s.signUp(t)
		stranger.ask(query, vars{"b": bot, "q": "tea", "n": 5}).wantCode("", "NOT_FOUND")
		(&person{t: t, s: s}).ask(query, vars{"b": bot, "q": "tea", "n": 5}).wantCode("", "UNAUTHENTICATED")

		// What is deleted is not found from the moment of the answer.
		document := p.must(`query($b: ID!) { bot(id: $b) { documents(filter: {search: "Mint"}) { nodes { id } } } }`, vars{"b": bot}).text("bot.documents.nodes.0.id")
		p.must(`mutation($d: ID!) { deleteDocument(input: {documentId: $d}) { deletedId errors { code } } }`, vars{"d": document})
		if r := p.must(query, vars{"b": bot, "q": "mint leaves", "n": 50}); strings.Contains(string(r.body), "Mint") {
			t.Errorf("%s", r.body)
		}
	})
}

// aliases repeats a field under other names.
func aliases(n int, field string) string {
	var all strings.Builder
	for i := range n {
		fmt.Fprintf(&all, "a%d: %s ", i, field)
	}
	return all.String()
}

// TestASearchTakesTheSameStatements whatever it finds.
func TestASearchTakesTheSameStatements(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		env["KYRO_CACHE_TTL"] = "0" // so that it makes no difference how soon one thing follows another
		s := startServer(t, env)
		p := s.signUp(t)
		bot := p.newBot()
		count := func(first int) (hits int, statements int64) {
			before := s.statements.Load()
			r := p.must(`query($b: ID!, $n: Int) { bot(id: $b) { search(query: "which lamp is on the pier", first: $n) { chunk { document { title bot { name } } } dropped } } }`, vars{"b": bot, "n": first})
			return len(r.list("bot.search")), s.statements.Load() - before
		}
		colours := strings.Fields("amber black cyan dun ebony fawn green hazel ivory jade khaki lilac mauve navy ochre pink red silver teal umber violet white")
		for _, colour := range colours[:2] {
			p.know(bot, colour, "The lamp on the "+colour+" pier is "+colour+" by night and by day, says the "+colour+" keeper.")
		}
		few, narrow := count(2)
		for _, colour := range colours[2:] {
			p.know(bot, colour, "The lamp on the "+colour+" pier is "+colour+" by night and by day, says the "+colour+" keeper.")
		}
		many, wide := count(50)
		t.Logf("%d hits in %d statements, %d in %d", few, narrow, many, wide)
		if few != 2 || many != len(colours) || narrow != wide || wide > 14 {
			t.Errorf("%d hits in %d statements, %d in %d", few, narrow, many, wide)
		}
	})
}
