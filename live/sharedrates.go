package live

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"kyrochat/kyro"
)

// SharedRates are Rates that all nodes count together. While Redis is away each node counts for itself, and allows its
// share of a rate only, by the number of nodes there were. Nothing that is limited is ever open.
//
// What the shared count allows is counted in this process as well, so that a Redis that went away or came back empty
// does not give anybody a fresh start.
type SharedRates struct {
	redis *Redis
	local *Rates
}

// clocksApart is how far the clock of this process and that of Redis may come apart while all of a rate comes back.
const clocksApart = 50 * time.Millisecond

// NewSharedRates counts in Redis, and in local besides.
func NewSharedRates(r *Redis, local *Rates) *SharedRates { return &SharedRates{redis: r, local: local} }

// Take does something once under the key, if the rate allows it; what is refused does not count. Every key belongs to
// one rate. The error is always nil.
func (r *SharedRates) Take(ctx context.Context, key string, rate kyro.Rate) (kyro.Allowance, error) {
	if rate.Unlimited() {
		return r.local.Take(ctx, key, rate)
	}
	shared, err := r.take(ctx, key, rate)
	if err != nil {
		return r.alone(ctx, key, rate)
	}
	if !shared.Allowed {
		return shared, nil
	}
	// This process has counted no more than all of them, unless Redis forgot. A little more or less is a matter of clocks.
	own, _ := r.local.Take(ctx, key, rate)
	if !own.Allowed && own.RetryAfter > min(step(rate)/2, clocksApart) {
		return own, nil
	}
	return shared, nil
}

// alone is for a node that does not know what the others allow.
func (r *SharedRates) alone(ctx context.Context, key string, rate kyro.Rate) (kyro.Allowance, error) {
	if nodes := r.redis.Nodes(); nodes > 1 {
		share, _ := r.local.Take(ctx, key+" share", rate.Scaled(1/float64(nodes)))
		if !share.Allowed {
			return share, nil
		}
	}
	return r.local.Take(ctx, key, rate)
}

func (r *SharedRates) take(ctx context.Context, key string, rate kyro.Rate) (kyro.Allowance, error) {
	each := step(rate)
	limited, cancel := r.redis.limited(ctx)
	defer cancel()
	answer, err := takeOnce.Run(limited, r.redis.commands, []string{r.redis.key("rate:" + key)},
		each.Microseconds(), (each * time.Duration(rate.Count)).Microseconds()).Int64Slice()
	if err != nil {
		return kyro.Allowance{}, err
	}
	wait, full := time.Duration(answer[0])*time.Microsecond, time.Duration(answer[1])*time.Microsecond
	a := kyro.Allowance{Allowed: wait == 0, RetryAfter: wait, ResetAt: r.local.now().Add(full)}
	if a.Allowed {
		a.Remaining = int((each*time.Duration(rate.Count) - full) / each)
	}
	return a, nil
}

// step is how long it takes until a rate allows once more, in whole microseconds, as Redis counts.
func step(rate kyro.Rate) time.Duration {
	return max((rate.Per / time.Duration(rate.Count)).Truncate(time.Microsecond), time.Microsecond)
}

// takeOnce is Rates.Take on Redis, by its clock: of each key the moment when all of its rate is back, in microseconds.
// It gives how long to wait, 0 where it is allowed, and how long until all is back. A moment that is further ahead than
// all of the rate takes is of a clock that was set back since, or of a rate that was greater: it counts as all spent.
var takeOnce = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local each, all = tonumber(ARGV[1]), tonumber(ARGV[2])
local stored = tonumber(redis.call('GET', KEYS[1]) or now)
local full = math.min(math.max(stored, now), now + all)
local wait = math.max(full + each - now - all, 0)
if wait == 0 then
  full = full + each
end
if wait == 0 or stored > full then
  redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
end
return {wait, full - now}`)
