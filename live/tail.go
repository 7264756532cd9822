package live

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"kyrochat/kyro"

	"github.com/redis/go-redis/v9"
)

const (
	// So many entries are read at once, of all streams together, so that a read stays short however much there is: at
	// least minTail of each, and no more than maxTail of one.
	tailCount, minTail, maxTail = 20_000, 20, 1_000
	// Reading costs Redis some time for every stream that is named, so a read that found something is followed by a
	// pause that grows with their number: with one stream there is none, with 2,000 it is 20 ms, for which all that
	// comes meanwhile is read at once.
	pauseForEach = 10 * time.Microsecond
	minPause     = time.Millisecond
	maxPause     = 25 * time.Millisecond
)

// tail reads any number of streams with one command that waits on all of them. Nobody reads by himself.
type tail struct {
	redis *Redis
	grace time.Duration // beyond blockTime, until a read that does not return tells that Redis is away
	wake  string        // the stream that ends a read early, since the streams to read are others now

	mu      sync.Mutex
	streams map[string]*tailed
	changed bool // since the read under way began
	waiting bool // a read is under way
	woken   bool // and has been told to end
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
	interrupt := t.waiting && !t.woken
	t.changed, t.woken = true, t.woken || interrupt
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
	pause := retryAway
	for ctx.Err() == nil {
		err := t.comeBack(ctx)
		first()
		back := err == nil
		for err == nil && ctx.Err() == nil {
			pause = retryAway
			err = t.read(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		t.redis.health.gone(err)
		if back {
			for _, do := range t.away {
				do()
			}
		}
		_ = kyro.Pause(ctx, pause)
		pause = min(2*pause, maxRetryAway)
	}
}

// comeBack finds out whether Redis is there, and does what has to be done then. It asks with a write: a Redis that only
// lets itself be read (it has no memory left, or is a replica) takes nothing of what the nodes would tell each other.
func (t *tail) comeBack(ctx context.Context) error {
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	probe := t.redis.blocking.Pipeline()
	wakeUp{t.wake}.write(limited, probe)
	if _, err := probe.Exec(limited); err != nil {
		return err
	}
	for _, do := range t.back {
		if err := do(limited); err != nil {
			return err
		}
	}
	t.redis.health.answered(began)
	return t.redis.health.away()
}

// read reads until the streams to read are others, or Redis is away for whoever asked it.
func (t *tail) read(ctx context.Context) error {
	order, args := t.begin()
	defer t.end()
	names := len(order)
	count := min(max(tailCount/names, minTail), maxTail)
	for {
		began := time.Now()
		limited, cancel := context.WithTimeout(ctx, blockTime+t.grace)
		found, err := t.redis.blocking.XRead(limited, &redis.XReadArgs{Streams: args, Count: int64(count), Block: blockTime}).Result()
		cancel()
		if err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		if err := t.redis.health.away(); err != nil {
			return err // as a command has found out meanwhile
		}
		more := false
		for i := range found {
			n, _ := slices.BinarySearchFunc(order, found[i].Stream, func(s *tailed, key string) int { return strings.Compare(s.key, key) })
			if entries := found[i].Messages; n < names && order[n].key == found[i].Stream && len(entries) > 0 {
				order[n].last = entries[len(entries)-1].ID
				args[names+n] = order[n].last
				order[n].deliver(entries)
				more = more || len(entries) == count
			}
		}
		if pause := min(time.Duration(names)*pauseForEach, maxPause) - time.Since(began); pause >= minPause && len(found) > 0 && !more {
			_ = kyro.Pause(ctx, pause)
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
	t.changed, t.waiting, t.woken = false, true, false
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

// wakeUp ends the read that is under way.
type wakeUp struct{ key string }

func (w wakeUp) write(ctx context.Context, p redis.Pipeliner) int {
	p.XAdd(ctx, &redis.XAddArgs{Stream: w.key, MaxLen: 1, Values: []string{"w", ""}})
	p.PExpire(ctx, w.key, time.Hour)
	return 0
}

func (wakeUp) answered() parcelState { return parcelDone }

func (wakeUp) keeps() bool { return false } // a reader that is away comes back by itself
