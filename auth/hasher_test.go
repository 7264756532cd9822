package auth_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

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

// A hash that today's would not look like is good, and to be made anew.
func TestVerifyTellsStaleHashes(t *testing.T) {
	t.Parallel()
	h := auth.NewHasher(cheap)
	for name, c := range map[string]struct {
		memory, passes uint32
		lanes          uint8
		salt, tag      int
		stale          bool
	}{
		"as today":       {64, 1, 1, 16, 32, false},
		"another memory": {65, 1, 1, 16, 32, true},
		"more passes":    {64, 10, 1, 16, 32, true},
		"more lanes":     {32, 1, 4, 16, 32, true},
		"another salt":   {64, 1, 1, 17, 32, true},
		"another tag":    {64, 1, 1, 16, 31, true},
		"the shortest":   {8, 1, 1, 8, 8, true},
		"the longest":    {64, 1, 1, 64, 64, true},
	} {
		salt, encode := []byte(strings.Repeat("s", c.salt)), base64.RawStdEncoding.EncodeToString
		tag := argon2.IDKey([]byte("password"), salt, c.passes, c.memory, c.lanes, uint32(c.tag))
		phc := fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", c.memory, c.passes, c.lanes, encode(salt), encode(tag))
		if ok, stale, err := h.Verify(t.Context(), phc, "password"); !ok || stale != c.stale || err != nil {
			t.Errorf("%s: %t, stale %t, %v", name, ok, stale, err)
		}
		if ok, stale, err := h.Verify(t.Context(), phc, "another"); ok || stale || err != nil {
			t.Errorf("%s, with another password: %t, stale %t, %v", name, ok, stale, err)
		}
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
		"too little memory for the lanes": "$argon2id$v=19$m=31,t=1,p=4" + tail, "cut off": "$argon2id$v=19", "cut off in the salt": "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ",
		"too much": "$argon2id$v=19$m=64,t=1,p=1" + tail + "$", "something before": "x$argon2id$v=19$m=64,t=1,p=1" + tail,
		"long salt": "$argon2id$v=19$m=64,t=1,p=1$" + strings.Repeat("A", 87) + "$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"bcrypt":    "$2a$12$abcdefghijklmnopqrstuv", "plain": "letmein",
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
