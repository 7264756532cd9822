package live

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	tailCount = 1_000 // entries of one stream that are read at once
	// Reading costs Redis some time for every stream that is named, so a read that found something is followed by a
	// pause that grows with their number: with one stream there is none, with 2,000 it is 20 ms, for which all that
	// comes meanwhile is read at once.
	pauseForEach = 10 * time.Microsecond
	minPause     = time.Millisecond
	maxPause     = 25 * time.Millisecond
)

// maxAbsence is how long this process may do nothing before it must think that it missed something: a stream keeps its
// newest entries only, and a process that was frozen for a while cannot tell what was dropped before them.
const maxAbsence = 3 * time.Second

var errAbsent = errors.New("this process was stopped for a while")

// tail reads any number of streams with one command that waits on all of them. Nobody reads by himself.
type tail struct {
	redis *Redis
	grace time.Duration // beyond blockTime, until a read that does not return tells that Redis is away
	wake  string        // the stream that ends a read early, since the streams to read are others now

	mu      sync.Mutex
	streams map[string]*tailed
	changed bool // since the read under way began
	waiting bool // a read is under way
	back    []func(ctx context.Context) error
	away    []func()
}

// tailed is a stream that is read.
type tailed struct {
	key     string
	last    string // the id of the last entry that was delivered
	deliver func([]redis.XMessage)
}

func (t *tail) init(r *Redis, grace time.Duration) {
	t.redis, t.grace, t.wake = r, grace, r.key("wake:"+r.node)
	t.streams = map[string]*tailed{}
	t.streams[t.wake] = &tailed{key: t.wake, last: "0-0", deliver: func([]redis.XMessage) {}}
}

// onBack adds what is done each time Redis is there again, and the first time: whatever was in it may be gone, and
// whatever was said meanwhile was not heard. An error has it done again.
func (t *tail) onBack(do func(ctx context.Context) error) { t.back = append(t.back, do) }

// onAway adds what is done each time Redis is found to be away.
func (t *tail) onAway(do func()) { t.away = append(t.away, do) }

// follow has the entries of a stream behind the id delivered, in order, until leave. deliver must not wait.
func (t *tail) follow(key, after string, deliver func([]redis.XMessage)) {
	t.mu.Lock()
	t.streams[key] = &tailed{key: key, last: after, deliver: deliver}
	interrupt := !t.changed && t.waiting
	t.changed = true
	t.mu.Unlock()
	if interrupt {
		t.redis.outbox.send(wakeUp{t.wake})
	}
}

// leave ends follow. A delivery may still be under way.
func (t *tail) leave(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.streams, key)
	t.changed = true
}

// run reads until ctx ends. first is called once it is known whether Redis is there.
func (t *tail) run(ctx context.Context, first func()) {
	defer first()
	pause, away := retryAway, true
	for ctx.Err() == nil {
		var err error
		if away {
			err = t.comeBack(ctx)
		}
		if err == nil {
			away, pause = false, retryAway
			first()
			err = t.read(ctx)
		}
		if err != nil && ctx.Err() == nil {
			t.redis.health.gone(err)
			if !away {
				for _, do := range t.away {
					do()
				}
			}
			away = true
			first()
			wait(ctx, pause)
			pause = min(2*pause, maxRetryAway)
		}
	}
}

// comeBack finds out whether Redis is there, and does what has to be done then.
func (t *tail) comeBack(ctx context.Context) error {
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	if err := t.redis.blocking.Ping(limited).Err(); err != nil {
		return err
	}
	t.redis.health.answered(began)
	for _, do := range t.back {
		if err := do(limited); err != nil {
			return err
		}
	}
	return nil
}

// read reads until the streams to read are others, or Redis is away.
func (t *tail) read(ctx context.Context) error {
	order, args := t.begin()
	defer t.end()
	names := len(order)
	for before := time.Now(); ; {
		began := time.Now()
		if began.Sub(before) > maxAbsence {
			return errAbsent
		}
		limited, cancel := context.WithTimeout(ctx, blockTime+t.grace)
		found, err := t.redis.blocking.XRead(limited, &redis.XReadArgs{Streams: args, Count: tailCount, Block: blockTime}).Result()
		cancel()
		if err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		if before = time.Now(); before.Sub(began) > maxAbsence {
			return errAbsent
		}
		t.redis.health.answered(began)
		for i := range found {
			n, _ := slices.BinarySearchFunc(order, found[i].Stream, func(s *tailed, key string) int { return strings.Compare(s.key, key) })
			if entries := found[i].Messages; n < names && order[n].key == found[i].Stream && len(entries) > 0 {
				order[n].last = entries[len(entries)-1].ID
				args[names+n] = order[n].last
				order[n].deliver(entries)
			}
		}
		if pause := min(time.Duration(names)*pauseForEach, maxPause) - time.Since(began); pause >= minPause && len(found) > 0 {
			wait(ctx, pause)
		}
		t.mu.Lock()
		changed := t.changed
		t.waiting = !changed
		t.mu.Unlock()
		if changed || ctx.Err() != nil {
			return nil
		}
	}
}

// begin gives the streams to read, by name, and the arguments to read them with.
func (t *tail) begin() (order []*tailed, args []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changed, t.waiting = false, true
	for _, s := range t.streams {
		order = append(order, s)
	}
	slices.SortFunc(order, func(a, b *tailed) int { return strings.Compare(a.key, b.key) })
	args = make([]string, 2*len(order))
	for i, s := range order {
		args[i], args[len(order)+i] = s.key, s.last
	}
	return order, args
}

func (t *tail) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting = false
}

// wait waits for the time or ctx's end.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// wakeUp ends the read that is under way.
type wakeUp struct{ key string }

func (w wakeUp) write(ctx context.Context, p redis.Pipeliner) {
	p.XAdd(ctx, &redis.XAddArgs{Stream: w.key, MaxLen: 1, Values: []string{"w", ""}})
	p.PExpire(ctx, w.key, time.Hour)
}

func (wakeUp) answered() parcelState { return parcelDone }

func (wakeUp) keeps() bool { return false } // a reader that is away comes back by itself
