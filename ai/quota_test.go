package ai

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/kyro"
)

func half() float64 { return 0.5 }

// mustEnter takes a place at once.
func mustEnter(t *testing.T, l *limiter) *place {
	t.Helper()
	p, err := l.enter(t.Context(), 0)
	if err != nil {
		t.Fatalf("no place: %v", err)
	}
	return p
}

// wantClosed sees that a call is refused at once, and told to wait so long.
func wantClosed(t *testing.T, l *limiter, patience, wait time.Duration) {
	t.Helper()
	start := time.Now()
	p, err := l.enter(t.Context(), patience)
	var typed *kyro.Error
	if !errors.As(err, &typed) || typed.Code != kyro.CodeUpstreamQuota || typed.RetryAfter != wait {
		t.Errorf("got %v, %v; want to be told to wait for %v", p, err, wait)
	}
	if took := time.Since(start); took != 0 {
		t.Errorf("it took %v to say no", took)
	}
}

func TestLimiterObeysRefusals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told []time.Duration
		l := newLimiter("q", 1, 8, half, func(_ string, d time.Duration) { told = append(told, d) })
		a, b := mustEnter(t, l), mustEnter(t, l)
		if d := a.refused(30*time.Second, false); d != 30*time.Second {
			t.Errorf("closed for %v", d)
		}
		b.refused(0, false) // the same news, from a call that was under way
		a.leave(false)
		b.leave(false)
		if len(told) != 1 || told[0] != 30*time.Second {
			t.Errorf("told were %v", told)
		}
		wantClosed(t, l, 0, 30*time.Second)
		wantClosed(t, l, 29*time.Second, 30*time.Second)
		time.Sleep(20 * time.Second)
		wantClosed(t, l, 9*time.Second, 10*time.Second)
		start := time.Now() // who has the patience waits, and is let through when it opens
		p, err := l.enter(t.Context(), 11*time.Second)
		if err != nil || time.Since(start) != 10*time.Second {
			t.Fatalf("after %v: %v", time.Since(start), err)
		}
		p.leave(true)

		// Without a time it is a second, then two, then four, three quarters of which come by half a chance.
		for _, want := range []time.Duration{750 * time.Millisecond, 1500 * time.Millisecond, 3 * time.Second} {
			p := mustEnter(t, l)
			if d := p.refused(0, false); d != want {
				t.Errorf("closed for %v, want %v", d, want)
			}
			p.leave(false)
			time.Sleep(want)
		}
		mustEnter(t, l).leave(true)
		p = mustEnter(t, l)
		if d := p.refused(0, false); d != 750*time.Millisecond {
			t.Errorf("after a success closed for %v", d)
		}
		p.leave(false)
	})
}

func TestLimiterLearnsHowMuchIsTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter("q", 2, 100, half, nil)
		var places []*place
		for range 40 {
			places = append(places, mustEnter(t, l))
		}
		for _, p := range places { // all of them, of whom the first is news
			p.refused(time.Second, false)
			p.leave(false)
		}
		time.Sleep(time.Second)
		take := func() (places []*place) {
			for {
				p, err := l.enter(t.Context(), 0)
				if err != nil {
					return places
				}
				places = append(places, p)
			}
		}
		places = take()
		if len(places) != 20 {
			t.Errorf("%d at once after a refusal with 40 under way", len(places))
		}
		for _, p := range places {
			p.leave(true)
		}
		if places = take(); len(places) != 20 && len(places) != 21 {
			t.Errorf("%d at once after 20 successes", len(places))
		}
		for _, p := range places[1:] {
			p.leave(true)
		}
		places[0].refused(time.Second, false) // with one under way
		places[0].leave(false)
		time.Sleep(time.Second)
		if places = take(); len(places) != 2 {
			t.Errorf("%d at once, which should be the least", len(places))
		}
		for _, p := range places {
			p.leave(true)
		}
	})
}

func TestLimiterHasAQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter("q", 1, 1, half, nil)
		first := mustEnter(t, l)
		order := make(chan int, 3)
		wait := func(ctx context.Context, i int, patience time.Duration) {
			p, err := l.enter(ctx, patience)
			if err != nil {
				if ctx.Err() == nil && kyro.ErrorCode(err) != kyro.CodeUpstreamQuota || ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
					t.Errorf("%d got %v", i, err)
				}
				order <- -i
				return
			}
			order <- i
			time.Sleep(time.Second)
			p.leave(true)
		}
		leaves, leave := context.WithCancel(t.Context())
		go wait(t.Context(), 1, time.Minute)
		synctest.Wait()
		go wait(leaves, 2, time.Minute)
		synctest.Wait()
		go wait(t.Context(), 3, time.Minute)
		synctest.Wait()
		go wait(t.Context(), 4, time.Second) // has no patience
		synctest.Wait()
		leave()
		if i := <-order; i != -2 {
			t.Errorf("%d came first", i)
		}
		time.Sleep(time.Second)
		if i := <-order; i != -4 {
			t.Errorf("then %d", i)
		}
		first.leave(true)
		for _, want := range []int{1, 3} {
			if i := <-order; i != want {
				t.Errorf("then %d, want %d", i, want)
			}
		}
		time.Sleep(2 * time.Second)
		mustEnter(t, l).leave(true)
	})
}

// TestLimiterSendsItsQueueAway: who waits for a place hears at once that it closed, and waits no longer than it likes.
func TestLimiterSendsItsQueueAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter("q", 1, 1, half, nil)
		first := mustEnter(t, l)
		ended := make(chan error, 2)
		for _, patience := range []time.Duration{4 * time.Second, time.Minute} {
			go func() {
				p, err := l.enter(t.Context(), patience)
				if err == nil {
					p.leave(true)
				}
				ended <- err
			}()
		}
		synctest.Wait()
		start := time.Now()
		first.refused(30*time.Second, false)
		first.leave(false)
		if err := <-ended; kyro.ErrorCode(err) != kyro.CodeUpstreamQuota || time.Since(start) != 0 {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		if err := <-ended; err != nil || time.Since(start) != 30*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

func TestDailyQuotas(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		now  string
		want time.Duration
	}{
		{"2026-11-26T12:00:00-08:00", time.Hour},
		{"2026-11-26T23:50:00-08:00", 10 * time.Minute},
		{"2026-11-27T07:59:00Z", time.Minute},
		{"2026-07-01T06:30:00Z", 30 * time.Minute}, // summer time
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		if got := untilDailyQuota(now); got != c.want {
			t.Errorf("at %s: %v, want %v", c.now, got, c.want)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter("q", 1, 8, half, nil)
		p := mustEnter(t, l)
		p.refused(5*time.Second, true) // what RetryInfo says is about the minute
		p.leave(false)
		wantClosed(t, l, 5*time.Second, untilDailyQuota(time.Now()))
		time.Sleep(l.closed())
		mustEnter(t, l).leave(true)
	})
}
