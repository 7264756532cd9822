package main

import (
	"context"
	"net/http"

	"github.com/99designs/gqlgen/graphql"

	"kyrochat/kyro"
	"kyrochat/trace"
	"kyrochat/transport"
)

// Where traces begin. Everything below goes on by its context: whoever does something says so to kyro.Trace, and a context
// that nothing is recorded for has none. docs/traces.md says what is recorded.

// newTracer makes what records; nil where nothing is to be.
func newTracer(ctx context.Context, cfg Config, node string, a *app) (*trace.Tracer, error) {
	if cfg.Traces.Endpoint == "" && cfg.spans == nil {
		return nil, nil
	}
	return trace.New(ctx, trace.Config{
		Endpoint: cfg.Traces.Endpoint, Headers: cfg.Traces.Headers, Service: cfg.Traces.Service, Version: version(), Node: node,
		Ratio: cfg.Traces.Ratio, Follow: cfg.Traces.Follow, Log: a.log.With("part", "traces"), Export: cfg.spans,
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
	defer span.End("")
	return next(ctx)
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

// ofTransfers records requests that carry files. Their addresses are secrets, and are not told.
func (t recorded) ofTransfers(name string, next http.HandlerFunc) http.HandlerFunc {
	if t.requests == nil {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, span := t.requests.Begin(r.Context(), name, r.Header.Get("Traceparent"))
		span.Note("request_id", transport.RequestIDFrom(ctx))
		defer span.End("")
		next(w, r.WithContext(ctx))
	}
}
