package auth

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"

	"kyrochat/kyro"
)

// HasherOptions are the cost of a password hash and how many may be computed at once. Zero fields take the
// defaults, which are the OWASP figures for argon2id.
type HasherOptions struct {
	Memory  uint32        // KiB; 19456
	Passes  uint32        // 2
	Lanes   uint8         // 1
	Slots   int           // hashes computed at once; the number of processors
	Queue   int           // callers that may wait for a slot; 32
	MaxWait time.Duration // how long each of them waits; 2 s
}

// Hasher hashes passwords with argon2id. Make it with NewHasher.
type Hasher struct {
	cost    cost
	slots   chan struct{}
	queue   int64
	maxWait time.Duration
	waiting atomic.Int64
	dummy   hash
}

// NewHasher makes a hasher, and the dummy that passwords of unknown people are compared with.
func NewHasher(o HasherOptions) *Hasher {
	h := &Hasher{
		cost:  cost{cmp.Or(o.Memory, 19456), cmp.Or(o.Passes, 2), cmp.Or(o.Lanes, 1)},
		slots: make(chan struct{}, cmp.Or(o.Slots, runtime.NumCPU())), queue: int64(cmp.Or(o.Queue, 32)),
		maxWait: cmp.Or(o.MaxWait, 2*time.Second),
	}
	h.dummy = newHash(rand.Text(), h.cost)
	return h
}

// Hash gives the PHC string of a password. UNAVAILABLE when too many wait.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	return newHash(password, h.cost).String(), nil
}

// Verify compares a password with a PHC string, in constant time. An empty one stands for nobody: the dummy is
// compared at the same cost and never matches. stale says that the hash should be made anew with today's cost.
// UNAVAILABLE when too many wait.
func (h *Hasher) Verify(ctx context.Context, phc, password string) (ok, stale bool, err error) {
	known, nobody := h.dummy, phc == ""
	if !nobody {
		if known, err = parseHash(phc); err != nil {
			return false, false, fmt.Errorf("read a stored password hash: %w", err)
		}
	}
	leave, err := h.enter(ctx)
	if err != nil {
		return false, false, err
	}
	defer leave()
	same := subtle.ConstantTimeCompare(known.tag, known.cost.tag(password, known.salt, len(known.tag))) == 1
	ok = same && !nobody
	return ok, ok && known.outdated(h.cost), nil
}

// enter waits for a slot, within the bounds of the queue.
func (h *Hasher) enter(ctx context.Context) (leave func(), err error) {
	leave = func() { <-h.slots }
	select {
	case h.slots <- struct{}{}:
		return leave, nil
	default:
	}
	if h.waiting.Add(1) > h.queue {
		h.waiting.Add(-1)
		return nil, h.busy()
	}
	defer h.waiting.Add(-1)
	timeout := time.NewTimer(h.maxWait)
	defer timeout.Stop()
	select {
	case h.slots <- struct{}{}:
		return leave, nil
	case <-timeout.C:
		return nil, h.busy()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a free processor: %w", context.Cause(ctx))
	}
}

func (h *Hasher) busy() error {
	e := kyro.Errorf(kyro.CodeUnavailable, "Too many people are signing in right now. Try again in a few seconds.")
	e.RetryAfter = h.maxWait
	return e
}

// cost is what one hash costs.
type cost struct {
	memory uint32 // KiB
	passes uint32
	lanes  uint8
}

func (c cost) tag(password string, salt []byte, length int) []byte {
	return argon2.IDKey([]byte(password), salt, c.passes, c.memory, c.lanes, uint32(length))
}
