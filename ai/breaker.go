package ai

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"kyrochat/kyro"
)

// When a breaker opens, and for how long.
const (
	breakerInARow = 5                // failures one after another that open it
	breakerLeast  = 10               // calls within the window from which half of them failing opens it
	breakerWindow = 30 * time.Second // how far back calls count
	breakerOpen   = 6 * time.Second  // how long it stays open before one call may try: with a call that times out, back within 10 s
)

// breaker keeps calls off an upstream that fails: after five failures in a row, or where half of at least ten calls
// within 30 s failed, all calls are refused at once for 6 s; then one is let through to try. A call that its own caller
// gave up, and an answer that the upstream refused for what was in the request, say nothing about the upstream.
//
// It also keeps those that are let through from being tried again by everybody at once: an upstream that is short of
// strength would get several times as much to do.
type breaker struct {
	what    string // it is, to people who have to do without it
	two     *gobreaker.TwoStepCircuitBreaker[struct{}]
	row     atomic.Int64 // failures one after another, however long they took: the counts below forget after the window
	repeats repeats
}

func newBreaker(name, what string, log *slog.Logger) *breaker {
	b := &breaker{what: what, repeats: repeats{left: mostRepeats, at: time.Now()}}
	b.two = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name: name, MaxRequests: 1, Interval: breakerWindow, BucketPeriod: breakerWindow / 10, Timeout: breakerOpen,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			ended := c.TotalSuccesses + c.TotalFailures // not Requests: those under way have not said anything yet
			return b.row.Load() >= breakerInARow || ended >= breakerLeast && c.TotalFailures*2 >= ended
		},
		IsExcluded: saysNothing,
		OnStateChange: func(name string, from, to gobreaker.State) {
			log.Warn("the way to an upstream changed", "upstream", name, "from", from.String(), "to", to.String())
		},
	})
	return b
}

// saysNothing reports errors that do not tell whether the upstream works.
func saysNothing(err error) bool {
	if errors.Is(err, context.Canceled) {
		return true
	}
	switch kyro.ErrorCode(err) {
	case kyro.CodeContentBlocked, kyro.CodeValidation, kyro.CodeUpstreamQuota:
		return true
	}
	return false
}

// allow lets a call begin. done must be called with its outcome. The error is UPSTREAM_FAILED with the time to wait.
func (b *breaker) allow() (done func(error), err error) {
	tell, err := b.two.Allow()
	if err != nil {
		return nil, b.away(err)
	}
	b.repeats.earn()
	return func(err error) {
		switch {
		case err == nil:
			b.row.Store(0)
		case !saysNothing(err):
			b.row.Add(1)
		}
		tell(err)
	}, nil
}

func (b *breaker) away(cause error) *kyro.Error {
	err := kyro.Errorf(kyro.CodeUpstreamFailed, "The %s does not answer at the moment. Try again in a few seconds.", b.what).Because(cause)
	err.RetryAfter = breakerOpen
	return err
}

// mayRepeat reports that a call may be tried again, and counts that.
func (b *breaker) mayRepeat() bool { return b.repeats.spend() }

// probing reports that the call which is let through decides whether the others are.
func (b *breaker) probing() bool { return b.two.State() == gobreaker.StateHalfOpen }

// open reports that calls are refused now.
func (b *breaker) open() bool { return b.two.State() == gobreaker.StateOpen }
