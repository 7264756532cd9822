package ai_test

import (
	"context"
	"log"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"kyrochat/ai"
	"kyrochat/internal/gemini"
	"kyrochat/kyro"
)

// TestGeminiOverTheNetwork uses real connections, by many at once: answers are whole, whoever leaves leaves nothing
// running behind, what the SDK says goes to slog at debug, and what others log is left alone.
func TestGeminiOverTheNetwork(t *testing.T) {
	var others notes
	defer log.SetOutput(log.Writer())
	log.SetOutput(&others)
	e := gemini.Start(t)
	t.Setenv("GOOGLE_API_KEY", "another") // of which the SDK warns
	t.Setenv("GEMINI_API_KEY", "and another")
	said := &notes{}
	g, err := ai.NewGemini(ai.GeminiConfig{APIKey: e.Key, URL: e.URL, Log: slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	answer := func(ctx context.Context, p kyro.Prompt) heard { return listen(t, g.Answer(ctx, p)) }
	e.Script(gemini.Script{Match: "leave", Pieces: []string{"One ", "two."}, After: 1, Then: gemini.Stall})
	base := runtime.NumGoroutine()
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			if i%2 == 0 {
				if h := answer(t.Context(), prompt("When does the museum open?", opens)); h.err != nil || h.text != opensAt {
					t.Errorf("heard %+v", h)
				}
				return
			}
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			for d, err := range g.Answer(ctx, prompt("leave")) {
				if err == nil && d.Text != "" {
					leave()
				} else if err != context.Canceled {
					t.Errorf("left with %v", err)
				}
			}
		})
	}
	all.Wait()
	e.MustAwait(t, func(list []gemini.Request) bool {
		done := 0
		for _, q := range list {
			if q.Done != nil && (q.Gone != nil) == strings.Contains(q.Prompt, "leave") {
				done++
			}
		}
		return done == 40
	})
	log.Print("somebody else says")
	if s := others.String(); !strings.Contains(s, "somebody else says") || strings.Contains(s, "canceled") {
		t.Errorf("the log of others has %q", s)
	}
	if s := said.String(); strings.Contains(s, e.Key) || !strings.Contains(s, "Both GOOGLE_API_KEY and GEMINI_API_KEY") || strings.Count(s, "\n") != strings.Count(s, "level=DEBUG") {
		t.Errorf("it says %q", s)
	}
	g.Close()
	deadline := time.Now().Add(time.Minute)
	for runtime.NumGoroutine() > base {
		if time.Now().After(deadline) {
			buffer := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, at first %d:\n%s", runtime.NumGoroutine(), base, buffer[:runtime.Stack(buffer, true)])
		}
		http.DefaultClient.CloseIdleConnections()
		time.Sleep(time.Millisecond)
	}
}
