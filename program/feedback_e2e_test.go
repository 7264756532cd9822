package program

import (
	"strings"
	"testing"
)

func TestFeedback(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		s := startServer(t, env)
		p := s.signUp(t)
		bot := p.newBot()
		p.know(bot, "Rules", longAnswer)
		sent := p.send(vars{"botId": bot, "text": "What do the harbour rules of Lindau say about lamps?"})
		conversation, answer := sent.text("sendMessage.conversation.id"), sent.text("sendMessage.botMessage.id")
		p.hear(answer)
		tab := p.open(conversation, nil)
		tab.until("ConversationResync What do the harbour rules of Lindau say about lamps?")

		rate := `mutation($i: RateMessageInput!) { rateMessage(input: $i) { message { id feedback { rating reasons comment ratedAt } } errors { code field } } }`
		said := p.must(rate, vars{"i": vars{"messageId": answer, "rating": "DOWN", "reasons": []string{"OUTDATED", "OTHER", "OUTDATED"}, "comment": "The lamp\nis blue."}})
		want := `"rating":"DOWN","reasons":["OUTDATED","OTHER"],"comment":"The lamp\nis blue.","ratedAt":"2`
		if !strings.Contains(string(said.body), want) {
			t.Errorf("%s, want %s", said.body, want)
		}
		tab.until("MessageChanged " + answer + " COMPLETED")
		read := `query($m: ID!) { message(id: $m) { feedback { rating reasons comment } } }`
		if r := p.must(read, vars{"m": answer}); r.text("message.feedback.rating") != "DOWN" {
			t.Errorf("read: %s", r.body)
		}
		if r := p.must(rate, vars{"i": vars{"messageId": answer, "rating": "UP"}}); !strings.Contains(string(r.body), `"rating":"UP","reasons":[],"comment":null`) {
			t.Errorf("changed: %s", r.body)
		}
		for name, wrong := range map[string]vars{
			"reasons":   {"messageId": answer, "rating": "UP", "reasons": []string{"WRONG"}},
			"comment":   {"messageId": answer, "rating": "UP", "comment": strings.Repeat("x", 2_001)},
			"rating":    {"messageId": answer, "comment": "Nothing else."},
			"messageId": {"messageId": sent.text("sendMessage.userMessage.id"), "rating": "UP"},
		} {
			r := p.ask(rate, vars{"i": wrong})
			r.wantCode("rateMessage", "VALIDATION")
			if !strings.Contains(string(r.body), `"field":["`+name+`"]`) {
				t.Errorf("%s: %s", name, r.body)
			}
		}
		if r := p.must(read, vars{"m": answer}); r.text("message.feedback.rating") != "UP" {
			t.Errorf("what was refused changed it: %s", r.body)
		}
		if r := p.must(rate, vars{"i": vars{"messageId": answer}}); !strings.Contains(string(r.body), `"feedback":null`) {
			t.Errorf("taken back: %s", r.body)
		}
	})
}
