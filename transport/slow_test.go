package transport_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"kyrochat/transport"
)

// pageReader reads subscriptions of large pages, by websocket or as an event stream, only when it is asked to.
type pageReader struct {
	t    *testing.T
	peer *peer
	body *bufio.Reader
}

// readPages begins to follow so many pages, and reads none.
func (s *server) readPages(t *testing.T, events bool, to int) *pageReader {
	t.Helper()
	query := fmt.Sprintf("subscription{pages(to:%d)}", to)
	if events {
		answer := s.events(t, t.Context(), "POST", "", fmt.Sprintf(`{"query":%q}`, query))
		return &pageReader{t: t, body: bufio.NewReader(answer.Body)}
	}
	p := s.open(t)
	p.send(subscribe("a", query))
	return &pageReader{t: t, peer: p}
}

// next is the number of the next page, or what else the server says: of an event stream what it ends with.
func (r *pageReader) next() (page int, other string) {
	var text string
	if r.peer != nil {
		text = r.peer.receive()
	}
	for r.body != nil && !strings.HasPrefix(text, "data: {") {
		line, err := r.body.ReadString('\n')
		if err != nil || strings.HasPrefix(line, ": ") || strings.HasPrefix(line, "event: complete") {
			return 0, strings.TrimSpace(line)
		}
		text = line
	}
	if _, data, found := strings.Cut(text, `"pages":"`); found {
		if n, err := fmt.Sscan(data, &page); n == 1 && err == nil && len(data) > 1<<20 {
			return page, ""
		}
	}
	return 0, text
}

// readAll reads every page to the end, each once and in order.
func (r *pageReader) readAll(to int) error {
	for want := 1; want <= to; want++ {
		if got, other := r.next(); got != want {
			return fmt.Errorf("got page %d, %.100q, want %d", got, other, want)
		}
	}
	if _, end := r.next(); !strings.Contains(end, "complete") {
		return fmt.Errorf("the end is %.100q", end)
	}
	return nil
}

// TestReaderThatPauses: one that stops reading in the middle holds nobody up and makes the server keep nothing for it; when
// it reads on in time, it misses nothing. It looks at the memory of the process, so it is not parallel.
func TestReaderThatPauses(t *testing.T) {
	const pages = 16 // MiB; a connection has room for some five
	for name, events := range map[string]bool{"websocket": false, "event stream": true} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{WriteTimeout: time.Minute})
			const pausing = 4
			var slow []*pageReader
			for range pausing {
				slow = append(slow, s.readPages(t, events, pages))
			}
			eventually(t, "the subscriptions", func() bool { return s.fields.active() == pausing })
			var readers sync.WaitGroup
			for range 2 {
				readers.Go(func() {
					if err := s.readPages(t, events, pages).readAll(pages); err != nil {
						t.Error(err)
					}
				})
			}
			readers.Wait()
			if n := s.fields.active(); n < pausing {
				t.Errorf("%d of those who pause have been sent everything", pausing-n)
			}
			runtime.GC()
			var memory runtime.MemStats
			runtime.ReadMemStats(&memory)
			t.Logf("the heap has %d MiB", memory.HeapAlloc>>20)
			if memory.HeapAlloc > 40<<20 { // their rest alone would be as much
				t.Errorf("the heap has %d MiB while %d readers pause", memory.HeapAlloc>>20, pausing)
			}
			for _, each := range slow {
				if err := each.readAll(pages); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestSlowReaderIsToldWhy: one that was too slow, and reads on soon after, gets the rest of its message and the reason.
func TestSlowReaderIsToldWhy(t *testing.T) {
	t.Parallel()
	for name, events := range map[string]bool{"websocket": false, "event stream": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{WriteTimeout: 100 * time.Millisecond, Farewell: time.Minute})
			r := s.readPages(t, events, 1000)
			eventually(t, "the operation to be ended", func() bool { return s.fields.ended(1) })
			page, end := r.next()
			for want := 1; end == ""; page, end = r.next() {
				if page != want {
					t.Fatalf("page %d instead of %d", page, want)
				}
				want++
			}
			if end != "1013 Slow consumer" && end != ": closed because this client reads too slowly" {
				t.Errorf("the end is %.100q", end)
			}
			eventually(t, "the connection to end", func() bool { return s.connections.Count() == 0 })
			eventually(t, "it to be logged, with that the client was told", func() bool {
				log := s.log.String()
				return strings.Contains(log, "slow consumer") && strings.Contains(log, "told=true")
			})
		})
	}
}

// TestReaderThatNeverReads is closed, and nothing of it stays. It counts goroutines, so it is not parallel.
func TestReaderThatNeverReads(t *testing.T) {
	const clients = 4
	for name, events := range map[string]bool{"websocket": false, "event stream": true} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{WriteTimeout: 100 * time.Millisecond, Farewell: 100 * time.Millisecond})
			before := runtime.NumGoroutine()
			for range clients {
				s.readPages(t, events, 1000)
			}
			eventually(t, "the connections to end", func() bool {
				return strings.Count(s.log.String(), "slow consumer") == clients && s.connections.Count() == 0 && s.fields.ended(clients)
			})
			// Of each client there are two goroutines of net/http's, which still hold what they have not read.
			eventually(t, "the goroutines to end", func() bool { return runtime.NumGoroutine() <= before+clients*2+5 })
		})
	}
}

func TestNodeIsFull(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
	s.connections.Max, s.connections.MaxLive = 3, 2
	first, second := s.open(t), s.open(t)
	s.events(t, t.Context(), "POST", "", `{"query":"subscription{forever}"}`)
	eventually(t, "three connections", func() bool { return s.connections.Count() == 3 })
	upgrade := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Protocol: graphql-transport-ws"}
	for name, r := range map[string]*http.Request{
		"websocket":    s.request(t, "GET", "", "", upgrade...),
		"event stream": s.request(t, "POST", "", `{"query":"{hello}"}`, "Accept: text/event-stream"),
	} {
		answer, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != 503 || answer.Header.Get("Retry-After") != "5" || !strings.Contains(string(text), `"code":"UNAVAILABLE"`) {
			t.Errorf("a fourth connection, %s: %d %v %s", name, answer.StatusCode, answer.Header, text)
		}
	}
	if answer := s.send(t, s.request(t, "POST", "", `{"query":"{hello(name:\"x\")}"}`)); answer.status != 200 {
		t.Errorf("a query: %d %s", answer.status, answer.text)
	}

	first.send(subscribe("a", "subscription{forever}"))
	second.send(subscribe("a", "subscription{forever}"))
	eventually(t, "subscriptions", func() bool { return s.fields.active() == 3 })
	first.send(subscribe("b", "{hello}"))
	if got := first.receive(); !strings.HasPrefix(got, `{"type":"error","id":"b","payload":[{"message":"The server carries`) || !strings.Contains(got, "UNAVAILABLE") {
		t.Errorf("a third operation: %s", got)
	}
	_ = second.conn.CloseNow()
	eventually(t, "the place to be free", func() bool { return s.connections.Count() == 2 })
	s.open(t)
	eventually(t, "the operation to be free", func() bool {
		first.send(subscribe("c", `{hello(name:"x")}`))
		got := first.receive()
		if strings.Contains(got, "error") {
			return false
		}
		first.expect(complete("c"))
		return true
	})
}
