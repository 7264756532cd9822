package ai

import "sync"

// leastBatch is how few passages go in a call, whatever was refused.
const leastBatch = 5

// batchSize learns how many passages may go in one call. Each of them counts as a request against some quotas: a hundred
// at once would be refused again and again where a minute has a hundred, of which somebody else had one. A refusal halves
// it, and every call that is as large as it may be and goes well makes it a little larger again.
type batchSize struct {
	mu    sync.Mutex
	fewer int // than mostBatch
}

// now is how many passages a call may have.
func (s *batchSize) now() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return mostBatch - s.fewer
}

// learn learns from what became of a call with so many passages; nil: all went well.
func (s *batchSize) learn(passages int, f *failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := mostBatch - s.fewer
	switch {
	case f == nil && passages >= now:
		now += leastBatch
	case f != nil && f.quota && !f.daily && passages <= now: // one that began with more has nothing new to say
		now = passages / 2
	}
	s.fewer = mostBatch - max(leastBatch, min(mostBatch, now))
}
