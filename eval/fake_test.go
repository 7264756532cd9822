package eval_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// fakeServer speaks as much of the public API as an evaluation needs, and answers as a test tells it to. A document's
// stored text is what was added.
type fakeServer struct {
	vectors  string
	search   func(query string) string                         // the value of bot.search, or an object with errors
	answer   func(question string) (events []string, m string) // of messageStream, and the stored message
	refuse   map[string]string                                 // whole answers, by the root field
	statuses map[string]string                                 // of documents, by title; READY
	asking   func()                                            // told of every sendMessage

	mu        sync.Mutex
	documents []string // texts; the id is doc_ and the place from 1
	titles    []string
	questions []string // the id of the answer is msg_ and the place from 1
	sent      []map[string]any
	bot       map[string]any
	deleted   []string
}

func (f *fakeServer) start(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return server.URL
}

type fakeRequest struct {
	Query     string
	Variables map[string]any
}

func (r fakeRequest) input() map[string]any {
	in, _ := r.Variables["input"].(map[string]any)
	return in
}

func (f *fakeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "" {
		f.serveSocket(w, r)
		return
	}
	var req fakeRequest
	file := ""
	if parts, err := r.MultipartReader(); err == nil {
		for part, err := parts.NextPart(); err == nil; part, err = parts.NextPart() {
			raw, _ := io.ReadAll(part)
			switch part.FormName() {
			case "operations":
				_ = json.Unmarshal(raw, &req)
			case "map":
			default:
				file = string(raw)
			}
		}
	} else {
		_ = json.NewDecoder(r.Body).Decode(&req)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, f.reply(req, file))
}

func (f *fakeServer) reply(req fakeRequest, file string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	for field, reply := range f.refuse {
		if strings.Contains(req.Query, field+"(") {
			return reply
		}
	}
	is := func(field string) bool { return strings.Contains(req.Query, field) }
	of := func(id any) int {
		n := 0
		_, _ = fmt.Sscanf(id.(string), "doc_%d", &n)
		return n - 1
	}
	switch {
	case is("serverInfo"):
		return fmt.Sprintf(`{"data":{"serverInfo":{"version":"v1","answers":{"provider":"fake","model":"f-1"},"embeddings":{"provider":"fake","model":"e-1"},"vectors":%q,"database":"sqlite"}}}`, f.vectors)
	case is("registerUser("):
		return `{"data":{"registerUser":{"accessToken":"tok","errors":[]}}}`
	case is("createBot("):
		f.bot = req.input()
		return `{"data":{"createBot":{"bot":{"id":"bot_1"},"errors":[]}}}`
	case is("deleteBot("):
		f.deleted = append(f.deleted, req.input()["botId"].(string))
		return `{"data":{"deleteBot":{"deletedId":"bot_1","errors":[]}}}`
	case is("addTextDocument("):
		return f.add("addTextDocument", req, req.input()["text"].(string))
	case is("uploadDocument("):
		return f.add("uploadDocument", req, file)
	case is("text("):
		var start, length int
		start, length = int(req.Variables["start"].(float64)), int(req.Variables["length"].(float64))
		text := f.documents[of(req.Variables["id"])]
		start = min(start, len(text))
		return data("document", map[string]any{"text": text[start:min(start+length, len(text))]})
	case is("chunks("):
		text := f.documents[of(req.Variables["id"])]
		return data("document", json.RawMessage(fmt.Sprintf(`{"chunks":{"nodes":[{"charStart":0,"charEnd":%d,"pageStart":1,"pageEnd":1}],"pageInfo":{"hasNextPage":false,"endCursor":null}}}`, len(text))))
	case is("document("):
		at := of(req.Variables["id"])
		status, pages := f.statuses[f.titles[at]], "null"
		if status == "" {
			status = "READY"
		}
		if strings.HasPrefix(f.titles[at], "paged") {
			pages = "1"
		}
		return fmt.Sprintf(`{"data":{"document":{"status":%q,"statusReason":"It is so.","version":1,"pageCount":%s}}}`, status, pages)
	case is("search("):
		return f.search(req.Variables["query"].(string))
	case is("sendMessage("):
		if f.asking != nil {
			f.asking()
		}
		f.questions = append(f.questions, req.input()["text"].(string))
		f.sent = append(f.sent, req.input())
		return fmt.Sprintf(`{"data":{"sendMessage":{"conversation":{"id":"conv_9"},"botMessage":{"id":"msg_%d"},"errors":[]}}}`, len(f.questions))
	case is("message("):
		_, m := f.answer(f.asked(req.Variables["id"]))
		return `{"data":{"message":` + m + `}}`
	}
	return `{"errors":[{"message":"unknown: ` + req.Query + `"}]}`
}

func (f *fakeServer) add(field string, req fakeRequest, text string) string {
	f.documents = append(f.documents, text)
	f.titles = append(f.titles, req.input()["title"].(string))
	return fmt.Sprintf(`{"data":{%q:{"document":{"id":"doc_%d"},"errors":[]}}}`, field, len(f.documents))
}

func (f *fakeServer) asked(id any) string {
	n := 0
	_, _ = fmt.Sscanf(id.(string), "msg_%d", &n)
	return f.questions[n-1]
}

func data(field string, value any) string {
	raw, _ := json.Marshal(map[string]any{"data": map[string]any{field: value}})
	return string(raw)
}

func (f *fakeServer) serveSocket(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"graphql-transport-ws"}})
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	for {
		var m struct {
			ID, Type string
			Payload  fakeRequest
		}
		if wsjson.Read(r.Context(), conn, &m) != nil {
			return
		}
		switch m.Type {
		case "connection_init":
			_ = wsjson.Write(r.Context(), conn, map[string]any{"type": "connection_ack"})
		case "subscribe":
			events := []string{`{"documentProgress":{"retryAt":"2026-01-01T00:00:00Z","document":{"statusReason":"The quota is used up."}}}`, `{"documentProgress":{"document":{}}}`}
			if strings.Contains(m.Payload.Query, "messageStream(") {
				f.mu.Lock()
				question := f.asked(m.Payload.Variables["id"])
				f.mu.Unlock()
				events, _ = f.answer(question)
			}
			for _, e := range events {
				_ = wsjson.Write(r.Context(), conn, map[string]any{"id": m.ID, "type": "next", "payload": json.RawMessage(`{"data":` + e + `}`)})
			}
			_ = wsjson.Write(r.Context(), conn, map[string]any{"id": m.ID, "type": "complete"})
		}
	}
}

// hit is a search hit on a document's text from start to end.
func hit(document, start, end int, dropped string) string {
	reason := "null"
	if dropped != "" {
		reason = `"` + dropped + `"`
	}
	return fmt.Sprintf(`{"dropped":%s,"chunk":{"charStart":%d,"charEnd":%d,"document":{"id":"doc_%d"}}}`, reason, start, end, document)
}

func found(hits ...string) string {
	return `{"data":{"bot":{"search":[` + strings.Join(hits, ",") + `]}}}`
}

// streamed are the events of an answer.
func streamed(text string) []string {
	quoted, _ := json.Marshal(text)
	return []string{
		`{"messageStream":{"__typename":"MessageSnapshot","message":{"text":""}}}`,
		`{"messageStream":{"__typename":"MessageDelta","text":` + string(quoted) + `}}`,
		`{"messageStream":{"__typename":"MessageFinished","message":{"text":` + string(quoted) + `}}}`,
	}
}
