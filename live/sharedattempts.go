package live

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"kyrochat/kyro"
)

// SharedAttempts are Attempts that all nodes count together, by the clock of Redis. While Redis is away each node counts
// for itself, and allows its share of a policy only, by the number of nodes there were: it is never open.
//
// What the shared count allows is counted in this process as well, so that a Redis that went away or came back empty
// does not give anybody a fresh start.
type SharedAttempts struct {
	redis *Redis
	local *Attempts
}

// NewSharedAttempts counts in Redis, and in local besides.
func NewSharedAttempts(r *Redis, local *Attempts) *SharedAttempts { return &SharedAttempts{r, local} }

// Try counts an attempt under all of the keys, or under none where one of them does not allow it: then RetryAfter is
// the longest that one of them has to wait. The error is always nil.
func (a *SharedAttempts) Try(ctx context.Context, attempts ...kyro.Attempt) (kyro.Allowance, error) {
	attempts = limiting(attempts)
	if len(attempts) == 0 {
		return a.local.Try(ctx)
	}
	wait, err := a.try(ctx, attempts)
	if err != nil {
		return a.alone(ctx, attempts)
	}
	if wait > 0 {
		return kyro.Allowance{RetryAfter: wait, ResetAt: a.local.now().Add(wait)}, nil
	}
	// This process has counted no more than all of them, unless Redis forgot. A little more or less is a matter of clocks.
	own, _ := a.local.Try(ctx, attempts...)
	if !own.Allowed && own.RetryAfter > clocksApart {
		return own, nil
	}
	return kyro.Allowance{Allowed: true, Remaining: kyro.NoLimit, ResetAt: own.ResetAt}, nil
}

// alone is for a node that does not know what the others allow.
func (a *SharedAttempts) alone(ctx context.Context, attempts []kyro.Attempt) (kyro.Allowance, error) {
	if nodes := a.redis.Nodes(); nodes > 1 {
		share := make([]kyro.Attempt, len(attempts))
		for i, attempt := range attempts {
			share[i] = kyro.Attempt{Key: attempt.Key, Policy: attempt.Policy.Scaled(1 / float64(nodes))}
		}
		attempts = share
	}
	return a.local.Try(ctx, attempts...)
}

// TakeBack uncounts the last attempt under each of the keys. What Redis does not hear of stays counted there.
func (a *SharedAttempts) TakeBack(ctx context.Context, attempts ...kyro.Attempt) {
	a.local.TakeBack(ctx, attempts...)
	a.each(ctx, attempts, func(ctx context.Context, pipe redis.Pipeliner, key string) { pipe.RPop(ctx, key) })
}

// Forget uncounts all attempts under each of the keys. What Redis does not hear of stays counted there.
func (a *SharedAttempts) Forget(ctx context.Context, attempts ...kyro.Attempt) {
	a.local.Forget(ctx, attempts...)
	a.each(ctx, attempts, func(ctx context.Context, pipe redis.Pipeliner, key string) { pipe.Del(ctx, key) })
}

func (a *SharedAttempts) each(ctx context.Context, attempts []kyro.Attempt, do func(context.Context, redis.Pipeliner, string)) {
	if attempts = limiting(attempts); len(attempts) == 0 {
		return
	}
	limited, cancel := a.redis.limited(ctx)
	defer cancel()
	_, _ = a.redis.commands.Pipelined(limited, func(pipe redis.Pipeliner) error {
		for _, attempt := range attempts {
			do(limited, pipe, a.key(attempt))
		}
		return nil
	})
}

// limiting leaves out what allows everything.
func limiting(attempts []kyro.Attempt) []kyro.Attempt {
	var list []kyro.Attempt
	for _, attempt := range attempts {
		if !attempt.Policy.Unlimited() {
			list = append(list, attempt)
		}
	}
	return list
}

func (a *SharedAttempts) key(attempt kyro.Attempt) string { return a.redis.key("tried:" + attempt.Key) }

func (a *SharedAttempts) try(ctx context.Context, attempts []kyro.Attempt) (wait time.Duration, err error) {
	keys, args := make([]string, len(attempts)), []any{kyro.MaxAttemptDelay.Microseconds()}
	for i, attempt := range attempts {
		p := attempt.Policy
		keys[i] = a.key(attempt)
		args = append(args, p.Span().Microseconds(), p.Free, p.Within.Microseconds(), len(p.Windows))
		for _, w := range p.Windows {
			args = append(args, w.Most, w.Per.Microseconds())
		}
	}
	limited, cancel := a.redis.limited(ctx)
	defer cancel()
	micros, err := tryOnce.Run(limited, a.redis.commands, keys, args...).Int64()
	return time.Duration(micros) * time.Microsecond, err
}

// tryOnce is Attempts.Try on Redis, by its clock: of each key a list of the moments of its attempts, in microseconds,
// oldest first. It gives how long to wait, 0 where it is allowed. The rules are those of kyro.AttemptPolicy.Wait.
var tryOnce = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local most_delay = tonumber(ARGV[1])
local at = 2
local function arg()
  at = at + 1
  return tonumber(ARGV[at - 1])
end
local spans, wait = {}, 0
for i, key in ipairs(KEYS) do
  local span, free, within, windows = arg(), arg(), arg(), arg()
  spans[i] = span
  local former = {}
  for _, moment in ipairs(redis.call('LRANGE', key, 0, -1)) do
    local m = math.min(tonumber(moment), now)
    if m > now - span then
      former[#former + 1] = m
    else
      redis.call('LPOP', key)
    end
  end
  for _ = 1, windows do
    local most, per = arg(), arg()
    if #former >= most then
      wait = math.max(wait, former[#former - most + 1] + per - now)
    end
  end
  if free > 0 and #former >= free then
    local from = now
    for j = 1, #former - free + 1 do
      local ends = former[j] + within
      if ends > now then
        local delay = math.min(1000000 * 2 ^ math.min(#former - free - j + 2, 20), most_delay)
        local allowed = math.max(former[#former] + delay, from)
        from = math.min(allowed, ends)
        if allowed < ends then
          break
        end
      end
    end
    wait = math.max(wait, from - now)
  end
end
if wait > 0 then
  return wait
end
for i, key in ipairs(KEYS) do
  redis.call('RPUSH', key, string.format('%.0f', now))
  redis.call('PEXPIRE', key, math.ceil(spans[i] / 1000))
end
return 0`)
