package graph_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"

	"kyrochat/graph"
	"kyrochat/graph/plan"
	"kyrochat/internal/racetest"
	"kyrochat/kyro"
)

type fakeSubscription struct{}

func (fakeSubscription) MessageStream(ctx context.Context, id kyro.ID, after *kyro.StreamCursor) (<-chan kyro.MessageStreamEvent, error) {
	return happening(ctx, "messageStream", func(f *filler) kyro.MessageStreamEvent {
		switch f.dice.IntN(5) {
		case 0:
			return filled(f, new(kyro.MessageSnapshot))
		case 1:
			return filled(f, new(kyro.MessageStage))
		case 2:
			return filled(f, new(kyro.MessageFinished))
		default:
			return filled(f, new(kyro.MessageDelta))
		}
	}, id, after)
}

func (fakeSubscription) DocumentProgress(ctx context.Context, bot, document *kyro.ID) (<-chan *kyro.DocumentProgress, error) {
	return happening(ctx, "documentProgress", func(f *filler) *kyro.DocumentProgress {
		return filled(f, new(kyro.DocumentProgress))
	}, bot, document)
}

func (fakeSubscription) ExportProgress(ctx context.Context, id kyro.ID) (<-chan *kyro.Export, error) {
	return happening(ctx, "exportProgress", func(f *filler) *kyro.Export { return filled(f, new(kyro.Export)) }, id)
}

func (fakeSubscription) CrawlProgress(ctx context.Context, id kyro.ID) (<-chan *kyro.Crawl, error) {
	return happening(ctx, "crawlProgress", func(f *filler) *kyro.Crawl { return filled(f, new(kyro.Crawl)) }, id)
}

func (fakeSubscription) ConversationEvents(ctx context.Context, id kyro.ID, after *kyro.StreamCursor) (<-chan kyro.ConversationEvent, error) {
	return happening(ctx, "conversationEvents", func(f *filler) kyro.ConversationEvent {
		switch f.dice.IntN(4) {
		case 0:
			return filled(f, new(kyro.ConversationResync))
		case 1:
			return filled(f, new(kyro.ConversationChanged))
		case 2:
			return filled(f, new(kyro.MessageChanged))
		default:
			return filled(f, new(kyro.MessageAdded))
		}
	}, id, after)
}

func filled[T any](f *filler, event *T) *T {
	f.fill(event)
	return event
}

// happening gives some events by a sequence where the run takes one, every other time, and else by a channel.
func happening[T any](ctx context.Context, field string, event func(*filler) T, args ...any) (<-chan T, error) {
	if _, err := told[struct{}](ctx, "", field, args...); err != nil {
		return nil, err
	}
	w := ctx.Value(worldKey{}).(*world)
	f := &filler{world: w, dice: w.dice("events of "+field, args)}
	var events []T
	for range f.dice.IntN(4) {
		events = append(events, event(f))
	}
	if w.seed%2 == 0 && plan.Give(ctx, func(yield func(T, error) bool) {
		for _, e := range events {
			if !yield(e, nil) {
				return
			}
		}
	}) {
		return nil, nil
	}
	channel := make(chan T, len(events))
	for _, e := range events {
		channel <- e
	}
	close(channel)
	return channel, nil
}

// shortWay is where an executor leaves its way to have words, and how often it was taken.
type shortWay struct {
	next  func(context.Context) []byte
	taken int
}

func (s *shortWay) Words(_ context.Context, next func(context.Context) []byte) { s.next = next }

// runAll runs an operation to its end, and copies its responses. It gives nil where the executor refuses it.
func runAll(ctx context.Context, e *executor.Executor, query, variables string) []*graphql.Response {
	return runBy(ctx, e, new(shortWay), query, variables)
}

// runBy is runAll by the short way, as far as it goes.
func runBy(ctx context.Context, e *executor.Executor, short *shortWay, query, variables string) []*graphql.Response {
	ctx, cancel := context.WithCancel(graphql.StartOperationTrace(ctx))
	defer cancel()
	params := &graphql.RawParams{Query: query}
	decoder := json.NewDecoder(strings.NewReader(variables))
	decoder.UseNumber()
	if variables != "" && decoder.Decode(&params.Variables) != nil {
		return nil
	}
	op, refused := e.CreateOperationContext(ctx, params)
	if refused != nil {
		return nil
	}
	responses := []*graphql.Response{}
	next, ctx := e.DispatchOperation(ctx, op)
	for r := next(ctx); r != nil; r = next(ctx) {
		r := *r
		r.Data = append(json.RawMessage(nil), r.Data...)
		responses = append(responses, &r)
		for short.next != nil {
			words := short.next(ctx)
			if words == nil {
				break
			}
			short.taken++
			responses = append(responses, &graphql.Response{Data: append(json.RawMessage(nil), words...)})
		}
	}
	return responses
}

// withoutRoot takes the subscription's field from the paths of an event's errors.
func withoutRoot(r *graphql.Response) {
	if r.Data == nil {
		return
	}
	for _, e := range r.Errors {
		whole := e.Path.String()
		e.Path = e.Path[1:]
		cause, _ := e.Extensions["cause"].(string)
		e.Extensions["cause"] = strings.Replace(cause, whole, e.Path.String(), 1)
	}
}

// TestStreamsAreLikeGqlgens subscribes on both executors, to random fields in random worlds. They differ where gqlgen does
// not keep to the specification: in what must not be null and is, where it writes null for the field and not in place of
// all data, and in the paths of an event's errors, which have to begin with the subscription's field.
func TestStreamsAreLikeGqlgens(t *testing.T) {
	t.Parallel()
	both := newPair(fakes{})
	rounds := racetest.Times(3000, 1000)
	events, failed, none := 0, 0, 0
	for seed := range uint64(rounds) {
		query, variables := randomSubscription(theSchema, &choices{left: randomChoices(seed)}, 1+int(seed%5))
		w := newWorld(seed)
		ctx := w.in(t.Context())
		planned := runAll(ctx, both.planned, query, variables[0])
		if len(planned) == 1 && len(planned[0].Errors) == 1 && strings.Contains(planned[0].Errors[0].Message, "must not be null: give") {
			continue // a condition, at which gqlgen panics
		}
		gqlgen := runAll(ctx, both.gqlgen, query, variables[0])
		if len(planned) != len(gqlgen) {
			t.Fatalf("seed %d\n%s\n%s\n%d responses, gqlgen gives %d", seed, query, variables[0], len(planned), len(gqlgen))
		}
		for i, r := range planned {
			withoutRoot(r)
			if string(r.Data) == "null" && strings.HasSuffix(string(gqlgen[i].Data), `":null}`) {
				gqlgen[i].Data = r.Data
				none++
			}
			if different := differences(r, gqlgen[i]); different != "" {
				t.Fatalf("seed %d\n%s\nvariables %s\nevent %d: %s", seed, query, variables[0], i, different)
			}
			if len(r.Errors) > 0 {
				failed++
			}
			events++
		}
	}
	t.Logf("%d events, %d with errors, %d null", events, failed, none)
	if events < rounds/2 || failed < rounds/10 || none == 0 {
		t.Error("the subscriptions ask for too little to find anything")
	}
}

// streaming is the schema of resolvers that give one sequence.
type streaming struct {
	fakes
	events iter.Seq2[kyro.MessageStreamEvent, error]
}

func (s streaming) Subscription() graph.SubscriptionResolver { return given{events: s.events} }

type given struct {
	fakeSubscription
	events iter.Seq2[kyro.MessageStreamEvent, error]
}

func (g given) MessageStream(ctx context.Context, _ kyro.ID, _ *kyro.StreamCursor) (<-chan kyro.MessageStreamEvent, error) {
	if !plan.Give(ctx, g.events) {
		return nil, errors.New("no sequence is taken")
	}
	return nil, nil
}

const follow = `subscription ($id: ID!) { messageStream(messageId: $id) { __typename ... on MessageDelta { seq cursor text } } }`

func delta(seq int64, text string) *kyro.MessageDelta {
	return &kyro.MessageDelta{Seq: seq, Text: text, Cursor: kyro.StreamCursor{Stream: kyro.MessageID(7), Attempt: 1, Seq: seq}}
}

// TestHowAStreamEnds: a failure in place of the first event is the answer to the subscription, and one after it a response
// without data, which is the last. The sequence is left in any case.
func TestHowAStreamEnds(t *testing.T) {
	t.Parallel()
	gone := kyro.NotFound(kyro.KindMessage)
	for name, c := range map[string]struct {
		events iter.Seq2[kyro.MessageStreamEvent, error]
		want   string
	}{
		"by itself": {func(yield func(kyro.MessageStreamEvent, error) bool) {
			_ = yield(delta(1, "a"), nil) && yield(delta(2, "b"), nil)
		},
			`{"messageStream":{"__typename":"MessageDelta","seq":1,"cursor":"czF8bXNnXzd8MXwx","text":"a"}} {"messageStream":{"__typename":"MessageDelta","seq":2,"cursor":"czF8bXNnXzd8MXwy","text":"b"}}`},
		"before it begins": {func(func(kyro.MessageStreamEvent, error) bool) {}, ``},
		"at once":          {func(yield func(kyro.MessageStreamEvent, error) bool) { yield(nil, gone) }, `NOT_FOUND messageStream`},
		"in the middle": {func(yield func(kyro.MessageStreamEvent, error) bool) {
			_ = yield(&kyro.MessageStage{}, nil) && yield(nil, gone)
		},
			`{"messageStream":{"__typename":"MessageStage"}} NOT_FOUND`},
		"not by an event that is missing": {func(yield func(kyro.MessageStreamEvent, error) bool) {
			_ = yield(nil, nil) && yield(&kyro.MessageStage{}, nil)
		},
			`null INTERNAL messageStream {"messageStream":{"__typename":"MessageStage"}}`},
		"by a panic at once": {func(func(kyro.MessageStreamEvent, error) bool) { panic("on purpose") }, `INTERNAL messageStream`},
		"by a panic": {func(yield func(kyro.MessageStreamEvent, error) bool) {
			yield(&kyro.MessageStage{}, nil)
			panic("on purpose")
		},
			`{"messageStream":{"__typename":"MessageStage"}} INTERNAL`},
	} {
		for _, short := range []*shortWay{nil, {}} {
			left := false
			resolvers := streaming{events: func(yield func(kyro.MessageStreamEvent, error) bool) {
				defer func() { left = true }()
				c.events(yield)
			}}
			var told []string
			options := graph.Options{}
			if short != nil {
				options.Words = short.Words
			} else {
				short = new(shortWay)
			}
			e := newExecutor(graph.NewExecutable(graph.Config{Resolvers: resolvers}, options), lru.New[*ast.QueryDocument](10))
			for _, r := range runBy(t.Context(), e, short, follow, `{"id": "msg_7"}`) {
				if len(r.Errors) == 0 {
					told = append(told, string(r.Data))
					continue
				}
				told = append(told, strings.TrimSpace(string(r.Data)+" "+r.Errors[0].Extensions["code"].(string)+" "+r.Errors[0].Path.String()))
			}
			if got := strings.Join(told, " "); got != c.want || !left {
				t.Errorf("%s, by the short way %v:\ngot  %s\nwant %s\nleft %v", name, options.Words != nil, got, c.want, left)
			}
		}
	}
}

// TestWordsTakeTheShortWay, but not those that are longer than a response may be: what is too long is told the long way.
func TestWordsTakeTheShortWay(t *testing.T) {
	t.Parallel()
	short := new(shortWay)
	resolvers := streaming{events: func(yield func(kyro.MessageStreamEvent, error) bool) {
		_ = yield(&kyro.MessageStage{}, nil) && yield(delta(2, "a"), nil) && yield(delta(3, strings.Repeat("b", 300)), nil) &&
			yield(&kyro.MessageStage{}, nil) && yield(delta(5, "c"), nil)
	}}
	schema := graph.NewExecutable(graph.Config{Resolvers: resolvers}, graph.Options{MaxResponse: 200, Words: short.Words})
	responses := runBy(t.Context(), newExecutor(schema, lru.New[*ast.QueryDocument](10)), short, follow, `{"id": "msg_7"}`)
	if len(responses) != 5 || short.taken != 2 {
		t.Fatalf("%d responses, %d by the short way", len(responses), short.taken)
	}
	for i, part := range []string{"MessageStage", `"text":"a"`, "bbb", "MessageStage", `"text":"c"`} {
		if data := string(responses[i].Data); !strings.Contains(data, part) || (len(data) > 200) != (i == 2) {
			t.Errorf("event %d: %s", i, data)
		}
	}
}

// TestAStreamIsLeft when whoever asked for it has gone without a word.
func TestAStreamIsLeft(t *testing.T) {
	t.Parallel()
	left := make(chan struct{})
	resolvers := streaming{events: func(yield func(kyro.MessageStreamEvent, error) bool) {
		defer close(left)
		for seq := int64(1); yield(delta(seq, "a"), nil); seq++ {
		}
	}}
	ctx, cancel := context.WithCancel(graphql.StartOperationTrace(t.Context()))
	e := newPair(resolvers).planned
	op, refused := e.CreateOperationContext(ctx, &graphql.RawParams{Query: follow, Variables: map[string]any{"id": "msg_7"}})
	if refused != nil {
		t.Fatal(refused)
	}
	next, ctx := e.DispatchOperation(ctx, op)
	if r := next(ctx); r == nil || len(r.Errors) > 0 {
		t.Fatalf("%+v", r)
	}
	cancel()
	select {
	case <-left:
	case <-time.After(time.Minute):
		t.Error("the sequence goes on")
	}
	if r := next(ctx); r != nil {
		t.Errorf("after the end: %s", r.Data)
	}
}

// endless gives the same event again and again: by a sequence where one is taken, and else by a channel.
type endless struct{ fakes }

func (endless) Subscription() graph.SubscriptionResolver { return endlessly{} }

type endlessly struct{ fakeSubscription }

func (endlessly) MessageStream(ctx context.Context, _ kyro.ID, _ *kyro.StreamCursor) (<-chan kyro.MessageStreamEvent, error) {
	event := delta(12, "word ")
	if plan.Give(ctx, func(yield func(kyro.MessageStreamEvent, error) bool) {
		for yield(event, nil) {
		}
	}) {
		return nil, nil
	}
	channel := make(chan kyro.MessageStreamEvent)
	go func() {
		for {
			select {
			case channel <- event:
			case <-ctx.Done():
				return
			}
		}
	}()
	return channel, nil
}

// BenchmarkEvents measures what an event of a stream costs in both executors, from the resolver to the response.
func BenchmarkEvents(b *testing.B) {
	both := newPair(endless{})
	for _, c := range []struct {
		name     string
		executor *executor.Executor
	}{{"plan", both.planned}, {"gqlgen", both.gqlgen}} {
		b.Run(c.name, func(b *testing.B) {
			ctx, cancel := context.WithCancel(graphql.StartOperationTrace(b.Context()))
			defer cancel()
			op, refused := c.executor.CreateOperationContext(ctx, &graphql.RawParams{Query: follow, Variables: map[string]any{"id": "msg_7"}})
			if refused != nil {
				b.Fatal(refused)
			}
			next, ctx := c.executor.DispatchOperation(ctx, op)
			b.ReportAllocs()
			for b.Loop() {
				if r := next(ctx); len(r.Errors) > 0 {
					b.Fatal(r.Errors)
				}
			}
		})
	}
}
