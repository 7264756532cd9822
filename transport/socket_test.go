package transport_test

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"kyrochat/kyro"
	"kyrochat/transport"
)

// patience is how long a test waits for what must come, however busy the machine is.
const patience = 2 * time.Minute

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still waiting for %s", what)
		}
	}
}

func TestCloseAll(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
	var peers []*peer
	for range 20 {
		p := s.open(t)
		p.send(subscribe("a", "subscription{forever}"))
		peers = append(peers, p)
	}
	eventually(t, "subscriptions", func() bool { return s.fields.active() == 20 })
	ended := make(chan string, len(peers))
	for _, p := range peers {
		go func() { ended <- p.receive() }()
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.connections.CloseAll(ctx); err != nil {
		t.Fatal(err)
	}
	for range peers {
		if got := <-ended; got != "1001 Going away" {
			t.Errorf("got %s", got)
		}
	}
	if n := s.connections.Count(); n != 0 {
		t.Errorf("%d sockets are left", n)
	}
	eventually(t, "subscriptions to end", func() bool { return s.fields.active() == 0 })
	_, answer, err := websocket.Dial(t.Context(), s.URL, &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	if err == nil || answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a new socket: %v", err)
	}
}

// A client that does not answer the close does not hold the server up for ever.
func TestCloseAllGivesUp(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
	s.open(t) // reads nothing from here on
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.connections.CloseAll(ctx); err != context.DeadlineExceeded {
		t.Errorf("got %v", err)
	}
}

// A client that reads nothing is dropped when a message does not get through in time.
func TestSlowReaderIsDropped(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{WriteTimeout: 100 * time.Millisecond})
	p := s.open(t)
	p.send(subscribe("a", "subscription{big}"))
	eventually(t, "the socket to be dropped", func() bool { return s.connections.Count() == 0 && s.fields.active() == 0 })
}

// A client that vanished without a word is noticed by its missing pong.
func TestDeadPeerIsDropped(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{PingInterval: 20 * time.Millisecond, PongTimeout: 50 * time.Millisecond})
	p := s.open(t)
	p.send(subscribe("a", "subscription{forever}"))
	eventually(t, "the socket to be dropped", func() bool { return s.connections.Count() == 0 && s.fields.active() == 0 })
}

// A client that answers is pinged again and again, each time once its pong has come.
func TestLivePeerIsKept(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{PingInterval: 20 * time.Millisecond})
	pings := make(chan struct{})
	alive := s.dial(t, &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}, OnPingReceived: func(ctx context.Context, _ []byte) bool {
		select {
		case pings <- struct{}{}:
		case <-ctx.Done():
		}
		return true
	}})
	alive.send(initialise)
	alive.expect(ack)
	ended := make(chan string, 1)
	go func() { ended <- alive.receive() }()
	for range 10 {
		select {
		case got := <-ended:
			t.Fatalf("a client that answers pings got %s", got)
		case <-pings:
		}
	}
	alive.send(`{"type":"ping"}`)
	for got := ""; got == ""; {
		select {
		case got = <-ended:
			if got != `{"type":"pong"}` {
				t.Errorf("a client that answers pings got %s", got)
			}
		case <-pings:
		}
	}
}

// TestNothingLeaks is not parallel: it counts the goroutines of the process.
func TestNothingLeaks(t *testing.T) {
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
	dialer := func(conns *[]net.Conn) *http.Client {
		return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			if err == nil {
				*conns = append(*conns, conn)
			}
			return conn, err
		}}}
	}
	round := func(n int) {
		for range n {
			var conns []net.Conn
			p := s.dial(t, &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}, HTTPClient: dialer(&conns)})
			p.send(initialise)
			p.expect(ack)
			p.send(subscribe("a", "subscription{forever}"), subscribe("b", "subscription{forever}"))
			_ = conns[0].(*net.TCPConn).SetLinger(0) // a reset, without any close
			_ = conns[0].Close()
			_ = p.conn.CloseNow()
		}
	}
	round(5)
	eventually(t, "the first sockets to end", func() bool { return s.connections.Count() == 0 && s.fields.active() == 0 })
	before := runtime.NumGoroutine()
	round(100)
	eventually(t, "the goroutines to end", func() bool {
		return s.connections.Count() == 0 && s.fields.active() == 0 && runtime.NumGoroutine() <= before+5
	})
	if log := s.log.String(); strings.Contains(log, "ERROR") {
		t.Errorf("logged: %s", log)
	}
}

func FuzzSocketMessages(f *testing.F) {
	for _, m := range []string{initialise, subscribe("a", "{hello}"), complete("a"), `{"type":"ping"}`, `{"type":"subscribe","id":"a","payload":null}`, "{", "\xff"} {
		f.Add(m)
	}
	f.Fuzz(func(t *testing.T, message string) {
		if forward, code := transport.Receive(message); forward != nil && code != 0 {
			t.Errorf("%q is forwarded and refused", message)
		}
	})
}

func TestSocketsOfOneUserAreLimited(t *testing.T) {
	t.Parallel()
	var user atomic.Int64
	user.Store(1)
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{MaxSockets: 2,
		Init: func(context.Context, map[string]any) (kyro.Viewer, error) {
			return kyro.Viewer{UserID: kyro.UserID(user.Load())}, nil
		}})
	s.open(t)
	s.open(t)
	third := s.dial(t, nil)
	third.send(`{"type":"connection_init"}`)
	third.expect("4429 Too many connections")
	user.Store(2)
	s.open(t)
}

// generous allows everything.
type generous struct{}

func (generous) Take(context.Context, string, kyro.Rate) (kyro.Allowance, error) {
	return kyro.Allowance{Allowed: true}, nil
}

// TestSocketsOfNobodyAreLimited by network: somebody patient could take all places else, without an account.
func TestSocketsOfNobodyAreLimited(t *testing.T) {
	t.Parallel()
	var viewer atomic.Pointer[kyro.Viewer]
	from := func(user kyro.ID, network string) {
		viewer.Store(&kyro.Viewer{UserID: user, Network: netip.MustParsePrefix(network)})
	}
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{
		Rates: transport.Rates{Limiter: generous{}, Connects: kyro.Rate{Count: 2, Per: time.Minute}},
		Init:  func(context.Context, map[string]any) (kyro.Viewer, error) { return *viewer.Load(), nil },
	})
	from(kyro.ID{}, "2001:db8::/64")
	first := s.open(t)
	s.open(t)
	third := s.dial(t, nil)
	third.send(`{"type":"connection_init"}`)
	third.expect("4429 Too many connections")
	_ = first.conn.CloseNow()
	eventually(t, "the place of a socket that is gone", func() bool {
		p := s.dial(t, nil)
		p.send(`{"type":"connection_init"}`)
		return p.receive() == `{"type":"connection_ack"}`
	})
	from(kyro.ID{}, "2001:db8:0:1::/64")
	s.open(t)
	from(kyro.UserID(1), "2001:db8::/64")
	s.open(t)
}
