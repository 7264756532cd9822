package live_test

import (
	"sync"
	"testing"
	"time"

	"kyrochat/internal/testdb"
	"kyrochat/kyro"
	"kyrochat/live"
)

func TestNodesCountAttemptsTogether(t *testing.T) {
	t.Parallel()
	server := testdb.Redis(t)
	nodes := []*live.SharedAttempts{
		live.NewSharedAttempts(joinPatiently(t, server, "a", nil).Redis, live.NewAttempts(live.AttemptsConfig{})),
		live.NewSharedAttempts(joinPatiently(t, server, "b", nil).Redis, live.NewAttempts(live.AttemptsConfig{})),
	}
	var wg sync.WaitGroup
	var allowed [2]int64
	for i, node := range nodes {
		wg.Go(func() { allowed[i] = allowedAtOnce(t, node, 50) })
	}
	wg.Wait()
	if n := allowed[0] + allowed[1]; n != 10 {
		t.Errorf("%d of 100 at once were allowed, want 10", n)
	}
	account := of("account", kyro.AttemptsOfAccount)
	if got := try(t, nodes[0], account); got.Allowed || got.RetryAfter > 15*time.Minute || got.RetryAfter < 14*time.Minute {
		t.Errorf("one too many: %+v", got)
	}
	nodes[0].TakeBack(t.Context(), account)
	if !try(t, nodes[1], account).Allowed && !try(t, nodes[0], account).Allowed {
		t.Error("what was taken back was not")
	}
	if try(t, nodes[0], account).Allowed {
		t.Error("what was taken back allows more than one")
	}
	for _, node := range nodes { // each has a count of its own besides
		node.Forget(t.Context(), account)
	}
	for i := range 10 {
		if !try(t, nodes[i%2], account).Allowed {
			t.Errorf("refused after all was forgotten: %d", i)
		}
	}
}

// Redis goes by the rules of kyro.AttemptPolicy.Wait.
func TestSharedAttemptsWaitLikeTheLocalOnes(t *testing.T) {
	t.Parallel()
	a := live.NewSharedAttempts(joinPatiently(t, testdb.Redis(t), "a", nil).Redis, live.NewAttempts(live.AttemptsConfig{}))
	every := func(n int, each time.Duration) (ago []time.Duration) {
		for i := n; i > 0; i-- {
			ago = append(ago, time.Duration(i)*each)
		}
		return ago
	}
	now := time.Now()
	for name, c := range map[string]struct {
		policy kyro.AttemptPolicy
		ago    []time.Duration
	}{
		"none":                   {kyro.AttemptsOfDevice, nil},
		"four":                   {kyro.AttemptsOfDevice, every(4, time.Second)},
		"twelve":                 {kyro.AttemptsOfDevice, every(12, time.Second)},
		"thirteen":               {kyro.AttemptsOfDevice, every(13, time.Second)},
		"more than can be":       {kyro.AttemptsOfDevice, every(20, time.Second)},
		"the first five are old": {kyro.AttemptsOfDevice, append(every(5, 16*time.Minute), every(4, time.Second)...)},
		"a hundred in a day":     {kyro.AttemptsOfDevice, every(100, 14*time.Minute)},
		"of which some are over": {kyro.AttemptsOfDevice, every(105, 14*time.Minute)},
		"ten of an account":      {kyro.AttemptsOfAccount, every(10, time.Minute)},
		"a day of an account":    {kyro.AttemptsOfAccount, every(100, 14*time.Minute)},
		"thirty of a network":    {kyro.AttemptsOfNetwork, every(30, time.Second)},
		"ahead of the clock":     {kyro.AttemptsOfNetwork, every(30, -time.Hour)},
	} {
		fine(t, a.Made(t.Context(), name, c.ago...))
		former := make([]time.Time, len(c.ago))
		for i, d := range c.ago {
			former[i] = now.Add(-d)
		}
		want := c.policy.Wait(counting(former, now, c.policy), now)
		got := try(t, a, of(name, c.policy))
		if off := (got.RetryAfter - want).Abs(); off > 90*time.Second || got.Allowed != (want == 0) {
			t.Errorf("%s: %+v, want to wait %v", name, got, want)
		}
		if got.Allowed {
			if life := a.Lives(t.Context(), name); life <= 0 || life > c.policy.Span() {
				t.Errorf("%s: Redis keeps it for %v", name, life)
			}
		}
	}
}

// counting leaves out what counts no more.
func counting(former []time.Time, now time.Time, policy kyro.AttemptPolicy) (list []time.Time) {
	for _, at := range former {
		if at.Add(policy.Span()).After(now) {
			list = append(list, at)
		}
	}
	return list
}

func TestAttemptsHoldWithoutTheirRedis(t *testing.T) {
	t.Parallel()
	server := testdb.Redis(t)
	a, b := joinTogether(t, server)
	until(t, "a node knows of the other", func() bool { return a.Nodes() == 2 || b.Nodes() == 2 })
	who := b // the second to come knows of both
	if a.Nodes() == 2 {
		who = a
	}
	r := live.NewSharedAttempts(who.Redis, live.NewAttempts(live.AttemptsConfig{}))
	spend := func(key string, want int) {
		t.Helper()
		got := 0
		for range 20 {
			if try(t, r, of(key, kyro.AttemptsOfAccount)).Allowed {
				got++
			}
		}
		if got != want {
			t.Errorf("%s: %d are allowed, want %d", key, got, want)
		}
	}
	spend("spent", 10)
	fine(t, server.Freeze())
	spend("spent", 0)
	spend("new while frozen", 5) // its share
	fine(t, server.Thaw())
	until(t, "Redis is back", who.Connected)
	fine(t, server.Stop())
	until(t, "it is noticed", func() bool { return !who.Connected() })
	spend("spent", 0)
	spend("new while away", 5)
	r.TakeBack(t.Context(), of("new while away", kyro.AttemptsOfAccount))
	spend("new while away", 1)
	fine(t, server.Restart(t.Context()))
	until(t, "Redis is back, and empty", who.Connected)
	spend("spent", 0)
	spend("new on the empty one", 10)
}
