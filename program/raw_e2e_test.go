package program

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// raw sends a request as it is.
func (p *person) raw(t *testing.T, method, query, body string, headers ...string) (status int, code string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, p.s.url+"/graphql"+query, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+p.token)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Header.Get("X-Request-Id") == "" && answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("no request id: %d %.300s", answer.StatusCode, text)
	}
	if strings.Contains(string(text), "canary") {
		t.Errorf("echoes the canary: %.300s", text)
	}
	return answer.StatusCode, codeIn(t, text)
}

// codeIn is the code of the first error of a response, or of the events of a stream.
func codeIn(t *testing.T, text []byte) string {
	t.Helper()
	if _, data, found := bytes.Cut(text, []byte("data: ")); found {
		text, _, _ = bytes.Cut(data, []byte("\n"))
	}
	var response struct {
		Errors []struct {
			Extensions struct{ Code, RequestID string }
		}
	}
	if err := json.Unmarshal(text, &response); err != nil {
		return fmt.Sprintf("no JSON: %.100s", text)
	}
	if len(response.Errors) == 0 {
		return ""
	}
	if response.Errors[0].Extensions.RequestID == "" {
		t.Errorf("an error without a request id: %.300s", text)
	}
	return response.Errors[0].Extensions.Code
}

// rawSocket is a websocket that speaks in raw messages.
type rawSocket struct {
	*websocket.Conn
	t *testing.T
}

// socket opens a websocket and signs in.
func (p *person) socket(t *testing.T) *rawSocket {
	t.Helper()
	c := p.s.dial(t)
	c.send(p.initialisation())
	if got := c.receive(); got != acknowledged {
		t.Fatalf("got %s", got)
	}
	return c
}

const acknowledged = `{"type":"connection_ack"}`

func (p *person) initialisation() string {
	return `{"type":"connection_init","payload":{"authorization":"Bearer ` + p.token + `"}}`
}

// dial opens a websocket and says nothing.
func (s *testServer) dial(t *testing.T) *rawSocket {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), s.url+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(-1)
	t.Cleanup(func() { _ = conn.CloseNow() })
	return &rawSocket{conn, t}
}

// send sends a message. That the server has closed meanwhile shows in what is received.
func (c *rawSocket) send(message string) {
	_ = c.Write(c.t.Context(), websocket.MessageText, []byte(message))
}

// receive gives the next message, or the close as "code reason".
func (c *rawSocket) receive() string {
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	_, data, err := c.Read(ctx)
	var closed websocket.CloseError
	switch {
	case errors.As(err, &closed):
		return fmt.Sprintf("%d %s", closed.Code, closed.Reason)
	case err != nil:
		return err.Error()
	}
	return string(data)
}

// ask runs an operation and gives the code of its first error, or that of the close.
func (c *rawSocket) ask(body string) string {
	c.send(`{"id":"a","type":"subscribe","payload":` + body + `}`)
	got := c.receive()
	var message struct {
		Type    string
		Payload json.RawMessage
	}
	if json.Unmarshal([]byte(got), &message) != nil {
		code, _, _ := strings.Cut(got, " ")
		return code
	}
	if message.Type == "error" {
		return codeIn(c.t, []byte(`{"errors":`+string(message.Payload)+`}`))
	}
	return codeIn(c.t, message.Payload)
}
