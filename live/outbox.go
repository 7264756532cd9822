package live

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"kyrochat/kyro"

	"github.com/redis/go-redis/v9"
)

// outbox sends what this node says, in its order, without anybody waiting for it. One goroutine takes all that there
// is and sends it at once: a lone token goes as soon as it is there, and what comes while an answer is on its way, or
// within gatherTime of what was sent before, goes together.
type outbox struct {
	redis *Redis
	some  chan struct{} // has something while there may be something to send

	complained time.Time // when it was last logged that Redis takes nothing

	mu      sync.Mutex
	waiting []parcel
}

// parcel is something to be sent. write writes its commands, as often as it is sent; answered looks at their answers.
// keeps says, while Redis is away, whether it waits for it; one that does not is given up. write gives how many bytes go
// to and fro, about.
type parcel interface {
	write(ctx context.Context, p redis.Pipeliner) int
	answered() parcelState
	keeps() bool
}

type parcelState int

const (
	parcelDone  parcelState = iota
	parcelMore              // there is more to send of it, at once
	parcelAgain             // it was not taken
)

const (
	gatherTime = 2 * time.Millisecond

	maxOutbox = 20_000 // parcels that wait; streams are one each and always taken, signals beyond it are dropped
	maxSend   = 500    // parcels that are sent at once
	// And so many bytes, about, beyond which no more parcels are added: what is sent at once must be done in the time of
	// one command, also after a restart, when streams are written and read as a whole.
	maxSendBytes = 1 << 20
)

func (o *outbox) init(r *Redis) { o.redis, o.some = r, make(chan struct{}, 1) }

// send has a parcel sent soon. It never waits. While Redis is away it may give the parcel up at once.
func (o *outbox) send(p parcel) {
	if o.redis.health.away() != nil && !p.keeps() {
		return
	}
	o.mu.Lock()
	o.waiting = append(o.waiting, p)
	o.mu.Unlock()
	o.nudge()
}

// offer is send for what may get lost: where too much waits, it does.
func (o *outbox) offer(p parcel) {
	o.mu.Lock()
	room := len(o.waiting) < maxOutbox
	o.mu.Unlock()
	if room {
		o.send(p)
	}
}

func (o *outbox) nudge() {
	select {
	case o.some <- struct{}{}:
	default:
	}
}

// take gives the parcels to send next.
func (o *outbox) take() []parcel {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := min(len(o.waiting), maxSend)
	taken := o.waiting[:n:n]
	if o.waiting = o.waiting[n:]; len(o.waiting) == 0 {
		o.waiting = nil
	}
	return taken
}

// giveBack puts parcels first again.
func (o *outbox) giveBack(parcels []parcel) {
	o.mu.Lock()
	o.waiting = slices.Concat(parcels, o.waiting)
	o.mu.Unlock()
	o.nudge()
}

// sift gives up parcels that do not wait for Redis.
func (o *outbox) sift() {
	o.mu.Lock()
	all := o.waiting
	o.waiting = nil
	o.mu.Unlock()
	all = slices.DeleteFunc(all, func(p parcel) bool { return !p.keeps() })
	o.mu.Lock()
	o.waiting = append(all, o.waiting...)
	o.mu.Unlock()
}

// run sends until ctx ends, and then what is left, for as long as that takes no longer than flushTime.
func (o *outbox) run(ctx context.Context) {
	pause := retryAway
	var next time.Time
	for ctx.Err() == nil {
		if back := o.redis.health.back(); back != nil {
			o.sift()
			select {
			case <-back:
				o.nudge()
			case <-o.some: // perhaps something that does not wait
				_ = kyro.Pause(ctx, retryAway)
				o.nudge() // Redis may be back
			case <-ctx.Done():
			}
			continue
		}
		select {
		case <-o.some:
		case <-ctx.Done():
			continue
		}
		_ = kyro.Pause(ctx, time.Until(next))
		if o.empty(ctx) {
			pause, next = retryAway, time.Now().Add(gatherTime)
			continue
		}
		_ = kyro.Pause(ctx, pause)
		pause = min(2*pause, maxRetryAway)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
	defer cancel()
	o.empty(ctx)
}

// empty sends until there is nothing left, and reports whether all of it was taken.
func (o *outbox) empty(ctx context.Context) bool {
	for ctx.Err() == nil {
		taken := o.take()
		if len(taken) == 0 {
			return true
		}
		pipe := o.redis.commands.Pipeline()
		bytes := 0
		for i, p := range taken {
			if bytes > maxSendBytes {
				o.giveBack(taken[i:])
				taken = taken[:i]
				break
			}
			bytes += p.write(ctx, pipe)
		}
		limited, cancel := o.redis.limited(ctx)
		commands, err := pipe.Exec(limited) // the first error; each command has its own
		cancel()
		for _, c := range commands {
			o.redis.health.ReportResult(c.Err())
		}
		var again, more []parcel
		for _, p := range taken {
			switch p.answered() {
			case parcelAgain:
				again = append(again, p)
			case parcelMore:
				more = append(more, p)
			}
		}
		if len(again)+len(more) > 0 {
			o.giveBack(append(again, more...))
		}
		if len(again) > 0 {
			o.complain(err)
			return false
		}
	}
	return true
}

// complain tells now and then of a Redis that is there, but refuses what it is sent.
func (o *outbox) complain(err error) {
	if !errors.Is(err, errAway) && !unreachable(err) && time.Since(o.complained) > time.Minute {
		o.complained = time.Now()
		o.redis.log.Warn("Redis refuses what it is sent; other nodes look at the database meanwhile", "error", err)
	}
}
