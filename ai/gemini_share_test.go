package ai_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/ai"
	"kyrochat/internal/gemini"
	"kyrochat/kyro"
)

// rooms are so many texts that have little in common.
func rooms(n int) []string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprintf("Room %d.", i)
	}
	return texts
}

// TestGeminiPaysOnceForPassages: where a batch fails, the vectors of the others come with the error, also of those that
// were under way; and when the rest is asked for, in smaller calls, nothing is embedded twice.
func TestGeminiPaysOnceForPassages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := within(t)
		w.e.Script(gemini.Script{Match: "Room 150.", Status: 429, RetryAfter: 30 * time.Second, Times: 1})
		w.e.Script(gemini.Script{Latency: 5 * time.Second, Times: 2}) // under way when that is refused
		texts := rooms(300)
		vectors, err := w.EmbedPassages(t.Context(), texts)
		if kyro.ErrorCode(err) != kyro.CodeUpstreamQuota || len(vectors) != 300 {
			t.Fatalf("%d vectors, %v", len(vectors), err)
		}
		var rest []string
		for i, v := range vectors {
			if v == nil {
				rest = append(rest, texts[i])
			}
		}
		if len(rest) != 100 || rest[0] != "Room 100." {
			t.Fatalf("%d texts have no vector, %v", len(rest), rest[:1])
		}
		time.Sleep(30 * time.Second)
		if vectors, err = w.EmbedPassages(t.Context(), rest); err != nil || slices.ContainsFunc(vectors, func(v []float32) bool { return v == nil }) {
			t.Fatalf("then %v", err)
		}
		took := map[string]int{}
		for _, q := range w.e.Requests() {
			if q.Status == 429 {
				continue
			}
			for _, s := range q.Texts {
				took[s]++
			}
		}
		for _, s := range texts {
			if took[s] != 1 {
				t.Errorf("%q was embedded %d times", s, took[s])
			}
		}
	})
}

// TestGeminiLearnsHowManyPassages: a refusal makes calls smaller, down to a few, and what goes well larger again.
func TestGeminiLearnsHowManyPassages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := within(t)
		sizes := func(texts int) (list []int) {
			t.Helper()
			w.e.Forget()
			if _, err := w.EmbedPassages(t.Context(), rooms(texts)); err != nil && kyro.ErrorCode(err) != kyro.CodeUpstreamQuota {
				t.Fatal(err)
			}
			for _, q := range w.e.Requests() {
				list = append(list, len(q.Texts))
			}
			time.Sleep(time.Minute)
			return list
		}
		refuse := func() { w.e.Script(gemini.Script{Status: 429, RetryAfter: time.Minute, Times: 1}) }
		refuse()
		if got := sizes(100); !slices.Equal(got, []int{100}) {
			t.Errorf("at first calls have %v texts", got)
		}
		refuse()
		if got := sizes(50); !slices.Equal(got, []int{50}) {
			t.Errorf("after a refusal calls have %v texts", got)
		}
		if got := sizes(25); !slices.Equal(got, []int{25}) {
			t.Errorf("after two calls have %v texts", got)
		}
		if got := sizes(60); !slices.Equal(got, []int{30, 30}) {
			t.Errorf("after one that went well calls have %v texts", got)
		}
		for range 10 {
			refuse()
			sizes(100)
		}
		if got := sizes(10); !slices.Equal(got, []int{5, 5}) {
			t.Errorf("after many refusals calls have %v texts", got)
		}
		for range 30 {
			sizes(100)
		}
		if got := sizes(200); !slices.Equal(got, []int{100, 100}) {
			t.Errorf("after many that went well calls have %v texts", got)
		}
	})
}

// TestGeminiKeepsNoQuestionWaitingForPassages: while documents are embedded, and are refused, questions go at once. What
// a question is refused for holds for passages too, on every node.
func TestGeminiKeepsNoQuestionWaitingForPassages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var other world
		var told []string
		w := within(t, func(cfg *ai.GeminiConfig) {
			cfg.OnPause = func(quota string, d time.Duration) {
				_, what, _ := strings.Cut(strings.TrimPrefix(quota, "gemini/"), "/")
				told = append(told, what)
				other.Pause(quota, d)
			}
		})
		other = within(t)
		ask := func(w world, question string) error {
			t.Helper()
			start := time.Now()
			_, err := w.EmbedQuestion(t.Context(), question)
			if took := time.Since(start); took != 0 {
				t.Errorf("%s took %v", question, took)
			}
			return err
		}
		embed := func(w world) error {
			_, err := w.EmbedPassages(t.Context(), rooms(1_000))
			return err
		}
		// As many calls as there may be, all of them slow.
		w.e.Script(gemini.Script{Match: "Room", Latency: 20 * time.Second})
		ended := make(chan error, 1)
		go func() { ended <- embed(w) }()
		synctest.Wait()
		if err := ask(w, "While passages take their time?"); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		// Passages are refused: questions are not.
		w.e.Reset()
		w.e.Script(gemini.Script{Match: "Room", Status: 429, RetryAfter: 36 * time.Second})
		if err := embed(w); kyro.ErrorCode(err) != kyro.CodeUpstreamQuota {
			t.Fatal(err)
		}
		for _, w := range []world{w, other} {
			if err := ask(w, "While passages are refused?"); err != nil {
				t.Error(err)
			}
			w.e.Forget()
			if err := embed(w); kyro.ErrorCode(err) != kyro.CodeUpstreamQuota || len(w.e.Requests()) != 0 || kyro.ErrorCode(w.Away()) != kyro.CodeUpstreamQuota {
				t.Errorf("passages: %v after %d calls, away: %v", err, len(w.e.Requests()), w.Away())
			}
		}
		if fmt.Sprint(told) != "["+ai.DefaultEmbeddingModel+"/passages]" {
			t.Errorf("told was %v", told)
		}
		// A question is refused: so are passages, here and there.
		time.Sleep(time.Minute)
		w.e.Reset()
		w.e.Script(gemini.Script{Status: 429, RetryAfter: 36 * time.Second})
		if err := ask(w, "While all is refused?"); kyro.ErrorCode(err) != kyro.CodeUpstreamQuota {
			t.Error(err)
		}
		for _, w := range []world{w, other} {
			w.e.Forget()
			if err := embed(w); kyro.ErrorCode(err) != kyro.CodeUpstreamQuota || len(w.e.Requests()) != 0 {
				t.Errorf("passages: %v after %d calls", err, len(w.e.Requests()))
			}
		}
	})
}

// TestGeminiLeavesQuestionsAShare: where a minute has so many texts, and a document is in the way that takes all of them
// for a quarter of an hour, people who ask are refused at first, and hardly any more later; and the document comes to
// its end.
func TestGeminiLeavesQuestionsAShare(t *testing.T) {
	t.Parallel()
	for name, split := range map[string]bool{"one node": false, "one that asks and one that works": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e, dial := gemini.Within(t, gemini.Options{Quota: 100, Keep: 100_000})
				node := func(onPause func(string, time.Duration)) *ai.Gemini {
					g, err := ai.NewGemini(ai.Within(ai.GeminiConfig{APIKey: e.Key, URL: e.URL, OnPause: onPause}, dial))
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(g.Close)
					return g
				}
				worker := node(nil)
				asker := worker
				if split {
					asker = node(worker.Pause)
				}
				ended := make(chan time.Duration)
				go func() {
					start, rest := time.Now(), rooms(600)
					for len(rest) > 0 {
						vectors, err := worker.EmbedPassages(t.Context(), rest[:min(100, len(rest))])
						var left []string
						for i, v := range vectors {
							if v == nil {
								left = append(left, rest[i])
							}
						}
						rest = append(left, rest[len(vectors):]...)
						if err != nil {
							var typed *kyro.Error
							if !errors.As(err, &typed) || typed.Code != kyro.CodeUpstreamQuota || typed.RetryAfter <= 0 || typed.RetryAfter > time.Minute {
								t.Errorf("a document is told %v", err)
								break
							}
							time.Sleep(typed.RetryAfter)
						}
					}
					ended <- time.Since(start)
				}()
				time.Sleep(time.Second)
				early, late := 0, 0
				for i := 0; ; i++ {
					if _, err := asker.EmbedQuestion(t.Context(), fmt.Sprintf("Question %d?", i)); err != nil && i < 40 {
						early++
					} else if err != nil {
						late++
					}
					select {
					case took := <-ended:
						t.Logf("%d questions and a document in %v, refused early %d, late %d", i, took, early, late)
						if took > 20*time.Minute || early == 0 || late > (i-40)/20 {
							t.Errorf("it took %v; of %d questions %d were refused early and %d late", took, i, early, late)
						}
						return
					case <-time.After(3 * time.Second):
					}
				}
			})
		})
	}
}
