package live_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kyrochat/internal/redis"
	"kyrochat/internal/testdb"
	"kyrochat/kyro"
	"kyrochat/live"
)

// hourly comes back so slowly that nothing of it does while a test runs.
var hourly = kyro.Rate{Count: 60, Per: 100 * time.Hour}

// taken is how often it is allowed of so many times.
func taken(t *testing.T, r *live.SharedRates, key string, rate kyro.Rate, times int) (allowed int) {
	t.Helper()
	for range times {
		a, err := r.Take(t.Context(), key, rate)
		fine(t, err)
		if a.Allowed {
			allowed++
		} else if a.RetryAfter <= 0 || !a.ResetAt.After(time.Now()) {
			t.Errorf("refused, and to try again after %v, all back at %v", a.RetryAfter, a.ResetAt)
		}
	}
	return allowed
}

func TestNodesCountTogether(t *testing.T) {
	t.Parallel()
	server := testdb.Redis(t)
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for _, name := range []string{"a", "b"} {
		r := live.NewSharedRates(joinPatiently(t, server, name, nil).Redis, live.NewRates(live.RatesConfig{}))
		for range 8 {
			wg.Go(func() { allowed.Add(int64(taken(t, r, "somebody", hourly, 10))) })
		}
	}
	wg.Wait()
	if n := allowed.Load(); n != int64(hourly.Count) {
		t.Errorf("%d were allowed of 160, want %d", n, hourly.Count)
	}
}

func TestSharedRateIsTheLocalOne(t *testing.T) {
	t.Parallel()
	server := testdb.Redis(t)
	r := live.NewSharedRates(joinPatiently(t, server, "a", nil).Redis, live.NewRates(live.RatesConfig{}))
	rate := kyro.Rate{Count: 10, Per: 10 * time.Hour}
	for i := range 10 {
		a, err := r.Take(t.Context(), "k", rate)
		fine(t, err)
		if reset := time.Until(a.ResetAt); !a.Allowed || a.Remaining != 9-i || reset > time.Duration(i+1)*time.Hour+time.Second || reset < time.Duration(i+1)*time.Hour-time.Minute {
			t.Errorf("%d: %+v, all back in %v", i, a, reset)
		}
	}
	a, err := r.Take(t.Context(), "k", rate)
	fine(t, err)
	if a.Allowed || a.RetryAfter > time.Hour || a.RetryAfter < time.Hour-time.Minute {
		t.Errorf("one too many: %+v", a)
	}
	if a, err := r.Take(t.Context(), "k", kyro.Rate{}); err != nil || !a.Allowed || a.Remaining != kyro.NoLimit {
		t.Errorf("without a limit: %+v, %v", a, err)
	}
}

// joinTogether joins two nodes of a test that has them count together and then without Redis, whose silence is noticed in a second.
func joinTogether(t *testing.T, server *redis.Server) (a, b *node) {
	t.Helper()
	return joinAs(t, live.RedisConfig{URL: server.URL, Node: "a", Timeout: time.Second}, nil), joinAs(t, live.RedisConfig{URL: server.URL, Node: "b", Timeout: time.Second}, nil)
}

func TestRatesHoldWithoutTheirRedis(t *testing.T) {
	t.Parallel()
	server := testdb.Redis(t)
	a, b := joinTogether(t, server)
	until(t, "the nodes know of each other", func() bool { return a.Nodes() == 2 || b.Nodes() == 2 })
	who := b // the second to come knows of both
	if a.Nodes() == 2 {
		who = a
	}
	r := live.NewSharedRates(who.Redis, live.NewRates(live.RatesConfig{}))
	if n := taken(t, r, "spent", hourly, 100); n != 60 {
		t.Errorf("%d were allowed, want 60", n)
	}
	hold := func(when string, fresh int) {
		t.Helper()
		if n := taken(t, r, "spent", hourly, 20); n != 0 {
			t.Errorf("%s: %d are allowed to who had spent everything", when, n)
		}
		if n := taken(t, r, "fresh "+when, hourly, 100); n != fresh {
			t.Errorf("%s: %d are allowed to somebody new, want %d", when, n, fresh)
		}
	}
	fine(t, server.Freeze())
	hold("frozen", 30) // its share
	fine(t, server.Thaw())
	until(t, "Redis is back", who.Connected)
	fine(t, server.Stop())
	until(t, "it is noticed", func() bool { return !who.Connected() })
	hold("gone", 30)
	fine(t, server.Restart(t.Context()))
	until(t, "Redis is back, and empty", who.Connected)
	hold("empty", 60)
}
