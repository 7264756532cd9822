package program

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"kyrochat/auth"
	"kyrochat/internal/envtest"
	"kyrochat/kyro"
)

// forged is a token that is signed under a key, whatever it says.
func forged(t *testing.T, key []byte, header, claims map[string]any) string {
	t.Helper()
	encode := func(part map[string]any) string {
		text, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	text := encode(header) + "." + encode(claims)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func decoded(t *testing.T, part string) (object map[string]any) {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err == nil {
		err = json.Unmarshal(text, &object)
	}
	if err != nil {
		t.Fatal(err)
	}
	return object
}

// forgeries are bearer tokens that are none, or none any more. Where one fact alone is to decide, everything else is as
// in a token of this server, the signature included.
func forgeries(t *testing.T, s *testServer, good, refresh string) map[string]string {
	t.Helper()
	key, err := hkdf.Key(sha256.New, []byte(envtest.SecretOne), nil, "kyrochat access token v1", 32)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	header, claims := decoded(t, parts[0]), decoded(t, parts[1])
	with := func(name string, value any) string {
		h, c := maps.Clone(header), maps.Clone(claims)
		into := c
		if name == "alg" || name == "typ" || name == "kid" || !strings.Contains("iss aud sub sid jti iat nbf exp", name) {
			into = h
		}
		into[name] = value
		if value == nil {
			delete(into, name)
		}
		return forged(t, key, h, c)
	}
	forger := &person{t: t, s: s, token: with("jti", "another")}
	if !forger.known() {
		t.Fatal("a token in which nothing is wrong is refused: the others may be refused for another reason than they should")
	}
	other, err := auth.NewTokens([]string{envtest.SecretTwo}, auth.TokenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	user, _ := kyro.ParseID(claims["sub"].(string))
	session, _ := kyro.ParseID(claims["sid"].(string))
	elsewhere, _, err := other.Access(user, session, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt","kid":"` + header["kid"].(string) + `"}`))
	return map[string]string{
		"noise": "noise", "dots": "..", "alg none": none + "." + parts[1] + ".", "alg none, signed": none + "." + parts[1] + "." + parts[2],
		"alg HS512": with("alg", "HS512"), "another secret": elsewhere, "no signature": parts[0] + "." + parts[1] + ".", "cut": good[:len(good)-1],
		"typ JWT": with("typ", "JWT"), "no typ": with("typ", nil), "no kid": with("kid", nil), "another kid": with("kid", "AAAAAAAA"),
		"crit": with("crit", []string{"exp"}), "jku": with("jku", "https://evil.example.com/keys"), "x5u": with("x5u", "https://evil.example.com/cert"),
		"jwk":              with("jwk", map[string]any{"kty": "oct", "k": base64.RawURLEncoding.EncodeToString(key)}),
		"another audience": with("aud", "another-api"), "another issuer": with("iss", "elsewhere"), "no exp": with("exp", nil),
		"expired": with("exp", time.Now().Add(-time.Second).Unix()), "expired long ago": with("exp", 1), "not begun": with("nbf", time.Now().Add(time.Hour).Unix()),
		"another kind of subject": with("sub", "bot_1"), "no session": with("sid", nil),
		"oversized": with("jti", strings.Repeat("x", 4096)), "the refresh token": refresh,
		"the token of a mail": base64.RawURLEncoding.EncodeToString(key),
	}
}

func TestForgedTokensGetOneAnswer(t *testing.T) {
	t.Parallel()
	s := startServer(t, map[string]string{"KYRO_SECRET": envtest.SecretOne})
	p := s.signUp(t)
	signedIn := p.must(`mutation($e: String!, $p: String!) { logIn(input: {email: $e, password: $p}) { refreshToken errors { code } } }`,
		vars{"e": p.email, "p": password})
	tokens := forgeries(t, s, p.token, signedIn.text("logIn.refreshToken"))
	const query = `{"query":"mutation { createBot(input: {name: \"Forged\"}) { bot { id } errors { code } } }"}`
	const want = `{"errors":[{"message":"The access token or API key is not valid, or no longer, or not from here. Refresh the session, sign in again, or use another key.",` +
		`"path":["createBot"],"locations":[{"line":1,"column":12}],"extensions":{"code":"UNAUTHENTICATED","requestId":"-"}}],"data":null,`
	var first string
	for name, token := range tokens {
		forger := &person{t: t, s: s, token: token}
		got := requestID.ReplaceAllString(string(forger.request(strings.NewReader(query), "application/json").body), `"requestId":"-"`)
		if first == "" {
			first = got
		}
		if !strings.HasPrefix(got, want) || got != first {
			t.Errorf("%s over HTTP: %s", name, got)
		}
		socket := s.dial(t)
		socket.send(forger.initialisation())
		if got := socket.receive(); got != "4403 Forbidden" {
			t.Errorf("%s over a websocket: %s", name, got)
		}
		// The handshake of a client that is no browser may have headers. What they say is not looked at before it is needed.
		conn, _, err := websocket.Dial(t.Context(), s.url+"/graphql", &websocket.DialOptions{
			Subprotocols: []string{"graphql-transport-ws"}, HTTPHeader: http.Header{"Authorization": {"Bearer " + token}},
		})
		if err != nil {
			t.Fatal(err)
		}
		byHeader := &rawSocket{conn, t}
		byHeader.send(`{"type":"connection_init"}`)
		if got := byHeader.receive(); got != acknowledged {
			t.Errorf("%s in the handshake: %s", name, got)
		}
		if got := byHeader.ask(query); got != "UNAUTHENTICATED" {
			t.Errorf("%s in the handshake: %s", name, got)
		}
		_ = conn.CloseNow()
	}
}

// TestForgedAPIKeysGetOneAnswer: as the tokens, but in words that fit a key, and a socket that is not to come back: there is
// no fresh one to come back with.
func TestForgedAPIKeysGetOneAnswer(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	var first string
	for name, key := range map[string]string{
		"a wrong checksum": "kyr_sk_live_" + strings.Repeat("A", 36), "too short": "kyr_sk_live_AAAA", "too long": "kyr_sk_live_" + strings.Repeat("A", 5000),
		"another kind": "kyr_sk_test_" + strings.Repeat("A", 36), "nothing behind": "kyr_sk_live_",
	} {
		forger := &person{t: t, s: s, token: key}
		r := forger.ask(`{ bot(id: "bot_1") { id } }`, nil)
		r.wantCode("", "UNAUTHENTICATED")
		got := requestID.ReplaceAllString(string(r.body), `"requestId":"-"`)
		if first == "" {
			first = got
		}
		if got != first {
			t.Errorf("%s over HTTP: %s", name, got)
		}
		socket := s.dial(t)
		socket.send(forger.initialisation())
		if got := socket.receive(); got != "4401 Unauthorized" {
			t.Errorf("%s over a websocket: %s", name, got)
		}
	}
}

// TestTokensInURLsAreNothing: addresses are logged, kept and handed on.
func TestTokensInURLsAreNothing(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	p := s.signUp(t)
	for _, name := range []string{"access_token", "token", "authorization", "Authorization", "bearer", "jwt", "accessToken", "refresh_token", "api_key"} {
		for _, value := range []string{p.token, "Bearer " + p.token} {
			given := url.Values{"query": {"{ viewer { id } }"}, name: {value}}.Encode()
			res, err := http.Get(s.url + "/graphql?" + given)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if !strings.HasPrefix(string(text), `{"data":{"viewer":null}`) {
				t.Errorf("%s in a URL: %d %s", name, res.StatusCode, text)
			}
			conn, _, err := websocket.Dial(t.Context(), s.url+"/graphql?"+given, &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
			if err != nil {
				t.Fatal(err)
			}
			socket := &rawSocket{conn, t}
			socket.send(`{"type":"connection_init"}`)
			if got := socket.receive(); got != acknowledged {
				t.Fatal(got)
			}
			if got := socket.ask(`{"query":"{ viewer { id } bot(id: \"bot_1\") { id } }"}`); got != "UNAUTHENTICATED" {
				t.Errorf("%s in the URL of a websocket: %s", name, got)
			}
			_ = conn.CloseNow()
		}
	}
	if !p.known() {
		t.Error("the token is no good at all")
	}
}
