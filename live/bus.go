package live

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	maxBus   = "10000"   // signals that are kept, so that a node whose connection broke off can catch up
	busTTL   = time.Hour // after the last signal, about
	maxHeard = 1_000     // nodes of which the place is known; processes that are long gone among them
)

// Bus carries signals between nodes: short words that something has changed, for which the rows have the rest. A signal
// reaches every other node that is connected once, in the order in which one node sent them. It may be lost while Redis
// is away, and all that were may be lost with it: then each node is told once it is connected again. Those of a node are
// numbered, so that one that was lost otherwise (there were too many, somebody emptied Redis) is missed when the next comes.
type Bus struct {
	redis    *Redis
	key      string
	handlers map[string]func(data []byte)
	missed   []func()

	mu   sync.Mutex
	sent int64 // the number of the newest signal of this node

	heard   map[string]int64 // by node, the number of the last signal that came; of the reader alone
	renewed time.Time        // when the stream's time was last set; of the outbox
}

// NewBus makes the bus of the nodes that share the Redis. Handlers are added before Run.
func NewBus(r *Redis) *Bus {
	b := &Bus{redis: r, key: r.key("bus"), handlers: map[string]func([]byte){}, heard: map[string]int64{}}
	r.tail.onBack(b.back)
	r.tail.onAway(b.miss)
	return b
}

// On has signals of a kind handled, those of other nodes only. handle must not wait.
func On[T any](b *Bus, kind string, handle func(T)) {
	if b == nil {
		return
	}
	b.handlers[kind] = func(data []byte) {
		var signal T
		if err := json.Unmarshal(data, &signal); err != nil {
			b.redis.log.Warn("a signal of another node cannot be read; does it run another version?", "kind", kind, "error", err)
			return
		}
		handle(signal)
	}
}

// OnMissed has something done when signals may be missed from now on, and again when they arrive again, for those that
// were; also at the start. It must not wait.
func (b *Bus) OnMissed(do func()) {
	if b != nil {
		b.missed = append(b.missed, do)
	}
}

// Send tells the other nodes, soon. It never waits, and does nothing where there are none. Everything of T that is to
// arrive must be of exported fields.
func Send[T any](b *Bus, kind string, signal T) {
	if b == nil {
		return
	}
	data, err := json.Marshal(signal)
	if err != nil {
		b.redis.log.Error("a signal cannot be written", "kind", kind, "error", err)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock() // after the offer, so that numbers are sent in their order
	b.sent++
	b.redis.outbox.offer(&busSignal{bus: b, number: b.sent, kind: kind, data: data})
}

// Connected reports whether signals of other nodes arrive. Where there is no bus there are no other nodes to hear of.
func (b *Bus) Connected() bool { return b != nil && b.redis.Connected() }

// back goes on behind the last signal that there is, and has done what those before it may have asked for.
func (b *Bus) back(ctx context.Context) error {
	last := "0-0"
	newest, err := b.redis.blocking.XRevRangeN(ctx, b.key, "+", "-", 1).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	if len(newest) > 0 {
		last = newest[0].ID
	}
	b.redis.tail.follow(b.key, last, b.deliver)
	b.miss()
	return nil
}

func (b *Bus) miss() {
	for _, do := range b.missed {
		do()
	}
}

func (b *Bus) deliver(entries []redis.XMessage) {
	for _, e := range entries {
		node, _ := e.Values["n"].(string)
		kind, _ := e.Values["k"].(string)
		data, _ := e.Values["d"].(string)
		if node == b.redis.node || !b.next(node, e.Values["i"]) {
			continue
		}
		if handle := b.handlers[kind]; handle != nil {
			handle([]byte(data))
		}
	}
}

// next notes the number of a node's signal. It reports false where that has come before, as one does that was sent twice
// because it was not known whether Redis took it, and has done what may be asked for where some before it are missing.
func (b *Bus) next(node string, value any) bool {
	text, _ := value.(string)
	number, _ := strconv.ParseInt(text, 10, 64)
	last, known := b.heard[node]
	if known && number <= last {
		return false
	}
	if number != last+1 {
		b.miss()
	}
	if len(b.heard) >= maxHeard {
		clear(b.heard)
	}
	b.heard[node] = number
	return true
}

// busSignal is a parcel with a signal.
type busSignal struct {
	bus    *Bus
	number int64
	kind   string
	data   []byte
	added  *redis.Cmd
}

func (s *busSignal) write(ctx context.Context, p redis.Pipeliner) int {
	b := s.bus
	s.added = p.Do(ctx, "XADD", b.key, "MAXLEN", "~", maxBus, "*", "n", b.redis.node, "i", s.number, "k", s.kind, "d", s.data)
	if now := time.Now(); now.Sub(b.renewed) > busTTL/4 {
		b.renewed = now
		p.PExpire(ctx, b.key, busTTL)
	}
	return len(s.data)
}

// answered has it sent once more only where Redis was away: what it refuses it would refuse again.
func (s *busSignal) answered() parcelState {
	if err := s.added.Err(); unreachable(err) || errors.Is(err, errAway) {
		return parcelAgain
	}
	return parcelDone
}

func (*busSignal) keeps() bool { return true }
