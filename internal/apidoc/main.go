// Apidoc writes docs/api.md, the reference of the contract, from schema.graphqls.
package main

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

func main() {
	text, err := os.ReadFile("schema.graphqls")
	if err == nil {
		var schema *ast.Schema
		if schema, err = gqlparser.LoadSchema(&ast.Source{Name: "schema.graphqls", Input: string(text)}); err == nil {
			err = os.WriteFile("docs/api.md", Reference(schema), 0o644)
		}
	}
	if err != nil {
		log.Fatal(err)
	}
}

// Reference is the contract as a page of Markdown: what can be asked, changed and followed, then every type. All of
// its words are the descriptions of the contract.
func Reference(schema *ast.Schema) []byte {
	p := page{schema: schema}
	p.line("# The GraphQL API\n")
	p.line("Generated from [`schema.graphqls`](../schema.graphqls) by `go generate`; do not edit.\n")
	p.line("Contents: [queries](#queries) · [mutations](#mutations) · [subscriptions](#subscriptions) · " +
		"[objects](#objects) · [interfaces](#interfaces) · [unions](#unions) · [inputs](#inputs) · [enums](#enums) · " +
		"[scalars](#scalars)\n")
	for _, root := range []struct {
		title string
		of    *ast.Definition
	}{{"Queries", schema.Query}, {"Mutations", schema.Mutation}, {"Subscriptions", schema.Subscription}} {
		p.line("## %s\n", root.title)
		p.line("%s\n", prose(root.of.Description))
		for _, f := range root.of.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			p.line("### `%s`: %s\n", f.Name, p.link(f.Type))
			p.line("%s\n", prose(f.Description))
			p.arguments(f)
		}
	}
	for _, kind := range []struct {
		title string
		kind  ast.DefinitionKind
	}{
		{"Objects", ast.Object}, {"Interfaces", ast.Interface}, {"Unions", ast.Union},
		{"Inputs", ast.InputObject}, {"Enums", ast.Enum}, {"Scalars", ast.Scalar},
	} {
		p.line("## %s\n", kind.title)
		for _, t := range p.types(kind.kind) {
			p.definition(t)
		}
	}
	return append(bytes.TrimRight(p.text.Bytes(), "\n"), '\n')
}

type page struct {
	schema *ast.Schema
	text   bytes.Buffer
}

func (p *page) line(format string, what ...any) { fmt.Fprintf(&p.text, format+"\n", what...) }

// types are the contract's own of a kind, in its order.
func (p *page) types(kind ast.DefinitionKind) []*ast.Definition {
	var list []*ast.Definition
	for _, t := range p.schema.Types {
		if t.Kind == kind && !t.BuiltIn && t != p.schema.Query && t != p.schema.Mutation && t != p.schema.Subscription {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b *ast.Definition) int { return a.Position.Start - b.Position.Start })
	return list
}

func (p *page) definition(t *ast.Definition) {
	p.line("### %s\n", t.Name)
	p.line("%s\n", prose(t.Description))
	if len(t.Interfaces) > 0 {
		p.line("Implements %s.\n", p.names(t.Interfaces))
	}
	if len(t.Types) > 0 {
		p.line("One of %s.\n", p.names(t.Types))
	}
	switch {
	case len(t.EnumValues) > 0:
		p.line("| value | meaning |\n|---|---|")
		for _, v := range t.EnumValues {
			p.line("| `%s` | %s |", v.Name, cell(v.Description))
		}
		p.line("")
	case len(t.Fields) > 0:
		p.line("| field | type | |\n|---|---|---|")
		for _, f := range t.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			p.line("| `%s` | %s | %s |", f.Name, p.link(f.Type), cell(f.Description+defaultOf(f.DefaultValue)))
			for _, a := range f.Arguments {
				p.line("| &nbsp;&nbsp;`%s:` | %s | %s |", a.Name, p.link(a.Type), cell(a.Description+defaultOf(a.DefaultValue)))
			}
		}
		p.line("")
	}
}

func (p *page) arguments(f *ast.FieldDefinition) {
	if len(f.Arguments) == 0 {
		return
	}
	p.line("| argument | type | |\n|---|---|---|")
	for _, a := range f.Arguments {
		p.line("| `%s` | %s | %s |", a.Name, p.link(a.Type), cell(a.Description+defaultOf(a.DefaultValue)))
	}
	p.line("")
}

func defaultOf(v *ast.Value) string {
	if v == nil {
		return ""
	}
	return " Default: `" + v.String() + "`."
}

// link writes a type with its name leading to its section. Built-in scalars have none.
func (p *page) link(t *ast.Type) string {
	name := t.Name()
	before, after, _ := strings.Cut(t.String(), name)
	if p.schema.Types[name].BuiltIn {
		return "`" + t.String() + "`"
	}
	code := func(s string) string {
		if s == "" {
			return ""
		}
		return "`" + s + "`"
	}
	return code(before) + "[`" + name + "`](#" + strings.ToLower(name) + ")" + code(after)
}

func (p *page) names(list []string) string {
	links := make([]string, len(list))
	for i, name := range list {
		links[i] = p.link(ast.NamedType(name, nil))
	}
	return strings.Join(links, ", ")
}

func prose(description string) string { return strings.TrimSpace(description) }

// cell is a description on one line of a table.
func cell(description string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(description), " "), "|", `\|`)
}
