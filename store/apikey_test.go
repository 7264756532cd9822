package store_test

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"kyrochat/kyro"
)

func aKey(user kyro.ID) kyro.APIKey {
	end := start.Add(time.Hour)
	return kyro.APIKey{
		UserID: user, Name: "it's ?", Prefix: "kyr_sk_live_12345678", Scopes: []kyro.Scope{kyro.ScopeRead, kyro.ScopeIngest},
		Networks:  []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8::7/128")},
		CreatedAt: start, ExpiresAt: &end,
	}
}

// key stores an API key with the hash.
func (w *world) key(t testing.TB, user kyro.ID, hash string) kyro.APIKey {
	t.Helper()
	key, err := w.CreateAPIKey(t.Context(), w.credentials(t, user), aKey(user), hash, 20, letterTo(user, kyro.LetterAPIKeyCreated), deedOf(user, kyro.AuditAPIKeyCreated))
	fine(t, err)
	return key
}

func TestAPIKeys(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		ada, eve := w.user(t), w.user(t)
		first := w.key(t, ada, "hash 1")
		want := aKey(ada)
		if want.ID = first.ID; !reflect.DeepEqual(first, want) {
			t.Errorf("stored %+v, want %+v", first, want)
		}
		if w.mails(t, kyro.LetterAPIKeyCreated) != 1 || w.number(t, fmt.Sprintf("SELECT count(*) FROM audit_log WHERE target_id = '%s'", first.ID)) != 1 {
			t.Error("no letter, or no line in the audit log")
		}
		found, err := w.FindAPIKey(t.Context(), "hash 1")
		if fine(t, err); !reflect.DeepEqual(found, want) {
			t.Errorf("found %+v, want %+v", found, want)
		}
		for _, hash := range []string{"hash 2", "", "hash 1\x00 or", "' OR 1=1"} {
			_, err = w.FindAPIKey(t.Context(), hash)
			wantCode(t, err, kyro.CodeNotFound)
		}
		endless := aKey(ada)
		endless.ExpiresAt, endless.Networks = nil, nil
		second, err := w.CreateAPIKey(t.Context(), w.credentials(t, ada), endless, "hash 2", 20, letterTo(ada, kyro.LetterAPIKeyCreated))
		if fine(t, err); second.ExpiresAt != nil || len(second.Networks) != 0 {
			t.Errorf("stored %+v", second)
		}
		w.key(t, eve, "hash 3")
		list := func(user kyro.ID) (ids []kyro.ID) {
			keys, err := w.APIKeysOf(t.Context(), user)
			fine(t, err)
			for _, k := range keys {
				ids = append(ids, k.ID)
			}
			return ids
		}
		if got := list(ada); !slices.Equal(got, []kyro.ID{second.ID, first.ID}) {
			t.Errorf("the list is %v", got)
		}
		byID, err := w.APIKeys(t.Context(), eve, []kyro.ID{first.ID, second.ID})
		if fine(t, err); len(byID) != 0 {
			t.Errorf("another reads %v", byID)
		}

		wantCode(t, w.RevokeAPIKey(t.Context(), eve, first.ID, start, deedOf(eve, kyro.AuditAPIKeyRevoked)), kyro.CodeNotFound)
		fine(t, w.RevokeAPIKey(t.Context(), ada, first.ID, start, deedOf(ada, kyro.AuditAPIKeyRevoked)))
		wantCode(t, w.RevokeAPIKey(t.Context(), ada, first.ID, start, deedOf(ada, kyro.AuditAPIKeyRevoked)), kyro.CodeNotFound)
		if w.deeds(t, kyro.AuditAPIKeyRevoked) != 1 {
			t.Errorf("%d lines tell that it was revoked", w.deeds(t, kyro.AuditAPIKeyRevoked))
		}
		if got := list(ada); !slices.Equal(got, []kyro.ID{second.ID}) {
			t.Errorf("the list is %v", got)
		}
		byID, err = w.APIKeys(t.Context(), ada, []kyro.ID{first.ID, second.ID, kyro.APIKeyID(999)})
		if fine(t, err); len(byID) != 2 {
			t.Errorf("by id there are %v", byID)
		}
		if n := w.number(t, "SELECT count(*) FROM api_keys WHERE secret_hash LIKE 'kyr_%' OR prefix LIKE '%hash%'"); n != 0 {
			t.Error("a secret is stored")
		}
	})
}

// TestKeysOfDeactivatedAccounts are as if they were not there.
func TestKeysOfDeactivatedAccounts(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		ada := w.user(t)
		key := w.key(t, ada, "hash 1")
		w.deactivate(t, ada)
		_, err := w.FindAPIKey(t.Context(), "hash 1")
		wantCode(t, err, kyro.CodeNotFound)
		if keys, err := w.APIKeys(t.Context(), ada, []kyro.ID{key.ID}); err != nil || len(keys) != 0 {
			t.Errorf("read %v, %v", keys, err)
		}
		_, err = w.CreateAPIKey(t.Context(), w.credentials(t, ada), aKey(ada), "hash 2", 20, letterTo(ada, kyro.LetterAPIKeyCreated))
		wantCode(t, err, kyro.CodeInvalidCredentials)
	})
}

// TestKeysAreCounted where many are made at once.
func TestKeysAreCounted(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		ada, eve := w.user(t), w.user(t)
		w.key(t, eve, "hash of another")
		revoked := w.key(t, ada, "hash of a revoked one")
		fine(t, w.RevokeAPIKey(t.Context(), ada, revoked.ID, start))
		var all sync.WaitGroup
		var mu sync.Mutex
		made, refused := 0, 0
		for i := range 8 {
			all.Go(func() {
				_, err := w.CreateAPIKey(t.Context(), w.credentials(t, ada), aKey(ada), fmt.Sprint("hash ", i), 3, letterTo(ada, kyro.LetterAPIKeyCreated))
				mu.Lock()
				defer mu.Unlock()
				switch kyro.ErrorCode(err) {
				case "":
					made++
				case kyro.CodeLimitReached:
					refused++
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if made != 3 || refused != 5 {
			t.Errorf("%d were made and %d refused", made, refused)
		}
	})
}

func TestTouchedKeys(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		ada := w.user(t)
		used, unused := w.key(t, ada, "hash 1"), w.key(t, ada, "hash 2")
		last := func() *time.Time {
			keys, err := w.APIKeys(t.Context(), ada, []kyro.ID{used.ID})
			fine(t, err)
			return keys[0].LastUsedAt
		}
		for _, at := range []time.Duration{time.Minute, 2 * time.Minute, time.Minute} { // the last one by a node that is late
			fine(t, w.TouchAPIKeys(t.Context(), []kyro.ID{used.ID, kyro.APIKeyID(999)}, start.Add(at)))
		}
		if got := last(); got == nil || !got.Equal(start.Add(2*time.Minute)) {
			t.Errorf("last used at %v", got)
		}
		if n := w.number(t, fmt.Sprintf("SELECT count(*) FROM api_keys WHERE last_used_at IS NULL AND id = %d", unused.ID.Key)); n != 1 {
			t.Error("a key that was not used counts as used")
		}
	})
}
