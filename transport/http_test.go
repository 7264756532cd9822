package transport_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"kyrochat/transport"
)

// reply is an answer of the server, read.
type reply struct {
	status int
	header http.Header
	text   string
	closes bool
	Data   map[string]any
	Errors []struct {
		Message    string
		Path       []any
		Extensions map[string]any
	}
}

func (r reply) code() string {
	if len(r.Errors) == 0 {
		return ""
	}
	code, _ := r.Errors[0].Extensions["code"].(string)
	return code
}

var costOfAnswer = regexp.MustCompile(`,"extensions":\{"cost":\{[^}]*\}\}`)

// costless is an answer without what it cost, which has tests of its own.
func costless(answer string) string { return costOfAnswer.ReplaceAllString(answer, "") }

func (s *server) send(t *testing.T, r *http.Request) reply {
	t.Helper()
	answer, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := reply{status: answer.StatusCode, header: answer.Header, text: costless(string(text)), closes: answer.Close}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return got
}

func (s *server) request(t *testing.T, method, query, body string, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, s.URL+"/graphql"+query, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if r.Header.Del(name); value != "" {
			r.Header.Set(name, value)
		}
	}
	return r
}

const responseJSON = "Accept: application/graphql-response+json"

func TestHTTPStatusAndCode(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{MaxBody: 4096}, transport.Multipart{}, &transport.Websocket{})
	get := func(query string) string { return "?query=" + url.QueryEscape(query) }
	for name, c := range map[string]struct {
		method, query, body string
		headers             []string
		status              int
		code                string
	}{
		"query":                   {"POST", "", `{"query":"{hello}"}`, nil, 200, ""},
		"charset":                 {"POST", "", `{"query":"{hello}"}`, []string{"Content-Type: application/json; charset=UTF-8"}, 200, ""},
		"nulls":                   {"POST", "", `{"query":"{hello}","operationName":null,"variables":null,"extensions":null}`, nil, 200, ""},
		"mutation":                {"POST", "", `{"query":"mutation{touch}"}`, nil, 200, ""},
		"GET":                     {"GET", get("{hello}"), "", nil, 200, ""},
		"GET variables":           {"GET", get("query($n:String){hello(name:$n)}") + "&variables=" + url.QueryEscape(`{"n":"x"}`), "", nil, 200, ""},
		"GET bad variables":       {"GET", get("{hello}") + "&variables=[1]", "", nil, 400, "BAD_REQUEST"},
		"GET bad escape":          {"GET", "?query=%zz", "", nil, 400, "BAD_REQUEST"},
		"GET mutation":            {"GET", get("mutation{touch}"), "", nil, 405, "METHOD_NOT_ALLOWED"},
		"GET subscription":        {"GET", get("subscription{forever}"), "", nil, 405, "METHOD_NOT_ALLOWED"},
		"GET nothing":             {"GET", "", "", nil, 400, "BAD_REQUEST"},
		"GET from elsewhere":      {"GET", get("{hello}"), "", []string{"Sec-Fetch-Site: cross-site"}, 403, "PREFLIGHT_REQUIRED"},
		"GET with an origin":      {"GET", get("{hello}"), "", []string{"Origin: https://evil.example"}, 403, "PREFLIGHT_REQUIRED"},
		"GET from elsewhere, ok":  {"GET", get("{hello}"), "", []string{"Sec-Fetch-Site: cross-site", "X-Requested-With: x"}, 200, ""},
		"GET from here":           {"GET", get("{hello}"), "", []string{"Sec-Fetch-Site: same-origin", "Origin: https://here.example"}, 200, ""},
		"PUT":                     {"PUT", "", `{"query":"{hello}"}`, nil, 405, "METHOD_NOT_ALLOWED"},
		"OPTIONS":                 {"OPTIONS", "", "", nil, 405, "METHOD_NOT_ALLOWED"},
		"no content type":         {"POST", "", `{"query":"{hello}"}`, []string{"Content-Type: "}, 415, "UNSUPPORTED_MEDIA_TYPE"},
		"form":                    {"POST", "", "query={hello}", []string{"Content-Type: application/x-www-form-urlencoded"}, 415, "UNSUPPORTED_MEDIA_TYPE"},
		"text":                    {"POST", "", `{"query":"{hello}"}`, []string{"Content-Type: text/plain"}, 415, "UNSUPPORTED_MEDIA_TYPE"},
		"application/graphql":     {"POST", "", `{hello}`, []string{"Content-Type: application/graphql"}, 415, "UNSUPPORTED_MEDIA_TYPE"},
		"latin":                   {"POST", "", `{"query":"{hello}"}`, []string{"Content-Type: application/json; charset=latin1"}, 415, "UNSUPPORTED_MEDIA_TYPE"},
		"gzip":                    {"POST", "", `{"query":"{hello}"}`, []string{"Content-Encoding: gzip"}, 415, "UNSUPPORTED_MEDIA_TYPE"},
		"not acceptable":          {"POST", "", `{"query":"{hello}"}`, []string{"Accept: text/html"}, 406, "NOT_ACCEPTABLE"},
		"batch":                   {"POST", "", ` [{"query":"{hello}"}]`, nil, 400, "BATCHING_NOT_SUPPORTED"},
		"trailing":                {"POST", "", `{"query":"{hello}"}{}`, nil, 400, "BAD_REQUEST"},
		"empty":                   {"POST", "", ``, nil, 400, "BAD_REQUEST"},
		"not JSON":                {"POST", "", `{"query": canary`, nil, 400, "BAD_REQUEST"},
		"no object":               {"POST", "", `"canary"`, nil, 400, "BAD_REQUEST"},
		"null":                    {"POST", "", `null`, nil, 400, "BAD_REQUEST"},
		"no query":                {"POST", "", `{"operationName":"x"}`, nil, 400, "BAD_REQUEST"},
		"query is a number":       {"POST", "", `{"query":42}`, nil, 400, "BAD_REQUEST"},
		"operationName is a list": {"POST", "", `{"query":"{hello}","operationName":[]}`, nil, 400, "BAD_REQUEST"},
		"variables is a list":     {"POST", "", `{"query":"{hello}","variables":[]}`, nil, 400, "BAD_REQUEST"},
		"extensions is a text":    {"POST", "", `{"query":"{hello}","extensions":"canary"}`, nil, 400, "BAD_REQUEST"},
		"not UTF-8":               {"POST", "", "{\"query\":\"{hello(name:\\\"\xff\\\")}\"}", nil, 400, "BAD_REQUEST"},
		"too large":               {"POST", "", `{"query":"{hello}","x":"` + strings.Repeat("canary", 1000) + `"}`, nil, 413, "PAYLOAD_TOO_LARGE"},
		"subscription":            {"POST", "", `{"query":"subscription{forever}"}`, nil, 400, "BAD_REQUEST"},
		"syntax":                  {"POST", "", `{"query":"{"}`, nil, 200, "GRAPHQL_PARSE_FAILED"},
		"syntax, new type":        {"POST", "", `{"query":"{"}`, []string{responseJSON}, 400, "GRAPHQL_PARSE_FAILED"},
		"unknown field":           {"POST", "", `{"query":"{nope}"}`, nil, 200, "GRAPHQL_VALIDATION_FAILED"},
		"unknown field, new type": {"POST", "", `{"query":"{nope}"}`, []string{responseJSON}, 400, "GRAPHQL_VALIDATION_FAILED"},
		"missing variable":        {"POST", "", `{"query":"query($n:Int!){limit(n:$n)}"}`, []string{responseJSON}, 400, "BAD_USER_INPUT"},
		"unknown operation":       {"POST", "", `{"query":"query a{hello}","operationName":"b"}`, []string{responseJSON}, 400, "GRAPHQL_VALIDATION_FAILED"},
		"defer":                   {"POST", "", `{"query":"{...@defer{hello}}"}`, []string{responseJSON}, 400, "GRAPHQL_VALIDATION_FAILED"},
		"failed field":            {"POST", "", `{"query":"{fail(how:\"not found\")}"}`, []string{responseJSON}, 200, "NOT_FOUND"},
		"h2c offered":             {"POST", "", `{"query":"{hello}"}`, []string{"Upgrade: h2c", "Connection: Upgrade"}, 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := s.send(t, s.request(t, c.method, c.query, c.body, c.headers...))
			if got.status != c.status || got.code() != c.code {
				t.Errorf("got %d %s, want %d %s", got.status, got.text, c.status, c.code)
			}
			if strings.Contains(got.text, "canary") || strings.Contains(got.text, "RawParams") {
				t.Errorf("echoes: %s", got.text)
			}
			if c.code != "" && got.Errors[0].Extensions["requestId"] != "req-id" {
				t.Errorf("no request id: %s", got.text)
			}
			if allow := got.header.Get("Allow"); (c.status == 405) != (allow != "") {
				t.Errorf("Allow %q", allow)
			}
			for header, want := range map[string]string{
				"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "X-Request-Id": "req-id",
				"Content-Security-Policy":   "default-src 'none'; frame-ancestors 'none'",
				"Strict-Transport-Security": "max-age=31536000",
			} {
				if got.header.Get(header) != want {
					t.Errorf("%s: %q", header, got.header.Get(header))
				}
			}
		})
	}
}

func TestNegotiation(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
	const plain, modern = "application/json; charset=utf-8", "application/graphql-response+json; charset=utf-8"
	for accept, want := range map[string]string{
		"": plain, "*/*": plain, "application/*": plain, "application/json": plain, "application/json; charset=utf-8": plain,
		"application/graphql-response+json":                         modern,
		"application/graphql-response+json, application/json":       modern,
		"application/json, application/graphql-response+json":       plain,
		"application/json;q=0.5, application/graphql-response+json": modern,
		"application/graphql-response+json;q=0.9, */*":              plain,
		"text/html, application/json;q=0.1":                         plain,
		"application/json; charset=latin1, */*;q=0.1":               plain,
		"application/graphql-response+json; charset=UTF-8":          modern,
	} {
		got := s.send(t, s.request(t, "POST", "", `{"query":"{hello}"}`, "Accept: "+accept))
		if got.status != 200 || got.header.Get("Content-Type") != want {
			t.Errorf("%q: %d %q", accept, got.status, got.header.Get("Content-Type"))
		}
	}
	for _, accept := range []string{"application/json;q=0", "image/png", ";;;", "application/json;q=x"} {
		if got := s.send(t, s.request(t, "POST", "", `{"query":"{hello}"}`, "Accept: "+accept)); got.status != 406 {
			t.Errorf("%q: %d", accept, got.status)
		}
	}
}

func TestResponseShape(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
	for body, want := range map[string]string{
		`{"query":"{hello(name:\"é\")}"}`: `{"data":{"hello":"hello é"}}`,
		`{"query":"query($n:String){hello(name:$n)}","variables":{"n":"12345678901234567890"}}`: `{"data":{"hello":"hello 12345678901234567890"}}`,
		`{"query":"{a:fail(how:\"not found\") hello}"}`: `{"errors":[{"message":"Bot not found.","path":["a"],"locations":[{"line":1,"column":2}],"extensions":{"code":"NOT_FOUND","requestId":"req-id"}}],` +
			`"data":{"a":null,"hello":"hello \u003cnil\u003e"}}`,
		`{"query":"{nope}"}`: `{"errors":[{"message":"Cannot query field \"nope\" on type \"Query\".","locations":[{"line":1,"column":2}],"extensions":{"code":"GRAPHQL_VALIDATION_FAILED","requestId":"req-id"}}]}`,
	} {
		if got := s.send(t, s.request(t, "POST", "", body)); got.text != want {
			t.Errorf("%s\n got %s\nwant %s", body, got.text, want)
		}
	}
}

func TestErrorsAreCapped(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
	for _, query := range []string{"{many}", "{" + strings.Repeat("nope ", 25) + "}"} {
		if got := s.send(t, s.request(t, "POST", "", fmt.Sprintf(`{"query":%q}`, query))); len(got.Errors) != 20 {
			t.Errorf("%d errors", len(got.Errors))
		}
	}
}

func TestOperationTimeout(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{Timeout: time.Millisecond}, transport.Multipart{}, &transport.Websocket{})
	got := s.send(t, s.request(t, "POST", "", `{"query":"{fail(how:\"wait\")}"}`))
	if got.code() != "TIMEOUT" {
		t.Errorf("got %s", got.text)
	}
}

// TestSlowBody sends half a body and then nothing.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{BodyTimeout: 50 * time.Millisecond}, transport.Multipart{}, &transport.Websocket{})
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// Less than what every request has, whoever takes it, so that it is the transport's own time that ends it.
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprint(conn, "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400") {
		t.Errorf("%q, %v", answer, err)
	}
}

func TestVariablesKeepTheirNumbers(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
	got := s.send(t, s.request(t, "POST", "", `{"query":"query($n:Int!){limit(n:$n)}","variables":{"n":2147483647}}`))
	if !reflect.DeepEqual(got.Data, map[string]any{"limit": 1.0}) {
		t.Errorf("got %s", got.text)
	}
}
