package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"
)

// usage is what a server uses at a moment.
type usage struct {
	at                time.Duration
	memory, heap      float64 // in MiB: of the process, and of what lives and has just died in its heap
	goroutines, files int
	err               error // it could not be looked at: it is being killed
}

// meter measures a soak: what the servers use, and how long requests take. It is safe for use by many at once.
type meter struct {
	round *round
	every time.Duration
	began time.Time

	mu      sync.Mutex
	used    [][]usage // of each server
	speeds  []speed
	took    []time.Duration // of requests since the last look, streams aside
	counted int
	codes   map[string]int
	ends    map[string]int
}

// speed is how long requests took between two looks.
type speed struct {
	at       time.Duration
	p50, p95 time.Duration
}

func newMeter(r *round, every time.Duration) *meter {
	return &meter{round: r, every: every, began: time.Now(), used: make([][]usage, len(r.nodes)), codes: map[string]int{}, ends: map[string]int{}}
}

// done notes what came of a try.
func (m *meter) done(what string, took time.Duration, err error) {
	name, allowed := outcome(err)
	if !allowed {
		m.round.violated("%s after %s was answered with %v", what, took.Round(time.Millisecond), err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counted++
	switch {
	case name != "":
		m.codes[name]++
	case what != "stream":
		m.took = append(m.took, took)
	}
}

// ended notes how an answer ended.
func (m *meter) ended(e ending) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ends[e.String()]++
}

// run looks again and again.
func (m *meter) run(ctx context.Context) {
	for pause(ctx, m.every) == nil {
		seen := m.look(ctx)
		m.mu.Lock()
		for i, u := range seen {
			if u.err == nil {
				m.used[i] = append(m.used[i], u)
			}
		}
		if slices.Sort(m.took); len(m.took) > 0 {
			m.speeds = append(m.speeds, speed{time.Since(m.began), m.took[len(m.took)/2], m.took[len(m.took)*95/100]})
		}
		m.took = m.took[:0]
		m.mu.Unlock()
	}
}

// look sees what each server uses now.
func (m *meter) look(ctx context.Context) (list []usage) {
	for _, n := range m.round.nodes {
		u := usage{at: time.Since(m.began)}
		u.err = u.read(ctx, n)
		list = append(list, u)
	}
	return list
}

func (u *usage) read(ctx context.Context, n *node) error {
	cmd, _ := n.process()
	process := filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid))
	pages, err := os.ReadFile(filepath.Join(process, "statm"))
	if err != nil {
		return err
	}
	fields := bytes.Fields(pages)
	if len(fields) < 2 {
		return fmt.Errorf("%s is gone", n.name)
	}
	resident, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return err
	}
	u.memory = float64(resident*os.Getpagesize()) / (1 << 20)
	files, err := os.ReadDir(filepath.Join(process, "fd"))
	if err != nil {
		return err
	}
	u.files = len(files)
	if u.goroutines, err = n.profile(ctx, "goroutine?debug=1", goroutineTotal); err != nil {
		return err
	}
	heap, err := n.profile(ctx, "heap?debug=1", heapAlloc)
	u.heap = float64(heap) / (1 << 20)
	return err
}

// slope is how much a figure of a server grows in an hour, by the straight line through the second half of what was seen.
func slope(seen []usage, figure func(usage) float64) float64 {
	seen = seen[len(seen)/2:]
	if len(seen) < 2 {
		return 0
	}
	var x, y, xx, xy float64
	for _, u := range seen {
		at := u.at.Hours()
		x, y, xx, xy = x+at, y+figure(u), xx+at*at, xy+at*figure(u)
	}
	n := float64(len(seen))
	return (n*xy - x*y) / (n*xx - x*x)
}

func memory(u usage) float64     { return u.memory }
func heap(u usage) float64       { return u.heap }
func goroutines(u usage) float64 { return float64(u.goroutines) }
func files(u usage) float64      { return float64(u.files) }

// tell puts the figures on the page.
func (m *meter) tell(before, after []usage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.round
	r.count("requests", m.counted)
	r.note("answers: %s", words(m.ends))
	r.note("tries that failed: %s", words(m.codes))
	for i, seen := range m.used {
		r.note("node %d: %.0f MiB before and %.0f after, %d and %d goroutines, %d and %d descriptors", i+1,
			before[i].memory, after[i].memory, before[i].goroutines, after[i].goroutines, before[i].files, after[i].files)
		if r.size.length >= 10*time.Minute {
			r.note("in the second half an hour brings %+.1f MiB of memory, %+.1f of heap, %+.0f goroutines and %+.0f descriptors",
				slope(seen, memory), slope(seen, heap), slope(seen, goroutines), slope(seen, files))
		}
	}
	if n := len(m.speeds); n >= 4 {
		early, late := median(m.speeds[n/4:n/2]), median(m.speeds[3*n/4:])
		r.note("p50 %s, p95 %s in the second quarter; %s and %s in the last", early.p50.Round(100*time.Microsecond), early.p95.Round(100*time.Microsecond),
			late.p50.Round(100*time.Microsecond), late.p95.Round(100*time.Microsecond))
	}
}

// median is the middle one of each figure.
func median(list []speed) (s speed) {
	var p50, p95 []time.Duration
	for _, one := range list {
		p50, p95 = append(p50, one.p50), append(p95, one.p95)
	}
	slices.Sort(p50)
	slices.Sort(p95)
	return speed{p50: p50[len(p50)/2], p95: p95[len(p95)/2]}
}
