package transport

import (
	"fmt"

	"github.com/99designs/gqlgen/graphql/errcode"
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
	codeVariablesTooDeep = "VARIABLES_TOO_DEEP"
	codeVariablesTooLong = "VARIABLES_TOO_LONG"
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
	VariableDepth int // levels of lists and objects
	VariableItems int // of one list
}

// DefaultDocumentLimits are the limits where no others are set.
func DefaultDocumentLimits() DocumentLimits {
	return DocumentLimits{
		Bytes: 32 << 10, Tokens: 4000, Depth: 15, Fields: 600, Aliases: 50, Directives: 50,
		RootFields: 30, Mutations: 5, AuthMutations: 1, Complexity: 20_000, VariableDepth: 20, VariableItems: 100,
	}
}

// secretMutations check a password or a token, or send mail.
var secretMutations = map[string]bool{
	"registerUser": true, "logIn": true, "refreshSession": true, "changePassword": true, "requestPasswordReset": true,
	"resetPassword": true, "requestEmailVerification": true, "verifyEmail": true, "requestEmailChange": true,
	"confirmEmailChange": true, "revertEmailChange": true, "deactivateAccount": true, "reactivateAccount": true,
	"revokeOtherSessions": true, "createApiKey": true,
}

// guard measures a document that was parsed and not validated yet. Each fragment is measured once.
type guard struct {
	fragments map[string]*ast.FragmentDefinition
	measured  map[string]extent // unmeasured for those that are being measured
	aliases   int
	directive int
	circle    string // a fragment that contains itself
}

// extent is what a selection comes to with all of its fragments.
type extent struct {
	depth, fields  int
	roots, secrets int // fields at its top, and those of them that check a secret
}

var unmeasured = extent{fields: -1}

// enough stops counting long before numbers overflow: fragments that spread each other twice double them.
const enough = 1 << 30

// manyFields is how many times the fields of one operation a whole document may have. Validation compares the fields
// of every operation and of every fragment with each other, also of those that are not used.
const manyFields = 5

// check refuses a document that is over a limit.
func (l DocumentLimits) check(document *ast.QueryDocument) *gqlerror.Error {
	g := guard{fragments: map[string]*ast.FragmentDefinition{}, measured: map[string]extent{}}
	var most, mutation extent
	all := 0
	for _, fragment := range document.Fragments {
		g.fragments[fragment.Name] = fragment
		g.directive += len(fragment.Directives)
	}
	for _, fragment := range document.Fragments {
		here := g.fragment(fragment.Name).fields
		most.fields, all = max(most.fields, here), min(all+here, enough)
	}
	for _, operation := range document.Operations {
		g.directive += len(operation.Directives)
		for _, variable := range operation.VariableDefinitions {
			g.directive += len(variable.Directives)
		}
		here := g.selection(operation.SelectionSet, false)
		most = most.or(here)
		all = min(all+here.fields, enough)
		if operation.Operation == ast.Mutation {
			mutation = mutation.or(here)
		}
	}
	if g.circle != "" {
		return requestError(errcode.ValidationFailed, fmt.Sprintf("The fragment %q contains itself.", g.circle))
	}
	for _, each := range []struct {
		code, what string
		is, limit  int
	}{
		{codeTooManyFields, "fields, fragments included", most.fields, l.Fields},
		{codeTooManyFields, "fields in all of its operations and fragments", all, manyFields * l.Fields},
		{codeTooDeep, "levels of fields", most.depth, l.Depth},
		{codeTooManyAliases, "aliases", g.aliases, l.Aliases},
		{codeTooManyDirective, "directives", g.directive, l.Directives},
		{codeTooManyMutations, "mutations", mutation.roots, l.Mutations},
		{codeTooManyMutations, "mutations that check a secret", mutation.secrets, l.AuthMutations},
		{codeTooManyRoots, "fields at its top", most.roots, l.RootFields},
	} {
		if each.is > each.limit {
			return tooMuch(each.code, each.what, each.limit)
		}
	}
	return nil
}

// or is the larger of both in every respect.
func (e extent) or(o extent) extent {
	return extent{max(e.depth, o.depth), max(e.fields, o.fields), max(e.roots, o.roots), max(e.secrets, o.secrets)}
}

// and is both beside each other.
func (e extent) and(o extent) extent {
	return extent{max(e.depth, o.depth), min(e.fields+o.fields, enough), min(e.roots+o.roots, enough), min(e.secrets+o.secrets, enough)}
}

func (g *guard) selection(set ast.SelectionSet, introspection bool) extent {
	var all extent
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			all = all.and(g.field(s, introspection))
		case *ast.InlineFragment:
			g.directive += len(s.Directives)
			all = all.and(g.selection(s.SelectionSet, introspection))
		case *ast.FragmentSpread:
			g.directive += len(s.Directives)
			all = all.and(g.fragment(s.Name))
		}
	}
	return all
}

func (g *guard) field(f *ast.Field, introspection bool) extent {
	g.directive += len(f.Directives)
	if f.Alias != f.Name {
		g.aliases++
	}
	introspection = introspection || f.Name == "__schema" || f.Name == "__type"
	below := g.selection(f.SelectionSet, introspection)
	here := extent{depth: below.depth + 1, fields: min(below.fields+1, enough), roots: 1}
	if introspection {
		here.depth = 1
	}
	if secretMutations[f.Name] {
		here.secrets = 1
	}
	return here
}

// fragment measures a fragment at its first use. One that is not there counts as one field; validation refuses it.
func (g *guard) fragment(name string) extent {
	if known, found := g.measured[name]; found {
		if known == unmeasured {
			g.circle = name
		}
		return known
	}
	here := extent{fields: 1}
	if fragment := g.fragments[name]; fragment != nil {
		g.measured[name] = unmeasured
		here = g.selection(fragment.SelectionSet, false)
	}
	g.measured[name] = here
	return here
}

func tooMuch(code, what string, limit int) *gqlerror.Error {
	return requestError(code,
		fmt.Sprintf("The document has too many %s: at most %d are allowed. Split it into several requests.", what, limit))
}
