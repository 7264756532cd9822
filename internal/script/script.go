// Package script keeps what the emulators were told to do wrong: in which order, for how often, and what is left of it.
package script

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Queue is scripts in the order in which they were added. The zero Queue is ready. It is safe for use by any number of
// goroutines.
type Queue[S any] struct {
	mu   sync.Mutex
	list []*entry[S]
}

// entry is a script with what is left of it.
type entry[S any] struct {
	script            S
	times, skip, used int
}

// Add adds a script that is for so many that fit it, or for all where times is 0, after it has left skip of them alone.
func (q *Queue[S]) Add(script S, times, skip int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.list = append(q.list, &entry[S]{script: script, times: times, skip: skip})
}

// All gives the scripts that are still in force.
func (q *Queue[S]) All() []S {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := make([]S, len(q.list))
	for i, e := range q.list {
		list[i] = e.script
	}
	return list
}

// Clear takes all scripts back.
func (q *Queue[S]) Clear() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.list = nil
}

// Take counts the oldest script that fits and has not to leave this one alone; the zero S where there is none. fits must
// not use the queue.
func (q *Queue[S]) Take(fits func(S) bool) S {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, e := range q.list {
		if !fits(e.script) {
			continue
		}
		if e.skip > 0 {
			e.skip--
			continue
		}
		if e.used++; e.used == e.times {
			q.list = slices.Delete(q.list, i, i+1)
		}
		return e.script
	}
	var none S
	return none
}

// maxBody is how long a request with scripts may be, in bytes.
const maxBody = 1 << 20

// Read reads a script, or a list of them, in JSON, from the body of a request.
func Read[S any](r *http.Request) (list []S, err error) {
	var body json.RawMessage
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxBody)).Decode(&body); err != nil {
		return nil, err
	}
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("[")) {
		err = json.Unmarshal(body, &list)
		return list, err
	}
	var one S
	err = json.Unmarshal(body, &one)
	return []S{one}, err
}

// Duration is a duration in JSON: "1.5s".
type Duration time.Duration

// MarshalText writes it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what MarshalText writes.
func (d *Duration) UnmarshalText(b []byte) error {
	parsed, err := time.ParseDuration(string(b))
	*d = Duration(parsed)
	return err
}
