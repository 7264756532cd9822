package live_test

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"kyrochat/kyro"
	"kyrochat/live"
)

var (
	ada = kyro.UserID(1)
	eve = kyro.UserID(2)
)

// shelf is a store of bots that counts its reads. A read that holds waits after it has taken what it gives.
type shelf struct {
	mu    sync.Mutex
	bots  map[kyro.ID]kyro.Bot
	asked [][]kyro.ID
	hold  chan struct{}
	err   error
}

func newShelf(owner kyro.ID, keys ...int64) *shelf {
	s := &shelf{bots: map[kyro.ID]kyro.Bot{}}
	for _, key := range keys {
		s.bots[kyro.BotID(key)] = kyro.Bot{ID: kyro.BotID(key), OwnerID: owner, Name: "old", SuggestedQuestions: []string{"a?", "b?"}}
	}
	return s
}

func (s *shelf) read(ctx context.Context, owner kyro.ID, ids []kyro.ID) ([]kyro.Bot, error) {
	s.mu.Lock()
	s.asked = append(s.asked, slices.Clone(ids))
	var found []kyro.Bot
	for _, id := range ids {
		if b, there := s.bots[id]; there && b.OwnerID == owner {
			found = append(found, b.Clone())
		}
	}
	hold, err := s.hold, s.err
	s.mu.Unlock()
	runtime.Gosched() // what was read may be old by now
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return found, err
}

func (s *shelf) rename(id kyro.ID, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.bots[id]
	b.Name = name
	s.bots[id] = b
}

// holding makes reads wait from now on, until let is called.
func (s *shelf) holding() (let func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hold := make(chan struct{})
	s.hold = hold
	return func() { close(hold) }
}

func (s *shelf) passing() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold = nil
}

func (s *shelf) reads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

func newBots(t *testing.T, adjust ...func(*live.CacheConfig[kyro.Bot])) *live.Cache[kyro.Bot] {
	t.Helper()
	cfg := live.CacheConfig[kyro.Bot]{TTL: time.Minute, ID: (*kyro.Bot).NodeID, Clone: (*kyro.Bot).Clone}
	for _, f := range adjust {
		f(&cfg)
	}
	c := live.NewCache(cfg)
	t.Cleanup(c.Close)
	return c
}

// names gives the names of the bots of ada by their keys.
func names(t *testing.T, c *live.Cache[kyro.Bot], s *shelf, keys ...int64) map[int64]string {
	t.Helper()
	ids := make([]kyro.ID, len(keys))
	for i, key := range keys {
		ids[i] = kyro.BotID(key)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	bots, err := c.Read(ctx, ada, ids, s.read)
	if err != nil {
		t.Errorf("read %v: %v", keys, err)
	}
	found := map[int64]string{}
	for _, b := range bots {
		if _, twice := found[b.ID.Key]; twice {
			t.Errorf("%v is given twice", b.ID)
		}
		found[b.ID.Key] = b.Name
	}
	return found
}
