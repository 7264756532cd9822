package transport

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
)

// PlaceUploads runs placeUploads with ten files at most.
func PlaceUploads(text []byte, variables map[string]any) (int, bool) {
	uploads, why := placeUploads(text, variables, 10)
	return len(uploads), why == nil
}

// Receive gives a socket that is ready for operations one message of its client: what it asks for of a new operation,
// and the code to close the socket with.
func Receive(message string) (begun []byte, code int) {
	s := &socket{options: &Websocket{Connections: &Connections{}}, signed: context.Background(), asked: true, acked: true, initDue: time.NewTimer(time.Hour)}
	if strings.Contains(message, messagePing) {
		return nil, 0 // would be answered on the connection
	}
	op, code, _ := s.receive(websocket.MessageText, []byte(message))
	if op != nil {
		begun = op.payload
	}
	return begun, code
}

// ReadVariables reads the variables of the one operation of a document, which is not validated.
func ReadVariables(schema *ast.Schema, document string, given map[string]any) (map[string]any, *gqlerror.Error) {
	parsed, err := parser.ParseQuery(&ast.Source{Input: document})
	if err != nil {
		panic(err)
	}
	return readVariables(schema, parsed.Operations[0], given)
}

// Count is how many connections are open.
func (c *Connections) Count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open)
}

// Remember gives n documents of a size to the cache, and tells how many bytes it holds then.
func Remember(n, size int) (bytes int) {
	r := remember(func(text string, _ int) int { return len(text) })
	for i := range n {
		text := fmt.Sprint(i, strings.Repeat(" ", size))[:size]
		r.Add(context.Background(), text, i)
		r.Add(context.Background(), text, i) // again, as two requests at once do
		if _, found := r.Get(context.Background(), text); found != (size <= rememberedBytes) {
			panic("the newest is not there")
		}
	}
	return r.held
}
