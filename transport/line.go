package transport

import (
	"bufio"
	"net"
	"net/http"
	"time"
)

// What a socket keeps for reading and writing. Clients say little, and what is longer than these buffers goes past them;
// net/http's own are four times as large.
const (
	lineReadBuffer  = 512
	lineWriteBuffer = 1 << 10
)

// line is the connection of a websocket, on which a client has the timeout to take what is written, and up to a quarter
// more: the deadline is put off only now and then, for it costs more than most messages.
type line struct {
	net.Conn
	timeout time.Duration
	due     time.Time // written by whoever writes, of whom there is one at a time
}

// Write writes within the timeout.
func (l *line) Write(p []byte) (int, error) {
	if now := time.Now(); l.due.Sub(now) < l.timeout {
		l.due = now.Add(l.timeout + l.timeout/4)
		if err := l.SetWriteDeadline(l.due); err != nil {
			return 0, err
		}
	}
	return l.Conn.Write(p)
}

// taken is a request whose connection a websocket takes over as a line.
type taken struct {
	http.ResponseWriter
	timeout time.Duration
}

// Unwrap is for http.ResponseController.
func (t taken) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// Hijack takes the connection over.
func (t taken) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	l := &line{Conn: conn, timeout: t.timeout}
	reader := buffers.Reader
	if reader.Buffered() == 0 { // what has come already is in there
		reader = bufio.NewReaderSize(l, lineReadBuffer)
	}
	return l, bufio.NewReadWriter(reader, bufio.NewWriterSize(l, lineWriteBuffer)), nil
}
