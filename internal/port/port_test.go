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
	if runtime.GOOS == "linux" {
		refused(t, address)
	}
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
	release()
	release()
}

// refused sees that what does not say that it shares gets the address as little as the near end of a connection does. Nobody has listened
// there yet, so that no earlier connection keeps it.
func refused(t *testing.T, address string) {
	t.Helper()
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
}
