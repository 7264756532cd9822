// Package pinecone stands in for Pinecone, for tests and for development by hand: the control plane over HTTP and the
// data plane over gRPC, as the Go SDK speaks them, with vectors in memory and exact search. It enforces the documented
// limits, shows writes as late as it is told to, misbehaves by script, and remembers what it was asked.
package pinecone

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Options say what an emulator begins with. The zero value is an index "kyrochat" of 768 dimensions by cosine on free
// ports of this machine, with the key "pinecone-key".
type Options struct {
	APIKey    string
	Index     string
	Dimension int
	Metric    string // cosine, dotproduct or euclidean
	Control   string // address of the control plane, with the admin paths; "127.0.0.1:0" where empty
	Data      string // address of the data plane of the index; a free port of this machine where empty, kept until Close
}

const anyPort = "127.0.0.1:0"

// Emulator is a running stand-in. It is safe for concurrent use.
type Emulator struct {
	APIKey     string
	Index      string // the name of the index that it began with
	Host       string // of that index, http://127.0.0.1:port
	ControlURL string // of the control plane, http://127.0.0.1:port; POST /_emulator/script is there too

	web  *http.Server
	done sync.WaitGroup

	mu      sync.Mutex
	indexes map[string]*index
	script  Script
	left    []int      // for each fault of the script, how many calls it is still for
	dice    *rand.Rand // seeded by the script
	calls   []Call
	closed  bool
}

// Start starts an emulator. It runs until Close.
func Start(o Options) (*Emulator, error) {
	o.APIKey, o.Index, o.Metric = cmp.Or(o.APIKey, "pinecone-key"), cmp.Or(o.Index, "kyrochat"), cmp.Or(o.Metric, "cosine")
	o.Dimension = cmp.Or(o.Dimension, 768)
	e := &Emulator{APIKey: o.APIKey, Index: o.Index, indexes: make(map[string]*index)}
	e.Behave()

	listener, err := net.Listen("tcp", cmp.Or(o.Control, anyPort))
	if err != nil {
		return nil, fmt.Errorf("the control plane: %w", err)
	}
	e.ControlURL = "http://" + listener.Addr().String()
	e.web = &http.Server{Handler: e.control(), ReadHeaderTimeout: 10 * time.Second}
	e.done.Go(func() { _ = e.web.Serve(listener) })
	first, err := e.open(o.Index, o.Dimension, o.Metric, cmp.Or(o.Data, anyPort))
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	e.Host = first.host()
	return e, nil
}

// open makes an index with a data plane of its own.
func (e *Emulator) open(name string, dimension int, metric, address string) (*index, error) {
	x := &index{
		emulator: e, name: name, dimension: dimension, metric: metric, address: address,
		namespaces: make(map[string]*namespace), conns: make(map[string]net.Conn),
	}
	e.mu.Lock()
	taken, closed := e.indexes[name] != nil, e.closed
	if !taken && !closed {
		e.indexes[name] = x
	}
	e.mu.Unlock()
	switch {
	case closed:
		return nil, errors.New("the emulator is closed")
	case taken:
		return nil, errTaken
	}
	return x, x.listen()
}

var errTaken = errors.New("an index of that name exists")

// Close ends the emulator, cuts what is connected, and waits for all that it started.
func (e *Emulator) Close() error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	for _, x := range e.allIndexes() {
		x.close()
	}
	err := e.web.Close()
	e.done.Wait()
	return err
}

func (e *Emulator) allIndexes() []*index {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Collect(maps.Values(e.indexes))
}
