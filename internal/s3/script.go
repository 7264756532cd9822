package s3

import (
	"cmp"
	"encoding/json"
	"net/http"
	"time"

	"kyrochat/internal/script"
)

// Kind is what a request asks for.
type Kind string

// The kinds of requests.
const (
	Put    Kind = "put" // an object, or a part of one
	Get    Kind = "get"
	Head   Kind = "head" // of an object
	Delete Kind = "delete"
	List   Kind = "list"
	Bucket Kind = "bucket" // whether it is there, and where
)

// Trouble is how an answer goes wrong.
type Trouble string

// The troubles.
const (
	Hang  Trouble = "hang"  // never a byte
	Drop  Trouble = "drop"  // the connection is cut before the first byte of the answer
	Lose  Trouble = "lose"  // the same, after it was done
	Stall Trouble = "stall" // half of the body, and then never another byte
	Cut   Trouble = "cut"   // the connection is cut after half of the body
	Stale Trouble = "stale" // a list of nothing, as if nothing had been put yet
)

// Script is scripted misbehaviour. Of the scripts that fit a request the oldest one counts. The zero value of a field
// changes nothing.
type Script struct {
	Kind    Kind            `json:"kind,omitempty"`    // of the requests; "": all
	Times   int             `json:"times,omitempty"`   // for so many requests; 0: for all, until it is taken back
	Skip    int             `json:"skip,omitempty"`    // leave so many that fit alone first
	Latency script.Duration `json:"latency,omitzero"`  // before the answer
	Status  int             `json:"status,omitempty"`  // an error: 403, 404, 500, 503 ...
	Code    string          `json:"code,omitempty"`    // of the error; else what goes with the status, as SlowDown with 503
	Trouble Trouble         `json:"trouble,omitempty"` //
}

// Script adds scripts.
func (e *Emulator) Script(list ...Script) {
	for _, s := range list {
		e.scripts.Add(s, s.Times, s.Skip)
	}
}

// Reset takes all scripts back.
func (e *Emulator) Reset() { e.scripts.Clear() }

// codes go with statuses.
var codes = map[int]string{403: "AccessDenied", 404: "NoSuchKey", 500: "InternalError", 503: "SlowDown"}

// begin counts a request, and does what a script says before it is looked at.
func (e *Emulator) begin(r *http.Request, kind Kind) (Script, *refusal) {
	e.mu.Lock()
	e.counted[kind]++
	e.mu.Unlock()
	s := e.scripts.Take(func(s Script) bool { return s.Kind == "" || s.Kind == kind })
	if s.Latency > 0 {
		timer := time.NewTimer(time.Duration(s.Latency))
		defer timer.Stop()
		e.wait(r, timer.C)
	}
	switch s.Trouble {
	case Hang:
		e.wait(r, nil)
	case Drop:
		panic(http.ErrAbortHandler)
	}
	if s.Status != 0 {
		return s, refused(s.Status, cmp.Or(s.Code, codes[s.Status], "InternalError"), "As the script says.")
	}
	return s, nil
}

// wait ends the request where it is over before.
func (e *Emulator) wait(r *http.Request, until <-chan time.Time) {
	select {
	case <-until:
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	case <-e.closed:
		panic(http.ErrAbortHandler)
	}
}

// adminPath is where an emulator is told over HTTP what tests tell it from Go; nothing is signed.
//
//	POST   /_emulator/script   a script, or a list of scripts, in JSON: they are added
//	GET    /_emulator/script   those in force
//	DELETE /_emulator/script   take them back
//	GET    /_emulator/objects  the keys of all objects
const adminPath = "/_emulator/"

func (e *Emulator) adminRoutes() {
	e.routes.HandleFunc("POST "+adminPath+"script", func(w http.ResponseWriter, r *http.Request) {
		list, err := script.Read[Script](r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		e.Script(list...)
		w.WriteHeader(http.StatusNoContent)
	})
	e.routes.HandleFunc("GET "+adminPath+"script", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, e.scripts.All()) })
	e.routes.HandleFunc("DELETE "+adminPath+"script", func(w http.ResponseWriter, _ *http.Request) {
		e.Reset()
		w.WriteHeader(http.StatusNoContent)
	})
	e.routes.HandleFunc("GET "+adminPath+"objects", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, e.Keys()) })
}

func writeJSON(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}
