package program

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// expect reads messages, or the close, that begin like these.
func (c *rawSocket) expect(messages ...string) {
	c.t.Helper()
	for _, want := range messages {
		if got := c.receive(); !strings.HasPrefix(got, want) {
			c.t.Fatalf("got %.300s, want %s", got, want)
		}
	}
}

// endless is a subscription that does not end by itself.
func endless(id, bot string) string {
	return fmt.Sprintf(`{"id":%q,"type":"subscribe","payload":{"query":"subscription{documentProgress(botId:\"%s\"){status}}"}}`, id, bot)
}

// listen opens an event stream and gives what is told on it until it ends.
func (p *person) listen(t *testing.T, bot string) (told func() string) {
	t.Helper()
	w, err := p.s.connect(false)
	if err == nil {
		err = w.say(p.eventStream(`subscription{documentProgress(botId:\"`+bot+`\"){status}}`), "retry: 1000\n\n")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.reset)
	return func() string {
		var all strings.Builder
		lines := bufio.NewScanner(w.read)
		for lines.Scan() && lines.Text() != "0" { // the last chunk
			all.WriteString(lines.Text() + "\n")
		}
		return all.String()
	}
}

// TestSocketsAreCounted reaches the limits of a socket and of a user, as they are where nothing is set.
func TestSocketsAreCounted(t *testing.T) {
	t.Parallel()
	s := startServer(t, map[string]string{"KYRO_RATE_SCALE": "0"})
	p, other := s.signUp(t), s.signUp(t)
	bot := p.newBot()
	first := p.socket(t)
	for i := range 100 {
		first.send(endless(fmt.Sprint(i), bot))
	}
	first.send(endless("more", bot))
	first.expect(`{"type":"error","id":"more","payload":[{"message":"Too many operations run on this socket: at most 100 `)
	first.send(`{"id":"7","type":"complete"}`)
	if code := first.ask(`{"query":"{viewer{email}}"}`); code != "" {
		// The place is free once the operation has ended, which takes a moment.
		for end := time.Now().Add(patience); code == "TOO_MANY_OPERATIONS" && time.Now().Before(end); {
			code = first.ask(`{"query":"{viewer{email}}"}`)
		}
		if code != "" {
			t.Errorf("after one was ended: %s", code)
		}
	}
	for range 9 {
		p.socket(t)
	}
	eleventh := s.dial(t)
	eleventh.send(p.initialisation())
	eleventh.expect("4429 Too many connections")
	other.socket(t)
	_ = first.CloseNow()
	waitUntil(t, "a place that is free is given", func() bool {
		again := s.dial(t)
		again.send(p.initialisation())
		return again.receive() == acknowledged
	})
}

func TestSocketsEndWithTheirTokens(t *testing.T) {
	t.Parallel()
	s := startServer(t, map[string]string{"KYRO_ACCESS_TOKEN_TTL": "15s", "KYRO_TOKEN_GRACE": "10ms", "KYRO_RATE_SCALE": "0"})
	p := s.signUp(t)
	bot := p.newBot()
	p, _ = p.signIn() // so that the whole of its time is for what follows
	socket, told := p.socket(t), p.listen(t, bot)
	socket.send(endless("a", bot))
	socket.expect("4403 token expired")
	// A stream that ends without complete is one that clients come back to.
	if got := told(); strings.Contains(got, "complete") || strings.Contains(got, "error") {
		t.Errorf("the event stream: %q", got)
	}
	late := s.dial(t)
	late.send(p.initialisation())
	late.expect("4403 ")
	nobody := s.dial(t)
	nobody.send(`{"type":"connection_init","payload":{"authorization":"Bearer nonsense"}}`)
	nobody.expect("4403 ")
}

func TestSocketsEndWithTheirSessions(t *testing.T) {
	t.Parallel()
	s := startServer(t, map[string]string{"KYRO_RATE_SCALE": "0"})
	p := s.signUp(t)
	bot := p.newBot()
	socket, quiet, told := p.socket(t), p.socket(t), p.listen(t, bot)
	socket.send(endless("a", bot))
	p.must(`mutation { logOut { loggedOut errors { code } } }`, nil)
	socket.expect("4401 ")
	quiet.expect("4401 ")
	if got := told(); !strings.Contains(got, `"code":"UNAUTHENTICATED","requestId":"`) || !strings.Contains(got, "event: complete") {
		t.Errorf("the event stream: %q", got)
	}
	again := s.dial(t)
	again.send(p.initialisation())
	again.expect("44")
}

func TestSocketsEndWithTheServer(t *testing.T) {
	t.Parallel()
	s := startServer(t, map[string]string{"KYRO_RATE_SCALE": "0"})
	p := s.signUp(t)
	bot := p.newBot()
	socket, quiet, new, told := p.socket(t), p.socket(t), s.dial(t), p.listen(t, bot)
	socket.send(endless("a", bot))
	for _, c := range []*rawSocket{socket, quiet, new} {
		c.send(`{"type":"ping"}`)
		c.expect(`{"type":"pong"}`)
	}
	ended := make(chan error, 1)
	stop := s.stop
	s.stop = func() error { return <-ended }
	go func() { ended <- stop() }()
	for _, c := range []*rawSocket{socket, quiet, new} {
		c.expect("1001 ")
	}
	if got := told(); strings.Contains(got, "complete") {
		t.Errorf("the event stream: %q", got)
	}
}

func TestSocketsOfOtherSites(t *testing.T) {
	t.Parallel()
	s := startServer(t, map[string]string{"KYRO_ALLOWED_ORIGINS": "https://app.example.com", "KYRO_WS_INIT_TIMEOUT": "300ms"})
	for origin, status := range map[string]int{
		"https://app.example.com": 101, "": 101, s.url: 101, "http://app.example.com": 403, "https://app.example.com:444": 403, "https://evil.example": 403, "null": 403,
		"https://app.example.com.evil.example": 403, "https://evil.example/https://app.example.com": 403,
	} {
		header := http.Header{}
		if origin != "" {
			header.Set("Origin", origin)
		}
		conn, answer, err := websocket.Dial(t.Context(), s.url+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}, HTTPHeader: header})
		if answer == nil || answer.StatusCode != status || answer.Header.Get("X-Request-Id") == "" {
			t.Errorf("%q: %v, %v", origin, answer, err)
		}
		if err == nil {
			_ = conn.CloseNow()
		}
	}
	silent := s.dial(t)
	silent.expect("4408 ")
}

// TestLargeAnswers sees an answer beyond the limit become an error, however it goes.
func TestLargeAnswers(t *testing.T) {
	t.Parallel()
	s := startServer(t, map[string]string{"KYRO_HTTP_MAX_RESPONSE_BYTES": "3000", "KYRO_RATE_SCALE": "0"})
	p := s.signUp(t)
	bot := p.newBot()
	p.must(`mutation($b: ID!, $t: String!) { updateBot(input: {botId: $b, instructions: $t}) { errors { code message } } }`, vars{"b": bot, "t": strings.Repeat("x", 2000)})
	const some, many = `viewer{bots{nodes{instructions}}}`, `viewer{bots{nodes{instructions} edges{node{instructions}}}}`
	for way, send := range ways {
		for query, code := range map[string]string{
			"{" + some + "}": "", "{" + many + "}": "RESPONSE_TOO_LARGE", "{" + some + " b:" + some + "}": "RESPONSE_TOO_LARGE",
			`mutation{createBot(input:{name:"x"}){bot{owner{bots{nodes{instructions} edges{node{instructions}}}}}}}`: "RESPONSE_TOO_LARGE",
			`mutation{createBot(input:{name:"x"}){bot{owner{bots{nodes{instructions}}}}}}`:                           "",
			`{__schema{types{name description}}}`:                                                                    "RESPONSE_TOO_LARGE",
		} {
			if way == "GET" && strings.HasPrefix(query, "mutation") {
				continue
			}
			if status, got := send(t, p, attack{query: query}); status != http.StatusOK || got != code {
				t.Errorf("%s by %s: %d %s, want %s", query, way, status, got, code)
			}
		}
	}
	// What is read for a small answer has a limit, too.
	talk := p.must(`mutation($b: ID!) { createConversation(input: {botId: $b}) { conversation { id } } }`, vars{"b": bot}).text("createConversation.conversation.id")
	for range 8 {
		p.chat(vars{"conversationId": talk, "text": strings.Repeat("x", 2000)})
	}
	for n, code := range map[int]string{5: "", 16: "RESPONSE_TOO_LARGE"} {
		query := fmt.Sprintf(`{conversation(id:%q){messages(first:%d){nodes{siblings{id}}}}}`, talk, n)
		if _, got := ways["POST"](t, p, attack{query: query}); got != code {
			t.Errorf("the siblings of %d messages: %s, want %s", n, got, code)
		}
	}
	document := p.know(bot, "Tea", teaText)
	query := `subscription{documentProgress(documentId:"` + document + `"){document{bot{instructions owner{bots{nodes{instructions}}}}}}}`
	for _, way := range []string{"websocket", "SSE"} {
		if _, got := ways[way](t, p, attack{query: query}); got != "RESPONSE_TOO_LARGE" {
			t.Errorf("an event by %s: %s", way, got)
		}
	}
}
