package main

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// breakage is how a client's connection ends, as seen from its server.
type breakage int

const (
	whole   breakage = iota // it does not
	resets                  // a reset in the middle of whatever is being sent
	hangsUp                 // closed by the system, without a close frame
	freezes                 // the client reads nothing for a while, and then goes on
	dies                    // the client reads nothing for a while, and then resets
	leaves                  // the client ends what it asked for, and closes with a close frame
)

var breakages = map[breakage]string{
	resets: "resets", hangsUp: "ends without a close frame", freezes: "frozen clients", dies: "clients that froze and died", leaves: "ends with a close frame",
}

// wire is a client's connection that breaks once so many bytes have come through it: a place in the middle of a
// message, of the handshake or of a frame, as it falls.
type wire struct {
	net.Conn
	how    breakage
	left   int           // bytes that still come through
	frozen time.Duration // how long nothing is read

	once   sync.Once
	closed chan struct{}
}

var errBroken = errors.New("the wire broke")

// dialer makes wires that break so.
func dialer(how breakage, after int, frozen time.Duration) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, address)
		if err != nil || how == whole || how == leaves {
			return conn, err
		}
		return &wire{Conn: conn, how: how, left: after, frozen: frozen, closed: make(chan struct{})}, nil
	}
}

func (w *wire) Read(p []byte) (int, error) {
	if w.how == whole {
		return w.Conn.Read(p)
	}
	if w.left == 0 {
		return w.breaks(p)
	}
	n, err := w.Conn.Read(p[:min(len(p), w.left)])
	w.left -= n
	return n, err
}

func (w *wire) breaks(p []byte) (int, error) {
	if w.how == freezes || w.how == dies {
		timer := time.NewTimer(w.frozen)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-w.closed:
			return 0, net.ErrClosed
		}
	}
	switch w.how {
	case freezes:
		w.how = whole
		return w.Conn.Read(p)
	case hangsUp:
		_ = w.Close()
	default:
		reset(w.Conn)
		_ = w.Close()
	}
	return 0, errBroken
}

func (w *wire) Close() error {
	w.once.Do(func() { close(w.closed) })
	return w.Conn.Close()
}
