package ai

import (
	"context"
	"sync"
	"time"
)

// How documents share the quota of embeddings with people who ask.
const (
	shareTime  = 10 * time.Minute // since a question was refused
	sharePart  = 0.75             // of what they took in a minute before
	leastShare = 10               // passages a minute
)

// share keeps documents from taking all there is. They take what the quota gives, as fast as they can, so that it may be
// used up in the first seconds of each minute. Once a question was refused for that, on whatever node, they keep to a
// part of what they took, and to a smaller one where that happens again, until none was refused for ten minutes.
type share struct {
	mu      sync.Mutex
	minute  time.Time // when the present one began
	taken   int       // passages in it
	before  int       // in the one before it
	most    int       // in a minute
	limited time.Time // until then
	yielded time.Time // when that became less
}

// whole is how many passages there are in a minute: those of a call should not be more.
func (s *share) whole() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Now().Before(s.limited) {
		return s.most
	}
	return mostBatch
}

// take takes so many passages, or says how long to wait until there is a share for them again. What is larger than a
// whole share goes alone.
func (s *share) take(passages int) (wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.turn()
	if now.Before(s.limited) && s.taken > 0 && s.taken+passages > s.most {
		return s.minute.Add(time.Minute).Sub(now)
	}
	s.taken += passages
	return 0
}

// back gives back passages that were refused.
func (s *share) back(passages int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = max(0, s.taken-passages)
}

// yield notes that a question was refused. Those that are refused within a minute, here and elsewhere, tell the same.
func (s *share) yield() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.turn()
	took := max(s.taken, s.before)
	if took == 0 || now.Sub(s.yielded) < time.Minute {
		return // it was somebody else, or is known
	}
	if now.Before(s.limited) {
		took = min(took, s.most)
	}
	s.most, s.limited, s.yielded = max(leastShare, int(sharePart*float64(took))), now.Add(shareTime), now
}

// turn begins another minute where this one is over. mu is held.
func (s *share) turn() time.Time {
	now := time.Now()
	switch age := now.Sub(s.minute); {
	case age >= 2*time.Minute:
		s.minute, s.taken, s.before = now, 0, 0
	case age >= time.Minute:
		s.minute, s.taken, s.before = now, 0, s.taken
	}
	return now
}

// beginEmbed lets a call with so many texts begin. endEmbed must be told what became of it.
func (g *Gemini) beginEmbed(ctx context.Context, use task, texts int, patience time.Duration) (*call, *failure) {
	if use == forQuestions {
		return g.begin(ctx, callQuestions, g.asked, patience)
	}
	if wait := g.share.take(texts); wait > 0 {
		return nil, &failure{err: quotaUsedUp(wait)}
	}
	c, f := g.begin(ctx, callPassages, g.passages, patience)
	if f != nil {
		g.share.back(texts)
	}
	return c, f
}

func (g *Gemini) endEmbed(c *call, use task, texts int, f *failure) {
	refused := f != nil && f.quota
	switch {
	case use == forPassages:
		g.batch.learn(texts, f)
		if refused {
			g.share.back(texts)
		}
	case refused:
		g.share.yield()
	}
	c.end(f)
}
