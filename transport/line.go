package transport

import (
	"bufio"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// What a socket keeps for reading and writing. Clients say little, and what is longer than these buffers goes past them;
// net/http's own are four times as large.
const (
	lineReadBuffer  = 512
	lineWriteBuffer = 1 << 10
)

// line is the connection of a websocket. It tells once where a client has not taken within the timeout what is written;
// from then on it has the farewell to take the rest. One timer looks now and then whether that is so, since a deadline, or
// a timer, for each message would cost more than most messages.
type line struct {
	net.Conn
	timeout, farewell time.Duration
	slow              func() // does not wait; set before the first message

	began   atomic.Int64 // when what is being written was begun, in nanoseconds of Unix time; 0 where nothing is
	watched atomic.Bool
	watch   *time.Timer
}

func newLine(timeout, farewell time.Duration) *line {
	l := &line{timeout: timeout, farewell: farewell, slow: func() {}}
	l.watch = time.AfterFunc(time.Hour, l.look)
	l.watch.Stop()
	return l
}

// Write writes within the timeout and the farewell. There is one writer at a time.
func (l *line) Write(p []byte) (int, error) {
	l.began.Store(time.Now().UnixNano())
	defer l.began.Store(0)
	if l.watched.CompareAndSwap(false, true) {
		l.watch.Reset(l.timeout)
	}
	return l.Conn.Write(p)
}

// look ends what has been written for too long, looks again where something is being written, and rests where nothing is.
func (l *line) look() {
	began := l.began.Load()
	if began == 0 {
		l.watched.Store(false)
		if began = l.began.Load(); began == 0 || !l.watched.CompareAndSwap(false, true) {
			return // whoever began meanwhile has the timer run
		}
	}
	if left := l.timeout - time.Since(time.Unix(0, began)); left > 0 {
		l.watch.Reset(left)
		return
	}
	_ = l.SetWriteDeadline(time.Now().Add(l.farewell))
	l.slow()
}

// taken is a request whose connection a websocket takes over as a line.
type taken struct {
	http.ResponseWriter
	line *line
}

// Unwrap is for http.ResponseController.
func (t taken) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// Hijack takes the connection over.
func (t taken) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	l := t.line
	l.Conn = conn
	reader := buffers.Reader
	if reader.Buffered() == 0 { // what has come already is in there
		reader = bufio.NewReaderSize(l, lineReadBuffer)
	}
	return l, bufio.NewReadWriter(reader, bufio.NewWriterSize(l, lineWriteBuffer)), nil
}
