package transport_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	gqlgen "github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"kyrochat/transport"
)

// BenchmarkSocketEvents measures what an event costs from the executor to the network, here and in gqlgen's transport.
// The client reads bytes and does nothing else.
func BenchmarkSocketEvents(b *testing.B) {
	event := []byte(`{"messageStream":{"__typename":"MessageDelta","seq":12,"cursor":"czF8bXNnXzEwMDAwMDB8MXwx","text":"word "}}`)
	parsed := gqlparser.MustLoadSchema(&ast.Source{Input: schema})
	for _, c := range []struct {
		name      string
		transport graphql.Transport
	}{
		{"own", &transport.Websocket{Connections: &transport.Connections{}}},
		{"gqlgen", gqlgen.Websocket{Implementation: gqlgen.CoderWebsocketImplementation{}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			sent, response := 0, new(graphql.Response)
			server := handler.New(&graphql.ExecutableSchemaMock{
				SchemaFunc:     func() *ast.Schema { return parsed },
				ComplexityFunc: func(context.Context, string, string, int, map[string]any) (int, bool) { return 0, false },
				ExecFunc: func(context.Context) graphql.ResponseHandler {
					return func(context.Context) *graphql.Response {
						if sent++; sent > b.N {
							return nil
						}
						*response = graphql.Response{Data: event}
						return response
					}
				},
			})
			server.AddTransport(c.transport)
			listening := httptest.NewServer(server)
			defer listening.Close()
			conn, in := upgraded(b, listening.Listener.Addr().String())
			defer conn.Close()
			b.ReportAllocs()
			b.ResetTimer()
			say(b, conn, `{"id":"a","type":"subscribe","payload":{"query":"subscription{forever}"}}`)
			for tail := []byte(nil); !bytes.Contains(tail, []byte(`"complete"`)); {
				part, err := in.Peek(1)
				if err == nil {
					part, err = in.Peek(in.Buffered())
				}
				if err != nil {
					b.Fatal(err)
				}
				tail = append(tail[:copy(tail, tail[max(0, len(tail)-20):])], part...)
				_, _ = in.Discard(len(part))
			}
		})
	}
}

// upgraded opens a websocket and the protocol on it by hand.
func upgraded(b *testing.B, address string) (net.Conn, *bufio.Reader) {
	b.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n", address)
	in := bufio.NewReaderSize(conn, 64<<10)
	if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		b.Fatal(res, err)
	}
	say(b, conn, `{"type":"connection_init"}`)
	acked := make([]byte, 256)
	if n, err := in.Read(acked); err != nil || !strings.Contains(string(acked[:n]), "connection_ack") {
		b.Fatalf("%q %v", acked[:n], err)
	}
	return conn, in
}

// say sends a short message with a mask of zeros.
func say(b *testing.B, conn net.Conn, message string) {
	b.Helper()
	if _, err := conn.Write(append([]byte{0x81, 0x80 | byte(len(message)), 0, 0, 0, 0}, message...)); err != nil {
		b.Fatal(err)
	}
}
