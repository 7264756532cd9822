package transport_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"kyrochat/kyro"
	"kyrochat/transport"
)

// schema is executed by field, below: enough of a server to see every way a transport can be used.
const schema = `
	scalar Upload
	input FileInput { file: Upload! note: String }
	type Query {
		hello(name: String): String!
		viewer: String
		requestId: String!
		fail(how: String!): String
		many: [String]
		limit(n: Int!): Int
		tree: Tree
		trees: [Tree!]
		bot: Bot
		those(ids: [ID!]!): [Tree]
		page(first: Int, last: Int): TreePage
		search(filter: Filter, tags: [String!], mood: Mood = GOOD, share: Float, deep: Boolean, ids: [ID!]!): Int
	}
	type Tree { tree: Tree leaf: Int text(start: Int = 0, length: Int = 10000): String siblings: [Tree!] page(first: Int, last: Int): TreePage }
	type Bot { search(query: String!, first: Int): [Tree!] leaf: Int analytics: BotAnalytics }
	type BotAnalytics { topDocuments(first: Int = 10): [Tree!] series: Int }
	type TreePage { nodes: [Tree] }
	enum Mood { GOOD BAD }
	input Filter { text: String! limit: Int! = 5 moods: [Mood!] below: Filter }
	type Mutation {
		touch: String!
		logIn: String
		upload(file: Upload!): String
		uploadIn(input: FileInput!): String
		uploadAll(files: [Upload!]!): String
		skip(file: Upload!): String
	}
	type Subscription {
		count(to: Int!): Int!
		forever: Int!
		failing: Int!
		breaking: Int!
		panicking: Int!
		big: String!
		pages(to: Int!): String!
	}
`

// fields are what a test server does; running counts subscriptions that have not ended, begun all of them.
type fields struct {
	mu      sync.Mutex
	running int
	begun   int
	schema  *ast.Schema
}

func (f *fields) change(by int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running += by
	f.begun += max(by, 0)
}

func (f *fields) active() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.running
}

// ended reports whether so many subscriptions have begun, and all of them are over.
func (f *fields) ended(begun int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.begun == begun && f.running == 0
}

func (f *fields) exec(ctx context.Context) graphql.ResponseHandler {
	op := graphql.GetOperationContext(ctx)
	if op.Operation.Operation == ast.Subscription {
		return f.subscribe(ctx, op)
	}
	done := false
	return func(ctx context.Context) *graphql.Response {
		if done {
			return nil
		}
		done = true
		data := []byte{'{'}
		for i, field := range graphql.CollectFields(op, op.Operation.SelectionSet, nil) {
			if i > 0 {
				data = append(data, ',')
			}
			text, _ := json.Marshal(f.resolve(ctx, op, field))
			data = append(strconv.AppendQuote(data, field.Alias), ':')
			data = append(data, text...)
		}
		return &graphql.Response{Data: append(data, '}')}
	}
}

// resolve runs one field as generated code does: arguments first, errors and panics into the response.
func (f *fields) resolve(ctx context.Context, op *graphql.OperationContext, field graphql.CollectedField) (value any) {
	fc := &graphql.FieldContext{Object: string(op.Operation.Operation), Field: field, IsResolver: true}
	ctx = graphql.WithFieldContext(ctx, fc)
	defer func() {
		if p := recover(); p != nil {
			graphql.AddError(ctx, graphql.Recover(ctx, p))
			value = nil
		}
	}()
	args := field.ArgumentMap(op.Variables)
	if n, found := args["n"]; found {
		if _, err := graphql.UnmarshalInt32(n); err != nil {
			graphql.AddError(ctx, graphql.ErrorOnPath(graphql.WithPathContext(ctx, graphql.NewPathWithField("n")), err))
			return nil
		}
	}
	fc.Args = args
	value, err := f.run(ctx, field.Name, args)
	if err != nil {
		graphql.AddError(ctx, graphql.AddFieldLocationToError(ctx, err))
		return nil
	}
	return value
}

func (f *fields) run(ctx context.Context, name string, args map[string]any) (any, error) {
	switch name {
	case "hello":
		return fmt.Sprint("hello ", args["name"]), nil
	case "viewer":
		return kyro.ViewerFrom(ctx).UserID.String(), kyro.ViewerFrom(ctx).MustSignIn()
	case "requestId":
		if id := kyro.ViewerFrom(ctx).RequestID; id != "" && id != transport.RequestIDFrom(ctx) { // as the audit log would have it
			return nil, fmt.Errorf("the viewer's request is %q", id)
		}
		return transport.RequestIDFrom(ctx), nil
	case "many":
		for i := range 30 {
			graphql.AddError(ctx, kyro.Errorf(kyro.CodeNotFound, "Number %d not found.", i))
		}
		return nil, nil
	case "touch":
		return "touched", nil
	case "fail":
		return nil, failure(ctx, args["how"].(string))
	case "upload":
		text, err := describe(args["file"])
		if ctx.Err() != nil { // as whoever stores the file would find
			err = ctx.Err()
		}
		return text, err
	case "uploadIn":
		return describe(args["input"].(map[string]any)["file"])
	case "uploadAll":
		var all []string
		for _, file := range args["files"].([]any) {
			text, err := describe(file)
			if err != nil {
				return nil, err
			}
			all = append(all, text)
		}
		return fmt.Sprint(all), nil
	case "skip":
		return args["file"].(*kyro.Upload).FileName, nil
	default:
		return 1, nil
	}
}

func failure(ctx context.Context, how string) error {
	switch how {
	case "panic":
		panic("secret of the panic")
	case "internal":
		return errors.New("pq: connection refused 10.0.0.5:5432")
	case "not found":
		return kyro.NotFound(kyro.KindBot)
	case "busy":
		e := kyro.Errorf(kyro.CodeUnavailable, "Busy.").Because(errors.New("pool is empty"))
		e.RetryAfter = 1500000000
		return fmt.Errorf("read a bot: %w", e)
	case "deadline":
		return fmt.Errorf("read a bot: %w", context.DeadlineExceeded)
	default:
		<-ctx.Done()
		return ctx.Err()
	}
}

// describe reads a file and says what came.
func describe(file any) (string, error) {
	upload := file.(*kyro.Upload)
	hash, size := 0, 0
	buffer := make([]byte, 1000)
	for {
		n, err := upload.Reader.Read(buffer)
		for _, b := range buffer[:n] {
			hash = (hash*31 + int(b)) % 1_000_003
		}
		size += n
		if err == io.EOF {
			return fmt.Sprintf("%s %s %d %d", upload.FileName, upload.ContentType, size, hash), nil
		}
		if err != nil {
			return "", fmt.Errorf("read the file: %w", err)
		}
	}
}

func (f *fields) subscribe(ctx context.Context, op *graphql.OperationContext) graphql.ResponseHandler {
	field := graphql.CollectFields(op, op.Operation.SelectionSet, nil)[0]
	to := int64(1 << 40)
	switch field.Name {
	case "count", "pages":
		to, _ = field.ArgumentMap(op.Variables)["to"].(int64)
	case "failing":
		graphql.AddError(ctx, kyro.NotFound(kyro.KindMessage))
		return nil
	case "breaking":
		sent := 0
		return func(ctx context.Context) *graphql.Response {
			if sent++; sent == 1 {
				return &graphql.Response{Data: []byte(`{"breaking":1}`)}
			}
			graphql.AddError(ctx, kyro.NotFound(kyro.KindMessage))
			return &graphql.Response{}
		}
	case "panicking":
		return func(context.Context) *graphql.Response { panic("secret of the panic") }
	}
	f.change(1)
	context.AfterFunc(ctx, func() { f.change(-1) }) // every operation has a context of its own, which ends with it
	events, sent := make(chan int64), int64(0)
	if field.Name != "forever" {
		close(events)
	}
	return func(ctx context.Context) *graphql.Response {
		select {
		case <-ctx.Done():
		case <-events:
			if sent++; sent <= to {
				switch field.Name {
				case "big":
					return &graphql.Response{Data: []byte(`{"big":"` + string(bytes.Repeat([]byte("x"), 1<<20)) + `"}`)}
				case "pages":
					return &graphql.Response{Data: fmt.Appendf(nil, `{"pages":"%d %s"}`, sent, bytes.Repeat([]byte("x"), 1<<20))}
				}
				return &graphql.Response{Data: fmt.Appendf(nil, `{%q:%d}`, field.Alias, sent)}
			}
		}
		return nil
	}
}

// server is a whole GraphQL server with its log.
type server struct {
	*httptest.Server
	fields      *fields
	connections *transport.Connections
	log         *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newServer(t testing.TB, plain transport.HTTP, forms transport.Multipart, socket *transport.Websocket) *server {
	t.Helper()
	return startServer(t, transport.DocumentOptions{Open: true}, plain, forms, socket)
}

// newClosedServer is a server as in production.
func newClosedServer(t *testing.T) *server {
	t.Helper()
	return startServer(t, transport.DocumentOptions{}, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
}

// startTrusting is a server that takes the documents of the manifest only.
func startTrusting(t *testing.T, manifest transport.Manifest) *server {
	t.Helper()
	o := transport.DocumentOptions{Open: true, Trusted: manifest, TrustedOnly: true}
	return startServer(t, o, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
}

func startServer(t testing.TB, documents transport.DocumentOptions, plain transport.HTTP, forms transport.Multipart, socket *transport.Websocket) *server {
	t.Helper()
	s := &server{fields: &fields{schema: gqlparser.MustLoadSchema(&ast.Source{Input: schema})}, connections: &transport.Connections{}, log: &lockedBuffer{}}
	socket.Connections = s.connections
	es := &graphql.ExecutableSchemaMock{
		ExecFunc: s.fields.exec, SchemaFunc: func() *ast.Schema { return s.fields.schema },
		ComplexityFunc: func(context.Context, string, string, int, map[string]any) (int, bool) { return 0, false },
	}
	graph := handler.New(es)
	log := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	socket.Log = log
	events := transport.SSE{HTTP: plain, KeepAlive: 50 * time.Millisecond, WriteTime: cmp.Or(socket.WriteTimeout, 200*time.Millisecond),
		Farewell: socket.Farewell, Log: log, Connections: s.connections, Measure: socket.Measure}
	for _, each := range []graphql.Transport{socket, events, forms, plain} {
		graph.AddTransport(each)
	}
	presenter := transport.NewPresenter(log)
	graph.SetErrorPresenter(presenter.Present)
	graph.SetRecoverFunc(presenter.Recover)
	graph.Use(transport.Envelope{NewID: func() string { return "op-id" }})
	graph.Use(extension.Introspection{})
	if socket.Rates.Limiter != nil {
		graph.Use(socket.Rates)
	}
	transport.NewDocuments(s.fields.schema, documents).Install(graph)
	wrap := func(h http.Handler) http.Handler {
		return transport.RequestID(func() string { return "req-id" })(transport.Timeouts(0, 0)(transport.SecurityHeaders(true)(h)))
	}
	s.Server = httptest.NewServer(wrap(graph))
	t.Cleanup(s.Close)
	return s
}
