package auth

import "context"

// Occupy takes a slot as a running hash does.
func (h *Hasher) Occupy() (release func()) {
	leave, err := h.enter(context.Background())
	if err != nil {
		panic(err)
	}
	return leave
}

// Waiting is how many callers are in the queue.
func (h *Hasher) Waiting() int64 { return h.waiting.Load() }
