package transport

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/core"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"kyrochat/kyro"
)

// Documents is the handler extension that reads operations before the executor does: it finds those that are named by
// a hash, refuses those that ask for too much before they are validated, and reads which operation runs, and with which
// values, by the letter of the specification. It shares the executor's cache of documents and its rules, so Install
// puts it in.
type Documents struct {
	schema *ast.Schema
	open   bool
	limits DocumentLimits
	stored persisted
	cache  graphql.Cache[*ast.QueryDocument]
}

// DocumentOptions say which documents are taken. Zero fields take the defaults.
type DocumentOptions struct {
	// Open servers answer introspection and suggest names that are near a wrong one. In production none does.
	Open   bool
	Limits DocumentLimits // DefaultDocumentLimits
	// Trusted documents can be named by their hash instead of being sent.
	Trusted     Manifest
	TrustedOnly bool // no other document is taken
	// Shared is where documents that clients named by their hash are known to all servers; nil: to this one alone. It
	// answers within a fraction of a second, and what it gives has the hash that was asked for.
	Shared graphql.Cache[string]
}

var _ interface {
	graphql.HandlerExtension
	graphql.OperationParameterMutator
} = (*Documents)(nil)

// Executor is the part of gqlgen's server that Documents is put into.
type Executor interface {
	SetQueryCache(graphql.Cache[*ast.QueryDocument])
	SetValidationRulesFn(func() *rules.Rules)
	SetDisableSuggestion(bool)
	Use(graphql.HandlerExtension)
}

// NewDocuments reads documents for a schema.
func NewDocuments(schema *ast.Schema, o DocumentOptions) *Documents {
	return &Documents{
		schema: schema, open: o.Open, limits: cmp.Or(o.Limits, DefaultDocumentLimits()),
		stored: newPersisted(o), cache: remember(func(text string, _ *ast.QueryDocument) int { return len(text) }),
	}
}

// Install makes the server read documents this way.
func (d *Documents) Install(server Executor) {
	server.SetQueryCache(d.cache)
	server.SetValidationRulesFn(d.rules)
	server.SetDisableSuggestion(!d.open)
	server.Use(d)
}

// ExtensionName is for gqlgen's own lists.
func (*Documents) ExtensionName() string { return "Documents" }

// Validate accepts every schema.
func (*Documents) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationParameters finds the operation, reads its variables and estimates its cost. A document that does
// not parse or validate is left to the executor, which tells all of its mistakes.
func (d *Documents) MutateOperationParameters(ctx context.Context, params *graphql.RawParams) *gqlerror.Error {
	if why := d.limits.checkVariables(params.Variables); why != nil {
		return why
	}
	learn, why := d.stored.find(ctx, params)
	if why != nil {
		return why
	}
	document, known := d.cache.Get(ctx, params.Query)
	if !known {
		if document, why = d.parse(params.Query); document == nil {
			return why
		}
		if !d.open && introspects(document) {
			return requestError(codeIntrospection, "Introspection is disabled on this server; the schema is at /schema.graphql.")
		}
		if len(validator.ValidateWithRules(d.schema, document, d.rules())) > 0 {
			return nil
		}
		d.cache.Add(ctx, params.Query, document)
	}
	if learn != "" {
		d.stored.learn(ctx, learn, params.Query)
	}
	operation, why := chosen(document, params.OperationName)
	if why != nil {
		return why
	}
	if params.Variables, why = readVariables(d.schema, operation, params.Variables); why != nil {
		return why
	}
	return d.limits.checkCost(ctx, operation, params.Variables)
}

// parse reads a document that is within the limits. Both results are nil for one that does not parse.
func (d *Documents) parse(query string) (*ast.QueryDocument, *gqlerror.Error) {
	if len(query) > d.limits.Bytes {
		return nil, tooMuch(codeDocumentTooLarge, "bytes", d.limits.Bytes)
	}
	document, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: query}, d.limits.Tokens)
	switch {
	case err != nil && strings.Contains(err.Error(), "exceeded token limit"):
		return nil, tooMuch(codeTooManyTokens, "tokens", d.limits.Tokens)
	case err != nil || len(document.Operations) == 0:
		return nil, nil //nolint:nilerr // the executor words what is wrong with it
	}
	if why := d.limits.check(document); why != nil {
		return nil, why
	}
	return document, nil
}

// chosen is the operation of the document that is to run.
func chosen(document *ast.QueryDocument, name string) (*ast.OperationDefinition, *gqlerror.Error) {
	operation := document.Operations.ForName(name)
	switch {
	case operation != nil:
		return operation, nil
	case name == "":
		return nil, requestError(errcode.ValidationFailed,
			fmt.Sprintf("The document has %d operations: say by operationName which one is to run.", len(document.Operations)))
	default:
		return nil, requestError(errcode.ValidationFailed, fmt.Sprintf("The document has no operation named %q.", name))
	}
}

// rules are those of the specification, of which gqlparser's own do not count aliases of one field in a
// subscription, and two of ours: no text holds a NUL, and no file is used twice.
func (d *Documents) rules() *rules.Rules {
	all := rules.NewDefaultRules()
	all.ReplaceRule(rules.SingleFieldSubscriptionsRule.Name, oneStream)
	all.AddRule("NoNUL", noNUL)
	all.AddRule("FilesOnce", filesOnce)
	values := rules.ValuesOfCorrectTypeRule.RuleFunc
	if !d.open {
		all.ReplaceRule(rules.KnownArgumentNamesRule.Name, rules.KnownArgumentNamesRuleWithoutSuggestions.RuleFunc)
		all.ReplaceRule(rules.KnownTypeNamesRule.Name, rules.KnownTypeNamesRuleWithoutSuggestions.RuleFunc)
		values = rules.ValuesOfCorrectTypeRuleWithoutSuggestions.RuleFunc
	}
	all.ReplaceRule(rules.ValuesOfCorrectTypeRule.Name, unquoted(values))
	return all
}

// unquoted is a rule whose messages do not end in the value that is wrong, which may be a password in the wrong place.
func unquoted(rule core.RuleFunc) core.RuleFunc {
	cut := func(err *gqlerror.Error) {
		for _, end := range []string{": ", ", found "} {
			if message, _, found := strings.Cut(err.Message, end); found {
				err.Message = message + "."
			}
		}
	}
	return func(observers *core.Events, addError core.AddErrFunc) {
		rule(observers, func(options ...core.ErrorOption) { addError(append(options, cut)...) })
	}
}

// oneStream refuses subscriptions with more than one response key, or with one of introspection (GraphQL §5.2.3.1).
func oneStream(observers *core.Events, addError core.AddErrFunc) {
	observers.OnOperation(func(_ *core.Walker, operation *ast.OperationDefinition) {
		if operation.Operation != ast.Subscription {
			return
		}
		keys := map[string]bool{}
		for _, field := range rootFields(operation.SelectionSet, map[*ast.FragmentDefinition]bool{}) {
			keys[field.Alias] = true
			if len(keys) > 1 {
				addError(core.Message("A subscription selects one field; start one for each stream."), core.At(field.Position))
				return
			}
			if strings.HasPrefix(field.Name, "__") {
				addError(core.Message("A subscription cannot select %s.", field.Name), core.At(field.Position))
				return
			}
		}
	})
}

// noNUL refuses texts that PostgreSQL cannot store.
func noNUL(observers *core.Events, addError core.AddErrFunc) {
	observers.OnValue(func(_ *core.Walker, value *ast.Value) {
		if (value.Kind == ast.StringValue || value.Kind == ast.BlockValue) && strings.Contains(value.Raw, "\x00") {
			addError(core.Message("A string holds a NUL character, which cannot be stored."), core.At(value.Position))
		}
	})
}

// filesOnce refuses a second use of a variable with a file in it: files are read from the connection, once.
func filesOnce(observers *core.Events, addError core.AddErrFunc) {
	used := map[*ast.VariableDefinition]bool{}
	observers.OnValue(func(walker *core.Walker, value *ast.Value) {
		variable := value.VariableDefinition
		if value.Kind != ast.Variable || variable == nil || !holdsFile(walker.Schema, variable.Type.Name(), map[string]bool{}) {
			return
		}
		if used[variable] {
			addError(core.Message("A file can be used once, and $%s is used more often: send the file again as another variable.", variable.Variable), core.At(value.Position))
		}
		used[variable] = true
	})
}

func holdsFile(schema *ast.Schema, name string, seen map[string]bool) bool {
	definition := schema.Types[name]
	if name == "Upload" || definition == nil || seen[name] {
		return name == "Upload"
	}
	seen[name] = true
	return slices.ContainsFunc(definition.Fields, func(field *ast.FieldDefinition) bool {
		return definition.Kind == ast.InputObject && holdsFile(schema, field.Type.Name(), seen)
	})
}

// introspects reports whether any operation asks for the schema.
func introspects(document *ast.QueryDocument) bool {
	sets := make([]ast.SelectionSet, 0, len(document.Operations)+len(document.Fragments))
	for _, operation := range document.Operations {
		sets = append(sets, operation.SelectionSet)
	}
	for _, fragment := range document.Fragments {
		sets = append(sets, fragment.SelectionSet)
	}
	for _, set := range sets {
		for _, field := range rootFields(set, nil) {
			if field.Name == "__schema" || field.Name == "__type" {
				return true
			}
		}
	}
	return false
}

// rootFields are the fields of a selection, those of inline fragments, and those of fragments that were not seen
// before; with nil for seen, none of fragments.
func rootFields(set ast.SelectionSet, seen map[*ast.FragmentDefinition]bool) []*ast.Field {
	var fields []*ast.Field
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			fields = append(fields, s)
		case *ast.InlineFragment:
			fields = append(fields, rootFields(s.SelectionSet, seen)...)
		case *ast.FragmentSpread:
			if seen != nil && s.Definition != nil && !seen[s.Definition] {
				seen[s.Definition] = true
				fields = append(fields, rootFields(s.Definition.SelectionSet, seen)...)
			}
		}
	}
	return fields
}

// requestError refuses an operation before it runs.
func requestError(code, message string) *gqlerror.Error {
	return &gqlerror.Error{Message: message, Extensions: map[string]any{"code": code}}
}

// Over a websocket these end the operation with an error message, as a document that does not validate does.
func init() {
	for _, code := range []string{
		codeIntrospection, string(kyro.CodeBadUserInput), codeDocumentTooLarge, codeTooManyTokens, codeTooDeep, codeTooManyFields,
		codeTooManyAliases, codeTooManyDirective, codeTooManyRoots, codeTooManyMutations, codeTooComplex,
		codeVariablesTooDeep, codeVariablesTooLong, codeNotPersisted, codeNotTrusted, codeBadRequest, string(kyro.CodeRateLimited),
	} {
		errcode.RegisterErrorType(code, errcode.KindProtocol)
	}
}
