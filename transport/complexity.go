package transport

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

const (
	pageCost   = 20  // of a connection whose size is not said, which is then the default page
	maxPage    = 100 // larger pages are refused by the field itself
	listCost   = 5   // of a plain list, whose length only the answer tells
	secretCost = 100 // of a mutation that hashes
)

// complexity estimates what an operation costs: each field is one, and what is selected in a list counts once for
// each element it may have: first, last or the number of ids, 20 where nothing is said, 5 for a plain list.
type complexity struct {
	variables map[string]any
	fragments map[*ast.FragmentDefinition]int
}

// costOf is the complexity of a validated operation with its values.
func costOf(operation *ast.OperationDefinition, variables map[string]any) int {
	c := complexity{variables: variables, fragments: map[*ast.FragmentDefinition]int{}}
	return c.selection(operation.SelectionSet)
}

func (c *complexity) selection(set ast.SelectionSet) int {
	sum := 0
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			sum += c.field(s)
		case *ast.InlineFragment:
			sum += c.selection(s.SelectionSet)
		case *ast.FragmentSpread:
			cost, known := c.fragments[s.Definition]
			if !known {
				cost = c.selection(s.Definition.SelectionSet)
				c.fragments[s.Definition] = cost
			}
			sum += cost
		}
		sum = min(sum, enough)
	}
	return sum
}

func (c *complexity) field(f *ast.Field) int {
	own := 1
	if secretMutations[f.Name] && f.ObjectDefinition != nil && f.ObjectDefinition.Name == "Mutation" {
		own = secretCost
	}
	below := c.selection(f.SelectionSet)
	if times := c.times(f); below > 0 && times > 1 {
		below = int(min(int64(below)*int64(times), enough))
	}
	return own + below
}

// times is how often what a field selects may be there.
func (c *complexity) times(f *ast.Field) int {
	paged, isList := false, f.Definition != nil && f.Definition.Type.Elem != nil
	size := 0
	for _, argument := range f.Definition.Arguments {
		given := f.Arguments.ForName(argument.Name)
		switch argument.Name {
		case "first", "last":
			paged = true
			if n, ok := c.number(given, argument); ok {
				size = max(size, min(n, maxPage), 1)
			}
		case "ids":
			if given != nil {
				if value, err := given.Value.Value(c.variables); err == nil {
					list, _ := value.([]any)
					return len(list)
				}
			}
		}
	}
	switch {
	case size > 0:
		return size
	case paged:
		return pageCost
	case isList && f.Name != "nodes" && f.Name != "edges": // those were counted with their connection
		return listCost
	}
	return 1
}

// number reads a whole number from a literal, a variable, or their defaults.
func (c *complexity) number(given *ast.Argument, definition *ast.ArgumentDefinition) (int, bool) {
	var value any
	var err error
	switch {
	case given != nil:
		value, err = given.Value.Value(c.variables)
		if name := given.Value; name.Kind == ast.Variable && name.VariableDefinition != nil && value == nil && name.VariableDefinition.DefaultValue != nil {
			value, err = name.VariableDefinition.DefaultValue.Value(nil)
		}
	case definition.DefaultValue != nil:
		value, err = definition.DefaultValue.Value(nil)
	}
	if err != nil {
		return 0, false
	}
	switch n := value.(type) {
	case int64:
		return int(max(math.MinInt32, min(n, math.MaxInt32))), true
	case json.Number:
		whole, err := strconv.Atoi(n.String())
		return whole, err == nil
	}
	return 0, false
}

// checkCost refuses an operation that is over the limit, and notes its cost for the answer.
func (l DocumentLimits) checkCost(ctx context.Context, operation *ast.OperationDefinition, variables map[string]any) *gqlerror.Error {
	cost := costOf(operation, variables)
	if op := graphql.GetOperationContext(ctx); op != nil {
		op.Stats.SetExtension(costKey, Cost{Requested: cost, Max: l.Complexity})
	}
	if cost > l.Complexity {
		return requestError(codeTooComplex, fmt.Sprintf(
			"The operation costs %d, and at most %d is allowed. Ask for smaller pages (first, last) or for less in each element.", cost, l.Complexity))
	}
	return nil
}

const costKey = "cost"

// Cost is what an operation was estimated to cost, and the most that one may.
type Cost struct {
	Requested int `json:"requested"`
	Max       int `json:"max"`
}

// CostFrom is the cost of the operation that ctx belongs to.
func CostFrom(ctx context.Context) (Cost, bool) {
	if !graphql.HasOperationContext(ctx) {
		return Cost{}, false
	}
	cost, ok := graphql.GetOperationContext(ctx).Stats.GetExtension(costKey).(Cost)
	return cost, ok
}
