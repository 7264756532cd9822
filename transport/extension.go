package transport

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"kyrochat/kyro"
)

// maxErrors is how many errors one response lists: a document of 30 KB can ask for thousands.
const maxErrors = 20

// Envelope is the handler extension that every transport relies on: it gives each operation on a websocket a
// request id of its own and the time that HTTP gives, cuts error lists to 20, refuses responses that are too large, and
// refuses @defer, which the executor would answer with null for fields that cannot be null. Zero fields take the
// defaults.
type Envelope struct {
	Timeout     time.Duration // of a query or mutation on a websocket; 10 s
	MaxResponse int           // bytes; 4 MiB
	NewID       func() string // nil but in tests
}

var _ interface {
	graphql.HandlerExtension
	graphql.OperationContextMutator
	graphql.OperationInterceptor
	graphql.ResponseInterceptor
	graphql.RootFieldInterceptor
} = Envelope{}

// ExtensionName is for gqlgen's own lists.
func (Envelope) ExtensionName() string { return "Envelope" }

// Validate accepts every schema.
func (Envelope) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationContext has problems that mutations tell in their payloads noted, and refuses @defer.
func (Envelope) MutateOperationContext(_ context.Context, op *graphql.OperationContext) *gqlerror.Error {
	noteProblems(op)
	if !strings.Contains(op.RawQuery, "defer") {
		return nil
	}
	selections := []ast.SelectionSet{op.Operation.SelectionSet}
	for _, fragment := range op.Doc.Fragments {
		selections = append(selections, fragment.SelectionSet)
	}
	for _, set := range selections {
		if at := findDefer(set); at != nil {
			err := gqlerror.ErrorPosf(at.Position, "The directive @defer is not supported.")
			errcode.Set(err, errcode.ValidationFailed)
			return err
		}
	}
	return nil
}

func findDefer(set ast.SelectionSet) *ast.Directive {
	for _, selection := range set {
		var directives ast.DirectiveList
		var below ast.SelectionSet
		switch s := selection.(type) {
		case *ast.Field:
			below = s.SelectionSet
		case *ast.InlineFragment:
			directives, below = s.Directives, s.SelectionSet
		case *ast.FragmentSpread:
			directives = s.Directives
		}
		if at := directives.ForName("defer"); at != nil {
			return at
		}
		if at := findDefer(below); at != nil {
			return at
		}
	}
	return nil
}

// InterceptOperation gives an operation on a websocket its own request id, and a query or mutation its time.
func (e Envelope) InterceptOperation(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	if _, ok := ctx.Value(socketKey{}).(*socket); !ok {
		return next(ctx)
	}
	newID := e.NewID
	if newID == nil {
		newID = rand.Text
	}
	viewer := kyro.ViewerFrom(ctx)
	viewer.RequestID = newID()
	kyro.TraceFrom(ctx).Note("request_id", viewer.RequestID)
	ctx = kyro.WithViewer(context.WithValue(ctx, requestIDKey{}, viewer.RequestID), viewer)
	if streams(ctx) {
		return next(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(e.Timeout, defaultExecTimeout))
	run, answered := next(ctx), false
	return func(inner context.Context) *graphql.Response { // called until it gives nil
		defer cancel()
		if answered {
			return nil
		}
		answered = true
		response := run(inner)
		if response == nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			response = &graphql.Response{Errors: gqlerror.List{requestError(string(kyro.CodeTimeout), timeoutMessage)}}
			response.Errors[0].Extensions["requestId"] = RequestIDFrom(ctx)
		}
		return response
	}
}

// InterceptResponse tells what an operation was estimated to cost, and cuts the list of errors. Only the first event of
// a subscription tells its cost: there may be one for every word.
func (e Envelope) InterceptResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	response := e.fit(ctx, next(ctx))
	if response != nil && len(response.Errors) > maxErrors {
		response.Errors = response.Errors[:maxErrors]
	}
	if response == nil || told(ctx) {
		return response
	}
	if cost, known := costFrom(ctx); known {
		response.Extensions = maps.Clone(response.Extensions)
		if response.Extensions == nil {
			response.Extensions = map[string]any{}
		}
		response.Extensions["cost"] = cost
	}
	return response
}

// told reports whether an event of the subscription has told its cost, and notes that one has.
func told(ctx context.Context) bool {
	if !streams(ctx) {
		return false
	}
	const toldKey = "cost was told"
	stats := &graphql.GetOperationContext(ctx).Stats
	if stats.GetExtension(toldKey) != nil {
		return true
	}
	stats.SetExtension(toldKey, true)
	return false
}

func streams(ctx context.Context) bool {
	op := graphql.GetOperationContext(ctx).Operation
	return op != nil && op.Operation == ast.Subscription
}
