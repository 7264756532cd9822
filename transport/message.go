package transport

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"time"
	"unicode/utf8"

	gqlgen "github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/coder/websocket"

	"kyrochat/kyro"
)

// clientMessage is a message of graphql-transport-ws. Its members are kept as they came until the type says what
// they must be.
type clientMessage struct {
	Type    json.RawMessage `json:"type"`
	ID      json.RawMessage `json:"id"`
	Payload json.RawMessage `json:"payload"`
}

// NextReader gives gqlgen the next message that is for it: one connection_init, operations and their ends. All
// else is answered or refused here.
func (s *socket) NextReader() (int, io.Reader, error) {
	for {
		kind, data, err := s.conn.Read(context.Background())
		if err != nil {
			return 0, nil, gqlgen.ErrWebsocketClosed
		}
		forward, code, reason := s.receive(kind, data)
		if code != 0 {
			s.close(code, reason)
			return 0, nil, gqlgen.ErrWebsocketClosed
		}
		if forward != nil {
			return int(websocket.MessageText), bytes.NewReader(forward), nil
		}
	}
}

// receive gives what gqlgen gets of a message, nil for nothing, or the code to close the socket with.
func (s *socket) receive(kind websocket.MessageType, data []byte) (forward []byte, code int, reason string) {
	var m clientMessage
	var name string
	if kind != websocket.MessageText || !isObject(data) || json.Unmarshal(data, &m) != nil || json.Unmarshal(m.Type, &name) != nil {
		return nil, closeBadMessage, "Invalid message received"
	}
	switch name {
	case messageConnInit:
		return s.receiveInit(m)
	case messageSubscribe:
		return s.receiveSubscribe(m)
	case messageComplete:
		return s.receiveComplete(m)
	case messagePing:
		if !optionalObject(m.Payload) {
			return nil, closeBadMessage, "Invalid ping message"
		}
		_ = s.write(messagePong, "", m.Payload)
		return nil, 0, ""
	case messagePong:
		if !optionalObject(m.Payload) {
			return nil, closeBadMessage, "Invalid pong message"
		}
		return nil, 0, ""
	default:
		return nil, closeBadMessage, "Invalid message type"
	}
}

func (s *socket) receiveInit(m clientMessage) ([]byte, int, string) {
	if !optionalObject(m.Payload) {
		return nil, closeBadMessage, "Invalid connection_init payload"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked {
		return nil, closeSecondInit, "Too many initialisation requests"
	}
	s.asked = true
	s.initDue.Stop()
	return encode(messageConnInit, "", m.Payload), 0, ""
}

func (s *socket) receiveSubscribe(m clientMessage) ([]byte, int, string) {
	id, ok := operationID(m.ID)
	if !ok || !validParams(m.Payload) {
		return nil, closeBadMessage, "Invalid subscribe message"
	}
	op, code := s.begin(id)
	switch code {
	case 0:
		return encode(messageSubscribe, op.ours, m.Payload), 0, ""
	case http.StatusTooManyRequests:
		_ = s.write(messageError, id, s.refusedOperation(codeTooManyOnSocket, 0,
			fmt.Sprintf("Too many operations run on this socket: at most %d are allowed. Complete some of them first.", s.maxOperations())))
		return nil, 0, ""
	case http.StatusServiceUnavailable:
		_ = s.write(messageError, id, s.refusedOperation(string(kyro.CodeUnavailable), whenFull,
			"The server carries as many operations as it can. Try again in a few seconds."))
		return nil, 0, ""
	case closeUnauthorized:
		return nil, code, "Unauthorized"
	default:
		return nil, code, fmt.Sprintf("Subscriber for %s already exists", id)
	}
}

// refusedOperation is the payload of an error message.
func (s *socket) refusedOperation(code string, retryAfter time.Duration, message string) []byte {
	extensions := map[string]any{"code": code, "requestId": RequestIDFrom(s.ctx)}
	if retryAfter > 0 {
		extensions["retryAfterMs"] = retryAfter.Milliseconds()
	}
	text := appendMember(nil, "message", message)
	text = appendMember(append(text, ','), "extensions", extensions)
	return append(append([]byte("[{"), text...), "}]"...)
}

func (s *socket) receiveComplete(m clientMessage) ([]byte, int, string) {
	id, ok := operationID(m.ID)
	if !ok {
		return nil, closeBadMessage, "Invalid complete message"
	}
	op := s.leave(id)
	if op == nil {
		return nil, 0, "" // it ended while the message was on its way
	}
	return encode(messageComplete, op.ours, nil), 0, ""
}

// WriteJSON sends a message of gqlgen's, under the client's id. Its type is not exported, but its members are:
// reading them saves encoding every payload twice.
func (s *socket) WriteJSON(v any) error {
	message := reflect.Indirect(reflect.ValueOf(v))
	name := message.FieldByName("Type").String()
	ours := message.FieldByName("ID").String()
	payload := message.FieldByName("Payload").Bytes()
	switch name {
	case messageConnAck:
		s.mu.Lock()
		s.acked = true
		s.mu.Unlock()
		return s.write(name, "", payload)
	case messageNext, messageError, messageComplete:
		theirs, send := s.outgoing(ours, name != messageNext)
		if !send {
			return nil
		}
		return s.write(name, theirs, payload)
	default:
		return fmt.Errorf("gqlgen sent a message of type %q", name)
	}
}

// write sends one message. A client that does not take it in time is closed: no one else must wait for it.
func (s *socket) write(name, id string, payload []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.ctx.Err() != nil {
		return net.ErrClosed
	}
	s.late.Reset(cmp.Or(s.options.WriteTimeout, defaultWriteTimeout))
	defer s.late.Stop()
	// Without a context that can end: it would cost several allocations for every message.
	if err := s.conn.Write(context.Background(), websocket.MessageText, encode(name, id, payload)); err != nil {
		s.drop()
		return err
	}
	s.written++
	return nil
}

// encode writes a message whose payload, if any, is JSON already.
func encode(name, id string, payload []byte) []byte {
	text := make([]byte, 0, len(payload)+len(id)+48)
	text = appendMember(append(text, '{'), "type", name)
	if id != "" {
		text = appendMember(append(text, ','), "id", id)
	}
	if len(payload) > 0 {
		text = append(append(text, `,"payload":`...), payload...)
	}
	return append(text, '}')
}

// operationID reads a client's id of an operation: a text that is not empty.
func operationID(raw json.RawMessage) (string, bool) {
	var id string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &id) != nil {
		return "", false
	}
	return id, id != "" && len(id) <= maxOperationIDSize
}

// validParams reports whether a payload is a GraphQL request. gqlgen reads it again, as it is.
func validParams(raw json.RawMessage) bool {
	var params struct {
		Query         json.RawMessage `json:"query"`
		OperationName json.RawMessage `json:"operationName"`
		Variables     json.RawMessage `json:"variables"`
		Extensions    json.RawMessage `json:"extensions"`
	}
	return isObject(raw) && json.Unmarshal(raw, &params) == nil && utf8.Valid(raw) &&
		(isText(params.Query) || isNull(params.Query) && !isNull(params.Extensions)) && (isNull(params.OperationName) || isText(params.OperationName)) &&
		optionalObject(params.Variables) && optionalObject(params.Extensions)
}

func isText(raw json.RawMessage) bool { return len(raw) > 0 && raw[0] == '"' }
func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }
func isObject(raw json.RawMessage) bool {
	return bytes.HasPrefix(bytes.TrimLeft(raw, " \t\r\n"), []byte{'{'})
}

func optionalObject(raw json.RawMessage) bool { return isNull(raw) || isObject(raw) }
