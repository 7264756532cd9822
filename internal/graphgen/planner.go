package main

import (
	"fmt"
	"go/types"
	"maps"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/99designs/gqlgen/codegen"
	"github.com/99designs/gqlgen/codegen/config"
	"github.com/99designs/gqlgen/codegen/templates"
	"github.com/vektah/gqlparser/v2/ast"
)

// planner is the gqlgen plugin that writes plan.generated.go: a method for every object that a query or a subscription
// can reach, one for every type that a field of these has, and one that begins subscriptions.
type planner struct{}

// Name is for gqlgen's messages.
func (planner) Name() string { return "planner" }

// GenerateCode writes the file.
func (planner) GenerateCode(data *codegen.Data) error {
	w := writer{data: data, puts: map[string]bool{}, enums: map[string]*config.TypeReference{}}
	return templates.Render(templates.Options{
		PackageName:     data.Config.Exec.Package,
		Filename:        filepath.Join(data.Config.Exec.Dir(), "plan.generated.go"),
		Template:        "{{ code }}",
		Funcs:           map[string]any{"code": w.code},
		GeneratedHeader: true,
		Data:            data,
		Packages:        data.Config.Packages,
	})
}

type writer struct {
	data  *codegen.Data
	out   strings.Builder
	puts  map[string]bool // the types that have a method
	enums map[string]*config.TypeReference

	plan, scalar, graphql string // what the packages are called
}

// scalarPackage holds the contract's own scalars.
const scalarPackage = "kyrochat/graph/scalar"

func (w *writer) code() (string, error) {
	imports := templates.CurrentImports
	w.plan, w.scalar = imports.Lookup("kyrochat/graph/plan"), imports.Lookup(scalarPackage)
	w.graphql = imports.Lookup("github.com/99designs/gqlgen/graphql")
	imports.Lookup("context")
	w.line("// planned runs a plan over the types of the schema.")
	w.line("type planned struct {\n*%s.Run\nec *executionContext\n}\n", w.plan)
	for _, object := range w.reachable() {
		if err := w.object(object); err != nil {
			return "", err
		}
	}
	if err := w.subscription(); err != nil {
		return "", err
	}
	for _, name := range slices.Sorted(maps.Keys(w.enums)) {
		w.enum(w.enums[name])
	}
	return w.out.String(), nil
}

func (w *writer) line(format string, args ...any) {
	fmt.Fprintf(&w.out, format+"\n", args...)
}

// reachable are the objects that a query or an event can lead to, in the order of their names.
func (w *writer) reachable() []*codegen.Object {
	seen := map[string]bool{}
	var visit func(definition *ast.Definition)
	visit = func(definition *ast.Definition) {
		if seen[definition.Name] || strings.HasPrefix(definition.Name, "__") {
			return
		}
		seen[definition.Name] = true
		for _, possible := range w.data.Schema.GetPossibleTypes(definition) {
			visit(possible)
		}
		for _, field := range definition.Fields {
			visit(w.data.Schema.Types[field.Type.Name()])
		}
	}
	visit(w.data.Schema.Query)
	visit(w.data.Schema.Subscription)
	delete(seen, w.data.Schema.Subscription.Name)
	objects := slices.DeleteFunc(slices.Clone(w.data.Objects), func(o *codegen.Object) bool { return !seen[o.Name] })
	sort.Slice(objects, func(i, j int) bool { return objects[i].Name < objects[j].Name })
	return objects
}

func methodOf(object string) string { return "object" + object }

// object writes the method that writes what is selected of an object.
func (w *writer) object(o *codegen.Object) error {
	receiver := ""
	if !o.Root {
		receiver = ", obj " + templates.CurrentImports.LookupType(o.Reference())
	}
	w.line("func (x *planned) %s(s *%s.Selection%s) bool {", methodOf(o.Name), w.plan, receiver)
	w.line("x.Open()\nfor i := range s.Fields {\nf := &s.Fields[i]\nx.Key(f)\nswitch f.Name {")
	w.line("case \"__typename\":\nx.String(%q)", o.Name)
	var puts []*config.TypeReference
	for _, field := range o.Fields {
		if field.IsReserved() {
			continue
		}
		w.line("case %q:", field.Name)
		if err := w.field(field); err != nil {
			return fmt.Errorf("%s.%s: %w", o.Name, field.Name, err)
		}
		puts = append(puts, field.TypeReference)
	}
	w.line("}\n}\nx.Close()\nreturn true\n}\n")
	for _, ref := range puts {
		if err := w.put(ref); err != nil {
			return err
		}
	}
	return nil
}

// field writes the case of one field.
func (w *writer) field(f *codegen.Field) error {
	if f.HasDirectives() || f.Stream {
		return fmt.Errorf("directives and streams are not planned")
	}
	ref := f.TypeReference
	if f.IsResolver {
		return w.resolved(f)
	}
	if len(f.Args) > 0 || f.IsMap() || f.MethodHasContext || f.VOkFunc || f.IsMethod() && !f.NoErr {
		return fmt.Errorf("a field that is not resolved is planned where it is a variable, or a method without arguments and errors")
	}
	value := "obj." + f.GoFieldName
	if f.IsMethod() {
		value += "()"
	}
	if byReference(ref) {
		if f.IsMethod() {
			w.line("v := %s", value)
			value = "v"
		}
		value = "&" + value
	}
	if simple, ok := w.simple(ref, value); ok {
		w.line("%s", simple)
		return nil
	}
	w.guarded(ref, value)
	return nil
}

// guarded writes a value that may be null where it must not be.
func (w *writer) guarded(ref *config.TypeReference, value string) {
	enter, leave := "", ""
	if ref.Definition.IsCompositeType() || ref.IsSlice() {
		enter, leave = "x.Enter(f)\n", "\nx.Leave()"
	}
	w.line("%sif !x.%s(f, %s) {\nreturn false\n}%s", enter, putName(ref), value, leave)
}

// resolved writes the case of a field that has a resolver.
func (w *writer) resolved(f *codegen.Field) error {
	ref := f.TypeReference
	arguments := "nil"
	if len(f.Args) > 0 {
		arguments = "x.ec." + f.ArgsFunc()
	}
	w.line("x.Enter(f)\nv, ok := %s.Resolve(x.Run, f, %s, func(ctx context.Context, fc *%s.FieldContext) (%s, error) {", w.plan, arguments, w.graphql,
		templates.CurrentImports.LookupType(ref.GO))
	w.line("return x.ec.Resolvers.%s\n})", f.ShortInvocation())
	value := "v"
	if byReference(ref) {
		value = "&v"
	}
	w.line("switch {")
	if ref.GQL.NonNull {
		w.line("case !ok:\nreturn false")
	} else {
		w.line("case !ok:\nx.Null()")
	}
	w.line("case !x.%s(f, %s):\nreturn false\n}\nx.Leave()", putName(ref), value)
	return nil
}

// byReference reports a struct, whose address is handed on.
func byReference(ref *config.TypeReference) bool {
	return ref.Definition.Kind == ast.Object && !ref.IsPtr() && !ref.IsSlice()
}

func putName(ref *config.TypeReference) string { return "put" + ref.UniquenessKey() }

// put writes the method that writes a value of a type.
func (w *writer) put(ref *config.TypeReference) error {
	name := putName(ref)
	if w.puts[name] {
		return nil
	}
	w.puts[name] = true
	parameter := templates.CurrentImports.LookupType(ref.GO)
	if byReference(ref) {
		parameter = "*" + parameter
	}
	if ref.Definition.Kind == ast.Enum && !ref.HasEnumValues() {
		return fmt.Errorf("%s: an enum is planned where gqlgen.yml names its values", ref.Definition.Name)
	}
	w.line("func (x *planned) %s(f *%s.Field, v %s) bool {", name, w.plan, parameter)
	switch {
	case ref.IsSlice():
		w.list(ref)
	case ref.Definition.Kind == ast.Object && ref.IsPtr():
		w.null(ref)
		w.line("if x.Again(f, v) {\nreturn true\n}\nmark := x.Mark()")
		w.line("if !x.%s(f.Below(), v) {", methodOf(ref.Definition.Name))
		if ref.GQL.NonNull {
			w.line("return false\n}")
		} else {
			w.line("x.Undo(mark)\nreturn true\n}")
		}
		w.line("x.Wrote(f, v, mark)\nreturn true")
	case ref.Definition.Kind == ast.Object:
		w.null(ref)
		w.composite(ref, fmt.Sprintf("x.%s(f.Below(), v)", methodOf(ref.Definition.Name)))
	case ref.Definition.IsAbstractType():
		w.abstract(ref)
	default:
		w.leaf(ref)
	}
	w.line("}\n")
	if ref.IsSlice() {
		return w.put(ref.Elem())
	}
	return nil
}

// null writes what becomes of nil.
func (w *writer) null(ref *config.TypeReference) {
	if ref.GQL.NonNull {
		w.line("if v == nil {\nreturn x.MustNotBeNull(f, %q)\n}", ref.GQL.String())
		return
	}
	w.line("if v == nil {\nx.Null()\nreturn true\n}")
}

// composite writes an object, in whose place null may stand.
func (w *writer) composite(ref *config.TypeReference, call string) {
	if ref.GQL.NonNull {
		w.line("return %s", call)
		return
	}
	w.line("mark := x.Mark()\nif !%s {\nx.Undo(mark)\n}\nreturn true", call)
}

func (w *writer) list(ref *config.TypeReference) {
	if !ref.GQL.NonNull {
		w.line("if v == nil {\nx.Null()\nreturn true\n}\nmark := x.Mark()")
	}
	failed := "return false"
	if !ref.GQL.NonNull {
		failed = "x.Undo(mark)\nreturn true"
	}
	element := "v[i]"
	if byReference(ref.Elem()) {
		element = "&v[i]"
	}
	w.line("x.OpenList()\nfor i := range v {\nx.Item(i)\nif !x.%s(f, %s) {\n%s\n}\n}\nx.CloseList()\nreturn true", putName(ref.Elem()), element, failed)
}

func (w *writer) abstract(ref *config.TypeReference) {
	w.line("switch v := v.(type) {")
	for _, implementor := range w.data.Interfaces[ref.Definition.Name].Implementors {
		if implementor.TakeRef {
			continue // nouns are nodes by their address
		}
		w.line("case %s:", templates.CurrentImports.LookupType(implementor.Type))
		w.null(ref)
		w.composite(ref, fmt.Sprintf("x.%s(f.As(%q), v)", methodOf(implementor.Name), implementor.Name))
	}
	w.line("case nil:")
	if ref.GQL.NonNull {
		w.line("return x.MustNotBeNull(f, %q)", ref.GQL.String())
	} else {
		w.line("x.Null()\nreturn true")
	}
	w.line("default:\nx.Stranger(f, v)")
	if ref.GQL.NonNull {
		w.line("return false\n}")
	} else {
		w.line("x.Null()\nreturn true\n}")
	}
}

func (w *writer) leaf(ref *config.TypeReference) {
	value := "v"
	if _, pointer := ref.GO.(*types.Pointer); pointer {
		w.null(ref)
		value = "*v"
	}
	plain := *ref
	if pointer, ok := ref.GO.(*types.Pointer); ok {
		plain.GO = pointer.Elem()
	}
	if simple, ok := w.simpleValue(&plain, value, w.enumOf(ref)); ok {
		w.line("%s\nreturn true", simple)
		return
	}
	function := w.function(ref)
	switch call := fmt.Sprintf("x.Marshal(f, %s(%s))", function, value); {
	case ref.IsContext && ref.GQL.NonNull:
		w.line("return %s", call)
		return
	case ref.IsContext:
		w.line("if !%s {\nx.Null()\n}\nreturn true", call)
		return
	}
	w.line("%s(%s).MarshalGQL(x)\nreturn true", function, value)
}

// words notes an enum, whose values are words of letters.
func (w *writer) words(ref *config.TypeReference) {
	plain := *ref
	if pointer, ok := ref.GO.(*types.Pointer); ok {
		plain.GO = pointer.Elem()
	}
	w.enums[ref.Definition.Name] = &plain
}

// enum writes the method that writes a value of an enum.
func (w *writer) enum(ref *config.TypeReference) {
	w.line("func (x *planned) word%s(v %s) {\nswitch v {", ref.Definition.Name, templates.CurrentImports.LookupType(ref.GO))
	for _, value := range ref.EnumValues {
		w.line("case %s.%s:\nx.Word(%q)", templates.CurrentImports.Lookup(value.Object.Pkg().Path()), value.Object.Name(), value.Definition.Name)
	}
	w.line("default:\nx.Word(\"\")\n}\n}\n")
}

func (w *writer) function(ref *config.TypeReference) string {
	return templates.CurrentImports.Lookup(ref.Marshaler.Pkg().Path()) + "." + ref.Marshaler.Name()
}

func (w *writer) enumOf(ref *config.TypeReference) string {
	if !ref.HasEnumValues() {
		return ""
	}
	return ref.EnumMarshalVar(false)
}

// simple is the statement that writes a leaf that cannot be null, where there is one.
func (w *writer) simple(ref *config.TypeReference, value string) (string, bool) {
	if ref.IsSlice() || ref.IsNilable() || !ref.Definition.IsLeafType() {
		return "", false
	}
	return w.simpleValue(ref, value, w.enumOf(ref))
}

func (w *writer) simpleValue(ref *config.TypeReference, value, enum string) (string, bool) {
	if ref.Marshaler == nil {
		return "", false
	}
	switch function := ref.Marshaler.FullName(); {
	case enum != "":
		w.words(ref)
		return fmt.Sprintf("x.word%s(%s)", ref.Definition.Name, value), true
	case function == "github.com/99designs/gqlgen/graphql.MarshalString":
		return fmt.Sprintf("x.String(string(%s))", value), true
	case function == "github.com/99designs/gqlgen/graphql.MarshalBoolean":
		return fmt.Sprintf("x.Boolean(bool(%s))", value), true
	case slices.Contains([]string{"MarshalInt", "MarshalInt32", "MarshalInt64"}, ref.Marshaler.Name()) &&
		strings.HasPrefix(function, "github.com/99designs/gqlgen/graphql."):
		return fmt.Sprintf("x.Int(int64(%s))", value), true
	case function == scalarPackage+".MarshalID":
		return fmt.Sprintf("x.Buf = %s.AppendID(x.Buf, %s)", w.scalar, value), true
	case function == scalarPackage+".MarshalStreamCursor":
		return fmt.Sprintf("x.Buf = %s.AppendStreamCursor(x.Buf, %s)", w.scalar, value), true
	case function == scalarPackage+".MarshalDateTime":
		return fmt.Sprintf("x.Buf = %s.AppendDateTime(x.Buf, %s)", w.scalar, value), true
	}
	return "", false
}
