package live

import (
	"context"
	"encoding/json"
	"time"

	"github.com/redis/go-redis/v9"

	"kyrochat/kyro"
)

// Count is how many keys are counted.
func (r *Rates) Count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.keys)
}

// Sent reports whether everything that was appended is in its stream.
func (s *SharedLogs) Sent() bool {
	s.redis.outbox.mu.Lock()
	waiting := len(s.redis.outbox.waiting)
	s.redis.outbox.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.own {
		if unsent := s.local.unsent(o.message, o.attempt, o.sent); o.queued || len(unsent) > 0 {
			return false
		}
	}
	return waiting == 0
}

// Arrived reports whether all of a message's stream is in its mirror, where there is one.
func (s *SharedLogs) Arrived(message kyro.ID) bool {
	newest, err := s.redis.commands.XRevRangeN(context.Background(), s.key(message), "+", "-", 1).Result()
	s.mu.Lock()
	m := s.mirrors[message]
	s.mu.Unlock()
	if m == nil || err != nil || len(newest) == 0 {
		return err == nil
	}
	var pack []kyro.LogEntry
	if err := json.Unmarshal([]byte(newest[0].Values[fieldPack].(string)), &pack); err != nil {
		panic(err)
	}
	want := pack[len(pack)-1]
	s.local.mu.Lock()
	defer s.local.mu.Unlock()
	t := s.local.topics[message]
	return t != nil && t.end() == want
}

// Watched is how many conversations are watched.
func (w *Wakes) Watched() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.watching)
}

// Disown is what happens now and then to attempts that had no event for so long.
func (s *SharedLogs) Disown(now time.Time) { s.disown(now) }

// Unsent is how many parcels wait.
func (r *Redis) Unsent() int {
	r.outbox.mu.Lock()
	defer r.outbox.mu.Unlock()
	return len(r.outbox.waiting)
}

// Drop ends the mirror of a message and gives what a delivery does that was under way to it.
func (s *SharedLogs) Drop(message kyro.ID) (deliver func(entries ...kyro.LogEntry)) {
	s.mu.Lock()
	m := s.mirrors[message]
	s.mu.Unlock()
	s.abandon(func(each *mirror) bool { return each == m })
	return func(entries ...kyro.LogEntry) {
		data, err := json.Marshal(entries)
		if err != nil {
			panic(err)
		}
		s.deliver(m, []redis.XMessage{{Values: map[string]any{fieldPack: string(data)}}})
	}
}

// Reading reports whether a read of the streams is under way that knows all of them.
func (r *Redis) Reading() bool {
	r.tail.mu.Lock()
	defer r.tail.mu.Unlock()
	return r.tail.waiting && !r.tail.changed
}

// Listen follows a stream, and leaves it again.
func (r *Redis) Listen(key string) { r.tail.follow(r.key(key), "0-0", func([]redis.XMessage) {}) }
func (r *Redis) Leave(key string)  { r.tail.leave(r.key(key)) }

// Turned is closed once Redis is found away, where it is there.
func (r *Redis) Turned() <-chan struct{} { return r.health.lost() }

// Count is how many keys and moments are remembered.
func (a *Attempts) Count() (keys, moments int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.keys), a.moments
}

// Made puts attempts into Redis that were made so long ago, oldest first.
func (a *SharedAttempts) Made(ctx context.Context, key string, ago ...time.Duration) error {
	now, err := a.redis.commands.Time(ctx).Result()
	if err != nil {
		return err
	}
	for _, d := range ago {
		if err := a.redis.commands.RPush(ctx, a.key(kyro.Attempt{Key: key}), now.Add(-d).UnixMicro()).Err(); err != nil {
			return err
		}
	}
	return nil
}

// Lives is how long Redis keeps a key.
func (a *SharedAttempts) Lives(ctx context.Context, key string) time.Duration {
	return a.redis.commands.PTTL(ctx, a.key(kyro.Attempt{Key: key})).Val()
}
