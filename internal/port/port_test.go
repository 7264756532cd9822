package port_test

import (
	"net"
	"runtime"
	"testing"

	"kyrochat/internal/port"
)

// TestKeep leaves and takes an address again and again, to which meanwhile nobody else comes.
func TestKeep(t *testing.T) {
	t.Parallel()
	address, release, err := port.Keep()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	for range 3 {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		near, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		far, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_, _, _ = listener.Close(), far.Close(), near.Close()
		if conn, err := net.Dial("tcp", address); err == nil {
			_ = conn.Close()
			t.Error("somebody answers where nobody listens")
		}
	}
	if runtime.GOOS != "linux" {
		return
	}
	// What does not say that it shares gets it as little as the near end of a connection does.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	at, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if conn, err := (&net.Dialer{LocalAddr: at}).Dial("tcp", listener.Addr().String()); err == nil {
		_ = conn.Close()
		t.Error("a connection was given the port")
	}
	release()
	release()
}
