package program

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

func TestAnalytics(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		env["KYRO_PRICES"], env["KYRO_CURRENCY"] = "kyro-extractive-1=1/2.5", "EUR"
		s := startServer(t, env)
		p := s.signUp(t)
		bot := p.newBot()
		rules := p.know(bot, "Rules", longAnswer)
		unread := p.know(bot, "Weights", "An elephant weighs five tonnes, and a mouse twenty grams.")
		conversation, cost := "", 0.0
		for i, question := range []string{"What do the harbour rules of Lindau say about lamps?", "And who sells tea on the moon?"} {
			about := vars{"text": question}
			if i == 0 {
				about["botId"] = bot
			} else {
				about["conversationId"] = conversation
			}
			sent := p.send(about)
			conversation = sent.text("sendMessage.conversation.id")
			answer := sent.text("sendMessage.botMessage.id")
			p.hear(answer)
			cost += p.must(`query($m: ID!) { node(id: $m) { ... on Message { usage { cost } } } }`, vars{"m": answer}).number("node.usage.cost")
			if i == 0 {
				p.must(`mutation($m: ID!) { rateMessage(input: {messageId: $m, rating: UP}) { errors { code } } }`, vars{"m": answer})
			}
		}
		query := `query($b: ID!, $f: DateTime!, $t: DateTime!, $i: Interval, $z: String) { bot(id: $b) { analytics(from: $f, to: $t, interval: $i, timeZone: $z) {
			interval timeZone total { ...f } series { from to figures { ...f } } } } }
			fragment f on BotFigures { conversations messages people answers byGrounding { grounding answers } byFinishReason { finishReason answers }
				thumbsUp thumbsDown cost currency promptTokens outputTokens totalTokens byModel { model outputTokens } timeToFirstTokenMs { p50 p95 } durationMs { p50 p95 } }`
		now := time.Now()
		ask := func(from, to time.Time, interval, zone any) *reply {
			return p.ask(query, vars{"b": bot, "f": from.Format(time.RFC3339), "t": to.Format(time.RFC3339), "i": interval, "z": zone})
		}
		r := ask(now.Add(-48*time.Hour), now.Add(time.Hour), "DAY", "Asia/Kolkata")
		total := "bot.analytics.total."
		for path, want := range map[string]string{
			"conversations": "1", "messages": "2", "people": "1", "answers": "2", "thumbsUp": "1", "thumbsDown": "0",
			"byFinishReason.0.finishReason": "STOP", "byFinishReason.0.answers": "2", "byModel.0.model": "kyro-extractive-1", "currency": "EUR",
		} {
			if got := fmt.Sprint(r.get(total + path)); got != want {
				t.Errorf("%s is %s, want %s: %s", path, got, want, r.body)
			}
		}
		if told := r.number(total + "cost"); cost == 0 || math.Abs(told-cost) > 1e-9 {
			t.Errorf("all cost %v, and the answers %v: %s", told, cost, r.body)
		}
		series := r.list("bot.analytics.series")
		messages := 0.0
		for i := range series {
			messages += r.number(fmt.Sprintf("bot.analytics.series.%d.figures.messages", i))
		}
		if len(series) < 3 || messages != 2 || r.get(total+"durationMs.p95") == nil || r.number(total+"totalTokens") < 1 {
			t.Errorf("%d days with %v messages: %s", len(series), messages, r.body)
		}
		if r := ask(now.Add(-48*time.Hour), now.Add(time.Hour), nil, nil); r.text("bot.analytics.interval") != "DAY" || r.text("bot.analytics.timeZone") != "UTC" {
			t.Errorf("where nothing is said: %s", r.body)
		}

		used := `query($b: ID!, $f: DateTime!, $t: DateTime!, $n: Int) { bot(id: $b) { analytics(from: $f, to: $t) {
			topDocuments(first: $n) { documentTitle answers document { id title } }
			topPassages(first: $n) { documentTitle documentVersion quote answers document { id } chunk { text document { id } } }
			unusedDocuments(first: 1) { nodes { id title } totalCount pageInfo { hasNextPage } } } } }`
		in := func(from, to time.Time, first any) *reply {
			return p.ask(used, vars{"b": bot, "f": from.Format(time.RFC3339), "t": to.Format(time.RFC3339), "n": first})
		}
		lists := "bot.analytics."
		r = in(now.Add(-48*time.Hour), now.Add(time.Hour), 5)
		if len(r.list(lists+"topDocuments")) != 1 || r.text(lists+"topDocuments.0.document.id") != rules || r.number(lists+"topDocuments.0.answers") != 1 ||
			r.text(lists+"topPassages.0.chunk.document.id") != rules || !strings.Contains(r.text(lists+"topPassages.0.chunk.text"), r.text(lists+"topPassages.0.quote")) ||
			r.text(lists+"unusedDocuments.nodes.0.id") != unread || r.number(lists+"unusedDocuments.totalCount") != 1 {
			t.Errorf("what is used: %s", r.body)
		}
		r = in(now.Add(-48*time.Hour), now.Add(-24*time.Hour), nil)
		if len(r.list(lists+"topDocuments"))+len(r.list(lists+"topPassages")) != 0 || r.number(lists+"unusedDocuments.totalCount") != 2 ||
			r.text(lists+"unusedDocuments.nodes.0.id") != rules || r.get(lists+"unusedDocuments.pageInfo.hasNextPage") != true {
			t.Errorf("what was used the day before: %s", r.body)
		}
		p.must(`mutation($d: ID!) { deleteDocument(input: {documentId: $d}) { deletedId errors { code } } }`, vars{"d": rules})
		r = in(now.Add(-48*time.Hour), now.Add(time.Hour), nil)
		if r.text(lists+"topDocuments.0.documentTitle") != "Rules" || r.get(lists+"topDocuments.0.document") != nil || r.text(lists+"topPassages.0.quote") == "" ||
			r.get(lists+"topPassages.0.chunk") != nil || r.number(lists+"unusedDocuments.totalCount") != 1 {
			t.Errorf("what was used of what is deleted: %s", r.body)
		}
		for name, wrong := range map[string]*reply{
			"none of the most used":     in(now.Add(-time.Hour), now, 0),
			"too many of the most used": in(now.Add(-time.Hour), now, 101),
			"a time that is none":       ask(now, now, "DAY", "UTC"),
			"a zone that is none":       ask(now.Add(-time.Hour), now, "DAY", "Mars/Base"),
			"the machine's zone":        ask(now.Add(-time.Hour), now, "DAY", "Local"),
			"a path for a zone":         ask(now.Add(-time.Hour), now, "DAY", "../../etc/passwd"),
			"too many intervals":        ask(now.AddDate(-1, 0, 0), now, "HOUR", "UTC"),
			"longer than can be looked": ask(now.AddDate(-6, 0, 0), now, "WEEK", "UTC"),
		} {
			t.Log(name)
			wrong.wantCode("", "BAD_USER_INPUT")
		}
	})
}
