package transport_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"kyrochat/transport"
)

// part is one part of a form; file is its file name, if any.
type part struct{ name, file, text string }

func (s *server) form(t *testing.T, parts []part, headers ...string) *http.Request {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, p := range parts {
		header := textproto.MIMEHeader{}
		disposition := fmt.Sprintf("form-data; name=%q", p.name)
		if p.file != "" {
			disposition += fmt.Sprintf("; filename=%q", p.file)
			header.Set("Content-Type", "text/x-test")
		}
		header.Set("Content-Disposition", disposition)
		w, err := form.CreatePart(header)
		if err == nil {
			_, err = io.WriteString(w, p.text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	headers = append([]string{"Content-Type: " + form.FormDataContentType(), "GraphQL-Require-Preflight: 1"}, headers...)
	return s.request(t, http.MethodPost, "", body.String(), headers...)
}

func operations(query, variables string) part {
	return part{name: "operations", text: fmt.Sprintf(`{"query":%q,"variables":%s}`, query, variables)}
}

const (
	uploadOne = "mutation($f:Upload!){upload(file:$f)}"
	uploadIn  = "mutation($i:FileInput!){uploadIn(input:$i)}"
	uploadAll = "mutation($f:[Upload!]!){uploadAll(files:$f)}"
	uploadTwo = "mutation($a:Upload!,$b:Upload!){x:upload(file:$a) y:upload(file:$b)}"
)

func TestUploads(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{MaxUpload: 1 << 20}, &transport.Websocket{})
	long := strings.Repeat("0123456789", 50_000)
	for name, c := range map[string]struct {
		parts []part
		want  string
	}{
		"one": {[]part{operations(uploadOne, `{"f":null}`), {name: "map", text: `{"0":["variables.f"]}`}, {"0", "a.txt", "abc"}},
			`{"data":{"upload":"a.txt text/x-test 3 96354"}}`},
		"empty": {[]part{operations(uploadOne, `{"f":null}`), {name: "map", text: `{"0":["variables.f"]}`}, {"0", "a.txt", ""}},
			`{"data":{"upload":"a.txt text/x-test 0 0"}}`},
		"in an input": {[]part{operations(uploadIn, `{"i":{"file":null}}`), {name: "map", text: `{"0":["variables.i.file"]}`}, {"0", "../../etc/passwd", "abc"}},
			`{"data":{"uploadIn":"passwd text/x-test 3 96354"}}`},
		"in a list": {[]part{operations(uploadAll, `{"f":[null,null]}`), {name: "map", text: `{"0":["variables.f.0"],"1":["variables.f.1"]}`}, {"0", "a", "abc"}, {"1", "b", "abc"}},
			`{"data":{"uploadAll":"[a text/x-test 3 96354 b text/x-test 3 96354]"}}`},
		"two fields": {[]part{operations(uploadTwo, `{"a":null,"b":null}`), {name: "map", text: `{"0":["variables.a"],"1":["variables.b"]}`}, {"0", "a", "abc"}, {"1", "b", "abc"}},
			`{"data":{"x":"a text/x-test 3 96354","y":"b text/x-test 3 96354"}}`},
		"skipped": {[]part{operations("mutation($f:Upload!){skip(file:$f)}", `{"f":null}`), {name: "map", text: `{"0":["variables.f"]}`}, {"0", "long.txt", long}},
			`{"data":{"skip":"long.txt"}}`},
		"no file": {[]part{operations("{hello}", `null`), {name: "map", text: `{}`}},
			`{"data":{"hello":"hello \u003cnil\u003e"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := s.send(t, s.form(t, c.parts)); got.status != 200 || got.text != c.want {
				t.Errorf("got %d %s\nwant %s", got.status, got.text, c.want)
			}
		})
	}
}

func TestUploadRefusals(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{MaxUpload: 1 << 20}, &transport.Websocket{})
	file := part{"0", "a.txt", "abc"}
	mapped := func(variables, paths string) []part {
		return []part{operations(uploadOne, variables), {name: "map", text: paths}, file}
	}
	many := map[string][]string{}
	for i := range 11 {
		many[fmt.Sprint(i)] = []string{"variables.f"}
	}
	tooMany, _ := json.Marshal(many)
	for name, c := range map[string]struct {
		parts  []part
		status int
	}{
		"index out of range":     {mapped(`{"f":[null]}`, `{"0":["variables.f.1"]}`), 400},
		"negative index":         {mapped(`{"f":[null]}`, `{"0":["variables.f.-1"]}`), 400},
		"index with zero":        {mapped(`{"f":[null]}`, `{"0":["variables.f.00"]}`), 400},
		"huge index":             {mapped(`{"f":[null]}`, `{"0":["variables.f.99999999999999999999"]}`), 400},
		"path into a string":     {mapped(`{"f":"x"}`, `{"0":["variables.f.x"]}`), 400},
		"number on an object":    {mapped(`{"f":{"a":null}}`, `{"0":["variables.f.0"]}`), 400},
		"key on a list":          {mapped(`{"f":[null]}`, `{"0":["variables.f.a"]}`), 400},
		"variables are null":     {mapped(`null`, `{"0":["variables.f"]}`), 400},
		"no variables":           {[]part{{name: "operations", text: `{"query":"{hello}"}`}, {name: "map", text: `{"0":["variables.f"]}`}, file}, 400},
		"place is not null":      {mapped(`{"f":"x"}`, `{"0":["variables.f"]}`), 400},
		"list place not null":    {mapped(`{"f":["x"]}`, `{"0":["variables.f.0"]}`), 400},
		"place is not there":     {mapped(`{"f":null}`, `{"0":["variables.g"]}`), 400},
		"through a null":         {mapped(`{"f":null}`, `{"0":["variables.f.g"]}`), 400},
		"not among variables":    {mapped(`{"f":null}`, `{"0":["query"]}`), 400},
		"variables alone":        {mapped(`{"f":null}`, `{"0":["variables"]}`), 400},
		"batch path":             {mapped(`{"f":null}`, `{"0":["0.variables.f"]}`), 400},
		"empty path":             {mapped(`{"f":null}`, `{"0":[""]}`), 400},
		"deep path":              {mapped(`{"f":null}`, `{"0":["variables`+strings.Repeat(".f", 30)+`"]}`), 400},
		"no path":                {mapped(`{"f":null}`, `{"0":[]}`), 400},
		"two paths":              {mapped(`{"f":[null,null]}`, `{"0":["variables.f.0","variables.f.1"]}`), 400},
		"one place for two":      {mapped(`{"f":null}`, `{"0":["variables.f"],"1":["variables.f"]}`), 400},
		"map of texts":           {mapped(`{"f":null}`, `{"0":"variables.f"}`), 400},
		"map is a list":          {mapped(`{"f":null}`, `["variables.f"]`), 400},
		"map is null":            {mapped(`{"f":null}`, `null`), 400},
		"map goes on":            {mapped(`{"f":null}`, `{"0":["variables.f"]}{}`), 400},
		"map is long":            {mapped(`{"f":null}`, `{"0":["variables.`+strings.Repeat("f", 20000)+`"]}`), 413},
		"too many files":         {mapped(`{"f":null}`, string(tooMany)), 400},
		"map first":              {[]part{{name: "map", text: `{}`}, operations(uploadOne, `{"f":null}`), file}, 400},
		"file first":             {[]part{file, operations(uploadOne, `{"f":null}`), {name: "map", text: `{"0":["variables.f"]}`}}, 400},
		"no file":                {[]part{operations(uploadOne, `{"f":null}`), {name: "map", text: `{"0":["variables.f"]}`}}, 400},
		"another file":           {[]part{operations(uploadOne, `{"f":null}`), {name: "map", text: `{"0":["variables.f"]}`}, {"1", "a.txt", "abc"}}, 400},
		"nothing":                {nil, 400},
		"batch":                  {[]part{{name: "operations", text: `[{"query":"{hello}"}]`}, {name: "map", text: `{}`}}, 400},
		"operations are too big": {[]part{operations(uploadOne, `{"f":"`+strings.Repeat("x", 300_000)+`"}`)}, 413},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := s.send(t, s.form(t, c.parts))
			if got.status != c.status || len(got.Errors) != 1 {
				t.Errorf("got %d %s, want %d", got.status, got.text, c.status)
			}
		})
	}
	if log := s.log.String(); strings.Contains(log, "panic") {
		t.Errorf("panicked: %s", log)
	}
}

func TestUploadToWrongType(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
	for _, query := range []string{"query($f:String){hello(name:$f)}", "query($f:Int!){limit(n:$f)}", "query($f:[FileInput]){hello}"} {
		got := s.send(t, s.form(t, []part{operations(query, `{"f":null}`), {name: "map", text: `{"0":["variables.f"]}`}, {"0", "a", "b"}}))
		if got.status != 200 || len(got.Errors) != 1 || got.code() == "INTERNAL" {
			t.Errorf("%s: %d %s", query, got.status, got.text)
		}
	}
}

func TestUploadNeedsPreflight(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
	parts := []part{operations("mutation{touch}", `{}`), {name: "map", text: `{}`}}
	if got := s.send(t, s.form(t, parts, "GraphQL-Require-Preflight: ")); got.status != 403 || got.code() != "PREFLIGHT_REQUIRED" {
		t.Errorf("got %d %s", got.status, got.text)
	}
	for _, header := range []string{"Apollo-Require-Preflight", "X-Requested-With", "GraphQL-Require-Preflight"} {
		if got := s.send(t, s.form(t, parts, "GraphQL-Require-Preflight: ", header+": yes")); got.status != 200 {
			t.Errorf("%s: %d %s", header, got.status, got.text)
		}
	}
	for header, status := range map[string]int{"Accept: text/html": 406, "Content-Encoding: gzip": 415, "Content-Type: multipart/form-data": 400} {
		if got := s.send(t, s.form(t, parts, header)); got.status != status {
			t.Errorf("%s: %d %s", header, got.status, got.text)
		}
	}
}

// Files that are out of order, missing or too many are told as errors of their fields.
func TestUploadOrder(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
	head := []part{operations(uploadTwo, `{"a":null,"b":null}`), {name: "map", text: `{"0":["variables.a"],"1":["variables.b"]}`}}
	a, b := part{"0", "a", "abc"}, part{"1", "b", "abc"}
	for name, c := range map[string]struct {
		files []part
		fails []string
	}{
		"reversed": {[]part{b, a}, []string{"y"}},
		"missing":  {[]part{a}, []string{"y"}},
		"unknown":  {[]part{a, {"2", "c", "abc"}}, []string{"y"}},
		"again":    {[]part{a, a}, []string{"y"}},
	} {
		got := s.send(t, s.form(t, append(head[:2:2], c.files...)))
		if got.status != 200 || len(got.Errors) != len(c.fails) || got.code() != "BAD_USER_INPUT" || got.Errors[0].Path[0] != c.fails[0] {
			t.Errorf("%s: %d %s", name, got.status, got.text)
		}
	}
}

func TestUploadTooLarge(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{MaxUpload: 1000}, &transport.Websocket{})
	head := []part{operations(uploadOne, `{"f":null}`), {name: "map", text: `{"0":["variables.f"]}`}}
	// The use case measures the file; a little more than the limit has to reach it.
	got := s.send(t, s.form(t, append(head[:2:2], part{"0", "a", strings.Repeat("x", 1001)})))
	if got.status != 200 || len(got.Errors) != 0 {
		t.Errorf("one byte over: %d %s", got.status, got.text)
	}
	got = s.send(t, s.form(t, append(head[:2:2], part{"0", "a", strings.Repeat("x", 1<<20+1000)})))
	if got.status != 200 || got.code() != "FILE_TOO_LARGE" {
		t.Errorf("beyond the budget: %d %s", got.status, got.text)
	}
	got = s.send(t, s.form(t, append(head[:2:2], part{"0", "a", strings.Repeat("x", 2<<20)})))
	if got.status != 413 || got.code() != "PAYLOAD_TOO_LARGE" || !got.closes {
		t.Errorf("beyond all: %d %s %v", got.status, got.text, got.header)
	}
}

// TestUploadBreaksOff stops in the middle of a file: by closing, and by sending nothing more.
func TestUploadBreaksOff(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{Grace: 50 * time.Millisecond}, &transport.Websocket{})
	var body bytes.Buffer
	r := s.form(t, []part{operations(uploadOne, `{"f":null}`), {name: "map", text: `{"0":["variables.f"]}`}, {"0", "a", "abcdefgh"}})
	r.ContentLength += 1000
	r.Body = io.NopCloser(io.MultiReader(r.Body, strings.NewReader(strings.Repeat("x", 1000))))
	if err := r.Write(&body); err != nil {
		t.Fatal(err)
	}
	half := body.Bytes()[:bytes.Index(body.Bytes(), []byte("abcdefgh"))+4]
	for _, closing := range []bool{true, false} {
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(half); err != nil {
			t.Fatal(err)
		}
		if closing {
			_ = conn.(*net.TCPConn).CloseWrite()
		}
		answer, err := io.ReadAll(conn)
		conn.Close()
		if err != nil || !strings.Contains(string(answer), "The upload ended before the file was complete") || !strings.Contains(string(answer), "Connection: close") {
			t.Errorf("closing %v: %q, %v", closing, answer, err)
		}
	}
}

func FuzzUploadMap(f *testing.F) {
	f.Add(`{"0":["variables.f"]}`, `{"f":null}`)
	f.Add(`{"0":["variables.f.0.a"]}`, `{"f":[{"a":null}]}`)
	f.Add(`{"0":["variables.f.-1"]}`, `{"f":[null]}`)
	f.Fuzz(func(t *testing.T, paths, variables string) {
		var values map[string]any
		if json.Unmarshal([]byte(variables), &values) != nil {
			return
		}
		if placed, ok := transport.PlaceUploads([]byte(paths), values); ok && placed > 10 {
			t.Errorf("%d files", placed)
		}
	})
}
