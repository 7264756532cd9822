package ai_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/ai"
	"kyrochat/internal/gemini"
	"kyrochat/kyro"
)

func TestGeminiCompletes(t *testing.T) {
	t.Parallel()
	ask := kyro.Completion{System: "Put the question so that it stands alone.", Text: "USER: When does the Prado open?\n<<<" + nonce + " question>>>\nAnd on Sunday?\n<<<" + nonce + " end>>>", MaxOutputTokens: 60}
	for name, c := range map[string]struct {
		script gemini.Script
		code   kyro.Code
		calls  int
	}{
		"well":           {calls: 1},
		"503, then well": {script: gemini.Script{Status: 503, Times: 1}, calls: 2},
		"503":            {script: gemini.Script{Status: 503}, code: kyro.CodeUpstreamFailed, calls: 2},
		"hang":           {script: gemini.Script{Then: gemini.Hang}, code: kyro.CodeTimeout, calls: 1},
		"quota":          {script: gemini.Script{Status: 429, RetryAfter: time.Minute}, code: kyro.CodeUpstreamQuota, calls: 1},
		"blocked":        {script: gemini.Script{Block: "SAFETY"}, code: kyro.CodeContentBlocked, calls: 1},
		"no candidates":  {script: gemini.Script{Then: gemini.Empty}, code: kyro.CodeUpstreamFailed, calls: 2},
		"no end":         {script: gemini.Script{Then: gemini.End}, code: kyro.CodeUpstreamFailed, calls: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := within(t)
				if name != "well" {
					w.e.Script(c.script)
				}
				start := time.Now()
				done, err := w.Complete(t.Context(), ask)
				if kyro.ErrorCode(err) != c.code || err == nil && (!strings.Contains(done.Text, "Prado") || done.Usage.OutputTokens == 0 || done.Usage.Model != ai.DefaultGeminiModel) {
					t.Errorf("got %+v, %v", done, err)
				}
				if took := time.Since(start); took > 3*time.Second {
					t.Errorf("it took %v", took)
				}
				if list := w.e.RequestsOf(gemini.KindRewrite); len(list) != c.calls || list[0].System != ask.System {
					t.Errorf("asked was %+v", list)
				}
			})
		})
	}
}

func TestGeminiSettingsAreChecked(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]ai.GeminiConfig{
		"no key":            {},
		"a key of two":      {APIKey: "a b"},
		"a URL of a file":   {APIKey: "k", URL: "file:///etc"},
		"a URL with a name": {APIKey: "k", URL: "https://me:secret@example.com"},
		"a path as a model": {APIKey: "k", Model: "../files"},
		"few dimensions":    {APIKey: "k", EmbeddingDims: 64},
	} {
		if g, err := ai.NewGemini(cfg); err == nil {
			g.Close()
			t.Errorf("%s was taken", name)
		} else if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "a b") {
			t.Errorf("%s: %v", name, err)
		}
	}
	g, err := ai.NewGemini(ai.GeminiConfig{APIKey: "k"})
	if err != nil {
		t.Fatal(err)
	}
	g.Close()
	if name, dims := g.Model(); name != ai.DefaultEmbeddingModel || dims != ai.DefaultEmbeddingDims || g.Lexical() || g.Away() != nil {
		t.Errorf("by default it is %s with %d", name, dims)
	}
}
