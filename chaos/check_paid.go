package main

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"kyrochat/internal/gemini"
)

// paid counts how often each text was embedded, by what the emulated model was asked. That keeps the last requests only,
// so they are read while they come.
type paid struct {
	mu    sync.Mutex
	times map[string]int
	read  map[int]bool // requests by their numbers
}

// watchPaid counts until ctx ends.
func (r *round) watchPaid(ctx context.Context) (*paid, *sync.WaitGroup) {
	p := &paid{times: map[string]int{}, read: map[int]bool{}}
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			p.look(r.gemini.RequestsOf(gemini.KindEmbed))
			if pause(ctx, 500*time.Millisecond) != nil {
				p.look(r.gemini.RequestsOf(gemini.KindEmbed))
				return
			}
		}
	})
	return p, &watching
}

func (p *paid) look(requests []gemini.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, q := range requests {
		if q.TaskType == "RETRIEVAL_QUERY" || p.read[q.Number] || q.Status != http.StatusOK {
			continue
		}
		p.read[q.Number] = true
		for _, text := range q.Texts {
			if !strings.HasPrefix(text, "task: ") { // a question, as the second generation of models is told
				p.times[text]++
			}
		}
	}
}

// again is how many texts were embedded, and how many more times than once.
func (p *paid) again() (once, more int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range p.times {
		more += n - 1
	}
	return len(p.times), more
}
