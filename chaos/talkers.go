package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// clock measures how long the words of a model take to those who follow its answers.
type clock struct {
	mu    sync.Mutex
	said  map[string]time.Time // by the word
	took  []time.Duration
	on    bool
	asked atomic.Pointer[string] // an answer that is being written
}

var countedWord = regexp.MustCompile(`t\d+x\d+n\d+`)

// hear notes when the model said something.
func (c *clock) hear(b []byte) {
	now := time.Now()
	words := countedWord.FindAll(b, -1)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range words {
		c.said[string(w)] = now
	}
}

// show notes when somebody is shown it.
func (c *clock) show(piece string) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range countedWord.FindAllString(piece, -1) {
		if said, known := c.said[w]; known {
			if c.on {
				c.took = append(c.took, now.Sub(said))
			}
			delete(c.said, w)
		}
	}
}

// measure gives what the words took that were shown in a while.
func (c *clock) measure(ctx context.Context, length time.Duration) ([]time.Duration, error) {
	c.mu.Lock()
	c.took, c.on = nil, true
	c.mu.Unlock()
	err := pause(ctx, length)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.on = false
	return c.took, err
}

// percentile of times; 0 of none.
func percentile(times []time.Duration, percent int) time.Duration {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[min(len(times)-1, len(times)*percent/100)]
}

// talking has people follow one answer after another for as long as something is done.
func (r *round) talking(ctx context.Context, people []*person, bots []string, do func(ctx context.Context, c *clock) error) error {
	c := &clock{said: map[string]time.Time{}}
	r.model.watch(c.hear)
	defer r.model.watch(nil)
	talks, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var over atomic.Bool
	var talking sync.WaitGroup
	for i, p := range people {
		talking.Go(func() {
			if err := r.followOn(talks, p, bots[i], c, i, &over); err != nil {
				stop(err)
			}
		})
	}
	err := do(talks, c)
	over.Store(true)
	talking.Wait()
	return errors.Join(err, context.Cause(talks))
}

// followOn asks for one answer after another and follows each.
func (r *round) followOn(ctx context.Context, p *person, bot string, c *clock, number int, over *atomic.Bool) error {
	for i := 0; !over.Load(); i++ {
		const words = wordsOfPiece * 150
		name := fmt.Sprintf("t%dx%d", number, i)
		s, err := p.send(ctx, bot, "", fmt.Sprintf("%s-%s-%d", p.name, name, time.Now().UnixNano()), countTo(name, words))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		c.asked.Store(&s.Answer)
		l := &listening{tab: &tab{answer: s.Answer, violated: r.violated, disturbed: func() bool { return false }}, asked: noCursor}
		err = p.overSocket(ctx, route{base: r.nodes[0].url()}, followAnswer, map[string]any{"m": s.Answer}, func(e told) error {
			var event struct{ MessageStream streamEvent }
			if err := decode(e.data, &event); err != nil {
				return err
			}
			l.handle(event.MessageStream)
			c.show(event.MessageStream.Piece)
			return nil
		})
		if err != nil || l.text != counted(name, words) {
			r.violated("who followed %s beside them was left with %s: %v", s.Answer, difference(l.text, counted(name, words)), err)
		}
		r.count("answers that were followed beside them", 1)
	}
	return nil
}
