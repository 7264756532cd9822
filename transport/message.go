package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
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

// serve reads messages until the socket ends.
func (s *socket) serve() {
	var paid time.Time
	for {
		kind, data, err := s.conn.Read(context.Background())
		if err != nil {
			return
		}
		goesOn := false
		if paid, goesOn = s.options.Rates.goesOn(paid, s.now()); !goesOn {
			s.close(closeTooMany, "Too many messages")
			return
		}
		op, code, reason := s.receive(kind, data)
		if code != 0 {
			s.close(code, reason)
			return
		}
		if op != nil {
			op.prepare()
			s.tasks.Go(op.run)
		}
	}
}

// receive does what a message says, and gives the operation that is to run, if any, or the code to close the socket with.
func (s *socket) receive(kind websocket.MessageType, data []byte) (op *operation, code int, reason string) {
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

func (s *socket) receiveInit(m clientMessage) (*operation, int, string) {
	var payload map[string]any
	if !optionalObject(m.Payload) || len(m.Payload) > 0 && json.Unmarshal(m.Payload, &payload) != nil {
		return nil, closeBadMessage, "Invalid connection_init payload"
	}
	s.mu.Lock()
	again := s.asked
	s.asked = true
	s.initDue.Stop()
	s.mu.Unlock()
	if again {
		return nil, closeSecondInit, "Too many initialisation requests"
	}
	if code, reason := s.init(payload); code != 0 {
		return nil, code, reason
	}
	s.mu.Lock()
	s.acked = true
	s.mu.Unlock()
	_ = s.write(messageConnAck, "", nil)
	return nil, 0, ""
}

func (s *socket) receiveSubscribe(m clientMessage) (*operation, int, string) {
	id, ok := operationID(m.ID)
	if !ok || !validParams(m.Payload) {
		return nil, closeBadMessage, "Invalid subscribe message"
	}
	op, code := s.begin(id)
	switch code {
	case 0:
		op.payload = m.Payload
		return op, 0, ""
	case http.StatusTooManyRequests:
		s.options.Measure.tell(s.ctx, "websocket", nil, codeTooManyOnSocket, graphql.Now())
		_ = s.write(messageError, id, s.refusedOperation(codeTooManyOnSocket, 0,
			fmt.Sprintf("Too many operations run on this socket: at most %d are allowed. Complete some of them first.", s.maxOperations())))
		return nil, 0, ""
	case http.StatusServiceUnavailable:
		s.options.Measure.tell(s.ctx, "websocket", nil, string(kyro.CodeUnavailable), graphql.Now())
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

func (s *socket) receiveComplete(m clientMessage) (*operation, int, string) {
	id, ok := operationID(m.ID)
	if !ok {
		return nil, closeBadMessage, "Invalid complete message"
	}
	s.leave(id) // which may have ended while the message was on its way
	return nil, 0, ""
}

func (s *socket) write(name, id string, payload []byte) error {
	return s.send(encode(name, id, payload))
}

// send sends one message. A client that does not take it in time is closed: no one else must wait for it.
func (s *socket) send(message []byte) error {
	// It is the connection that has a time limit, which costs less than that of a context for each message.
	if err := s.conn.Write(context.Background(), websocket.MessageText, message); err != nil {
		s.drop()
		return err
	}
	s.written.Add(1)
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

// validParams reports whether a payload is a GraphQL request. It is read again where it runs.
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
