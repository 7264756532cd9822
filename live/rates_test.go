package live_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kyrochat/kyro"
	"kyrochat/live"
)

// watch is a clock that stands still until it is moved.
type watch struct{ now time.Time }

func newWatch() *watch                 { return &watch{time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)} }
func (w *watch) read() time.Time       { return w.now }
func (w *watch) pass(by time.Duration) { w.now = w.now.Add(by) }

func take(t *testing.T, r *live.Rates, key string, rate kyro.Rate) kyro.Allowance {
	t.Helper()
	a, err := r.Take(t.Context(), key, rate)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// spend takes all that the rate allows at once and fails where that is not want.
func spend(t *testing.T, r *live.Rates, key string, rate kyro.Rate, want int) {
	t.Helper()
	got := 0
	for take(t, r, key, rate).Allowed {
		if got++; got > want {
			break
		}
	}
	if got != want {
		t.Fatalf("%s: %d were allowed at once, want %d", key, got, want)
	}
}

var tenIn10s = kyro.Rate{Count: 10, Per: 10 * time.Second}

func TestRatesAllowABurstAndThenWhatComesBack(t *testing.T) {
	t.Parallel()
	w := newWatch()
	r := live.NewRates(live.RatesConfig{Now: w.read})
	start := w.now
	for i := 1; i <= 10; i++ {
		want := kyro.Allowance{Allowed: true, Remaining: 10 - i, ResetAt: start.Add(time.Duration(i) * time.Second)}
		if got := take(t, r, "a", tenIn10s); got != want {
			t.Fatalf("number %d: %+v, want %+v", i, got, want)
		}
	}
	w.pass(300 * time.Millisecond)
	refused := kyro.Allowance{ResetAt: start.Add(10 * time.Second), RetryAfter: 700 * time.Millisecond}
	for range 3 { // to be refused costs nothing
		if got := take(t, r, "a", tenIn10s); got != refused {
			t.Fatalf("beyond the burst: %+v, want %+v", got, refused)
		}
	}
	w.pass(refused.RetryAfter - 1)
	if take(t, r, "a", tenIn10s).Allowed {
		t.Error("allowed before RetryAfter")
	}
	w.pass(1)
	if got := take(t, r, "a", tenIn10s); !got.Allowed || got.Remaining != 0 {
		t.Errorf("after RetryAfter: %+v", got)
	}
	w.pass(3500 * time.Millisecond)
	spend(t, r, "a", tenIn10s, 3)
	w.pass(time.Hour)
	spend(t, r, "a", tenIn10s, 10)
}

// What does not divide evenly must not let one more through, at either end of what can be set.
func TestRatesAreExact(t *testing.T) {
	t.Parallel()
	for _, rate := range []kyro.Rate{
		{Count: 300, Per: 10 * time.Second}, {Count: 7, Per: time.Second}, {Count: 1, Per: time.Hour}, {Count: 5, Per: 15 * time.Minute},
		{Count: 100_000, Per: 10 * time.Second}, {Count: 3, Per: 1},
	} {
		w := newWatch()
		r := live.NewRates(live.RatesConfig{Now: w.read})
		spend(t, r, "a", rate, rate.Count)
		w.pass(2*rate.Per + time.Microsecond)
		spend(t, r, "a", rate, rate.Count)
	}
}

func TestRatesKeepKeysApart(t *testing.T) {
	t.Parallel()
	r := live.NewRates(live.RatesConfig{Now: newWatch().read})
	spend(t, r, "a", tenIn10s, 10)
	spend(t, r, "b", tenIn10s, 10)
	hourly := kyro.Rate{Count: 2, Per: time.Hour}
	spend(t, r, "hourly a", hourly, 2)
}

func TestNoRateIsNoLimit(t *testing.T) {
	t.Parallel()
	w := newWatch()
	r := live.NewRates(live.RatesConfig{Now: w.read})
	for range 1000 {
		if got, want := take(t, r, "a", tenIn10s.Scaled(0)), (kyro.Allowance{Allowed: true, Remaining: kyro.NoLimit, ResetAt: w.now}); got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	}
	if n := r.Count(); n != 0 {
		t.Errorf("%d keys are counted for nothing", n)
	}
}

// Idle keys go by themselves while others are used.
func TestRatesForgetWhoIsIdle(t *testing.T) {
	t.Parallel()
	w := newWatch()
	r := live.NewRates(live.RatesConfig{Now: w.read})
	for i := range 1000 {
		take(t, r, fmt.Sprint(i), tenIn10s)
	}
	w.pass(time.Minute)
	for range 1000 {
		take(t, r, "busy", tenIn10s)
		w.pass(time.Second)
	}
	if n := r.Count(); n != 1 {
		t.Errorf("%d keys are counted, of which one is used", n)
	}
}

// A flood of new keys stays within the bound and does not give a spent key back what it has spent.
func TestRatesAreBounded(t *testing.T) {
	t.Parallel()
	w := newWatch()
	r := live.NewRates(live.RatesConfig{Keys: 100, Now: w.read})
	logins := kyro.Rate{Count: 5, Per: 15 * time.Minute}
	spend(t, r, "victim", logins, 5)
	spend(t, r, "spent", tenIn10s, 10)
	for i := range 10_000 {
		if a := take(t, r, fmt.Sprint("flood ", i), tenIn10s); !a.Allowed {
			t.Fatal("a new key was refused")
		}
		if n := r.Count(); n > 100 {
			t.Fatalf("%d keys are counted, above the bound", n)
		}
		w.pass(100 * time.Microsecond)
	}
	if take(t, r, "victim", logins).Allowed {
		t.Error("the flood gave the victim's key its attempts back")
	}
	if a := take(t, r, "spent", tenIn10s); !a.Allowed || a.Remaining != 0 {
		t.Errorf("after the second that has passed: %+v", a)
	}
}

func TestRatesAreExactForManyAtOnce(t *testing.T) {
	t.Parallel()
	r := live.NewRates(live.RatesConfig{Keys: 50})
	rate := kyro.Rate{Count: 100, Per: 24 * time.Hour}
	var allowed [3]atomic.Int64
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			for j := range 200 {
				if a, err := r.Take(t.Context(), strings.Repeat("x", i%3+1), rate); err != nil {
					t.Error(err)
				} else if a.Allowed {
					allowed[i%3].Add(1)
				}
				_, _ = r.Take(t.Context(), fmt.Sprint(i, j), tenIn10s)
			}
		})
	}
	wg.Wait()
	for i := range allowed {
		if n := allowed[i].Load(); n != 100 {
			t.Errorf("key %d: %d were allowed, want 100", i, n)
		}
	}
}

func BenchmarkRates(b *testing.B) {
	r := live.NewRates(live.RatesConfig{})
	rate := kyro.Rate{Count: 300, Per: 10 * time.Second}
	keys := make([]string, 10_000)
	for i := range keys {
		keys[i] = fmt.Sprint("operations user_", i)
	}
	b.ReportAllocs()
	for i := range b.N {
		_, _ = r.Take(b.Context(), keys[i%len(keys)], rate)
	}
}
