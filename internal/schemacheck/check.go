package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// Undescribed names everything of the contract that has no description.
func Undescribed(schema *ast.Schema) []string {
	var missing []string
	want := func(description, format string, name ...any) {
		if strings.TrimSpace(description) == "" {
			missing = append(missing, fmt.Sprintf(format, name...))
		}
	}
	for _, t := range ours(schema) {
		want(t.Description, "%s", t.Name)
		for _, f := range fieldsOf(t) {
			want(f.Description, "%s.%s", t.Name, f.Name)
			for _, a := range f.Arguments {
				want(a.Description, "%s.%s(%s:)", t.Name, f.Name, a.Name)
			}
		}
		for _, v := range t.EnumValues {
			want(v.Description, "%s.%s", t.Name, v.Name)
		}
	}
	return missing
}

// Breaking tells what a client of the old contract could stumble over in the new one: what it may use is gone, a
// result may be null that could not, an input is required that was not, or a type is another one. New values of an
// enum and new members of a union are not counted: clients are told to expect them.
func Breaking(before, now *ast.Schema) []string {
	var broken []string
	say := func(format string, what ...any) { broken = append(broken, fmt.Sprintf(format, what...)) }
	for _, old := range ours(before) {
		t := now.Types[old.Name]
		switch {
		case t == nil:
			say("%s is gone", old.Name)
			continue
		case t.Kind != old.Kind:
			say("%s was %s and is %s", old.Name, old.Kind, t.Kind)
			continue
		}
		for _, f := range fieldsOf(old) {
			compareField(old, f, t.Fields.ForName(f.Name), say)
		}
		if t.Kind == ast.InputObject {
			for _, f := range t.Fields {
				if old.Fields.ForName(f.Name) == nil && required(f.Type, f.DefaultValue) {
					say("%s.%s is new and required", t.Name, f.Name)
				}
			}
		}
		for _, v := range old.EnumValues {
			if t.EnumValues.ForName(v.Name) == nil {
				say("%s.%s is gone", t.Name, v.Name)
			}
		}
		for _, name := range old.Types {
			if !slices.Contains(t.Types, name) {
				say("%s is no %s any more", name, t.Name)
			}
		}
		for _, name := range old.Interfaces {
			if !slices.Contains(t.Interfaces, name) {
				say("%s is no %s any more", t.Name, name)
			}
		}
	}
	return broken
}

func compareField(of *ast.Definition, old, f *ast.FieldDefinition, say func(string, ...any)) {
	name := of.Name + "." + old.Name
	if f == nil {
		say("%s is gone", name)
		return
	}
	fits := outputFits
	if of.Kind == ast.InputObject {
		fits = inputFits
	}
	if !fits(old.Type, f.Type) {
		say("%s was %s and is %s", name, old.Type, f.Type)
	}
	for _, a := range old.Arguments {
		switch b := f.Arguments.ForName(a.Name); {
		case b == nil:
			say("%s(%s:) is gone", name, a.Name)
		case !inputFits(a.Type, b.Type):
			say("%s(%s:) was %s and is %s", name, a.Name, a.Type, b.Type)
		}
	}
	for _, a := range f.Arguments {
		if old.Arguments.ForName(a.Name) == nil && required(a.Type, a.DefaultValue) {
			say("%s(%s:) is new and required", name, a.Name)
		}
	}
}

func required(t *ast.Type, value *ast.Value) bool { return t.NonNull && value == nil }

// outputFits reports whether a client that reads the old type can read the new one: more may be promised, not less.
func outputFits(old, now *ast.Type) bool {
	if old.NonNull && !now.NonNull || old.NamedType != now.NamedType || (old.Elem == nil) != (now.Elem == nil) {
		return false
	}
	return old.Elem == nil || outputFits(old.Elem, now.Elem)
}

// inputFits reports whether what a client sends for the old type is taken for the new one: less may be asked, not more.
func inputFits(old, now *ast.Type) bool { return outputFits(now, old) }

// ours are the contract's own types, by name.
func ours(schema *ast.Schema) []*ast.Definition {
	var list []*ast.Definition
	for _, t := range schema.Types {
		if !t.BuiltIn {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b *ast.Definition) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// fieldsOf leaves out what introspection adds.
func fieldsOf(t *ast.Definition) []*ast.FieldDefinition {
	return slices.DeleteFunc(slices.Clone(t.Fields), func(f *ast.FieldDefinition) bool { return strings.HasPrefix(f.Name, "__") })
}
