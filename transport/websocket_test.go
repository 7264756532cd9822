package transport_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"kyrochat/kyro"
	"kyrochat/transport"
)

// peer is a client that speaks raw messages.
type peer struct {
	t    *testing.T
	conn *websocket.Conn
}

func (s *server) dial(t *testing.T, options *websocket.DialOptions) *peer {
	t.Helper()
	if options == nil {
		options = &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}}
	}
	conn, _, err := websocket.Dial(t.Context(), s.URL+"/graphql", options)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(-1)
	t.Cleanup(func() { _ = conn.CloseNow() })
	return &peer{t, conn}
}

// open dials and initialises.
func (s *server) open(t *testing.T) *peer {
	t.Helper()
	p := s.dial(t, nil)
	p.send(`{"type":"connection_init"}`)
	p.expect(`{"type":"connection_ack"}`)
	return p
}

func (p *peer) send(messages ...string) {
	p.t.Helper()
	for _, m := range messages {
		if err := p.conn.Write(p.t.Context(), websocket.MessageText, []byte(m)); err != nil {
			p.t.Fatal(err)
		}
	}
}

// receive gives the next message, or the close as "code reason".
func (p *peer) receive() string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, data, err := p.conn.Read(ctx)
	var closed websocket.CloseError
	switch {
	case errors.As(err, &closed):
		return fmt.Sprintf("%d %s", closed.Code, closed.Reason)
	case err != nil:
		return err.Error()
	}
	return costless(string(data))
}

func (p *peer) expect(messages ...string) {
	p.t.Helper()
	for _, want := range messages {
		if got := p.receive(); got != want {
			p.t.Fatalf("got %.300s\nwant %s", got, want)
		}
	}
}

func subscribe(id, query string) string {
	return fmt.Sprintf(`{"id":%q,"type":"subscribe","payload":{"query":%q}}`, id, query)
}

func next(id, data string) string {
	return fmt.Sprintf(`{"type":"next","id":%q,"payload":{"data":%s}}`, id, data)
}

func complete(id string) string { return fmt.Sprintf(`{"type":"complete","id":%q}`, id) }

const ack, initialise = `{"type":"connection_ack"}`, `{"type":"connection_init"}`

func TestSocketOperations(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
	p := s.open(t)
	p.send(subscribe("a", "subscription{count(to:2)}"))
	p.expect(next("a", `{"count":1}`), next("a", `{"count":2}`), complete("a"))
	p.send(subscribe("a", "{hello requestId}"))
	p.expect(next("a", `{"hello":"hello \u003cnil\u003e","requestId":"op-id"}`), complete("a"))
	p.send(`{"id":"v","type":"subscribe","payload":{"query":"query($n:String){hello(name:$n)}","variables":{"n":"é"},"operationName":null,"extensions":{}}}`)
	p.expect(next("v", `{"hello":"hello é"}`), complete("v"))
	p.send(subscribe("x", "{nope}"))
	p.expect(`{"type":"error","id":"x","payload":[{"message":"Cannot query field \"nope\" on type \"Query\".","locations":[{"line":1,"column":2}],"extensions":{"code":"GRAPHQL_VALIDATION_FAILED","requestId":"req-id"}}]}`)
	p.send(subscribe("x", "{fail(how:\"not found\")}"))
	p.expect(`{"type":"next","id":"x","payload":{"errors":[{"message":"Bot not found.","path":["fail"],"locations":[{"line":1,"column":2}],"extensions":{"code":"NOT_FOUND","requestId":"op-id"}}],"data":{"fail":null}}}`, complete("x"))
	p.send(subscribe("f", "subscription{failing}"))
	p.expect(`{"type":"next","id":"f","payload":{"errors":[{"message":"Message not found.","extensions":{"code":"NOT_FOUND","requestId":"op-id"}}],"data":null}}`, complete("f"))
	p.send(subscribe("b", "subscription{breaking}"))
	p.expect(next("b", `{"breaking":1}`), `{"type":"error","id":"b","payload":[{"message":"Message not found.","extensions":{"code":"NOT_FOUND","requestId":"op-id"}}]}`)
	p.send(subscribe("p", "subscription{panicking}"))
	p.expect(`{"type":"error","id":"p","payload":[{"message":"Something went wrong on our side. If it happens again, report it with the request id.","extensions":{"code":"INTERNAL","requestId":"req-id"}}]}`)
	p.send(subscribe("a", "{hello}"))
	p.expect(next("a", `{"hello":"hello \u003cnil\u003e"}`), complete("a"))
}

// A client's complete is not echoed, and its id is free at once.
func TestSocketComplete(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
	p := s.open(t)
	for range 50 {
		p.send(subscribe("a", "subscription{forever}"), complete("a"))
	}
	p.send(subscribe("a", "subscription{count(to:1)}"))
	p.expect(next("a", `{"count":1}`), complete("a"))
	p.send(complete("a"), complete("unknown"))
	p.send(`{"type":"ping"}`)
	p.expect(`{"type":"pong"}`)
	eventually(t, "operations to end", func() bool { return s.fields.active() == 0 })
}

func TestSocketPing(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
	p := s.dial(t, nil)
	p.send(`{"type":"ping","payload":{"a":1}}`, `{"type":"pong"}`, `{"type":"ping","payload":null}`)
	p.expect(`{"type":"pong","payload":{"a":1}}`, `{"type":"pong","payload":null}`)
	p.send(initialise)
	p.expect(ack)
}

func TestSocketCloses(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
	for name, c := range map[string]struct {
		messages []string
		want     string
	}{
		"not JSON":               {[]string{`{`}, "4400"},
		"no object":              {[]string{`"x"`}, "4400"},
		"list":                   {[]string{`[]`}, "4400"},
		"empty":                  {[]string{``}, "4400"},
		"no type":                {[]string{`{}`}, "4400"},
		"type is a number":       {[]string{`{"type":1}`}, "4400"},
		"unknown type":           {[]string{`{"type":"start"}`}, "4400"},
		"server's type":          {[]string{initialise, `{"type":"next","id":"a"}`}, "4400"},
		"init with a text":       {[]string{`{"type":"connection_init","payload":"x"}`}, "4400"},
		"ping with a text":       {[]string{`{"type":"ping","payload":"x"}`}, "4400"},
		"init with a list":       {[]string{`{"type":"connection_init","payload":[]}`}, "4400"},
		"ping with a list":       {[]string{`{"type":"ping","payload":[]}`}, "4400"},
		"pong with a text":       {[]string{`{"type":"pong","payload":"x"}`}, "4400"},
		"type is null":           {[]string{`{"type":null}`}, "4400"},
		"legacy end":             {[]string{initialise, `{"type":"connection_terminate"}`}, "4400"},
		"two messages":           {[]string{`{"type":"ping"}{"type":"ping"}`}, "4400"},
		"no UTF-8":               {[]string{initialise, `{"id":"a","type":"subscribe","payload":{"query":"` + "\xff" + `"}}`}, "4400"},
		"payload is a list":      {[]string{initialise, `{"id":"a","type":"subscribe","payload":[{"query":"{hello}"}]}`}, "4400"},
		"id is null":             {[]string{initialise, `{"id":null,"type":"subscribe","payload":{"query":"{hello}"}}`}, "4400"},
		"complete a number":      {[]string{initialise, `{"id":1,"type":"complete"}`}, "4400"},
		"complete too early":     {[]string{complete("a"), `{"type":"start"}`}, "4400"},
		"init twice at once":     {[]string{initialise, initialise, subscribe("a", "{hello}")}, "4429 Too many initialisation requests"},
		"no id":                  {[]string{initialise, `{"type":"subscribe","payload":{"query":"{hello}"}}`}, "4400"},
		"empty id":               {[]string{initialise, subscribe("", "{hello}")}, "4400"},
		"numeric id":             {[]string{initialise, `{"id":1,"type":"subscribe","payload":{"query":"{hello}"}}`}, "4400"},
		"long id":                {[]string{initialise, subscribe(strings.Repeat("x", 257), "{hello}")}, "4400"},
		"no payload":             {[]string{initialise, `{"id":"a","type":"subscribe"}`}, "4400"},
		"no query":               {[]string{initialise, `{"id":"a","type":"subscribe","payload":{}}`}, "4400"},
		"query is null":          {[]string{initialise, `{"id":"a","type":"subscribe","payload":{"query":null}}`}, "4400"},
		"query is a number":      {[]string{initialise, `{"id":"a","type":"subscribe","payload":{"query":1}}`}, "4400"},
		"variables is a list":    {[]string{initialise, `{"id":"a","type":"subscribe","payload":{"query":"{hello}","variables":[]}}`}, "4400"},
		"operationName is a map": {[]string{initialise, `{"id":"a","type":"subscribe","payload":{"query":"{hello}","operationName":{}}}`}, "4400"},
		"extensions is a text":   {[]string{initialise, `{"id":"a","type":"subscribe","payload":{"query":"{hello}","extensions":"x"}}`}, "4400"},
		"complete without id":    {[]string{initialise, `{"type":"complete"}`}, "4400"},
		"too early":              {[]string{subscribe("a", "{hello}")}, "4401 Unauthorized"},
		"init twice":             {[]string{initialise, initialise}, "4429 Too many initialisation requests"},
		"same id":                {[]string{initialise, subscribe("a", "subscription{forever}"), subscribe("a", "{hello}")}, "4409 Subscriber for a already exists"},
		"same long id":           {[]string{initialise, subscribe(strings.Repeat("é", 120), "subscription{forever}"), subscribe(strings.Repeat("é", 120), "{hello}")}, "4409 Subscriber for é"},
		"too big":                {[]string{initialise, `{"type":"ping","payload":{"x":"` + strings.Repeat("x", 256<<10) + `"}}`}, "1009"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := s.dial(t, nil)
			p.send(c.messages...)
			got := p.receive()
			for got == ack {
				got = p.receive()
			}
			if !strings.HasPrefix(got, c.want) {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	p := s.dial(t, nil)
	if err := p.conn.Write(t.Context(), websocket.MessageBinary, []byte(initialise)); err != nil {
		t.Fatal(err)
	}
	if got := p.receive(); !strings.HasPrefix(got, "4400") {
		t.Errorf("binary: %s", got)
	}
	eventually(t, "operations to end", func() bool { return s.fields.active() == 0 })
}

func TestSocketSubprotocol(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
	for _, offered := range [][]string{nil, {"graphql-ws"}} {
		if got := s.dial(t, &websocket.DialOptions{Subprotocols: offered}).receive(); got != "4406 Subprotocol not acceptable" {
			t.Errorf("%v: %s", offered, got)
		}
	}
	both := s.dial(t, &websocket.DialOptions{Subprotocols: []string{"graphql-ws", "graphql-transport-ws"}})
	both.send(initialise)
	both.expect(ack)
}

func TestSocketOrigin(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{
		AllowOrigin: func(origin string) bool {
			return origin == "https://app.example.com" || origin == "http://localhost:5173"
		}})
	for origin, allowed := range map[string]bool{
		"": true, s.URL: true, "https://app.example.com": true, "http://localhost:5173": true,
		"http://app.example.com": false, "https://evil.example": false, "https://app.example.com.evil.example": false, "null": false,
	} {
		header := http.Header{}
		if origin != "" {
			header.Set("Origin", origin)
		}
		conn, answer, err := websocket.Dial(t.Context(), s.URL, &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}, HTTPHeader: header})
		if allowed != (err == nil) || !allowed && answer.StatusCode != http.StatusForbidden {
			t.Errorf("%q: %v", origin, err)
		}
		if err == nil {
			_ = conn.CloseNow()
		}
	}
}

// refused is an error that knows how the socket is to be closed.
type refused struct{ code int }

func (refused) Error() string                   { return "secret reason" }
func (r refused) WebsocketClose() (int, string) { return r.code, "As told" }

func TestSocketInit(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{
		ExpiryGrace: time.Millisecond,
		Now:         func() time.Time { return now },
		Init: func(_ context.Context, payload map[string]any) (kyro.Viewer, error) {
			switch payload["authorization"] {
			case nil:
				return kyro.Viewer{}, nil
			case "short":
				return kyro.Viewer{UserID: kyro.UserID(1), Expires: now.Add(50 * time.Millisecond)}, nil
			case "session":
				return kyro.Viewer{UserID: kyro.UserID(1), SessionID: kyro.SessionID(7), Expires: now.Add(time.Hour)}, nil
			case "plain":
				return kyro.Viewer{}, errors.New("secret reason")
			default:
				return kyro.Viewer{}, fmt.Errorf("wrapped: %w", refused{4401})
			}
		},
	})
	start := func(authorization string) *peer {
		p := s.dial(t, nil)
		p.send(fmt.Sprintf(`{"type":"connection_init","payload":{"authorization":%q}}`, authorization))
		return p
	}
	start("plain").expect("4403 Forbidden")
	start("refused").expect("4401 As told")
	start("short").expect(ack, "4403 token expired")

	nobody := s.open(t)
	nobody.send(subscribe("a", "{viewer}"))
	if got := nobody.receive(); !strings.Contains(got, "UNAUTHENTICATED") {
		t.Errorf("nobody got %s", got)
	}
	nobody.expect(complete("a"))

	one, other := start("session"), start("session")
	for _, p := range []*peer{one, other} {
		p.expect(ack)
		p.send(subscribe("a", "{viewer}"))
		p.expect(next("a", `{"viewer":"user_1"}`), complete("a"))
	}
	s.connections.CloseCredential(kyro.SessionID(8))
	s.connections.CloseCredential(kyro.SessionID(7))
	one.expect("4401 Unauthorized")
	other.expect("4401 Unauthorized")
	nobody.send(subscribe("b", "{hello}"))
	nobody.expect(next("b", `{"hello":"hello \u003cnil\u003e"}`), complete("b"))
}

func TestSocketInitTimeout(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{InitTimeout: 50 * time.Millisecond})
	p := s.dial(t, nil)
	p.send(`{"type":"ping"}`)
	p.expect(`{"type":"pong"}`, "4408 Connection initialisation timeout")
}

func TestSocketOperationLimit(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{MaxOperations: 2})
	p := s.open(t)
	p.send(subscribe("a", "subscription{forever}"), subscribe("b", "subscription{forever}"), subscribe("c", "{hello}"))
	if got := p.receive(); !strings.HasPrefix(got, `{"type":"error","id":"c","payload":[{"message":"Too many operations`) || !strings.Contains(got, `"code":"TOO_MANY_OPERATIONS"`) {
		t.Fatalf("got %s", got)
	}
	p.send(complete("a"))
	eventually(t, "the first operation to end", func() bool { return s.fields.active() == 1 })
	eventually(t, "a place", func() bool {
		p.send(subscribe("c", "{hello}"))
		return strings.HasPrefix(p.receive(), `{"type":"next"`)
	})
	p.expect(complete("c"))
}

// panickingLimiter is a mistake in the code that runs before an operation is read.
type panickingLimiter struct{}

func (panickingLimiter) Take(_ context.Context, key string, _ kyro.Rate) (kyro.Allowance, error) {
	if strings.HasPrefix(key, "operations") {
		panic("secret of the panic")
	}
	return kyro.Allowance{Allowed: true}, nil
}

func TestSocketSurvivesAPanicBeforeAnOperationIsRead(t *testing.T) {
	t.Parallel()
	rate := kyro.Rate{Count: 1, Per: time.Second}
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{Rates: transport.Rates{Limiter: panickingLimiter{}, Operations: rate, Connects: rate}})
	p := s.open(t)
	for range 2 {
		p.send(subscribe("a", "{hello}"))
		got := p.receive()
		if !strings.Contains(got, `"code":"INTERNAL"`) || strings.Contains(got, "secret") {
			t.Errorf("got %s", got)
		}
		p.expect(complete("a"))
	}
	if !strings.Contains(s.log.String(), "secret of the panic") {
		t.Error("the panic is not in the log")
	}
}
