package transport

import (
	"context"
	"net/http"
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
	Code         string // OK, or that of its first error
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
