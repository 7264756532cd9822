package pinecone

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
)

// Script is how the emulator misbehaves. It replaces the script before it; the zero value behaves well. Over HTTP it is
// the JSON of POST /_emulator/script.
type Script struct {
	Faults []Fault `json:"faults"` // for each call, the first one that fits
	Seed   uint64  `json:"seed"`   // of the dice that decide about shares

	UpsertLag Lag `json:"upsert_lag"` // how late reads see what was upserted
	DeleteLag Lag `json:"delete_lag"` // how late reads miss what was deleted

	IgnoreNamespaces bool `json:"ignore_namespaces"` // queries find vectors of all namespaces
	IgnoreFilters    bool `json:"ignore_filters"`    // queries find whatever the filter says
	NoMetadata       bool `json:"no_metadata"`       // matches and fetched vectors come without metadata

	Dimension int    `json:"dimension"` // what every index says, and holds to, in place of its own; 0: its own
	Metric    string `json:"metric"`    // the same

	Away bool `json:"away"` // data planes refuse connections, the control plane cuts them; the admin paths answer
}

// Lag is how late reads see a write: once the time is over and as many reads of the index were made.
type Lag struct {
	MS    int `json:"ms"`
	Reads int `json:"reads"`
}

// Fault is what happens to calls. Without a Code, a Hang or a Cut they are answered, after the latency.
type Fault struct {
	Method string  `json:"method"` // Query, Upsert, Fetch, …, DescribeIndex, CreateIndex, ListIndexes; empty: every one
	Calls  int     `json:"calls"`  // for the next so many that it fits; 0: for all
	Share  float64 `json:"share"`  // of those, the share that it happens to, 0.3 for 30 %; 0: all

	LatencyMS int     `json:"latency_ms"` // before anything else
	Code      string  `json:"code"`       // such as Unavailable or RESOURCE_EXHAUSTED; on the control plane as HTTP status
	Message   string  `json:"message"`    // of that error
	RetryMS   int     `json:"retry_ms"`   // that error says to wait so long
	Hang      bool    `json:"hang"`       // no answer until the caller gives up
	Cut       bool    `json:"cut"`        // the connection is cut
	After     bool    `json:"after"`      // the call has its effect before the error, the hang or the cut
	Partial   float64 `json:"partial"`    // upserts keep this share of their vectors and say so; 0: all
}

// Script sets how the emulator misbehaves from now on.
func (e *Emulator) Script(s Script) error {
	for i, f := range s.Faults {
		if _, err := codeOf(f.Code); err != nil {
			return fmt.Errorf("fault %d: %w", i, err)
		}
	}
	e.mu.Lock()
	e.script, e.left = s, make([]int, len(s.Faults))
	for i, f := range s.Faults {
		e.left[i] = f.Calls
	}
	e.dice = rand.New(rand.NewPCG(s.Seed, 0))
	e.mu.Unlock()
	for _, x := range e.allIndexes() {
		if s.Away {
			x.hangUp()
		} else if err := x.listen(); err != nil {
			return err
		}
	}
	return nil
}

// Behave ends all misbehaviour. It panics where the data plane's port was taken meanwhile.
func (e *Emulator) Behave() { e.Misbehave() }

// Misbehave is Script for tests: with faults alone, which are known to be right. It panics where they are not.
func (e *Emulator) Misbehave(faults ...Fault) {
	if err := e.Script(Script{Faults: faults}); err != nil {
		panic(err)
	}
}

// fault decides what happens to a call of the method.
func (e *Emulator) fault(method string) Fault {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, f := range e.script.Faults {
		if f.Method != "" && f.Method != method {
			continue
		}
		if f.Calls > 0 && e.left[i] == 0 {
			continue
		}
		if f.Calls > 0 {
			e.left[i]--
		}
		if f.Share > 0 && e.dice.Float64() >= f.Share {
			return Fault{}
		}
		return f
	}
	return Fault{}
}

// wait is the latency. It ends with ctx.
func (f Fault) wait(ctx context.Context) {
	if f.LatencyMS <= 0 {
		return
	}
	timer := time.NewTimer(time.Duration(f.LatencyMS) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// codeOf reads a code as Go or as the wire writes it.
func codeOf(name string) (codes.Code, error) {
	plain := strings.ToLower(strings.ReplaceAll(name, "_", ""))
	if plain == "" {
		return codes.OK, nil
	}
	for c := codes.OK; c <= codes.Unauthenticated; c++ {
		if strings.ToLower(c.String()) == plain {
			return c, nil
		}
	}
	return 0, fmt.Errorf("%q is no gRPC code", name)
}
