package transport_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"kyrochat/kyro"
	"kyrochat/transport"
)

// events sends an operation and gives the stream that answers.
func (s *server) events(t *testing.T, ctx context.Context, method, query, body string, headers ...string) *http.Response {
	t.Helper()
	r := s.request(t, method, query, body, append([]string{"Accept: text/event-stream"}, headers...)...)
	answer, err := s.Client().Do(r.WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

// told are the events of a stream that has ended, without comments and costs.
func told(t *testing.T, answer *http.Response) []string {
	t.Helper()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var events []string
	for event := range strings.SplitSeq(string(text), "\n\n") {
		if event != "" && event != ":" && !strings.HasPrefix(event, "retry: ") {
			events = append(events, costless(event))
		}
	}
	return events
}

// TestTheFirstEventTellsTheCost: of a subscription as of a query, but once.
func TestTheFirstEventTellsTheCost(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
	text, err := io.ReadAll(s.events(t, t.Context(), "POST", "", `{"query":"subscription{count(to:2)}"}`).Body)
	want := `data: {"data":{"count":1},"extensions":{"cost":{"requested":1,"max":2000}}}` + "\n\nevent: next\ndata: " + `{"data":{"count":2}}` + "\n\n"
	if err != nil || !strings.Contains(string(text), want) {
		t.Errorf("%v: %s", err, text)
	}
}

func TestEventStreams(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
	const complete = "event: complete\ndata:"
	next := func(text string) string { return "event: next\ndata: " + text }
	failed := func(message, code, more string) string {
		return next(fmt.Sprintf(`{"errors":[{"message":%q%s,"extensions":{"code":%q,"requestId":"req-id"}}]`, message, more, code))
	}
	for name, c := range map[string]struct {
		method, query, body string
		want                []string
	}{
		"stream":        {"POST", "", `{"query":"subscription{count(to:3)}"}`, []string{next(`{"data":{"count":1}}`), next(`{"data":{"count":2}}`), next(`{"data":{"count":3}}`), complete}},
		"by GET":        {"GET", "?query=" + url.QueryEscape("subscription{count(to:1)}"), "", []string{next(`{"data":{"count":1}}`), complete}},
		"query":         {"POST", "", `{"query":"{hello(name:\"x\")}"}`, []string{next(`{"data":{"hello":"hello x"}}`), complete}},
		"mutation":      {"POST", "", `{"query":"mutation{touch}"}`, []string{next(`{"data":{"touch":"touched"}}`), complete}},
		"GET mutation":  {"GET", "?query=mutation%7Btouch%7D", "", []string{failed("Mutations cannot be sent by GET.", "METHOD_NOT_ALLOWED", "") + "}", complete}},
		"invalid":       {"POST", "", `{"query":"subscription{count}"}`, []string{failed(`Field "count" argument "to" of type "Int!" is required, but it was not provided.`, "GRAPHQL_VALIDATION_FAILED", `,"locations":[{"line":1,"column":14}]`) + "}", complete}},
		"refused field": {"POST", "", `{"query":"subscription{failing}"}`, []string{failed("Message not found.", "NOT_FOUND", "") + "}", complete}},
		"panic":         {"POST", "", `{"query":"subscription{panicking}"}`, []string{failed("Something went wrong on our side. If it happens again, report it with the request id.", "INTERNAL", "") + "}", complete}},
	} {
		answer := s.events(t, t.Context(), c.method, c.query, c.body)
		if got := told(t, answer); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: got %q\nwant %q", name, got, c.want)
		}
		for header, want := range map[string]string{
			"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no", "X-Request-Id": "req-id",
		} {
			if answer.Header.Get(header) != want {
				t.Errorf("%s: %s is %q", name, header, answer.Header.Get(header))
			}
		}
	}
	for name, c := range map[string]struct {
		method, query, body string
		header              string
		status              int
	}{
		"text":          {"POST", "", `{"query":"{hello}"}`, "Content-Type: text/plain", 415},
		"batch":         {"POST", "", `[]`, "X: y", 400},
		"cross-site":    {"GET", "?query=%7Bhello%7D", "", "Sec-Fetch-Site: cross-site", 403},
		"nothing asked": {"GET", "", "", "X: y", 400},
	} {
		if answer := s.events(t, t.Context(), c.method, c.query, c.body, c.header); answer.StatusCode != c.status || answer.Header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%s: %d %s", name, answer.StatusCode, answer.Header)
		}
	}
}

// Clients such as urql accept event streams for everything; they get them where they would rather have them than JSON.
func TestEventStreamsArePreferred(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
	for accept, want := range map[string]string{
		"application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed": "application/graphql-response+json",
		"application/json, text/event-stream":       "application/json",
		"text/event-stream;q=0.5, application/json": "application/json",
		"*/*, text/event-stream":                    "application/json",
		"text/event-stream, multipart/mixed":        "text/event-stream",
		"text/event-stream, */*":                    "text/event-stream",
		"application/json;q=0.5, TEXT/event-stream": "text/event-stream",
	} {
		answer, err := s.Client().Do(s.request(t, "POST", "", `{"query":"{hello}"}`, "Accept: "+accept))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if got := answer.Header.Get("Content-Type"); answer.StatusCode != 200 || got != want+"; charset=utf-8" {
			t.Errorf("%q: %d %q", accept, answer.StatusCode, got)
		}
	}
}

func TestEventStreamsEnd(t *testing.T) {
	t.Parallel()
	const forever = `{"query":"subscription{forever}"}`
	ends := map[string]func(t *testing.T, s *server, leave context.CancelFunc){
		"by the client":   func(_ *testing.T, _ *server, leave context.CancelFunc) { leave() },
		"with the server": func(t *testing.T, s *server, _ context.CancelFunc) { _ = s.connections.CloseAll(t.Context()) },
	}
	for name, end := range ends {
		s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		answer := s.events(t, ctx, "POST", "", forever)
		lines := bufio.NewScanner(answer.Body)
		for lines.Scan() && lines.Text() != ":" { // a comment came, so that the stream is open
		}
		end(t, s, leave)
		rest := ""
		for lines.Scan() {
			rest += lines.Text()
		}
		if strings.Contains(rest, "complete") {
			t.Errorf("%s: clients would not come back: %q", name, rest)
		}
		eventually(t, "everything to end", func() bool { return s.connections.Count() == 0 && s.fields.active() == 0 })
	}
}

func TestEventStreamOfASession(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
	inner := s.Config.Handler
	expires := time.Time{}
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r.WithContext(kyro.WithViewer(r.Context(), kyro.Viewer{UserID: kyro.UserID(1), SessionID: kyro.SessionID(7), Expires: expires})))
	})
	answer := s.events(t, t.Context(), "POST", "", `{"query":"subscription{forever}"}`)
	eventually(t, "the stream", func() bool { return s.fields.active() == 1 })
	s.connections.CloseCredential(kyro.SessionID(8))
	s.connections.CloseCredential(kyro.SessionID(7))
	if got := told(t, answer); len(got) != 2 || !strings.Contains(got[0], "UNAUTHENTICATED") || !strings.Contains(got[1], "complete") {
		t.Errorf("a session that ended: %q", got)
	}
	expires = time.Now().Add(-5 * time.Second)
	if got := told(t, s.events(t, t.Context(), "POST", "", `{"query":"subscription{forever}"}`)); len(got) != 0 {
		t.Errorf("a token that expired: %q", got)
	}
	eventually(t, "everything to end", func() bool { return s.connections.Count() == 0 && s.fields.active() == 0 })
}

// A client that reads nothing is cut off and holds nobody up.
func TestEventStreamThatIsNotRead(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := `{"query":"subscription{big}"}`
	fmt.Fprintf(conn, "POST /graphql HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	eventually(t, "the stream", func() bool { return s.fields.active() == 1 })
	eventually(t, "the stream to be cut", func() bool { return s.connections.Count() == 0 && s.fields.active() == 0 })
}
