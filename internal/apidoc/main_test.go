package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

func TestReference(t *testing.T) {
	t.Parallel()
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: `
		"Asks." type Query { "All of them." things(
			"How many | at most." first: Int = 5): [Thing!]! }
		"Changes." type Mutation { "Does it." do: Int } "Follows." type Subscription { "Sees it." see: Any }
		"With a name." interface Named { "The name." name: String! }
		"A thing." type Thing implements Named { "The name." name: String! "The mood." mood(
			"Where from." from: In): Mood }
		"Any." union Any = Thing "Input." input In { "A text." text: String = "x" } "Moods." enum Mood { "Fine." GOOD }`})
	got := string(Reference(schema))
	for _, want := range []string{
		"## Mutations\n\nChanges.\n\n### `do`",
		"### `things`: `[`[`Thing`](#thing)`!]!`\n\nAll of them.\n\n| argument | type | |\n|---|---|---|\n| `first` | `Int` | How many \\| at most. Default: `5`. |",
		"### Thing\n\nA thing.\n\nImplements [`Named`](#named).\n\n", "| `mood` | [`Mood`](#mood) | The mood. |\n| &nbsp;&nbsp;`from:` | [`In`](#in) | Where from. |",
		"### Any\n\nAny.\n\nOne of [`Thing`](#thing).", "| `GOOD` | Fine. |", "| `text` | `String` | A text. Default: `\"x\"`. |",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

func TestTheReferenceIsUpToDate(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../schema.graphqls")
	if err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile("../../docs/api.md")
	if err != nil || !bytes.Equal(written, Reference(gqlparser.MustLoadSchema(&ast.Source{Input: string(text)}))) {
		t.Errorf("run go generate ./... (%v)", err)
	}
}
