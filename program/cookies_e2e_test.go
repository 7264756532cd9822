package program

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

const (
	appOrigin     = "https://app.example.com"
	refreshCookie = "__Host-kyr_rt"
)

// browser sends operations as the script of a page does, and keeps what cookies it is given.
type browser struct {
	t      *testing.T
	s      *testServer
	origin string
	cookie string // the refresh token; "" for none
	token  string
	set    *http.Cookie // of the last answer; nil where it set none
	answer *http.Response
}

// send sends an operation with more headers, in pairs, and keeps the cookie of the answer.
func (b *browser) send(query string, headers ...string) *reply {
	b.t.Helper()
	body, _ := json.Marshal(map[string]any{"query": query})
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.s.url+"/graphql", strings.NewReader(string(body)))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if b.origin != "" {
		req.Header.Set("Origin", b.origin)
	}
	if b.token != "" {
		req.Header.Set("Authorization", "Bearer "+b.token)
	}
	if b.cookie != "" {
		req.AddCookie(&http.Cookie{Name: refreshCookie, Value: b.cookie})
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	if b.answer, err = http.DefaultClient.Do(req); err != nil {
		b.t.Fatal(err)
	}
	defer b.answer.Body.Close()
	r := &reply{t: b.t, status: b.answer.StatusCode}
	if r.body, err = io.ReadAll(b.answer.Body); err != nil {
		b.t.Fatal(err)
	}
	if err := json.Unmarshal(r.body, &r.tree); err != nil && !strings.Contains(b.answer.Header.Get("Content-Type"), "event-stream") {
		b.t.Fatalf("not JSON: %s", r.body)
	}
	b.set = nil
	for _, each := range b.answer.Cookies() {
		if b.set != nil || each.Name != refreshCookie {
			b.t.Errorf("the cookies of the answer are %v", b.answer.Cookies())
		}
		b.set, b.cookie = each, each.Value
	}
	return r
}

// asking is send with the header that asks for cookies.
func (b *browser) asking(query string) *reply {
	b.t.Helper()
	return b.send(query, "X-Kyro-Cookies", "1")
}

const (
	registering = `mutation { registerUser(input: {email: "ada@example.com", password: "correct horse battery", name: "Ada"}) { accessToken refreshToken errors { code } } }`
	loggingIn   = `mutation { logIn(input: {email: "ada@example.com", password: "correct horse battery"}) { accessToken refreshToken errors { code } } }`
	refreshing  = `mutation { refreshSession(input: {refreshToken: ""}) { accessToken refreshToken errors { code } } }`
	loggingOut  = `mutation { logOut { loggedOut errors { code } } }`
)

func cookieServer(t *testing.T) *testServer {
	t.Helper()
	return startServer(t, map[string]string{"KYRO_COOKIES": "true", "KYRO_PUBLIC_URL": "https://api.example.com", "KYRO_ALLOWED_ORIGINS": appOrigin})
}

// wantCookie checks that the last answer keeps a refresh token, and gives it.
func (b *browser) wantCookie() string {
	b.t.Helper()
	if b.set == nil {
		b.t.Fatal("no cookie was set")
	}
	c := b.set
	age := time.Duration(c.MaxAge) * time.Second
	if !strings.HasPrefix(c.Value, "kyr_rt_") || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" ||
		age > 14*24*time.Hour || age < 14*24*time.Hour-5*time.Minute {
		b.t.Errorf("the cookie is %s", c.Raw)
	}
	return c.Value
}

// wantNoCookie checks that the last answer took the cookie away.
func (b *browser) wantNoCookie() {
	b.t.Helper()
	if b.set == nil || b.set.MaxAge >= 0 || b.set.Value != "" || !b.set.Secure || b.set.Path != "/" {
		b.t.Errorf("the cookie was not taken away: %v", b.set)
	}
}

func TestCookieMode(t *testing.T) {
	t.Parallel()
	s := cookieServer(t)
	b := &browser{t: t, s: s, origin: appOrigin}
	r := b.asking(registering)
	if r.get("registerUser.refreshToken") != nil || len(r.list("registerUser.errors")) > 0 {
		t.Errorf("registering: %s", r.body)
	}
	first := b.wantCookie()
	if h := b.answer.Header; h.Get("Access-Control-Allow-Origin") != appOrigin || h.Get("Access-Control-Allow-Credentials") != "true" || h.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", h)
	}

	r = b.asking(refreshing)
	if r.get("refreshSession.refreshToken") != nil {
		t.Errorf("refreshing: %s", r.body)
	}
	b.token = r.text("refreshSession.accessToken")
	if b.wantCookie() == first {
		t.Error("the cookie did not change")
	}
	if got := b.send(`{ viewer { email } }`).text("viewer.email"); got != "ada@example.com" {
		t.Errorf("signed in as %s", got)
	}

	if !b.asking(loggingOut).get("logOut.loggedOut").(bool) {
		t.Error("not logged out")
	}
	b.wantNoCookie()
	b.send(`{ bot(id: "bot_1") { id } }`)
	if b.set != nil {
		t.Error("a query sets a cookie")
	}

	// Who does not ask gets the token as ever, and no cookie.
	b.token = ""
	r = b.send(loggingIn)
	plain := r.text("logIn.refreshToken")
	if b.set != nil {
		t.Errorf("a cookie that was not asked for: %v", b.set)
	}
	// A token that was given may go on in a cookie.
	r = b.asking(strings.Replace(refreshing, `""`, `"`+plain+`"`, 1))
	if r.get("refreshSession.refreshToken") != nil || b.wantCookie() == plain {
		t.Errorf("moving into the cookie: %s", r.body)
	}
}

// TestLoggingOutByTheCookie: the access token is over, and the session is not.
func TestLoggingOutByTheCookie(t *testing.T) {
	t.Parallel()
	s := cookieServer(t)
	b := &browser{t: t, s: s, origin: appOrigin}
	good := b.asking(registering).text("registerUser.accessToken")
	cookie := b.cookie
	b.token = good + "x"
	if r := b.asking(loggingOut); !r.get("logOut.loggedOut").(bool) {
		t.Errorf("%s", r.body)
	}
	b.wantNoCookie()
	b.token = good
	b.send(`{ bot(id: "bot_1") { id } }`).wantCode("", "UNAUTHENTICATED")
	b.token, b.cookie = "", cookie
	b.asking(refreshing).wantCode("refreshSession", "INVALID_TOKEN")

	// Nothing is left to end: that is no error, and the cookie goes.
	b.cookie = cookie
	if r := b.asking(loggingOut); r.get("logOut.loggedOut").(bool) {
		t.Errorf("%s", r.body)
	}
	b.wantNoCookie()
}

// TestCookiesThatAreNoGood are taken away, so that a page does not meet them again.
func TestCookiesThatAreNoGood(t *testing.T) {
	t.Parallel()
	s := cookieServer(t)
	b := &browser{t: t, s: s, origin: appOrigin}
	b.asking(registering)
	stale := b.cookie
	for range 2 { // only the one before is good for a repeat
		b.asking(refreshing)
	}
	for name, cookie := range map[string]string{
		"nonsense": "nonsense", "cut": stale[:len(stale)-1], "of another server": "kyr_rt_00YHJSKWDa6oSlStK02XTUiRhqHgmTd5sfGgy60xOBcVx3kIu8s",
		"none": "", "reused": stale,
	} {
		c := &browser{t: t, s: s, origin: appOrigin, cookie: cookie}
		c.asking(refreshing).wantCode("refreshSession", "INVALID_TOKEN")
		if c.wantNoCookie(); t.Failed() {
			t.Fatal(name)
		}
	}
	// The reuse ended the session, and so the cookie that was good until then.
	last := &browser{t: t, s: s, origin: appOrigin, cookie: b.cookie}
	last.asking(refreshing).wantCode("refreshSession", "INVALID_TOKEN")
	last.wantNoCookie()
}

// TestCookiesAreForAllowedPages: another site makes the browser of somebody who is signed in send requests.
func TestCookiesAreForAllowedPages(t *testing.T) {
	t.Parallel()
	s := cookieServer(t)
	b := &browser{t: t, s: s, origin: appOrigin}
	b.asking(registering)
	good := b.cookie
	for _, origin := range []string{
		"", "null", "https://evil.example.com", "http://app.example.com", "https://app.example.com:8443", "https://app.example.com.evil.org",
		"https://example.com", "https://xapp.example.com", "http://localhost:3000",
	} {
		for _, query := range []string{registering, loggingIn, refreshing, loggingOut} {
			c := &browser{t: t, s: s, origin: origin, cookie: good}
			c.asking(query).wantCode("", "FORBIDDEN")
			if c.set != nil {
				t.Errorf("a page of %q was given a cookie", origin)
			}
			if h := c.answer.Header; h.Get("Access-Control-Allow-Origin") != "" || h.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("a page of %q may read the answer: %v", origin, h)
			}
		}
	}
	// Without the header the cookie is nothing, also from an allowed origin.
	c := &browser{t: t, s: s, origin: appOrigin, cookie: good}
	c.send(refreshing).wantCode("refreshSession", "INVALID_TOKEN")
	if c.set != nil {
		t.Error("the cookie was touched without the header")
	}
	if c.send(loggingOut).get("logOut.loggedOut").(bool) {
		t.Error("logged out by the cookie without the header")
	}
	c.send(refreshing, "X-Kyro-Cookies", "true").wantCode("", "BAD_USER_INPUT")
	// As an event stream, by a form, by GET: none of them sets or reads it.
	if body := readAll(t, c, refreshing, "Accept", "text/event-stream"); !strings.Contains(body, "BAD_USER_INPUT") {
		t.Errorf("an event stream: %s", body)
	}
	if body := readAll(t, c, refreshing, "Content-Type", "text/plain"); !strings.Contains(body, "UNSUPPORTED_MEDIA_TYPE") {
		t.Errorf("a plain text: %s", body)
	}
	if _, body := fetched(t, s.url+"/graphql?query=mutation%7BlogOut%7BloggedOut%7D%7D", "Origin", appOrigin, "X-Kyro-Cookies", "1", "Cookie", refreshCookie+"="+good,
		"X-Requested-With", "fetch"); !strings.Contains(body, "METHOD_NOT_ALLOWED") {
		t.Errorf("by GET: %s", body)
	}
	conn, _, err := websocket.Dial(t.Context(), s.url+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"},
		HTTPHeader: http.Header{"X-Kyro-Cookies": {"1"}, "Cookie": {refreshCookie + "=" + good}, "Origin": {appOrigin}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	socket := &rawSocket{conn, t}
	socket.send(`{"type":"connection_init"}`)
	if got := socket.receive(); got != acknowledged {
		t.Fatal(got)
	}
	if got := socket.ask(`{"query":"mutation{logOut{loggedOut}}"}`); got != "BAD_USER_INPUT" {
		t.Errorf("over a websocket: %s", got)
	}
	// After all of that it is as good as before.
	last := &browser{t: t, s: s, origin: appOrigin, cookie: good}
	if r := last.asking(refreshing); r.get("refreshSession.accessToken") == nil {
		t.Errorf("%s", r.body)
	}
}

func readAll(t *testing.T, b *browser, query string, headers ...string) string {
	t.Helper()
	return string(b.send(query, append([]string{"X-Kyro-Cookies", "1"}, headers...)...).body)
}

// fetched sends a GET with headers in pairs.
func fetched(t *testing.T, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

// TestWithoutCookieMode: the server says that it has none.
func TestWithoutCookieMode(t *testing.T) {
	t.Parallel()
	s := startServer(t, map[string]string{"KYRO_ALLOWED_ORIGINS": appOrigin})
	b := &browser{t: t, s: s, origin: appOrigin}
	for _, query := range []string{registering, loggingIn, refreshing, loggingOut} {
		b.asking(query).wantCode("", "BAD_USER_INPUT")
		if b.set != nil || b.answer.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%v", b.answer.Header)
		}
	}
	if r := b.send(registering); r.get("registerUser.refreshToken") == nil || b.set != nil {
		t.Errorf("%s", r.body)
	}
}

// TestAJarKeepsTheCookie: the answer is one that a client of cookies understands.
func TestAJarKeepsTheCookie(t *testing.T) {
	t.Parallel()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, s: cookieServer(t), origin: appOrigin}
	b.asking(registering)
	address := b.answer.Request.URL
	address.Scheme = "https" // for it is Secure
	jar.SetCookies(address, b.answer.Cookies())
	if kept := jar.Cookies(address); len(kept) != 1 || kept[0].Value != b.cookie {
		t.Errorf("kept %v", kept)
	}
	b.asking(loggingOut)
	jar.SetCookies(address, b.answer.Cookies())
	if kept := jar.Cookies(address); len(kept) != 0 {
		t.Errorf("kept %v", kept)
	}
}
