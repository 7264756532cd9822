package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// raw is a client below every protocol: it says what it likes, and reads as far as it likes.
type raw struct {
	*net.TCPConn
	read   *bufio.Reader
	port   int
	events bool // it asked for an event stream
}

// connect opens a connection with little room for what its client does not read.
func connect(address string) (*raw, error) {
	dialer := net.Dialer{Timeout: openPatience, Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
	}}
	conn, err := dialer.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(workPatience))
	return &raw{TCPConn: conn.(*net.TCPConn), read: bufio.NewReaderSize(conn, 512), port: conn.LocalAddr().(*net.TCPAddr).Port}, nil
}

// say sends a text, and reads up to the end of another one; nothing where that is empty.
func (c *raw) say(text, until string) error {
	if _, err := io.WriteString(c, text); err != nil {
		return err
	}
	for seen := ""; !strings.HasSuffix(seen, until); {
		b, err := c.read.ReadByte()
		if err != nil {
			return fmt.Errorf("after %q: %w", seen, err)
		}
		seen += string(b)
	}
	return nil
}

// upgrade asks for a websocket.
const upgrade = "GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
	"Sec-WebSocket-Key: Y2hhb3NjaGFvc2NoYW9zIQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"

// frame is a message of a client, masked by zeros.
func frame(kind string, payload any) string {
	message := map[string]any{"type": kind}
	if payload != nil {
		message["payload"] = payload
	}
	if kind == "subscribe" {
		message["id"] = "1"
	}
	text, err := json.Marshal(message)
	if err != nil {
		panic(err) // all of it is ours
	}
	head := []byte{0x81, 0x80 | byte(len(text))}
	if len(text) >= 126 {
		head = binary.BigEndian.AppendUint16([]byte{0x81, 0x80 | 126}, uint16(len(text)))
	}
	return string(head) + "\x00\x00\x00\x00" + string(text)
}

// greeting signs in on a websocket.
func (p *person) greeting() string {
	return frame("connection_init", map[string]any{"authorization": "Bearer " + p.session.access()})
}

// subscribing asks for something on a websocket.
func subscribing(query string, variables map[string]any) string {
	return frame("subscribe", map[string]any{"query": query, "variables": variables})
}

// eventStream asks for something over server-sent events.
func (p *person) eventStream(query string, variables map[string]any) string {
	text, err := json.Marshal(variables)
	if err != nil {
		panic(err) // all of it is ours
	}
	return fmt.Sprintf("GET /graphql?%s HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nAuthorization: Bearer %s\r\n\r\n",
		url.Values{"query": {query}, "variables": {string(text)}}.Encode(), p.session.access())
}
