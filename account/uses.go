package account

import (
	"context"
	"sync"
	"time"

	"kyrochat/kyro"
)

const (
	usesEvery = 5 * time.Second // how soon it is written that a key was used
	usesTime  = 3 * time.Second // that writing it may take
	maxUses   = 10_000          // keys of which it is known in a minute
)

// uses notes in which minute API keys are used, each once, so that nobody waits for it to be written. What is beyond its
// bound is left out: it is for people who wonder which key nobody needs any more.
type uses struct {
	mu     sync.Mutex
	minute time.Time
	noted  map[kyro.ID]bool // in the minute
	due    []kyro.ID        // that are to be written
}

func (u *uses) note(key kyro.ID, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if minute := now.Truncate(time.Minute); !minute.Equal(u.minute) {
		u.minute, u.noted = minute, map[kyro.ID]bool{}
	}
	if u.noted[key] || len(u.noted) >= maxUses || len(u.due) >= maxUses {
		return
	}
	u.noted[key] = true
	u.due = append(u.due, key)
}

// take gives what is to be written. Keys that were used at the end of a minute may count for the next one.
func (u *uses) take() (keys []kyro.ID, minute time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	keys, u.due = u.due, nil
	return keys, u.minute
}

// Run writes when API keys were used, every few seconds until ctx ends. What comes after that is for FlushUses.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(usesEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.FlushUses(ctx)
		}
	}
}

// FlushUses writes which API keys were used and have not been written yet. Where that fails it is logged, and those keys
// look unused until they are used in another minute.
func (s *Service) FlushUses(ctx context.Context) {
	keys, minute := s.uses.take()
	if len(keys) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, usesTime)
	defer cancel()
	if err := s.store.TouchAPIKeys(ctx, keys, minute); err != nil {
		s.log.WarnContext(ctx, "the use of API keys was not written", "keys", len(keys), "error", err)
	}
}
