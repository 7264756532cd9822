package program

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"kyrochat/client"
)

// person is somebody who uses the API, signed in or not.
type person struct {
	t         *testing.T
	s         *testServer
	token     string
	email     string
	keyNumber int64 // of whoever comes with an API key
}

const password = "correct horse battery"

var people atomic.Int64

// signUp makes an account and signs it in.
func (s *testServer) signUp(t *testing.T) *person {
	t.Helper()
	p := &person{t: t, s: s, email: fmt.Sprintf("person%d@example.com", people.Add(1))}
	got := p.must(`mutation($e: String!, $p: String!) { registerUser(input: {email: $e, password: $p, name: "Ada"}) {
		accessToken errors { code message } } }`, vars{"e": p.email, "p": password})
	p.token = got.text("registerUser.accessToken")
	return p
}

type vars = map[string]any

// reply is what the server answered.
type reply struct {
	t      *testing.T
	status int
	body   []byte
	tree   map[string]any
}

func (p *person) request(body io.Reader, contentType string) *reply {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.s.url+"/graphql", body)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Apollo-Require-Preflight", "true")
	if p.token != "" {
		req.Header.Set("Authorization", "Bearer "+p.token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	r := &reply{t: p.t, status: res.StatusCode}
	if r.body, err = io.ReadAll(res.Body); err != nil {
		p.t.Fatal(err)
	}
	if err := json.Unmarshal(r.body, &r.tree); err != nil {
		p.t.Fatalf("not JSON: %s", r.body)
	}
	return r
}

// ask sends an operation and gives whatever is answered.
func (p *person) ask(query string, v vars) *reply {
	p.t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": v})
	if err != nil {
		p.t.Fatal(err)
	}
	return p.request(bytes.NewReader(body), "application/json")
}

// must sends an operation that has to succeed: no top-level error and none in a payload.
func (p *person) must(query string, v vars) *reply {
	p.t.Helper()
	r := p.ask(query, v)
	if r.tree["errors"] != nil {
		p.t.Fatalf("unexpected errors: %s\nin %s", r.body, query)
	}
	for name, field := range r.at("data").(map[string]any) {
		if payload, ok := field.(map[string]any); ok {
			if errs, ok := payload["errors"].([]any); ok && len(errs) > 0 {
				p.t.Fatalf("%s: unexpected errors: %v", name, errs)
			}
		}
	}
	return r
}

// upload sends a file to a bot.
func (p *person) upload(bot, name string, content []byte) *reply {
	p.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	operations, _ := json.Marshal(map[string]any{
		"query": `mutation($bot: ID!, $file: Upload!) { uploadDocument(input: {botId: $bot, file: $file}) {
			document { id status title fileName kind sizeBytes mimeType contentHash } duplicateOf { id } errors { code message field } } }`,
		"variables": vars{"bot": bot, "file": nil},
	})
	_ = form.WriteField("operations", string(operations))
	_ = form.WriteField("map", `{"0": ["variables.file"]}`)
	part, _ := form.CreateFormFile("0", name)
	_, _ = part.Write(content)
	_ = form.Close()
	return p.request(&body, form.FormDataContentType())
}

// at gives what stands at a path such as data.viewer.bots.nodes.0.id.
func (r *reply) at(path string) any {
	r.t.Helper()
	var here any = r.tree
	for part := range strings.SplitSeq(path, ".") {
		switch v := here.(type) {
		case map[string]any:
			next, found := v[part]
			if !found {
				r.t.Fatalf("nothing at %s of %s", path, r.body)
			}
			here = next
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i >= len(v) {
				r.t.Fatalf("nothing at %s of %s", path, r.body)
			}
			here = v[i]
		default:
			r.t.Fatalf("nothing at %s of %s", path, r.body)
		}
	}
	return here
}

// get is at below data.
func (r *reply) get(path string) any { r.t.Helper(); return r.at("data." + path) }

func (r *reply) text(path string) string {
	r.t.Helper()
	s, ok := r.get(path).(string)
	if !ok {
		r.t.Fatalf("%s is no string in %s", path, r.body)
	}
	return s
}

func (r *reply) number(path string) float64 {
	r.t.Helper()
	n, ok := r.get(path).(float64)
	if !ok {
		r.t.Fatalf("%s is no number in %s", path, r.body)
	}
	return n
}

func (r *reply) list(path string) []any {
	r.t.Helper()
	l, ok := r.get(path).([]any)
	if !ok {
		r.t.Fatalf("%s is no list in %s", path, r.body)
	}
	return l
}

// wantCode checks that the first error, at the top level or in the payload of the field, has the code.
func (r *reply) wantCode(field, code string) {
	r.t.Helper()
	if errs, ok := r.tree["errors"].([]any); ok && len(errs) > 0 {
		if got := r.at("errors.0.extensions.code"); got != code {
			r.t.Errorf("got the top-level code %v, want %s: %s", got, code, r.body)
		}
		return
	}
	if field == "" {
		r.t.Errorf("want the top-level code %s: %s", code, r.body)
		return
	}
	errs := r.list(field + ".errors")
	if len(errs) == 0 {
		r.t.Errorf("want %s: %s", code, r.body)
		return
	}
	if got := r.get(field + ".errors.0.code"); got != code {
		r.t.Errorf("got %v, want %s: %s", got, code, r.body)
	}
}

// newBot makes a bot.
func (p *person) newBot() string {
	p.t.Helper()
	return p.must(`mutation { createBot(input: {name: "Helper"}) { bot { id } errors { code message } } }`, nil).text("createBot.bot.id")
}

// api is the Go client of the public API, signed in as the person.
func (p *person) api() *client.Client {
	p.t.Helper()
	c, err := client.New(p.s.url, client.Options{})
	if err != nil {
		p.t.Fatal(err)
	}
	c.SetToken(p.token)
	return c
}

// follow subscribes and gives each event to see, until see says that it is enough or the stream ends.
func (p *person) follow(query string, v vars, see func(event *reply) (more bool)) error {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	for raw, err := range p.api().Subscribe(ctx, query, v) {
		if err != nil {
			return err
		}
		event := &reply{t: p.t, body: raw}
		var data map[string]any
		if err := json.Unmarshal(raw, &data); err != nil {
			p.t.Fatalf("not JSON: %s", raw)
		}
		event.tree = map[string]any{"data": data}
		if !see(event) {
			return nil
		}
	}
	return nil
}

// settled waits until a document is final and gives its status.
func (p *person) settled(document string) string {
	p.t.Helper()
	var status string
	err := p.follow(`subscription($d: ID!) { documentProgress(documentId: $d) { status percent } }`, vars{"d": document}, func(e *reply) bool {
		status = e.text("documentProgress.status")
		return true
	})
	if err != nil {
		p.t.Fatalf("documentProgress: %v", err)
	}
	return status
}

// know makes a text document and waits until it is searchable.
func (p *person) know(bot, title, text string) string {
	p.t.Helper()
	document := p.must(`mutation($b: ID!, $ti: String!, $te: String!) { addTextDocument(input: {botId: $b, title: $ti, text: $te}) {
		document { id } errors { code message } } }`, vars{"b": bot, "ti": title, "te": text}).text("addTextDocument.document.id")
	if status := p.settled(document); status != "READY" {
		p.t.Fatalf("the document is %s", status)
	}
	return document
}
