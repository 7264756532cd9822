package transport

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"kyrochat/kyro"
)

// Defaults of HTTP.
const (
	DefaultMaxBody     = 256 << 10
	defaultBodyTimeout = 15 * time.Second
	defaultExecTimeout = 10 * time.Second
	defaultAnswerTime  = 30 * time.Second
)

// HTTP carries one operation a request, as "GraphQL over HTTP" describes it: POST with a JSON body, GET for
// queries. It takes every request that is left, so it comes last, and answers what it does not accept with an
// error of its own. Zero fields take the defaults.
type HTTP struct {
	MaxBody       int64         // bytes of a request body; 256 KiB
	BodyTimeout   time.Duration // how long the body may take to arrive; 15 s
	Timeout       time.Duration // how long the operation may take; 10 s
	AnswerTimeout time.Duration // how long a client may take to receive the answer; 30 s
	Measure       Measure
	Traces        kyro.Traces // nil: nothing is traced
}

var _ graphql.Transport = HTTP{}

const allowedMethods = "GET, POST"

// Supports takes every request.
func (HTTP) Supports(*http.Request) bool { return true }

// Do answers one request.
func (t HTTP) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	media, acceptable := negotiate(r)
	r = traced(t.Traces, r)
	started := graphql.Now()
	params, why := t.read(w, r, acceptable)
	if why != nil {
		t.Measure.tell(r.Context(), "http", nil, why.code, started)
		refuse(w, r, media, why)
		return
	}
	params.Headers = r.Header
	params.ReadTime = graphql.TraceTiming{Start: started, End: graphql.Now()}
	ctx, cancel := context.WithTimeout(r.Context(), cmp.Or(t.Timeout, defaultExecTimeout))
	defer cancel()
	after := &afterwards{}
	if r.Method == http.MethodPost {
		after.post = post{r, w.Header()}
	}
	ctx = context.WithValue(ctx, afterwardsKey{}, after)
	op, response, why := execute(ctx, w.Header(), exec, params, r.Method == http.MethodGet)
	if why != nil {
		t.Measure.tell(ctx, "http", op, why.code, started)
		refuse(w, r, media, why)
		return
	}
	t.Measure.tell(ctx, "http", op, codeOfResponse(response), started)
	answer(w, media, response, t.AnswerTimeout)
	for _, done := range after.sent {
		done()
	}
}

// afterwards is what is done once a response was sent, and what cookies need of it before.
type afterwards struct {
	sent []func()
	post post // zero where the request was none
}

type afterwardsKey struct{}

// Sent has done called when the response of ctx was sent, so that its memory can be used again. Only HTTP knows
// when that is; elsewhere done is never called.
func Sent(ctx context.Context, done func()) {
	if after, ok := ctx.Value(afterwardsKey{}).(*afterwards); ok {
		after.sent = append(after.sent, done)
	}
}

// read checks the request from outside inwards and gives its operation.
func (t HTTP) read(w http.ResponseWriter, r *http.Request, acceptable bool) (*graphql.RawParams, *refusal) {
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodPost:
		return nil, &refusal{status: http.StatusMethodNotAllowed, code: codeMethod, allow: allowedMethods,
			message: "GraphQL is spoken by POST, and by GET for queries."}
	case !acceptable:
		return nil, &refusal{status: http.StatusNotAcceptable, code: codeNotAcceptable,
			message: "The server answers in " + mediaResponse + " or " + mediaJSON + "."}
	case r.Method == http.MethodGet:
		if fromElsewhere(r) && !wasPreflighted(r) {
			return nil, preflightRequired()
		}
		return queryParams(r.URL.RawQuery)
	case !isMedia(r, mediaJSON):
		return nil, &refusal{status: http.StatusUnsupportedMediaType, code: codeMediaType,
			message: "Send the operation as " + mediaJSON + ", and files as " + mediaForm + "."}
	case isEncoded(r):
		return nil, encodedBody()
	}
	body, why := t.readBody(w, r)
	if why != nil {
		return nil, why
	}
	return parseParams(body)
}

func (t HTTP) readBody(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
	limit := cmp.Or(t.MaxBody, DefaultMaxBody)
	// Writers without deadlines, as in tests, do without.
	deadlines := http.NewResponseController(w)
	_ = deadlines.SetReadDeadline(time.Now().Add(cmp.Or(t.BodyTimeout, defaultBodyTimeout)))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err == nil {
		_ = deadlines.SetReadDeadline(time.Time{})
		return body, nil
	}
	// The deadline stays: net/http reads on before it answers, and would wait for this client without end.
	w.Header().Set("Connection", "close")
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		// A client that is still sending would see a reset instead of the answer.
		_, _ = io.CopyN(io.Discard, r.Body, 2*limit)
		return nil, bodyTooLarge(limit)
	}
	return nil, badRequest("The request body did not arrive.")
}

// execute runs an operation that gives one response, and tells in h what is left of the viewer's rate. why is set for
// operations that this way of asking is not for.
func execute(
	ctx context.Context, h http.Header, exec graphql.GraphExecutor, params *graphql.RawParams, queriesOnly bool,
) (*graphql.OperationContext, *graphql.Response, *refusal) {
	op, errs := exec.CreateOperationContext(ctx, params)
	tellRate(h, op)
	ctx = graphql.WithOperationContext(ctx, op)
	if errs != nil {
		return op, exec.DispatchError(ctx, errs), nil
	}
	switch kind := op.Operation.Operation; {
	case queriesOnly && kind != ast.Query:
		return op, nil, &refusal{status: http.StatusMethodNotAllowed, code: codeMethod, allow: http.MethodPost,
			message: "Only queries can be sent by GET."}
	case kind == ast.Subscription:
		return op, nil, badRequest("Subscriptions need a websocket with the subprotocol " + subprotocol + ", or the header Accept: " + mediaEvents + ".")
	}
	return op, once(ctx, exec, op), nil
}

// once runs a query or mutation.
func once(ctx context.Context, exec graphql.GraphExecutor, op *graphql.OperationContext) *graphql.Response {
	responses, ctx := exec.DispatchOperation(ctx, op)
	if response := responses(ctx); response != nil {
		return response
	}
	// The time was over before the first field ran.
	return exec.DispatchError(ctx, gqlerror.List{gqlerror.Wrap(context.Cause(ctx))})
}

// isEncoded reports a body that would have to be unpacked, which may be many times its size.
func isEncoded(r *http.Request) bool {
	encoding := strings.TrimSpace(r.Header.Get("Content-Encoding"))
	return encoding != "" && !strings.EqualFold(encoding, "identity")
}

func encodedBody() *refusal {
	return &refusal{status: http.StatusUnsupportedMediaType, code: codeMediaType, message: "Compressed request bodies are not accepted."}
}

func preflightRequired() *refusal {
	return &refusal{status: http.StatusForbidden, code: codePreflight,
		message: "Send one of the headers " + strings.Join(preflightHeaders, ", ") + ", with any value, so that no other site can send this request."}
}
