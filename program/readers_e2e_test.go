package program

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"kyrochat/internal/racetest"
)

// upgrade asks for a websocket.
const upgrade = "GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
	"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"

// frame is a text as a frame of a client, masked by zeros.
func frame(text string) string {
	head := []byte{0x81, 0x80}
	switch {
	case len(text) < 126:
		head[1] |= byte(len(text))
	case len(text) < 1<<16:
		head = binary.BigEndian.AppendUint16([]byte{0x81, 0xfe}, uint16(len(text)))
	default:
		head = binary.BigEndian.AppendUint64([]byte{0x81, 0xff}, uint64(len(text)))
	}
	return string(head) + "\x00\x00\x00\x00" + text
}

// wire is a connection below everything else.
type wire struct {
	*net.TCPConn
	read *bufio.Reader
}

// connect opens a connection. One that is small has little room for what its client does not read.
func (s *testServer) connect(small bool) (*wire, error) {
	dialer := net.Dialer{Timeout: time.Minute}
	if small {
		dialer.Control = func(_, _ string, raw syscall.RawConn) error {
			return raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
		}
	}
	conn, err := dialer.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(5 * time.Minute))
	return &wire{conn.(*net.TCPConn), bufio.NewReaderSize(conn, 512)}, nil
}

// say sends what there is, and reads up to a text of the answer; nothing where that is empty.
func (w *wire) say(sent, until string) error {
	if _, err := io.WriteString(w, sent); err != nil {
		return err
	}
	for seen := ""; !strings.HasSuffix(seen, until); {
		b, err := w.read.ReadByte()
		if err != nil {
			return fmt.Errorf("after %q: %w", seen, err)
		}
		seen += string(b)
	}
	return nil
}

// reset ends the connection without a word.
func (w *wire) reset() {
	_ = w.SetLinger(0)
	_ = w.Close()
}

// held is what a server that runs in this process holds.
type held struct {
	goroutines, files int
	heap              int64
}

func holds(t *testing.T) held {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("open files cannot be counted here")
	}
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return held{runtime.NumGoroutine(), len(files), int64(memory.HeapAlloc)}
}

// comesBackTo waits until the server holds no more than before, or a little: pools of connections grow to what they may
// have.
func comesBackTo(t *testing.T, before held, heap int64) {
	t.Helper()
	http.DefaultClient.CloseIdleConnections()
	const little = 25
	var now held
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if now = holds(t); now.goroutines <= before.goroutines+little && now.files <= before.files+little && now.heap <= before.heap+heap {
			t.Logf("before %+v, after %+v", before, now)
			return
		}
	}
	t.Errorf("before %+v, and still %+v", before, now)
}

// TestAbruptDisconnects counts goroutines, open files and memory of the process, so it is not parallel.
func TestAbruptDisconnects(t *testing.T) {
	disconnects := 10_000
	if testing.Short() || racetest.On() {
		disconnects = 1_000
	}
	s := startServer(t, map[string]string{"KYRO_WS_MAX_SOCKETS": "1000", "KYRO_RATE_SCALE": "0"})
	p := s.signUp(t)
	bot := p.newBot()
	subscribe := frame(`{"id":"a","type":"subscribe","payload":{"query":"subscription{documentProgress(botId:\"` + bot + `\"){status}}"}}`)
	greet := func(w *wire) error {
		if err := w.say(upgrade, "\r\n\r\n"); err != nil {
			return err
		}
		return w.say(frame(p.initialisation()), acknowledged)
	}
	pong := frame(`{"type":"ping"}`)
	stages := []func(w *wire) error{
		func(w *wire) error { return w.say(upgrade[:len(upgrade)/2], "") },                       // in the middle of the request
		func(w *wire) error { return w.say(upgrade, "\r\n\r\n") },                                // before connection_init
		func(w *wire) error { return w.say(upgrade+frame(p.initialisation())[:40], "\r\n\r\n") }, // in the middle of it
		greet, // after connection_ack
		func(w *wire) error { return firstOf(greet(w), w.say(subscribe+pong, `{"type":"pong"}`)) },        // in the middle of a subscription
		func(w *wire) error { return firstOf(greet(w), w.say(subscribe+pong+subscribe[:30], `"pong"}`)) }, // and of a message
		func(w *wire) error {
			return w.say(p.eventStream(`subscription{documentProgress(botId:\"`+bot+`\"){status}}`), "retry: 1000\n\n")
		}, // in the middle of an event stream
	}
	round := func(n int) {
		var next atomic.Int64
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
					w, err := s.connect(false)
					if err == nil {
						err = stages[i%len(stages)](w)
						w.reset()
					}
					if err != nil {
						t.Errorf("number %d, at stage %d: %v", i, i%len(stages), err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
	round(200)
	before := s.atRest(t)
	start := time.Now()
	round(disconnects)
	t.Logf("%d disconnects took %s", disconnects, time.Since(start))
	comesBackTo(t, before, 4<<20)
	if r := p.must("{viewer{email}}", nil); r.text("viewer.email") != p.email {
		t.Errorf("%s", r.body)
	}
}

// atRest is what the server holds once nobody is connected any more.
func (s *testServer) atRest(t *testing.T) held {
	t.Helper()
	http.DefaultClient.CloseIdleConnections()
	last := holds(t)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		time.Sleep(200 * time.Millisecond)
		now := holds(t)
		if now.goroutines == last.goroutines && now.files == last.files {
			return now
		}
		last = now
	}
	t.Fatal("the server does not come to rest")
	return last
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// eventStream is a request for server-sent events.
func (p *person) eventStream(query string) string {
	body := `{"query":"` + query + `"}`
	return fmt.Sprintf("POST /graphql HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", p.token, len(body), body)
}

// TestReadersThatNeverRead has a hundred clients ask for large events and read none of them. Those who read get theirs
// as if there were nobody else. It counts what the process holds, so it is not parallel.
func TestReadersThatNeverRead(t *testing.T) {
	const silent, listening, documents = 50, 4, 6
	s := startServer(t, map[string]string{
		"KYRO_WS_MAX_SOCKETS": "1000", "KYRO_SSE_MAX_STREAMS": "1000", "KYRO_RATE_SCALE": "0", "KYRO_WS_WRITE_TIMEOUT": "1s", "KYRO_SSE_WRITE_TIMEOUT": "1s",
	})
	p := s.signUp(t)
	bot := p.newBot()
	long := strings.Repeat("All work and no play makes a long document. ", 2000)
	for range 5 {
		p.know(bot, "Long", long)
	}
	// Half a megabyte for each event.
	large := `subscription{documentProgress(botId:\"` + bot + `\"){document{bot{documents(last:5){nodes{text}}}}}}`
	before := s.atRest(t)
	open := make([]*wire, 0, 2*silent)
	for range silent {
		for _, events := range []bool{false, true} {
			w, err := s.connect(true)
			if err == nil && events {
				err = w.say(p.eventStream(large), "retry: 1000\n\n")
			} else if err == nil {
				err = firstOf(w.say(upgrade, "\r\n\r\n"), w.say(frame(p.initialisation()), acknowledged),
					w.say(frame(`{"id":"a","type":"subscribe","payload":{"query":"`+large+`"}}`), ""))
			}
			if err != nil {
				t.Fatal(err)
			}
			defer w.reset()
			open = append(open, w)
		}
	}
	var wg sync.WaitGroup
	var waiting atomic.Int64
	for range listening {
		waiting.Add(1)
		wg.Go(func() {
			defer waiting.Add(-1)
			p.hearsOf(bot, documents)
		})
	}
	var most int64
	for waiting.Load() > 0 { // some may have begun to listen later than others
		p.know(bot, "Short", teaText)
		most = max(most, holds(t).heap)
	}
	wg.Wait()
	t.Logf("%d connections are open whose clients do not read; the heap had %d MB at most, and %d MB before", len(open), most>>20, before.heap>>20)
	if most > before.heap+256<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before.heap, most)
	}
	// The server has closed its side of all of them, though their clients have not.
	before.files += len(open)
	comesBackTo(t, before, 16<<20)
}

// TestAnswersThatNobodyReads asks again and again on one connection and takes no answer: the server ends it.
func TestAnswersThatNobodyReads(t *testing.T) {
	t.Parallel()
	s := startServer(t, map[string]string{"KYRO_HTTP_ANSWER_TIMEOUT": "300ms", "KYRO_RATE_SCALE": "0"})
	for name, request := range map[string]string{
		"a file":  "GET /schema.graphql HTTP/1.1\r\nHost: x\r\n\r\n",
		"answers": "GET /graphql?query={__schema{types{name,description,fields{name,description}}}} HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, err := s.connect(true)
			if err != nil {
				t.Fatal(err)
			}
			defer w.reset()
			_ = w.SetDeadline(time.Now().Add(time.Minute))
			for err == nil {
				_, err = io.WriteString(w, request)
			}
			if late, timeout := err.(net.Error); timeout && late.Timeout() {
				t.Error("the server still waits for its answers to be read")
			}
		})
	}
}

// hearsOf follows the bot's documents until so many have become ready, and sees that it misses none of those that are
// added one after another, and that none goes back on its way.
func (p *person) hearsOf(bot string, documents int) {
	percent := map[string]float64{}
	var ready []int
	err := p.follow(`subscription($b: ID!) { documentProgress(botId: $b) { documentId status percent } }`, vars{"b": bot}, func(e *reply) bool {
		id, now := e.text("documentProgress.documentId"), e.number("documentProgress.percent")
		if before, known := percent[id]; known && now < before {
			p.t.Errorf("%s went back from %v to %v", id, before, now)
		}
		percent[id] = now
		if e.text("documentProgress.status") == "READY" {
			number, _ := strconv.Atoi(strings.TrimPrefix(id, "doc_"))
			ready = append(ready, number)
		}
		return len(ready) < documents
	})
	for i := range ready {
		if ready[i] != ready[0]+i {
			p.t.Errorf("became ready: %v", ready)
		}
	}
	if err != nil || len(ready) != documents {
		p.t.Errorf("%d documents were seen to become ready, of %d: %v", len(ready), documents, err)
	}
}
