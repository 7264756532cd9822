// Package graph runs operations on the contract. All but this file is generated from schema.graphqls: gqlgen's executor,
// and beside it the methods by which package plan runs queries.
package graph

import (
	"context"

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

// NewExecutable makes the schema that the server runs: queries by plans (see package plan), mutations, subscriptions
// and introspection by gqlgen's own executor. Field middleware of gqlgen is not called for planned queries. A query whose
// response is longer than maxResponse bytes ends soon after, with what there is: its caller sees that it is too long.
func NewExecutable(cfg Config, maxResponse int) graphql.ExecutableSchema {
	plans, _ := lru.New[*ast.OperationDefinition, *plan.Plan](rememberedPlans) // fails for sizes below 1 only
	return &executable{executableSchema: NewExecutableSchema(cfg).(*executableSchema), plans: plans, maxResponse: maxResponse}
}

type executable struct {
	*executableSchema
	plans       *lru.Cache[*ast.OperationDefinition, *plan.Plan]
	maxResponse int
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
	if !planned {
		return e.executableSchema.Exec(ctx)
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
	if op.Operation.Operation != ast.Query {
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
	x := &planned{Run: plan.NewRun(ctx, p), ec: ec}
	x.Max = e.maxResponse
	if !x.Guard(func() bool { return x.objectQuery(p.Root) }) {
		return &graphql.Response{Data: []byte("null")}
	}
	p.Wrote(len(x.Buf))
	return &graphql.Response{Data: x.Buf}
}
