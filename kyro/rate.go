package kyro

import (
	"math"
	"time"
)

// NoLimit is told for how much is allowed and left where nothing is limited.
const NoLimit = math.MaxInt32

// Rate is how often something may be done: Count times at once, and each comes back on its own, evenly over Per. The
// zero Rate is no limit.
type Rate struct {
	Count int
	Per   time.Duration
}

// Unlimited reports whether the rate allows everything.
func (r Rate) Unlimited() bool { return r.Count <= 0 }

// Scaled multiplies how often. By 0 there is no limit any more; by any other factor once at least is left.
func (r Rate) Scaled(by float64) Rate {
	if r.Unlimited() || by <= 0 {
		return Rate{}
	}
	r.Count = int(min(max(math.Round(float64(r.Count)*by), 1), NoLimit-1))
	return r
}

// Allowance is what a limiter says about doing something once more.
type Allowance struct {
	Allowed    bool
	Remaining  int           // how often it may be done again at once; NoLimit for a rate that is none
	ResetAt    time.Time     // when all of the rate is back, if it is not done until then
	RetryAfter time.Duration // until it is allowed again; zero where it is allowed
}

// Refusal is the RATE_LIMITED of somebody who did something too often. what says it in the plural: "operations".
func (a Allowance) Refusal(what string) *Error {
	e := Errorf(CodeRateLimited, "Too many %s in a short time. Try again in %s.", what, roundUp(a.RetryAfter, time.Second))
	e.Limit, e.RetryAfter = what, roundUp(a.RetryAfter, time.Millisecond) // which is what clients are told it in
	return e
}

func roundUp(d, to time.Duration) time.Duration { return (d + to - 1).Truncate(to) }

// RateLimit is what a viewer has left of the rate of operations, and what the operation that asks for it costs.
type RateLimit struct {
	Limit     int
	Remaining int
	ResetAt   time.Time
	Cost      int
	MaxCost   int
}
