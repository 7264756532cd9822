package main

import (
	"fmt"
	"testing"
	"time"
)

func TestAnalytics(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, env map[string]string) {
		s := startServer(t, env)
		p := s.signUp(t)
		bot := p.newBot()
		p.know(bot, "Rules", longAnswer)
		conversation := ""
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
			if i == 0 {
				p.must(`mutation($m: ID!) { rateMessage(input: {messageId: $m, rating: UP}) { errors { code } } }`, vars{"m": answer})
			}
		}
		query := `query($b: ID!, $f: DateTime!, $t: DateTime!, $i: Interval, $z: String) { bot(id: $b) { analytics(from: $f, to: $t, interval: $i, timeZone: $z) {
			interval timeZone total { ...f } series { from to figures { ...f } } } } }
			fragment f on BotFigures { conversations messages people answers byGrounding { grounding answers } byFinishReason { finishReason answers }
				thumbsUp thumbsDown promptTokens outputTokens totalTokens byModel { model outputTokens } timeToFirstTokenMs { p50 p95 } durationMs { p50 p95 } }`
		now := time.Now()
		ask := func(from, to time.Time, interval, zone any) *reply {
			return p.ask(query, vars{"b": bot, "f": from.Format(time.RFC3339), "t": to.Format(time.RFC3339), "i": interval, "z": zone})
		}
		r := ask(now.Add(-48*time.Hour), now.Add(time.Hour), "DAY", "Asia/Kolkata")
		total := "bot.analytics.total."
		for path, want := range map[string]string{
			"conversations": "1", "messages": "2", "people": "1", "answers": "2", "thumbsUp": "1", "thumbsDown": "0",
			"byFinishReason.0.finishReason": "STOP", "byFinishReason.0.answers": "2", "byModel.0.model": "kyro-extractive-1",
		} {
			if got := fmt.Sprint(r.get(total + path)); got != want {
				t.Errorf("%s is %s, want %s: %s", path, got, want, r.body)
			}
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
		for name, wrong := range map[string]*reply{
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
