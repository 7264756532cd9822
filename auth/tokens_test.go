package auth_test

import (
	"encoding/base64"
	"encoding/json"
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
		want string
	}{
		{-31 * time.Second, "not valid"},
		{-30 * time.Second, ""},
		{10*time.Minute - 1, ""},
		{10 * time.Minute, "expired"},
		{time.Hour, "expired"},
	} {
		_, err := newTokens(t, at(start.Add(c.at)), secretA).ParseAccess(token)
		if c.want == "" && err != nil || c.want != "" && (kyro.ErrorCode(err) != kyro.CodeUnauthenticated || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("at %v: %v, want %q", c.at, err, c.want)
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
	for name, token := range map[string]string{
		"empty": "", "noise": "a.b.c", "two parts": parts[0] + "." + parts[1], "alg none": unsigned + "." + parts[1] + ".",
		"alg none signed": unsigned + "." + parts[1] + "." + parts[2], "other secret": access(t, foreign, start),
		"other issuer": access(t, otherIssuer, start), "bit flipped": flip(good), "too long": good + strings.Repeat("A", 4096),
		"wrong kind of id": wrongKind, "no session": wrongSession, "padded": good + "=",
		"HS512 by kid":       sign(t, jwt.SigningMethodHS512, decode(t, parts[0]), decode(t, parts[1])),
		"payload of another": parts[0] + "." + strings.Split(access(t, tokens, start.Add(time.Second)), ".")[1] + "." + parts[2],
		"refresh token":      tokens.Refresh(kyro.SessionID(7), 1),
	} {
		if claims, err := tokens.ParseAccess(token); kyro.ErrorCode(err) != kyro.CodeUnauthenticated {
			t.Errorf("%s: got %+v, %v", name, claims, err)
		}
	}
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
