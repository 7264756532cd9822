package program

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	otel "go.opentelemetry.io/otel/trace"

	"kyrochat/export"
	"kyrochat/ingest"
	"kyrochat/internal/gemini"
	"kyrochat/internal/testdb"
)

// traced is a server whose spans stay here.
type traced struct {
	*testServer
	spans *tracetest.InMemoryExporter
}

func startTraced(t *testing.T, env map[string]string, log io.Writer) *traced {
	t.Helper()
	s := &traced{spans: tracetest.NewInMemoryExporter()}
	s.testServer = startServerWith(t, env, log, hooks{spans: lasting{s.spans}})
	return s
}

// lasting keeps spans when its server ends.
type lasting struct{ *tracetest.InMemoryExporter }

func (lasting) Shutdown(context.Context) error { return nil }

// recording is what was recorded so far.
type recording []tracetest.SpanStub

// recorded waits until the spans are there that done looks for.
func (s *traced) recorded(t *testing.T, done func(r recording) bool) (r recording) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err := s.app.tracer.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r = recording(s.spans.GetSpans()); done(r) {
			return r
		}
	}
	t.Fatalf("what is waited for is not among\n%s", strings.Join(r.paths(), "\n"))
	return nil
}

// called gives the spans with a name, oldest first.
func (r recording) called(name string) (list recording) {
	for _, s := range r {
		if s.Name == name {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
	return list
}

// of gives the spans of a trace.
func (r recording) of(trace otel.TraceID) (list recording) {
	for _, s := range r {
		if s.SpanContext.TraceID() == trace {
			list = append(list, s)
		}
	}
	return list
}

// path names a span and all that it is a part of; what begins nowhere is told as lost.
func (r recording) path(s tracetest.SpanStub) string {
	names := []string{s.Name}
	for s.Parent.IsValid() {
		i := slices.IndexFunc(r, func(o tracetest.SpanStub) bool {
			return o.SpanContext.SpanID() == s.Parent.SpanID() && o.SpanContext.TraceID() == s.Parent.TraceID()
		})
		if i < 0 {
			names = append(names, "LOST")
			break
		}
		s = r[i]
		names = append(names, s.Name)
	}
	slices.Reverse(names)
	return strings.Join(names, " > ")
}

func (r recording) paths() (list []string) {
	for _, s := range r {
		list = append(list, r.path(s))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// has says that a path is there, with all that it is a part of: what holds others is told after them.
func (r recording) has(path string) bool { return slices.Contains(r.paths(), path) }

// want says which paths there must be, and which of all are not told.
func (r recording) want(t *testing.T, paths ...string) {
	t.Helper()
	all := r.paths()
	for _, path := range paths {
		if !slices.ContainsFunc(all, func(has string) bool {
			return has == path || strings.HasSuffix(path, "*") && strings.HasPrefix(has, path[:len(path)-1])
		}) {
			t.Errorf("there is no %s", path)
		}
	}
	for _, path := range all {
		if strings.Contains(path, "LOST") {
			t.Errorf("nothing is known of what it is a part of: %s", path)
		}
	}
	if t.Failed() {
		t.Logf("there are\n%s", strings.Join(all, "\n"))
	}
}

func attributeOf(s tracetest.SpanStub, key string) string {
	for _, a := range s.Attributes {
		if a.Key == attribute.Key(key) {
			return a.Value.String()
		}
	}
	return ""
}

// everything is all that is said in the spans.
func (r recording) everything() string {
	var all strings.Builder
	for _, s := range r {
		fmt.Fprintln(&all, s.Name, s.Status.Description, s.SpanContext.TraceState())
		for _, a := range s.Attributes {
			fmt.Fprintln(&all, a.Key, a.Value.String())
		}
		for _, e := range s.Events {
			fmt.Fprintln(&all, e.Name, e.Attributes)
		}
		for _, l := range s.Links {
			fmt.Fprintln(&all, l.Attributes, l.SpanContext.TraceState())
		}
	}
	return all.String()
}

// eachTraced runs a test with all there is to be called, on both databases.
func eachTraced(t *testing.T, test func(t *testing.T, o *outside, s *traced)) {
	t.Helper()
	eachOutside(t, func(t *testing.T, o *outside, env map[string]string) {
		test(t, o, startTraced(t, withRedis(t, env), testLog{t}))
	})
}

func withRedis(t *testing.T, env map[string]string) map[string]string {
	env = maps.Clone(env)
	env["REDIS_URL"], env["KYRO_RATE_SCALE"] = testdb.Redis(t).URL, "1" // rates are counted in Redis
	return env
}

// TestOneTraceOfAnAnswer: from the message that is sent by HTTP to the end of its answer, and a link from whoever follows it
// on a websocket.
func TestOneTraceOfAnAnswer(t *testing.T) {
	eachTraced(t, func(t *testing.T, o *outside, s *traced) {
		const question, said = "How long does the canaryquestion9Vw8 green tea steep?", "canarydocument7Zr1 Green tea steeps for three minutes."
		p := s.signUp(t)
		bot := p.newBot()
		p.know(bot, "canarytitle5Tb2", strings.Repeat(teaText+"\n"+said+"\n", 1))
		message := p.must(`mutation secretNameOfTheClient($b: ID!, $t: String!) { secretAlias: sendMessage(input: {botId: $b, text: $t, clientMessageId: "canarykey3Kd8"}) {
			botMessage { id } errors { code } } }`, vars{"b": bot, "t": question}).text("secretAlias.botMessage.id")
		p.finish(message)
		p.must(`{ viewer { bots { nodes { id name conversations { nodes { id title } } } } } }`, nil)

		all := s.recorded(t, func(r recording) bool {
			return len(r.called("answer")) == 1 && len(r.called("messageStream")) == 1 && len(r.called("title")) == 1 && len(r.called("viewer")) == 1 && len(r.called("sendMessage")) == 1
		})
		sent := all.called("sendMessage")
		if len(sent) != 1 {
			t.Fatalf("%d spans of the mutation", len(sent))
		}
		trace := all.of(sent[0].SpanContext.TraceID())
		const send, answer = "sendMessage > Mutation.sendMessage > ", "sendMessage > Mutation.sendMessage > store the turn > answer"
		trace.want(t, "sendMessage", "sendMessage > evalsha", send+"store the turn", answer, answer+" > retrieve > gemini questions", answer+" > retrieve > pinecone Query",
			answer+" > write > gemini answer", answer+" > write > first piece", answer+" > store the answer > UPDATE messages*",
			answer+" > store the answer > COMMIT", "sendMessage > Mutation.sendMessage > store the turn > answer > title*")
		if s.app.pools.Postgres() {
			trace.want(t, send+"store the turn > PIPELINE documents, bots, messages*", answer+" > retrieve > PIPELINE*")
		} else {
			trace.want(t, send+"store the turn > INSERT messages", answer+" > retrieve > SELECT postings*")
		}
		for _, span := range trace {
			if span.Status.Code != codes.Unset {
				t.Errorf("%s failed: %v", span.Name, span.Status)
			}
		}
		if sent[0].SpanKind != otel.SpanKindServer || attributeOf(sent[0], "kyrochat.request_id") == "" || attributeOf(sent[0], "kyrochat.transport") != "http" {
			t.Errorf("the root is %v", sent[0])
		}
		made := trace.called("answer")[0]
		if attributeOf(made, "kyrochat.message_id") != message || attributeOf(made, "kyrochat.status") != "COMPLETED" {
			t.Errorf("the answer is %v", made.Attributes)
		}
		stream := all.called("messageStream")[0]
		if len(stream.Links) != 1 || stream.Links[0].SpanContext.TraceID() != sent[0].SpanContext.TraceID() || attributeOf(stream, "kyrochat.request_id") == "" {
			t.Errorf("the stream is linked to %v, %v", stream.Links, stream.Attributes)
		}
		all.of(all.called("viewer")[0].SpanContext.TraceID()).want(t, "viewer > Query.viewer*")

		for what, canary := range map[string]string{
			"question": "canaryquestion9Vw8", "document": "canarydocument7Zr1", "title": "canarytitle5Tb2", "clientMessageId": "canarykey3Kd8", "answer": "three minutes",
			"e-mail": p.email, "password": password, "token": p.token, "operation": "secretNameOfTheClient", "alias": "secretAlias",
			"name": "Helper", "key of Gemini": o.gemini.Key, "key of Pinecone": o.pinecone.APIKey, "host": "127.0.0.1", "SQL": "WHERE",
		} {
			if text := all.everything(); strings.Contains(text, canary) {
				at := strings.Index(text, canary)
				t.Errorf("the %s is in the spans: ...%s", what, text[max(0, at-200):min(len(text), at+200)])
			}
		}
	})
}

// TestOneTraceOfAnIngestion: from the text that is added to the passages that answers find, through the job.
func TestOneTraceOfAnIngestion(t *testing.T) {
	eachTraced(t, func(t *testing.T, o *outside, s *traced) {
		p := s.signUp(t)
		p.know(p.newBot(), "Tea", teaText)
		const job = "addTextDocument > Mutation.addTextDocument > add document > job ingest"
		all := s.recorded(t, func(r recording) bool { return r.has(job + " > activate > activate document > UPDATE documents") }) // which may come in a further turn
		added := all.called("addTextDocument")[0]
		trace := all.of(added.SpanContext.TraceID())
		trace.want(t, job, job+" > read*", job+" > chunk > save prepared document*", job+" > embed > gemini passages", job+" > index > pinecone*",
			job+" > activate > activate document > UPDATE documents")
		if got := attributeOf(trace.called("job ingest")[0], "kyrochat.outcome"); got != "done" && got != "again" {
			t.Errorf("the job is %q", got)
		}
	})
}

// TestATraceGoesOnElsewhere: a job belongs to the trace of its request on the node that does it, and an answer on the one that
// takes it over.
func TestATraceGoesOnElsewhere(t *testing.T) {
	t.Parallel()
	t.Run("job", func(t *testing.T) {
		t.Parallel()
		url := testdb.PostgresURL(t)
		api, worker := startTraced(t, node(t, "api", url), testLog{t}), startTraced(t, node(t, "worker", url), testLog{t})
		p := api.signUp(t)
		p.know(p.newBot(), "Tea", teaText)
		here := api.recorded(t, func(r recording) bool { return len(r.called("addTextDocument")) == 1 })
		var there, all recording
		worker.recorded(t, func(r recording) bool {
			there, all = r, append(slices.Clone(here), r...)
			return slices.ContainsFunc(all.paths(), func(path string) bool {
				return strings.HasPrefix(path, "addTextDocument > Mutation.addTextDocument > add document > job ingest > activate")
			})
		})
		all.of(here.called("addTextDocument")[0].SpanContext.TraceID()).want(t, "addTextDocument > Mutation.addTextDocument > add document > job ingest > activate*")
		if len(here.called("job ingest"))+len(there.called("addTextDocument")) > 0 {
			t.Error("the work was not done where it should be")
		}
	})
	eachTown := map[string]func() string{"answer, sqlite": func() string { return "" }, "answer, postgres": func() string { return testdb.PostgresURL(t) }}
	for name, database := range eachTown {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := startOutside(t)
			env := o.env(map[string]string{"KYRO_DATA_DIR": t.TempDir(), "DATABASE_URL": database(), "KYRO_DRAIN_TIMEOUT": "100ms"})
			first := startTraced(t, env, testLog{t})
			p := first.signUp(t)
			bot := p.newBot()
			p.know(bot, "Tea", teaText)
			o.gemini.Script(gemini.Script{Kind: gemini.KindAnswer, Times: 1, Then: gemini.Stall})
			message := p.must(sendMessage, vars{"c": nil, "b": bot, "t": "How long does green tea steep?", "k": newKey()}).text("sendMessage.botMessage.id")
			o.gemini.MustAwait(t, func([]gemini.Request) bool { return len(o.gemini.RequestsOf(gemini.KindAnswer)) > 0 })
			if err := first.stop(); err != nil {
				t.Fatal(err)
			}
			second := startTraced(t, env, testLog{t})
			p.s = second.testServer
			p.finish(message)
			there := second.recorded(t, func(r recording) bool { return len(r.called("answer")) == 1 && len(r.called("title")) == 1 })
			here := recording(first.spans.GetSpans())
			all := append(slices.Clone(here), there...)
			trace := all.of(here.called("sendMessage")[0].SpanContext.TraceID())
			trace.want(t, "sendMessage > Mutation.sendMessage > store the turn > answer > store the answer*")
			if tries := trace.called("answer"); len(tries) != 2 || attributeOf(tries[0], "kyrochat.attempt") != "1" || attributeOf(tries[1], "kyrochat.attempt") != "2" {
				t.Errorf("%d attempts in the trace", len(tries))
			}
		})
	}
}

// TestLogsHaveTheTrace that is recorded, beside the request that they belong to, and none where none is.
func TestLogsHaveTheTrace(t *testing.T) {
	t.Parallel()
	log := &journal{}
	s := startTraced(t, map[string]string{"KYRO_LOG_FORMAT": "json", "KYRO_LOG_LEVEL": "info"}, log)
	p := s.signUp(t)
	s.exec(t, "ALTER TABLE bots RENAME TO bots_away") // nothing of ours can go wrong so
	id := p.ask(`{ viewer { bots { nodes { id } } } }`, nil).at("errors.0.extensions.requestId")
	span := s.recorded(t, func(r recording) bool { return len(r.called("viewer")) == 1 }).called("viewer")[0]
	if attributeOf(span, "kyrochat.request_id") != id || span.Status.Code != codes.Error || span.Status.Description != "INTERNAL" {
		t.Errorf("the client was told %v, the trace %v %v", id, span.Attributes, span.Status)
	}
	found := false
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "request failed") {
			found = strings.Contains(line, fmt.Sprintf(`"requestId":%q`, id)) && strings.Contains(line, fmt.Sprintf(`"trace":%q`, span.SpanContext.TraceID()))
		} else if strings.Contains(line, `"msg":"ready"`) && strings.Contains(line, `"trace"`) {
			t.Errorf("there is no trace of %s", line)
		}
	}
	if !found {
		t.Errorf("the log is\n%s", log.String())
	}
}

// TestTransportsAreTraced, each by the name of what it does, with the request's id, and following who is trusted.
func TestTransportsAreTraced(t *testing.T) {
	t.Parallel()
	const client = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	s := startTraced(t, map[string]string{"KYRO_TRACE_CLIENTS": "follow"}, testLog{t})
	p := s.signUp(t)
	bot := p.newBot()
	p.upload(bot, "tea.txt", []byte(teaText))
	ask := func(accept, from string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/graphql", strings.NewReader(`{"query":"{ viewer { id } }"}`))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"Content-Type": "application/json", "Accept": accept, "Authorization": "Bearer " + p.token, "Traceparent": from} {
			req.Header.Set(name, value)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
	ask("application/json", client)
	ask("text/event-stream", client)
	ask("application/json", "canary")
	c := s.dial(t)
	c.send(`{"type":"connection_init","payload":{"authorization":"Bearer ` + p.token + `"}}`)
	c.receive()
	c.send(`{"type":"subscribe","id":"1","payload":{"query":"{ viewer { id } }","extensions":{"traceparent":"` + client + `"}}}`)
	c.receive()
	c.receive()
	_ = c.CloseNow()
	all := s.recorded(t, func(r recording) bool { return len(r.called("viewer")) == 4 && len(r.called("uploadDocument")) == 1 })
	followed := map[string]int{}
	ids := map[string]bool{}
	for _, span := range all.called("viewer") {
		ids[attributeOf(span, "kyrochat.request_id")] = true
		if strings.Contains(client, span.SpanContext.TraceID().String()) {
			followed[attributeOf(span, "kyrochat.transport")]++
		}
	}
	if fmt.Sprint(followed) != "map[http:1 sse:1 websocket:1]" || len(ids) != 4 || ids[""] {
		t.Errorf("followed on %v; ids %v", followed, ids)
	}
	if strings.Contains(all.everything(), "canary") {
		t.Error("what a client sent is in a trace")
	}
}

// TestWhatFailedIsToldInTraces: files that are not there, and mutations that tell a problem or an error.
func TestWhatFailedIsToldInTraces(t *testing.T) {
	t.Parallel()
	s := startTraced(t, nil, testLog{t})
	p := s.signUp(t)
	for _, path := range []string{ingest.FilesPath, export.Path, ingest.UploadsPath} {
		method := http.MethodGet
		if path == ingest.UploadsPath {
			method = http.MethodPut
		}
		req, err := http.NewRequestWithContext(t.Context(), method, s.url+path+"nothing", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode < 400 {
			t.Fatalf("%s answered %s", path, res.Status)
		}
	}
	p.ask(`mutation { good: createBot(input: {name: "Good"}) { errors { code } } bad: createBot(input: {name: ""}) { errors { code } }
		gone: deleteBot(input: {botId: "bot_999999"}) { errors { code } } }`, nil)
	all := s.recorded(t, func(r recording) bool {
		return len(r.called("Mutation.deleteBot")) == 1 && len(r.called("upload"))+len(r.called("download"))+len(r.called("export")) == 3
	})
	for _, name := range []string{"upload", "download", "export"} {
		if span := all.called(name)[0]; span.Status.Code != codes.Error || !strings.HasPrefix(span.Status.Description, "4") {
			t.Errorf("%s: %+v", name, span.Status)
		}
	}
	var told []string
	for _, span := range append(all.called("Mutation.createBot"), all.called("Mutation.deleteBot")...) {
		told = append(told, span.Status.Description)
	}
	if want := []string{"", "VALIDATION", "NOT_FOUND"}; !slices.Equal(told, want) {
		t.Errorf("mutations ended with %q, want %q", told, want)
	}
}
