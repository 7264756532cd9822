package auth_test

import (
	"encoding/base64"
	"slices"
	"testing"

	"kyrochat/kyro"
)

func TestMailedTokens(t *testing.T) {
	t.Parallel()
	tokens := newTokens(t, at(start), secretA)
	seen := map[string]bool{}
	for _, purpose := range []kyro.TokenPurpose{
		kyro.TokenVerifyEmail, kyro.TokenResetPassword, kyro.TokenChangeEmail, kyro.TokenRevertEmail, kyro.TokenReactivate,
	} {
		for _, seed := range []string{"", "A", "B", "AB", "\x00A"} {
			got := tokens.Mailed(purpose, seed)
			if len(got) != 1 || len(got[0]) != 43 || seen[got[0]] {
				t.Fatalf("%s of %q: %q", purpose, seed, got)
			}
			if _, err := base64.RawURLEncoding.DecodeString(got[0]); err != nil {
				t.Error(err)
			}
			seen[got[0]] = true
			if again := newTokens(t, at(start), secretA).Mailed(purpose, seed); !slices.Equal(again, got) {
				t.Error("not the same each time")
			}
		}
	}
}

// TestMailedTokensOfFormerSecrets: a letter whose token was made before the secret changed finds it again.
func TestMailedTokensOfFormerSecrets(t *testing.T) {
	t.Parallel()
	before := newTokens(t, at(start), secretA).Mailed(kyro.TokenResetPassword, "seed")
	during := newTokens(t, at(start), secretB, secretA).Mailed(kyro.TokenResetPassword, "seed")
	if len(during) != 2 || during[1] != before[0] || during[0] == before[0] {
		t.Errorf("before %q, during %q", before, during)
	}
}

// A fixed token pins the format: a mail that was sent before an update may be sent again after it.
func TestMailedTokenFormat(t *testing.T) {
	t.Parallel()
	const golden = "LwVyShM6LTsEWnfrSRZyFWc-dqvP3-pkbDwWRX5ZWpw"
	if got := newTokens(t, at(start), secretA).Mailed(kyro.TokenVerifyEmail, "SEED")[0]; got != golden {
		t.Errorf("got %s", got)
	}
}
