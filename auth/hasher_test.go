package auth_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"kyrochat/auth"
	"kyrochat/kyro"
)

// cheap is a hasher of little cost, for everything but the cost itself.
var cheap = auth.HasherOptions{Memory: 64, Passes: 1}

func TestHashAndVerify(t *testing.T) {
	t.Parallel()
	h := auth.NewHasher(cheap)
	const password = " pässwörd 🗝 with spaces "
	phc, err := h.Hash(t.Context(), password)
	if err != nil || !strings.HasPrefix(phc, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Fatal(phc, err)
	}
	if again, _ := h.Hash(t.Context(), password); again == phc {
		t.Error("two hashes have one salt")
	}
	for _, c := range []struct {
		phc, password string
		ok            bool
	}{
		{phc, password, true}, {phc, strings.TrimSpace(password), false}, {phc, "", false}, {"", password, false}, {"", "", false},
	} {
		ok, stale, err := h.Verify(t.Context(), c.phc, c.password)
		if ok != c.ok || stale || err != nil {
			t.Errorf("%q: %v %v %v", c.password, ok, stale, err)
		}
	}
}

func TestDefaultCost(t *testing.T) {
	t.Parallel()
	phc, err := auth.NewHasher(auth.HasherOptions{}).Hash(t.Context(), "a password of the owner")
	if err != nil || !strings.HasPrefix(phc, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Error(phc, err)
	}
}

// The hash was computed by the reference implementation of argon2.
func TestVerifyForeignHash(t *testing.T) {
	t.Parallel()
	const phc = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	ok, stale, err := auth.NewHasher(cheap).Verify(t.Context(), phc, "password")
	if !ok || !stale || err != nil {
		t.Error(ok, stale, err)
	}
}

func TestVerifyRefusesOddHashes(t *testing.T) {
	t.Parallel()
	h := auth.NewHasher(cheap)
	const tail = "$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	for name, phc := range map[string]string{
		"memory": "$argon2id$v=19$m=262145,t=2,p=1" + tail, "passes": "$argon2id$v=19$m=64,t=11,p=1" + tail,
		"lanes": "$argon2id$v=19$m=64,t=2,p=5" + tail, "no passes": "$argon2id$v=19$m=64,t=0,p=1" + tail,
		"version": "$argon2id$v=16$m=64,t=2,p=1" + tail, "variant": "$argon2i$v=19$m=64,t=2,p=1" + tail,
		"too little memory": "$argon2id$v=19$m=7,t=1,p=1" + tail, "no lanes": "$argon2id$v=19$m=64,t=1,p=0" + tail,
		"sign": "$argon2id$v=19$m=+64,t=2,p=1" + tail, "zero": "$argon2id$v=19$m=064,t=2,p=1" + tail,
		"short salt": "$argon2id$v=19$m=64,t=2,p=1$c29t$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"no tag":     "$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHQ$", "long": "$argon2id$v=19$m=64,t=2,p=1" + tail + strings.Repeat("A", 300),
		"bcrypt": "$2a$12$abcdefghijklmnopqrstuv", "plain": "letmein",
	} {
		ok, _, err := h.Verify(t.Context(), phc, "password")
		if ok || err == nil || strings.Contains(err.Error(), phc) {
			t.Errorf("%s: %v %v", name, ok, err)
		}
	}
}

// TestQueue holds the only slot as a running hash does, and finds the bounds around it.
func TestQueue(t *testing.T) {
	t.Parallel()
	slow := auth.NewHasher(auth.HasherOptions{Memory: 64, Passes: 1, Slots: 1, Queue: 1, MaxWait: time.Nanosecond})
	release := slow.Occupy()
	_, err := slow.Hash(t.Context(), "whatever it is")
	var e *kyro.Error
	if !errors.As(err, &e) || e.Code != kyro.CodeUnavailable || e.RetryAfter <= 0 {
		t.Errorf("a wait that is too long: %v", err)
	}
	release()
	if _, err := slow.Hash(t.Context(), "whatever it is"); err != nil {
		t.Errorf("a free slot: %v", err)
	}

	full := auth.NewHasher(auth.HasherOptions{Memory: 64, Passes: 1, Slots: 1, Queue: 1, MaxWait: time.Hour})
	release = full.Occupy()
	ctx, cancel := context.WithCancel(t.Context())
	waiting := make(chan error)
	go func() {
		_, _, err := full.Verify(ctx, "", "first in the queue")
		waiting <- err
	}()
	for full.Waiting() == 0 {
		time.Sleep(time.Millisecond)
	}
	if _, err := full.Hash(t.Context(), "second in the queue"); kyro.ErrorCode(err) != kyro.CodeUnavailable {
		t.Errorf("a full queue: %v", err)
	}
	cancel()
	if err := <-waiting; !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who left: %v", err)
	}
	release()
	if full.Waiting() != 0 {
		t.Error("someone still waits")
	}
}

func BenchmarkVerify(b *testing.B) {
	h := auth.NewHasher(auth.HasherOptions{})
	for b.Loop() {
		if _, _, err := h.Verify(context.Background(), "", "a password of nobody"); err != nil {
			b.Fatal(err)
		}
	}
}
