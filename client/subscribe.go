package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/coder/websocket"
)

const (
	subprotocol = "graphql-transport-ws"
	ackTimeout  = 15 * time.Second
	sayTimeout  = 10 * time.Second
)

// message is one of graphql-transport-ws, both ways.
type message struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// Subscribe runs a subscription and gives the data of each event. It ends when the server completes it, without
// an error; when the loop is left; or with one last error: Errors that end the subscription, *CloseError, or the
// context's. Errors of a single event come with its data and do not end it. Every call has a websocket of its own.
func (c *Client) Subscribe(ctx context.Context, query string, variables map[string]any) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		s, err := c.open(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		defer s.close()
		if err := s.run(request{query, variables}, yield); err != nil {
			yield(nil, err)
		}
	}
}

// socket is one websocket with its keeper, the goroutine that pings the server.
type socket struct {
	conn   *websocket.Conn
	ctx    context.Context // ends when the caller's does, or when the server is gone
	cancel context.CancelCauseFunc
	keeper sync.WaitGroup
}

// open connects, and waits until the server accepted the connection.
func (c *Client) open(ctx context.Context) (*socket, error) {
	u := *c.endpoint
	u.Scheme = map[string]string{"http": "ws", "https": "wss"}[u.Scheme]
	dialing, stop := context.WithTimeout(ctx, ackTimeout)
	defer stop()
	conn, res, err := websocket.Dial(dialing, u.String(), &websocket.DialOptions{HTTPClient: c.http, Subprotocols: []string{subprotocol}}) //nolint:bodyclose // Dial closes it
	if err != nil {
		if res != nil && res.StatusCode >= 400 {
			return nil, &StatusError{Status: res.StatusCode, Body: "the websocket was refused"}
		}
		return nil, fmt.Errorf("open a websocket: %w", err)
	}
	conn.SetReadLimit(c.limit)
	s := &socket{conn: conn}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	if err := s.init(dialing, *c.token.Load()); err != nil {
		s.close()
		return nil, err
	}
	s.keeper.Go(func() { s.keep(c.ping) })
	return s, nil
}

func (s *socket) init(ctx context.Context, token string) error {
	if s.conn.Subprotocol() != subprotocol {
		return errors.New("the server does not speak " + subprotocol)
	}
	hello := message{Type: "connection_init"}
	if token != "" {
		payload, err := json.Marshal(map[string]string{"authorization": "Bearer " + token})
		if err != nil {
			return fmt.Errorf("encode the token: %w", err)
		}
		hello.Payload = payload
	}
	if err := s.say(ctx, hello); err != nil {
		return err
	}
	for {
		m, err := s.hear(ctx)
		if err != nil {
			return err
		}
		switch m.Type {
		case "connection_ack":
			return nil
		case "ping":
			if err := s.say(ctx, message{Type: "pong"}); err != nil {
				return err
			}
		case "pong":
		default:
			return fmt.Errorf("the server sent %q before accepting the connection", m.Type)
		}
	}
}

// run asks and passes events on until the end. nil: completed, or the caller left.
func (s *socket) run(r request, yield func(json.RawMessage, error) bool) error {
	payload, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode the request: %w", err)
	}
	const id = "1"
	if err := s.say(s.ctx, message{ID: id, Type: "subscribe", Payload: payload}); err != nil {
		return err
	}
	for {
		m, err := s.hear(s.ctx)
		if err != nil {
			return err
		}
		switch {
		case m.Type == "ping":
			if err := s.say(s.ctx, message{Type: "pong"}); err != nil {
				return err
			}
		case m.ID != id: // a pong, or nothing of ours
		case m.Type == "next":
			var event response
			if err := json.Unmarshal(m.Payload, &event); err != nil {
				return fmt.Errorf("decode an event: %w", err)
			}
			var problem error
			if len(event.Errors) > 0 {
				problem = event.Errors
			}
			if !yield(event.Data, problem) {
				_ = s.say(s.ctx, message{ID: id, Type: "complete"}) // the close that follows says it too
				return nil
			}
		case m.Type == "error":
			var problems Errors
			if err := json.Unmarshal(m.Payload, &problems); err != nil || len(problems) == 0 {
				return errors.New("the server ended the subscription with an error it did not name")
			}
			return problems
		case m.Type == "complete":
			return nil
		}
	}
}

func (s *socket) say(ctx context.Context, m message) error {
	raw, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode a message: %w", err)
	}
	ctx, stop := context.WithTimeout(ctx, sayTimeout)
	defer stop()
	if err := s.conn.Write(ctx, websocket.MessageText, raw); err != nil {
		return s.explain(ctx, fmt.Errorf("send over the websocket: %w", err))
	}
	return nil
}

func (s *socket) hear(ctx context.Context) (message, error) {
	kind, raw, err := s.conn.Read(ctx)
	if err != nil {
		return message{}, s.explain(ctx, fmt.Errorf("read from the websocket: %w", err))
	}
	var m message
	if kind != websocket.MessageText || json.Unmarshal(raw, &m) != nil {
		return message{}, errors.New("the server sent something that is no message of " + subprotocol)
	}
	return m, nil
}

// explain finds the reason behind an error of the websocket.
func (s *socket) explain(ctx context.Context, err error) error {
	var closed websocket.CloseError
	if errors.As(err, &closed) {
		return &CloseError{Code: int(closed.Code), Reason: closed.Reason}
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// keep pings the server, and ends the subscription when it does not answer.
func (s *socket) keep(every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-ticker.C:
		}
		ctx, stop := context.WithTimeout(s.ctx, every)
		err := s.conn.Ping(ctx)
		stop()
		if err != nil {
			s.cancel(fmt.Errorf("the server does not answer any more: %w", err))
			return
		}
	}
}

func (s *socket) close() {
	s.cancel(context.Canceled)
	s.keeper.Wait()
	_ = s.conn.Close(websocket.StatusNormalClosure, "")
}
