package graph_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"kyrochat/graph"
	"kyrochat/internal/racetest"
	"kyrochat/transport"
)

// newExecutor is gqlgen's executor with the server's presenter. Its errors tell the cause besides, so that those that
// clients see as INTERNAL can be told apart.
func newExecutor(schema graphql.ExecutableSchema, documents graphql.Cache[*ast.QueryDocument]) *executor.Executor {
	e := executor.New(schema)
	presenter := transport.NewPresenter(slog.New(slog.DiscardHandler))
	e.SetErrorPresenter(func(ctx context.Context, err error) *gqlerror.Error {
		shown := presenter.Present(ctx, err)
		shown.Extensions["cause"] = err.Error()
		return shown
	})
	e.SetRecoverFunc(func(ctx context.Context, panicked any) error {
		what, _, _ := strings.Cut(fmt.Sprint(panicked), ";")
		return fmt.Errorf("%s: %w", what, presenter.Recover(ctx, panicked))
	})
	e.SetQueryCache(documents)
	e.Use(extension.Introspection{})
	return e
}

// pair are the two executors of one schema.
type pair struct{ planned, gqlgen *executor.Executor }

func newPair(resolvers graph.ResolverRoot) pair {
	cfg := graph.Config{Resolvers: resolvers}
	documents := lru.New[*ast.QueryDocument](100) // a plan is used again where the document is
	return pair{newExecutor(graph.NewExecutable(cfg, graph.Options{}), documents), newExecutor(graph.NewExecutableSchema(cfg), documents)}
}

// run runs a query. It gives nil where the executor refuses the document or the variables.
func run(ctx context.Context, e *executor.Executor, query, variables string, operation ...string) *graphql.Response {
	ctx = graphql.StartOperationTrace(ctx)
	params := &graphql.RawParams{Query: query, OperationName: strings.Join(operation, "")}
	decoder := json.NewDecoder(strings.NewReader(variables))
	decoder.UseNumber()
	if variables != "" && decoder.Decode(&params.Variables) != nil {
		return nil
	}
	op, refused := e.CreateOperationContext(ctx, params)
	if refused != nil {
		return nil
	}
	handler, ctx := e.DispatchOperation(ctx, op)
	return handler(ctx)
}

// told are the errors of a response, each in JSON, in order.
func toldErrors(r *graphql.Response) []string {
	told := make([]string, len(r.Errors))
	for i, e := range r.Errors {
		text, _ := json.Marshal(e)
		told[i] = string(text)
	}
	slices.Sort(told)
	return told
}

// differences are what a planned response says that gqlgen's does not, or the other way round; "" for none.
//
// Fewer errors may be told: an object ends with the first field that must not be null and is. One kind may be told
// besides: gqlgen finds floats that JSON has no word for while it writes the response, and so does not find those
// in objects that have become null by then.
func differences(planned, gqlgen *graphql.Response) string {
	if string(planned.Data) != string(gqlgen.Data) {
		return fmt.Sprintf("planned data %s\n gqlgen data %s\n%s", planned.Data, gqlgen.Data, strings.Join(append(toldErrors(planned), toldErrors(gqlgen)...), "\n"))
	}
	if (len(planned.Errors) == 0) != (len(gqlgen.Errors) == 0) {
		return fmt.Sprintf("planned errors %s\n gqlgen errors %s", toldErrors(planned), toldErrors(gqlgen))
	}
	others := toldErrors(gqlgen)
	for _, told := range toldErrors(planned) {
		at := slices.Index(others, told)
		if at < 0 && strings.Contains(told, "cannot marshal infinite") {
			continue
		}
		if at < 0 {
			return fmt.Sprintf("planned only: %s\n gqlgen: %s", told, strings.Join(others, "\n\t"))
		}
		others = slices.Delete(others, at, at+1)
	}
	return ""
}

// compare runs a query on both executors, twice with other variables, and reports whether it is valid.
func (p pair) compare(t *testing.T, w *world, query string, variables [2]string) (outcomes []*graphql.Response) {
	t.Helper()
	ctx := w.in(t.Context())
	var data []string
	for _, values := range variables {
		planned := run(ctx, p.planned, query, values)
		if planned == nil {
			continue
		}
		if planned.Data == nil { // gqlgen panics at a condition that is null
			if len(planned.Errors) != 1 || planned.Errors[0].Extensions["code"] != "BAD_USER_INPUT" {
				t.Fatalf("seed %d\n%s\nvariables %s\nrefused with %s", w.seed, query, values, toldErrors(planned))
			}
			continue
		}
		gqlgen := run(ctx, p.gqlgen, query, values)
		if different := differences(planned, gqlgen); different != "" {
			t.Fatalf("seed %d\n%s\nvariables %s\n%s", w.seed, query, values, different)
		}
		outcomes = append(outcomes, planned)
		data = append(data, string(planned.Data))
	}
	for i, r := range outcomes {
		if string(r.Data) != data[i] {
			t.Fatalf("a response changed after it was given:\n%s\n%s", data[i], r.Data)
		}
	}
	return outcomes
}

// randomChoices are for documents of all sizes.
func randomChoices(seed uint64) []byte {
	dice := rand.New(rand.NewPCG(seed, 1))
	c := make([]byte, 50+dice.IntN(700))
	for i := range c {
		c[i] = byte(dice.Uint32())
	}
	return c
}

// TestPlansAnswerLikeGqlgen asks both executors thousands of random queries about random worlds.
func TestPlansAnswerLikeGqlgen(t *testing.T) {
	t.Parallel()
	queries := racetest.Times(1200, 600)
	both := newPair(fakes{})
	whole, partial, none, bytes := 0, 0, 0, 0
	for seed := range uint64(queries) {
		query, variables := randomQuery(theSchema, &choices{left: randomChoices(seed)}, 2+int(seed%6))
		for mood := range uint64(3) {
			for _, r := range both.compare(t, newWorld(2*seed+mood), query, variables) {
				bytes += len(r.Data)
				switch {
				case string(r.Data) == "null":
					none++
				case len(r.Errors) > 0:
					partial++
				default:
					whole++
				}
			}
		}
	}
	t.Logf("responses: %d whole, %d with errors, %d null; %d bytes", whole, partial, none, bytes)
	if whole < queries || partial < queries/2 || none < queries/20 {
		t.Error("the queries ask for too little to find anything")
	}
}

// FuzzPlan looks for a query and a world in which the executors differ.
func FuzzPlan(f *testing.F) {
	for seed := range uint64(10) {
		f.Add(seed, randomChoices(seed))
	}
	both := newPair(fakes{})
	f.Fuzz(func(t *testing.T, seed uint64, c []byte) {
		query, variables := randomQuery(theSchema, &choices{left: c[:min(len(c), 2000)]}, 6)
		both.compare(t, newWorld(seed), query, variables)
	})
}
