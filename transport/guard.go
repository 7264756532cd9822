package transport

import (
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Codes of documents that ask for too much, and of operations whose values do.
const (
	codeDocumentTooLarge = "DOCUMENT_TOO_LARGE"
	codeTooManyTokens    = "TOO_MANY_TOKENS"
	codeTooDeep          = "DOCUMENT_TOO_DEEP"
	codeTooManyFields    = "TOO_MANY_FIELDS"
	codeTooManyAliases   = "TOO_MANY_ALIASES"
	codeTooManyDirective = "TOO_MANY_DIRECTIVES"
	codeTooManyRoots     = "TOO_MANY_ROOT_FIELDS"
	codeTooManyMutations = "TOO_MANY_MUTATIONS"
	codeTooComplex       = "COMPLEXITY_LIMIT_EXCEEDED"
)

// DocumentLimits bound what a document may ask for. Fields are counted as the executor meets them: those of a
// fragment at each of its spreads. They keep validation, which compares fields with each other, and execution quick
// for everybody else.
type DocumentLimits struct {
	Bytes         int
	Tokens        int
	Depth         int // of nested fields, but for those of introspection
	Fields        int // of one operation
	Aliases       int // as written
	Directives    int // as written
	RootFields    int // of one operation
	Mutations     int // of one operation
	AuthMutations int // of one operation: those that check a secret
	Complexity    int // see complexity
}

// DefaultDocumentLimits are the limits where no others are set.
func DefaultDocumentLimits() DocumentLimits {
	return DocumentLimits{
		Bytes: 32 << 10, Tokens: 4000, Depth: 15, Fields: 600, Aliases: 50, Directives: 50,
		RootFields: 30, Mutations: 5, AuthMutations: 1, Complexity: 20_000,
	}
}

// secretMutations check a password or a token, and cost hashing.
var secretMutations = map[string]bool{"registerUser": true, "logIn": true, "refreshSession": true}

// guard measures a document that was parsed and not validated yet. Each fragment is measured once.
type guard struct {
	fragments map[string]*ast.FragmentDefinition
	measured  map[string]extent
	aliases   int
	directive int
}

// extent is what a selection comes to with all of its fragments.
type extent struct{ depth, fields int }

// enough stops counting long before numbers overflow: fragments that spread each other twice double them.
const enough = 1 << 30

// check refuses a document that is over a limit.
func (l DocumentLimits) check(document *ast.QueryDocument) *gqlerror.Error {
	g := guard{fragments: map[string]*ast.FragmentDefinition{}, measured: map[string]extent{}}
	for _, fragment := range document.Fragments {
		g.fragments[fragment.Name] = fragment
		g.directive += len(fragment.Directives)
	}
	for _, fragment := range document.Fragments {
		g.fragment(fragment.Name)
	}
	var most extent
	for _, operation := range document.Operations {
		g.directive += len(operation.Directives)
		for _, variable := range operation.VariableDefinitions {
			g.directive += len(variable.Directives)
		}
		here := g.selection(operation.SelectionSet, false)
		most = extent{max(most.depth, here.depth), max(most.fields, here.fields)}
	}
	for _, each := range []struct {
		code, what string
		is, limit  int
	}{
		{codeTooManyFields, "fields, fragments included", most.fields, l.Fields},
		{codeTooDeep, "levels of fields", most.depth, l.Depth},
		{codeTooManyAliases, "aliases", g.aliases, l.Aliases},
		{codeTooManyDirective, "directives", g.directive, l.Directives},
	} {
		if each.is > each.limit {
			return tooMuch(each.code, each.what, each.limit)
		}
	}
	return l.checkRoots(document)
}

// checkRoots counts what an operation does at the top. The document has few fields by then.
func (l DocumentLimits) checkRoots(document *ast.QueryDocument) *gqlerror.Error {
	for _, operation := range document.Operations {
		var roots, secrets int
		count(document, operation.SelectionSet, map[string]bool{}, func(field *ast.Field) {
			roots++
			if operation.Operation == ast.Mutation && secretMutations[field.Name] {
				secrets++
			}
		})
		switch {
		case operation.Operation == ast.Mutation && roots > l.Mutations:
			return tooMuch(codeTooManyMutations, "mutations", l.Mutations)
		case secrets > l.AuthMutations:
			return tooMuch(codeTooManyMutations, "mutations that check a secret", l.AuthMutations)
		case roots > l.RootFields:
			return tooMuch(codeTooManyRoots, "fields at its top", l.RootFields)
		}
	}
	return nil
}

// count visits the fields at the top of a selection. open are the fragments it is in, so that a cycle ends.
func count(document *ast.QueryDocument, set ast.SelectionSet, open map[string]bool, visit func(*ast.Field)) {
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			visit(s)
		case *ast.InlineFragment:
			count(document, s.SelectionSet, open, visit)
		case *ast.FragmentSpread:
			if fragment := document.Fragments.ForName(s.Name); fragment != nil && !open[s.Name] {
				open[s.Name] = true
				count(document, fragment.SelectionSet, open, visit)
				delete(open, s.Name)
			}
		}
	}
}

func (g *guard) selection(set ast.SelectionSet, introspection bool) extent {
	var all extent
	add := func(below extent, level int) {
		all = extent{max(all.depth, below.depth+level), min(all.fields+below.fields+level, enough)}
	}
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			g.directive += len(s.Directives)
			if s.Alias != s.Name {
				g.aliases++
			}
			inside := introspection || s.Name == "__schema" || s.Name == "__type"
			below := g.selection(s.SelectionSet, inside)
			if inside {
				below.depth = 0
			}
			add(below, 1)
		case *ast.InlineFragment:
			g.directive += len(s.Directives)
			add(g.selection(s.SelectionSet, introspection), 0)
		case *ast.FragmentSpread:
			g.directive += len(s.Directives)
			add(g.fragment(s.Name), 0)
		}
	}
	return all
}

// fragment measures a fragment at its first use. One that contains itself counts as nothing there; validation
// refuses it.
func (g *guard) fragment(name string) extent {
	known, done := g.measured[name]
	if fragment := g.fragments[name]; !done && fragment != nil {
		g.measured[name] = extent{}
		known = g.selection(fragment.SelectionSet, false)
		g.measured[name] = known
	}
	return known
}

func tooMuch(code, what string, limit int) *gqlerror.Error {
	return requestError(code, fmt.Sprintf("The document has too many %s: at most %d are allowed. Split it into several requests.", what, limit))
}
