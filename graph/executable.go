// Package graph runs operations on the contract. All but this file is generated from schema.graphqls: gqlgen's executor,
// and beside it the methods by which package plan runs queries and subscriptions.
package graph

import (
	"context"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"kyrochat/graph/plan"
	"kyrochat/kyro"
)

// How many operations have their plan at hand, and how many bytes the document of one may have: a plan keeps its
// document in memory, which takes up to a hundred times its text.
const (
	rememberedPlans = 256
	plannedBytes    = 4 << 10
)

// NewExecutable makes the schema that the server runs: queries and subscriptions by plans (see package plan), mutations
// and introspection by gqlgen's own executor. Field middleware of gqlgen is not called for what is planned.
func NewExecutable(cfg Config, o Options) graphql.ExecutableSchema {
	plans, _ := lru.New[*ast.OperationDefinition, *plan.Plan](rememberedPlans) // fails for sizes below 1 only
	return &executable{executableSchema: NewExecutableSchema(cfg).(*executableSchema), plans: plans, o: o}
}

// Options are for planned queries.
type Options struct {
	// MaxResponse is how many bytes a response, or an event, may have; 0: any number. A query whose response is longer ends soon
	// after, with what there is: its caller sees that it is too long.
	MaxResponse int
	// Sent has done called once the response of ctx was sent, or never. The memory of the response is used again then;
	// nil: by no other response.
	Sent func(ctx context.Context, done func())
	// Words is told, of a subscription of ctx, how to have the words of an answer without any middleware: each call waits
	// for the next event and gives its data, good until the next call. It gives nil where that is something else, or the
	// end, for which the response is asked for as ever. nil: everything is.
	Words func(ctx context.Context, next func(ctx context.Context) []byte)
	// Resolved is told how long the resolver of a field at the top of a query took. It must not wait. nil: nobody is.
	Resolved func(field string, took time.Duration)
	// Resolving gives the resolver of a field at the top of a query its context, and what is told of its end, which may be
	// nil. nil: each has the query's.
	Resolving func(ctx context.Context, field string) (context.Context, func(error))
}

type executable struct {
	*executableSchema
	plans   *lru.Cache[*ast.OperationDefinition, *plan.Plan]
	buffers sync.Pool // of *[]byte
	o       Options
}

// Exec runs an operation.
func (e *executable) Exec(ctx context.Context) graphql.ResponseHandler {
	op := graphql.GetOperationContext(ctx)
	p, planned := e.plans.Get(op.Operation)
	if !planned {
		if condition := plan.Undecided(op); condition != nil {
			graphql.AddError(ctx, undecided(condition))
			return nil // the executor answers with the error
		}
		p, planned = e.plan(op)
	}
	switch {
	case !planned:
		return e.executableSchema.Exec(ctx)
	case op.Operation.Operation == ast.Subscription:
		return e.stream(ctx, op, p)
	}
	done := false
	return func(ctx context.Context) *graphql.Response {
		if done {
			return nil
		}
		done = true
		return e.run(ctx, op, p)
	}
}

func undecided(condition *ast.Value) error {
	return &gqlerror.Error{
		Err: kyro.Errorf(kyro.CodeBadUserInput,
			"%s decides what is skipped or included, so it must not be null: give true or false.", condition),
		Locations: []gqlerror.Location{{Line: condition.Position.Line, Column: condition.Position.Column}},
	}
}

func (e *executable) plan(op *graphql.OperationContext) (*plan.Plan, bool) {
	if op.Operation.Operation == ast.Mutation {
		return nil, false
	}
	p, planned := plan.New(e.Schema(), op)
	if planned && p.Fixed && len(op.RawQuery) <= plannedBytes {
		e.plans.Add(op.Operation, p)
	}
	return p, planned
}

func (e *executable) run(ctx context.Context, op *graphql.OperationContext, p *plan.Plan) *graphql.Response {
	ec := newExecutionContext(op, e.executableSchema, nil)
	x := &planned{Run: plan.NewRun(ctx, p, e.buffer(p.Size())), ec: ec}
	x.Max, x.Resolved, x.Resolving = e.o.MaxResponse, e.o.Resolved, e.o.Resolving
	if !x.Guard(func() bool { return x.objectQuery(p.Root) }) {
		return &graphql.Response{Data: []byte("null")}
	}
	p.Wrote(len(x.Buf))
	if e.o.Sent != nil && cap(x.Buf) <= largestBuffer {
		buffer := x.Buf
		e.o.Sent(ctx, func() { e.buffers.Put(&buffer) })
	}
	return &graphql.Response{Data: x.Buf}
}

// stream gives a response for each event of a subscription, written where the one before was: it is good until the next
// one is asked for. A subscription that fails after its first event ends with a response that has errors and no data.
func (e *executable) stream(ctx context.Context, op *graphql.OperationContext, p *plan.Plan) graphql.ResponseHandler {
	x := &planned{Run: plan.NewRun(ctx, p, nil), ec: newExecutionContext(op, e.executableSchema, nil)}
	x.Max = e.o.MaxResponse
	events := x.subscription(&p.Root.Fields[0])
	if events == nil {
		return nil // the executor answers with the error
	}
	context.AfterFunc(ctx, events.Close) // whoever asked may be gone without a word
	write := func() bool { return x.Event(p, events) }
	if e.o.Words != nil {
		e.o.Words(ctx, func(ctx context.Context) []byte {
			if ctx.Err() != nil || !words(ctx, events) {
				return nil
			}
			x.Reset(ctx)
			if !x.Guard(write) || x.Max > 0 && len(x.Buf) > x.Max {
				return nil // the event is still to be asked for, as ever
			}
			_, _ = events.Next(ctx) // it was
			return x.Buf
		})
	}
	response := new(graphql.Response)
	return func(ctx context.Context) *graphql.Response {
		more, err := next(ctx, op, events)
		switch {
		case err != nil && ctx.Err() == nil:
			graphql.AddError(ctx, gqlerror.Wrap(err))
			return &graphql.Response{}
		case !more || ctx.Err() != nil:
			return nil
		}
		x.Reset(ctx)
		if !x.Guard(write) {
			return &graphql.Response{Data: []byte("null")}
		}
		*response = graphql.Response{Data: x.Buf}
		return response
	}
}

// words waits for an event and reports whether it is a few more words of an answer: most are, and all of their fields are
// plain, so that nothing about them can fail or has to be read.
func words(ctx context.Context, events *plan.Events) (are bool) {
	_, are = events.Peek(ctx).(*kyro.MessageDelta)
	return are
}

// next waits for an event. A panic is an error as any other.
func next(ctx context.Context, op *graphql.OperationContext, events *plan.Events) (more bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			more, err = false, op.Recover(ctx, p)
		}
	}()
	return events.Next(ctx)
}

// largestBuffer is how much memory of a response is kept for another one.
const largestBuffer = 1 << 20

// buffer gives memory for a response of about the size.
func (e *executable) buffer(size int) []byte {
	if used, _ := e.buffers.Get().(*[]byte); used != nil && cap(*used) >= size {
		return (*used)[:0]
	}
	return make([]byte, 0, size)
}
