package pinecone

import (
	"slices"
	"time"
)

// callsKept is how many calls are remembered; the oldest are forgotten.
const callsKept = 100_000

// Call is what was asked once, whatever became of it.
type Call struct {
	At        time.Time      `json:"at"`
	Index     string         `json:"index,omitempty"`
	Method    string         `json:"method"`
	Namespace string         `json:"namespace,omitempty"`
	Filter    map[string]any `json:"filter,omitempty"`
	IDs       []string       `json:"ids,omitempty"` // that were upserted, fetched, deleted or updated
	Prefix    string         `json:"prefix,omitempty"`
	TopK      int            `json:"top_k,omitempty"`
	All       bool           `json:"all,omitempty"`      // a delete of everything
	Bytes     int            `json:"bytes,omitempty"`    // of the request
	Metadata  bool           `json:"metadata,omitempty"` // a query that asked for metadata
}

// Calls gives the remembered calls of the methods, or all where none is named, in the order they came.
func (e *Emulator) Calls(methods ...string) []Call {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(methods) == 0 {
		return slices.Clone(e.calls)
	}
	var some []Call
	for _, c := range e.calls {
		if slices.Contains(methods, c.Method) {
			some = append(some, c)
		}
	}
	return some
}

// Forget forgets the calls so far.
func (e *Emulator) Forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls = nil
}

func (e *Emulator) note(c Call) {
	c.At = time.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.calls) >= callsKept {
		e.calls = slices.Clone(e.calls[callsKept/10:])
	}
	e.calls = append(e.calls, c)
}
