package auth_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"kyrochat/auth"
)

func TestGrants(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	first, second := strings.Repeat("first secret ", 4), strings.Repeat("second secret ", 4)
	make := func(secrets ...string) *auth.Tokens {
		tokens, err := auth.NewTokens(secrets, auth.TokenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return tokens
	}
	tokens := make(first)
	grant := tokens.Grant("/files/", now.Add(time.Minute), 7, -3, 1<<60)
	if got := tokens.Granted("/files/", grant, now); !slices.Equal(got, []int64{7, -3, 1 << 60}) {
		t.Errorf("it is about %v", got)
	}
	if got := make(second, first).Granted("/files/", grant, now); len(got) != 3 {
		t.Error("a former secret does not verify any more")
	}
	if tokens.Grant("/files/", now, 1) == tokens.Grant("/uploads/", now, 1) {
		t.Error("two uses have the same capability")
	}
	for name, got := range map[string][]int64{
		"another secret": make(second).Granted("/files/", grant, now),
		"another use":    tokens.Granted("/uploads/", grant, now),
		"one that ends":  tokens.Granted("/files/", grant, now.Add(time.Minute)),
		"no base64":      tokens.Granted("/files/", grant+"=", now),
		"nothing":        tokens.Granted("/files/", "", now),
		"a long one":     tokens.Granted("/files/", strings.Repeat("A", 100_000), now),
		"a MAC alone":    tokens.Granted("/files/", base64.RawURLEncoding.EncodeToString(make32()), now),
	} {
		if got != nil {
			t.Errorf("%s: granted about %v", name, got)
		}
	}
	whole, _ := base64.RawURLEncoding.DecodeString(grant)
	for i := range whole {
		forged := slices.Clone(whole)
		forged[i] ^= 1
		if got := tokens.Granted("/files/", base64.RawURLEncoding.EncodeToString(forged), now); got != nil {
			t.Errorf("with another byte %d it is granted about %v", i, got)
		}
	}
}

func make32() []byte { return []byte(strings.Repeat("x", 32)) }
