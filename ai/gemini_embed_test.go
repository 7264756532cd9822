package ai_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/ai"
	"kyrochat/internal/gemini"
	"kyrochat/kyro"
	"kyrochat/text"
)

func TestGeminiEmbedsPassages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := within(t)
		texts := []string{"The museum opens at nine.", "Dogs stay outside.", "The museum opens at nine.", ""}
		vectors, err := w.EmbedPassages(t.Context(), texts)
		if err != nil || len(vectors) != 4 {
			t.Fatalf("%d vectors, %v", len(vectors), err)
		}
		for i, v := range vectors {
			if len(v) != ai.DefaultEmbeddingDims || math.Abs(length(v)-1) > 1e-5 {
				t.Errorf("vector %d has %d dimensions and length %f", i, len(v), length(v))
			}
		}
		if !slices.Equal(vectors[0], vectors[2]) || slices.Equal(vectors[0], vectors[1]) {
			t.Error("vectors are not those of their texts")
		}
		list := w.e.Requests()
		if len(list) != 1 || len(list[0].Texts) != 3 || list[0].TaskType != "RETRIEVAL_DOCUMENT" || list[0].Dims != ai.DefaultEmbeddingDims {
			t.Errorf("asked was %+v", list)
		}
		if none, err := w.EmbedPassages(t.Context(), nil); err != nil || len(none) != 0 || len(w.e.Requests()) != 1 {
			t.Errorf("no texts gave %v, %v", none, err)
		}
	})
}

func TestGeminiEmbedsInBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := within(t)
		w.e.Script(gemini.Script{Latency: time.Second})
		var texts []string
		for i := range 250 { // short ones: 100 at a time
			texts = append(texts, fmt.Sprintf("Room %d", i))
		}
		for i := range 50 { // long ones: 20,000 tokens at a time
			texts = append(texts, fmt.Sprintf("Hall %d ", i)+strings.Repeat("wonderful paintings ", 200))
		}
		texts = append(texts, strings.Repeat("endless words ", 5_000)) // longer than the model reads
		start := time.Now()
		vectors, err := w.EmbedPassages(t.Context(), texts)
		if err != nil || len(vectors) != len(texts) || slices.ContainsFunc(vectors, func(v []float32) bool { return v == nil }) {
			t.Fatalf("%d vectors, %v", len(vectors), err)
		}
		list := w.e.Requests()
		for _, q := range list {
			tokens := 0
			for _, s := range q.Texts {
				tokens += text.Tokens(s)
				if text.Tokens(s) > 2_048*3/4 {
					t.Errorf("a text of %d tokens was sent", text.Tokens(s))
				}
			}
			if len(q.Texts) > 100 || tokens > 20_000 {
				t.Errorf("a batch has %d texts with %d tokens", len(q.Texts), tokens)
			}
		}
		// Three at once, which the second of latency shows.
		if took, least := time.Since(start), time.Duration((len(list)+2)/3)*time.Second; took != least {
			t.Errorf("%d batches took %v, want %v", len(list), took, least)
		}
		one, err := w.EmbedPassages(t.Context(), texts[120:121])
		if err != nil || !slices.Equal(one[0], vectors[120]) {
			t.Errorf("text 120 has the vector of another (%v)", err)
		}
	})
}

func TestGeminiTellsTheSecondModelInWords(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := within(t, func(cfg *ai.GeminiConfig) { cfg.EmbeddingModel, cfg.EmbeddingDims = "gemini-embedding-2", 3072 })
		if _, err := w.EmbedPassages(t.Context(), []string{"Dogs stay outside."}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.EmbedQuestion(t.Context(), "Dogs?"); err != nil {
			t.Fatal(err)
		}
		list := w.e.Requests()
		if list[0].TaskType+list[1].TaskType != "" || list[0].Texts[0] != "title: none | text: Dogs stay outside." || list[1].Texts[0] != "task: search result | query: Dogs?" {
			t.Errorf("asked was %+v", list)
		}
	})
}

func TestGeminiEmbeddingMisbehaves(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script gemini.Script
		code   kyro.Code
		calls  int
		retry  time.Duration
		within time.Duration
	}{
		"500, then fine":      {script: gemini.Script{Status: 500, Times: 1}, calls: 2},
		"500":                 {script: gemini.Script{Status: 500}, code: kyro.CodeUpstreamFailed, calls: 3},
		"quota":               {script: gemini.Script{Status: 429, RetryAfter: 30 * time.Second}, code: kyro.CodeUpstreamQuota, calls: 1, retry: 30 * time.Second},
		"daily quota":         {script: gemini.Script{Status: 429, Daily: true}, code: kyro.CodeUpstreamQuota, calls: 1, retry: time.Hour},
		"hang":                {script: gemini.Script{Then: gemini.Hang}, code: kyro.CodeTimeout, calls: 1, within: 30 * time.Second},
		"drop":                {script: gemini.Script{Then: gemini.Drop}, code: kyro.CodeUpstreamFailed, calls: 3},
		"wrong dimensions":    {script: gemini.Script{Dims: 256}, code: kyro.CodeUpstreamFailed, calls: 1},
		"too few embeddings":  {script: gemini.Script{Missing: 1}, code: kyro.CodeUpstreamFailed, calls: 1},
		"too many embeddings": {script: gemini.Script{Missing: -1}, code: kyro.CodeUpstreamFailed, calls: 1},
		"a text it refuses":   {script: gemini.Script{Status: 400}, code: kyro.CodeValidation, calls: 1},
		"an unknown model":    {script: gemini.Script{Status: 404}, code: kyro.CodeUpstreamFailed, calls: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := within(t)
				w.e.Script(c.script)
				start := time.Now()
				vectors, err := w.EmbedPassages(t.Context(), []string{opens, "Dogs stay outside."})
				if kyro.ErrorCode(err) != c.code || len(vectors) != 2 || (err == nil) != (vectors[0] != nil) || (err == nil) != (vectors[1] != nil) {
					t.Errorf("%d vectors, %v, want %s", len(vectors), err, c.code)
				}
				var typed *kyro.Error
				if errors.As(err, &typed) && typed.RetryAfter != c.retry {
					t.Errorf("told to wait for %v", typed.RetryAfter)
				}
				if n := len(w.e.Requests()); n != c.calls {
					t.Errorf("%d calls, want %d", n, c.calls)
				}
				if took := time.Since(start); took > cmpOr(c.within, 5*time.Second) {
					t.Errorf("it took %v", took)
				}
				checkSecrets(t, w, err, prompt("?"))
			})
		})
	}
}

// TestGeminiJoinsQuestions: one who is alone is sent at once, all who come meanwhile go together, and nothing twice.
func TestGeminiJoinsQuestions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := within(t)
		w.e.Script(gemini.Script{Latency: 50 * time.Millisecond})
		const people = 300
		vectors := make([][]float32, people)
		ended := make(chan error, people)
		for i := range people {
			go func() {
				v, err := w.EmbedQuestion(t.Context(), fmt.Sprintf("Question %d?", i%150))
				vectors[i] = v
				ended <- err
			}()
		}
		for range people {
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
		}
		list := w.e.Requests()
		sent := map[string]int{}
		for _, q := range list {
			if q.TaskType != "RETRIEVAL_QUERY" {
				t.Errorf("sent as %s", q.TaskType)
			}
			for _, s := range q.Texts {
				sent[s]++
			}
		}
		if len(list) > 4 || len(sent) != 150 {
			t.Errorf("%d calls with %d questions", len(list), len(sent))
		}
		for s, n := range sent {
			if n != 1 {
				t.Errorf("%q was sent %d times", s, n)
			}
		}
		for i := range people {
			if math.Abs(length(vectors[i])-1) > 1e-5 || !slices.Equal(vectors[i], vectors[(i+150)%people]) {
				t.Errorf("question %d has another vector than its twin", i)
			}
		}

		// Somebody who is alone waits for nobody, and what was asked of late is known.
		start := time.Now()
		if _, err := w.EmbedQuestion(t.Context(), "Alone?"); err != nil || time.Since(start) != 50*time.Millisecond {
			t.Errorf("alone it took %v (%v)", time.Since(start), err)
		}
		start = time.Now()
		again, err := w.EmbedQuestion(t.Context(), "Question 7?")
		if err != nil || time.Since(start) != 0 || !slices.Equal(again, vectors[7]) {
			t.Errorf("again it took %v (%v)", time.Since(start), err)
		}
		again[0] = 42 // the caller's own
		if v, _ := w.EmbedQuestion(t.Context(), "Question 7?"); v[0] == 42 {
			t.Error("a vector that was given is shared")
		}
	})
}

func TestGeminiQuestionersLeaveAndFail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := within(t)
		w.e.Script(gemini.Script{Latency: time.Second, Times: 2})
		type result struct {
			who string
			err error
		}
		ended := make(chan result, 4)
		ask := func(ctx context.Context, who, question string) {
			_, err := w.EmbedQuestion(ctx, question)
			ended <- result{who, err}
		}
		first, leave := context.WithCancel(t.Context())
		go ask(first, "first", "One?")
		synctest.Wait()
		second, leaveToo := context.WithCancel(t.Context())
		go ask(second, "second", "Two?") // begins the joint call
		synctest.Wait()
		go ask(t.Context(), "third", "Three?")
		go ask(t.Context(), "twin", "One?") // waits for the call of the first
		synctest.Wait()
		leave()
		leaveToo()
		for range 4 {
			r := <-ended
			left := r.who == "first" || r.who == "second"
			if left != errors.Is(r.err, context.Canceled) || !left && r.err != nil {
				t.Errorf("the %s got %v", r.who, r.err)
			}
		}
		if n := len(w.e.Requests()); n != 2 {
			t.Errorf("%d calls", n)
		}

		// A failure is everybody's, and is not kept.
		w.e.Script(gemini.Script{Status: 400, Times: 1})
		if _, err := w.EmbedQuestion(t.Context(), "Four?"); kyro.ErrorCode(err) != kyro.CodeValidation {
			t.Errorf("got %v", err)
		}
		if _, err := w.EmbedQuestion(t.Context(), "Four?"); err != nil {
			t.Errorf("then %v", err)
		}

		// Somebody whose upstream hangs is told in time.
		w.e.Script(gemini.Script{Then: gemini.Hang})
		start := time.Now()
		if _, err := w.EmbedQuestion(t.Context(), "Five?"); kyro.ErrorCode(err) != kyro.CodeTimeout || time.Since(start) > 5*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}

		// And nobody is left behind by a close.
		go ask(t.Context(), "last", "Six?")
		synctest.Wait()
		w.Close()
		if r := <-ended; r.err == nil {
			t.Error("the last got a vector of a client that was closed")
		}
	})
}

// TestGeminiQuestionsAreNotRefusedTogether: one that Gemini refuses for what it is spoils none of those it went with.
func TestGeminiQuestionsAreNotRefusedTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := within(t)
		w.e.Script(gemini.Script{Match: "poison", Status: 400}, gemini.Script{Latency: 10 * time.Millisecond})
		const people = 20
		ended := make(chan error, people)
		for i := range people {
			question := fmt.Sprintf("Question %d?", i)
			if i == 13 {
				question = "poison?"
			}
			go func() {
				_, err := w.EmbedQuestion(t.Context(), question)
				if (question == "poison?") != (kyro.ErrorCode(err) == kyro.CodeValidation) || question != "poison?" && err != nil {
					err = fmt.Errorf("%s got %w", question, err)
				} else {
					err = nil
				}
				ended <- err
			}()
		}
		for range people {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		if n := len(w.e.Requests()); n > 12 {
			t.Errorf("it took %d calls", n)
		}
	})
}
