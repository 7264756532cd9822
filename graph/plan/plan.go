// Package plan runs the queries and subscriptions of a schema over values that are at hand, one field after another, straight into one
// buffer. gqlgen's own executor gives every field a context, several closures and a place in a tree that is written
// out at the end, and every element of a list a goroutine; that is most of what a nested query costs. Here the
// selections of a document are worked out once (a Plan), what has no resolver is written without further ado, and
// resolvers are called in order: the loaders they use read for all rows of a level at once, so that nothing is won by
// calling them at the same time.
//
// The code that knows the types is generated beside gqlgen's (graph/plan.generated.go); what is here knows none.
// Results and errors are those of gqlgen, but that a field that must not be null and is ends its object at once, and
// that a float without a word in JSON never leaves null where null must not stand, and that a panic of a field without
// a resolver ends the whole response. The context of a resolver knows its
// field and arguments, not its place in the response: errors are returned, not added to the context.
package plan

import (
	"slices"
	"strings"
	"sync/atomic"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// Plan is one operation's selections, worked out. It may be used by any number of runs at once.
type Plan struct {
	Root  *Selection
	slots int
	// Fixed plans do not depend on the variables of a request.
	Fixed bool
	wrote atomic.Int64
}

// Wrote tells how long a response was, so that the next one has room for as much from the start.
func (p *Plan) Wrote(bytes int) { p.wrote.Store(int64(bytes)) }

// Size is how much room a response needs, as far as one can tell.
func (p *Plan) Size() int { return min(max(512, int(p.wrote.Load())*9/8), 1<<20) }

// Selection is what is selected of an object of one type: fields with one response key are one.
type Selection struct {
	Type   string
	Fields []Field
}

// Field is a field of a selection.
type Field struct {
	graphql.CollectedField
	key   string // `"alias":`, with a comma in front where another field comes before
	slot  int
	above *Field       // the one it is selected of; nil at the top
	below []*Selection // for each type that it may have
}

// New works out the selections of a query or a subscription in which nothing is Undecided. It reports false for one that
// asks for the schema, and for a subscription to anything but one field, which are gqlgen's to answer.
func New(schema *ast.Schema, op *graphql.OperationContext) (*Plan, bool) {
	c := compiler{schema: schema, op: op, plan: &Plan{Fixed: len(conditions(op)) == 0}}
	object := schema.Query
	if op.Operation.Operation == ast.Subscription {
		object = schema.Subscription
	}
	root := c.selection(nil, object, op.Operation.SelectionSet)
	if object == schema.Subscription && (len(root.Fields) != 1 || root.Fields[0].Name == "__typename") {
		return nil, false
	}
	for i := range root.Fields {
		if name := root.Fields[i].Name; name == "__schema" || name == "__type" {
			return nil, false
		}
	}
	c.plan.Root = root
	return c.plan, true
}

type compiler struct {
	schema *ast.Schema
	op     *graphql.OperationContext
	plan   *Plan
}

func (c *compiler) selection(above *Field, object *ast.Definition, set ast.SelectionSet) *Selection {
	satisfies := []string{object.Name}
	for _, abstract := range c.schema.GetImplements(object) {
		satisfies = append(satisfies, abstract.Name)
	}
	collected := distinct(graphql.CollectFields(c.op, set, satisfies))
	s := &Selection{Type: object.Name, Fields: make([]Field, len(collected))}
	for i, field := range collected {
		f := &s.Fields[i]
		*f = Field{CollectedField: field, key: `"` + field.Alias + `":`, slot: c.plan.slots, above: above}
		if i > 0 {
			f.key = "," + f.key
		}
		c.plan.slots++
		if len(field.Selections) == 0 || strings.HasPrefix(field.Name, "__") {
			continue
		}
		for _, possible := range c.schema.GetPossibleTypes(c.schema.Types[field.Definition.Type.Name()]) {
			f.below = append(f.below, c.selection(f, possible, field.Selections))
		}
	}
	return s
}

// distinct leaves out fields whose response key was before: gqlgen tells __typename of a union from that of its members.
func distinct(fields []graphql.CollectedField) []graphql.CollectedField {
	seen := make(map[string]bool, len(fields))
	return slices.DeleteFunc(fields, func(f graphql.CollectedField) bool {
		before := seen[f.Alias]
		seen[f.Alias] = true
		return before
	})
}

// conditions are the directives in an operation: what is selected may depend on variables where there are any.
func conditions(op *graphql.OperationContext) ast.DirectiveList {
	var found ast.DirectiveList
	seen := map[string]bool{}
	var look func(set ast.SelectionSet)
	look = func(set ast.SelectionSet) {
		for _, selection := range set {
			switch s := selection.(type) {
			case *ast.Field:
				found = append(found, s.Directives...)
				look(s.SelectionSet)
			case *ast.InlineFragment:
				found = append(found, s.Directives...)
				look(s.SelectionSet)
			case *ast.FragmentSpread:
				found = append(found, s.Directives...)
				if !seen[s.Name] {
					seen[s.Name] = true
					look(op.Doc.Fragments.ForName(s.Name).SelectionSet)
				}
			}
		}
	}
	look(op.Operation.SelectionSet)
	return found
}

// Undecided is the condition of a @skip or @include that is null; nil where there is none. A variable may be null
// there if it has a default, and gqlgen panics at such.
func Undecided(op *graphql.OperationContext) *ast.Value {
	for _, directive := range conditions(op) {
		condition := directive.Arguments.ForName("if")
		if condition == nil || directive.Name != "skip" && directive.Name != "include" {
			continue
		}
		if value, _ := condition.Value.Value(op.Variables); value == nil {
			return condition.Value
		}
	}
	return nil
}

// Under reports whether the field is selected of what another one leads to, however far below.
func (f *Field) Under(other *ast.Field) bool {
	for above := f.above; above != nil; above = above.above {
		if above.Field == other {
			return true
		}
	}
	return false
}

// Below is what is selected of an object that the field leads to, where it can be of one type only.
func (f *Field) Below() *Selection { return f.below[0] }

// As is what is selected of an object of the type that the field leads to.
func (f *Field) As(object string) *Selection {
	for _, s := range f.below {
		if s.Type == object {
			return s
		}
	}
	return &Selection{Type: object}
}

// Each calls do with the name of every field that is selected of what the path of fields leads to.
func (f *Field) Each(do func(name string), path ...string) {
	for _, s := range f.below {
		for i := range s.Fields {
			switch below := &s.Fields[i]; {
			case len(path) == 0:
				do(below.Name)
			case below.Name == path[0]:
				below.Each(do, path[1:]...)
			}
		}
	}
}

// Selects reports whether a field is selected of what the field leads to, named by the fields that lead there.
func (f *Field) Selects(path ...string) bool {
	if len(path) == 0 {
		return true
	}
	for _, s := range f.below {
		for i := range s.Fields {
			if s.Fields[i].Name == path[0] && s.Fields[i].Selects(path[1:]...) {
				return true
			}
		}
	}
	return false
}
