package program

import (
	"strings"
	"testing"
	"time"

	"kyrochat/internal/gemini"
)

// TestAQuotaOfOneNodeIsThatOfAll lets one of two nodes be told to wait: with Redis the other one does not ask either, and
// without it finds out by itself.
func TestAQuotaOfOneNodeIsThatOfAll(t *testing.T) {
	t.Parallel()
	for name, withRedis := range map[string]bool{"redis": true, "database alone": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := startUpstreams(t, gemini.Options{})
			w := startTown(t, withRedis, u.env())
			p := w.servers[0].signUp(t)
			elsewhere := p.at(w.servers[1])
			bot := p.newBot()
			p.know(bot, "Tea Book", teaText)
			const question = "When does the tea house on Pepper Lane open?"
			if finished, _ := elsewhere.chat(vars{"botId": bot, "text": question}); finished.text("messageStream.message.status") != "COMPLETED" {
				t.Fatalf("%s", finished.body)
			}

			u.gemini.Forget()
			u.gemini.Script(gemini.Script{Kind: gemini.KindAnswer, Status: 429, RetryAfter: 30 * time.Minute, Message: bodyCanary})
			asks := func(p *person, calls int) {
				t.Helper()
				finished, text := p.chat(vars{"botId": bot, "text": question})
				if code := finished.text("messageStream.message.error.code"); code != "UPSTREAM_QUOTA" || text != "" {
					t.Errorf("%s", finished.body)
				}
				if n := len(u.gemini.RequestsOf(gemini.KindAnswer)); n != calls {
					t.Errorf("Gemini was asked %d times, want %d", n, calls)
				}
			}
			asks(p, 1)
			if withRedis {
				waitUntil(t, "the other node is told", func() bool { return strings.Contains(readiness(t, w.servers[1].admin), "Gemini") })
				asks(elsewhere, 1)
			} else {
				asks(elsewhere, 2)
			}
			asks(p, pick(withRedis, 1, 2))
			asks(elsewhere, pick(withRedis, 1, 2))
		})
	}
}

// TestAQuotaOfEmbeddingsIsThatOfAll is the same for documents: the worker of the other node does not send passages.
func TestAQuotaOfEmbeddingsIsThatOfAll(t *testing.T) {
	t.Parallel()
	u := startUpstreams(t, gemini.Options{})
	w := startTown(t, true, u.env())
	p := w.servers[0].signUp(t)
	bot := p.newBot()
	u.gemini.Script(gemini.Script{Kind: gemini.KindEmbed, Status: 429, RetryAfter: 30 * time.Minute, Message: bodyCanary})
	p.waiting(p.upload(bot, "one.txt", []byte(teaText)).text("uploadDocument.document.id"))
	for _, s := range w.servers {
		waitUntil(t, "every node is told", func() bool { return strings.Contains(readiness(t, s.admin), "Gemini") })
	}
	for i, text := range []string{longAnswer, chineseTea, "Keep tea dry.", "Keep it dark.", "Keep it."} {
		told := p.at(w.servers[i%2]).waiting(p.at(w.servers[i%2]).upload(bot, "more.txt", []byte(text)).text("uploadDocument.document.id"))
		if told.text("documentProgress.status") != "WAITING_QUOTA" {
			t.Errorf("%s", told.body)
		}
	}
	if calls := len(u.passageCalls()); calls != 1 {
		t.Errorf("passages were sent %d times, want 1", calls)
	}
}
