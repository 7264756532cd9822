package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// relayArgument makes this program the hand-written relay of streams.
const relayArgument = "relay"

// tokenBytes is how long every token of the scripted answer is, about what those of language models are.
const tokenBytes = 4

// relay sends the tokens of one text over websockets, as one would write it without GraphQL: no documents, no limits, no
// log to begin anywhere in, nothing stored. What it sends looks as what the server sends.
type relay struct{ relayConfig }

func serveRelay(ctx context.Context, in io.Reader, out io.Writer) error {
	var r relay
	return serveChild(ctx, in, out, &r.relayConfig, func(context.Context) (http.Handler, func(), error) {
		mux := http.NewServeMux()
		mux.HandleFunc("/graphql", r.serve)
		return mux, func() {}, nil
	})
}

// serve answers every subscribe on one socket with the text.
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
		var asked struct{ ID, Type string }
		if json.Unmarshal(message, &asked) != nil {
			return
		}
		switch asked.Type {
		case "connection_init":
			if conn.Write(ctx, websocket.MessageText, []byte(`{"type":"connection_ack"}`)) != nil {
				return
			}
		case "subscribe":
			streams.Go(func() { r.stream(ctx, conn, asked.ID) })
		}
	}
}

// stream sends the tokens when they are due, and then the end.
func (r *relay) stream(ctx context.Context, conn *websocket.Conn, id string) {
	due := time.Now()
	var frame []byte
	seq := 2 // as after the stages of an answer
	for from := 0; from < len(r.Text); from += tokenBytes {
		due = due.Add(r.Pace)
		time.Sleep(time.Until(due))
		seq++
		frame = append(frame[:0], `{"type":"next","id":"`...)
		frame = append(append(frame, id...), `","payload":{"data":{"messageStream":{"__typename":"MessageDelta","seq":`...)
		frame = strconv.AppendInt(frame, int64(seq), 10)
		frame = append(frame, `,"cursor":"czF8bXNnXzEwMDAwMDB8MXwx","text":"`...)
		frame = append(frame, r.Text[from:min(from+tokenBytes, len(r.Text))]...)
		frame = append(frame, `"}}}}`...)
		if conn.Write(ctx, websocket.MessageText, frame) != nil {
			return
		}
	}
	_ = conn.Write(ctx, websocket.MessageText, fmt.Appendf(frame[:0],
		`{"type":"next","id":%q,"payload":{"data":{"messageStream":{"__typename":"MessageFinished","seq":%d,"message":{"text":%q}}}}}`, id, seq+1, r.Text))
	_ = conn.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"type":"complete","id":%q}`, id))
}
