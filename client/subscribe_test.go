package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"kyrochat/client"
)

type wire struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// peer is the server's end of a websocket in a test.
type peer struct {
	t    *testing.T
	ctx  context.Context
	conn *websocket.Conn
}

func (p peer) expect(kind string) wire {
	p.t.Helper()
	var m wire
	if err := wsjson.Read(p.ctx, p.conn, &m); err != nil {
		p.t.Errorf("waiting for %s: %v", kind, err)
	} else if m.Type != kind {
		p.t.Errorf("got %+v, want %s", m, kind)
	}
	return m
}

func (p peer) say(id, kind, payload string) {
	p.t.Helper()
	m := wire{ID: id, Type: kind}
	if payload != "" {
		m.Payload = json.RawMessage(payload)
	}
	if err := wsjson.Write(p.ctx, p.conn, m); err != nil {
		p.t.Errorf("sending %s: %v", kind, err)
	}
}

// greet does the opening and gives the id of the subscription.
func (p peer) greet() string {
	p.t.Helper()
	p.expect("connection_init")
	p.say("", "connection_ack", "")
	return p.expect("subscribe").ID
}

// serveSocket starts a server that plays one part, and gives a client of it.
func serveSocket(t *testing.T, o client.Options, play func(p peer)) *client.Client {
	t.Helper()
	done := make(chan struct{})
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"graphql-transport-ws"}})
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.CloseNow() }()
		ctx, stop := context.WithTimeout(r.Context(), 20*time.Second)
		defer stop()
		play(peer{t, ctx, conn})
	}, o)
	t.Cleanup(func() { <-done })
	return c
}

// collect runs a subscription to its end.
func collect(ctx context.Context, c *client.Client) (events []string, err error) {
	for data, problem := range c.Subscribe(ctx, "subscription", map[string]any{"id": "msg_1"}) {
		if data == nil {
			err = problem
			break
		}
		if problem != nil {
			data = append(data, " with "+problem.Error()...)
		}
		events = append(events, string(data))
	}
	return events, err
}

func TestSubscribe(t *testing.T) {
	t.Parallel()
	c := serveSocket(t, client.Options{Token: "tok"}, func(p peer) {
		if init := p.expect("connection_init"); string(init.Payload) != `{"authorization":"Bearer tok"}` {
			t.Errorf("init with %s", init.Payload)
		}
		p.say("", "ping", "")
		p.expect("pong")
		p.say("", "connection_ack", "{}")
		sub := p.expect("subscribe")
		if string(sub.Payload) != `{"query":"subscription","variables":{"id":"msg_1"}}` {
			t.Errorf("subscribe with %s", sub.Payload)
		}
		p.say(sub.ID, "next", `{"data":{"n":1}}`)
		p.say("", "ping", `{"a":1}`)
		p.expect("pong")
		p.say("", "pong", "")
		p.say("other", "next", `{"data":{"n":9}}`)
		p.say(sub.ID, "next", `{"data":{"n":null},"errors":[{"message":"Lost.","extensions":{"code":"INTERNAL"}}]}`)
		p.say(sub.ID, "complete", "")
		_, _, err := p.conn.Read(p.ctx)
		if websocket.CloseStatus(err) != websocket.StatusNormalClosure {
			t.Errorf("the client left by %v", err)
		}
	})
	events, err := collect(t.Context(), c)
	if got, want := strings.Join(events, " "), `{"n":1} {"n":null} with Lost. (INTERNAL)`; err != nil || got != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

func TestSubscribeLeavingTheLoop(t *testing.T) {
	t.Parallel()
	c := serveSocket(t, client.Options{}, func(p peer) {
		id := p.greet()
		p.say(id, "next", `{"data":{"n":1}}`)
		if m := p.expect("complete"); m.ID != id {
			t.Errorf("completed %q", m.ID)
		}
		_, _, _ = p.conn.Read(p.ctx) // its close
	})
	for data, err := range c.Subscribe(t.Context(), "subscription", nil) {
		if err != nil || string(data) != `{"n":1}` {
			t.Errorf("got %s, %v", data, err)
		}
		break
	}
}

func TestSubscribeEndsWithAnError(t *testing.T) {
	t.Parallel()
	isClose := func(code int) func(error) bool {
		return func(err error) bool {
			var closed *client.CloseError
			return errors.As(err, &closed) && closed.Code == code && strings.Contains(err.Error(), "code 4")
		}
	}
	says := func(words string) func(error) bool {
		return func(err error) bool { return err != nil && strings.Contains(err.Error(), words) }
	}
	for name, c := range map[string]struct {
		play func(p peer)
		want func(error) bool
	}{
		"error message": {func(p peer) {
			p.say(p.greet(), "error", `[{"message":"There is no such message.","extensions":{"code":"NOT_FOUND"}}]`)
			_, _, _ = p.conn.Read(p.ctx)
		}, func(err error) bool { return client.Code(err) == "NOT_FOUND" }},
		"error without a reason": {func(p peer) {
			p.say(p.greet(), "error", `[]`)
			_, _, _ = p.conn.Read(p.ctx)
		}, says("did not name")},
		"closed at init": {func(p peer) {
			p.expect("connection_init")
			_ = p.conn.Close(4403, "Forbidden")
		}, isClose(4403)},
		"closed while running": {func(p peer) {
			p.greet()
			_ = p.conn.Close(4401, "")
		}, isClose(4401)},
		"not a message": {func(p peer) {
			p.greet()
			_ = p.conn.Write(p.ctx, websocket.MessageText, []byte("hello"))
			_, _, _ = p.conn.Read(p.ctx)
		}, says("no message of graphql-transport-ws")},
		"an event that is no answer": {func(p peer) {
			p.say(p.greet(), "next", `7`)
			_, _, _ = p.conn.Read(p.ctx)
		}, says("decode an event")},
		"something else before the acknowledgement": {func(p peer) {
			p.expect("connection_init")
			p.say("1", "next", `{}`)
			_, _, _ = p.conn.Read(p.ctx)
		}, says("before accepting")},
		"connection lost": {func(p peer) {
			p.greet()
			_ = p.conn.CloseNow()
		}, says("websocket")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if events, err := collect(t.Context(), serveSocket(t, client.Options{}, c.play)); !c.want(err) || len(events) > 0 {
				t.Errorf("got %v, %v", events, err)
			}
		})
	}
}

func TestSubscribeIsRefused(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) }, client.Options{})
	var status *client.StatusError
	if _, err := collect(t.Context(), c); !errors.As(err, &status) || status.Status != http.StatusForbidden {
		t.Errorf("got %v", err)
	}
	c = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if conn, err := websocket.Accept(w, r, nil); err == nil {
			_, _, _ = conn.Read(r.Context())
		}
	}, client.Options{})
	if _, err := collect(t.Context(), c); err == nil || !strings.Contains(err.Error(), "does not speak") {
		t.Errorf("another protocol: %v", err)
	}
}

func TestSubscribeIsCanceled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c := serveSocket(t, client.Options{}, func(p peer) {
		p.greet()
		cancel()
		_, _, _ = p.conn.Read(p.ctx)
	})
	if _, err := collect(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestSubscribeNoticesADeadServer(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	c := serveSocket(t, client.Options{PingInterval: 20 * time.Millisecond}, func(p peer) {
		p.greet()
		<-release // reads nothing more, so that no ping is answered
	})
	_, err := collect(t.Context(), c)
	close(release)
	if err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("got %v", err)
	}
}

func TestSubscribeStaysWhileTheServerAnswersPings(t *testing.T) {
	t.Parallel()
	c := serveSocket(t, client.Options{PingInterval: 100 * time.Millisecond}, func(p peer) {
		id := p.greet()
		ctx := p.conn.CloseRead(p.ctx) // answers pings
		select {
		case <-time.After(350 * time.Millisecond):
		case <-ctx.Done():
		}
		p.say(id, "next", `{"data":{}}`)
		p.say(id, "complete", "")
		<-ctx.Done()
	})
	if events, err := collect(t.Context(), c); err != nil || len(events) != 1 {
		t.Errorf("got %v, %v", events, err)
	}
}
