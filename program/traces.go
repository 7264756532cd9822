package program

import (
	"context"
	"net/http"
	"strconv"

	"github.com/99designs/gqlgen/graphql"
	"github.com/go-chi/chi/v5/middleware"

	"kyrochat/config"
	"kyrochat/kyro"
	"kyrochat/trace"
	"kyrochat/transport"
)

// Where traces begin. Everything below goes on by its context: whoever does something says so to kyro.Trace, and a context
// that nothing is recorded for has none. docs/traces.md says what is recorded.

// newTracer makes what records; nil where nothing is to be.
func newTracer(ctx context.Context, cfg config.Config, node string, a *app) (*trace.Tracer, error) {
	if cfg.Traces.Endpoint == "" && a.hooks.spans == nil {
		return nil, nil
	}
	return trace.New(ctx, trace.Config{
		Endpoint: cfg.Traces.Endpoint, Headers: cfg.Traces.Headers, Service: cfg.Traces.Service, Version: version(), Node: node,
		Ratio: cfg.Traces.Ratio, Follow: cfg.Traces.Follow, Log: a.log.With("part", "traces"), Export: a.hooks.spans,
	})
}

// recorded are the beginnings of traces, which are nil without a tracer.
type recorded struct {
	requests kyro.Traces // of clients
	work     kyro.Traces // of jobs and answers
}

func recordedBy(t *trace.Tracer) recorded {
	if t == nil {
		return recorded{}
	}
	return recorded{requests: t.Requests, work: t.Work}
}

// aroundMutations gives each use case that a mutation asks for a span; queries have theirs by ofQuery.
func (t recorded) aroundMutations(ctx context.Context, next graphql.RootResolver) graphql.Marshaler {
	if !kyro.TraceFrom(ctx).Recorded() {
		return next(ctx)
	}
	field := graphql.GetRootFieldContext(ctx)
	if field == nil {
		return next(ctx)
	}
	ctx, span := kyro.BeginPart(ctx, "Mutation."+field.Field.Name)
	code := string(kyro.CodeInternal) // unless next comes back
	defer func() { span.End(code) }()
	result := next(ctx)
	code = transport.FieldCode(ctx, field.Field.Alias)
	return result
}

// ofQuery gives the use case of a field at the top of a query a span.
func (t recorded) ofQuery() func(ctx context.Context, field string) (context.Context, func(error)) {
	if t.requests == nil {
		return nil
	}
	return func(ctx context.Context, field string) (context.Context, func(error)) {
		if !kyro.TraceFrom(ctx).Recorded() {
			return ctx, nil
		}
		ctx, span := kyro.BeginPart(ctx, "Query."+field)
		return ctx, func(err error) { span.End(kyro.CallCode(err)) }
	}
}

// ofTransfers records requests that carry files. Their addresses are secrets, and are not told; a status that says that it went
// wrong is the code.
func (t recorded) ofTransfers(name string, next http.HandlerFunc) http.HandlerFunc {
	if t.requests == nil {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, span := t.requests.Begin(r.Context(), name, r.Header.Get("Traceparent"))
		span.Note("request_id", transport.RequestIDFrom(ctx))
		told := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		defer func() { span.End(codeOfStatus(told.Status())) }() // also of what is cut off in the middle
		next(told, r.WithContext(ctx))
	}
}

// codeOfStatus is how a request ended, for its trace.
func codeOfStatus(status int) string {
	switch {
	case status == 0:
		return kyro.CallCode(context.Canceled) // nothing was answered
	case status >= http.StatusBadRequest:
		return strconv.Itoa(status)
	default:
		return ""
	}
}
