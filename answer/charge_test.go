package answer_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"kyrochat/answer"
	"kyrochat/kyro"
	"kyrochat/text"
)

// What an answer may take is said before it is made: on the key that it was asked for with, with room for whatever a prompt
// (its passages, its rules) and an answer (its text, what a model thinks) may hold, and at the price of the bot's model.
func TestWhatAnAnswerMayTake(t *testing.T) {
	t.Parallel()
	prices := kyro.Prices{Models: map[string]kyro.Price{"usual": {Prompt: kyro.MoneyUnit, Output: kyro.MoneyUnit}, "dear": {Prompt: 7 * kyro.MoneyUnit, Output: 7 * kyro.MoneyUnit}}}
	set := func(c *answer.Config) {
		c.Prices, c.ModelName, c.PassageTokens, c.HistoryTokens = prices, "usual", 2_000, 3_000
	}
	inWorld(t, echo(time.Millisecond), func(t *testing.T, w *world) {
		program := w.viewer
		program.KeyID, program.Scopes = kyro.APIKeyID(9), []kyro.Scope{kyro.ScopeChat}
		sent, err := w.Send(t.Context(), program, answer.SendInput{BotID: kyro.BotID(1), Text: "How hot?", ClientMessageID: "k"})
		if err != nil {
			t.Fatal(err)
		}
		w.final(sent.Bot.ID)
		if _, err := w.Regenerate(t.Context(), w.viewer, sent.Bot.ID, "again"); err != nil {
			t.Fatal(err)
		}
		if c := w.store.charged; len(c) != 2 || c[0].KeyID != program.KeyID || !c[1].KeyID.IsZero() {
			t.Fatalf("charged %+v", c)
		}
		charge := w.store.charged[1]
		model, short, instructions := "dear", 100, strings.Repeat("Be kind. ", 500)
		plain := kyro.Bot{TopK: 5}
		opening := charge.Of(plain, "How hot?", true)
		if opening.Messages != 1 || opening.Tokens < int64(2_000+1_000+kyro.MaxOutputTokens+2_000) || opening.Cost != kyro.Money(opening.Tokens) {
			t.Errorf("a first answer may take %+v", opening)
		}
		if few := charge.Of(kyro.Bot{TopK: 2}, "How hot?", true); few.Tokens != opening.Tokens-2_000+2*600 {
			t.Errorf("one from few passages may take %+v", few)
		}
		if later := charge.Of(plain, "How hot?", false); later.Tokens < opening.Tokens+3_000 {
			t.Errorf("a later one may take %+v", later)
		}
		if long := charge.Of(plain, strings.Repeat("How hot? ", 500), true); long.Tokens < opening.Tokens+1_000 {
			t.Errorf("one to a long question may take %+v", long)
		}
		if cut := charge.Of(kyro.Bot{TopK: 5, MaxOutputTokens: &short}, "How hot?", true); cut.Tokens != opening.Tokens-kyro.MaxOutputTokens+100 {
			t.Errorf("a short one may take %+v", cut)
		}
		told := charge.Of(kyro.Bot{TopK: 5, Instructions: &instructions}, "How hot?", true)
		if told.Tokens != opening.Tokens+int64(text.Tokens(instructions)) {
			t.Errorf("with instructions it may take %+v", told)
		}
		if dear := charge.Of(kyro.Bot{TopK: 5, Model: &model}, "How hot?", true); dear.Cost != 7*opening.Cost {
			t.Errorf("of a dear model it may cost %+v", dear)
		}
	}, reads(nothing, findsPassage), set)
}

// An answer has the price of the model that wrote it, not of the one that was asked.
func TestWhatAnAnswerCosts(t *testing.T) {
	t.Parallel()
	prices := kyro.Prices{Models: map[string]kyro.Price{"scripted": {Prompt: kyro.MoneyUnit, Output: 2 * kyro.MoneyUnit}, "usual": {Prompt: 1_000 * kyro.MoneyUnit, Output: 1_000 * kyro.MoneyUnit}}}
	inWorld(t, saying(time.Millisecond, "It reaches 1,260 degrees [1]."), func(t *testing.T, w *world) {
		u := w.final(w.say("How hot?").Bot.ID).Usage
		if u == nil || u.Model != "scripted" || u.TotalTokens() == 0 || u.Cost != kyro.Money(u.PromptTokens+2*u.OutputTokens) {
			t.Errorf("usage %+v", u)
		}
	}, func(c *answer.Config) { c.Prices, c.ModelName = prices, "usual" })
}

// A question is rewritten by the server's model, whatever model the bot has, and at its price.
func TestWhatRewritingCosts(t *testing.T) {
	t.Parallel()
	prices := kyro.Prices{Models: map[string]kyro.Price{
		"usual": {Prompt: kyro.MoneyUnit, Output: kyro.MoneyUnit}, "dear": {Prompt: 100 * kyro.MoneyUnit, Output: 100 * kyro.MoneyUnit},
		"scripted": {Prompt: 100 * kyro.MoneyUnit, Output: 100 * kyro.MoneyUnit},
	}}
	rewrites := completer(func(_ context.Context, q kyro.Completion) (kyro.Completed, error) {
		if strings.Contains(q.Text, "answer>>>") {
			return kyro.Completed{}, errors.New("no titles here")
		}
		return kyro.Completed{Text: "How hot does the kiln get in winter?", Usage: kyro.MessageUsage{PromptTokens: 300, OutputTokens: 7}}, nil
	})
	inWorld(t, saying(time.Millisecond, "It is hot [1]."), func(t *testing.T, w *world) {
		turn := w.say("How hot does the kiln get?")
		first := w.final(turn.Bot.ID).Usage
		u := w.final(w.say("And in winter?", turn.Conversation.ID).Bot.ID).Usage
		if first.Cost != kyro.Money(100*first.TotalTokens()) || u.TotalTokens() < 307 || u.Cost != kyro.Money(100*(u.TotalTokens()-307)+307) {
			t.Errorf("usage %+v, of the first %+v", u, first)
		}
		model := "dear"
		estimate := func(opens bool) kyro.Spending {
			return w.store.charged[0].Of(kyro.Bot{TopK: 5, Model: &model}, "How hot?", opens)
		}
		opening, later := estimate(true), estimate(false)
		if more := later.Tokens - opening.Tokens; more < 1_300 || later.Cost-opening.Cost != kyro.Money(100*1_000+more-1_000) {
			t.Errorf("a first answer may take %+v, a later one %+v", opening, later)
		}
	}, reads(rewrites, findsPassage), func(c *answer.Config) { c.Prices, c.ModelName, c.HistoryTokens = prices, "usual", 1_000 })
}
