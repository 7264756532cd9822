package main

import (
	"slices"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

func load(t *testing.T, text string) *ast.Schema {
	t.Helper()
	schema, err := gqlparser.LoadSchema(&ast.Source{Input: text})
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestBreaking(t *testing.T) {
	t.Parallel()
	const base = `
		interface Node { id: ID! } scalar Time enum Mood { GOOD BAD } union Any = A | B
		type A implements Node { id: ID! list(first: Int = 20, mood: Mood): [A!] } type B { x: Int }
		input In { text: String! limit: Int } type Query { a(in: In!): A at: Time }`
	for name, c := range map[string]struct {
		schema string
		want   []string
	}{
		"nothing": {base, nil},
		"more of everything": {`
			interface Node { id: ID! } scalar Time enum Mood { GOOD BAD UGLY } union Any = A | B | C type C { x: Int }
			type A implements Node { id: ID! list(first: Int = 20, mood: Mood, last: Int, size: Int! = 1): [A!]! more: Int } type B { x: Int! }
			input In { text: String limit: Int more: Int size: Int! = 1 } type Query { a(in: In): A at: Time b: B }`, nil},
		"less of everything": {`
			interface Node { id: ID! } enum Mood { GOOD } union Any = A
			type A { id: ID list(first: Int!): [A] } type B { x: String }
			input In { text: String! limit: Int! more: Int! } type Query { a(in: In!, more: Int!): A }`,
			[]string{
				"A.id was ID! and is ID", "A.list was [A!] and is [A]", "A.list(first:) was Int and is Int!", "A.list(mood:) is gone", "A is no Node any more",
				"B is no Any any more", "B.x was Int and is String", "In.limit was Int and is Int!", "In.more is new and required", "Mood.BAD is gone",
				"Query.a(more:) is new and required", "Query.at is gone", "Time is gone",
			}},
		"another kind": {`
			interface Node { id: ID! } scalar Time enum Mood { GOOD BAD } union Any = A
			type A implements Node { id: ID! list(first: Int = 20, mood: Mood): [A!] } enum B { X }
			input In { text: String! limit: Int } type Query { a(in: In!): A at: Time }`, []string{"B is no Any any more", "B was OBJECT and is ENUM"}},
	} {
		got := Breaking(load(t, base), load(t, c.schema))
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\ngot  %q\nwant %q", name, got, c.want)
		}
	}
}

func TestUndescribed(t *testing.T) {
	t.Parallel()
	got := Undescribed(load(t, `
		"What can be asked." type Query { "Described." a(b: Int): Int c: Mood }
		enum Mood { "Well." GOOD BAD }`))
	if want := []string{"Mood", "Mood.BAD", "Query.a(b:)", "Query.c"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
