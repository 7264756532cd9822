package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"

	"github.com/coder/websocket"
)

// relayArgument makes this program the hand-written relay of streams.
const relayArgument = "relay"

// tokenBytes is how long every token of the scripted answer is, about what those of language models are.
const tokenBytes = 4

// answerPath is where the model is asked.
const answerPath = "/v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse"

// relay asks the upstream and sends what it says over websockets, as one would write it without GraphQL: no documents, no
// limits, no log to begin anywhere in, nothing stored. What it sends looks as what the server sends.
type relay struct {
	relayConfig
	client http.Client
}

func serveRelay(ctx context.Context, in io.Reader, out io.Writer) error {
	r := relay{client: http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 512}}}
	return serveChild(ctx, in, out, &r.relayConfig, func(context.Context) (http.Handler, func(), error) {
		mux := http.NewServeMux()
		mux.HandleFunc("/graphql", r.serve)
		return mux, r.client.CloseIdleConnections, nil
	})
}

// serve answers every subscribe on one socket.
func (r *relay) serve(w http.ResponseWriter, req *http.Request) {
	conn, err := websocket.Accept(w, req, &websocket.AcceptOptions{
		Subprotocols: []string{"graphql-transport-ws"}, CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		return
	}
	var streams sync.WaitGroup
	defer streams.Wait()
	defer conn.CloseNow()
	ctx := context.Background()
	for {
		_, message, err := conn.Read(ctx)
		if err != nil {
			return
		}
		var asked struct {
			ID, Type string
			Payload  struct{ Variables struct{ M string } }
		}
		if json.Unmarshal(message, &asked) != nil {
			return
		}
		switch asked.Type {
		case "connection_init":
			if conn.Write(ctx, websocket.MessageText, []byte(`{"type":"connection_ack"}`)) != nil {
				return
			}
		case "subscribe":
			streams.Go(func() { r.stream(ctx, conn, asked.ID, asked.Payload.Variables.M) })
		}
	}
}

// stream asks a question, and sends what is answered, and then the end.
func (r *relay) stream(ctx context.Context, conn *websocket.Conn, id, question string) {
	res, err := r.ask(ctx, question)
	if err != nil {
		return
	}
	defer res.Body.Close()
	var frame, whole []byte
	seq := 2 // as after the stages of an answer
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		data, found := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		if !found {
			continue
		}
		text, err := textOf(data)
		if err != nil {
			return
		}
		if text == "" {
			continue
		}
		seq++
		whole = append(whole, text...)
		frame = append(frame[:0], `{"type":"next","id":"`...)
		frame = append(append(frame, id...), `","payload":{"data":{"messageStream":{"__typename":"MessageDelta","seq":`...)
		frame = strconv.AppendInt(frame, int64(seq), 10)
		frame = append(frame, `,"cursor":"czF8bXNnXzEwMDAwMDB8MXwx","text":`...)
		frame = append(appendString(frame, text), `}}}}`...)
		if conn.Write(ctx, websocket.MessageText, frame) != nil {
			return
		}
	}
	_ = conn.Write(ctx, websocket.MessageText, fmt.Appendf(frame[:0],
		`{"type":"next","id":%q,"payload":{"data":{"messageStream":{"__typename":"MessageFinished","seq":%d,"message":{"text":%q}}}}}`, id, seq+1, whole))
	_ = conn.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"type":"complete","id":%q}`, id))
}

func (r *relay) ask(ctx context.Context, question string) (*http.Response, error) {
	type part struct {
		Text string `json:"text"`
	}
	type content struct {
		Role  string `json:"role"`
		Parts []part `json:"parts"`
	}
	body, err := json.Marshal(map[string][]content{"contents": {{"user", []part{{question}}}}})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.Upstream+answerPath, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Goog-Api-Key", r.Key)
	req.Header.Set("Content-Type", "application/json")
	res, err := r.client.Do(req)
	if err == nil && res.StatusCode != http.StatusOK {
		err = errors.Join(errors.New(res.Status), res.Body.Close())
	}
	return res, err
}

// textOf is what an event of the upstream says.
func textOf(data []byte) (string, error) {
	var event struct {
		Candidates []struct {
			Content struct{ Parts []struct{ Text string } }
		}
	}
	if err := json.Unmarshal(data, &event); err != nil || len(event.Candidates) == 0 || len(event.Candidates[0].Content.Parts) == 0 {
		return "", err
	}
	return event.Candidates[0].Content.Parts[0].Text, nil
}
