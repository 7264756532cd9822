package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// setup is what a scenario runs against.
type setup string

const (
	onSQLite setup = "sqlite" // one server on the embedded defaults, but for the emulated upstreams
	onOne    setup = "one"    // one server, PostgreSQL and Redis
	onNodes  setup = "nodes"  // two servers, PostgreSQL and Redis
)

var allSetups = []setup{onSQLite, onOne, onNodes}

// size says how much of what a scenario does; which of them it uses is its own.
type size struct {
	count  int           // messages, resumes, documents, rounds
	kills  int           // of each kind
	people int           // at once
	length time.Duration // of what is measured by time
}

func (s size) by(scale float64) size {
	return size{
		count:  max(1, int(float64(s.count)*scale)),
		kills:  max(1, int(float64(s.kills)*scale)),
		people: s.people,
		length: time.Duration(float64(s.length) * scale),
	}
}

// scenario is one way to break the server, and what must hold all the same.
type scenario struct {
	name        string
	promise     string // what is checked, for the table
	setups      []setup
	short, long size
	settings    map[string]string // of the servers, besides those of the world
	tags        string            // that they are built with
	play        func(ctx context.Context, r *round) error
}

// scenarios are all there are, in the order in which they are played.
var scenarios = []scenario{messages, retries, storm, resume, readers, drain, ingesting, rescue, deletions, mails, disk, outages, offline, clocks, soak}

func scenarioNames() (names []string) {
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	return names
}

func chosenScenarios(names string) (chosen []scenario, err error) {
	if names == "" {
		return scenarios, nil
	}
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == strings.TrimSpace(name) })
		if i < 0 {
			return nil, fmt.Errorf("%q is no scenario: %s", name, strings.Join(scenarioNames(), ", "))
		}
		chosen = append(chosen, scenarios[i])
	}
	return chosen, nil
}

// result is what a scenario found. It is safe for use by many at once.
type result struct {
	scenario scenario
	where    setup
	seed     uint64
	took     time.Duration

	mu         sync.Mutex
	counts     map[string]int // what was done, and the faults that were injected, by their names
	order      []string       // of the names
	violations []string
	notes      []string // figures that are measured
	skipped    string   // why it could not be played here
}

// count adds to what was done.
func (r *result) count(what string, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.counts[what]; !known {
		r.order = append(r.order, what)
	}
	r.counts[what] += n
}

// violated notes a broken promise.
func (r *result) violated(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.violations = append(r.violations, fmt.Sprintf(format, args...))
}

// note keeps a figure for the page.
func (r *result) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// round is a scenario that is being played: its world, its dice and its result.
type round struct {
	*result
	*world
	size size
	plot string // where a plot goes; nowhere where it is empty
	dice *dice
	say  func(format string, args ...any) // progress, for whoever waits

	watch    watch         // of everybody who comes; nil: nobody watches
	patience time.Duration // of everybody who comes with one try; 0: callPatience
}

// dice are random numbers that many may draw from at once.
type dice struct {
	mu sync.Mutex
	r  *rand.Rand
}

func newDice(seed uint64, name string) *dice {
	h := fnv.New64a()
	_, _ = io.WriteString(h, name)
	return &dice{r: rand.New(rand.NewPCG(seed, h.Sum64()))}
}

// n is a number from 0 to below n.
func (d *dice) n(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.IntN(n)
}

// between is a time between two.
func (d *dice) between(from, to time.Duration) time.Duration {
	return from + time.Duration(d.n(int(max(1, to-from))))
}

// fork makes dice of their own, for one of several that draw at once: each has the same numbers again with the seed.
func (d *dice) fork() *dice {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &dice{r: rand.New(rand.NewPCG(d.r.Uint64(), d.r.Uint64()))}
}

// play plays one scenario in a world of its own. What went wrong is among the violations: a promise that could not be
// checked was not kept.
func play(ctx context.Context, o options, t turn, folder string, out io.Writer) *result {
	s, where := t.scenario, t.where
	r := &result{scenario: s, where: where, seed: o.seed, counts: map[string]int{}}
	began := time.Now()
	name := s.name + " on " + string(where)
	say := func(format string, args ...any) {
		fmt.Fprintf(out, "%7s %s: %s\n", time.Since(began).Truncate(time.Second), name, fmt.Sprintf(format, args...))
	}
	size := s.short
	if o.long {
		size = s.long
	}
	w, err := openWorld(ctx, where, t.binary, filepath.Join(folder, s.name+"-"+string(where)), s.settings)
	if err != nil {
		r.violated("the world could not be made: %v", err)
		return r
	}
	say("begins")
	played := &round{result: r, world: w, size: size.by(o.scale), plot: o.plot, dice: newDice(o.seed, name), say: say}
	if err := s.play(ctx, played); err != nil {
		r.violated("it could not be played to its end: %v", err)
	}
	for _, line := range w.close() {
		r.violated("%s", line)
	}
	r.took = time.Since(began)
	for _, v := range r.violations {
		say("VIOLATION %s", v)
	}
	if r.skipped != "" {
		say("SKIPPED: %s", r.skipped)
	}
	say("ended, %d violations", len(r.violations))
	return r
}
