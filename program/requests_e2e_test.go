package program

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// canary stands for a secret in what is sent: no answer may hold it (see raw).
const canary = "canary-6f1d"

// TestRequestsThatAreRefused sends what is no request of the API, or may have been sent by a page of another site.
func TestRequestsThatAreRefused(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	p := s.signUp(t)
	const hello = `{"query":"{serverInfo{version}}","x":"` + canary + `"}`
	asJSON := []string{"Content-Type: application/json"}
	form := func(parts ...string) (body string, headers []string) {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		for i, part := range parts {
			_ = w.WriteField([]string{"operations", "map", "0"}[i], part)
		}
		_ = w.Close()
		return b.String(), []string{"Content-Type: " + w.FormDataContentType(), "Apollo-Require-Preflight: 1"}
	}
	const upload = `{"query":"mutation($f:Upload!){uploadDocument(input:{botId:\"bot_1\",file:$f}){document{id}}}","variables":{"f":null,"n":1,"l":[null],"` + canary + `":null}}`
	mapped := func(places string) (string, []string) { return form(upload, places, "x") }
	foreign := func(headers []string) []string { return append(headers[:1:1], "Origin: https://evil.example") }
	get := func(query string) string { return "?" + url.Values{"query": {query}}.Encode() }

	type request struct {
		method, query, body string
		headers             []string
		status              int
		code                string
	}
	requests := map[string]request{
		"honest":                    {"POST", "", hello, asJSON, 200, ""},
		"a form":                    {"POST", "", "query={viewer{id}}&x=" + canary, []string{"Content-Type: application/x-www-form-urlencoded"}, 415, "UNSUPPORTED_MEDIA_TYPE"},
		"JSON in a form":            {"POST", "", hello, []string{"Content-Type: application/x-www-form-urlencoded"}, 415, "UNSUPPORTED_MEDIA_TYPE"},
		"JSON as text":              {"POST", "", hello, []string{"Content-Type: text/plain"}, 415, "UNSUPPORTED_MEDIA_TYPE"},
		"JSON as nothing":           {"POST", "", hello, nil, 415, "UNSUPPORTED_MEDIA_TYPE"},
		"JSON as two things":        {"POST", "", hello, []string{"Content-Type: text/plain; application/json"}, 415, "UNSUPPORTED_MEDIA_TYPE"},
		"JSON in Latin-1":           {"POST", "", hello, []string{"Content-Type: application/json; charset=latin1"}, 415, "UNSUPPORTED_MEDIA_TYPE"},
		"JSON in UTF-16":            {"POST", "", hello, []string{"Content-Type: application/json; charset=utf-16"}, 415, "UNSUPPORTED_MEDIA_TYPE"},
		"packed JSON":               {"POST", "", hello, append(asJSON, "Content-Encoding: gzip"), 415, "UNSUPPORTED_MEDIA_TYPE"},
		"JSON with a mark":          {"POST", "", "\ufeff" + hello, asJSON, 400, "BAD_REQUEST"},
		"broken JSON":               {"POST", "", `{"query":"{serverInfo{version}}","` + canary, asJSON, 400, "BAD_REQUEST"},
		"JSON and more":             {"POST", "", hello + canary, asJSON, 400, "BAD_REQUEST"},
		"a text":                    {"POST", "", `"` + canary + `"`, asJSON, 400, "BAD_REQUEST"},
		"a text for variables":      {"POST", "", `{"query":"{viewer{id}}","variables":"` + canary + `"}`, asJSON, 400, "BAD_REQUEST"},
		"no UTF-8":                  {"POST", "", strings.Replace(hello, "can", "c\xffn", 1), asJSON, 400, "BAD_REQUEST"},
		"UTF-8 for a surrogate":     {"POST", "", strings.Replace(hello, "can", "\xed\xa0\x80", 1), asJSON, 400, "BAD_REQUEST"},
		"a batch":                   {"POST", "", "[" + hello + "," + hello + "]", asJSON, 400, "BATCHING_NOT_SUPPORTED"},
		"an empty batch":            {"POST", "", "[]", asJSON, 400, "BATCHING_NOT_SUPPORTED"},
		"HTML wanted":               {"POST", "", hello, append(asJSON, "Accept: text/html"), 406, "NOT_ACCEPTABLE"},
		"Latin-1 wanted":            {"POST", "", hello, append(asJSON, "Accept: application/json; charset=latin1"), 406, "NOT_ACCEPTABLE"},
		"PUT":                       {"PUT", "", hello, asJSON, 405, "METHOD_NOT_ALLOWED"},
		"DELETE":                    {"DELETE", "", "", nil, 405, "METHOD_NOT_ALLOWED"},
		"TRACE":                     {"TRACE", "", "", []string{"X-Secret: " + canary}, 405, "METHOD_NOT_ALLOWED"},
		"GET":                       {"GET", get("{serverInfo{version}}"), "", nil, 200, ""},
		"GET a mutation":            {"GET", get("mutation{logOut{loggedOut}}"), "", nil, 405, "METHOD_NOT_ALLOWED"},
		"GET a mutation by name":    {"GET", get("query a{serverInfo{version}} mutation b{logOut{loggedOut}}") + "&operationName=b", "", nil, 405, "METHOD_NOT_ALLOWED"},
		"GET a mutation as events":  {"GET", get("mutation{logOut{loggedOut}}"), "", []string{"Accept: text/event-stream"}, 200, "METHOD_NOT_ALLOWED"},
		"GET from another site":     {"GET", get("{viewer{id}}"), "", []string{"Sec-Fetch-Site: cross-site"}, 403, "PREFLIGHT_REQUIRED"},
		"GET from another origin":   {"GET", get("{viewer{id}}"), "", []string{"Origin: https://evil.example"}, 403, "PREFLIGHT_REQUIRED"},
		"events from another site":  {"GET", get("{viewer{id}}"), "", []string{"Sec-Fetch-Site: cross-site", "Accept: text/event-stream"}, 403, "PREFLIGHT_REQUIRED"},
		"GET with broken variables": {"GET", get("{viewer{id}}") + "&variables=" + canary, "", nil, 400, "BAD_REQUEST"},
		"GET with broken escapes":   {"GET", "?query=%zz" + canary, "", nil, 400, "BAD_REQUEST"},
	}
	for name, places := range map[string]string{
		"an index behind the end": `{"0":["variables.l.1"]}`, "an index below nothing": `{"0":["variables.l.-1"]}`, "an index with a zero": `{"0":["variables.l.00"]}`,
		"a huge index": `{"0":["variables.l.99999999999999999999"]}`, "a path into a number": `{"0":["variables.n.x"]}`, "a number": `{"0":["variables.n"]}`,
		"a key of a list": `{"0":["variables.l.x"]}`, "a path to nowhere": `{"0":["variables.x.y"]}`, "no variables": `{"0":["query"]}`, "all variables": `{"0":["variables"]}`,
		"no path": `{"0":[]}`, "1,000 paths": `{"0":[` + strings.TrimSuffix(strings.Repeat(`"variables.f",`, 1000), ",") + `]}`, "a path that is no text": `{"0":[1]}`,
		"a list": `["variables.f"]`, "null": `null`, "no JSON": canary, "nothing": ``, "deep": nest(5000, "[", "", "]"),
		"a deep path": `{"0":["variables` + strings.Repeat(".l", 5000) + `"]}`, "eleven files": `{` + strings.TrimSuffix(strings.ReplaceAll(repeated(11, `"%d":["variables.f"],`), " ", ""), ",") + `}`,
	} {
		body, headers := mapped(places)
		requests["an upload map: "+name] = request{"POST", "", body, headers, 400, "BAD_REQUEST"}
	}
	body, headers := mapped(`{"0":["variables.f"]}`)
	requests["an upload"] = request{"POST", "", body, headers, 200, "NOT_FOUND"}
	requests["an upload from another site"] = request{"POST", "", body, foreign(headers), 403, "PREFLIGHT_REQUIRED"}
	body, headers = form("["+upload+"]", `{"0":["variables.f"]}`, "x")
	requests["a batch of uploads"] = request{"POST", "", body, headers, 400, "BATCHING_NOT_SUPPORTED"}
	body, headers = form(canary)
	requests["an upload of no JSON"] = request{"POST", "", body, headers, 400, "BAD_REQUEST"}
	body, headers = form()
	requests["an upload of nothing"] = request{"POST", "", body, headers, 400, "BAD_REQUEST"}
	body, headers = form(strings.Repeat("x", 300_000))
	requests["a large operation with an upload"] = request{"POST", "", body, headers, 413, "PAYLOAD_TOO_LARGE"}

	for name, r := range requests {
		start := time.Now()
		status, code := p.raw(t, r.method, r.query, r.body, r.headers...)
		if status != r.status || code != r.code {
			t.Errorf("%s: %d %s, want %d %s", name, status, code, r.status, r.code)
		}
		t.Logf("%-36s %d %-24s %s", name, status, code, time.Since(start).Round(100*time.Microsecond))
	}
	head, err := http.Head(s.url + "/graphql" + get("{serverInfo{version}}"))
	if err != nil {
		t.Fatal(err)
	}
	head.Body.Close()
	if head.StatusCode != http.StatusMethodNotAllowed || head.Header.Get("Allow") != "GET, POST" {
		t.Errorf("HEAD: %d %v", head.StatusCode, head.Header)
	}
	if r := p.must("{viewer{email}}", nil); r.text("viewer.email") != p.email {
		t.Errorf("somebody else signed the person out: %s", r.body)
	}
}

// trickle sends the beginning of a request and then a byte from time to time, until the server ends the connection. It
// gives what the server said.
func trickle(t *testing.T, s *testServer, beginning string) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, beginning)
	done := make(chan struct{})
	defer close(done)
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			if _, err := io.WriteString(conn, "x"); err != nil {
				return
			}
		}
	}()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	answer, err := io.ReadAll(conn)
	if err, late := err.(net.Error); late && err.Timeout() {
		t.Errorf("still waiting for the rest of %.60q", beginning)
	}
	return string(answer)
}

// TestTrickledRequests sends requests byte by byte: they end when their time is over, whatever comes.
func TestTrickledRequests(t *testing.T) {
	t.Parallel()
	s := startServer(t, map[string]string{
		// Long enough for what is sent at once to be read, also where the server is held up.
		"KYRO_HTTP_HEADER_TIMEOUT": "5s", "KYRO_HTTP_BODY_TIMEOUT": "5s", "KYRO_UPLOAD_GRACE": "5s", "KYRO_WS_INIT_TIMEOUT": "5s",
		"KYRO_WS_PING_INTERVAL": "3s", "KYRO_WS_PONG_TIMEOUT": "3s",
	})
	const post = "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\nContent-Type: "
	for name, c := range map[string]struct{ beginning, want string }{
		"a head":      {"GET / HTTP/1.1\r\nHost: x\r\nX-A: ", ""},
		"a body":      {post + "application/json\r\n\r\n{\"query\":\"", "BAD_REQUEST"},
		"events":      {post + "application/json\r\nAccept: text/event-stream\r\n\r\n{\"query\":\"", "BAD_REQUEST"},
		"an upload":   {post + "multipart/form-data; boundary=b\r\nApollo-Require-Preflight: 1\r\n\r\n--b\r\n", "BAD_REQUEST"},
		"chunks":      {"POST /graphql HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\nffff\r\n", "BAD_REQUEST"},
		"no document": {post + "text/plain\r\n\r\n", "UNSUPPORTED_MEDIA_TYPE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := trickle(t, s, c.beginning); !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %s", got, c.want)
			}
		})
	}
	for name, initialise := range map[string]bool{"a first message": false, "a later message": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// A frame of 100,000 bytes, masked by zeros, of which one comes from time to time.
			beginning := "\x81\xff\x00\x00\x00\x00\x00\x01\x86\xa0\x00\x00\x00\x00{"
			if initialise {
				beginning = "\x81\x9a\x00\x00\x00\x00" + `{"type":"connection_init"}` + beginning
			}
			got := trickle(t, s, "GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
				"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"+beginning)
			if !strings.Contains(got, " 101 ") || strings.Contains(got, acknowledged) != initialise || !initialise && !strings.Contains(got, "\x11\x38Connection initialisation timeout") {
				t.Errorf("got %q", got)
			}
		})
	}
}

// TestHeads asks as monitors and link checkers do.
func TestHeads(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	admin := "http://" + s.app.adminListener.Addr().String()
	for address, want := range map[string]int{
		s.url + "/schema.graphql": http.StatusOK, s.url + "/": http.StatusOK, admin + "/healthz": http.StatusOK, admin + "/readyz": http.StatusOK,
		s.url + "/graphql": http.StatusMethodNotAllowed, s.url + "/nothing": http.StatusNotFound,
	} {
		answer, err := http.Head(address)
		if err != nil {
			t.Fatal(err)
		}
		if answer.Body.Close(); answer.StatusCode != want {
			t.Errorf("%s: %s", address, answer.Status)
		}
	}
}

// TestTextsStayWhole sends texts that databases and encodings stumble over, and reads them again.
func TestTextsStayWhole(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		bot := p.newBot()
		name := func(document, variables string) string {
			body := `{"query":"` + document + `","variables":` + variables + `}`
			r := p.request(strings.NewReader(body), "application/json")
			if errs, failed := r.tree["errors"].([]any); failed {
				return fmt.Sprint(r.at("errors.0.extensions.code"), len(errs))
			}
			return r.text("updateBot.bot.name")
		}
		for text, want := range map[string]string{
			`😀`: "😀", `\ud83d\ude00`: "😀", `a\ud800b`: "a\ufffdb", `a\udc00\ud800b`: "a\ufffd\ufffdb", `\u00e9`: "é",
			`\"; DROP TABLE bots; --`: `"; DROP TABLE bots; --`, `%s %d {{.}} ${x}`: "%s %d {{.}} ${x}",
		} {
			byVariable := name(`mutation($n: String) { updateBot(input: {botId: \"`+bot+`\", name: $n}) { bot { name } errors { code } } }`, `{"n":"`+text+`"}`)
			escaped := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text)
			byLiteral := name(`mutation { updateBot(input: {botId: \"`+bot+`\", name: \"`+escaped+`\"}) { bot { name } errors { code } } }`, `{}`)
			if byVariable != want || byLiteral != want {
				t.Errorf("%s: %q by a variable, %q in the document, want %q", text, byVariable, byLiteral, want)
			}
		}
		for _, call := range []string{
			name(`mutation($n: String) { updateBot(input: {botId: \"`+bot+`\", name: $n}) { bot { name } } }`, `{"n":"a\u0000b"}`),
			name(`mutation { updateBot(input: {botId: \"`+bot+`\", name: \"a\\u0000b\"}) { bot { name } } }`, `{}`),
		} {
			if call != "BAD_USER_INPUT1" && call != "GRAPHQL_VALIDATION_FAILED1" {
				t.Errorf("a NUL: %s", call)
			}
		}
		for id, code := range map[string]string{`9007199254740993`: "BAD_USER_INPUT", `1e400`: "BAD_USER_INPUT", `"bot_9223372036854775808"`: "BAD_USER_INPUT", `"bot_9223372036854775807"`: "NOT_FOUND", `"bot_1\ud800"`: "BAD_USER_INPUT"} {
			p.request(strings.NewReader(`{"query":"query($i:ID!){bot(id:$i){id}}","variables":{"i":`+id+`}}`), "application/json").wantCode("", code)
		}
		if r := p.upload(bot, "a\xffb\"; filename=\"\u202ec.txt", []byte(teaText)); r.tree["errors"] != nil || strings.Contains(r.text("uploadDocument.document.title"), "\u202e") {
			t.Errorf("a file with an odd name: %s", r.body)
		}
		r, _ := http.NewRequest(http.MethodPost, s.url+"/graphql", strings.NewReader(`{"query":"mutation{logIn(input:{email:\"`+p.email+`\",password:\"`+password+`\"}){accessToken errors{code}}}"}`))
		r.Header = http.Header{"Content-Type": {"application/json"}, "User-Agent": {"agent \xff\xfe \u202e"}}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if line, _ := bufio.NewReader(answer.Body).ReadString('\n'); !strings.Contains(line, `"errors":[]`) {
			t.Errorf("signing in with an odd User-Agent: %s", line)
		}
	})
}
