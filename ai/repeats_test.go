package ai

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// TestRepeatsAreBounded: many calls that all fail are not tried again by everybody, and a few that do are.
func TestRepeatsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker("It", "thing", slog.New(slog.DiscardHandler))
		spend := func() (n int) {
			for b.mayRepeat() {
				n++
			}
			return n
		}
		if n := spend(); n != mostRepeats {
			t.Errorf("%d repeats at first", n)
		}
		for range 1_000 {
			outcome(t, b, nil)
		}
		if n := spend(); n != mostRepeats {
			t.Errorf("%d repeats after a thousand calls: no more are saved up", n)
		}
		repeated := 0
		for range 1_000 { // all of which want to repeat
			outcome(t, b, nil)
			if b.mayRepeat() {
				repeated++
			}
		}
		if repeated < 99 || repeated > 101 {
			t.Errorf("%d repeats of a thousand calls", repeated)
		}
		time.Sleep(2 * time.Second)
		if n := spend(); n < 10 || n > 11 {
			t.Errorf("%d repeats after two seconds", n)
		}
	})
}

// TestTriesFitIntoTheirTime: what was slow to fail is not tried again where that could take too long, nor is anything
// while too much is.
func TestTriesFitIntoTheirTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &Gemini{cfg: GeminiConfig{random: half}}
		b := newBreaker("It", "thing", slog.New(slog.DiscardHandler))
		w := &way{breaker: b}
		for _, c := range []struct {
			took time.Duration
			want bool
		}{{0, true}, {time.Second, true}, {2 * time.Second, true}, {2_500 * time.Millisecond, false}, {time.Minute, false}} {
			start := time.Now()
			again := g.newTries(3*time.Second, 2).again(t.Context(), w, &failure{again: true, took: c.took})
			if again != c.want || time.Since(start)+c.took > 3*time.Second && again {
				t.Errorf("what took %v: again %t after %v", c.took, again, time.Since(start))
			}
		}
		for b.mayRepeat() {
		}
		for _, f := range []failure{{again: true}, {again: true, quota: true}} {
			if g.newTries(3*time.Second, 2).again(t.Context(), w, &f) {
				t.Errorf("%+v is tried again while too much is", f)
			}
		}
	})
}

// TestGeminiSurvivesItsClient: a panic of the SDK fails the call, and neither the process nor what comes after.
func TestGeminiSurvivesItsClient(t *testing.T) {
	t.Parallel()
	g, err := NewGemini(GeminiConfig{APIKey: "k", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	g.client.Models = nil
	for range 3 {
		if vectors, err := g.EmbedPassages(t.Context(), []string{"a", "b"}); len(vectors) != 2 || err == nil {
			t.Errorf("%v, %v", vectors, err)
		}
		if _, err := g.EmbedQuestion(t.Context(), "a"); err == nil {
			t.Error("there is a vector of nothing")
		}
	}
	if n := g.passages.limiter.running; n != 0 {
		t.Errorf("%d places are taken for ever", n)
	}
}
