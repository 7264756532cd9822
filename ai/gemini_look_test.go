package ai_test

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"kyrochat/ai"
)

// TestWhoStartsAServerHearsWhatIsWrongWithGemini looks with right and wrong settings.
func TestWhoStartsAServerHearsWhatIsWrongWithGemini(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*ai.GeminiConfig)
		says   []string // each in an error of its own; but for these nothing is said
	}{
		{"nothing", func(*ai.GeminiConfig) {}, nil},
		{"the key", func(c *ai.GeminiConfig) { c.APIKey = "wrong-key" }, []string{"check GEMINI_API_KEY"}},
		{"both models", func(c *ai.GeminiConfig) { c.Model, c.EmbeddingModel = "none-1", "none-2" }, []string{"none-1", "none-2"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := within(t, test.change)
				w.Look(t.Context())
				logged := w.log.String()
				if strings.Count(logged, "level=ERROR") != len(test.says) || strings.Contains(logged, "cannot be asked") || strings.Contains(logged, "wrong-key") {
					t.Errorf("logged: %s", logged)
				}
				for _, want := range test.says {
					if !strings.Contains(logged, want) {
						t.Errorf("no %q in: %s", want, logged)
					}
				}
				if w.Away() != nil || len(w.e.Requests()) > 0 {
					t.Errorf("it is %v, and asked for %d answers", w.Away(), len(w.e.Requests()))
				}
			})
		})
	}
}

// TestAServerStartsWhileGeminiIsAway looks at an address where nobody listens.
func TestAServerStartsWhileGeminiIsAway(t *testing.T) {
	t.Parallel()
	var log notes
	g, err := ai.NewGemini(ai.GeminiConfig{APIKey: "some-key", URL: "http://127.0.0.1:1", Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	g.Look(t.Context())
	if logged := log.String(); strings.Count(logged, "level=WARN") != 1 || strings.Contains(logged, "some-key") {
		t.Errorf("logged: %s", logged)
	}
}
