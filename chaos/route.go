package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coder/websocket"

	"kyrochat/client"
)

const (
	openPatience = 10 * time.Second // until a subscription is accepted
	hearPatience = 12 * time.Second // until the next message; an app that hears nothing for so long comes back
)

// errEnough says that a listener wants no more.
var errEnough = errors.New("heard enough")

// route is how a client reaches a server, and what becomes of its connection.
type route struct {
	base   string // http://host:port
	how    breakage
	after  int           // bytes until it breaks
	frozen time.Duration // how long
}

// client is an HTTP client for one connection by the route.
func (o route) client() (*http.Client, func()) {
	calls := &http.Transport{DialContext: dialer(o.how, o.after, o.frozen), DisableKeepAlives: true, ResponseHeaderTimeout: openPatience}
	return &http.Client{Transport: calls}, calls.CloseIdleConnections
}

// told is an event as it came: the data, and over an event stream its id.
type told struct {
	data json.RawMessage
	id   string
}

// overSocket subscribes over a websocket of its own. nil: the stream was completed; errEnough: see wants no more, which
// the server is told in a close frame; errors of GraphQL are client.Errors.
func (p *person) overSocket(ctx context.Context, o route, query string, variables map[string]any, see func(told) error) error {
	conn, err := p.openSocket(ctx, o)
	if err != nil {
		return err
	}
	defer func() { _ = conn.CloseNow() }()
	if err := say(ctx, conn, "subscribe", map[string]any{"query": query, "variables": variables}); err != nil {
		return err
	}
	for {
		kind, payload, err := hear(ctx, conn, hearPatience)
		if err != nil {
			return err
		}
		switch kind {
		case "complete":
			_ = conn.Close(websocket.StatusNormalClosure, "")
			return nil
		case "error":
			var problems client.Errors
			if err := json.Unmarshal(payload, &problems); err != nil || len(problems) == 0 {
				return fmt.Errorf("an error without a name: %s", payload)
			}
			return problems
		case "next":
			data, err := dataOf(payload)
			if err == nil {
				err = see(told{data: data})
			}
			if errors.Is(err, errEnough) {
				_ = say(ctx, conn, "complete", nil)
				_ = conn.Close(websocket.StatusNormalClosure, "")
			}
			if err != nil {
				return err
			}
		}
	}
}

// openSocket opens a websocket and signs in on it.
func (p *person) openSocket(ctx context.Context, o route) (*websocket.Conn, error) {
	opening, cancel := context.WithTimeout(ctx, openPatience)
	defer cancel()
	calls, done := o.client()
	defer done()
	conn, _, err := websocket.Dial(opening, "ws"+strings.TrimPrefix(o.base, "http")+"/graphql", &websocket.DialOptions{HTTPClient: calls, Subprotocols: []string{"graphql-transport-ws"}})
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(32 << 20)
	err = say(opening, conn, "connection_init", map[string]any{"authorization": "Bearer " + p.session.access()})
	if err == nil {
		var kind string
		if kind, _, err = hear(opening, conn, openPatience); err == nil && kind != "connection_ack" {
			err = fmt.Errorf("%q instead of connection_ack", kind)
		}
	}
	if err != nil {
		_ = conn.CloseNow()
		return nil, err
	}
	return conn, nil
}

// say sends a message of graphql-transport-ws.
func say(ctx context.Context, conn *websocket.Conn, kind string, payload any) error {
	message := map[string]any{"type": kind}
	if payload != nil {
		message["payload"] = payload
	}
	if kind != "connection_init" {
		message["id"] = "1"
	}
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, openPatience)
	defer cancel()
	return conn.Write(ctx, websocket.MessageText, text)
}

// hear reads the next message.
func hear(ctx context.Context, conn *websocket.Conn, patience time.Duration) (kind string, payload json.RawMessage, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, text, err := conn.Read(ctx)
	if err != nil {
		return "", nil, err
	}
	var message struct {
		Type    string
		Payload json.RawMessage
	}
	err = json.Unmarshal(text, &message)
	return message.Type, message.Payload, err
}

// dataOf reads a result.
func dataOf(payload []byte) (json.RawMessage, error) {
	var result struct {
		Data   json.RawMessage
		Errors client.Errors
	}
	if err := json.Unmarshal(payload, &result); err != nil {
		return nil, fmt.Errorf("no result: %w", err)
	}
	if len(result.Errors) > 0 {
		return nil, result.Errors
	}
	return result.Data, nil
}

// errCut says that an event stream ended before it was complete.
var errCut = errors.New("the event stream was cut")

// overEvents subscribes as an EventSource does: to the URL that it began with, with the id of the last event that it had
// in full. What it gives is as of overSocket.
func (p *person) overEvents(ctx context.Context, o route, query string, variables map[string]any, lastID string, see func(told) error) error {
	text, err := json.Marshal(variables)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	where := o.base + "/graphql?" + url.Values{"query": {query}, "variables": {string(text)}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Authorization", "Bearer "+p.session.access())
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	calls, done := o.client()
	defer done()
	res, err := calls.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return &client.StatusError{Status: res.StatusCode}
	}
	silence := time.AfterFunc(hearPatience, cancel)
	defer silence.Stop()
	id, name, data := lastID, "", ""
	for lines := bufio.NewReader(res.Body); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return errors.Join(errCut, err)
		}
		silence.Reset(hearPatience)
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "\n" && name == "complete":
			return nil
		case line == "\n" && name == "next":
			result, err := dataOf([]byte(data))
			if err == nil {
				err = see(told{result, id})
			}
			if err != nil {
				return err
			}
			name, data = "", ""
		case field == "event":
			name = value
		case field == "id":
			id = value
		case field == "data":
			data += value
		}
	}
}
