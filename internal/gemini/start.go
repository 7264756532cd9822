package gemini

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// Start serves an emulator on a port of the loopback until the end of the test.
func Start(t testing.TB, o ...Options) *Emulator {
	e := New(one(o))
	server := httptest.NewServer(e)
	e.URL = server.URL
	t.Cleanup(func() {
		e.Close()
		server.CloseClientConnections()
		server.Close()
	})
	return e
}

// Within serves an emulator without a network, for a test in a synctest bubble. Its connections are made by dial,
// whatever the address.
func Within(t testing.TB, o ...Options) (e *Emulator, dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	e = New(one(o))
	e.URL = "http://gemini.emulated"
	l := &pipes{made: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: e}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() {
		e.Close()
		_ = server.Close()
		<-ended
	})
	return e, l.dial
}

func one(o []Options) Options {
	if len(o) == 0 {
		return Options{}
	}
	return o[0]
}

// pipes is a listener for connections within the process.
type pipes struct {
	made   chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.made <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.made:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "gemini.emulated", Net: "pipe"} }
