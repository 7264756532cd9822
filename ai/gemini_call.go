package ai

import (
	"context"
	"time"

	"kyrochat/kyro"
)

// How calls are tried again, and for how long a try may begin. A question that comes back, its embedding and the answer
// follow each other, so that all of these together are less than five seconds: then whoever waits hears that there is
// no answer, where Gemini says so. What is embedded besides has a queue that comes back to it.
const (
	answerBudget   = 3 * time.Second
	completeBudget = time.Second
	questionBudget = 750 * time.Millisecond
	passagesBudget = 3 * time.Second
	mostRetries    = 2 // of answers and passages
	leastDelay     = 250 * time.Millisecond
	mostDelay      = 4 * time.Second
)

// tries counts what was tried for one request.
type tries struct {
	until  time.Time // no new try begins after it
	left   int       // further tries
	delay  time.Duration
	random func() float64
}

func (g *Gemini) newTries(budget time.Duration, retries int) *tries {
	return &tries{until: time.Now().Add(budget), left: retries, delay: min(budget, time.Second), random: g.cfg.random}
}

// patience is how long there is still to wait for a try to begin.
func (t *tries) patience() time.Duration { return max(0, time.Until(t.until)) }

// again waits before another try, and reports whether there is one. After a refusal the limiter knows how long to wait,
// and else it is up to twice as long each time, by chance. What took long to fail is tried again only if there is time
// for it to take as long once more; and not too much may be tried again on that way already.
func (t *tries) again(ctx context.Context, w *way, f *failure) bool {
	if !f.again || t.left == 0 || ctx.Err() != nil {
		return false
	}
	t.left--
	if f.quota {
		return f.wait <= t.patience() && w.breaker.mayRepeat()
	}
	d := leastDelay + time.Duration(t.random()*float64(min(t.delay, mostDelay)-leastDelay))
	t.delay *= 2
	if d+f.took > t.patience() || !w.breaker.mayRepeat() {
		return false
	}
	return kyro.Pause(ctx, d) == nil
}

// call is one that the breaker and the quota let through.
type call struct {
	name   string
	told   Measure
	trace  kyro.Trace
	began  time.Time
	place  *place
	b      *breaker
	settle func(error) // tells the breaker; nil once it was told
}

// begin waits for a call to be let through, as long as patience at most.
func (g *Gemini) begin(ctx context.Context, name string, w *way, patience time.Duration) (*call, *failure) {
	place, err := w.limiter.enter(ctx, patience)
	if err != nil {
		return nil, &failure{err: err}
	}
	settle, err := w.breaker.allow()
	if err != nil {
		place.leave(false)
		return nil, &failure{err: err}
	}
	return &call{name, g.cfg.Measure, kyro.TraceFrom(ctx), time.Now(), place, w.breaker, settle}, nil
}

// works notes that the upstream gave something, which is enough where all others wait for this call to say whether it is
// there.
func (c *call) works() {
	if c.settle != nil && c.b.probing() {
		c.tell(nil)
	}
}

// end ends the call with what became of it; nil: all went well.
func (c *call) end(f *failure) {
	if f != nil {
		f.took = time.Since(c.began)
	}
	switch {
	case f == nil:
		c.tell(nil)
	case f.quota:
		f.wait = c.place.refused(f.wait, f.daily)
		err := quotaUsedUp(f.wait)
		f.err = err.Because(f.cause)
		c.tell(f.err)
	case f.alive:
		c.tell(nil)
	case f.left:
		c.tell(context.Canceled)
	default:
		c.tell(f.err)
	}
	c.place.leave(f == nil)
	switch {
	case f == nil:
		c.told.tell(c.trace, c.name, c.began, nil)
	case f.left:
		c.told.tell(c.trace, c.name, c.began, context.Canceled)
	default:
		c.told.tell(c.trace, c.name, c.began, f.err)
	}
}

func (c *call) tell(err error) {
	if c.settle != nil {
		c.settle(err)
		c.settle = nil
	}
}

// outcome is what the caller hears: of itself or of a clock where it was one of them that ended the wait, under ctx with
// the clocks.
func (f *failure) outcome(caller, ctx context.Context) error {
	switch {
	case caller.Err() != nil:
		return caller.Err()
	case context.Cause(ctx) != nil:
		return context.Cause(ctx)
	}
	return f.err
}

// What the clocks of a call say.
var (
	errFirstByte = kyro.Errorf(kyro.CodeTimeout, "The language model did not begin to answer in time. Try again.")
	errIdle      = kyro.Errorf(kyro.CodeTimeout, "The language model stopped answering. Ask for the answer again.")
	errSlow      = kyro.Errorf(kyro.CodeTimeout, "The language model did not answer in time. Try again.")
)
