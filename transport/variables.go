package transport

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"kyrochat/kyro"
)

// readVariables gives the values of an operation's variables by the letter of GraphQL's input coercion (§3.5 to
// §3.12, §6.1.2): no text for a number, no number for a text, a single value for a list of one. Variables that the
// operation does not declare are left out, and so are those without a value, whose defaults the executor knows.
// The error is BAD_USER_INPUT and names the place; it never quotes a value, which may be a password.
func readVariables(schema *ast.Schema, operation *ast.OperationDefinition, given map[string]any) (map[string]any, *gqlerror.Error) {
	values := make(map[string]any, len(operation.VariableDefinitions))
	for _, variable := range operation.VariableDefinitions {
		value, found := given[variable.Variable]
		if !found && (variable.DefaultValue != nil || !variable.Type.NonNull) {
			continue
		}
		at := ast.Path{ast.PathName(variable.Variable)}
		if !found {
			return nil, wrongVariable(at, "it is required")
		}
		read, err := readInput(schema, variable.Type, value, at)
		if err != nil {
			return nil, err
		}
		values[variable.Variable] = read
	}
	return values, nil
}

// checkVariables refuses values that are nested too deep, or lists that are too long, whatever they are for.
func (l DocumentLimits) checkVariables(given map[string]any) *gqlerror.Error {
	deep, long := measure(given)
	switch {
	case deep > l.VariableDepth:
		return requestError(codeVariablesTooDeep,
			fmt.Sprintf("The variables have too many levels: at most %d are allowed.", l.VariableDepth))
	case long > l.VariableItems:
		return requestError(codeVariablesTooLong,
			fmt.Sprintf("A list among the variables is too long: at most %d items are allowed. Split it into several requests.", l.VariableItems))
	}
	return nil
}

// measure gives the levels of a value and the length of its longest list. JSON has at most 10,000 levels.
func measure(value any) (deep, long int) {
	below := func(item any) {
		d, l := measure(item)
		deep, long = max(deep, d), max(long, l)
	}
	switch holder := value.(type) {
	case map[string]any:
		for _, item := range holder {
			below(item)
		}
	case []any:
		long = len(holder)
		for _, item := range holder {
			below(item)
		}
	default:
		return 0, 0
	}
	return deep + 1, long
}

func readInput(schema *ast.Schema, want *ast.Type, value any, at ast.Path) (any, *gqlerror.Error) {
	switch {
	case value == nil && want.NonNull:
		return nil, wrongVariable(at, "it cannot be null")
	case value == nil:
		return nil, nil
	case want.Elem != nil:
		return readList(schema, want, value, at)
	}
	switch definition := schema.Types[want.NamedType]; definition.Kind {
	case ast.InputObject:
		return readObject(schema, definition, value, at)
	case ast.Enum:
		name, isText := value.(string)
		if !isText || definition.EnumValues.ForName(name) == nil {
			return nil, wrongVariable(at, "expected a value of the enum "+definition.Name)
		}
		return name, nil
	default:
		return readScalar(definition.Name, value, at)
	}
}

func readList(schema *ast.Schema, want *ast.Type, value any, at ast.Path) (any, *gqlerror.Error) {
	items, isList := value.([]any)
	if !isList {
		items = []any{value}
	}
	list := make([]any, len(items))
	for i, item := range items {
		below := at
		if isList {
			below = append(slices.Clip(at), ast.PathIndex(i))
		}
		var err *gqlerror.Error
		if list[i], err = readInput(schema, want.Elem, item, below); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func readObject(schema *ast.Schema, definition *ast.Definition, value any, at ast.Path) (any, *gqlerror.Error) {
	members, isObject := value.(map[string]any)
	if !isObject {
		return nil, wrongVariable(at, "expected an object of the type "+definition.Name+", got "+kindOf(value))
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if definition.Fields.ForName(name) == nil {
			return nil, wrongVariable(at, fmt.Sprintf("the type %s has no field %q", definition.Name, name))
		}
	}
	object := make(map[string]any, len(members))
	for _, field := range definition.Fields {
		below := append(slices.Clip(at), ast.PathName(field.Name))
		member, found := members[field.Name]
		switch {
		case found:
			read, err := readInput(schema, field.Type, member, below)
			if err != nil {
				return nil, err
			}
			object[field.Name] = read
		case field.Type.NonNull && field.DefaultValue == nil:
			return nil, wrongVariable(below, "it is required")
		}
	}
	return object, nil
}

// readScalar reads a built-in scalar. The contract's own read themselves, but for texts that cannot be stored.
func readScalar(name string, value any, at ast.Path) (any, *gqlerror.Error) {
	text, isText := value.(string)
	if isText && strings.Contains(text, "\x00") {
		return nil, wrongVariable(at, "it holds a NUL character, which cannot be stored")
	}
	number, isNumber := value.(json.Number)
	var float float64
	var err error
	if isNumber {
		float, err = strconv.ParseFloat(number.String(), 64)
	}
	switch name {
	case "String":
		if isText {
			return text, nil
		}
	case "Boolean":
		if truth, isTruth := value.(bool); isTruth {
			return truth, nil
		}
	case "Int":
		if isNumber && err == nil && float == math.Trunc(float) {
			if float < math.MinInt32 || float > math.MaxInt32 {
				return nil, wrongVariable(at, "an Int has 32 bits")
			}
			return int64(float), nil
		}
		if isNumber {
			return nil, wrongVariable(at, "expected a whole number")
		}
	case "Float":
		if isNumber && err != nil {
			return nil, wrongVariable(at, "the number is out of range")
		}
		if isNumber {
			return float, nil
		}
	case "ID":
		if isText {
			return text, nil
		}
		if _, err := number.Int64(); isNumber && err == nil {
			return number.String(), nil
		}
	default:
		return value, nil
	}
	return nil, wrongVariable(at, "expected "+map[bool]string{true: "an ", false: "a "}[name == "Int" || name == "ID"]+name+", got "+kindOf(value))
}

func kindOf(value any) string {
	switch value.(type) {
	case string:
		return "a text"
	case bool:
		return "a truth value"
	case json.Number:
		return "a number"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	default:
		return "a file"
	}
}

func wrongVariable(at ast.Path, why string) *gqlerror.Error {
	return requestError(string(kyro.CodeBadUserInput), fmt.Sprintf("Variable %s: %s.", variableName(at), why))
}

// variableName writes a place in the variables as a person would: $input.tags[2].
func variableName(path ast.Path) string {
	var name strings.Builder
	for i, part := range path {
		switch p := part.(type) {
		case ast.PathIndex:
			name.WriteString("[" + strconv.Itoa(int(p)) + "]")
		case ast.PathName:
			name.WriteString(map[bool]string{true: "$", false: "."}[i == 0] + string(p))
		}
	}
	return name.String()
}
