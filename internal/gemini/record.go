package gemini

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"
)

// Kind is what a request was for, as far as its prompt tells.
type Kind string

// The kinds of requests.
const (
	KindAnswer  Kind = "answer"  // streamed, or with passages
	KindRewrite Kind = "rewrite" // a completion with a question
	KindTitle   Kind = "title"   // a completion with a question and its answer
	KindOther   Kind = "other"   // any other completion
	KindEmbed   Kind = "embed"
	KindCount   Kind = "count"
)

// Request is one that was made, with what became of it.
type Request struct {
	Number int       `json:"number"` // from 1
	At     time.Time `json:"at"`
	Path   string    `json:"path"`
	Model  string    `json:"model"`
	Kind   Kind      `json:"kind"`

	System  string `json:"system,omitempty"`
	History []Turn `json:"history,omitempty"` // all messages but the last
	Prompt  string `json:"prompt,omitempty"`  // the last message

	Temperature     *float64 `json:"temperature,omitempty"`
	MaxOutputTokens int      `json:"maxOutputTokens,omitempty"`
	ThinkingLevel   string   `json:"thinkingLevel,omitempty"`

	Texts    []string `json:"texts,omitempty"` // of embeddings
	TaskType string   `json:"taskType,omitempty"`
	Dims     int      `json:"dims,omitempty"`

	Status int        `json:"status,omitempty"` // of the response; 0: there was none
	Pieces int        `json:"pieces,omitempty"` // of an answer, as far as they were sent
	Gone   *time.Time `json:"gone,omitempty"`   // when the client went away before the end
	Done   *time.Time `json:"done,omitempty"`   // when the request was over
}

// Turn is a message of the history.
type Turn struct {
	Role string `json:"role"` // user or model
	Text string `json:"text"`
}

// Words is all that the request said: what was sent to the model, in one string.
func (q Request) Words() string {
	words := q.System
	for _, t := range q.History {
		words += "\n" + t.Text
	}
	words += "\n" + q.Prompt
	for _, t := range q.Texts {
		words += "\n" + t
	}
	return words
}

// Requests gives the requests so far, oldest first: copies, as they are now.
func (e *Emulator) Requests() []Request {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := make([]Request, len(e.requests))
	for i, q := range e.requests {
		list[i] = *q
		list[i].History, list[i].Texts = slices.Clone(q.History), slices.Clone(q.Texts)
	}
	return list
}

// RequestsOf gives those of a kind.
func (e *Emulator) RequestsOf(kind Kind) []Request {
	return slices.DeleteFunc(e.Requests(), func(q Request) bool { return q.Kind != kind })
}

// Forget drops the requests so far.
func (e *Emulator) Forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.requests = nil
}

// Await waits until the requests are as the caller wants them, which it is asked again whenever they change. It gives up
// with ctx.
func (e *Emulator) Await(ctx context.Context, wanted func([]Request) bool) bool {
	for {
		changed := e.watch()
		if wanted(e.Requests()) {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// watch gives a channel that is closed when anything about requests changes.
func (e *Emulator) watch() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.changed == nil {
		e.changed = make(chan struct{})
	}
	return e.changed
}

// MustAwait is Await for tests, which fail after five minutes: nothing that they wait for should hang, and machines that test are busy.
func (e *Emulator) MustAwait(t testing.TB, wanted func([]Request) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if !e.Await(ctx, wanted) {
		t.Fatalf("the emulated Gemini did not see what was waited for; it saw %d requests", len(e.Requests()))
	}
}

func (e *Emulator) begin(r *http.Request, model string) *Request {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.counted++
	q := &Request{Number: e.counted, At: time.Now(), Path: r.URL.Path, Model: model, Kind: KindOther}
	if len(e.requests) >= e.options.Keep {
		e.requests = slices.Delete(e.requests, 0, len(e.requests)-e.options.Keep+1)
	}
	e.requests = append(e.requests, q)
	e.tell()
	return q
}

// tell wakes who awaits. mu is held.
func (e *Emulator) tell() {
	if e.changed != nil {
		close(e.changed)
		e.changed = nil
	}
}

// note changes what is kept of the request.
func (x *exchange) note(change func(*Request)) {
	x.e.mu.Lock()
	defer x.e.mu.Unlock()
	change(x.request)
	x.e.tell()
}

func (x *exchange) end() {
	now := time.Now()
	x.note(func(q *Request) {
		q.Done = &now
		if x.r.Context().Err() != nil && q.Gone == nil {
			q.Gone = &now
		}
	})
}
