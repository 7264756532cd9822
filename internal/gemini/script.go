package gemini

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"kyrochat/internal/script"
)

// Trouble is how an answer goes wrong.
type Trouble string

// The troubles. Stall, Cut, End and Break come after the pieces that After says; a unary answer, which has no pieces, then
// hangs, is dropped, has no finishReason, or is an error.
const (
	Hang  Trouble = "hang"  // never a byte
	Drop  Trouble = "drop"  // the connection is cut before the first byte
	Stall Trouble = "stall" // no further byte
	Cut   Trouble = "cut"   // the connection is cut
	End   Trouble = "end"   // a clean end without a finishReason
	Break Trouble = "break" // an error within the stream: 503
	Empty Trouble = "empty" // one chunk without candidates, then a clean end
)

// Script is scripted misbehaviour, or a scripted answer. Of the scripts that fit a request the oldest one counts. The zero
// value of a field changes nothing.
type Script struct {
	// Which requests: all that is set must fit.
	Kind  Kind   `json:"kind,omitempty"`
	Model string `json:"model,omitempty"`
	Match string `json:"match,omitempty"` // somewhere in the prompt, with system and history, or in a text to embed
	Times int    `json:"times,omitempty"` // for so many requests; 0: for all, until it is taken back
	Skip  int    `json:"skip,omitempty"`  // leave so many that fit alone first

	// Before the first byte.
	Latency    time.Duration `json:"latency,omitempty"`    // in JSON "250ms"
	Status     int           `json:"status,omitempty"`     // an error: 400, 401, 403, 404, 429, 500, 503 ...
	RetryAfter time.Duration `json:"retryAfter,omitempty"` // told with 429 as RetryInfo
	Daily      bool          `json:"daily,omitempty"`      // with 429: the quota of the day is used up
	Message    string        `json:"message,omitempty"`    // of the error
	Block      string        `json:"block,omitempty"`      // the prompt is blocked for this reason: SAFETY, OTHER, BLOCKLIST ...

	// The answer.
	Text          string               `json:"text,omitempty"`          // instead of an own one
	Pieces        []string             `json:"pieces,omitempty"`        // the same, in these pieces; none at all where it is [], not null
	Obey          bool                 `json:"obey,omitempty"`          // do what instructions in the passages and the question say
	Reveal        bool                 `json:"reveal,omitempty"`        // say the system prompt
	Say           func(Request) string `json:"-"`                       // made from the request
	PieceSize     int                  `json:"pieceSize,omitempty"`     // characters of each piece where Pieces does not say; 0: a few words
	Thoughts      int                  `json:"thoughts,omitempty"`      // thought parts before the first text
	ThoughtTokens int                  `json:"thoughtTokens,omitempty"` // what thinking takes of the output tokens
	Pace          time.Duration        `json:"pace,omitempty"`          // before every piece
	Finish        string               `json:"finish,omitempty"`        // finishReason instead of STOP; other than MAX_TOKENS without content in its chunk
	After         int                  `json:"after,omitempty"`         // pieces, thoughts among them, before Then and Finish
	Then          Trouble              `json:"then,omitempty"`
	Resumable     bool                 `json:"resumable,omitempty"` // every piece has a token with which a client could ask for the rest

	// Embeddings.
	Dims    int `json:"dims,omitempty"`    // of every vector, whatever was asked for
	Missing int `json:"missing,omitempty"` // so many embeddings too few; below 0 too many
}

type plainScript Script

// scriptJSON is a script whose durations are words.
type scriptJSON struct {
	*plainScript
	Pieces     *[]string       `json:"pieces,omitempty"`
	Latency    script.Duration `json:"latency,omitzero"`
	RetryAfter script.Duration `json:"retryAfter,omitzero"`
	Pace       script.Duration `json:"pace,omitzero"`
}

// MarshalJSON writes durations as words, such as "250ms".
func (s Script) MarshalJSON() ([]byte, error) {
	out := scriptJSON{plainScript: (*plainScript)(&s), Latency: script.Duration(s.Latency), RetryAfter: script.Duration(s.RetryAfter), Pace: script.Duration(s.Pace)}
	if s.Pieces != nil {
		out.Pieces = &s.Pieces
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes, and nothing that it does not know.
func (s *Script) UnmarshalJSON(b []byte) error {
	in := scriptJSON{plainScript: (*plainScript)(s)}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return err
	}
	s.Latency, s.RetryAfter, s.Pace = time.Duration(in.Latency), time.Duration(in.RetryAfter), time.Duration(in.Pace)
	if in.Pieces != nil {
		s.Pieces = append([]string{}, *in.Pieces...)
	}
	return nil
}

// Script adds scripts.
func (e *Emulator) Script(list ...Script) {
	for _, s := range list {
		e.scripts.Add(s, s.Times, s.Skip)
	}
}

// Scripts gives those that are still in force.
func (e *Emulator) Scripts() []Script { return e.scripts.All() }

// Reset takes all scripts back. What is under way goes on as it began.
func (e *Emulator) Reset() { e.scripts.Clear() }

// script finds the one for the request, and counts it.
func (e *Emulator) script(q *Request) Script {
	words := sync.OnceValue(q.Words)
	return e.scripts.Take(func(s Script) bool {
		return (s.Kind == "" || s.Kind == q.Kind) && (s.Model == "" || s.Model == q.Model) &&
			(s.Match == "" || strings.Contains(words(), s.Match))
	})
}

// trouble does what a script says before the first byte.
func (x *exchange) trouble(s Script) *apiError {
	latency := s.Latency
	if latency == 0 {
		latency = x.e.options.Latency
	}
	x.wait(latency)
	switch {
	case s.Then == Hang:
		x.hang()
	case s.Then == Drop:
		panic(http.ErrAbortHandler)
	case s.Status == 0:
		return nil
	}
	refused := statusError(s.Status)
	if s.Status == http.StatusTooManyRequests {
		refused = quotaError(x.request.Model, x.method, s.Daily, s.RetryAfter)
	}
	if s.Message != "" {
		refused.Message = s.Message
	}
	return refused
}

func statusError(code int) *apiError {
	known := map[int]apiError{
		400: {Status: "INVALID_ARGUMENT", Message: "Request contains an invalid argument."},
		401: {Status: "UNAUTHENTICATED", Message: "Request had invalid authentication credentials."},
		403: {Status: "PERMISSION_DENIED", Message: "The caller does not have permission"},
		404: {Status: "NOT_FOUND", Message: "Requested entity was not found."},
		500: {Status: "INTERNAL", Message: "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting"},
		503: {Status: "UNAVAILABLE", Message: "The model is overloaded. Please try again later."},
		504: {Status: "DEADLINE_EXCEEDED", Message: "The request timed out. Please try again."},
	}
	a := known[code]
	if a.Code = code; a.Status == "" {
		a.Status, a.Message = "UNKNOWN", fmt.Sprintf("HTTP %d", code)
	}
	return &a
}

// wait lets time pass, and ends the exchange where the client goes away meanwhile.
func (x *exchange) wait(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-x.r.Context().Done():
		x.gone()
	case <-x.e.closed:
		panic(http.ErrAbortHandler)
	}
}

// hang waits until the client goes away.
func (x *exchange) hang() {
	select {
	case <-x.r.Context().Done():
		x.gone()
	case <-x.e.closed:
		panic(http.ErrAbortHandler)
	}
}

// gone notes that the client went away, and ends the exchange.
func (x *exchange) gone() {
	now := time.Now()
	x.note(func(q *Request) { q.Gone = &now })
	panic(http.ErrAbortHandler)
}
