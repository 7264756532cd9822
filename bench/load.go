package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// load is a number of connections to one side, each of which asks again as soon as it has its answer.
type load struct {
	side        int
	connections []*connection
	asked       [][][]request // by connection, by person: each person asks over one connection only
	picks       []*rand.Rand
}

// openLoad opens the connections. They are good for a minute more than they are needed.
func (l *lab) openLoad(q query, side, n int, seed uint64) (*load, error) {
	w := &load{side: side, asked: make([][][]request, n)}
	until := time.Now().Add(2*l.o.duration + time.Minute)
	for i := range n {
		c, err := connect(l.sides[side].address, until)
		if err != nil {
			return nil, errors.Join(err, w.close())
		}
		w.connections = append(w.connections, c)
		w.picks = append(w.picks, rand.New(rand.NewPCG(seed, uint64(i))))
	}
	for i := range max(n, len(l.people)) {
		requests, err := q.requests(l.people[i%len(l.people)], l.sides)
		if err != nil {
			return nil, errors.Join(err, w.close())
		}
		w.asked[i%n] = append(w.asked[i%n], requests)
	}
	return w, nil
}

func (w *load) close() error {
	var errs []error
	for _, c := range w.connections {
		errs = append(errs, c.conn.Close())
	}
	return errors.Join(errs...)
}

// run asks for that long and gives how long every answer took, and the time until the last one had come. No request
// is given up: a server would give up its work too, and the connections to its database.
func (w *load) run(ctx context.Context, d time.Duration) ([]time.Duration, time.Duration, error) {
	var wg sync.WaitGroup
	took := make([][]time.Duration, len(w.connections))
	errs := make([]error, len(w.connections))
	begun := time.Now()
	for i := range w.connections {
		wg.Go(func() { took[i], errs[i] = w.ask(ctx, i, begun.Add(d)) })
	}
	wg.Wait()
	elapsed := time.Since(begun)
	var all []time.Duration
	for _, each := range took {
		all = append(all, each...)
	}
	return all, elapsed, errors.Join(errs...)
}

// checkEach is how many answers one is looked into of.
const checkEach = 32

func (w *load) ask(ctx context.Context, i int, until time.Time) ([]time.Duration, error) {
	took := make([]time.Duration, 0, 1<<14)
	c, pick := w.connections[i], w.picks[i]
	begun := time.Now()
	for {
		person := w.asked[i][pick.IntN(len(w.asked[i]))]
		body, err := c.do(person[pick.IntN(len(person))][w.side])
		if err != nil {
			return nil, err
		}
		if len(took)%checkEach == 0 && (len(body) < 2 || bytes.Contains(body, []byte(`"errors"`))) {
			return nil, fmt.Errorf("the answer has errors: %.300s", body)
		}
		end := time.Now()
		took = append(took, end.Sub(begun))
		if begun = end; !end.Before(until) || ctx.Err() != nil {
			return took, ctx.Err()
		}
	}
}
