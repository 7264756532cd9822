package store_test

import (
	"testing"
	"time"

	"kyrochat/kyro"
)

func TestKnownNetworks(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, other := w.user(t), w.user(t)
		session := aSession(user, start)
		session.Device.AddressPrefix = "198.51.100.0/24"
		session, _, err := w.CreateSession(t.Context(), session, 20)
		fine(t, err)
		nowhere := aSession(user, start)
		nowhere.Device.AddressPrefix = ""
		_, _, err = w.CreateSession(t.Context(), nowhere, 20)
		fine(t, err)
		check := func(when string, user kyro.ID, prefix string, now time.Time, want bool) {
			t.Helper()
			if got, err := w.KnownNetwork(t.Context(), user, prefix, now); err != nil || got != want {
				t.Errorf("%s: %v, %v", when, got, err)
			}
		}
		check("live", user, "198.51.100.0/24", start, true)
		check("another network", user, "198.51.101.0/24", start, false)
		check("no network", user, "", start, false)
		check("another user", other, "198.51.100.0/24", start, false)
		check("no user", kyro.ID{}, "198.51.100.0/24", start, false)
		check("over", user, "198.51.100.0/24", session.ExpiresAt, false)
		fine(t, w.RevokeSession(t.Context(), user, session.ID, start))
		check("revoked", user, "198.51.100.0/24", start, false)
	})
}
