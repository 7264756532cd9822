package main

import (
	"context"
	"fmt"
	"time"
)

// rescue kills and freezes one of two servers while it works on documents, and leaves it so: the other one takes its jobs
// up by itself, and soon.
var rescue = scenario{
	name:    "rescue",
	promise: "jobs of a killed or frozen server are taken up by the other one within 30 s, and become what they would have become",
	setups:  []setup{onNodes},
	short:   size{count: 8, kills: 1},
	long:    size{count: 16, kills: 10},
	play:    playRescue,
}

// takenUpWithin is how soon another server works on what one was at that is gone.
const takenUpWithin = 30 * time.Second

func playRescue(ctx context.Context, r *round) error {
	d, err := r.openData(ctx)
	if err != nil {
		return err
	}
	defer d.close()
	calm, err := r.calmPapers(ctx, d)
	if err != nil {
		return err
	}
	p, bot, err := r.newOwner(ctx, "writer")
	if err != nil {
		return err
	}
	var list []added
	var longest time.Duration
	for i := range r.size.kills {
		n := r.nodes[r.dice.n(len(r.nodes))]
		name, gone, back := "kill -9 of "+n.name+", which stays away", func() error { n.kill(); return nil }, n.start
		if i%3 == 2 {
			name, gone, back = "freeze of "+n.name, n.freeze, func(context.Context) error { return n.thaw() }
		}
		more, took, err := r.oneRescue(ctx, d, p, bot, i, gone, back)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		list, longest = append(list, more...), max(longest, took)
		r.count(name, 1)
		r.say("%s: its jobs were taken up after %s", name, took.Round(100*time.Millisecond))
	}
	r.note("jobs were taken up after %s at the most", longest.Round(100*time.Millisecond))
	if err := r.checkVectors(ctx, d, vectorsWithin); err != nil {
		return err
	}
	return r.checkDocuments(ctx, d, calm, list)
}

// oneRescue has both servers work on documents that wait for the model, has one of them go, and gives how long it took until
// none of its jobs counted as under way.
func (r *round) oneRescue(ctx context.Context, d *data, p *person, bot string, number int, gone func() error, back func(context.Context) error) (list []added, took time.Duration, err error) {
	r.model.freeze()
	defer r.model.thaw()
	for i := range r.size.count {
		a, err := p.add(ctx, bot, patterns[0].paper(markOf(1_000_000+number*r.size.count+i)))
		if err != nil {
			return nil, 0, err
		}
		list = append(list, a)
	}
	const busy = `SELECT count(*) FROM river_job WHERE state = 'running' AND kind = 'ingest'`
	if err := await(ctx, 20*time.Second, func() bool { n, err := d.number(ctx, busy); return err == nil && n >= 2*ingestWorkers }); err != nil {
		return nil, 0, fmt.Errorf("the servers do not work on %d documents: %w", 2*ingestWorkers, err)
	}
	if err := gone(); err != nil {
		return nil, 0, err
	}
	began := time.Now()
	var at time.Time // by the clock of the database
	if err := d.db.QueryRowContext(ctx, `SELECT now()`).Scan(&at); err != nil {
		return nil, 0, err
	}
	r.model.thaw()
	err = await(ctx, 3*time.Minute, func() bool {
		var n int
		err := d.db.QueryRowContext(ctx, `SELECT count(*) FROM river_job WHERE state = 'running' AND attempted_at <= $1`, at).Scan(&n)
		return err == nil && n == 0
	})
	took = time.Since(began)
	if took > takenUpWithin {
		r.violated("jobs of a server that is gone were taken up after %s", took.Round(time.Second))
	}
	if err != nil {
		return nil, took, err
	}
	if err := r.documentsFinal(ctx, d); err != nil { // by the other one alone
		return nil, took, err
	}
	return list, took, back(ctx)
}
