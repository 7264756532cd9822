package program

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kyrochat/internal/gemini"
	"kyrochat/internal/testdb"
)

// cutter is a wire to a server that breaks: each connection is reset once so many bytes have come through.
type cutter struct {
	net.Listener
	ends sync.WaitGroup
}

// cut starts one that asks after how many bytes of answer each connection is to break; 0: never.
func (s *testServer) cut(t *testing.T, after func() int64) *cutter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{Listener: listener}
	c.ends.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
			if err != nil {
				_ = near.Close()
				continue
			}
			bytes := after()
			c.ends.Go(func() { _, _ = io.Copy(far, near) })
			c.ends.Go(func() {
				if bytes > 0 {
					_, _ = io.CopyN(near, far, bytes)
					_ = near.(*net.TCPConn).SetLinger(0)
				} else {
					_, _ = io.Copy(near, far)
				}
				_, _ = near.Close(), far.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		c.ends.Wait()
	})
	return c
}

// source reads an event stream as browsers do: by the rules of EventSource, which comes back to the URL that it began
// with and says the id of the last event it has had.
type source struct {
	p      *person
	url    string
	client http.Client
	lastID string
	opened int
	heard  func() // is told of each event of an answer; nil: nobody is
}

// event is one whole event; what is cut in the middle is none.
type event struct{ name, id, data string }

// newSource is a source of an operation, over a server's address or that of a wire.
func (p *person) newSource(base, query string, v vars) *source {
	variables, _ := json.Marshal(v)
	values := url.Values{"query": {query}, "variables": {string(variables)}}
	return &source{p: p, url: base + "/graphql?" + values.Encode(), client: http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
}

// read opens the stream and gives its events until it breaks, or see has enough; then more is false.
func (e *source) read(see func(event) (more bool)) (more bool, err error) {
	e.opened++
	ctx, cancel := context.WithTimeout(e.p.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url, nil)
	if err != nil {
		return false, err
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Authorization", "Bearer "+e.p.token)
	if e.lastID != "" {
		req.Header.Set("Last-Event-ID", e.lastID)
	}
	res, err := e.client.Do(req)
	if err != nil {
		return true, nil // the wire broke before the answer
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(res.Body)
		return false, fmt.Errorf("%s: %s", res.Status, text)
	}
	now := event{id: e.lastID}
	for lines := bufio.NewReader(res.Body); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return true, nil
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "\n":
			if e.lastID = now.id; now.name != "" && !see(now) {
				return false, nil
			}
			now = event{id: e.lastID}
		case field == "event":
			now.name = value
		case field == "id":
			now.id = value
		case field == "data":
			now.data += value
		}
	}
}

// reply reads an event's result.
func (e event) reply(t *testing.T) *reply {
	t.Helper()
	r := &reply{t: t, body: []byte(e.data)}
	if err := json.Unmarshal(r.body, &r.tree); err != nil {
		t.Fatalf("not JSON: %s", e.data)
	}
	return r
}

// follows reads an answer to its end, whatever breaks meanwhile, without asking for a cursor. It gives the id of the end.
func (e *source) follows() (text string, finished *reply, end string) {
	t := e.p.t
	t.Helper()
	var seq float64
	for more := true; more && finished == nil; {
		var err error
		more, err = e.read(func(got event) bool {
			r := got.reply(t)
			if e.heard != nil {
				e.heard()
			}
			if got.id == "" || r.tree["errors"] != nil {
				t.Errorf("an event without an id, or an error: %+v", got)
				return false
			}
			here := r.number("now.seq")
			switch r.text("now.kind") {
			case "MessageSnapshot":
				if seq != 0 {
					t.Errorf("a snapshot after event %g, which was known", seq)
				}
				text = r.text("now.message.text")
			case "MessageFinished":
				finished, end = r, got.id
			case "MessageDelta":
				text += r.text("now.piece")
				fallthrough
			default:
				if here != seq+1 {
					t.Errorf("event %g after %g", here, seq)
				}
			}
			seq = here
			return finished == nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	return text, finished, end
}

// withoutCursors asks for events under other names, and for no cursor.
const withoutCursors = `subscription($m: ID!, $a: StreamCursor) { now: messageStream(messageId: $m, after: $a) { kind: __typename
	... on MessageSnapshot { seq message { text } } ... on MessageDelta { seq piece: text } ... on MessageStage { seq }
	... on MessageFinished { seq message { text } } } }`

// eachSlowDatabase is eachDatabase with answers that can be met in the middle.
func eachSlowDatabase(t *testing.T, test func(t *testing.T, s *testServer)) {
	t.Helper()
	t.Parallel()
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			env := maps.Clone(slowly)
			if database == "postgres" {
				env["DATABASE_URL"] = testdb.PostgresURL(t)
			}
			test(t, startServer(t, env))
		})
	}
}

// TestEventSourcesResume follows an answer over wires that break at random, with nothing but the ids of events. It begins to be
// written once everybody follows it.
func TestEventSourcesResume(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		const readers = 12
		env["KYRO_ANSWER_FIRST_BYTE_TIMEOUT"] = "100s" // it is held for as long as the slowest reader takes to come
		w := startUpstreams(t, gemini.Options{}).serve(t, env)
		s := w.testServer
		p := s.signUp(t)
		bot := p.newBot()
		p.know(bot, "Rules", longAnswer)
		w.gemini.Script(gemini.Script{Kind: gemini.KindAnswer, Pieces: strings.SplitAfter(wordy, " "), Pace: 10 * time.Millisecond})
		letGo := w.gate.hold("streamGenerateContent")
		answer := p.send(vars{"botId": bot, "text": "What do the harbour rules of Lindau say about lamps?"}).text("sendMessage.botMessage.id")
		var begun atomic.Int64
		var wg sync.WaitGroup
		for seed := range uint64(readers) {
			wg.Go(func() {
				var mu sync.Mutex
				random := rand.New(rand.NewPCG(seed, 7))
				wire := s.cut(t, func() int64 {
					mu.Lock()
					defer mu.Unlock()
					return 700 + random.Int64N(1_500) // the head alone has more than 500
				})
				e := p.newSource("http://"+wire.Addr().String(), withoutCursors, vars{"m": answer, "a": nil})
				e.heard = sync.OnceFunc(func() {
					if begun.Add(1) == readers {
						letGo()
					}
				})
				text, finished, _ := e.follows()
				if finished == nil {
					return // it has said why
				}
				if stored := finished.text("now.message.text"); text != stored || len(text) < 100 {
					t.Errorf("over %d connections the reader shows %q, stored is %q", e.opened, text, stored)
				}
				if e.opened < 3 {
					t.Errorf("the wire broke %d times", e.opened-1)
				}
			})
		}
		wg.Wait()
	})
}

// TestLastEventID names places as an EventSource does, when it comes back with its first URL.
func TestLastEventID(t *testing.T) {
	eachSlowDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		bot := p.newBot()
		p.know(bot, "Rules", longAnswer)
		answer := p.send(vars{"botId": bot, "text": "What do the harbour rules of Lindau say about lamps?"}).text("sendMessage.botMessage.id")
		whole, _, end := p.newSource(s.url, withoutCursors, vars{"m": answer, "a": nil}).follows()
		told := func(lastID string, v vars, query string) (kinds string) {
			e := p.newSource(s.url, query, v)
			e.lastID = lastID
			_, err := e.read(func(got event) bool {
				switch r := got; {
				case got.name == "complete":
					kinds += "complete"
					return false
				case strings.Contains(got.data, `"errors"`):
					kinds += codeIn(t, []byte(got.data)) + " "
				default:
					kinds += r.reply(t).text("now.kind") + " "
				}
				return true
			})
			if err != nil {
				t.Error(err)
			}
			return kinds
		}
		all := strings.Repeat("MessageDelta ", strings.Count(told(cursorAt(answer, 1, 2), vars{"m": answer, "a": nil}, withoutCursors), "MessageDelta"))
		if all == "" {
			t.Fatal("the answer came in one piece")
		}
		const finish = "MessageFinished complete"
		for name, c := range map[string]struct {
			last  string
			after any
			want  string
		}{
			"none":                     {"", nil, "MessageSnapshot " + finish},
			"the first events":         {cursorAt(answer, 1, 2), nil, all + finish},
			"before the cursor":        {cursorAt(answer, 1, 2), end, all + finish},
			"behind the cursor":        {end, cursorAt(answer, 1, 2), finish},
			"the end":                  {end, nil, finish},
			"the future":               {cursorAt(answer, 1, 100_000), nil, "MessageSnapshot " + finish},
			"another stream":           {cursorAt("msg_999", 1, 1), nil, "BAD_USER_INPUT complete"},
			"rubbish":                  {"x", nil, "BAD_USER_INPUT complete"},
			"rubbish, a cursor beside": {"x", end, "BAD_USER_INPUT complete"},
		} {
			if got := told(c.last, vars{"m": answer, "a": c.after}, withoutCursors); got != c.want {
				t.Errorf("%s: %s, want %s", name, got, c.want)
			}
		}
		// Those who may not follow learn nothing by it, and those who follow something else are not held up.
		stranger := s.signUp(t).newSource(s.url, withoutCursors, vars{"m": answer, "a": nil})
		stranger.lastID = end
		if _, err := stranger.read(func(got event) bool {
			if code := codeIn(t, []byte(got.data)); code != "NOT_FOUND" || got.id != end {
				t.Errorf("a stranger got %+v", got)
			}
			return false
		}); err != nil {
			t.Error(err)
		}
		if got := told("x", vars{"m": answer}, `query($m: ID!) { now: message(id: $m) { kind: __typename } }`); got != "Message complete" {
			t.Errorf("a query: %s", got)
		}
		if whole == "" {
			t.Error("nothing was shown")
		}
	})
}

// TestEventStreamTellsWhyItEnds deletes a conversation while its answer is followed.
func TestEventStreamTellsWhyItEnds(t *testing.T) {
	t.Parallel()
	s := startServer(t, map[string]string{"KYRO_OFFLINE_PACE": "1s"})
	p := s.signUp(t)
	bot := p.newBot()
	p.know(bot, "Rules", longAnswer)
	sent := p.send(vars{"botId": bot, "text": "What do the harbour rules of Lindau say about lamps?"})
	conversation := sent.text("sendMessage.conversation.id")
	var heard []string
	_, err := p.newSource(s.url, withoutCursors, vars{"m": sent.text("sendMessage.botMessage.id"), "a": nil}).read(func(got event) bool {
		switch {
		case len(heard) == 0:
			p.must(`mutation($c: ID!) { deleteConversation(input: {conversationId: $c}) { errors { code message } } }`, vars{"c": conversation})
			heard = append(heard, "begun")
		case got.name == "complete":
			heard = append(heard, "complete")
			return false
		case strings.Contains(got.data, `"errors"`):
			heard = append(heard, codeIn(t, []byte(got.data)))
		}
		return true
	})
	if want := []string{"begun", "NOT_FOUND", "complete"}; err != nil || !slices.Equal(heard, want) {
		t.Errorf("%v, %q", err, heard)
	}
}
