package auth_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"kyrochat/auth"
	"kyrochat/kyro"
)

// fixed are tokens without chance in them.
func fixed(t *testing.T) *auth.Tokens {
	t.Helper()
	tokens, err := auth.NewTokens([]string{secretA}, auth.TokenOptions{
		Now: at(start), NewID: func() string { return "ID" }, Random: bytes.NewReader(bytes.Repeat([]byte{1}, 1_000)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// TestFormats pins what others hold for long, or what counts are kept under: programs, browsers, other nodes of another
// version. See the tokens of sessions and of mails as well.
func TestFormats(t *testing.T) {
	t.Parallel()
	access, _, err := fixed(t).Access(kyro.UserID(7), kyro.SessionID(9), start)
	if err != nil {
		t.Fatal(err)
	}
	secret, prefix, hash := fixed(t).NewAPIKey()
	for what, got := range map[string][2]string{
		"access token": {access, "eyJhbGciOiJIUzI1NiIsImtpZCI6IkJlY01FNnF3IiwidHlwIjoiYXQrand0In0.eyJzaWQiOiJzZXNzaW9uXzkiLCJpc3MiOiJreXJvY2hhdCIsInN1YiI6InVzZXJfNyIsImF1ZCI6WyJreXJvY2hhdC1hcGkiXSwiZXhwIjoxNzk1MzQ5NDAwLCJuYmYiOjE3OTUzNDg4MDAsImlhdCI6MTc5NTM0ODgwMCwianRpIjoiSUQifQ.cdfIdt5xzNNHS5muUrG2nrC_GeJCGurEwR345nZAbQE"},
		"device token": {fixed(t).Device(kyro.UserID(7), start.Add(time.Second)), "kyr_dt_07CYHqVV5AXG5ry4PiJcrBb5jELK6Iyqu5Xi6pR2lZKg0HJnvheeIAYBAtO3w4WgeS0hbAZw"},
		"API key":      {strings.Join([]string{secret, prefix, hash}, " "), "kyr_sk_live_a5bKEZdJxeg2nbOxFPZFXnE6Sniehb0jRIyu kyr_sk_live_a5bKEZdJ fa81b681c2c49653b26f7542b8788eb447ad8dd136802d061d4d744efb3aefe9"},
		"pseudonym":    {fixed(t).Pseudonym("ada@example.com"), "GdXRyOjhFFxOC7W77PS0Bg"},
	} {
		if got[0] != got[1] {
			t.Errorf("the %s is\n%s, want\n%s", what, got[0], got[1])
		}
	}
}
