package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// figure is one of the things that are measured of a side.
type figure int

// The figures, in the order of the report. All but throughput and latencies are per request.
const (
	throughput  figure = iota // requests a second
	p50                       // ms
	p99                       // ms
	sideCPU                   // µs, of the side's own process
	databaseCPU               // µs, of all of PostgreSQL's processes
	allocations
	allocatedKB
	statements
	figureCount
)

// sample is the figures of one side in one round; NaN for what cannot be known here.
type sample [figureCount]float64

// cell is a query with a number of connections: the samples of both sides, by round.
type cell struct {
	query       query
	connections int
	samples     [2][]sample
	bodyBytes   int // of the server's last answer
}

// measure takes a cell's samples, the two sides in turns. What costs time itself comes after.
func (l *lab) measure(ctx context.Context, q query, connections int) (cell, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(2*l.o.rounds+4)*(2*l.o.duration+time.Minute)) // if something hangs
	defer cancel()
	c := cell{query: q, connections: connections}
	for round := range l.o.rounds {
		for i := range l.sides {
			side := (i + round) % 2 // who is first changes too
			s, err := l.sample(ctx, &c, side, uint64(round))
			if err != nil {
				return c, fmt.Errorf("%s: %w", l.sides[side].name, err)
			}
			c.samples[side] = append(c.samples[side], s)
		}
	}
	for side := range l.sides {
		n, err := l.countStatements(ctx, q, side, connections)
		if err != nil {
			return c, fmt.Errorf("count the statements of %s: %w", l.sides[side].name, err)
		}
		for round := range c.samples[side] {
			c.samples[side][round][statements] = n
		}
		if err := l.profile(ctx, q, side, connections); err != nil {
			return c, fmt.Errorf("profile %s: %w", l.sides[side].name, err)
		}
	}
	return c, nil
}

// sample measures one side once.
func (l *lab) sample(ctx context.Context, c *cell, side int, seed uint64) (s sample, err error) {
	w, err := l.openLoad(c.query, side, c.connections, seed)
	if err != nil {
		return s, err
	}
	defer w.close()
	if _, _, err := w.run(ctx, l.o.duration/5); err != nil {
		return s, err
	}
	before, err := l.spent(ctx, side)
	if err != nil {
		return s, err
	}
	took, elapsed, err := w.run(ctx, l.o.duration)
	if err != nil {
		return s, err
	}
	after, err := l.spent(ctx, side)
	if err != nil {
		return s, err
	}
	requests := float64(len(took))
	slices.Sort(took)
	allocated := after.first.minus(before.last)
	c.bodyBytes = len(w.connections[0].body)
	return sample{
		throughput:  requests / elapsed.Seconds(),
		p50:         milliseconds(took[len(took)/2]),
		p99:         milliseconds(took[len(took)*99/100]),
		sideCPU:     (after.side - before.side) / requests,
		databaseCPU: (after.database - before.database) / requests,
		// Reading the figures allocates too: as much as between the two readings before.
		allocations: (allocated.objects - before.last.minus(before.first).objects) / requests,
		allocatedKB: (allocated.bytes - before.last.minus(before.first).bytes) / requests / 1000,
		statements:  math.NaN(),
	}, nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// spent is what a side has used until now: CPU in µs, and memory, which is read twice.
type spent struct {
	side, database float64
	first, last    memory
}

func (l *lab) spent(ctx context.Context, side int) (u spent, err error) {
	if u.first, err = l.sides[side].allocated(ctx); err != nil {
		return u, err
	}
	if u.last, err = l.sides[side].allocated(ctx); err != nil {
		return u, err
	}
	u.side, u.database = math.NaN(), math.NaN()
	if p, err := readProcess(l.sides[side].process.pid()); err == nil {
		u.side = float64(p.used.Microseconds())
	}
	if l.database.postmaster != 0 {
		if used, err := family(l.database.postmaster); err == nil {
			u.database = float64(used.Microseconds())
		}
	}
	return u, nil
}

// countStatements is how many statements a request takes, over some more requests.
func (l *lab) countStatements(ctx context.Context, q query, side, connections int) (float64, error) {
	if !l.database.counts {
		return math.NaN(), nil
	}
	w, err := l.openLoad(q, side, connections, math.MaxUint64)
	if err != nil {
		return 0, err
	}
	defer w.close()
	if err := l.database.count(ctx, true); err != nil {
		return 0, err
	}
	if _, _, err := w.run(ctx, l.o.duration/10); err != nil {
		return 0, err
	}
	before, err := l.database.statements(ctx)
	if err != nil {
		return 0, err
	}
	took, _, err := w.run(ctx, max(time.Second, l.o.duration/5))
	if err != nil {
		return 0, err
	}
	after, err := l.database.statements(ctx)
	if err != nil {
		return 0, err
	}
	return float64(after-before) / float64(len(took)), l.database.count(ctx, false)
}

// profile saves a CPU profile of a side under the load of a cell, and what it has allocated since its start, where
// profiles were asked for.
func (l *lab) profile(ctx context.Context, q query, side, connections int) error {
	if l.o.profiles == "" {
		return nil
	}
	if err := os.MkdirAll(l.o.profiles, 0o755); err != nil {
		return err
	}
	w, err := l.openLoad(q, side, connections, math.MaxUint64)
	if err != nil {
		return err
	}
	defer w.close()
	seconds := min(30, max(1, int(l.o.duration.Seconds())))
	var text []byte
	done := make(chan error, 1)
	go func() {
		var err error
		text, err = get(ctx, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", l.sides[side].admin, seconds))
		done <- err
	}()
	_, _, err = w.run(ctx, time.Duration(seconds)*time.Second)
	if profiled := <-done; err == nil {
		err = profiled
	}
	if err != nil {
		return err
	}
	name := filepath.Join(l.o.profiles, fmt.Sprintf("%s-%d-%s", q.name, connections, [2]string{"kyrochat", "byhand"}[side]))
	allocations, err := get(ctx, "http://"+l.sides[side].admin+"/debug/pprof/allocs")
	return errors.Join(err, os.WriteFile(name+".pprof", text, 0o644), os.WriteFile(name+".allocs.pprof", allocations, 0o644))
}

// median is that of a figure of a side over the rounds.
func (c cell) median(side int, f figure) float64 {
	var values []float64
	for _, s := range c.samples[side] {
		values = append(values, s[f])
	}
	return median(values)
}

// ratios are the server's part of the hand-written handlers' figure in each round, in which both had the same weather.
func (c cell) ratios(f figure) []float64 {
	var values []float64
	for round := range c.samples[0] {
		values = append(values, c.samples[0][round][f]/c.samples[1][round][f])
	}
	return values
}

func (c cell) ratio(f figure) float64 { return median(c.ratios(f)) }

func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	middle := len(values) / 2
	if len(values)%2 == 0 {
		return (values[middle-1] + values[middle]) / 2
	}
	return values[middle]
}
