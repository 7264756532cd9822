package account_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/account"
	"kyrochat/kyro"
)

var office = netip.MustParseAddr("203.0.113.7")

// newKey makes an API key of the viewer; its secret's hash is its second result.
func (w *world) newKey(t *testing.T, v kyro.Viewer, change func(*kyro.NewAPIKey)) (kyro.APIKey, string) {
	t.Helper()
	wanted := kyro.NewAPIKey{Name: " Robot ", Scopes: []kyro.Scope{kyro.ScopeChat}}
	if change != nil {
		change(&wanted)
	}
	key, secret, err := w.CreateAPIKey(t.Context(), v, wanted, goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	return key, "hash of " + secret
}

func TestCreateAPIKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	v := w.sessionOf(w.register(t))
	v.Device, v.RequestID = kyro.Device{UserAgent: "browser", AddressPrefix: "203.0.113.0/24"}, "request 1"
	key, _ := w.newKey(t, v, nil)
	if key.Name != "Robot" || key.UserID != v.UserID || !strings.HasPrefix("secret 1", key.Prefix) || key.ExpiresAt == nil || !key.ExpiresAt.Equal(w.now.Add(kyro.APIKeyLife)) {
		t.Errorf("the key %+v", key)
	}
	if len(w.store.letters) != 1 || len(w.store.deeds) != 1 {
		t.Fatalf("letters %v, deeds %v", w.store.letters, w.store.deeds)
	}
	letter := w.store.letters[0]
	if letter.Kind != kyro.LetterAPIKeyCreated || letter.To != "ada@example.org" || letter.Name != "Robot" || letter.UserID != v.UserID || letter.Device != v.Device || letter.Seed == "" {
		t.Errorf("the letter %+v", letter)
	}
	if deed := w.store.deeds[0]; deed.Action != kyro.AuditAPIKeyCreated || deed.By != v.SessionID || deed.RequestID != "request 1" || !deed.At.Equal(w.now) {
		t.Errorf("the deed %+v", deed)
	}
	keys, err := w.APIKeys(t.Context(), v)
	if err != nil || len(keys) != 1 || keys[0].ID != key.ID {
		t.Errorf("the list is %v, %v", keys, err)
	}
}

func TestCreateAPIKeyRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	v := w.sessionOf(w.register(t))
	good := kyro.NewAPIKey{Name: "Robot", Scopes: []kyro.Scope{kyro.ScopeChat}}
	_, _, err := w.CreateAPIKey(t.Context(), v, good, "wrong horse battery")
	wantCode(t, err, kyro.CodeInvalidCredentials)
	var wrong *kyro.Error
	if !errors.As(err, &wrong) || !slices.Equal(wrong.Field, []string{"password"}) {
		t.Errorf("the field of %v", err)
	}
	hashed := len(w.hash.verified)
	_, _, err = w.CreateAPIKey(t.Context(), v, kyro.NewAPIKey{Name: "Robot"}, goodPassword)
	wantCode(t, err, kyro.CodeValidation)
	_, _, err = w.CreateAPIKey(t.Context(), kyro.Viewer{}, good, goodPassword)
	wantCode(t, err, kyro.CodeUnauthenticated)
	_, _, err = w.CreateAPIKey(t.Context(), kyro.Viewer{UserID: v.UserID, KeyID: kyro.APIKeyID(1), Scopes: good.Scopes}, good, goodPassword)
	wantCode(t, err, kyro.CodeForbidden)
	if len(w.hash.verified) != hashed {
		t.Error("a password was hashed for what is refused in any case")
	}
	for i := range kyro.MaxAPIKeysPerUser {
		w.newKey(t, v, func(k *kyro.NewAPIKey) { k.Name = fmt.Sprint(i) })
		w.pass(6 * time.Minute) // as the rate of new keys wants it
	}
	_, _, err = w.CreateAPIKey(t.Context(), v, good, goodPassword)
	wantCode(t, err, kyro.CodeLimitReached)
}

func TestCheckKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	v := w.sessionOf(w.register(t))
	key, hash := w.newKey(t, v, func(k *kyro.NewAPIKey) { k.Networks = []string{"203.0.113.0/24"} })
	for range 5 {
		got, err := w.CheckKey(t.Context(), hash, office)
		if err != nil || got.ID != key.ID || got.UserID != v.UserID || !slices.Equal(got.Scopes, []kyro.Scope{kyro.ScopeChat}) {
			t.Fatalf("got %+v, %v", got, err)
		}
	}
	if w.store.finds != 1 || w.store.keyRead != 1 {
		t.Errorf("%d finds and %d reads, want one each", w.store.finds, w.store.keyRead)
	}
	refused := map[string]error{}
	check := func(name, hash string, from netip.Addr) {
		_, err := w.CheckKey(t.Context(), hash, from)
		wantCode(t, err, kyro.CodeUnauthenticated)
		refused[name] = err
	}
	check("unknown", "hash of nothing", office)
	check("elsewhere", hash, netip.MustParseAddr("198.51.100.7"))
	check("from nowhere", hash, netip.Addr{})
	if err := w.RevokeAPIKey(t.Context(), v, key.ID); err != nil {
		t.Fatal(err)
	}
	check("revoked", hash, office)
	_, hash = w.newKey(t, v, nil)
	w.pass(kyro.APIKeyLife)
	check("expired", hash, office)
	for name, err := range refused {
		if err.Error() != refused["unknown"].Error() {
			t.Errorf("%s is told apart: %v", name, err)
		}
	}
	w.store.failing = errors.New("connection refused")
	_, err := w.CheckKey(t.Context(), "hash of something else", office)
	wantCode(t, err, kyro.CodeInternal)
}

func TestAKeyWithoutAnEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	_, hash := w.newKey(t, w.sessionOf(w.register(t)), func(k *kyro.NewAPIKey) { k.Expires = kyro.Opt[time.Time]{Set: true} })
	w.pass(100 * kyro.APIKeyLife)
	if _, err := w.CheckKey(t.Context(), hash, office); err != nil {
		t.Error(err)
	}
}

func TestRevokeAPIKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	v := w.sessionOf(w.register(t))
	key, _ := w.newKey(t, v, nil)
	stranger := kyro.Viewer{UserID: kyro.UserID(77), SessionID: kyro.SessionID(77)}
	wantCode(t, w.RevokeAPIKey(t.Context(), stranger, key.ID), kyro.CodeNotFound)
	wantCode(t, w.RevokeAPIKey(t.Context(), v, kyro.APIKeyID(99)), kyro.CodeNotFound)
	wantCode(t, w.RevokeAPIKey(t.Context(), v, v.SessionID), kyro.CodeBadUserInput)
	wantCode(t, w.RevokeAPIKey(t.Context(), kyro.Viewer{UserID: v.UserID, KeyID: key.ID}, key.ID), kyro.CodeForbidden)
	if len(w.ended) != 0 {
		t.Fatalf("told of the end of %v", w.ended)
	}
	if err := w.RevokeAPIKey(t.Context(), v, key.ID); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(w.ended, []kyro.ID{key.ID}) {
		t.Errorf("told of the end of %v", w.ended)
	}
	if deed := w.store.deeds[len(w.store.deeds)-1]; deed.Action != kyro.AuditAPIKeyRevoked || deed.Target != key.ID {
		t.Errorf("the deed %+v", deed)
	}
	wantCode(t, w.RevokeAPIKey(t.Context(), v, key.ID), kyro.CodeNotFound)
	if found, err := w.APIKeysByID(t.Context(), v, []kyro.ID{key.ID}); err != nil || len(found) != 0 {
		t.Errorf("a revoked key is still there: %v, %v", found, err)
	}
	if ended, err := w.Ended(t.Context(), []kyro.ID{key.ID, v.SessionID}); err != nil || !slices.Equal(ended, []kyro.ID{key.ID}) {
		t.Errorf("ended are %v, %v", ended, err)
	}
}

// TestUsesAreWrittenOnceAMinute: however often a key is used, and also where it only has something open.
func TestUsesAreWrittenOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, kyro.SignUpOpen)
		key, hash := w.newKey(t, w.sessionOf(w.register(t)), nil)
		use := func(n int) {
			for range n {
				if _, err := w.CheckKey(t.Context(), hash, office); err != nil {
					t.Fatal(err)
				}
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { w.Run(ctx) })
		touched := func() int {
			w.store.mu.Lock()
			defer w.store.mu.Unlock()
			return len(w.store.touched)
		}
		use(3)
		if touched() != 0 {
			t.Error("a request waited for the note of its use")
		}
		time.Sleep(10 * time.Second)
		use(3)
		time.Sleep(10 * time.Second)
		if touched() != 1 || w.store.touched[0] != key.ID || !w.store.minute.Equal(w.now.Truncate(time.Minute)) {
			t.Errorf("written are %v at %v", w.store.touched, w.store.minute)
		}
		w.pass(time.Minute)
		if _, err := w.Ended(t.Context(), []kyro.ID{key.ID}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if touched() != 2 {
			t.Errorf("after another minute %d are written", touched())
		}
		stop()
		running.Wait()
		w.pass(time.Minute)
		use(1)
		w.store.lost = errors.New("connection refused")
		w.FlushUses(t.Context()) // which only logs it
		w.store.lost = nil
		w.pass(time.Minute)
		use(1)
		w.FlushUses(t.Context())
		if touched() != 3 {
			t.Errorf("after the last flush %d are written", touched())
		}
	})
}

func TestManyUses(t *testing.T) {
	t.Parallel()
	if most := account.NoteUses(30_000); most > 10_000 {
		t.Errorf("%d uses wait to be written", most)
	}
}
