package auth_test

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"kyrochat/auth"
	"kyrochat/kyro"
)

var start = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func newTokens(t testing.TB, now func() time.Time, secrets ...string) *auth.Tokens {
	t.Helper()
	tokens, err := auth.NewTokens(secrets, auth.TokenOptions{Now: now, NewID: func() string { return "one" }})
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func at(now time.Time) func() time.Time { return func() time.Time { return now } }

func access(t testing.TB, tokens *auth.Tokens, now time.Time) string {
	t.Helper()
	token, _, err := tokens.Access(kyro.UserID(42), kyro.SessionID(7), now)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestAccessToken(t *testing.T) {
	t.Parallel()
	tokens := newTokens(t, at(start), secretA)
	token, expires, err := tokens.Access(kyro.UserID(42), kyro.SessionID(7), start.Add(700*time.Millisecond))
	if err != nil || !expires.Equal(start.Add(10*time.Minute)) {
		t.Fatalf("expires %v, %v", expires, err)
	}
	got, err := tokens.ParseAccess(token)
	want := auth.AccessClaims{UserID: kyro.UserID(42), SessionID: kyro.SessionID(7), Issued: start, Expires: expires.UTC()}
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	parts := strings.Split(token, ".")
	if header := decode(t, parts[0]); header["alg"] != "HS256" || header["typ"] != "at+jwt" || header["kid"] == nil {
		t.Errorf("header %v", header)
	}
	claims := decode(t, parts[1])
	for _, name := range []string{"iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"} {
		if claims[name] == nil {
			t.Errorf("no claim %s in %v", name, claims)
		}
	}
}

func decode(t *testing.T, part string) map[string]any {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(part)
	var m map[string]any
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAccessTokenInTime(t *testing.T) {
	t.Parallel()
	token := access(t, newTokens(t, at(start), secretA), start)
	for _, c := range []struct {
		at   time.Duration
		good bool
	}{
		{-31 * time.Second, false},
		{-30 * time.Second, true},
		{10*time.Minute - 1, true},
		{10 * time.Minute, false},
		{time.Hour, false},
	} {
		tokens := newTokens(t, at(start.Add(c.at)), secretA)
		for range 2 { // read, and remembered
			if _, err := tokens.ParseAccess(token); c.good && err != nil || !c.good && !refused(err) {
				t.Errorf("at %v: %v", c.at, err)
			}
		}
	}
}

func TestSecretRotation(t *testing.T) {
	t.Parallel()
	before := newTokens(t, at(start), secretA)
	during := newTokens(t, at(start), secretB, secretA)
	after := newTokens(t, at(start), secretB)
	old, refresh := access(t, before, start), before.Refresh(kyro.SessionID(7), 3)
	if _, err := during.ParseAccess(old); err != nil {
		t.Error(err)
	}
	if id, n, err := during.ParseRefresh(refresh); err != nil || id != kyro.SessionID(7) || n != 3 {
		t.Error(id, n, err)
	}
	if _, err := after.ParseAccess(old); err == nil {
		t.Error("a retired secret verifies access tokens")
	}
	if _, _, err := after.ParseRefresh(refresh); err == nil {
		t.Error("a retired secret verifies refresh tokens")
	}
	if _, err := after.ParseAccess(access(t, during, start)); err != nil {
		t.Error("the first secret does not sign:", err)
	}
}

// refused reports the one answer to every token that is no good.
func refused(err error) bool {
	var e *kyro.Error
	return errors.As(err, &e) && e.Code == kyro.CodeUnauthenticated && e.RetryAfter == 0 && e.Field == nil &&
		e.Message == "The access token or API key is not valid, or no longer, or not from here. Refresh the session, sign in again, or use another key."
}

// TestForgedAccessTokens signs with the right key wherever a single other fact is to decide.
func TestForgedAccessTokens(t *testing.T) {
	t.Parallel()
	tokens := newTokens(t, at(start), secretA)
	good := access(t, tokens, start)
	parts := strings.Split(good, ".")
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt","kid":"` + decode(t, parts[0])["kid"].(string) + `"}`))
	foreign := newTokens(t, at(start), secretB)
	otherIssuer, err := auth.NewTokens([]string{secretA}, auth.TokenOptions{Now: at(start), Issuer: "elsewhere"})
	if err != nil {
		t.Fatal(err)
	}
	wrongKind, _, err := tokens.Access(kyro.BotID(42), kyro.SessionID(7), start)
	if err != nil {
		t.Fatal(err)
	}
	wrongSession, _, err := tokens.Access(kyro.UserID(42), kyro.ID{}, start)
	if err != nil {
		t.Fatal(err)
	}
	claims := decode(t, parts[1])
	// signed is a token like the good one, under the right key, but for one change.
	signed := func(change func(header, claims map[string]any)) string {
		header, claims := decode(t, parts[0]), maps.Clone(claims)
		change(header, claims)
		token := &jwt.Token{Method: jwt.SigningMethodHS256, Header: header, Claims: jwt.MapClaims(claims)}
		text, err := token.SignedString(accessKey(t, secretA))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	header := func(name string, value any) string {
		return signed(func(header, _ map[string]any) { header[name] = value })
	}
	claim := func(name string, value any) string {
		return signed(func(_, claims map[string]any) { claims[name] = value })
	}
	without := func(name string) string {
		return signed(func(header, claims map[string]any) { delete(header, name); delete(claims, name) })
	}
	if got, err := tokens.ParseAccess(signed(func(_, _ map[string]any) {})); err != nil || got.UserID != kyro.UserID(42) {
		t.Fatalf("without a change: %+v, %v", got, err)
	}
	ours := map[string]any{"kty": "oct", "k": base64.RawURLEncoding.EncodeToString(accessKey(t, secretA))}
	for name, token := range map[string]string{
		"empty": "", "noise": "a.b.c", "two parts": parts[0] + "." + parts[1], "alg none": unsigned + "." + parts[1] + ".",
		"alg none signed": unsigned + "." + parts[1] + "." + parts[2], "alg None": header("alg", "None"), "other secret": access(t, foreign, start),
		"other issuer": access(t, otherIssuer, start), "bit flipped": flip(good), "too long": good + strings.Repeat("A", 4096),
		"wrong kind of id": wrongKind, "no session": wrongSession, "padded": good + "=",
		"HS512 by kid":                sign(t, jwt.SigningMethodHS512, decode(t, parts[0]), decode(t, parts[1])),
		"payload of another":          parts[0] + "." + strings.Split(access(t, tokens, start.Add(time.Second)), ".")[1] + "." + parts[2],
		"signed by the secret itself": sign(t, jwt.SigningMethodHS256, decode(t, parts[0]), claims),
		"refresh token":               tokens.Refresh(kyro.SessionID(7), 1),
		"a token of a mail":           base64.RawURLEncoding.EncodeToString(accessKey(t, secretA)),

		"typ JWT": header("typ", "JWT"), "typ of a refresh token": header("typ", "rt+jwt"), "no typ": without("typ"), "no kid": without("kid"),
		"unknown kid": header("kid", "AAAAAAAA"), "kid that is no text": header("kid", 1), "kid that is a path": header("kid", "../../dev/null"),
		"crit": header("crit", []string{"exp"}), "empty crit": header("crit", []string{}), "jku": header("jku", "https://evil.example.com/keys"),
		"x5u": header("x5u", "https://evil.example.com/cert"), "jwk": header("jwk", ours), "x5c": header("x5c", []string{"AAAA"}),
		"b64": header("b64", false), "zip": header("zip", "DEF"), "cty": header("cty", "JWT"),
		"other audience": claim("aud", "another-api"), "no audience": without("aud"), "no issuer": without("iss"), "no exp": without("exp"), "no iat": without("iat"),
		"exp that is a text": claim("exp", "2030-01-01"), "expired": claim("exp", start.Unix()), "expired long ago": claim("exp", 1),
		"not begun": claim("nbf", start.Add(time.Minute).Unix()), "issued in the future": claim("iat", start.Add(time.Minute).Unix()),
		"no subject": without("sub"), "no sid": without("sid"), "session in place of the user": claim("sub", "session_7"), "user in place of the session": claim("sid", "user_42"),
	} {
		for range 2 { // nothing of it is remembered as good
			if claims, err := tokens.ParseAccess(token); !refused(err) {
				t.Errorf("%s: got %+v, %v", name, claims, err)
			}
		}
	}
}

// accessKey is the key that access tokens are signed with under a secret.
func accessKey(t *testing.T, secret string) []byte {
	t.Helper()
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "kyrochat access token v1", 32)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func flip(token string) string {
	b := []byte(token)
	b[len(b)-10] ^= 1
	return string(b)
}

func sign(t *testing.T, method jwt.SigningMethod, header, claims map[string]any) string {
	t.Helper()
	token := jwt.NewWithClaims(method, jwt.MapClaims(claims))
	token.Header["typ"], token.Header["kid"] = header["typ"], header["kid"]
	signed, err := token.SignedString([]byte(secretA))
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestNewTokensRefusesShortSecrets(t *testing.T) {
	t.Parallel()
	for _, secrets := range [][]string{nil, {"short"}, {secretA, strings.Repeat("a", 31)}} {
		if _, err := auth.NewTokens(secrets, auth.TokenOptions{}); err == nil {
			t.Errorf("%q accepted", secrets)
		} else if len(secrets) > 0 && !strings.HasPrefix(err.Error(), fmt.Sprintf("secret %d: ", len(secrets))) {
			t.Errorf("which one is not told: %v", err)
		}
	}
}

func TestRefreshToken(t *testing.T) {
	t.Parallel()
	tokens := newTokens(t, at(start), secretA)
	seen := map[string]bool{}
	for _, session := range []int64{1, 7, 1 << 62} {
		for _, counter := range []int64{1, 2, 1 << 62} {
			token := tokens.Refresh(kyro.SessionID(session), counter)
			if len(token) != 58 || !strings.HasPrefix(token, "kyr_rt_") || seen[token] {
				t.Errorf("token %q", token)
			}
			seen[token] = true
			if again := tokens.Refresh(kyro.SessionID(session), counter); again != token {
				t.Error("not the same each time")
			}
			id, n, err := tokens.ParseRefresh(token)
			if err != nil || id != kyro.SessionID(session) || n != counter {
				t.Errorf("got %v, %d, %v", id, n, err)
			}
		}
	}
}

// A fixed token pins the format: clients hold such tokens for weeks.
func TestRefreshTokenFormat(t *testing.T) {
	t.Parallel()
	const golden = "kyr_rt_00YHJSKWDa6oSlStK02XTUiRhqHgmTd5sfGgy60xOBcVx3kIu8s"
	if got := newTokens(t, at(start), secretA).Refresh(kyro.SessionID(7), 3); got != golden {
		t.Errorf("got %s", got)
	}
}

func TestForgedRefreshTokens(t *testing.T) {
	t.Parallel()
	tokens := newTokens(t, at(start), secretA)
	good := tokens.Refresh(kyro.SessionID(7), 3)
	foreign := newTokens(t, at(start), secretB).Refresh(kyro.SessionID(7), 3)
	bad := []string{
		"", "kyr_rt_", good[:57], good + "0", "kyr_sk_" + good[7:], strings.ToUpper(good), foreign, " " + good[1:],
		tokens.Refresh(kyro.SessionID(0), 3), tokens.Refresh(kyro.SessionID(-1), 3), tokens.Refresh(kyro.SessionID(7), 0),
		"kyr_rt_-" + good[8:], "kyr_rt_" + strings.Repeat("Z", 51),
	}
	for _, digits := range []string{"z", "-", "0"} { // too large a number, none, and of no version
		bad = append(bad, auth.WithChecksum("kyr_rt_"+strings.Repeat(digits, 45)))
	}
	for i := range len(good) {
		b := []byte(good)
		b[i] = map[bool]byte{true: '1', false: '0'}[b[i] == '0']
		bad = append(bad, string(b))
	}
	for _, token := range bad {
		if id, n, err := tokens.ParseRefresh(token); kyro.ErrorCode(err) != kyro.CodeInvalidToken {
			t.Errorf("%q: got %v %d %v", token, id, n, err)
		}
	}
}

func FuzzParseRefresh(f *testing.F) {
	tokens := newTokens(f, at(start), secretA)
	f.Add(tokens.Refresh(kyro.SessionID(7), 3))
	f.Add("kyr_rt_" + strings.Repeat("0", 51))
	f.Fuzz(func(t *testing.T, token string) {
		if id, n, err := tokens.ParseRefresh(token); err == nil && tokens.Refresh(id, n) != token {
			t.Errorf("%q is another spelling of %v %d", token, id, n)
		}
	})
}

func FuzzParseAccess(f *testing.F) {
	tokens := newTokens(f, at(start), secretA)
	good := access(f, tokens, start)
	f.Add(good)
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := tokens.ParseAccess(token); err == nil && token != good {
			t.Errorf("%q accepted", token)
		}
	})
}
