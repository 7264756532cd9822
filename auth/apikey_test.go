package auth_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"kyrochat/auth"
	"kyrochat/kyro"
)

// goodKey has the right checksum.
const goodKey = "kyr_sk_live_0000000000000000000000000000000HkcfA"

// CheckKey knows goodKey alone, which ends in an hour and may be used from one address. Being asked for what can be no
// key is an error.
func (s sessions) CheckKey(_ context.Context, hash string, from netip.Addr) (kyro.APIKey, error) {
	if s.err != nil {
		return kyro.APIKey{}, s.err
	}
	sum := sha256.Sum256([]byte(goodKey))
	if hash != hex.EncodeToString(sum[:]) {
		return kyro.APIKey{}, errors.New("asked about what can be no key")
	}
	if from != netip.MustParseAddr("198.51.100.23") {
		return kyro.APIKey{}, kyro.BadCredential()
	}
	end := start.Add(time.Hour)
	return kyro.APIKey{ID: kyro.APIKeyID(3), UserID: kyro.UserID(42), Scopes: []kyro.Scope{kyro.ScopeRead}, ExpiresAt: &end}, nil
}

func TestNewAPIKey(t *testing.T) {
	t.Parallel()
	tokens := newTokens(t, at(start), secretA)
	seen := map[string]bool{}
	for range 100 {
		secret, prefix, hash := tokens.NewAPIKey()
		if !regexp.MustCompile(`^kyr_sk_live_[0-9A-Za-z]{36}$`).MatchString(secret) || prefix != secret[:20] || seen[secret] {
			t.Fatalf("the secret %s, shown as %s", secret, prefix)
		}
		seen[secret] = true
		if sum := sha256.Sum256([]byte(secret)); hash != hex.EncodeToString(sum[:]) {
			t.Errorf("the hash %s", hash)
		}
	}
	zeros, err := auth.NewTokens([]string{secretA}, auth.TokenOptions{Random: strings.NewReader(strings.Repeat("\x00", 1000))})
	if err != nil {
		t.Fatal(err)
	}
	if secret, _, _ := zeros.NewAPIKey(); secret != goodKey {
		t.Errorf("the smallest number gives %s", secret)
	}
}

// badKeys can be no keys. None of them may get as far as the database.
func badKeys() map[string]string {
	swapped := []byte(goodKey)
	swapped[14] = '1'
	keys := map[string]string{
		"forged":         string(swapped),
		"truncated":      goodKey[:len(goodKey)-1],
		"prefix alone":   "kyr_sk_live_",
		"lengthened":     goodKey + "A",
		"other prefix":   "kyr_sk_test_" + goodKey[12:],
		"upper case":     "kyr_sk_live_" + strings.ToUpper(goodKey[12:]),
		"other checksum": goodKey[:len(goodKey)-6] + "000000",
		"signs in it":    "kyr_sk_live_" + strings.Repeat("-", 36),
		"very long":      "kyr_sk_live_" + strings.Repeat("0", 100_000),
	}
	for _, sign := range []string{"-", "/", ":", "@", "[", "`", "{"} { // which are beside the digits and letters
		keys["with its checksum and a "+sign] = auth.WithChecksum("kyr_sk_live_" + sign + strings.Repeat("0", 29))
	}
	return keys
}

func TestKeysThroughTheGate(t *testing.T) {
	t.Parallel()
	g := gate(t, start, nil)
	g.RequestID = func(context.Context) string { return "request 1" }
	got, status := through(g, "Bearer "+goodKey)
	want := kyro.Viewer{UserID: kyro.UserID(42), KeyID: kyro.APIKeyID(3), Expires: start.Add(time.Hour), RequestID: "request 1"}
	if status != http.StatusOK || got.UserID != want.UserID || got.KeyID != want.KeyID || !got.SessionID.IsZero() || !got.Expires.Equal(want.Expires) ||
		got.RequestID != want.RequestID || !slices.Equal(got.Scopes, []kyro.Scope{kyro.ScopeRead}) || got.Device.UserAgent != "test/1" ||
		got.Network.String() != "198.51.100.23/32" || got.Address.String() != "198.51.100.23" || got.Credential() != want.KeyID {
		t.Errorf("viewer %+v", got)
	}
	for name, key := range badKeys() {
		got, _ := through(g, "Bearer "+key)
		if got.SignedIn() || got.Rejected == nil || got.Rejected.Error() != kyro.BadCredential().Error() {
			t.Errorf("%s: viewer %+v", name, got)
		}
	}
	got, _ = through(gate(t, start, errors.New("dial tcp 10.0.0.5")), "Bearer "+goodKey)
	if got.Rejected == nil || got.Rejected.Code != kyro.CodeUnavailable || strings.Contains(got.Rejected.Error(), "10.0.0.5") {
		t.Errorf("without a database: %+v", got)
	}
}

func TestKeysOnWebsockets(t *testing.T) {
	t.Parallel()
	from := func(address string) context.Context {
		return kyro.WithViewer(t.Context(), kyro.Viewer{Address: netip.MustParseAddr(address), RequestID: "request 1"})
	}
	open := func(address, key string, answer error) (kyro.Viewer, int) {
		viewer, err := gate(t, start, answer).WebsocketInit(from(address), map[string]any{"authorization": "Bearer " + key})
		var refused *auth.InitError
		if errors.As(err, &refused) {
			return viewer, refused.Code
		}
		return viewer, 0
	}
	viewer, code := open("198.51.100.23", goodKey, nil)
	if code != 0 || viewer.KeyID != kyro.APIKeyID(3) || viewer.RequestID != "request 1" || viewer.Address.String() != "198.51.100.23" {
		t.Errorf("viewer %+v, closed with %d", viewer, code)
	}
	if _, code := open("192.0.2.1", goodKey, nil); code != 4401 {
		t.Errorf("from elsewhere: %d", code)
	}
	if _, code := open("198.51.100.23", goodKey, errors.New("refused")); code != 1013 {
		t.Errorf("without a database: %d", code)
	}
	for name, key := range badKeys() {
		if _, code := open("198.51.100.23", key, nil); code != 4401 {
			t.Errorf("%s: %d", name, code)
		}
	}
}
