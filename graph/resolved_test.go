package graph_test

import (
	"slices"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"

	"kyrochat/graph"
)

// TestResolversAtTheTopAreTimed by their names in the contract, those that fail too, and none below them.
func TestResolversAtTheTopAreTimed(t *testing.T) {
	t.Parallel()
	var told []string
	e := newExecutor(graph.NewExecutable(graph.Config{Resolvers: fakes{}}, graph.Options{Resolved: func(field string, took time.Duration) {
		if took < 0 || took > time.Minute {
			t.Errorf("%s took %v", field, took)
		}
		told = append(told, field)
	}}), lru.New[*ast.QueryDocument](10))
	ctx := (&world{script: script{".bot": always(bot(1)), "bot_1.owner": always(nil)}}).in(t.Context())
	run(ctx, e, `query Mine { mine: bot(id: "bot_1") { owner { id } } ...F } fragment F on Query { again: bot(id: "bot_2") { name } __typename viewer { id } }`, "")
	if want := []string{"bot", "bot", "viewer"}; !slices.Equal(told, want) {
		t.Errorf("told of %v, want %v", told, want)
	}
}
