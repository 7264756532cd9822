package ai_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/ai"
	"kyrochat/kyro"
)

// TestGeminiSaysInTimeThatItIsNotThere: whatever keeps the way shut, the calls of a turn with the patience that a turn has
// for them take less than five seconds, also for the first who finds out.
func TestGeminiSaysInTimeThatItIsNotThere(t *testing.T) {
	t.Parallel()
	silent := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: ctx.Err()}
	}
	for name, dial := range map[string]func(ctx context.Context, network, address string) (net.Conn, error){
		"packets go nowhere": silent,
		"no such name": func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "gemini.invalid", IsNotFound: true}}
		},
		"nobody speaks TLS": func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, there) }()
			return here, nil
		},
		"something else answers": func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			go func() {
				defer there.Close()
				_, _ = there.Read(make([]byte, 4096))
				_, _ = there.Write([]byte("HTTP/1.1 200 OK\r\n\r\nhello"))
			}()
			return here, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g, err := ai.NewGemini(ai.Within(ai.GeminiConfig{APIKey: "k"}, dial))
				if err != nil {
					t.Fatal(err)
				}
				defer g.Close()
				start := time.Now()
				for _, call := range []func(ctx context.Context) error{
					func(ctx context.Context) error {
						_, err := g.Complete(ctx, kyro.Completion{Text: "hi"})
						return err
					},
					func(ctx context.Context) error {
						_, err := g.EmbedQuestion(ctx, "hi")
						return err
					},
				} {
					ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
					if err := call(ctx); err == nil {
						t.Error("it gave something")
					}
					cancel()
				}
				h := listen(t, g.Answer(t.Context(), prompt("hi")))
				if took := time.Since(start); kyro.ErrorCode(h.err) != kyro.CodeUpstreamFailed || took > 5*time.Second {
					t.Errorf("after %v: %v", took, h.err)
				}
			})
		})
	}
}

// TestGeminiFollowsNobody: the key goes nowhere but to the address that was set.
func TestGeminiFollowsNobody(t *testing.T) {
	t.Parallel()
	reached := make(chan string, 100)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { reached <- r.URL.Path }))
	defer elsewhere.Close()
	for _, code := range []int{http.StatusMovedPermanently, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		from := httptest.NewServer(http.RedirectHandler(elsewhere.URL, code))
		g, err := ai.NewGemini(ai.GeminiConfig{APIKey: "k", URL: from.URL})
		if err != nil {
			t.Fatal(err)
		}
		if h := listen(t, g.Answer(t.Context(), prompt("hi"))); kyro.ErrorCode(h.err) != kyro.CodeUpstreamFailed {
			t.Errorf("%d: heard %+v", code, h)
		}
		if _, err := g.EmbedQuestion(t.Context(), "hi"); kyro.ErrorCode(err) != kyro.CodeUpstreamFailed {
			t.Errorf("%d: %v", code, err)
		}
		g.Close()
		from.Close()
	}
	if len(reached) > 0 {
		t.Errorf("%s was asked for elsewhere", <-reached)
	}
}

// TestGeminiUnderstands streams of forms that the emulator does not give.
func TestGeminiUnderstands(t *testing.T) {
	t.Parallel()
	const (
		one  = `{"candidates":[{"content":{"role":"model","parts":[{"text":"One "}]},"index":0}]}`
		two  = `{"candidates":[{"content":{"role":"model","parts":[{"text":"two."}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":2,"totalTokenCount":9}}`
		late = `{"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":2,"thoughtsTokenCount":5,"totalTokenCount":14},"modelVersion":"gemini-3.8-flash-001"}`
	)
	for name, c := range map[string]struct {
		events []string
		text   string
		code   kyro.Code
		reason kyro.FinishReason
		tokens int // of output; 0: whatever
	}{
		"plain":                        {events: []string{one, two}, text: "One two.", reason: kyro.FinishStop, tokens: 2},
		"ratings before the first":     {events: []string{`{"promptFeedback":{"safetyRatings":[{"category":"HARM_CATEGORY_HARASSMENT","probability":"NEGLIGIBLE"}]}}`, one, two}, text: "One two.", reason: kyro.FinishStop},
		"usage alone before the first": {events: []string{`{"usageMetadata":{"promptTokenCount":7,"totalTokenCount":7}}`, one, two}, text: "One two.", reason: kyro.FinishStop, tokens: 2},
		"usage after the end":          {events: []string{one, two, late}, text: "One two.", reason: kyro.FinishStop, tokens: 7},
		"text after the end":           {events: []string{one, two, one}, text: "One two.", reason: kyro.FinishStop},
		"two candidates": {events: []string{one, `{"candidates":[{"content":{"parts":[{"text":"two."}]},"finishReason":"STOP","index":0},{"content":{"parts":[{"text":"other"}]},"index":1}]}`},
			text: "One two.", reason: kyro.FinishStop},
		"fields that are new": {events: []string{one, `{"candidates":[{"content":{"parts":[{"text":"two.","sparkle":1}]},"finishReason":"STOP","aura":{"x":[1]}}],"new":{"a":null}}`},
			text: "One two.", reason: kyro.FinishStop},
		"parts of other kinds": {events: []string{one, `{"candidates":[{"content":{"parts":[{"thought":true,"text":"hm"},{"functionCall":{"name":"f","args":{}}},{"executableCode":{"code":"x"}},{"text":"two."}]},"finishReason":"STOP"}]}`},
			text: "One two.", reason: kyro.FinishStop},
		"half a pair":             {events: []string{`{"candidates":[{"content":{"parts":[{"text":"One \ud83d"}]}}]}`, two}, text: "One \ufffdtwo.", reason: kyro.FinishStop},
		"blocked after text":      {events: []string{one, `{"promptFeedback":{"blockReason":"SAFETY"}}`}, text: "One ", code: kyro.CodeContentBlocked},
		"armour":                  {events: []string{one, `{"candidates":[{"finishReason":"SPII"}]}`}, text: "One ", code: kyro.CodeContentBlocked},
		"quota in the middle":     {events: []string{one, `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"secret","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"20s"}]}}`}, text: "One ", code: kyro.CodeUpstreamQuota},
		"comments and fields":     {events: []string{"bare : keep it open", "bare event: x", "bare id: 1", "bare retry: 10", one, "bare :", two}, text: "One two.", reason: kyro.FinishStop},
		"a bare error":            {events: []string{one, `bare {"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"secret"}}`}, text: "One ", code: kyro.CodeUpstreamQuota},
		"something else":          {events: []string{one, "bare <html>secret"}, text: "One ", code: kyro.CodeUpstreamFailed},
		"nothing for a candidate": {events: []string{`{"candidates":[null]}`, one, two}, text: "One two.", reason: kyro.FinishStop},
		"no JSON in the middle":   {events: []string{one, `{"candidates":[{"content":{"parts":[{"text":"secr`}, text: "One ", code: kyro.CodeUpstreamFailed},
		"a finish without a why":  {events: []string{one, `{"candidates":[{"finishReason":"FINISH_REASON_UNSPECIFIED"}]}`}, text: "One ", code: kyro.CodeUpstreamFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked++
				w.Header().Set("Content-Type", "text/event-stream")
				for _, e := range c.events {
					if line, bare := strings.CutPrefix(e, "bare "); bare {
						fmt.Fprintf(w, "%s\r\n", line)
						continue
					}
					fmt.Fprintf(w, "data: %s\r\n\r\n", e)
				}
			}))
			defer upstream.Close()
			g, err := ai.NewGemini(ai.GeminiConfig{APIKey: "k", URL: upstream.URL})
			if err != nil {
				t.Fatal(err)
			}
			defer g.Close()
			h := listen(t, g.Answer(t.Context(), prompt("hi")))
			if h.text != c.text || kyro.ErrorCode(h.err) != c.code || c.code == "" && (h.finish == nil || h.finish.Reason != c.reason) {
				t.Fatalf("heard %+v", h)
			}
			if c.tokens != 0 && h.finish.Usage.OutputTokens != c.tokens {
				t.Errorf("the usage is %+v", h.finish.Usage)
			}
			if asked != 1 || h.err != nil && strings.Contains(h.err.Error(), "secr") {
				t.Errorf("asked %d times, %v", asked, h.err)
			}
		})
	}
}
