package main

import (
	"fmt"
	"slices"

	"github.com/99designs/gqlgen/codegen"
	"github.com/99designs/gqlgen/codegen/templates"
)

// subscription writes the method that begins the subscription to a field.
func (w *writer) subscription() error {
	at := slices.IndexFunc(w.data.Objects, func(o *codegen.Object) bool { return o.Name == w.data.Schema.Subscription.Name })
	w.line("func (x *planned) subscription(f *%s.Field) *%s.Events {\nswitch f.Name {", w.plan, w.plan)
	for _, f := range w.data.Objects[at].Fields {
		if f.HasDirectives() || !f.Stream || byReference(f.TypeReference) {
			return fmt.Errorf("%s: only plain streams of addresses and of abstract types are planned", f.Name)
		}
		arguments := "nil"
		if len(f.Args) > 0 {
			arguments = "x.ec." + f.ArgsFunc()
		}
		w.line("case %q:\nreturn %s.Subscribe(x.Run, f, %s, func(ctx context.Context, fc *%s.FieldContext) (<-chan %s, error) {", f.Name, w.plan, arguments,
			w.graphql, templates.CurrentImports.LookupType(f.TypeReference.GO))
		w.line("return x.ec.Resolvers.%s\n}, x.%s)", f.ShortInvocation(), putName(f.TypeReference))
	}
	w.line("default:\npanic(\"no field \" + f.Name)\n}\n}\n")
	for _, f := range w.data.Objects[at].Fields {
		if err := w.put(f.TypeReference); err != nil {
			return err
		}
	}
	return nil
}
