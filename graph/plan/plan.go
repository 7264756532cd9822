// Package plan runs the queries of a schema over values that are at hand, one field after another, straight into one
// buffer. gqlgen's own executor gives every field a context, several closures and a place in a tree that is written
// out at the end, and every element of a list a goroutine; that is most of what a nested query costs. Here the
// selections of a document are worked out once (a Plan), what has no resolver is written without further ado, and
// resolvers are called in order: the loaders they use read for all rows of a level at once, so that nothing is won by
// calling them at the same time.
//
// The code that knows the types is generated beside gqlgen's (graph/plan.generated.go); what is here knows none.
// Results and errors are those of gqlgen, but that a field that must not be null and is ends its object at once.
package plan

import (
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

func (p *Plan) size() int { return min(max(512, int(p.wrote.Load())*9/8), 1<<20) }

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
	below []*Selection // for each type that it may have
}

// New works out the selections of a query. It reports false for one that asks for the schema, which is gqlgen's to
// answer.
func New(schema *ast.Schema, op *graphql.OperationContext) (*Plan, bool) {
	c := compiler{schema: schema, op: op, plan: &Plan{Fixed: !conditional(op)}}
	root := c.selection(schema.Query, op.Operation.SelectionSet)
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

func (c *compiler) selection(object *ast.Definition, set ast.SelectionSet) *Selection {
	satisfies := []string{object.Name}
	for _, abstract := range c.schema.GetImplements(object) {
		satisfies = append(satisfies, abstract.Name)
	}
	collected := graphql.CollectFields(c.op, set, satisfies)
	s := &Selection{Type: object.Name, Fields: make([]Field, len(collected))}
	for i, field := range collected {
		f := &s.Fields[i]
		*f = Field{CollectedField: field, key: `"` + field.Alias + `":`, slot: c.plan.slots}
		if i > 0 {
			f.key = "," + f.key
		}
		c.plan.slots++
		if len(field.Selections) == 0 || strings.HasPrefix(field.Name, "__") {
			continue
		}
		for _, possible := range c.schema.GetPossibleTypes(c.schema.Types[field.Definition.Type.Name()]) {
			f.below = append(f.below, c.selection(possible, field.Selections))
		}
	}
	return s
}

// conditional reports whether @skip or @include is used: what is selected may depend on variables then.
func conditional(op *graphql.OperationContext) bool {
	found := false
	var look func(set ast.SelectionSet)
	look = func(set ast.SelectionSet) {
		for _, selection := range set {
			switch s := selection.(type) {
			case *ast.Field:
				found = found || len(s.Directives) > 0
				look(s.SelectionSet)
			case *ast.InlineFragment:
				found = found || len(s.Directives) > 0
				look(s.SelectionSet)
			case *ast.FragmentSpread:
				found = found || len(s.Directives) > 0
			}
		}
	}
	look(op.Operation.SelectionSet)
	for _, fragment := range op.Doc.Fragments {
		look(fragment.SelectionSet)
	}
	return found
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
