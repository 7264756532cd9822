package ai_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/ai"
	"kyrochat/internal/gemini"
	"kyrochat/kyro"
)

// TestGeminiQuotasAreShared: what one node was told, another keeps to, and neither asks before the time.
func TestGeminiQuotasAreShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var other world
		var paused []string
		w := within(t, func(cfg *ai.GeminiConfig) {
			cfg.OnPause = func(quota string, d time.Duration) {
				paused = append(paused, fmt.Sprint(d))
				if strings.Contains(quota, cfg.APIKey) || !strings.HasSuffix(quota, ai.DefaultGeminiModel) {
					t.Errorf("the quota is named %s", quota)
				}
				other.Pause(quota, d)
			}
		})
		other = within(t, func(cfg *ai.GeminiConfig) {
			cfg.OnPause = func(quota string, d time.Duration) { t.Errorf("%s was told on for %v", quota, d) }
		})
		w.e.Script(gemini.Script{Status: 429, RetryAfter: 36 * time.Second, Times: 1})
		ask := func(w world) error { return listen(t, w.Answer(t.Context(), prompt("hi"))).err }
		if err := ask(w); kyro.ErrorCode(err) != kyro.CodeUpstreamQuota {
			t.Fatal(err)
		}
		if fmt.Sprint(paused) != "[36s]" {
			t.Errorf("paused: %v", paused)
		}
		time.Sleep(6 * time.Second)
		for _, w := range []world{w, other} {
			calls := len(w.e.Requests())
			start := time.Now()
			err := ask(w)
			var typed *kyro.Error
			if !errors.As(err, &typed) || typed.Code != kyro.CodeUpstreamQuota || typed.RetryAfter != 30*time.Second || time.Since(start) != 0 {
				t.Errorf("got %v after %v", err, time.Since(start))
			}
			if away := w.Away(); kyro.ErrorCode(away) != kyro.CodeUpstreamQuota {
				t.Errorf("away: %v", away)
			}
			if len(w.e.Requests()) != calls {
				t.Error("it was asked while it was closed")
			}
			// Another model of the same key is not concerned.
			p := prompt("hi")
			p.Bot = botWith("gemini-3.6-flash")
			if h := listen(t, w.Answer(t.Context(), p)); h.err != nil {
				t.Error(h.err)
			}
		}
		time.Sleep(28 * time.Second)
		start := time.Now() // two seconds are worth waiting for
		if err := ask(w); err != nil || time.Since(start) != 2*time.Second || w.Away() != nil {
			t.Errorf("then %v after %v", err, time.Since(start))
		}
		w.Pause("gemini/00000000/"+ai.DefaultGeminiModel, time.Hour) // of another key
		w.Pause("nonsense", time.Hour)
		if err := ask(w); err != nil {
			t.Errorf("a pause of another key: %v", err)
		}
	})
}

// TestGeminiIsLeftAloneWhereItFails: after five failures in a row it is not asked for 15 s, then once.
func TestGeminiIsLeftAloneWhereItFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := within(t)
		w.e.Script(gemini.Script{Kind: gemini.KindAnswer, Status: 503})
		ask := func() error { return listen(t, w.Answer(t.Context(), prompt("When does the museum open?", opens))).err }
		for w.Away() == nil {
			if err := ask(); kyro.ErrorCode(err) != kyro.CodeUpstreamFailed {
				t.Fatal(err)
			}
		}
		if n := len(w.e.Requests()); n != 5 {
			t.Errorf("%d calls before it was left alone", n)
		}
		start := time.Now()
		err := ask()
		var typed *kyro.Error
		if !errors.As(err, &typed) || typed.Code != kyro.CodeUpstreamFailed || typed.RetryAfter <= 0 || time.Since(start) != 0 || len(w.e.Requests()) != 5 {
			t.Errorf("got %v after %v, %d calls", err, time.Since(start), len(w.e.Requests()))
		}
		if _, err := w.EmbedQuestion(t.Context(), "Dogs?"); err != nil {
			t.Errorf("embeddings, which work: %v", err)
		}
		time.Sleep(16 * time.Second)
		w.e.Reset()
		w.e.Script(gemini.Script{Kind: gemini.KindAnswer, Pieces: []string{"One ", "two."}, Pace: 5 * time.Second, Times: 1})
		probed := make(chan heard)
		go func() { probed <- listen(t, w.Answer(t.Context(), prompt("probe"))) }()
		synctest.Wait()
		if err := ask(); kyro.ErrorCode(err) != kyro.CodeUpstreamFailed {
			t.Errorf("while one call tries: %v", err)
		}
		time.Sleep(6 * time.Second)
		if err := ask(); err != nil || w.Away() != nil {
			t.Errorf("after the first piece of the one that tries: %v", err)
		}
		if h := <-probed; h.text != "One two." || h.err != nil {
			t.Errorf("the one that tried heard %+v", h)
		}
	})
}

// TestGeminiIsNotBlamedForWhoLeaves: people who give up, by themselves or by their clocks, say nothing about it.
func TestGeminiIsNotBlamedForWhoLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := within(t)
		w.e.Script(gemini.Script{Then: gemini.Hang})
		for range 20 {
			ctx, leave := context.WithTimeout(t.Context(), time.Second)
			if h := listen(t, w.Answer(ctx, prompt("hi"))); !errors.Is(h.err, context.DeadlineExceeded) {
				t.Errorf("heard %+v", h)
			}
			leave()
		}
		if err := w.Away(); err != nil {
			t.Errorf("after twenty who left: %v", err)
		}
		for range 5 {
			if h := listen(t, w.Answer(t.Context(), prompt("hi"))); kyro.ErrorCode(h.err) != kyro.CodeTimeout {
				t.Errorf("heard %+v", h)
			}
		}
		if w.Away() == nil {
			t.Error("it hung for five who waited, and is still asked")
		}
	})
}

// TestGeminiSaysNoInTime: the calls for one turn follow each other, and where all fail it takes less than five seconds.
func TestGeminiSaysNoInTime(t *testing.T) {
	t.Parallel()
	for _, script := range []gemini.Script{{Status: 503}, {Status: 429}, {Then: gemini.Drop}} {
		synctest.Test(t, func(t *testing.T) {
			w := within(t)
			w.e.Script(script)
			start := time.Now()
			if _, err := w.Complete(t.Context(), kyro.Completion{Text: "hi"}); err == nil {
				t.Error("it completed")
			}
			if _, err := w.EmbedQuestion(t.Context(), "hi"); err == nil {
				t.Error("it embedded")
			}
			if h := listen(t, w.Answer(t.Context(), prompt("hi"))); h.err == nil {
				t.Error("it answered")
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("%+v took %v", script, took)
			}
		})
	}
}

// TestGeminiStaysForOthersWhereABotIsWrong: a model that does not exist is no failure of Gemini.
func TestGeminiStaysForOthersWhereABotIsWrong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := within(t)
		p := prompt("hi")
		p.Bot = botWith("gemini-9")
		for range 20 {
			if h := listen(t, w.Answer(t.Context(), p)); kyro.ErrorCode(h.err) != kyro.CodeUpstreamFailed {
				t.Fatal(h.err)
			}
		}
		if h := listen(t, w.Answer(t.Context(), prompt("hi"))); h.err != nil {
			t.Errorf("another bot: %v", h.err)
		}
		if n := strings.Count(w.log.String(), "gemini-9"); n != 1 {
			t.Errorf("it was logged %d times", n)
		}
	})
}

// TestGeminiFailsByModel: a model that a bot names and that fails takes nothing from the bots of others, and passages that
// fail take nothing from questions.
func TestGeminiFailsByModel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := within(t)
		w.e.Script(gemini.Script{Model: "gemini-3.6-flash", Status: 503}, gemini.Script{Match: "Room", Status: 503})
		p := prompt("hi")
		p.Bot = botWith("gemini-3.6-flash")
		for range 10 {
			if h := listen(t, w.Answer(t.Context(), p)); kyro.ErrorCode(h.err) != kyro.CodeUpstreamFailed {
				t.Fatal(h.err)
			}
		}
		if n := len(w.e.Requests()); n != 5 {
			t.Errorf("%d calls before the model was left alone", n)
		}
		if h := listen(t, w.Answer(t.Context(), prompt("hi"))); h.err != nil || w.Away() != nil {
			t.Errorf("another bot: %v, away: %v", h.err, w.Away())
		}
		for range 10 {
			if _, err := w.EmbedPassages(t.Context(), []string{"Room 1."}); kyro.ErrorCode(err) != kyro.CodeUpstreamFailed {
				t.Fatal(err)
			}
		}
		if _, err := w.EmbedQuestion(t.Context(), "Dogs?"); err != nil {
			t.Errorf("a question: %v", err)
		}
		if w.Away() == nil {
			t.Error("passages fail, and nobody hears of it")
		}
	})
}
