package live_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kyrochat/kyro"
	"kyrochat/live"
)

// trier is what both kinds of counts are.
type trier interface {
	Try(ctx context.Context, attempts ...kyro.Attempt) (kyro.Allowance, error)
	TakeBack(ctx context.Context, attempts ...kyro.Attempt)
	Forget(ctx context.Context, attempts ...kyro.Attempt)
}

var (
	_ trier = (*live.Attempts)(nil)
	_ trier = (*live.SharedAttempts)(nil)
)

func try(t *testing.T, a trier, attempts ...kyro.Attempt) kyro.Allowance {
	t.Helper()
	got, err := a.Try(t.Context(), attempts...)
	if err != nil {
		t.Fatal(err)
	}
	if got.Allowed != (got.RetryAfter == 0) {
		t.Fatalf("%+v", got)
	}
	return got
}

func of(key string, policy kyro.AttemptPolicy) kyro.Attempt {
	return kyro.Attempt{Key: key, Policy: policy}
}

// Whoever tries whenever it is allowed, and at random besides, never has more attempts in any window than it allows,
// and is allowed again when RetryAfter is over, not before.
func TestAttemptsAreExact(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 7))
		policy := kyro.AttemptPolicy{Windows: []kyro.AttemptWindow{
			{Most: 1 + random.IntN(10), Per: time.Duration(1+random.IntN(900)) * time.Second},
			{Most: 10 + random.IntN(90), Per: time.Duration(1+random.IntN(24)) * time.Hour},
		}}
		if random.IntN(2) == 0 {
			policy.Free, policy.Within = 1+random.IntN(6), time.Duration(1+random.IntN(20))*time.Minute
		}
		w := newWatch()
		a := live.NewAttempts(live.AttemptsConfig{Now: w.read})
		var made []time.Time
		for range 400 {
			got := try(t, a, of("k", policy))
			if got.Allowed {
				made = append(made, w.now)
				continue
			}
			if random.IntN(3) == 0 {
				w.pass(got.RetryAfter - 1)
				if try(t, a, of("k", policy)).Allowed {
					t.Fatalf("seed %d: allowed before RetryAfter", seed)
				}
				w.pass(1)
				if !try(t, a, of("k", policy)).Allowed {
					t.Fatalf("seed %d: refused after RetryAfter", seed)
				}
				made = append(made, w.now)
				continue
			}
			w.pass(time.Duration(random.Int64N(int64(time.Hour))))
		}
		for i, first := range made {
			for _, window := range policy.Windows {
				if n := i + window.Most; n < len(made) && made[n].Sub(first) < window.Per {
					t.Fatalf("seed %d: more than %d in %v", seed, window.Most, window.Per)
				}
			}
			if n := i + policy.Free; policy.Free > 0 && n < len(made) && made[n].Sub(first) < policy.Within && made[n].Sub(made[n-1]) < 2*time.Second {
				t.Fatalf("seed %d: no delay after %d attempts", seed, policy.Free)
			}
		}
	}
}

func TestAttemptsCountUnderAllKeysOrNone(t *testing.T) {
	t.Parallel()
	w := newWatch()
	a := live.NewAttempts(live.AttemptsConfig{Now: w.read})
	tight := kyro.AttemptPolicy{Windows: []kyro.AttemptWindow{{Most: 1, Per: time.Hour}}}
	wide := kyro.AttemptPolicy{Windows: []kyro.AttemptWindow{{Most: 3, Per: time.Minute}}}
	try(t, a, of("tight", tight), of("wide", wide), of("free", kyro.AttemptPolicy{}))
	for range 5 {
		if got := try(t, a, of("wide", wide), of("tight", tight)); got.RetryAfter != time.Hour {
			t.Fatalf("got %+v", got)
		}
	}
	for range 2 { // what was refused has not counted
		if got := try(t, a, of("wide", wide)); !got.Allowed {
			t.Fatalf("got %+v", got)
		}
	}
	if got := try(t, a, of("wide", wide)); got.RetryAfter != time.Minute {
		t.Errorf("got %+v", got)
	}
	a.TakeBack(t.Context(), of("wide", wide), of("never tried", wide))
	if !try(t, a, of("wide", wide)).Allowed || try(t, a, of("wide", wide)).Allowed {
		t.Error("what was taken back allows one more, and no other")
	}
	a.Forget(t.Context(), of("wide", wide), of("never tried", wide))
	for range 3 {
		if !try(t, a, of("wide", wide)).Allowed {
			t.Error("refused after all was forgotten")
		}
	}
	if keys, moments := a.Count(); keys != 2 || moments != 4 {
		t.Errorf("%d keys and %d moments", keys, moments)
	}
}

// A flood of other keys neither takes more memory than there is for it, nor gives who is spent a fresh start.
func TestAttemptsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWatch()
	a := live.NewAttempts(live.AttemptsConfig{Moments: 500, Now: w.read})
	for range 10 {
		try(t, a, of("victim", kyro.AttemptsOfAccount))
	}
	for i := range 5_000 {
		other := of(fmt.Sprint("other ", i/2), kyro.AttemptsOfAccount)
		if !try(t, a, other).Allowed {
			t.Fatal("a new key was refused")
		}
		if _, moments := a.Count(); moments > 500 {
			t.Fatalf("%d moments are remembered, above the bound", moments)
		}
		w.pass(100 * time.Millisecond)
	}
	if try(t, a, of("victim", kyro.AttemptsOfAccount)).Allowed {
		t.Error("the flood gave the victim's key its attempts back")
	}
}

func TestAttemptsForgetWhoIsIdle(t *testing.T) {
	t.Parallel()
	w := newWatch()
	a := live.NewAttempts(live.AttemptsConfig{Now: w.read})
	for i := range 100 {
		try(t, a, of(fmt.Sprint(i), kyro.AttemptsOfNetwork))
	}
	w.pass(5 * time.Minute)
	for range 20 {
		try(t, a, of("busy", kyro.AttemptsOfNetwork))
		w.pass(time.Minute)
	}
	if keys, moments := a.Count(); keys != 1 || moments > 5 {
		t.Errorf("%d keys and %d moments are remembered", keys, moments)
	}
}

func TestAttemptsAreExactForManyAtOnce(t *testing.T) {
	t.Parallel()
	a := live.NewAttempts(live.AttemptsConfig{})
	if n := allowedAtOnce(t, a, 100); n != 10 {
		t.Errorf("%d of 100 at once were allowed, want 10", n)
	}
}

// allowedAtOnce is how many of so many attempts are allowed that come at the same time, each under a network of its own
// and all at one account.
func allowedAtOnce(t *testing.T, a trier, n int) int64 {
	t.Helper()
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			got, err := a.Try(t.Context(), of(fmt.Sprint("network ", i), kyro.AttemptsOfNetwork), of("account", kyro.AttemptsOfAccount))
			if err != nil {
				t.Error(err)
			} else if got.Allowed {
				allowed.Add(1)
			}
		})
	}
	wg.Wait()
	return allowed.Load()
}
