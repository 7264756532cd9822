package transport

import (
	"context"
	"fmt"
	"math"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"kyrochat/kyro"
)

const (
	pageCost   = 20   // of a connection whose size is not said, which is then the default page
	maxPage    = 100  // larger pages are refused by the field itself
	listCost   = 5    // of a plain list, whose length only the answer tells
	secretCost = 100  // of a mutation that checks a secret, or sends mail
	eventShare = 10   // events of a subscription may cost one query: there may be one for every step of a document
	sliceCost  = 50   // of a slice of a text, which is read on its own
	textCost   = 1000 // characters of it, for one more
	usageCost  = 200  // of what an account, a bot or a key used, which is summed up over up to a year
	searchCost = 1000 // of a search of a bot, which asks an embedding model and an index for each bot
	citedCost  = 200  // of what answers cite most or not at all, which is summed up over up to five years
	figureCost = 1000 // of the analytics of a bot, which may count five years
)

// selfish is the plain list that leads to itself: each of its elements has all of them. In itself it counts as often as
// it may be long, for what is a little too low on one level is far too low on five.
const selfish = "siblings"

// complexity estimates what an operation costs: each field is one, and what is selected in a list counts once for
// each element it may have: first, last or the number of ids, 20 where nothing is said, 5 for a plain list. A mutation
// that checks a secret costs 100; a slice of a text 50, and one more for each 1,000 characters; a search of a bot and its
// analytics cost 1,000 each, a usage 200, and so does each list of what its answers cite most or not at all.
type complexity struct {
	variables map[string]any
	fragments map[visit]int
}

// visit is a fragment at a place: in a list that leads to itself, or not.
type visit struct {
	fragment *ast.FragmentDefinition
	inItself bool
}

// costOf is the complexity of a validated operation with its values.
func costOf(operation *ast.OperationDefinition, variables map[string]any) int {
	c := complexity{variables: variables, fragments: map[visit]int{}}
	return c.selection(operation.SelectionSet, false)
}

func (c *complexity) selection(set ast.SelectionSet, inItself bool) int {
	sum := 0
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			sum += c.field(s, inItself)
		case *ast.InlineFragment:
			sum += c.selection(s.SelectionSet, inItself)
		case *ast.FragmentSpread:
			here := visit{s.Definition, inItself}
			cost, known := c.fragments[here]
			if !known {
				cost = c.selection(s.Definition.SelectionSet, inItself)
				c.fragments[here] = cost
			}
			sum += cost
		}
		sum = min(sum, enough)
	}
	return sum
}

func (c *complexity) field(f *ast.Field, inItself bool) int {
	own := 1
	switch {
	case f.ObjectDefinition == nil:
	case secretMutations[f.Name] && f.ObjectDefinition.Name == "Mutation":
		own = secretCost
	case f.Name == "search" && f.ObjectDefinition.Name == "Bot":
		own = searchCost
	case f.Name == "usage" && f.Definition.Arguments.ForName("timeZone") != nil:
		own = usageCost
	case f.Name == "analytics" && f.ObjectDefinition.Name == "Bot":
		own = figureCost
	case f.ObjectDefinition.Name == "BotAnalytics" && f.Definition.Arguments.ForName("first") != nil:
		own = citedCost
	}
	if length := f.Definition.Arguments.ForName("length"); length != nil {
		own = sliceCost + c.length(f.Arguments.ForName("length"), length)/textCost
	}
	below := c.selection(f.SelectionSet, inItself || f.Name == selfish)
	if times := c.times(f, inItself); below > 0 && times > 1 {
		below = int(min(int64(below)*int64(times), enough))
	}
	return own + below
}

// times is how often what a field selects may be there.
func (c *complexity) times(f *ast.Field, inItself bool) int {
	paged, size := false, 0
	for _, argument := range f.Definition.Arguments {
		given := f.Arguments.ForName(argument.Name)
		switch argument.Name {
		case "first", "last":
			paged = true
			if n, ok := c.number(given); ok {
				size = max(size, min(n, maxPage), 1)
			}
		case "ids":
			if given != nil {
				value, _ := given.Value.Value(c.variables)
				list, _ := value.([]any)
				return len(list)
			}
		}
	}
	switch {
	case size > 0:
		return size
	case paged:
		return pageCost
	case f.Definition.Type.Elem == nil || f.Name == "nodes" || f.Name == "edges": // those were counted with their connection
		return 1
	case inItself && f.Name == selfish:
		return kyro.MaxSiblings
	}
	return listCost
}

// length is how long a text may be: what is asked for, or else the most, which is the default.
func (c *complexity) length(given *ast.Argument, definition *ast.ArgumentDefinition) int {
	most, _ := c.number(&ast.Argument{Value: definition.DefaultValue})
	if n, ok := c.number(given); ok {
		return max(min(n, most), 0)
	}
	return most
}

// number reads a whole number from a literal or a variable. A variable that is null on purpose has no number, whatever
// its default.
func (c *complexity) number(given *ast.Argument) (int, bool) {
	if given == nil {
		return 0, false
	}
	value, err := given.Value.Value(c.variables)
	n, ok := value.(int64)
	return int(max(math.MinInt32, min(n, math.MaxInt32))), ok && err == nil
}

// checkCost refuses an operation that is over the limit, and notes its cost for the answer.
func (l DocumentLimits) checkCost(ctx context.Context, operation *ast.OperationDefinition, variables map[string]any) *gqlerror.Error {
	cost, most := costOf(operation, variables), l.Complexity
	if operation.Operation == ast.Subscription {
		most = max(most/eventShare, 1)
	}
	if op := graphql.GetOperationContext(ctx); op != nil {
		op.Stats.SetExtension(costKey, Cost{Requested: cost, Max: most})
	}
	if cost > most {
		return requestError(codeTooComplex, fmt.Sprintf(
			"The operation costs %d, and at most %d is allowed. Ask for smaller pages (first, last) or for less in each element.", cost, most))
	}
	return nil
}

const costKey = "cost"

// Cost is what an operation was estimated to cost, and the most that one may.
type Cost struct {
	Requested int `json:"requested"`
	Max       int `json:"max"`
}

// costFrom is the cost of the operation that ctx belongs to.
func costFrom(ctx context.Context) (Cost, bool) {
	if !graphql.HasOperationContext(ctx) {
		return Cost{}, false
	}
	cost, ok := graphql.GetOperationContext(ctx).Stats.GetExtension(costKey).(Cost)
	return cost, ok
}
