package ai_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"log/slog"
	"math"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/ai"
	"kyrochat/internal/gemini"
	"kyrochat/kyro"
)

const nonce = "0123456789abcdef0123456789abcdef"

// prompt is what a bot is asked, in words.
func prompt(question string, passages ...string) kyro.Prompt {
	var b strings.Builder
	for i, p := range passages {
		b.WriteString("<<<" + nonce + " passage " + string(rune('1'+i)) + ">>>\nTitle: Museum\n" + p + "\n<<<" + nonce + " end>>>\n")
	}
	b.WriteString("<<<" + nonce + " question>>>\n" + question + "\n<<<" + nonce + " end>>>")
	return kyro.Prompt{
		Question: question, System: "Answer from the passages.\n<<<" + nonce + " no answer>>>\nI do not know.\n<<<" + nonce + " end>>>",
		Messages: []kyro.PromptMessage{{Role: kyro.RoleUser, Text: "Hi."}, {Role: kyro.RoleBot}, {Role: kyro.RoleBot, Text: "Hello."}, {Role: kyro.RoleUser, Text: b.String()}},
	}
}

// notes keeps log lines.
type notes struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (n *notes) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.b.Write(p)
}

func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.b.String()
}

// world is Gemini and its emulator, without a network.
type world struct {
	*ai.Gemini
	e   *gemini.Emulator
	log *notes
}

func within(t *testing.T, change ...func(*ai.GeminiConfig)) world {
	t.Helper()
	e, dial := gemini.Within(t)
	w := world{e: e, log: &notes{}}
	cfg := ai.GeminiConfig{APIKey: e.Key, URL: e.URL, Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for _, c := range change {
		c(&cfg)
	}
	g, err := ai.NewGemini(ai.Within(cfg, dial))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	w.Gemini = g
	return w
}

// heard is what a sequence gave.
type heard struct {
	text   string
	pieces int
	finish *kyro.Finish
	err    error
}

func listen(t *testing.T, answer iter.Seq2[kyro.Delta, error]) heard {
	t.Helper()
	var h heard
	for d, err := range answer {
		if h.finish != nil || h.err != nil {
			t.Errorf("something came after the end: %+v, %v", d, err)
		}
		if h.err = err; err != nil {
			continue
		}
		h.text += d.Text
		h.pieces++
		h.finish = d.Finish
	}
	return h
}

const (
	opens   = "The museum opens at nine. Dogs stay outside."
	opensAt = "The museum opens at nine [1]."
)

func TestGeminiAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := within(t)
		p := prompt("When does the museum open?", opens)
		p.Bot.Temperature, p.Bot.MaxOutputTokens = new(float64), new(int)
		*p.Bot.Temperature, *p.Bot.MaxOutputTokens = 0.25, 100
		h := listen(t, w.Answer(t.Context(), p))
		if h.err != nil || h.text != opensAt || h.pieces < 3 || h.finish == nil || h.finish.Reason != kyro.FinishStop || h.finish.Grounding != "" {
			t.Fatalf("heard %+v", h)
		}
		if u := h.finish.Usage; u.Model != ai.DefaultGeminiModel || u.PromptTokens < 50 || u.OutputTokens < 24+5 {
			t.Errorf("the usage is %+v, and thoughts took 24 of it", u)
		}
		q := w.e.Requests()[0]
		if q.Kind != gemini.KindAnswer || q.System != p.System || q.Prompt != p.Messages[3].Text || len(q.History) != 2 || q.History[1] != (gemini.Turn{Role: "model", Text: "Hello."}) {
			t.Errorf("asked was %+v", q)
		}
		if q.ThinkingLevel != "LOW" || *q.Temperature != 0.25 || q.MaxOutputTokens <= 100 {
			t.Errorf("asked was with level %s, temperature %v, %d tokens", q.ThinkingLevel, q.Temperature, q.MaxOutputTokens)
		}

		// Another bot, another model: one that knows no levels, and the temperature that it has.
		p.Bot = kyro.Bot{Model: new(string)}
		*p.Bot.Model = "gemini-2.5-flash"
		h = listen(t, w.Answer(t.Context(), p))
		if h.err != nil || h.finish.Usage.Model != "gemini-2.5-flash" {
			t.Errorf("heard %+v", h)
		}
		if q := w.e.Requests()[1]; q.Model != "gemini-2.5-flash" || q.ThinkingLevel != "" || q.Temperature != nil {
			t.Errorf("asked was %+v", q)
		}
	})
}

// TestGeminiMisbehaves goes through everything that can go wrong: what is heard, which error, how many calls there were,
// and that nobody waits too long.
func TestGeminiMisbehaves(t *testing.T) {
	t.Parallel()
	two := []string{"One ", "two."}
	for name, c := range map[string]struct {
		scripts []gemini.Script
		bot     kyro.Bot
		key     string

		text   string
		code   kyro.Code
		reason kyro.FinishReason
		retry  time.Duration // told with the error
		calls  int
		within time.Duration // in the time of the bubble; 0: 5 s
	}{
		"latency":           {scripts: []gemini.Script{{Latency: 10 * time.Second}}, text: opensAt, reason: kyro.FinishStop, calls: 1, within: 11 * time.Second},
		"pace":              {scripts: []gemini.Script{{Pace: 10 * time.Second}}, text: opensAt, reason: kyro.FinishStop, calls: 1, within: time.Hour},
		"429, then fine":    {scripts: []gemini.Script{{Status: 429, Times: 1}}, text: opensAt, reason: kyro.FinishStop, calls: 2},
		"429 for ever":      {scripts: []gemini.Script{{Status: 429}}, code: kyro.CodeUpstreamQuota, retry: 3 * time.Second, calls: 3},
		"429 for 2 s":       {scripts: []gemini.Script{{Status: 429, RetryAfter: 2 * time.Second, Times: 1}}, text: opensAt, reason: kyro.FinishStop, calls: 2},
		"429 for 36 s":      {scripts: []gemini.Script{{Status: 429, RetryAfter: 36 * time.Second}}, code: kyro.CodeUpstreamQuota, retry: 36 * time.Second, calls: 1},
		"daily quota":       {scripts: []gemini.Script{{Status: 429, RetryAfter: time.Second, Daily: true}}, code: kyro.CodeUpstreamQuota, retry: time.Hour, calls: 1},
		"500, then fine":    {scripts: []gemini.Script{{Status: 500, Times: 2}}, text: opensAt, reason: kyro.FinishStop, calls: 3},
		"503 for ever":      {scripts: []gemini.Script{{Status: 503}}, code: kyro.CodeUpstreamFailed, calls: 3},
		"504, slowly":       {scripts: []gemini.Script{{Status: 504, Latency: 5 * time.Second}}, code: kyro.CodeUpstreamFailed, calls: 1, within: 5 * time.Second},
		"wrong key":         {key: "AIzaWrong", code: kyro.CodeUpstreamFailed, calls: 0},
		"400":               {scripts: []gemini.Script{{Status: 400}}, code: kyro.CodeValidation, calls: 1},
		"401":               {scripts: []gemini.Script{{Status: 401}}, code: kyro.CodeUpstreamFailed, calls: 1},
		"403":               {scripts: []gemini.Script{{Status: 403}}, code: kyro.CodeUpstreamFailed, calls: 1},
		"unknown model":     {bot: botWith("gemini-9"), code: kyro.CodeUpstreamFailed, calls: 1},
		"a path as a model": {bot: botWith("../files"), code: kyro.CodeUpstreamFailed, calls: 0},
		"hang":              {scripts: []gemini.Script{{Then: gemini.Hang}}, code: kyro.CodeTimeout, calls: 1, within: 15 * time.Second},
		"failures, then hang": {scripts: []gemini.Script{{Status: 503, Times: 1}, {Then: gemini.Hang}}, code: kyro.CodeTimeout, calls: 2,
			within: 15 * time.Second},
		"stall":           {scripts: []gemini.Script{{Pieces: two, After: 1, Then: gemini.Stall}}, text: "One ", code: kyro.CodeTimeout, calls: 1, within: 12 * time.Second},
		"drop, then fine": {scripts: []gemini.Script{{Then: gemini.Drop, Times: 1}}, text: opensAt, reason: kyro.FinishStop, calls: 2},
		"cut at once":     {scripts: []gemini.Script{{Then: gemini.Cut, Times: 1}}, text: opensAt, reason: kyro.FinishStop, calls: 2},
		"cut":             {scripts: []gemini.Script{{Pieces: two, After: 1, Then: gemini.Cut}}, text: "One ", code: kyro.CodeUpstreamFailed, calls: 1},
		"cut, with a token to go on": {scripts: []gemini.Script{{Pieces: two, After: 1, Then: gemini.Cut, Resumable: true}}, text: "One ", code: kyro.CodeUpstreamFailed,
			calls: 1},
		"an end at once":    {scripts: []gemini.Script{{Then: gemini.End, Times: 1}}, text: opensAt, reason: kyro.FinishStop, calls: 2},
		"an end too soon":   {scripts: []gemini.Script{{Pieces: two, After: 2, Then: gemini.End}}, text: "One two.", code: kyro.CodeUpstreamFailed, calls: 1},
		"an error at once":  {scripts: []gemini.Script{{Then: gemini.Break, Times: 1}}, text: opensAt, reason: kyro.FinishStop, calls: 2},
		"an error later":    {scripts: []gemini.Script{{Pieces: two, After: 1, Then: gemini.Break}}, text: "One ", code: kyro.CodeUpstreamFailed, calls: 1},
		"no candidates":     {scripts: []gemini.Script{{Then: gemini.Empty}}, code: kyro.CodeUpstreamFailed, calls: 1},
		"nothing to say":    {scripts: []gemini.Script{{Pieces: []string{}}}, code: kyro.CodeUpstreamFailed, calls: 1},
		"prompt blocked":    {scripts: []gemini.Script{{Block: "PROHIBITED_CONTENT"}}, code: kyro.CodeContentBlocked, calls: 1},
		"answer blocked":    {scripts: []gemini.Script{{Pieces: []string{}, Finish: "SAFETY"}}, code: kyro.CodeContentBlocked, calls: 1},
		"blocked half-way":  {scripts: []gemini.Script{{Pieces: two, After: 1, Finish: "RECITATION"}}, text: "One ", code: kyro.CodeContentBlocked, calls: 1},
		"an end unheard of": {scripts: []gemini.Script{{Pieces: two, Finish: "SUNSET"}}, text: "One two.", code: kyro.CodeUpstreamFailed, calls: 1},
		"the model's limit": {scripts: []gemini.Script{{Pieces: two, Finish: "MAX_TOKENS"}}, text: "One two.", reason: kyro.FinishLength, calls: 1},
		"thoughts took all": {scripts: []gemini.Script{{Thoughts: 2, ThoughtTokens: 1 << 20}}, code: kyro.CodeUpstreamFailed, calls: 1},
		"thoughts":          {scripts: []gemini.Script{{Thoughts: 3, Pace: 10 * time.Second, Pieces: two}}, text: "One two.", reason: kyro.FinishStop, calls: 1, within: 51 * time.Second},
		"thoughts, then a cut": {scripts: []gemini.Script{{Thoughts: 3, After: 2, Then: gemini.Cut}}, code: kyro.CodeUpstreamFailed,
			calls: 1},
		"the bot's limit": {scripts: []gemini.Script{{Text: strings.Repeat("word ", 1000)}}, bot: kyro.Bot{MaxOutputTokens: ptr(10)}, text: "word", reason: kyro.FinishLength, calls: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := within(t, func(cfg *ai.GeminiConfig) {
					if c.key != "" {
						cfg.APIKey = c.key
					}
				})
				w.e.Script(c.scripts...)
				p := prompt("When does the museum open?", opens)
				p.Bot = c.bot
				start := time.Now()
				h := listen(t, w.Answer(t.Context(), p))
				if took := time.Since(start); took > cmpOr(c.within, 5*time.Second) {
					t.Errorf("it took %v", took)
				}
				if name == "the bot's limit" {
					if n := len(h.text); n > 200 {
						t.Errorf("%d bytes for 10 tokens", n)
					}
					h.text, _, _ = strings.Cut(h.text, " ")
				}
				if h.text != c.text || kyro.ErrorCode(h.err) != c.code || c.code == "" && (h.finish == nil || h.finish.Reason != c.reason) {
					t.Errorf("heard %+v, want %q and %s%s", h, c.text, c.code, c.reason)
				}
				if n := len(w.e.Requests()); n != c.calls {
					t.Errorf("%d calls, want %d", n, c.calls)
				}
				var typed *kyro.Error
				if errors.As(h.err, &typed) && c.retry != 0 && (typed.RetryAfter > c.retry || typed.RetryAfter < c.retry/2) {
					t.Errorf("told to wait for %v, want %v", typed.RetryAfter, c.retry)
				}
				checkSecrets(t, w, h.err, p)
			})
		})
	}
}

// checkSecrets sees that neither key nor prompt nor text of the upstream is in the log or in an error.
func checkSecrets(t *testing.T, w world, err error, p kyro.Prompt) {
	t.Helper()
	said := w.log.String()
	if err != nil {
		said += err.Error()
	}
	for _, secret := range []string{w.e.Key, "AIzaWrong", p.System[:20], opens, nonce, "overloaded", "exceeded your current quota"} {
		if strings.Contains(said, secret) {
			t.Errorf("%q is in %q", secret, said)
		}
	}
}

func botWith(model string) kyro.Bot { return kyro.Bot{Model: &model} }

func ptr[T any](v T) *T { return &v }

func cmpOr(a, b time.Duration) time.Duration {
	if a != 0 {
		return a
	}
	return b
}

func TestGeminiIsLeftAtOnce(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]gemini.Script{
		"before the first byte": {Then: gemini.Hang},
		"in mid-stream":         {Pieces: []string{"One ", "two."}, After: 1, Then: gemini.Stall},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := within(t)
				w.e.Script(script)
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan heard)
				go func() { ended <- listen(t, w.Answer(ctx, prompt("hi"))) }()
				synctest.Wait()
				start := time.Now()
				cancel()
				if h := <-ended; !errors.Is(h.err, context.Canceled) || h.finish != nil {
					t.Errorf("heard %+v", h)
				}
				w.e.MustAwait(t, func(list []gemini.Request) bool { return len(list) == 1 && list[0].Gone != nil })
				if took := time.Since(start); took != 0 {
					t.Errorf("it took %v until the upstream knew", took)
				}
			})
		})
	}
}

func TestGeminiIsLeftByWhoHasHeardEnough(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := within(t)
		w.e.Script(gemini.Script{Pieces: []string{"One ", "two."}, Pace: time.Second})
		for d, err := range w.Answer(t.Context(), prompt("hi")) {
			if d.Text != "One " || err != nil {
				t.Errorf("heard %q, %v", d.Text, err)
			}
			if u := d.Usage; u == nil || u.Model != ai.DefaultGeminiModel || u.PromptTokens == 0 {
				t.Errorf("so far it took %+v", u)
			}
			break
		}
		w.e.MustAwait(t, func(list []gemini.Request) bool { return list[0].Gone != nil })
	})
}

// TestGeminiWaitsForItsReader: the clock for silence stands while a piece is passed on.
func TestGeminiWaitsForItsReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := within(t)
		w.e.Script(gemini.Script{Pieces: []string{"One ", "two."}})
		text := ""
		for d, err := range w.Answer(t.Context(), prompt("hi")) {
			if err != nil {
				t.Fatal(err)
			}
			text += d.Text
			time.Sleep(time.Minute)
		}
		if text != "One two." {
			t.Errorf("heard %q", text)
		}
	})
}

func TestGeminiCannotBeReached(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("connection refused")
		dials := 0
		g, err := ai.NewGemini(ai.Within(ai.GeminiConfig{APIKey: "k"}, func(context.Context, string, string) (net.Conn, error) {
			dials++
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: refused}
		}))
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		start := time.Now()
		h := listen(t, g.Answer(t.Context(), prompt("hi")))
		if kyro.ErrorCode(h.err) != kyro.CodeUpstreamFailed || !strings.Contains(h.err.Error(), "connection refused") || dials != 3 || time.Since(start) > 4*time.Second {
			t.Errorf("after %v and %d tries: %v", time.Since(start), dials, h.err)
		}
	})
}

func length(v []float32) float64 {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}
