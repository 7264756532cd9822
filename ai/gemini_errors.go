package ai

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"google.golang.org/genai"

	"kyrochat/kyro"
)

// failure is why a call did not succeed, as far as it matters for what is done next.
type failure struct {
	err   error // for the caller
	cause error // for the log: nothing of a prompt, of the key, or of what was answered
	again bool  // another try may succeed
	alive bool  // the upstream did answer: its breaker has nothing against it
	left  bool  // the caller went away
	quota bool  // 429, and how long to wait where that was told, or that it is the quota of a day
	daily bool
	wait  time.Duration
	took  time.Duration // until it failed
}

// judge makes a failure of an error of the SDK, under ctx with its clocks, which the caller's own context is above.
func (g *Gemini) judge(caller, ctx context.Context, model string, err error) *failure {
	if caller.Err() != nil {
		return &failure{err: caller.Err(), left: true}
	}
	if clock := context.Cause(ctx); clock != nil {
		return &failure{err: clock}
	}
	var api genai.APIError // the SDK gives it as a value
	if errors.As(err, &api) {
		return g.judgeAPI(model, api)
	}
	cause := transportCause(err)
	return &failure{err: failed().Because(cause), cause: cause, again: true}
}

func (g *Gemini) judgeAPI(model string, api genai.APIError) *failure {
	told := readDetails(api)
	cause := told.cause(api)
	switch {
	case api.Code == http.StatusTooManyRequests:
		return &failure{err: quotaUsedUp(0).Because(cause), cause: cause, quota: true, again: !told.daily, daily: told.daily, wait: told.wait}
	case told.reason == "API_KEY_INVALID" || api.Code == http.StatusUnauthorized || api.Code == http.StatusForbidden:
		return g.blame("Gemini refuses the API key: check GEMINI_API_KEY and what the key may do", cause)
	case api.Code == http.StatusNotFound:
		return g.noModel(model)
	case api.Code == http.StatusBadRequest && api.Status == "INVALID_ARGUMENT", api.Code == http.StatusRequestEntityTooLarge:
		g.complain("Gemini refuses a request", cause)
		refused := kyro.Errorf(kyro.CodeValidation, "The language model does not accept this text, or is too small for it.")
		return &failure{err: refused.Because(cause), cause: cause, alive: true}
	case api.Code >= 300 && api.Code < 500 && api.Code != http.StatusRequestTimeout:
		return g.blame("Gemini refuses to work: check KYRO_GEMINI_URL, and billing and region of the API key", cause)
	}
	return &failure{err: failed().Because(cause), cause: cause, again: true}
}

// noModel is a model that does not exist. Its name is the operator's, or a bot's.
func (g *Gemini) noModel(model string) *failure {
	return g.blame(fmt.Sprintf("Gemini does not know the model %q: check KYRO_GEMINI_MODEL, KYRO_EMBEDDING_MODEL and the models of bots", model), nil)
}

// blame is a failure that the operator alone can mend: it is logged, and whoever asked hears that there is no answer.
func (g *Gemini) blame(what string, cause error) *failure {
	g.complain(what, cause)
	if cause == nil {
		cause = errors.New(what)
	}
	err := kyro.Errorf(kyro.CodeUpstreamFailed, "The language model is not available. Try again later.")
	return &failure{err: err.Because(cause), cause: cause, alive: true}
}

// panicked is a panic of the SDK, which fails one call. What it says may hold anything, and is left out.
func (g *Gemini) panicked(p any) *failure {
	g.log.Error("the client of Gemini panicked", "upstream", "Gemini", "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
	return &failure{err: failed().Because(errors.New("the client panicked"))}
}

func failed() *kyro.Error {
	return kyro.Errorf(kyro.CodeUpstreamFailed, "The language model failed. Try again in a moment.")
}

func blocked() *kyro.Error {
	return kyro.Errorf(kyro.CodeContentBlocked, "The language model declined to answer this. Ask in other words.")
}

// complaints are logged once a minute each, since every request may repeat them.
type complaints struct {
	mu     sync.Mutex
	logged map[string]time.Time
}

const (
	complainEvery  = time.Minute
	mostComplaints = 64
)

func (g *Gemini) complain(what string, cause error) {
	if !g.complaints.due(what, time.Now()) {
		return
	}
	log := g.log.With("upstream", "Gemini")
	if cause != nil {
		log = log.With("cause", cause)
	}
	log.Error(what)
}

func (c *complaints) due(what string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.logged[what]; ok && now.Sub(at) < complainEvery {
		return false
	}
	if c.logged == nil || len(c.logged) >= mostComplaints {
		c.logged = map[string]time.Time{}
	}
	c.logged[what] = now
	return true
}

// details is what the details of an error say.
type details struct {
	reason string        // of ErrorInfo
	quota  string        // that is used up
	daily  bool          // it is that of a day
	wait   time.Duration // of RetryInfo
	fields []string      // that are wrong
}

// token is what may be repeated in a log: names that Google gives, never text.
var token = regexp.MustCompile(`^[A-Za-z0-9_.\[\]]{1,100}$`)

func readDetails(api genai.APIError) details {
	var d details
	for _, detail := range api.Details {
		kind, _ := detail["@type"].(string)
		switch kind[strings.LastIndexByte(kind, '.')+1:] {
		case "ErrorInfo":
			d.reason = tokenOf(detail["reason"])
		case "RetryInfo":
			delay, _ := detail["retryDelay"].(string)
			if wait, err := time.ParseDuration(delay); err == nil && wait > 0 {
				d.wait = wait
			}
		case "QuotaFailure":
			for _, v := range maps(detail["violations"]) {
				if id := tokenOf(v["quotaId"]); d.quota == "" || strings.Contains(id, "PerDay") {
					d.quota = id
				}
			}
			d.daily = strings.Contains(d.quota, "PerDay")
		case "BadRequest":
			for _, v := range maps(detail["fieldViolations"]) {
				d.fields = append(d.fields, tokenOf(v["field"]))
			}
		}
	}
	return d
}

func tokenOf(v any) string {
	s, _ := v.(string)
	if !token.MatchString(s) {
		return ""
	}
	return s
}

func maps(v any) []map[string]any {
	var list []map[string]any
	elements, _ := v.([]any)
	for _, e := range elements {
		if m, ok := e.(map[string]any); ok {
			list = append(list, m)
		}
	}
	return list
}

// cause is the error in a few words for the log. Its message is left out, since that may repeat the prompt.
func (d details) cause(api genai.APIError) error {
	words := []string{fmt.Sprint(api.Code)}
	for _, word := range append([]string{tokenOf(api.Status), d.reason, d.quota}, d.fields[:min(len(d.fields), 5)]...) {
		if word != "" {
			words = append(words, word)
		}
	}
	return errors.New(strings.Join(words, " "))
}

// transportCause says what happened to a connection. What an error quotes may be anything, so that only what is known
// to be harmless is repeated.
func transportCause(err error) error {
	var op *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return errors.New("the connection was cut")
	case errors.As(err, &certificate):
		return errors.New("the certificate is not trusted")
	case errors.As(err, &op):
		return fmt.Errorf("%s %s: %v", op.Op, op.Net, op.Err) //nolint:errorlint // not wrapped: it may pass for the end of somebody's own time
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return fmt.Errorf("the transport or the form of the answer failed (%T)", err)
}
