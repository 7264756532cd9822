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

// Estimable is what zxcvbn is asked about.
func Estimable(password string) string { return estimable(password) }

// WithChecksum is how whoever has no key begins to forge a token.
func WithChecksum(text string) string { return withChecksum(text) }

// Waiting is how many callers are in the queue.
func (h *Hasher) Waiting() int64 { return h.waiting.Load() }
