package graph_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"

	"kyrochat/graph"
	"kyrochat/graph/model"
	"kyrochat/graph/plan"
	"kyrochat/kyro"
)

func always(value any) func(context.Context) any {
	return func(context.Context) any { return value }
}

func panics(context.Context) any { panic("on purpose") }

func bot(key int64) *kyro.Bot { return &kyro.Bot{ID: kyro.BotID(key), Name: fmt.Sprint("Bot ", key)} }

// asked gives what both executors answer to a query of a scripted world.
func asked(t *testing.T, s script, query, variables string) (planned, gqlgen *graphql.Response) {
	t.Helper()
	ctx := (&world{script: s, longest: 1}).in(t.Context())
	both := newPair(fakes{})
	planned, gqlgen = run(ctx, both.planned, query, variables), run(ctx, both.gqlgen, query, variables)
	if planned == nil || gqlgen == nil {
		t.Fatalf("%s is not valid", query)
	}
	return planned, gqlgen
}

// TestNullsAndErrors: a field that fails is null, or what it belongs to where it must not be.
func TestNullsAndErrors(t *testing.T) {
	t.Parallel()
	failed := always(kyro.Errorf(kyro.CodeForbidden, "Not for you."))
	page := &model.BotConnection{Nodes: []kyro.Bot{*bot(1), *bot(2)}, CursorAt: func(i int) string { return fmt.Sprint("at ", i) }}
	three := always([]kyro.Node{bot(1), bot(2), nil, (*kyro.Bot)(nil), &kyro.User{ID: kyro.UserID(4)}})
	shared := always(bot(9))
	messages := always(&model.MessageConnection{Nodes: []kyro.Message{{ID: kyro.MessageID(1)}, {ID: kyro.MessageID(2)}}})
	for name, c := range map[string]struct {
		script script
		query  string
		data   string
		errors []string // path and code of each
	}{
		"elements of a nullable list fail": {
			script{".nodes": three, "bot_1.viewerCanEdit": always(true), "bot_2.viewerCanEdit": failed},
			`{nodes(ids: ["bot_1"]) {id ... on Bot {viewerCanEdit}}}`,
			`{"nodes":[{"id":"bot_1","viewerCanEdit":true},null,null,null,{"id":"user_4"}]}`,
			[]string{"nodes[1].viewerCanEdit FORBIDDEN"},
		},
		"the list itself fails": {
			script{".nodes": failed, ".bot": always(bot(1))}, `{bot(id: "bot_1") {id} nodes(ids: []) {id}}`, `null`, []string{"nodes FORBIDDEN"},
		},
		"nil where null must not stand, at the root": {
			script{".serverInfo": always(nil)}, `{serverInfo {version}}`, `null`, []string{"serverInfo INTERNAL"},
		},
		"nil where null must not stand, in an element": {
			script{".conversation": always(&kyro.Conversation{ID: kyro.ConversationID(1)}), "conv_1.messages": messages, "msg_1.conversation": always(nil), "msg_2.conversation": failed},
			`{conversation(id: "conv_1") {id messages {nodes {id conversation {id}}}} __typename}`, `{"conversation":null,"__typename":"Query"}`,
			[]string{"conversation.messages.nodes[0].conversation INTERNAL"},
		},
		"nil where null may stand, in what must not be null": {
			script{".viewer": always(&kyro.User{ID: kyro.UserID(1)}), "user_1.bots": always(page), "bot_1.owner": always(nil), "bot_2.owner": always(nil)},
			`{viewer {bots {edges {cursor node {id owner {id}}} pageInfo {hasNextPage startCursor}}}}`,
			`{"viewer":{"bots":{"edges":[{"cursor":"at 0","node":{"id":"bot_1","owner":null}},{"cursor":"at 1","node":{"id":"bot_2","owner":null}}],` +
				`"pageInfo":{"hasNextPage":false,"startCursor":"at 0"}}}}`, nil,
		},
		"lists that are nil": {
			script{".bot": always(bot(1)), "bot_1.documents": always(&model.DocumentConnection{})},
			`{bot(id: "bot_1") {suggestedQuestions documents {nodes {id} pageInfo {endCursor} totalCount}}}`,
			`{"bot":{"suggestedQuestions":[],"documents":{"nodes":[],"pageInfo":{"endCursor":null},"totalCount":0}}}`, nil,
		},
		"a panic where null may stand": {
			script{".bot": always(bot(1)), "bot_1.owner": panics}, `{bot(id: "bot_1") {owner {id} name}}`, `{"bot":{"owner":null,"name":"Bot 1"}}`,
			[]string{"bot.owner INTERNAL"},
		},
		"a panic where it may not": {
			script{".bot": always(bot(1)), "bot_1.viewerCanChat": panics}, `{bot(id: "bot_1") {name viewerCanChat}}`, `{"bot":null}`,
			[]string{"bot.viewerCanChat INTERNAL"},
		},
		"an object that many lead to has an error for each": {
			script{
				".nodes":     always([]kyro.Node{&kyro.Conversation{ID: kyro.ConversationID(1)}, &kyro.Conversation{ID: kyro.ConversationID(2)}}),
				"conv_1.bot": shared, "conv_2.bot": shared, "bot_9.instructions": failed,
			},
			`{nodes(ids: []) {... on Conversation {bot {id instructions}}}}`,
			`{"nodes":[{"bot":{"id":"bot_9","instructions":null}},{"bot":{"id":"bot_9","instructions":null}}]}`,
			[]string{"nodes[0].bot.instructions FORBIDDEN", "nodes[1].bot.instructions FORBIDDEN"},
		},
		"several errors of one field": {
			script{".bot": always(errors.Join(kyro.Invalid("a", "A."), kyro.Invalid("b", "B.")))}, `{b: bot(id: "bot_1") {name}}`, `{"b":null}`,
			[]string{"b VALIDATION"},
		},
		"an argument cannot be read": {
			script{}, `query ($id: ID! = 42) {bot(id: $id) {id} nodes(ids: ["bot_1", 42]) {id}}`, `null`, []string{"bot BAD_USER_INPUT", "nodes BAD_USER_INPUT"},
		},
		"an argument cannot be read, of each element": {
			script{".nodes": always([]kyro.Node{&kyro.User{ID: kyro.UserID(1)}, &kyro.User{ID: kyro.UserID(2)}})},
			`{nodes(ids: []) {... on User {id conversations(filter: {botId: 42}) {totalCount}}}}`, `{"nodes":[null,null]}`,
			[]string{"nodes[0].conversations BAD_USER_INPUT", "nodes[1].conversations BAD_USER_INPUT"},
		},
		"a node of no type of the schema": {
			script{".nodes": always([]kyro.Node{stranger{}, bot(1)}), ".node": always(stranger{})}, `{node(id: "bot_1") {id} nodes(ids: []) {id}}`,
			`{"node":null,"nodes":[null,{"id":"bot_1"}]}`, []string{"node INTERNAL", "nodes[0] INTERNAL"},
		},
		"a float that JSON has no word for": {
			script{".bot": always(&kyro.Bot{Temperature: new(math.Inf(1)), MinScore: new(0.5)})}, `{bot(id: "bot_1") {temperature minScore}}`,
			`{"bot":{"temperature":null,"minScore":0.5}}`, []string{"bot.temperature INTERNAL"},
		},
		"nothing is selected": {
			script{".bot": always(bot(1))}, `{bot(id: "bot_1") {id @skip(if: true)} ... @include(if: false) {viewer {id}}}`, `{"bot":{}}`, nil,
		},
		"one key is selected twice": {
			script{".node": always(bot(1)), "bot_1.viewerCanEdit": always(true)},
			`{n: node(id: "bot_1") {id ...F} n: node(id: "bot_1") {... on Bot {name viewerCanEdit} ... on User {email}}} fragment F on Bot {name id topK}`,
			`{"n":{"id":"bot_1","name":"Bot 1","topK":0,"viewerCanEdit":true}}`, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			planned, gqlgen := asked(t, c.script, c.query, "")
			if different := differences(planned, gqlgen); different != "" {
				t.Error(different)
			}
			if string(planned.Data) != c.data {
				t.Errorf("got  %s\nwant %s", planned.Data, c.data)
			}
			var told []string
			for _, e := range planned.Errors {
				told = append(told, fmt.Sprint(e.Path, " ", e.Extensions["code"]))
			}
			if strings.Join(told, "; ") != strings.Join(c.errors, "; ") {
				t.Errorf("told %q, want %q", told, c.errors)
			}
		})
	}
}

// TestAFloatThatMustNotBeNull: gqlgen finds a float that JSON has no word for while it writes, and writes null where
// null must not stand. The specification wants null to go up to what may be null.
func TestAFloatThatMustNotBeNull(t *testing.T) {
	t.Parallel()
	message := &kyro.Message{Citations: []kyro.Citation{{Score: math.NaN()}}}
	planned, gqlgen := asked(t, script{".message": always(message)}, `{message(id: "msg_1") {citations {score}}}`, "")
	if string(planned.Data) != `{"message":null}` || len(planned.Errors) != 1 || planned.Errors[0].Path.String() != "message.citations[0].score" {
		t.Errorf("%s %v", planned.Data, planned.Errors)
	}
	if string(gqlgen.Data) != `{"message":{"citations":[{"score":null}]}}` {
		t.Errorf("gqlgen keeps to the specification now: %s", gqlgen.Data)
	}
}

// TestAPanicWithoutAResolver ends the whole response, not only what is around the field: such fields are written without
// a guard of their own, since they are most of a response and only a mistake in the code of a noun can make one panic.
func TestAPanicWithoutAResolver(t *testing.T) {
	t.Parallel()
	page := &model.BotConnection{Nodes: []kyro.Bot{*bot(1)}, CursorAt: func(int) string { panic("on purpose") }}
	s := script{".viewer": always(&kyro.User{ID: kyro.UserID(1)}), "user_1.bots": always(page)}
	planned, gqlgen := asked(t, s, `{__typename viewer {id bots {edges {cursor}}}}`, "")
	if string(gqlgen.Data) != `{"__typename":"Query","viewer":null}` || string(planned.Data) != "null" {
		t.Errorf("%s, and gqlgen %s", planned.Data, gqlgen.Data)
	}
	if len(planned.Errors) != 1 || planned.Errors[0].Path.String() != "viewer.bots.edges[0]" || planned.Errors[0].Extensions["code"] != "INTERNAL" {
		t.Errorf("%v", planned.Errors)
	}
}

// TestAConditionMustNotBeNull: a variable with a default may be null where a condition stands, at which gqlgen panics.
func TestAConditionMustNotBeNull(t *testing.T) {
	t.Parallel()
	both := newPair(fakes{})
	ctx := (&world{script: script{".viewer": always(nil)}}).in(t.Context())
	for _, query := range []string{
		`query ($on: Boolean = true) {viewer {id @skip(if: $on)}}`,
		`query ($on: Boolean = true) {viewer {...F}} fragment F on User {... @include(if: $on) {id}}`,
		`mutation ($on: Boolean = true) {logOut @skip(if: $on) {loggedOut}}`,
	} {
		got := run(ctx, both.planned, query, `{"on": null}`)
		if got == nil || got.Data != nil || len(got.Errors) != 1 || got.Errors[0].Extensions["code"] != "BAD_USER_INPUT" || len(got.Errors[0].Locations) != 1 {
			t.Errorf("%s: %+v", query, got)
		}
	}
	const two = `query A {viewer {id} user: viewer @include(if: true) {id}}
		query B($on: Boolean = true) {viewer {...F}} fragment F on User {id @skip(if: $on)}`
	if got := run(ctx, both.planned, two, `{"on": null}`, "A"); got == nil || string(got.Data) != `{"viewer":null,"user":null}` {
		t.Errorf("the conditions of B count for A: %+v", got)
	}
}

// TestIntrospectionBesideOtherFields: gqlgen answers what asks for the schema, and all that is asked with it.
func TestIntrospectionBesideOtherFields(t *testing.T) {
	t.Parallel()
	s := script{".bot": always(bot(1)), "bot_1.owner": always(kyro.NotFound(kyro.KindUser))}
	for _, query := range []string{
		`{__schema {queryType {name}} bot(id: "bot_1") {name owner {id}} __typename}`,
		`{bot(id: "bot_1") {name} ...F} fragment F on Query {__type(name: "Bot") {kind fields {name type {name}}} none: __type(name: "X") {name}}`,
		`query ($with: Boolean = true) {bot(id: "bot_1") {name} __schema @include(if: $with) {description types {name}}}`,
	} {
		planned, gqlgen := asked(t, s, query, "")
		if different := differences(planned, gqlgen); different != "" {
			t.Error(different)
		}
		if !strings.Contains(string(planned.Data), `"bot":{"name":"Bot 1"`) {
			t.Errorf("%s", planned.Data)
		}
	}
}

// TestAResolverSeesWhatIsSelected, through fragments and aliases.
func TestAResolverSeesWhatIsSelected(t *testing.T) {
	t.Parallel()
	var total, nodes, edges bool
	s := script{".viewer": always(&kyro.User{ID: kyro.UserID(1)}), "user_1.bots": func(ctx context.Context) any {
		if f := plan.FieldFrom(ctx); f != nil { // nil where gqlgen asks
			total, nodes, edges = f.Selects("totalCount"), f.Selects("nodes", "id") && !f.Selects("nodes", "name"), f.Selects("edges")
		}
		return nil
	}}
	asked(t, s, `{viewer {bots {...F edges @skip(if: true) {cursor}}}} fragment F on BotConnection {nodes {id} n: totalCount}`, "")
	if !total || !nodes || edges {
		t.Error(total, nodes, edges)
	}
}

// variablesOf are requests for one document, whose answers differ.
var variablesOf = map[string][]string{
	// Its plan is kept, since no selection depends on a variable.
	`query ($id: ID!, $first: Int = 2) {bot(id: $id) {id name documents(first: $first) {nodes {id title chunks {nodes {text}}}}}}`: {
		`{"id": "bot_1"}`, `{"id": "bot_2", "first": 1}`, `{"id": "bot_3", "first": null}`, `{"id": ""}`, `{"id": "bot_1", "first": 7}`,
	},
	// Its plan is made anew.
	`query ($id: ID!, $with: Boolean = false) {bot(id: $id) {id ...F @include(if: $with) owner @skip(if: $with) {email}}} fragment F on Bot {name documents {nodes {title}}}`: {
		`{"id": "bot_1"}`, `{"id": "bot_1", "with": true}`, `{"id": "bot_2", "with": false}`, `{"id": "", "with": true}`,
	},
}

// TestAPlanServesOtherVariables, one after another and at once, and no response is touched by another.
func TestAPlanServesOtherVariables(t *testing.T) {
	t.Parallel()
	ctx := (&world{seed: 5, longest: 4}).in(t.Context())
	both := newPair(fakes{})
	var want []*graphql.Response
	var queries, variables []string
	for query, requests := range variablesOf {
		for _, values := range requests {
			queries, variables = append(queries, query), append(variables, values)
			want = append(want, run(ctx, both.gqlgen, query, values))
			if want[len(want)-1] == nil {
				t.Fatalf("%s is not valid", query)
			}
		}
	}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			var last *graphql.Response
			for i := range 10 * len(want) {
				i %= len(want)
				got := run(ctx, both.planned, queries[i], variables[i])
				if last != nil { // whoever writes all over one response, and its spare room, leaves the others alone
					clear(last.Data[:cap(last.Data)])
				}
				if different := differences(got, want[i]); different != "" {
					t.Errorf("%s\n%s\n%s", queries[i], variables[i], different)
					return
				}
				last = got
			}
		})
	}
	wait.Wait()
}

// TestTheMemoryOfASentResponseIsUsedAgain, and not before it was sent.
func TestTheMemoryOfASentResponseIsUsedAgain(t *testing.T) {
	t.Parallel()
	type sentKey struct{}
	ctx := (&world{seed: 5, longest: 4}).in(t.Context())
	documents := lru.New[*ast.QueryDocument](100)
	schema := graph.NewExecutable(graph.Config{Resolvers: fakes{}}, graph.Options{Sent: func(ctx context.Context, done func()) {
		*ctx.Value(sentKey{}).(*func()) = done
	}})
	planned := newExecutor(schema, documents)
	const query = `query ($id: ID!) {bot(id: $id) {id name documents {nodes {id title}}}}`
	want := map[string]string{}
	for i := range 9 {
		id := fmt.Sprintf(`{"id": "bot_%d"}`, i+1)
		want[id] = string(run(ctx, newPair(fakes{}).gqlgen, query, id).Data)
	}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 20 {
				for id, data := range want {
					var done func()
					got := run(context.WithValue(ctx, sentKey{}, &done), planned, query, id)
					if string(got.Data) != data {
						t.Errorf("%s: got %s, want %s", id, got.Data, data)
					}
					if done != nil { // nothing was written where the root is null
						clear(got.Data)
						done()
					}
				}
			}
		})
	}
	wait.Wait()
}
