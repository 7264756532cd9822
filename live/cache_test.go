package live_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/kyro"
	"kyrochat/live"
)

func TestCacheReadsWhatIsMissingAtOnce(t *testing.T) {
	t.Parallel()
	c, s := newBots(t), newShelf(ada, 1, 2, 3)
	if got := names(t, c, s, 1, 1); len(got) != 1 || got[1] != "old" {
		t.Errorf("got %v", got)
	}
	if got := names(t, c, s, 3, 1, 9, 2, 3); len(got) != 3 {
		t.Errorf("got %v", got)
	}
	missing := s.asked[1]
	slices.SortFunc(missing, func(a, b kyro.ID) int { return int(a.Key - b.Key) })
	if s.reads() != 2 || !slices.Equal(missing, []kyro.ID{kyro.BotID(2), kyro.BotID(3), kyro.BotID(9)}) {
		t.Errorf("read %v", s.asked)
	}
	if got := names(t, c, s, 1, 2, 3); len(got) != 3 || s.reads() != 2 {
		t.Errorf("got %v after %v", got, s.asked)
	}
	// What was not there may be there now.
	s.bots[kyro.BotID(9)] = kyro.Bot{ID: kyro.BotID(9), OwnerID: ada}
	if got := names(t, c, s, 9); len(got) != 1 {
		t.Errorf("got %v", got)
	}
	if got := names(t, c, s); len(got) != 0 || s.reads() != 3 {
		t.Errorf("nothing was asked for: got %v after %v", got, s.asked)
	}
}

func TestCacheKeepsOwnersApart(t *testing.T) {
	t.Parallel()
	c, s := newBots(t), newShelf(ada, 1)
	names(t, c, s, 1)
	for range 2 { // also when asked again
		if got, err := c.Read(t.Context(), eve, []kyro.ID{kyro.BotID(1)}, s.read); err != nil || len(got) != 0 {
			t.Errorf("another sees %v, %v", got, err)
		}
	}
}

func TestCacheGivesCopies(t *testing.T) {
	t.Parallel()
	c, s := newBots(t), newShelf(ada, 1)
	for range 3 { // the first is of the call that reads
		bots, err := c.Read(t.Context(), ada, []kyro.ID{kyro.BotID(1)}, s.read)
		if err != nil || bots[0].Name != "old" || bots[0].SuggestedQuestions[0] != "a?" {
			t.Fatalf("got %+v, %v", bots, err)
		}
		bots[0].Name, bots[0].SuggestedQuestions[0] = "mine", "mine?"
	}
}

func TestCacheForgetsByAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := newBots(t), newShelf(ada, 1)
		names(t, c, s, 1)
		s.rename(kyro.BotID(1), "new") // by another node
		time.Sleep(time.Minute - time.Second)
		if got := names(t, c, s, 1); got[1] != "old" || s.reads() != 1 {
			t.Errorf("got %v after %d reads", got, s.reads())
		}
		time.Sleep(time.Second) // being asked for does not make it younger
		if got := names(t, c, s, 1); got[1] != "new" {
			t.Errorf("got %v", got)
		}
	})
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := newBots(t, func(cfg *live.CacheConfig[kyro.Bot]) { cfg.Entries = 10 })
	keys := make([]int64, 1000)
	for i := range keys {
		keys[i] = int64(i + 1)
	}
	s := newShelf(ada, keys...)
	// Evictions come a moment after the rows they make place for.
	for deadline := time.Now().Add(patience); ; {
		if got := names(t, c, s, keys...); len(got) != len(keys) {
			t.Fatalf("%d of %d rows", len(got), len(keys))
		}
		if last := s.asked[len(s.asked)-1]; s.reads() > 1 && len(last) >= len(keys)-20 {
			return
		} else if time.Now().After(deadline) {
			t.Fatalf("of %d rows %d had to be read again", len(keys), len(last))
		}
	}
}

func TestCacheReadsOnceForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := newBots(t), newShelf(ada, 1, 2)
		let := s.holding()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if got := names(t, c, s, 1, 2); len(got) != 2 {
					t.Errorf("got %v", got)
				}
			})
		}
		synctest.Wait()
		let()
		all.Wait()
		// Two callers who come at once may take a row each.
		if asked := slices.Concat(s.asked...); len(asked) != 2 {
			t.Errorf("20 callers had the rows %v read", asked)
		}
	})
}

// TestCacheOutlivesWhoReads: that the caller who reads goes away is no error of those who wait for it.
func TestCacheOutlivesWhoReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := newBots(t), newShelf(ada, 1)
		s.holding()
		ctx, leave := context.WithCancel(t.Context())
		var both sync.WaitGroup
		both.Go(func() {
			if _, err := c.Read(ctx, ada, []kyro.ID{kyro.BotID(1)}, s.read); !errors.Is(err, context.Canceled) {
				t.Errorf("the first got %v", err)
			}
		})
		synctest.Wait()
		s.passing()
		both.Go(func() {
			if got := names(t, c, s, 1); got[1] != "old" {
				t.Errorf("the second got %v", got)
			}
		})
		synctest.Wait()
		leave()
		both.Wait()
	})
}

// TestCacheForgetsReadsUnderWay: a read that began before a change and ends after it is of no use to anybody.
func TestCacheForgetsReadsUnderWay(t *testing.T) {
	t.Parallel()
	forget := map[string]func(*live.Cache[kyro.Bot]){
		"the row":            func(c *live.Cache[kyro.Bot]) { c.Forget(ada, kyro.BotID(1)) },
		"all of the owner's": func(c *live.Cache[kyro.Bot]) { c.ForgetAll(ada) },
	}
	for name, forget := range forget {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, s := newBots(t), newShelf(ada, 1, 2)
				let := s.holding()
				var early sync.WaitGroup
				early.Go(func() { names(t, c, s, 1, 2) })
				synctest.Wait()
				s.passing()
				s.rename(kyro.BotID(1), "new")
				forget(c)
				// It does not wait for the early read, which is held still.
				if got := names(t, c, s, 1); got[1] != "new" {
					t.Errorf("a read after the change got %v", got)
				}
				let()
				early.Wait()
				if got := names(t, c, s, 1); got[1] != "new" {
					t.Errorf("what the early read brought is kept: %v", got)
				}
			})
		})
	}
}

func TestCacheForgetsWhatIsThere(t *testing.T) {
	t.Parallel()
	c, s := newBots(t), newShelf(ada, 1, 2)
	names(t, c, s, 1, 2)
	s.rename(kyro.BotID(1), "new")
	s.rename(kyro.BotID(2), "new")
	c.Forget(eve, kyro.BotID(1)) // which is not hers
	c.ForgetAll(eve)
	if got := names(t, c, s, 1, 2); got[1] != "old" || s.reads() != 1 {
		t.Errorf("got %v after %d reads", got, s.reads())
	}
	c.Forget(ada, kyro.BotID(1))
	if got := names(t, c, s, 1, 2); got[1] != "new" || got[2] != "old" {
		t.Errorf("got %v", got)
	}
	c.ForgetAll(ada)
	if got := names(t, c, s, 1, 2); got[1] != "new" || got[2] != "new" || s.reads() != 3 {
		t.Errorf("got %v after %d reads", got, s.reads())
	}
}

func TestCacheRemembersNoErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := newBots(t), newShelf(ada, 1, 2)
		s.err = kyro.Errorf(kyro.CodeUnavailable, "The database does not answer.")
		let := s.holding()
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				// One error, though it waits for two rows that could not be read.
				_, err := c.Read(t.Context(), ada, []kyro.ID{kyro.BotID(1), kyro.BotID(2)}, s.read)
				if known, ok := err.(*kyro.Error); !ok || known.Code != kyro.CodeUnavailable {
					t.Errorf("got %v", err)
				}
			})
		}
		synctest.Wait()
		let()
		all.Wait()
		s.err = nil
		if got := names(t, c, s, 1, 2); len(got) != 2 {
			t.Errorf("got %v", got)
		}
	})
}

func TestCacheKeepsWhatItShould(t *testing.T) {
	t.Parallel()
	c := newBots(t, func(cfg *live.CacheConfig[kyro.Bot]) { cfg.Keep = func(b *kyro.Bot) bool { return b.Name != "old" } })
	s := newShelf(ada, 1)
	for range 3 {
		if got := names(t, c, s, 1); got[1] != "old" {
			t.Errorf("got %v", got)
		}
	}
	s.rename(kyro.BotID(1), "settled")
	for range 3 {
		if got := names(t, c, s, 1); got[1] != "settled" {
			t.Errorf("got %v", got)
		}
	}
	if s.reads() != 4 {
		t.Errorf("%d reads, want 4", s.reads())
	}
}

func TestCacheSwitchedOff(t *testing.T) {
	t.Parallel()
	c := newBots(t, func(cfg *live.CacheConfig[kyro.Bot]) { cfg.TTL = 0 })
	s := newShelf(ada, 1)
	for range 3 {
		names(t, c, s, 1)
	}
	c.Forget(ada, kyro.BotID(1))
	c.ForgetAll(ada)
	if s.reads() != 3 {
		t.Errorf("%d reads, want 3", s.reads())
	}
}

// TestCacheNeverGoesBack changes a row again and again while many read it: once a change was acknowledged, nobody
// who begins to read gets what was there before.
func TestCacheNeverGoesBack(t *testing.T) {
	t.Parallel()
	const changes, readers = 300, 4
	id := kyro.BotID(1)
	c, s := newBots(t), newShelf(ada, 1, 2)
	s.rename(id, "0")
	var acknowledged atomic.Int64
	var all sync.WaitGroup
	for r := range readers {
		all.Go(func() {
			ids := []kyro.ID{id, kyro.BotID(2)}[:1+r%2]
			for acknowledged.Load() < changes {
				least := acknowledged.Load()
				bots, err := c.Read(t.Context(), ada, ids, s.read)
				if err != nil || len(bots) != len(ids) {
					t.Errorf("got %v, %v", bots, err)
					return
				}
				for _, b := range bots {
					if n, _ := strconv.ParseInt(b.Name, 10, 64); b.ID == id && n < least {
						t.Errorf("got %d after %d was acknowledged", n, least)
						return
					}
				}
			}
		})
	}
	for n := range int64(changes) {
		s.rename(id, strconv.FormatInt(n+1, 10))
		before := s.reads()
		if n%10 == 0 {
			c.ForgetAll(ada)
		} else {
			c.Forget(ada, id)
		}
		acknowledged.Store(n + 1)
		for s.reads() == before && n+1 < changes && !t.Failed() {
			runtime.Gosched() // until somebody reads again
		}
	}
	all.Wait()
}
