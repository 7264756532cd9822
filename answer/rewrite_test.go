package answer_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/answer"
	"kyrochat/kyro"
)

// searching is a retriever that keeps what it is asked for.
type searching struct {
	retriever
	mu      sync.Mutex
	queries []string
	history []int
}

func (s *searching) Retrieve(ctx context.Context, _ kyro.Bot, question string, history []kyro.Message) (answer.Retrieved, error) {
	s.mu.Lock()
	s.queries, s.history = append(s.queries, question), append(s.history, len(history))
	s.mu.Unlock()
	return s.retriever(ctx, question)
}

func (s *searching) last() (query string, history int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queries[len(s.queries)-1], s.history[len(s.history)-1]
}

func TestQuestionsAreRewrittenWhereTheyDependOnTheHistory(t *testing.T) {
	t.Parallel()
	const first = "How hot does the kiln get in the workshop?"
	for _, c := range []struct {
		name, first, second, gives string
		want                       string // that is searched; "": the question with the history
		asks                       bool
	}{
		{"a pronoun", first, "How long does it take?", "How long does the kiln take to get hot?", "How long does the kiln take to get hot?", true},
		{"a pronoun beside a name", first, "Does it comply with ISO 13943 in Berlin?", "Does the kiln comply with ISO 13943 in Berlin?",
			"Does the kiln comply with ISO 13943 in Berlin?", true},
		{"an opening", first, "And in winter?", "How hot does the kiln get in winter?", "How hot does the kiln get in winter?", true},
		{"quoted", first, "And in winter?", "\"How hot does the kiln get in winter?\"\n", "How hot does the kiln get in winter?", true},
		{"Spanish", "¿Qué profundidad tiene el lago?", "¿Y en invierno?", "¿Qué profundidad tiene el lago en invierno?",
			"¿Qué profundidad tiene el lago en invierno?", true},
		{"German", "Wie heiß wird der Ofen in der Werkstatt?", "Und im Winter?", "Wie heiß wird der Ofen im Winter?", "Wie heiß wird der Ofen im Winter?", true},
		{"German, another", "Wie heiß wird der Ofen in der Werkstatt?", "Wie lange dauert das ungefähr bei dem anderen?",
			"Wie lange dauert das bei dem anderen Ofen der Werkstatt?", "Wie lange dauert das bei dem anderen Ofen der Werkstatt?", true},
		{"Chinese", "窑的温度有多高？", "那冬天呢？", "冬天窑的温度有多高？", "冬天窑的温度有多高？", true},

		{"it stands alone", first, "Which colour does the roof of the old town hall have?", "no", "", false},
		{"it stands alone, with an article", "Wie heiß wird der Ofen?", "Wie hoch ist das Dach von dem alten Rathaus in Berlin?", "no", "", false},
		{"nothing", first, "And in winter?", " \n", "", true},
		{"several lines", first, "And in winter?", "How hot is the kiln\nin winter?", "", true},
		{"an answer", first, "And in winter?", "Sorry, I am unable to help you with such requests.", "", true},
		{"too long", first, "And in winter?", strings.Repeat("How hot does the kiln get in winter? ", 20), "", true},
		{"another language", first, "How long does it take to get that hot?", "¿Cuánto tarda el horno del taller en llegar a la temperatura?", "", true},
		{"a marking line", first, "And in winter?", "<<<question>>> How hot does the kiln get in winter?", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			search, r := &searching{retriever: findsPassage}, &reading{pieces: []string{"It is hot [1]."}}
			var mu sync.Mutex
			var asked []kyro.Completion
			with := completer(func(_ context.Context, q kyro.Completion) (kyro.Completed, error) {
				if strings.Contains(q.Text, "answer>>>") {
					return kyro.Completed{}, errors.New("no titles here")
				}
				mu.Lock()
				defer mu.Unlock()
				asked = append(asked, q)
				return kyro.Completed{Text: c.gives, Usage: kyro.MessageUsage{PromptTokens: 100, OutputTokens: 7}}, nil
			})
			inWorld(t, model(r.model), func(t *testing.T, w *world) {
				turn := w.say(c.first)
				w.final(turn.Bot.ID)
				m := w.final(w.say(c.second, turn.Conversation.ID).Bot.ID)
				query, history := search.last()
				want, before := c.want, 0
				if want == "" {
					want, before = c.second, 2
				}
				if query != want || history != before {
					t.Errorf("searched %q with %d messages, want %q with %d", query, history, want, before)
				}
				if p := r.last(t); p.Question != c.second || !strings.Contains(p.Messages[len(p.Messages)-1].Text, c.second) {
					t.Errorf("the model is asked %q", p.Question)
				}
				prompt, output := 10, 5
				if c.asks {
					prompt, output = 110, 12
				}
				if u := m.Usage; u.PromptTokens != prompt || u.OutputTokens != output || u.Model != "scripted" {
					t.Errorf("usage %+v", u)
				}
				if c.asks != (len(asked) == 1) {
					t.Fatalf("asked %d times", len(asked))
				}
				if c.asks {
					checkRewriting(t, asked[0], c.first, c.second)
				}
			}, reads(with, nil), func(c *answer.Config) { c.Retriever = search })
		})
	}
}

func checkRewriting(t *testing.T, asked kyro.Completion, first, second string) {
	t.Helper()
	nonce, _, _ := strings.Cut(strings.TrimPrefix(asked.Text, "<<<"), " ")
	for _, part := range []string{
		"<<<" + nonce + " user>>>\n" + first + "\n<<<" + nonce + " end>>>\n", "<<<" + nonce + " bot>>>\nIt is hot [1].\n",
		"<<<" + nonce + " question>>>\n" + second + "\n<<<" + nonce + " end>>>",
	} {
		if len(nonce) != 32 || !strings.Contains(asked.Text, part) {
			t.Errorf("%q is not in:\n%s", part, asked.Text)
		}
	}
	if asked.MaxOutputTokens < 50 || asked.System == "" || strings.Contains(asked.System, first) {
		t.Errorf("asked %+v", asked)
	}
}

func TestRewritingTakesItsTimeAtMost(t *testing.T) {
	t.Parallel()
	search := &searching{retriever: findsPassage}
	slow := completer(func(ctx context.Context, _ kyro.Completion) (kyro.Completed, error) {
		return kyro.Completed{}, wait(ctx, time.Hour)
	})
	inWorld(t, saying(250*time.Millisecond, "Hot."), func(t *testing.T, w *world) {
		turn := w.say("How hot does the kiln get?")
		if m := w.final(turn.Bot.ID); *m.Usage.TimeToFirstTokenMs != 250 {
			t.Errorf("without history: first token after %d ms", *m.Usage.TimeToFirstTokenMs)
		}
		m := w.final(w.say("And in winter?", turn.Conversation.ID).Bot.ID)
		if query, history := search.last(); query != "And in winter?" || history != 2 {
			t.Errorf("searched %q with %d messages", query, history)
		}
		if u := m.Usage; *u.TimeToFirstTokenMs != 1_750 || u.PromptTokens != 10 {
			t.Errorf("usage %+v, first token after %d ms", u, *u.TimeToFirstTokenMs)
		}
	}, reads(slow, nil), func(c *answer.Config) { c.Retriever = search })
}

func TestStopWhileRewriting(t *testing.T) {
	t.Parallel()
	cancelled := make(chan time.Time, 1)
	slow := completer(func(ctx context.Context, q kyro.Completion) (kyro.Completed, error) {
		if !strings.Contains(q.Text, "winter") {
			return kyro.Completed{}, errors.New("no titles here")
		}
		err := wait(ctx, time.Hour)
		cancelled <- time.Now()
		return kyro.Completed{}, err
	})
	r := &reading{pieces: []string{"Hot."}}
	inWorld(t, model(r.model), func(t *testing.T, w *world) {
		turn := w.say("How hot does the kiln get?")
		w.final(turn.Bot.ID)
		second := w.say("And in winter?", turn.Conversation.ID)
		synctest.Wait()
		begun := time.Now()
		checkStopped(t, w.stop(second.Bot.ID), "")
		if at := <-cancelled; !at.Equal(begun) || time.Since(begun) != 0 {
			t.Errorf("cancelled after %v, stopped after %v", at.Sub(begun), time.Since(begun))
		}
		if r.asked() != 1 {
			t.Errorf("the model was asked %d times", r.asked())
		}
	}, reads(slow, findsPassage))
}

// A retriever that does not notice the stop makes no difference: the model is not asked any more.
func TestStopWhileRetrievingAsksNoModel(t *testing.T) {
	t.Parallel()
	r := &reading{pieces: []string{"Hot."}}
	inWorld(t, model(r.model), func(t *testing.T, w *world) {
		turn := w.say("How hot does the kiln get?")
		synctest.Wait()
		checkStopped(t, w.stop(turn.Bot.ID), "")
		if r.asked() > 0 {
			t.Error("the model was asked")
		}
	}, reads(nothing, func(context.Context, string) (answer.Retrieved, error) {
		time.Sleep(time.Second)
		return findsPassage(context.Background(), "")
	}))
}

// A stop that another node was asked for ends the asking of the model within a second, and keeps the text.
func TestStopFromElsewhereCancelsTheModel(t *testing.T) {
	t.Parallel()
	cancelled := make(chan time.Time, 1)
	hanging := model(func(ctx context.Context, _ kyro.Prompt, yield func(kyro.Delta, error) bool) {
		yield(kyro.Delta{Text: "Half of it [1]"}, nil)
		<-ctx.Done()
		cancelled <- time.Now()
		yield(kyro.Delta{}, ctx.Err())
	})
	inWorld(t, hanging, func(t *testing.T, w *world) {
		turn := w.say("How hot does the kiln get?")
		synctest.Wait()
		begun := time.Now()
		if _, err := w.store.RequestStop(t.Context(), w.viewer.UserID, turn.Bot.ID, begun); err != nil {
			t.Fatal(err)
		}
		m := w.final(turn.Bot.ID)
		checkStopped(t, m, "Half of it [1]")
		if d := (<-cancelled).Sub(begun); d > time.Second || len(m.Citations) != 1 {
			t.Errorf("cancelled after %v, citations %v", d, m.Citations)
		}
	}, reads(nothing, findsPassage))
}

func TestGroundingIsWorkedOutWhereTheModelDoesNotSay(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]kyro.Grounding{
		"The kiln reaches 1,260 degrees [1].":                        kyro.Grounded,
		"It reaches 1,260 degrees [1]. It weighs 90 kg.":             kyro.GroundedPartly,
		`It says "the kiln never reaches any heat" [1].`:             kyro.GroundingNotFound,
		"I could not find an answer to that in my documents.":        kyro.GroundingNotFound,
		"Kilns are lined with bricks.":                               kyro.GroundingNotFound,
		"It reaches 1,260 degrees [1]. See ![x](https://a.test) [2]": kyro.GroundedPartly,
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			r := &reading{pieces: strings.SplitAfter(text, " ")}
			inWorld(t, model(r.model), func(t *testing.T, w *world) {
				m := w.final(w.say("How hot does the kiln get?").Bot.ID)
				if *m.Grounding != want {
					t.Errorf("%q: %s, want %s; citations %q", m.Text, *m.Grounding, want, cited(m.Citations))
				}
			}, reads(nothing, findsPassage))
		})
	}
}
