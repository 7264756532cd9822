package transport

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"kyrochat/kyro"
)

// Measured is one operation, or a request that got no further than its transport, when it is over.
type Measured struct {
	Transport string // http, upload, sse or websocket
	// Operation is the field of the contract that it asked for at the top; "several" where there are several, "introspection",
	// and "none" where nothing was run: then nothing that the client said is known to be a field. It never is a word that
	// a client chose.
	Operation    string
	Code         string // OK, or that of its first error, or of what a mutation told first in its payload
	Subscription bool
	Took         time.Duration // until the response was made, or the last event
}

// Measure is told of every operation once it is over, by many at once. It must not wait. nil: nobody is.
type Measure func(Measured)

// What is told where no field is.
const (
	measuredNone          = "none"
	measuredSeveral       = "several"
	measuredIntrospection = "introspection"
	measuredOK            = "OK"
)

// tell tells of an operation, and ends its span, which is that of ctx; op is nil where there was none.
func (m Measure) tell(ctx context.Context, transport string, op *graphql.OperationContext, code string, began time.Time) {
	span := kyro.TraceFrom(ctx)
	if m == nil && !span.Recorded() {
		return
	}
	if code == "" && op != nil {
		code, _ = op.Stats.GetExtension(firstProblem).(string)
	}
	if code == "" {
		code = measuredOK
	}
	done := Measured{Transport: transport, Operation: measuredNone, Code: code, Took: graphql.Now().Sub(began)}
	if op != nil && op.Operation != nil {
		done.Operation = fieldAtTop(op.Operation)
		done.Subscription = op.Operation.Operation == ast.Subscription
		span.Note("type", string(op.Operation.Operation))
	}
	if m != nil {
		m(done)
	}
	span.Rename(done.Operation)
	span.Note("transport", transport)
	span.End(code)
}

// traced begins the span of a request, whose name is known once its document is.
func traced(traces kyro.Traces, r *http.Request) *http.Request {
	if traces == nil {
		return r
	}
	ctx, span := traces.Begin(r.Context(), measuredNone, r.Header.Get("Traceparent"))
	if !span.Recorded() {
		return r
	}
	span.Note("request_id", RequestIDFrom(ctx))
	return r.WithContext(ctx)
}

// firstProblem is where an operation keeps the code of the first problem that a mutation told in its payload.
const firstProblem = "firstProblem"

// problemOf is, before the field's alias, where an operation keeps the code of the first problem of one field at its top.
const problemOf = "problem of "

// FieldCode is how a mutation's field at the top of an operation ended, which asks for it within the field: OK, or the code of its
// first error, or of what it told first in its payload.
func FieldCode(ctx context.Context, alias string) string {
	for _, err := range graphql.GetErrors(ctx) {
		if len(err.Path) > 0 && err.Path[0] == ast.PathName(alias) {
			return firstCode(gqlerror.List{err})
		}
	}
	if code, _ := graphql.GetOperationContext(ctx).Stats.GetExtension(problemOf + alias).(string); code != "" {
		return code
	}
	return measuredOK
}

// noteProblems has the first problem of a mutation noted that it tells as data: its payload is what the field at the top gives,
// and has a field Errors.
func noteProblems(op *graphql.OperationContext) {
	resolve := op.ResolverMiddleware
	if op.Operation.Operation != ast.Mutation || resolve == nil {
		return
	}
	op.ResolverMiddleware = func(ctx context.Context, next graphql.Resolver) (any, error) {
		result, err := resolve(ctx, next)
		if field := graphql.GetFieldContext(ctx); field != nil && field.Object == "Mutation" {
			if problems := problemsOf(result); len(problems) > 0 {
				code := string(problems[0].Code)
				op.Stats.SetExtension(problemOf+field.Field.Alias, code)
				if op.Stats.GetExtension(firstProblem) == nil {
					op.Stats.SetExtension(firstProblem, code)
				}
			}
		}
		return result, err
	}
}

// problemsOf are those that a payload tells; nil where it is none.
func problemsOf(payload any) []kyro.Error {
	v := reflect.ValueOf(payload)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return nil
	}
	problems := v.Elem().FieldByName("Errors")
	if !problems.IsValid() || !problems.CanInterface() {
		return nil
	}
	list, _ := problems.Interface().([]kyro.Error)
	return list
}

// firstCode is the code of the first error; "" where there is none.
func firstCode(errs gqlerror.List) string {
	if len(errs) == 0 {
		return ""
	}
	if code := codeOf(errs[0]); code != "" {
		return code
	}
	return "UNKNOWN"
}

// codeOfResponse is firstCode of a response that may be none.
func codeOfResponse(response *graphql.Response) string {
	if response == nil {
		return ""
	}
	return firstCode(response.Errors)
}

// fieldAtTop is the field that an operation, whose document is valid, asks for at the top, by its name in the contract.
func fieldAtTop(operation *ast.OperationDefinition) string {
	if name := soleField(operation.SelectionSet, ""); name != "" {
		return name
	}
	return "__typename"
}

// soleField goes on from the name that was found before. Asking for __typename besides is no second field.
func soleField(set ast.SelectionSet, found string) string {
	for _, selection := range set {
		name := ""
		switch s := selection.(type) {
		case *ast.Field:
			name = s.Name
			switch name {
			case "__typename":
				continue
			case "__schema", "__type":
				name = measuredIntrospection
			}
		case *ast.InlineFragment:
			found = soleField(s.SelectionSet, found)
			continue
		case *ast.FragmentSpread:
			if s.Definition != nil {
				found = soleField(s.Definition.SelectionSet, found)
			}
			continue
		}
		if found == "" {
			found = name
		}
		if found != name {
			return measuredSeveral
		}
	}
	return found
}
