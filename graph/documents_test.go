package graph_test

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// choices decide what a document asks for. When they have run out, the simplest is chosen, so that every document
// ends, and fuzzing can lengthen and shorten it.
type choices struct{ left []byte }

// of chooses a number below n.
func (c *choices) of(n int) int {
	if len(c.left) == 0 {
		return 0
	}
	chosen := int(c.left[0]) % n
	c.left = c.left[1:]
	return chosen
}

// oneIn is true for one choice in n.
func (c *choices) oneIn(n int) bool { return c.of(n) == n-1 }

func chosen[T any](c *choices, of ...T) T { return of[c.of(len(of))] }

// asking writes one random query. Most are valid; those that are not are found by validation.
type asking struct {
	*choices
	schema    *ast.Schema
	fragments []fragment
	variables []variable
}

type fragment struct {
	name, on, body string
	depth          int // of what it selects: it is not used where less is left
}

type variable struct {
	name     string
	declared *ast.Type
	fallback string
}

// randomQuery is a query of at most the depth, and the variables of two requests for it, in JSON.
func randomQuery(schema *ast.Schema, c *choices, depth int) (query string, variables [2]string) {
	a := &asking{choices: c, schema: schema}
	return a.document("query", a.selection(schema.Query, depth))
}

// randomSubscription is one to a single field, as randomQuery is a query.
func randomSubscription(schema *ast.Schema, c *choices, depth int) (query string, variables [2]string) {
	a := &asking{choices: c, schema: schema}
	return a.document("subscription", " { "+a.field(schema.Subscription, depth)+" }")
}

func (a *asking) document(kind, body string) (query string, variables [2]string) {
	var b strings.Builder
	b.WriteString(kind + " Asked")
	for i, v := range a.variables {
		b.WriteString(map[bool]string{true: "(", false: ", "}[i == 0])
		fmt.Fprintf(&b, "$%s: %s%s", v.name, v.declared, v.fallback)
	}
	if len(a.variables) > 0 {
		b.WriteString(")")
	}
	b.WriteString(body + "\n")
	for _, f := range a.fragments {
		fmt.Fprintf(&b, "fragment %s on %s%s\n", f.name, f.on, f.body)
	}
	for i := range variables {
		values := map[string]any{}
		for _, v := range a.variables {
			if v.fallback != "" && a.oneIn(2) || !v.declared.NonNull && a.oneIn(8) {
				continue
			}
			values[v.name] = a.value(v.declared)
		}
		text, _ := json.Marshal(values)
		variables[i] = string(text)
	}
	return b.String(), variables
}

func (a *asking) selection(on *ast.Definition, depth int) string {
	var parts []string
	for range 1 + a.of(6) {
		switch a.of(14) {
		case 0:
			parts = append(parts, chosen(a.choices, "__typename", "what: __typename"))
		case 1, 2:
			condition := a.overlapping(on)
			head := "... on " + condition.Name
			if condition == on && a.oneIn(2) {
				head = "..."
			}
			parts = append(parts, head+a.directives()+a.selection(condition, depth))
		case 3, 4:
			parts = append(parts, a.spread(on, depth))
		case 5:
			if len(parts) > 0 {
				parts = append(parts, chosen(a.choices, parts...)) // one response key, selected twice
			}
		default:
			parts = append(parts, a.field(on, depth))
		}
	}
	if len(parts) == 0 {
		parts = append(parts, "__typename")
	}
	return " { " + strings.Join(parts, " ") + " }"
}

// overlapping is a type that an object here may have.
func (a *asking) overlapping(on *ast.Definition) *ast.Definition {
	of := append([]*ast.Definition{on}, a.schema.GetPossibleTypes(on)...)
	of = append(of, a.schema.GetImplements(on)...)
	return chosen(a.choices, of...)
}

func (a *asking) spread(on *ast.Definition, depth int) string {
	condition := a.overlapping(on)
	usable := slices.DeleteFunc(slices.Clone(a.fragments), func(f fragment) bool { return f.on != condition.Name || f.depth > depth })
	if len(usable) > 0 && a.oneIn(2) {
		return "..." + chosen(a.choices, usable...).name + a.directives()
	}
	f := fragment{on: condition.Name, depth: depth, body: a.selection(condition, depth)}
	f.name = fmt.Sprintf("F%d", len(a.fragments))
	a.fragments = append(a.fragments, f)
	return "..." + f.name + a.directives()
}

func (a *asking) field(on *ast.Definition, depth int) string {
	fields := slices.DeleteFunc(slices.Clone(on.Fields), func(f *ast.FieldDefinition) bool {
		return strings.HasPrefix(f.Name, "__") || depth == 0 && a.schema.Types[f.Type.Name()].IsCompositeType()
	})
	if len(fields) == 0 {
		return "__typename"
	}
	field := chosen(a.choices, fields...)
	below := a.schema.Types[field.Type.Name()]
	if !below.IsCompositeType() && depth > 0 && a.oneIn(2) { // rather what leads on
		field = chosen(a.choices, fields...)
		below = a.schema.Types[field.Type.Name()]
	}
	arguments := a.arguments(field)
	text := field.Name + arguments
	switch {
	case arguments != "": // what differs in its arguments must differ in its key
		text = fmt.Sprintf("%s_%x: %s", field.Name, crc32.ChecksumIEEE([]byte(arguments)), text)
	case a.oneIn(6):
		text = "other_" + field.Name + ": " + text
	}
	text += a.directives()
	if below.IsCompositeType() {
		text += a.selection(below, depth-1)
	}
	return text
}

func (a *asking) directives() string {
	if !a.oneIn(8) {
		return ""
	}
	condition := func() string {
		if a.oneIn(2) {
			return a.variable(ast.NonNullNamedType("Boolean", nil))
		}
		return chosen(a.choices, "true", "false")
	}
	text := ""
	for _, name := range chosen(a.choices, []string{"skip"}, []string{"include"}, []string{"include", "skip"}) {
		text += " @" + name + "(if: " + condition() + ")"
	}
	return text
}

func (a *asking) arguments(field *ast.FieldDefinition) string {
	var given []string
	for _, argument := range field.Arguments {
		if (!argument.Type.NonNull || argument.DefaultValue != nil) && !a.oneIn(3) {
			continue
		}
		given = append(given, argument.Name+": "+a.literal(argument.Type))
	}
	if len(given) == 0 {
		return ""
	}
	return "(" + strings.Join(given, ", ") + ")"
}

// variable is one of the type, new or used before.
func (a *asking) variable(of *ast.Type) string {
	for _, v := range a.variables {
		if v.declared.String() == of.String() && a.oneIn(2) {
			return "$" + v.name
		}
	}
	declared := *of
	v := variable{name: fmt.Sprintf("v%d", len(a.variables)), declared: &declared}
	if a.oneIn(3) {
		declared.NonNull = true
	}
	if a.oneIn(3) {
		without := *a
		without.variables = nil
		fallback := without.literal(of)
		if len(without.variables) == 0 && fallback != "null" { // a default holds no variables
			v.fallback = " = " + fallback
			declared.NonNull = declared.NonNull && a.oneIn(2)
		}
		a.fragments = without.fragments
	}
	a.variables = append(a.variables, v)
	return "$" + v.name
}

// literal is a value in a document, with variables in it.
func (a *asking) literal(of *ast.Type) string {
	switch {
	case a.oneIn(4):
		return a.variable(of)
	case !of.NonNull && a.oneIn(10):
		return "null"
	case of.Elem != nil:
		if a.oneIn(6) {
			return a.literal(of.Elem) // one value stands for a list of it
		}
		var elements []string
		for range a.of(4) {
			elements = append(elements, a.literal(of.Elem))
		}
		return "[" + strings.Join(elements, ", ") + "]"
	}
	definition := a.schema.Types[of.Name()]
	switch definition.Kind {
	case ast.Enum:
		return chosen(a.choices, definition.EnumValues...).Name
	case ast.InputObject:
		var fields []string
		for _, f := range definition.Fields {
			if a.oneIn(2) || f.Type.NonNull && f.DefaultValue == nil {
				fields = append(fields, f.Name+": "+a.literal(f.Type))
			}
		}
		return "{" + strings.Join(fields, ", ") + "}"
	}
	return chosen(a.choices, literals[of.Name()]...)
}

// literals hold what the resolvers' arguments refuse besides what they take.
var literals = map[string][]string{
	"ID":      {`"bot_1"`, `"user_12"`, `"conv_9007199254740993"`, `"doc_0"`, `"x y"`, `""`, `5`, `"""msg_4"""`, `"\u0022"`},
	"String":  {`""`, `"plain"`, `"a \"quoted\" \\ text\n"`, `"\u00e9 😀"`, `"""block "text" of\n two"""`},
	"Int":     {`0`, `1`, `-1`, `20`, `2147483647`, `-2147483648`},
	"Boolean": {`true`, `false`},
	// The first is of msg_7 in its first attempt; the others are none.
	"StreamCursor": {`"czF8bXNnXzd8MXwx"`, `"x"`, `5`},
	"DateTime":     {`"2026-11-22T11:00:00Z"`, `"2026-11-22T11:00:00.123456+01:00"`, `"x"`, `5`},
}

// value is one of a variable.
func (a *asking) value(of *ast.Type) any {
	switch {
	case !of.NonNull && a.oneIn(8):
		return nil
	case of.Elem != nil:
		elements := []any{}
		for range a.of(4) {
			elements = append(elements, a.value(of.Elem))
		}
		return elements
	}
	definition := a.schema.Types[of.Name()]
	switch definition.Kind {
	case ast.Enum:
		return chosen(a.choices, definition.EnumValues...).Name
	case ast.InputObject:
		fields := map[string]any{}
		for _, f := range definition.Fields {
			if a.oneIn(2) || f.Type.NonNull && f.DefaultValue == nil {
				fields[f.Name] = a.value(f.Type)
			}
		}
		return fields
	}
	return chosen(a.choices, values[of.Name()]...)
}

var values = map[string][]any{
	"ID":      {"bot_1", "user_12", "conv_9007199254740993", "doc_0", "x y", "", 5, "chunk_3"},
	"String":  {"", "plain", "a \"quoted\" \\ text\n", "é 😀", "\x00"},
	"Int":     {0, 1, -1, 20, 2147483647, -2147483648},
	"Boolean": {true, false},

	"StreamCursor": {"czF8bXNnXzd8MXwx", "x", 5},
	"DateTime":     {"2026-11-22T11:00:00Z", "2026-11-22T11:00:00.123456+01:00", "x", 5},
}
