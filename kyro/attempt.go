package kyro

import (
	"math"
	"time"
)

// AttemptPolicy says how often something may be tried by whoever may be guessing. Unlike those of a Rate its windows
// are exact: over no stretch of time, wherever it begins, are there more attempts than a window has. What is refused is
// no attempt. The zero policy allows everything.
type AttemptPolicy struct {
	Windows []AttemptWindow
	// After Free attempts within Within, each one more has to wait since the last one: 2 s, then 4 s, and so on, at
	// most MaxAttemptDelay. No delay where Free is 0.
	Free   int
	Within time.Duration
}

// AttemptWindow is at most Most attempts in any stretch of time as long as Per.
type AttemptWindow struct {
	Most int
	Per  time.Duration
}

// MaxAttemptDelay is how long the next attempt has to wait at most because of the delay that grows.
const MaxAttemptDelay = 15 * time.Minute

// maxAttempts bounds what is remembered of one key, however the policies are scaled.
const maxAttempts = 10_000

// What may be tried at a password. A network without anything else is Viewer.Network, the network of a device is
// Device.AddressPrefix, which is wider: who can choose among the addresses of a provider has one count of an account.
//
// An owner is never kept out by these by strangers elsewhere: a device that has signed in before brings its token, and
// then only AttemptsOfDevice counts, under the device's own key; a network from which the account has a live session
// is not counted under AttemptsOfAccount.
var (
	// AttemptsOfDevice are those at one account from one device or from one of its networks, and those of a person who
	// is signed in at their own password, from one session.
	AttemptsOfDevice = AttemptPolicy{Windows: []AttemptWindow{{10, 15 * time.Minute}, {100, 24 * time.Hour}}, Free: 5, Within: 15 * time.Minute}
	// AttemptsOfAccount are those at one account from all devices and networks that it is not known to use. NIST SP
	// 800-63B allows 100 failures in a row.
	AttemptsOfAccount = AttemptPolicy{Windows: []AttemptWindow{{10, 15 * time.Minute}, {100, 24 * time.Hour}}}
	// AttemptsOfNetwork are those at any accounts from one network.
	AttemptsOfNetwork = AttemptPolicy{Windows: []AttemptWindow{{30, 5 * time.Minute}}}
)

// Unlimited reports whether the policy allows everything.
func (p AttemptPolicy) Unlimited() bool { return len(p.Windows) == 0 && p.Free <= 0 }

// Scaled multiplies how often. By 0 there is no limit any more; by any other factor one attempt at least is left.
func (p AttemptPolicy) Scaled(by float64) AttemptPolicy {
	if p.Unlimited() || by <= 0 {
		return AttemptPolicy{}
	}
	scaled := func(n int) int { return int(min(max(math.Round(float64(n)*by), 1), maxAttempts)) }
	windows := make([]AttemptWindow, len(p.Windows))
	for i, w := range p.Windows {
		windows[i] = AttemptWindow{scaled(w.Most), w.Per}
	}
	p.Windows = windows
	if p.Free > 0 {
		p.Free = scaled(p.Free)
	}
	return p
}

// Span is how long an attempt counts for anything.
func (p AttemptPolicy) Span() time.Duration {
	span := time.Duration(0)
	if p.Free > 0 {
		span = max(p.Within, MaxAttemptDelay)
	}
	for _, w := range p.Windows {
		span = max(span, w.Per)
	}
	return span
}

// Wait is how long the next attempt has to wait after the former ones, whose moments come in their order; 0 where it
// may be made now. Moments that are not over yet, as a clock that was set back leaves them, count as now.
func (p AttemptPolicy) Wait(former []time.Time, now time.Time) time.Duration {
	var wait time.Duration
	for _, w := range p.Windows {
		if over := len(former) - w.Most; over >= 0 {
			wait = max(wait, least(former[over], now).Add(w.Per).Sub(now))
		}
	}
	if p.Free > 0 && len(former) >= p.Free {
		wait = max(wait, p.delayed(former, now).Sub(now))
	}
	return wait
}

// delayed is when the delay allows the next attempt. As former ones come to lie further back than Within, the delay
// shrinks: so each of the times is looked at in which as many of them count.
func (p AttemptPolicy) delayed(former []time.Time, now time.Time) time.Time {
	from, last := now, least(former[len(former)-1], now)
	for i, beyond := 0, len(former)-p.Free; beyond >= 0; i, beyond = i+1, beyond-1 {
		until := least(former[i], now).Add(p.Within)
		if !until.After(now) {
			continue
		}
		allowed := last.Add(attemptDelay(beyond + 1))
		if allowed.Before(from) {
			allowed = from
		}
		if allowed.Before(until) {
			return allowed
		}
		from = until
	}
	return from
}

// attemptDelay is 2^n seconds, at most MaxAttemptDelay.
func attemptDelay(n int) time.Duration {
	if n > 10 { // 2^10 s is more than it already
		return MaxAttemptDelay
	}
	return min(time.Second<<n, MaxAttemptDelay)
}

func least(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Attempt is what an attempt counts under: a key, which belongs to one policy.
type Attempt struct {
	Key    string
	Policy AttemptPolicy
}
