package program

import (
	"fmt"
	"testing"
	"time"
)

const readGaps = `query($b: ID!, $s: [KnowledgeGapStatus!]) { bot(id: $b) { knowledgeGaps(filter: {status: $s}, first: 50) { totalCount nodes {
	id question status questionCount unansweredCount notFoundCount ratedDownCount peopleCount bot { name } document { id }
	check { total checked answered tokens problem endedAt } questions(first: 5) { nodes { text notFound ratedDown verdict message { id text } } } } } } }`

// TestKnowledgeGaps walks the whole way: what nobody could answer is asked in three wordings, answered by the owner, asked
// again, and answered from then on.
func TestKnowledgeGaps(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		s := startRemembering(t, env)
		p := s.signUp(t)
		bot := p.newBot()
		p.know(bot, "Rules", longAnswer)
		ask := func(text string) (conversation, answer string, grounding any) {
			sent := p.send(vars{"botId": bot, "text": text})
			finished, _ := p.hear(sent.text("sendMessage.botMessage.id"))
			return sent.text("sendMessage.conversation.id"), sent.text("sendMessage.botMessage.id"), finished.get("messageStream.message.grounding")
		}
		var talks []string
		for _, text := range []string{
			"How much does a day ticket for the ferry cost?", "What does the ferry's day ticket cost?", "Which cost does a ferry day ticket have?",
		} {
			talk, _, grounding := ask(text)
			if grounding != "NOT_FOUND" {
				t.Fatalf("%s: %v", text, grounding)
			}
			talks = append(talks, talk)
		}
		s.placed(t)
		r := p.must(readGaps, vars{"b": bot})
		first := "bot.knowledgeGaps.nodes.0."
		for path, want := range map[string]any{
			"status": "OPEN", "questionCount": 3.0, "unansweredCount": 3.0, "notFoundCount": 3.0, "ratedDownCount": 0.0, "peopleCount": 1.0,
			"document": nil, "check": nil, "questions.nodes.0.text": "Which cost does a ferry day ticket have?", "questions.nodes.0.notFound": true,
			"questions.nodes.0.message.text": "Which cost does a ferry day ticket have?", "questions.nodes.2.verdict": nil,
		} {
			if got := r.get(first + path); got != want {
				t.Errorf("%s is %v, want %v", path, got, want)
			}
		}
		if n := r.number("bot.knowledgeGaps.totalCount"); n != 1 {
			t.Fatalf("%v gaps: %s", n, r.body)
		}
		gap := r.text(first + "id")
		now := time.Now()
		told := p.must(`query($b: ID!, $f: DateTime!, $t: DateTime!) { bot(id: $b) { analytics(from: $f, to: $t) { unansweredQuestions { question count gap { id } } } } }`,
			vars{"b": bot, "f": now.Add(-time.Hour).Format(time.RFC3339), "t": now.Add(time.Hour).Format(time.RFC3339)})
		if told.number("bot.analytics.unansweredQuestions.0.count") != 3 || told.text("bot.analytics.unansweredQuestions.0.gap.id") != gap {
			t.Errorf("what analytics tell: %s", told.body)
		}

		stranger := s.signUp(t)
		if r := stranger.must(`query($g: ID!) { node(id: $g) { id } }`, vars{"g": gap}); r.get("node") != nil {
			t.Errorf("a stranger sees the gap: %s", r.body)
		}
		stranger.ask(readGaps, vars{"b": bot}).wantCode("", "NOT_FOUND")
		const resolve = `mutation($g: ID!, $q: String, $a: String!) { resolveGap(input: {gapId: $g, question: $q, answer: $a}) {
			gap { id status check { total checked } document { id } } document { id kind title } errors { code field } } }`
		stranger.ask(resolve, vars{"g": gap, "a": "9 euros"}).wantCode("", "NOT_FOUND")
		p.ask(resolve, vars{"g": gap, "a": " "}).wantCode("resolveGap", "VALIDATION")
		p.ask(resolve, vars{"g": bot, "a": "9 euros"}).wantCode("", "BAD_USER_INPUT")

		messages := p.must(`{ viewer { conversations(first: 50) { totalCount nodes { messageCount } } } }`, nil).body
		answer := vars{"g": gap, "a": "A day ticket for the ferry costs 9 euros."}
		r = p.must(resolve, answer)
		if r.text("resolveGap.gap.status") != "CHECKING" || r.number("resolveGap.gap.check.total") != 3 || r.text("resolveGap.document.kind") != "QA" {
			t.Errorf("resolved: %s", r.body)
		}
		document := r.text("resolveGap.document.id")
		s.eventually(t, "gaps that are fixed", 1, "SELECT count(*) FROM gaps WHERE status = 'FIXED'")
		r = p.must(readGaps, vars{"b": bot, "s": []string{"FIXED"}})
		if r.text(first+"document.id") != document || r.number(first+"check.answered") != 3 || r.number(first+"unansweredCount") != 0 ||
			r.number(first+"check.tokens") < 1 || r.text(first+"questions.nodes.1.verdict") != "ANSWERED" {
			t.Errorf("fixed: %s", r.body)
		}
		if after := p.must(`{ viewer { conversations(first: 50) { totalCount nodes { messageCount } } } }`, nil).body; string(after) != string(messages) {
			t.Errorf("people see %s, before it was %s", after, messages)
		}
		if again := p.must(resolve, answer); again.text("resolveGap.document.id") != document || again.text("resolveGap.gap.status") != "FIXED" {
			t.Errorf("the same answer once more: %s", again.body)
		}
		if _, _, grounding := ask("What does a day ticket for the ferry cost?"); grounding == "NOT_FOUND" {
			t.Error("the question is still not answered")
		}

		_, lamps, grounding := ask("What do the harbour rules of Lindau say about lamps?")
		if grounding == "NOT_FOUND" {
			t.Fatal("there is nothing to rate down")
		}
		const rate = `mutation($m: ID!, $r: Rating) { rateMessage(input: {messageId: $m, rating: $r}) { errors { code } } }`
		p.must(rate, vars{"m": lamps, "r": "DOWN"})
		s.placed(t)
		if r := p.must(readGaps, vars{"b": bot}); r.number(first+"ratedDownCount") != 1 || r.number("bot.knowledgeGaps.totalCount") != 1 {
			t.Errorf("rated down: %s", r.body)
		}
		p.must(rate, vars{"m": lamps, "r": nil})
		if r := p.must(readGaps, vars{"b": bot}); r.number("bot.knowledgeGaps.totalCount") != 0 {
			t.Errorf("taken back: %s", r.body)
		}

		for _, talk := range talks {
			p.must(`mutation($c: ID!) { deleteConversation(input: {conversationId: $c}) { errors { code } } }`, vars{"c": talk})
		}
		if r := p.must(`query($g: ID!) { node(id: $g) { id } }`, vars{"g": gap}); r.get("node") != nil {
			t.Errorf("without its questions: %s", r.body)
		}

		count := func() int64 {
			p.must(readGaps, vars{"b": bot})
			s.forget(p)
			before := s.statements.Load()
			p.must(readGaps, vars{"b": bot})
			return s.statements.Load() - before
		}
		var narrow int64
		for i, text := range []string{"Who sells tea on the moon?", "How deep is the volcano?", "Which violin did Marta play?", "Where do penguins sleep?"} {
			ask(text)
			s.placed(t)
			if n := count(); i == 0 {
				narrow = n
			} else if n != narrow {
				t.Errorf("%d statements for %d gaps, %d for one", n, i+1, narrow)
			}
		}
		r = p.must(`mutation($g: ID!) { dismissGap(input: {gapId: $g}) { gap { status } errors { code } } }`, vars{"g": p.must(readGaps, vars{"b": bot}).text(first + "id")})
		if r.text("dismissGap.gap.status") != "DISMISSED" || p.must(readGaps, vars{"b": bot}).number("bot.knowledgeGaps.totalCount") != 3 {
			t.Errorf("dismissed: %s", r.body)
		}
		page := func(after any) *reply {
			return p.must(`query($b: ID!, $a: String) { bot(id: $b) { knowledgeGaps(first: 2, after: $a) { nodes { id } pageInfo { hasNextPage endCursor } } } }`, vars{"b": bot, "a": after})
		}
		one := page(nil)
		two := page(one.get("bot.knowledgeGaps.pageInfo.endCursor"))
		if fmt.Sprint(len(one.list("bot.knowledgeGaps.nodes")), len(two.list("bot.knowledgeGaps.nodes")), two.get("bot.knowledgeGaps.pageInfo.hasNextPage")) != "2 1 false" {
			t.Errorf("pages: %s %s", one.body, two.body)
		}
	})
}
