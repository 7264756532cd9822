package transport

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
)

// Buffers of a socket. Those of net/http have 4 KiB each, and nearly all messages less than these.
const (
	readBuffer  = 512
	writeBuffer = 1 << 10
)

// takenOver is a ResponseWriter whose connection becomes a websocket: it keeps the connection in sight, and gives it
// small buffers, which a quiet socket holds for as long as it is open.
type takenOver struct {
	http.ResponseWriter
	conn net.Conn
}

// Hijack takes the connection over, with what the client has sent already.
func (t *takenOver) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, large, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	t.conn = conn
	sent, _ := large.Reader.Peek(large.Reader.Buffered())
	small := bufio.NewReaderSize(bytes.NewReader(bytes.Clone(sent)), max(readBuffer, len(sent)))
	_, _ = small.Peek(len(sent)) // into its buffer, where it is looked for
	return conn, bufio.NewReadWriter(small, bufio.NewWriterSize(conn, writeBuffer)), nil
}
