package auth_test

import (
	"slices"
	"testing"

	"kyrochat/kyro"
)

// TestRotationKeepsEveryToken goes from one secret to the next: what the old one made is good while both are there.
func TestRotationKeepsEveryToken(t *testing.T) {
	t.Parallel()
	old, middle, last := newTokens(t, at(start), secretA), newTokens(t, at(start), secretB, secretA), newTokens(t, at(start), secretB)
	accessToken, refresh, device := access(t, old, start), old.Refresh(kyro.SessionID(7), 3), old.Device(kyro.UserID(42), start)
	mailed := old.Mailed(kyro.TokenResetPassword, "seed")[0]
	for _, c := range []struct {
		name  string
		keeps bool
	}{{"middle", true}, {"last", false}} {
		tokens := middle
		if !c.keeps {
			tokens = last
		}
		_, err := tokens.ParseAccess(accessToken)
		_, _, err2 := tokens.ParseRefresh(refresh)
		_, known := tokens.ParseDevice(device)
		// A link is found by its hash, and its letter may be sent again with any of the secrets.
		again := slices.Contains(tokens.Mailed(kyro.TokenResetPassword, "seed"), mailed)
		if (err == nil) != c.keeps || (err2 == nil) != c.keeps || known != c.keeps || again != c.keeps {
			t.Errorf("%s: access %v, refresh %v, device %v, mail %v", c.name, err, err2, known, again)
		}
	}
}
