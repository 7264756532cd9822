package transport_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"kyrochat/kyro"
	"kyrochat/transport"
)

// counter is a limiter whose counts never come back.
type counter struct {
	mu    sync.Mutex
	done  map[string]int
	fails error
}

func (c *counter) Take(_ context.Context, key string, rate kyro.Rate) (kyro.Allowance, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fails != nil {
		return kyro.Allowance{}, c.fails
	}
	if c.done == nil {
		c.done = map[string]int{}
	}
	if c.done[key] >= rate.Count {
		return kyro.Allowance{ResetAt: time.Now().Add(time.Hour), RetryAfter: 1234567 * time.Microsecond}, nil
	}
	c.done[key]++
	return kyro.Allowance{Allowed: true, Remaining: rate.Count - c.done[key], ResetAt: time.Now().Add(time.Hour)}, nil
}

// newLimited is a server that takes so many operations of anybody, and so many sockets.
func newLimited(t *testing.T, operations, connects int) *server {
	t.Helper()
	return newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{
		Rates: transport.Rates{Limiter: &counter{}, Operations: kyro.Rate{Count: operations, Per: time.Hour}, Connects: kyro.Rate{Count: connects, Per: time.Hour}},
		Init: func(_ context.Context, payload map[string]any) (kyro.Viewer, error) {
			if user, found := payload["user"].(float64); found {
				return kyro.Viewer{UserID: kyro.UserID(int64(user))}, nil
			}
			return kyro.Viewer{}, nil
		},
	})
}

const (
	limitMessage = "Too many operations in a short time. Try again in 2s."
	limitError   = `{"message":"` + limitMessage + `","extensions":{"code":"RATE_LIMITED","requestId":"req-id","retryAfterMs":1235}}`
)

func (r reply) wantLimited(t *testing.T, name string) {
	t.Helper()
	if r.status != http.StatusTooManyRequests || r.header.Get("Retry-After") != "2" || r.text != `{"errors":[`+limitError+`]}` {
		t.Errorf("%s: %d, Retry-After %q, %s", name, r.status, r.header.Get("Retry-After"), r.text)
	}
}

func nearAnHour(seconds string) bool {
	n, err := strconv.Atoi(seconds)
	return err == nil && n > 3000 && n <= 3600
}

func TestOperationsAreLimitedOverHTTP(t *testing.T) {
	t.Parallel()
	s := newLimited(t, 3, 10)
	for i, want := range []string{"2", "1", "0"} {
		got := s.send(t, s.request(t, "POST", "", `{"query":"{a:hello b:hello c:hello}"}`)) // fields are not operations
		if h := got.header; got.status != 200 || h.Get("RateLimit-Limit") != "3" || h.Get("RateLimit-Remaining") != want || !nearAnHour(h.Get("RateLimit-Reset")) || h.Get("Retry-After") != "" {
			t.Errorf("number %d: %d, %v", i+1, got.status, h)
		}
	}
	for name, r := range map[string]*http.Request{
		"JSON":      s.request(t, "POST", "", `{"query":"{hello}"}`),
		"response":  s.request(t, "POST", "", `{"query":"{hello}"}`, responseJSON),
		"GET":       s.request(t, "GET", "?query="+url.QueryEscape("{hello}"), ""),
		"unparsed":  s.request(t, "POST", "", `{"query":"{"}`),
		"too large": s.request(t, "POST", "", `{"query":"`+strings.Repeat("#", 40<<10)+`"}`),
		"no hash":   s.request(t, "POST", "", `{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"`+strings.Repeat("0", 64)+`"}}}`),
	} {
		got := s.send(t, r)
		got.wantLimited(t, name)
		if got.header.Get("RateLimit-Remaining") != "0" {
			t.Errorf("%s: %v", name, got.header)
		}
	}
}

// A refusal is no way to ask for free.
func TestRefusedOperationsCount(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"does not parse":    `{"query":"{"}`,
		"does not validate": `{"query":"{nope}"}`,
		"too much":          `{"query":"{` + strings.Repeat("a:hello ", 51) + `}"}`,
		"unknown hash":      `{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"` + strings.Repeat("0", 64) + `"}}}`,
		"introspection":     `{"query":"{__schema{types{name}}}"}`,
		"wrong variable":    `{"query":"query($n:Int!){limit(n:$n)}"}`,
		"failing":           `{"query":"{fail(how:\"not found\")}"}`,
	} {
		s := newLimited(t, 1, 10)
		if got := s.send(t, s.request(t, "POST", "", body)); got.code() == "RATE_LIMITED" {
			t.Errorf("%s: %s", name, got.text)
		}
		s.send(t, s.request(t, "POST", "", `{"query":"{hello}"}`)).wantLimited(t, name)
	}
}

func TestUploadsAreLimited(t *testing.T) {
	t.Parallel()
	s := newLimited(t, 1, 10)
	for i := range 2 {
		got := s.send(t, s.form(t, []part{{name: "operations", text: `{"query":"mutation($f:Upload!){upload(file:$f)}","variables":{"f":null}}`},
			{name: "map", text: `{"0":["variables.f"]}`}, {name: "0", file: "a.txt", text: "hello"}}))
		if i == 0 && (got.status != 200 || got.code() != "" || got.header.Get("RateLimit-Remaining") != "0") {
			t.Errorf("the first: %d %s", got.status, got.text)
		}
		if i == 1 {
			got.wantLimited(t, "the second")
		}
	}
}

func TestOperationsAreLimitedOnSockets(t *testing.T) {
	t.Parallel()
	s := newLimited(t, 2, 10)
	p := s.dial(t, nil)
	p.send(`{"type":"connection_init","payload":{"user":1}}`)
	p.expect(ack)
	p.send(subscribe("a", "subscription{count(to:3)}")) // counts when it starts, and not for each event
	p.expect(next("a", `{"count":1}`), next("a", `{"count":2}`), next("a", `{"count":3}`), complete("a"))
	p.send(subscribe("s", "subscription{forever}"))
	eventually(t, "the subscription", func() bool { return s.fields.active() == 1 })
	for _, id := range []string{"b", "c", "b"} { // its id is free again
		p.send(subscribe(id, "subscription{count(to:1)}"))
		p.expect(`{"type":"error","id":"` + id + `","payload":[` + limitError + `]}`)
	}
	p.send(`{"type":"ping"}`)
	p.expect(`{"type":"pong"}`)
	if n := s.fields.active(); n != 1 {
		t.Errorf("%d subscriptions run, want the one that was allowed", n)
	}
	other := s.dial(t, nil)
	other.send(`{"type":"connection_init","payload":{"user":2}}`)
	other.expect(ack)
	other.send(subscribe("a", "{hello}"))
	other.expect(next("a", `{"hello":"hello \u003cnil\u003e"}`), complete("a"))
	same := s.dial(t, nil)
	same.send(`{"type":"connection_init","payload":{"user":1}}`)
	same.expect(ack)
	same.send(subscribe("a", "{hello}"))
	same.expect(`{"type":"error","id":"a","payload":[` + limitError + `]}`)
}

func TestEventStreamsAreLimited(t *testing.T) {
	t.Parallel()
	s := newLimited(t, 1, 10)
	if got := told(t, s.events(t, t.Context(), "POST", "", `{"query":"subscription{count(to:1)}"}`)); len(got) != 2 {
		t.Errorf("the first: %q", got)
	}
	want := []string{"event: next\ndata: " + `{"errors":[` + limitError + `]}`, "event: complete\ndata:"}
	if got := told(t, s.events(t, t.Context(), "POST", "", `{"query":"subscription{count(to:1)}"}`)); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the second: %q\nwant %q", got, want)
	}
}

func TestConnectsAreLimited(t *testing.T) {
	t.Parallel()
	s := newLimited(t, 10, 2)
	s.open(t)
	s.open(t)
	_, answer, err := websocket.Dial(t.Context(), s.URL+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	if err == nil || answer == nil || answer.StatusCode != http.StatusTooManyRequests || answer.Header.Get("Retry-After") != "2" {
		t.Fatalf("a socket too many: %v, %v", answer, err)
	}
	body := make([]byte, 1024)
	n, _ := answer.Body.Read(body)
	if want := strings.Replace(limitError, "operations", "connections", 1); string(body[:n]) != `{"errors":[`+want+`]}` {
		t.Errorf("got %s", body[:n])
	}
	if got := s.send(t, s.request(t, "POST", "", `{"query":"{hello}"}`)); got.status != 200 || got.header.Get("RateLimit-Remaining") != "9" {
		t.Errorf("an operation: %d %s", got.status, got.header)
	}
}

// What asks for nothing costs the server something all the same: a client that sends more of it than there is reason to is
// closed, and the others of the same person go on.
func TestMessagesOfASocketAreLimited(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{Rates: transport.Rates{Messages: kyro.Rate{Count: 4, Per: time.Hour}}})
	const ping, pong = `{"type":"ping"}`, `{"type":"pong"}`
	for name, extra := range map[string]string{"ping": ping, "complete": complete("nothing"), "subscribe": subscribe("a", "{hello}")} {
		p := s.dial(t, nil)
		p.send(initialise, ping, complete("nothing"), ping, extra)
		p.expect(ack, pong, pong)
		if got := p.receive(); got != "4429 Too many messages" {
			t.Errorf("one %s too many: %s", name, got)
		}
	}
	s.open(t).send(ping)
}

// Pages of other sites cannot use up what their visitors may open.
func TestConnectsFromElsewhereDoNotCount(t *testing.T) {
	t.Parallel()
	s := newLimited(t, 10, 1)
	for range 3 {
		_, answer, err := websocket.Dial(t.Context(), s.URL+"/graphql", &websocket.DialOptions{
			Subprotocols: []string{"graphql-transport-ws"}, HTTPHeader: http.Header{"Origin": {"https://evil.example"}},
		})
		if err == nil || answer.StatusCode != http.StatusForbidden {
			t.Fatalf("from elsewhere: %v, %v", answer, err)
		}
	}
	s.open(t)
}

// Whether nobody can count or nothing is to be counted: operations run, and no header tells of a limit.
func TestOperationsRunWithoutCounts(t *testing.T) {
	t.Parallel()
	for name, rates := range map[string]transport.Rates{
		"no limiter": {Limiter: &counter{fails: errors.New("the store of counts is down")}, Operations: kyro.Rate{Count: 1, Per: time.Hour}, Connects: kyro.Rate{Count: 1, Per: time.Hour}},
		"no limit":   {Limiter: &counter{}},
	} {
		s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{Rates: rates,
			Init: func(context.Context, map[string]any) (kyro.Viewer, error) {
				return kyro.Viewer{UserID: kyro.UserID(1)}, nil
			}})
		for range 3 {
			got := s.send(t, s.request(t, "POST", "", `{"query":"{hello}"}`))
			if got.status != 200 || got.code() != "" || got.header.Get("RateLimit-Limit") != "" {
				t.Errorf("%s: %d %s %v", name, got.status, got.text, got.header)
			}
			s.open(t)
		}
	}
}
