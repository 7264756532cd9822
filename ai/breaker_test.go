package ai

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/kyro"
)

var errAway = kyro.Errorf(kyro.CodeUpstreamFailed, "away")

// outcome lets a call through the breaker that ends so; false where it is not let through.
func outcome(t *testing.T, b *breaker, err error) bool {
	t.Helper()
	done, refused := b.allow()
	if refused != nil {
		var typed *kyro.Error
		if !errors.As(refused, &typed) || typed.Code != kyro.CodeUpstreamFailed || typed.RetryAfter <= 0 {
			t.Errorf("refused with %v", refused)
		}
		return false
	}
	done(err)
	return true
}

func openBreaker(t *testing.T) *breaker {
	b := newBreaker("It", "thing", slog.New(slog.DiscardHandler))
	for range breakerInARow {
		if !outcome(t, b, errAway) {
			t.Fatal("it opened too soon")
		}
	}
	if !b.open() || outcome(t, b, nil) {
		t.Fatal("it did not open")
	}
	return b
}

func TestBreakerOpens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		openBreaker(t)

		half := newBreaker("It", "thing", slog.New(slog.DiscardHandler))
		for i := range breakerLeast {
			if !outcome(t, half, []error{nil, errAway}[i%2]) {
				t.Fatalf("it opened after %d calls", i)
			}
		}
		if !half.open() {
			t.Error("half of ten failed, and it is not open")
		}

		// Calls that are under way are no successes: as soon as half of what ended failed, it is open.
		busy := newBreaker("It", "thing", slog.New(slog.DiscardHandler))
		for range 100 {
			if _, err := busy.allow(); err != nil {
				t.Fatal(err)
			}
		}
		for i := range breakerLeast {
			outcome(t, busy, []error{nil, errAway}[i%2])
		}
		if !busy.open() {
			t.Error("calls under way keep it closed")
		}

		slow := newBreaker("It", "thing", slog.New(slog.DiscardHandler))
		for range breakerInARow {
			done, err := slow.allow()
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(15 * time.Second)
			done(errAway)
		}
		if !slow.open() {
			t.Error("five in a row that were slow to fail, and it is not open")
		}

		old := newBreaker("It", "thing", slog.New(slog.DiscardHandler))
		for range breakerInARow - 1 {
			outcome(t, old, errAway)
		}
		outcome(t, old, nil)
		time.Sleep(2 * breakerWindow)
		for range breakerInARow - 1 {
			outcome(t, old, errAway)
		}
		if old.open() {
			t.Error("failures of long ago count")
		}
	})
}

func TestBreakerTries(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first  error // of the one that tries
		opened bool  // afterwards
		next   bool  // another may try
	}{
		"it works":                      {nil, false, true},
		"it fails":                      {errAway, true, false},
		"whoever tried went away":       {context.Canceled, false, true},
		"the quota is used up":          {quotaUsedUp(time.Second), false, true},
		"it was refused for what it is": {blocked(), false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := openBreaker(t)
				time.Sleep(breakerOpen - time.Second)
				if outcome(t, b, nil) {
					t.Fatal("it was tried too soon")
				}
				time.Sleep(2 * time.Second)
				done, err := b.allow()
				if err != nil || !b.probing() {
					t.Fatalf("it was not tried: %v", err)
				}
				for range 3 {
					if outcome(t, b, nil) {
						t.Fatal("it was tried by two at once")
					}
				}
				done(c.first)
				if b.open() != c.opened {
					t.Errorf("open: %v", b.open())
				}
				if outcome(t, b, nil) != c.next {
					t.Errorf("another was let through: %v", !c.next)
				}
				if c.next && b.probing() {
					t.Error("one that works did not close it")
				}
			})
		})
	}
}
