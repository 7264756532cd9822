package ai_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/ai"
	"kyrochat/internal/gemini"
	"kyrochat/kyro"
)

// TestCallsAreMeasured: each try, with the code of what came of it, and the ways as they are then. What a breaker keeps back is
// no call.
func TestCallsAreMeasured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var told []string
		w := within(t, func(c *ai.GeminiConfig) {
			c.Measure = func(call, code string, took time.Duration) {
				mu.Lock()
				defer mu.Unlock()
				if took < 0 || took > time.Minute {
					t.Errorf("%s took %v", call, took)
				}
				told = append(told, call+" "+code)
			}
		})
		want := func(what string, want ...string) {
			t.Helper()
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(told, want) {
				t.Errorf("%s: told of %v, want %v", what, told, want)
			}
			told = nil
		}
		question := prompt("When does the museum open?", opens)
		listen(t, w.Answer(t.Context(), question))
		want("an answer", "answer OK")
		w.e.Script(gemini.Script{Status: 500, Times: 1})
		listen(t, w.Answer(t.Context(), question))
		want("one that was tried again", "answer UPSTREAM_FAILED", "answer OK")
		for range w.Answer(t.Context(), question) {
			break
		}
		synctest.Wait()
		mu.Lock()
		if len(told) != 1 || told[0] != "answer OK" && told[0] != "answer CANCELED" {
			t.Errorf("one that its listener left: told of %v", told)
		}
		told = nil
		mu.Unlock()
		if _, err := w.EmbedQuestion(t.Context(), "When?"); err != nil {
			t.Error(err)
		}
		want("a question", "questions OK")
		if _, err := w.EmbedPassages(t.Context(), []string{"one", "two"}); err != nil {
			t.Error(err)
		}
		want("passages", "passages OK")
		if _, err := w.Complete(t.Context(), kyro.Completion{System: "Short.", Text: "Hello"}); err != nil {
			t.Error(err)
		}
		want("a completion", "complete OK")
		if got := fmt.Sprint(w.Ways()); got != "[{answers closed} {questions closed} {passages closed}]" {
			t.Errorf("the ways are %s", got)
		}

		w.e.Script(gemini.Script{Status: 503})
		for range 3 {
			listen(t, w.Answer(t.Context(), question))
		}
		if got := fmt.Sprint(w.Ways()); got != "[{answers open} {questions closed} {passages closed}]" {
			t.Errorf("after failures the ways are %s", got)
		}
		mu.Lock()
		told = nil
		mu.Unlock()
		listen(t, w.Answer(t.Context(), question))
		want("one that the breaker kept back")
	})
}
