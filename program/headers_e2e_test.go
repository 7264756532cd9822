package program

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"kyrochat/internal/envtest"
	"kyrochat/web"
)

// TestEveryAnswerHasTheHeaders asks for everything that is served, and for what is not.
func TestEveryAnswerHasTheHeaders(t *testing.T) {
	t.Parallel()
	production := startServer(t, map[string]string{
		"KYRO_ENV": "production", "KYRO_SECRET": envtest.SecretOne, "KYRO_SIGNUP": "open", "KYRO_PUBLIC_URL": "https://chat.example.com",
	})
	development := startServer(t, nil)
	admin := "http://" + production.app.adminListener.Addr().String()
	const api = "default-src 'none'; frame-ancestors 'none'"
	for _, c := range []struct {
		base, method, path, body string
		headers                  []string
		status                   int
	}{
		{production.url, "POST", "/graphql", `{"query":"{ serverInfo { version } }"}`, []string{"Content-Type", "application/json"}, 200},
		{production.url, "POST", "/graphql", `{"query":"{ bot(id: \"bot_1\") { id } }"}`, []string{"Content-Type", "application/json"}, 200},
		{production.url, "POST", "/graphql", `{"query":"{ nothing }"}`, []string{"Content-Type", "application/json", "Accept", "application/graphql-response+json"}, 400},
		{production.url, "POST", "/graphql", `[]`, []string{"Content-Type", "application/json"}, 400},
		{production.url, "POST", "/graphql", `query=1`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		{production.url, "POST", "/graphql", strings.Repeat(" ", 300<<10), []string{"Content-Type", "application/json"}, 413},
		{production.url, "POST", "/graphql", `{}`, []string{"Content-Type", "application/json", "Accept", "image/png"}, 406},
		{production.url, "POST", "/graphql", `{"query":"{ serverInfo { version } }"}`, []string{"Content-Type", "application/json", "Accept", "text/event-stream"}, 200},
		{production.url, "POST", "/graphql", "--x--\r\n", []string{"Content-Type", "multipart/form-data; boundary=x"}, 403},
		{production.url, "POST", "/graphql", "--x--\r\n", []string{"Content-Type", "multipart/form-data; boundary=x", "X-Requested-With", "a"}, 400},
		{production.url, "GET", "/graphql?query=%7BserverInfo%7Bversion%7D%7D", "", nil, 200},
		{production.url, "HEAD", "/graphql?query=%7BserverInfo%7Bversion%7D%7D", "", nil, 405},
		{production.url, "GET", "/graphql", "", []string{"Upgrade", "websocket", "Connection", "Upgrade", "Origin", "https://evil.example.com"}, 403},
		{production.url, "GET", "/graphql", "", []string{"Upgrade", "websocket", "Connection", "Upgrade"}, 400},
		{production.url, "OPTIONS", "/graphql", "", []string{"Origin", "https://chat.example.com", "Access-Control-Request-Method", "POST"}, 200},
		{production.url, "DELETE", "/graphql", "", nil, 405},
		{production.url, "TRACE", "/graphql", "", nil, 405},
		{production.url, "TRACE", "/nothing", "", nil, 405},
		{production.url, "TRACE", "/account/verify-email", "", nil, 405},
		{production.url, "GET", "/", "", nil, 404},
		{production.url, "GET", "/nothing", "", nil, 404},
		{production.url, "GET", "/playground/main.js", "", nil, 404},
		{production.url, "GET", "/schema.graphql", "", nil, 200},
		{production.url, "HEAD", "/schema.graphql", "", nil, 200},
		{production.url, "POST", "/schema.graphql", "", nil, 405},
		{production.url, "GET", "/account/reset-password", "", nil, 200},
		{production.url, "HEAD", "/account/reset-password", "", nil, 200},
		{production.url, "GET", "/account/account.js", "", nil, 200},
		{production.url, "GET", "/account/account.css", "", nil, 200},
		{production.url, "GET", "/account/nothing", "", nil, 404},
		{production.url, "POST", "/account/verify-email", "token=1", nil, 405},
		{production.url, "GET", "/outbox", "", nil, 404},
		{production.url, "PUT", "/uploads/nothing", "x", nil, 404},
		{production.url, "HEAD", "/uploads/nothing", "", nil, 404},
		{production.url, "DELETE", "/uploads/nothing", "", nil, 404},
		{production.url, "POST", "/uploads/nothing", "", nil, 405},
		{production.url, "OPTIONS", "/uploads/nothing", "", []string{"Origin", "https://chat.example.com", "Access-Control-Request-Method", "PUT"}, 200},
		{production.url, "GET", "/files/nothing", "", nil, 404},
		{production.url, "POST", "/files/nothing", "", nil, 405},
		{production.url, "GET", "/exports/nothing", "", nil, 404},
		{production.url, "GET", "/exports/", "", nil, 404},
		{development.url, "GET", "/outbox", "", nil, 200},
		{development.url, "POST", "/outbox", "", nil, 405},
		{development.url, "GET", "/", "", nil, 200},
		{development.url, "GET", "/playground/nothing.js", "", nil, 404},
		{development.url, "GET", "/account/verify-email", "", nil, 200},
		{admin, "GET", "/healthz", "", nil, 200},
		{admin, "GET", "/readyz", "", nil, 200},
		{admin, "GET", "/metrics", "", nil, 200},
		{admin, "POST", "/metrics", "", nil, 405},
		{admin, "GET", "/debug/pprof/", "", nil, 200},
		{admin, "GET", "/debug/pprof/cmdline", "", nil, 404},
		{admin, "GET", "/nothing", "", nil, 404},
		{admin, "POST", "/healthz", "", nil, 405},
		{admin, "TRACE", "/debug/pprof/", "", nil, 405},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, c.base+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Canary", "canary")
		for i := 0; i < len(c.headers); i += 2 {
			req.Header.Set(c.headers[i], c.headers[i+1])
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatalf("%s %s: %v", c.method, c.path, err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		where := c.method + " " + strings.TrimPrefix(c.base, "http://127.0.0.1") + c.path
		if res.StatusCode != c.status || strings.Contains(string(body), "canary") {
			t.Errorf("%s: %d %s", where, res.StatusCode, body)
		}
		wantHeaders(t, where, res.Header, c.base == production.url)
		page := strings.HasPrefix(c.path, "/account/r") || strings.HasPrefix(c.path, "/account/v") || c.base == development.url && (c.path == "/" || c.path == "/outbox")
		if policy := res.Header.Get("Content-Security-Policy"); (policy == api) == (page && c.status == 200) || !strings.HasPrefix(policy, "default-src 'none'; ") {
			t.Errorf("%s: Content-Security-Policy %q", where, policy)
		}
		asset := strings.HasPrefix(c.path, "/account/account.") || c.base == development.url && c.path == "/"
		if cache := res.Header.Get("Cache-Control"); strings.HasPrefix(cache, "no-store") == asset {
			t.Errorf("%s: Cache-Control %q", where, cache)
		}
	}
	// What no client of HTTP asks for of itself: the server as a whole, and to be passed on to another.
	for base, lines := range map[string][]string{
		production.url: {"OPTIONS *", "GET *", "CONNECT example.com:443", "OPTIONS /graphql", "NONSENSE /graphql", "GET http://example.com/graphql"},
		admin:          {"OPTIONS *", "CONNECT example.com:443"},
	} {
		for _, line := range lines {
			conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.SetDeadline(time.Now().Add(patience))
			_, _ = io.WriteString(conn, line+" HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n")
			res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodGet})
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if _ = conn.Close(); res.StatusCode < 400 && line != "OPTIONS /graphql" {
				t.Errorf("%s is answered with %s", line, res.Status)
			}
			wantHeaders(t, line, res.Header, base == production.url)
		}
	}
	conn, res, err := websocket.Dial(t.Context(), production.url+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	wantHeaders(t, "a websocket", res.Header, true)
}

func wantHeaders(t *testing.T, where string, h http.Header, https bool) {
	t.Helper()
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin", "Server": "", "X-Powered-By": "",
	} {
		if got := h.Values(name); strings.Join(got, "|") != want {
			t.Errorf("%s: %s is %q, want %q", where, name, got, want)
		}
	}
	hsts := ""
	if https {
		hsts = "max-age=31536000"
	}
	if got := h.Get("Strict-Transport-Security"); got != hsts {
		t.Errorf("%s: Strict-Transport-Security is %q, want %q", where, got, hsts)
	}
	if got := h.Get("Permissions-Policy"); !strings.Contains(got, "camera=(), ") || strings.Contains(got, "*") || strings.Contains(got, "self") {
		t.Errorf("%s: Permissions-Policy is %q", where, got)
	}
}

// TestWhosePagesMayUseTheAPI asks as pages of many origins do, before a request and with it.
func TestWhosePagesMayUseTheAPI(t *testing.T) {
	t.Parallel()
	listed := startServer(t, map[string]string{"KYRO_ALLOWED_ORIGINS": "https://app.example.com, http://intranet:8080"})
	withCookies := startServer(t, map[string]string{"KYRO_ALLOWED_ORIGINS": appOrigin, "KYRO_COOKIES": "true"})
	development := startServer(t, nil)
	for _, c := range []struct {
		s       *testServer
		origin  string
		allowed bool
	}{
		{listed, "https://app.example.com", true}, {listed, "http://intranet:8080", true},
		{listed, "null", false}, {listed, "", false}, {listed, "*", false}, {listed, "http://app.example.com", false}, {listed, "https://app.example.com:444", false},
		{listed, "https://app.example.com.evil.org", false}, {listed, "https://evil-app.example.com", false}, {listed, "https://example.com", false},
		{listed, "http://localhost:3000", false}, {listed, "https://app.example.com/", false}, {listed, "https://app.example.com, https://evil.org", false},
		{withCookies, appOrigin, true}, {withCookies, "null", false}, {withCookies, "https://evil.org", false}, {withCookies, "*", false},
		{development, "http://localhost:3000", true}, {development, "http://127.0.0.1:5173", true}, {development, "https://localhost", true},
		{development, "null", false}, {development, "http://localhost.evil.org", false}, {development, "http://localhost@evil.org", false},
		{development, "http://evil.org#localhost", false}, {development, "file://localhost", false}, {development, "http://192.0.2.1:3000", false},
	} {
		credentials := ""
		if c.s == withCookies && c.allowed {
			credentials = "true"
		}
		allow := ""
		if c.allowed {
			allow = c.origin
		}
		for _, method := range []string{http.MethodOptions, http.MethodPost} {
			req, err := http.NewRequestWithContext(t.Context(), method, c.s.url+"/graphql", strings.NewReader(`{"query":"{serverInfo{version}}"}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Origin", c.origin)
			req.Header.Set("Content-Type", "application/json")
			if method == http.MethodOptions {
				req.Header.Set("Access-Control-Request-Method", "POST")
				req.Header.Set("Access-Control-Request-Headers", "authorization,content-type,x-kyro-cookies")
			}
			res, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			h := res.Header
			if h.Get("Access-Control-Allow-Origin") != allow || h.Get("Access-Control-Allow-Credentials") != credentials {
				t.Errorf("%s from %q: %v", method, c.origin, h)
			}
			if h.Values("Vary")[0] != "Origin" {
				t.Errorf("%s from %q varies by %q", method, c.origin, h.Values("Vary"))
			}
			if method == http.MethodOptions && c.allowed && (h.Get("Access-Control-Max-Age") != "600" || h.Get("Access-Control-Allow-Methods") != "POST" ||
				!strings.Contains(strings.ToLower(h.Get("Access-Control-Allow-Headers")), "x-kyro-cookies")) {
				t.Errorf("leave for %q: %v", c.origin, h)
			}
		}
		// By the same list pages may open websockets.
		conn, _, err := websocket.Dial(t.Context(), c.s.url+"/graphql", &websocket.DialOptions{
			Subprotocols: []string{"graphql-transport-ws"}, HTTPHeader: http.Header{"Origin": {c.origin}},
		})
		if c.origin != "" && (err == nil) != c.allowed {
			t.Errorf("a websocket from %q: %v", c.origin, err)
		}
		if err == nil {
			_ = conn.CloseNow()
		}
	}
	// The server's own pages are for no other to read.
	for _, path := range []string{"/", "/account/verify-email", "/account/account.js", "/nothing"} {
		if res, _ := fetched(t, development.url+path, "Origin", "http://localhost:3000"); res.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s may be read by another origin", path)
		}
	}
	if res, _ := fetched(t, development.url+"/schema.graphql", "Origin", "http://localhost:3000"); res.Header.Get("Access-Control-Allow-Origin") == "" {
		t.Error("the contract may not be read")
	}
	// A header that is not in the list gets no leave.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, listed.url+"/graphql", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", appOrigin)
	req.Header.Set("Access-Control-Request-Method", "POST")
	req.Header.Set("Access-Control-Request-Headers", "x-forwarded-for")
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got := res.Header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("leave for any header: %v", res.Header)
	}
}

// TestAccountPagesAreTrusted: a server that takes trusted documents only takes those of its own pages.
func TestAccountPagesAreTrusted(t *testing.T) {
	t.Parallel()
	s := startServer(t, map[string]string{"KYRO_TRUSTED_ONLY": "true", "KYRO_TRUSTED_DOCUMENTS": envtest.File(t, "{}", 0o600)})
	p := &person{t: t, s: s}
	p.ask(`{ serverInfo { version } }`, nil).wantCode("", "DOCUMENT_NOT_TRUSTED")
	for _, document := range web.AccountDocuments() {
		r := p.ask(document, vars{"input": vars{"token": "nonsense"}})
		if strings.Contains(string(r.body), "DOCUMENT_NOT_TRUSTED") {
			t.Errorf("%s: %s", document, r.body)
		}
	}
}
