package transport_test

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"kyrochat/transport"
)

// BenchmarkIdle measures what open connections hold that nothing goes over: `go test -run '^$' -bench Idle ./transport`.
// The clients are in the same process; what plain connections hold at both ends is measured first and subtracted.
func BenchmarkIdle(b *testing.B) {
	const body = `{"query":"subscription{forever}"}`
	for name, stages := range map[string][][2]string{
		"socket": {
			{"GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
				"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n", "\r\n\r\n"},
			{masked(`{"type":"connection_init"}`), `{"type":"connection_ack"}`},
		},
		"subscription": {
			{"GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
				"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n", "\r\n\r\n"},
			{masked(`{"type":"connection_init"}`), `{"type":"connection_ack"}`},
			{masked(`{"type":"subscribe","id":"1","payload":`+body+`}`) + masked(`{"type":"ping"}`), `{"type":"pong"}`},
		},
		"event stream": {
			{fmt.Sprintf("POST /graphql HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body), "retry: 1000\n\n"},
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s := newServer(b, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
				var bare, open usage
				bare = holding(b, plainServer(b), nil)
				open = holding(b, s.Listener.Addr().String(), stages)
				eventually(b, "the connections to end", func() bool { return s.connections.Count() == 0 })
				b.ReportMetric(float64(open.heap-bare.heap)/connections, "heap-B/conn")
				b.ReportMetric(float64(open.stacks-bare.stacks)/connections, "stack-B/conn")
				b.ReportMetric(float64(open.goroutines-bare.goroutines)/connections, "goroutines/conn")
			}
			b.ReportMetric(0, "ns/op") // says nothing here
		})
	}
}

const connections = 2000

// usage is what this process has in use.
type usage struct{ heap, stacks, goroutines int64 }

func used() usage {
	runtime.GC()
	runtime.GC() // pools are emptied in two
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{int64(m.HeapInuse), int64(m.StackInuse), int64(runtime.NumGoroutine())}
}

// holding gives what more is in use while the connections are open, after each has said and heard what the stages say.
func holding(b *testing.B, address string, stages [][2]string) usage {
	b.Helper()
	before := used()
	open := make([]net.Conn, connections)
	for i := range open {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		open[i] = conn
		for _, stage := range stages {
			if _, err := io.WriteString(conn, stage[0]); err != nil {
				b.Fatal(err)
			}
			hear(b, conn, stage[1])
		}
	}
	now := used()
	return usage{now.heap - before.heap, now.stacks - before.stacks, now.goroutines - before.goroutines}
}

// hear reads up to a text.
func hear(b *testing.B, conn net.Conn, until string) {
	b.Helper()
	var buffer [1]byte
	for heard := ""; !strings.HasSuffix(heard, until); heard += string(buffer[:]) {
		if _, err := io.ReadFull(conn, buffer[:]); err != nil {
			b.Fatalf("after %q: %v", heard, err)
		}
	}
}

// masked is a short text as a frame of a client, masked by zeros.
func masked(text string) string {
	return string([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}) + text
}

// plainServer takes connections and keeps them.
func plainServer(b *testing.B) string {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = listener.Close() })
	go func() {
		var kept []net.Conn
		for {
			conn, err := listener.Accept()
			if err != nil {
				break
			}
			kept = append(kept, conn)
		}
		for _, conn := range kept {
			_ = conn.Close()
		}
	}()
	return listener.Addr().String()
}
