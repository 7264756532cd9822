package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// operation is one that runs on a socket, in a goroutine of its own, which also writes what comes of it.
type operation struct {
	socket *socket
	id     string // the client's
	ctx    context.Context
	cancel context.CancelFunc

	payload []byte // what was asked for, until it is read
	context *graphql.OperationContext
	errs    gqlerror.List // why it is refused
	buffer  []byte        // the message that is being written
	began   time.Time
	code    string // of its first error

	nextWords func(ctx context.Context) []byte // nil where there is no short way

	// Guarded by the socket.
	silent bool // the client has ended it, or been told of its end
	ended  bool
}

func newOperation(s *socket, id string) *operation {
	op := &operation{socket: s, id: id, began: graphql.Now()}
	op.ctx, op.cancel = context.WithCancel(context.WithValue(s.signed, wordsKey{}, op))
	return op
}

// prepare reads what is asked for. The next message of the client waits for it.
func (op *operation) prepare() {
	ctx := graphql.StartOperationTrace(op.ctx)
	defer func() {
		if p := recover(); p != nil { // before there is anything that could tell it
			op.errs = gqlerror.List{gqlerror.Wrap(fmt.Errorf("panic in the reading of an operation: %v\n%s", p, debug.Stack()))}
			op.context = &graphql.OperationContext{}
			op.ctx = graphql.WithOperationContext(ctx, op.context)
		}
	}()
	var params graphql.RawParams
	decoder := json.NewDecoder(bytes.NewReader(op.payload))
	decoder.UseNumber()
	if err := decoder.Decode(&params); err != nil {
		panic(err) // its form was checked
	}
	op.payload = nil
	from, _ := params.Extensions["traceparent"].(string) // browsers cannot send it as a header
	ctx, _ = op.socket.options.Traces.Begin(ctx, measuredNone, from)
	params.Headers = op.socket.headers
	params.ReadTime.Start = graphql.GetStartTime(ctx)
	params.ReadTime.End = graphql.Now()
	op.context, op.errs = op.socket.exec.CreateOperationContext(ctx, &params)
	op.ctx = graphql.WithOperationContext(ctx, op.context)
}

// run runs the operation to its end, and tells it.
func (op *operation) run() {
	defer op.cancel()
	defer func() { op.socket.options.Measure.tell(op.ctx, "websocket", op.context, op.code, op.began) }()
	defer func() {
		if p := recover(); p != nil {
			op.fail(gqlerror.List{asTold(op.context.Recover(op.ctx, p))})
		}
		// A socket that is being closed tells no end: it would be a normal one.
		if op.socket.listens(op, true) && op.socket.ctx.Err() == nil {
			_ = op.socket.write(messageComplete, op.id, nil)
		}
	}()
	if op.errs == nil {
		op.results()
		return
	}
	response := op.socket.exec.DispatchError(op.ctx, op.errs)
	if errcode.GetErrorKind(op.errs) == errcode.KindProtocol {
		op.fail(response.Errors)
	} else {
		op.next(&graphql.Response{Errors: response.Errors})
	}
}

// results sends what the executor gives. What comes after a result and has no data is the failure of a subscription.
func (op *operation) results() {
	responses, ctx := op.socket.exec.DispatchOperation(op.ctx, op.context)
	for first := true; ; first = false {
		if !first {
			op.words(ctx)
		}
		response := responses(ctx)
		switch {
		case response == nil:
			return
		case response.Data == nil && !first:
			op.fail(response.Errors)
			return
		case !op.next(response):
			op.cancel()
		}
	}
}

type wordsKey struct{}

// Words gives the operation of ctx a way to have the words of an answer without middleware; see graph.Options. Only
// websockets use it: an event stream tells the place of each event.
func Words(ctx context.Context, next func(ctx context.Context) []byte) {
	if op, ok := ctx.Value(wordsKey{}).(*operation); ok {
		op.nextWords = next
	}
}

// words sends words until something else comes.
func (op *operation) words(ctx context.Context) {
	if op.nextWords == nil {
		return
	}
	var response graphql.Response
	for response.Data = op.nextWords(ctx); response.Data != nil; response.Data = op.nextWords(ctx) {
		if !op.next(&response) {
			op.cancel()
		}
	}
}

// next sends a result. It reports false where the socket takes no more.
func (op *operation) next(response *graphql.Response) bool {
	op.note(response.Errors)
	if !op.socket.listens(op, false) {
		return true
	}
	if op.buffer == nil {
		op.buffer = append(appendMember(append(make([]byte, 0, 256), `{"type":"next",`...), "id", op.id), `,"payload":`...)
	}
	head := len(op.buffer)
	message := append(appendResponse(op.buffer, response), '}')
	err := op.socket.send(message)
	if op.buffer = message[:head]; cap(message) > largestMessage {
		op.buffer = append([]byte(nil), op.buffer...)
	}
	return err == nil
}

// largestMessage is how much memory of a message is kept for the next one.
const largestMessage = 4 << 10

// appendResponse appends a response. Most are nothing but data.
func appendResponse(to []byte, response *graphql.Response) []byte {
	if response.Data == nil {
		text, err := json.Marshal(response)
		if err != nil {
			panic(err) // errors and extensions are of our own making
		}
		return append(to, text...)
	}
	if len(response.Errors) == 0 && len(response.Extensions) == 0 {
		return append(append(append(to, `{"data":`...), response.Data...), '}')
	}
	head, tail := frame(response)
	return append(append(append(to, head...), response.Data...), tail...)
}

// asTold is an error that the presenter has worded.
func asTold(err error) *gqlerror.Error {
	var told *gqlerror.Error
	if !errors.As(err, &told) {
		told = gqlerror.Wrap(err)
	}
	return told
}

// note keeps the code of the first error.
func (op *operation) note(errs gqlerror.List) {
	if len(errs) > 0 && op.code == "" {
		op.code = firstCode(errs)
	}
}

// fail ends the operation with errors.
func (op *operation) fail(errs gqlerror.List) {
	op.note(errs)
	if !op.socket.listens(op, true) {
		return
	}
	text, err := json.Marshal(errs)
	if err != nil {
		panic(err)
	}
	_ = op.socket.write(messageError, op.id, text)
}
