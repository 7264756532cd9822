package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// stages are how far a client comes before it vanishes.
func (p *person) stages(answer string) []func(c *raw) error {
	greet := func(c *raw) error {
		if err := c.say(upgrade, "\r\n\r\n"); err != nil {
			return err
		}
		return c.say(p.greeting(), `"connection_ack"}`)
	}
	follow := map[string]any{"m": answer}
	return []func(c *raw) error{
		func(c *raw) error { return c.say(upgrade[:len(upgrade)/2], "") },          // in the middle of the request
		func(c *raw) error { return c.say(upgrade, "\r\n\r\n") },                   // before connection_init
		func(c *raw) error { return c.say(upgrade+p.greeting()[:40], "\r\n\r\n") }, // in the middle of it
		greet, // after connection_ack
		func(c *raw) error { return errors.Join(greet(c), c.say(subscribing(followAnswer, follow), `"next"`)) }, // in the middle of an answer
		func(c *raw) error { // and of a message
			return errors.Join(greet(c), c.say(subscribing(followAnswer, follow)+frame("ping", nil)[:9], `"next"`))
		},
		func(c *raw) error {
			c.events = true
			return c.say(p.eventStream(followAnswer, follow), "data: ")
		}, // in the middle of an event stream
	}
}

// vanish has so many clients come and vanish: half by a reset, half by reading and saying nothing any more, as a machine
// does that was put to sleep.
func (r *round) vanish(ctx context.Context, n *node, p *person, count int) error {
	answers, err := r.ownAnswers(ctx, p)
	if err != nil {
		return err
	}
	frozen := make(chan *raw, frozenAtOnce)
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var coming, watching sync.WaitGroup
	var next atomic.Int64
	watching.Go(func() {
		if err := r.seeOff(working, n, frozen); err != nil {
			stop(err)
		}
	})
	for range vanishers {
		coming.Go(func() {
			for i := int(next.Add(1)); i <= count && working.Err() == nil; i = int(next.Add(1)) {
				stages := p.stages(answers())
				conn, err := connect(n.address)
				if err == nil {
					if err = stages[i%len(stages)](conn); err != nil {
						reset(conn.TCPConn)
					}
				}
				if err != nil {
					stop(fmt.Errorf("client %d, at stage %d: %w", i, i%len(stages), err))
					return
				}
				if i/len(stages)%2 == 0 {
					reset(conn.TCPConn)
					r.count("clients that reset", 1)
					continue
				}
				select {
				case frozen <- conn:
				case <-working.Done():
					reset(conn.TCPConn)
				}
			}
		})
	}
	coming.Wait()
	close(frozen)
	watching.Wait()
	return context.Cause(working)
}

// seeOff waits until the server has given up each client that froze. Those of event streams die: as long as systems keep
// what is sent, here some megabytes, they cannot be told from clients that read, and may stay until their token is over.
func (r *round) seeOff(ctx context.Context, n *node, frozen <-chan *raw) error {
	since := map[*raw]time.Time{}
	defer func() {
		for c := range since {
			reset(c.TCPConn)
		}
	}()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for more := true; more || len(since) > 0; {
		taken := frozen
		if len(since) >= frozenAtOnce {
			taken = nil
		}
		select {
		case c, ok := <-taken:
			if more = ok; ok {
				since[c] = time.Now()
			} else {
				frozen = nil
			}
			continue
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		open, err := n.peers()
		if err != nil {
			return err
		}
		for c, began := range since {
			switch age := time.Since(began); {
			case c.events && age < diesAfter, !c.events && open[c.port] && age < closedWithin:
				continue
			case !c.events && open[c.port]:
				r.violated("a client that froze is still there after %s", closedWithin)
			}
			r.count("clients that froze", 1)
			reset(c.TCPConn)
			delete(since, c)
		}
	}
	return nil
}

// ownAnswers gives an answer of a person that is being written, always.
func (r *round) ownAnswers(ctx context.Context, p *person) (func() string, error) {
	bot, err := p.newBot(ctx)
	if err != nil {
		return nil, err
	}
	const words = wordsOfPiece * 1_000
	var mu sync.Mutex
	var answer string
	var until time.Time
	renew := func() error {
		name := fmt.Sprintf("v%d", time.Now().UnixNano())
		s, err := p.send(ctx, bot, "", name, countTo(name, words))
		answer, until = s.Answer, time.Now().Add(words/wordsOfPiece*piecePace/2)
		return err
	}
	if err := renew(); err != nil {
		return nil, err
	}
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		if time.Now().After(until) {
			_ = renew() // else the former one, which has ended, serves
		}
		return answer
	}, nil
}
