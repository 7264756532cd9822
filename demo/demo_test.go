package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// fakeAPI answers the demo's operations by the first key that their text contains.
type fakeAPI struct {
	replies map[string]string   // of POST, a JSON data
	events  map[string][]string // of subscriptions, JSON data
	mu      sync.Mutex
	asked   []string // the inputs of sendMessage
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "" {
		f.subscribe(w, r)
		return
	}
	var query string
	if reader, err := r.MultipartReader(); err == nil {
		for part, err := reader.NextPart(); err == nil; part, err = reader.NextPart() {
			raw, _ := io.ReadAll(part)
			query += string(raw)
		}
	} else {
		raw, _ := io.ReadAll(r.Body)
		query = string(raw)
	}
	w.Header().Set("Content-Type", "application/json")
	for key, reply := range f.replies {
		if strings.Contains(query, key+"(") || key == "serverInfo" && strings.Contains(query, key) {
			if key == "sendMessage" {
				f.mu.Lock()
				f.asked = append(f.asked, query)
				f.mu.Unlock()
			}
			_, _ = io.WriteString(w, reply)
			return
		}
	}
	http.Error(w, "unknown: "+query, http.StatusNotFound)
}

func (f *fakeAPI) subscribe(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"graphql-transport-ws"}})
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	for {
		var m struct {
			ID, Type string
			Payload  json.RawMessage
		}
		if wsjson.Read(r.Context(), conn, &m) != nil {
			return
		}
		switch m.Type {
		case "connection_init":
			_ = wsjson.Write(r.Context(), conn, map[string]any{"type": "connection_ack"})
		case "subscribe":
			for key, events := range f.events {
				if strings.Contains(string(m.Payload), key+"(") {
					for _, e := range events {
						_ = wsjson.Write(r.Context(), conn, map[string]any{"id": m.ID, "type": "next", "payload": json.RawMessage(e)})
					}
				}
			}
			_ = wsjson.Write(r.Context(), conn, map[string]any{"id": m.ID, "type": "complete"})
		}
	}
}

func newFakeAPI() *fakeAPI {
	return &fakeAPI{
		replies: map[string]string{
			"serverInfo":     `{"data":{"serverInfo":{"answers":{"provider":"offline","model":"kyro-extractive-1"}}}}`,
			"registerUser":   `{"data":{"registerUser":{"accessToken":"tok","errors":[]}}}`,
			"createBot":      `{"data":{"createBot":{"bot":{"id":"bot_1"},"errors":[]}}}`,
			"uploadDocument": `{"data":{"uploadDocument":{"document":{"id":"doc_1","status":"QUEUED"},"errors":[]}}}`,
			"document":       `{"data":{"document":{"id":"doc_1","status":"READY","pageCount":3,"chunkCount":7,"warnings":[{"message":"Page 2 has no text."}]}}}`,
			"sendMessage":    `{"data":{"sendMessage":{"conversation":{"id":"conv_1"},"botMessage":{"id":"msg_2"},"errors":[]}}}`,
		},
		events: map[string][]string{
			"documentProgress": {
				`{"data":{"documentProgress":{"status":"EXTRACTING","percent":20}}}`,
				`{"data":{"documentProgress":{"status":"READY","percent":100}}}`,
			},
			"messageStream": {
				`{"data":{"messageStream":{"__typename":"MessageSnapshot","message":{"text":"The har"}}}}`,
				`{"data":{"messageStream":{"__typename":"MessageDelta","text":"bour\u001b[31m. [1]"}}}`,
				`{"data":{"messageStream":{"__typename":"MessageFinished","message":{"text":"The harbour\u001b[31m. [1] Done.","status":"COMPLETED",
					"grounding":"PARTIAL","notices":["OFFLINE_ANSWER"],"citations":[
					{"marker":1,"documentTitle":"Guide","quote":"The\nharbour","pageStart":3,"pageEnd":3},
					{"marker":2,"documentTitle":"Notes","quote":"Two","pageStart":null,"pageEnd":null},
					{"marker":3,"documentTitle":"Long","quote":"Three","pageStart":4,"pageEnd":5}]}}}}`,
			},
		},
	}
}

// runDemo runs the demo on a file against a fake server, and checks that it cleans up.
func runDemo(t *testing.T, api *fakeAPI, input, file string, questions ...string) (string, error) {
	t.Helper()
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	var out bytes.Buffer
	var folder string
	stopped := 0
	err := Run(t.Context(), Options{Files: []string{file}, Questions: questions}, strings.NewReader(input), &out, func(_ context.Context, dataDir string) (string, func() error, error) {
		folder = dataDir
		if _, err := os.Stat(dataDir); err != nil {
			t.Errorf("the data folder: %v", err)
		}
		return server.URL, func() error { stopped++; return nil }, nil
	})
	if stopped != 1 {
		t.Errorf("the server was stopped %d times", stopped)
	}
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the data folder is still there: %v", err)
	}
	return out.String(), err
}

func testFile(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "guide.txt")
	if err := os.WriteFile(name, []byte("The harbour"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestDemoAsks(t *testing.T) {
	t.Parallel()
	api := newFakeAPI()
	out, err := runDemo(t, api, "", testFile(t), "What?", "And then?")
	if err != nil {
		t.Fatal(err)
	}
	answer := `
The harbour[31m. [1] Done.
[1] Guide, page 3: "The harbour"
[2] Notes: "Two"
[3] Long, pages 4-5: "Three"
Only a part of this is supported by the documents.
`
	want := `guide.txt: uploading
guide.txt: extracting
guide.txt: ready, 7 passages from 3 pages
  Page 2 has no text.

> What?` + answer + `(Answered offline, by quoting the documents.)

> And then?` + answer
	if out != want {
		t.Errorf("got:\n%s\nwant:\n%s", out, want)
	}
	if len(api.asked) != 2 || !strings.Contains(api.asked[0], `"botId":"bot_1"`) || !strings.Contains(api.asked[1], `"conversationId":"conv_1"`) ||
		strings.Contains(api.asked[1], `"botId"`) {
		t.Errorf("asked %q", api.asked)
	}
}

func TestDemoSaysWhoGetsTheFilesAndWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	api := newFakeAPI()
	api.replies["serverInfo"] = `{"data":{"serverInfo":{"answers":{"provider":"gemini","model":"gemini-3.8-flash"}}}}`
	api.events["documentProgress"] = []string{
		`{"data":{"documentProgress":{"status":"WAITING_QUOTA","percent":45,"retryAt":"2026-01-01T00:00:00Z","document":{"statusReason":"The quota is used up."}}}}`,
	}
	out, err := runDemo(t, api, "", testFile(t), "What?")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Answers come from gemini (gemini-3.8-flash), which gets the text of the files.\n", "guide.txt: waiting: The quota is used up.\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

func TestDemoChats(t *testing.T) {
	t.Parallel()
	api := newFakeAPI()
	out, err := runDemo(t, api, "\nWhat?\n/quit\nmore\n", testFile(t))
	if err != nil || len(api.asked) != 1 || strings.Count(out, "\n> ") != 3 {
		t.Errorf("%v; asked %q; printed:\n%s", err, api.asked, out)
	}
	if _, err := runDemo(t, newFakeAPI(), "", testFile(t)); err != nil {
		t.Errorf("an input that ends: %v", err)
	}
}

func TestDemoChatGoesOnAfterAnError(t *testing.T) {
	t.Parallel()
	for _, reply := range []string{
		`{"errors":[{"message":"Slow down.","extensions":{"code":"RATE_LIMITED"}}]}`,
		`{"data":{"sendMessage":{"conversation":null,"botMessage":null,"errors":[{"code":"VALIDATION","message":"Slow down."}]}}}`,
	} {
		api := newFakeAPI()
		api.replies["sendMessage"] = reply
		out, err := runDemo(t, api, "One?\nTwo?\n", testFile(t))
		if err != nil || strings.Count(out, "Slow down.") != 2 {
			t.Errorf("%v; printed:\n%s", err, out)
		}
	}
}

func TestDemoFailures(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ operation, reply, out, err string }{
		"nothing readable": {"document", `{"data":{"document":{"id":"doc_1","status":"NEEDS_OCR","statusReason":"It has no text.","warnings":[]}}}`,
			"guide.txt: needs ocr: It has no text.", "no document could be read"},
		"file refused": {"uploadDocument", `{"data":{"uploadDocument":{"document":null,"errors":[{"code":"FILE_EMPTY","message":"The file is empty."}]}}}`,
			"guide.txt: refused: The file is empty.", "no document could be read"},
		"server error":     {"uploadDocument", `{"errors":[{"message":"Later.","extensions":{"code":"UNAVAILABLE"}}]}`, "uploading", "Later. (UNAVAILABLE)"},
		"no sign-up":       {"registerUser", `{"data":{"registerUser":{"accessToken":null,"errors":[]}}}`, "", "confirmed first"},
		"sign-up is shut":  {"registerUser", `{"data":{"registerUser":{"errors":[{"code":"FORBIDDEN","message":"Sign-up is closed."}]}}}`, "", "Sign-up is closed."},
		"question refused": {"sendMessage", `{"data":{"sendMessage":{"errors":[{"code":"VALIDATION","message":"Too long."}]}}}`, "> Q", "Too long."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := newFakeAPI()
			api.replies[c.operation] = c.reply
			out, err := runDemo(t, api, "", testFile(t), "Q")
			if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(out, c.out) {
				t.Errorf("got %v; printed:\n%s", err, out)
			}
		})
	}
}

func TestDemoShowsAFailedAnswer(t *testing.T) {
	t.Parallel()
	api := newFakeAPI()
	api.events["messageStream"] = []string{
		`{"data":{"messageStream":{"__typename":"MessageDelta","text":"Half"}}}`,
		`{"data":{"messageStream":{"__typename":"MessageSnapshot","message":{"text":"Other"}}}}`,
		`{"data":{"messageStream":{"__typename":"MessageFinished","message":{"text":"Other","status":"STOPPED","finishReason":"STOPPED_BY_USER","notices":[],"citations":[]}}}}`,
	}
	out, err := runDemo(t, api, "", testFile(t), "Q")
	if err != nil || !strings.HasSuffix(out, "> Q\nHalf\n\nOther\nThe answer is not complete: stopped_by_user.\n") {
		t.Errorf("%v; printed:\n%s", err, out)
	}
	api.events["messageStream"] = api.events["messageStream"][:1]
	if _, err = runDemo(t, api, "", testFile(t), "Q"); err == nil || !strings.Contains(err.Error(), "without the finished answer") {
		t.Errorf("a stream that just ends: %v", err)
	}
}

func TestDemoIsInterrupted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		questions []string
		quiet     bool
	}{{nil, true}, {[]string{"Q"}, false}} {
		ctx, cancel := context.WithCancel(t.Context())
		stopped := false
		err := Run(ctx, Options{Files: []string{testFile(t)}, Questions: c.questions}, strings.NewReader(""), io.Discard, func(context.Context, string) (string, func() error, error) {
			cancel()
			return "http://127.0.0.1:1", func() error { stopped = true; return nil }, nil
		})
		if !stopped || (err == nil) != c.quiet {
			t.Errorf("%q: stopped %v, error %v", c.questions, stopped, err)
		}
	}
}

func TestBarOnATerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	b := (&screen{out: &out, terminal: true, colours: true}).bar("a.pdf")
	b.show("uploading", 50)
	b.show("uploading", 50.1) // nothing to redraw
	b.show("ready", 250)
	b.end(b.screen.green("ready"))
	b.show("late", 1)
	want := "\r\x1b[Ka.pdf ███████████████░░░░░░░░░░░░░░░  50% uploading\r\x1b[Ka.pdf ██████████████████████████████ 100% ready\r\x1b[Ka.pdf: \x1b[32mready\x1b[0m\n"
	if got := out.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
