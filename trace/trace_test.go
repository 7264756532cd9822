package trace_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	otel "go.opentelemetry.io/otel/trace"

	"kyrochat/kyro"
	"kyrochat/trace"
)

const (
	strangersTrace = "0af7651916cd43dd8448eb211c80319c"
	stranger       = "00-" + strangersTrace + "-b7ad6b7169203331-01"
	unsampled      = "00-" + strangersTrace + "-b7ad6b7169203331-00"
)

func start(t *testing.T, c trace.Config) *trace.Tracer {
	t.Helper()
	tracer, err := trace.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tracer.Close(context.WithoutCancel(t.Context())) })
	return tracer
}

// kept starts a tracer whose spans stay here.
func kept(t *testing.T, c trace.Config) (*trace.Tracer, func() tracetest.SpanStubs) {
	t.Helper()
	spans := tracetest.NewInMemoryExporter()
	c.Export = spans
	tracer := start(t, c)
	return tracer, func() tracetest.SpanStubs {
		t.Helper()
		if err := tracer.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		return spans.GetSpans()
	}
}

// Whoever goes on with a trace, in this process or another, belongs to it.
func TestATraceGoesOn(t *testing.T) {
	t.Parallel()
	tracer, spans := kept(t, trace.Config{Ratio: 1})
	other, others := kept(t, trace.Config{Ratio: 0}) // which begins none by itself

	ctx, root := kyro.Traces(tracer.Requests).Begin(t.Context(), "none", "")
	ctx, part := kyro.BeginPart(ctx, "store the turn")
	from := kyro.TraceFrom(ctx).Context()
	kyro.TraceFrom(ctx).Called(kyro.Called{System: "sqlite", Name: "INSERT", Target: "messages", Began: time.Now().Add(-time.Second), Code: "OK"})
	kyro.TraceFrom(ctx).Called(kyro.Called{System: "gemini", Name: "answer", Began: time.Now(), Code: "UPSTREAM_FAILED"})
	part.End("OK")
	root.Rename("sendMessage")
	root.End("NOT_FOUND")
	job := other.Work("job ingest", from)
	if job.TraceID() != root.TraceID() || root.TraceID() == "" {
		t.Errorf("the job has the trace %s, not %s", job.TraceID(), root.TraceID())
	}
	job.End("CANCELED")
	if other.Work("job ingest", "").Recorded() {
		t.Error("a ratio of 0 records something")
	}

	list := map[string]tracetest.SpanStub{}
	for _, s := range append(spans(), others()...) {
		list[s.Name] = s
	}
	for name, parent := range map[string]string{
		"sendMessage": "", "store the turn": "sendMessage", "INSERT messages": "store the turn", "gemini answer": "store the turn", "job ingest": "store the turn",
	} {
		s, found := list[name]
		if !found || s.Parent.SpanID() != list[parent].SpanContext.SpanID() || s.SpanContext.TraceID().String() != root.TraceID() {
			t.Errorf("%s is %+v", name, s)
		}
	}
	if took := list["INSERT messages"].EndTime.Sub(list["INSERT messages"].StartTime); took < time.Second {
		t.Errorf("the statement took %v", took)
	}
	for name, want := range map[string]codes.Code{"sendMessage": codes.Error, "gemini answer": codes.Error, "store the turn": codes.Unset, "job ingest": codes.Unset} {
		if got := list[name].Status; got.Code != want || want == codes.Error && got.Description == "" {
			t.Errorf("%s ended as %v", name, got)
		}
	}
}

// What clients say of a trace decides about nothing, unless that is wanted.
func TestTracesOfClients(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		follow  bool
		ratio   float64
		from    string
		records bool
		parent  bool
		links   int
	}{
		{"linked to", false, 1, stranger, true, false, 1},
		{"not switched on", false, 0, stranger, false, false, 0},
		{"not switched off", false, 1, unsampled, true, false, 1},
		{"no trace", false, 1, "00-canary-canary-01", true, false, 0},
		{"none", false, 1, "", true, false, 0},
		{"followed", true, 0, stranger, true, true, 0},
		{"followed in silence", true, 1, unsampled, false, false, 0},
		{"nothing to follow", true, 1, "rubbish", true, false, 0},
	} {
		tracer, spans := kept(t, trace.Config{Ratio: c.ratio, Follow: c.follow})
		s := tracer.Requests("viewer", c.from)
		s.End("")
		list := spans()
		if s.Recorded() != c.records || len(list) != map[bool]int{true: 1}[c.records] {
			t.Errorf("%s: %d spans", c.name, len(list))
			continue
		}
		if c.records && ((s.TraceID() == strangersTrace) != c.parent || len(list[0].Links) != c.links || list[0].SpanKind != otel.SpanKindServer) {
			t.Errorf("%s: %+v", c.name, list[0])
		}
	}
}

// What goes on for days has a span for each thing that it does, up to a bound; what it stores belongs to its trace still.
func TestSpansOfOneRequestAreBounded(t *testing.T) {
	t.Parallel()
	tracer, spans := kept(t, trace.Config{Ratio: 1})
	root := tracer.Requests("conversationEvents", "")
	var last kyro.Trace
	for range 1_100 {
		root.Called(kyro.Called{System: "sqlite", Name: "SELECT", Target: "messages", Began: time.Now()})
		last = root.Begin("part")
		last.End("")
		tracer.Flush(t.Context())
	}
	if last.TraceID() != root.TraceID() || !strings.Contains(last.Context(), root.TraceID()) || last.Begin("below").TraceID() != root.TraceID() {
		t.Error("what was left out knows nothing of its trace")
	}
	root.End("")
	list := spans()
	said := map[string]string{}
	for _, s := range list {
		for _, a := range s.Attributes {
			said[string(a.Key)] = a.Value.String()
		}
	}
	if len(list) != 1_001 || said["kyrochat.spans_left_out"] != "1201" {
		t.Errorf("%d spans, left out %s", len(list), said["kyrochat.spans_left_out"])
	}
}

// A collector gets what is recorded, with the headers that it wants. One that refuses, and sends all back that it got, costs
// the spans and is logged without what is secret.
func TestSpansAreSent(t *testing.T) {
	t.Parallel()
	const secret = "canaryHeader5Vw8qLr3"
	var got atomic.Int64
	var refuse atomic.Bool
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path != "/otlp/v1/traces" || r.Header.Get("X-Key") != secret || len(body) == 0 {
			t.Errorf("%s %v", r.URL, r.Header)
		}
		if refuse.Load() {
			http.Error(w, "not with "+secret, http.StatusForbidden)
			return
		}
		got.Add(1)
	}))
	defer collector.Close()
	var log bytes.Buffer
	tracer := start(t, trace.Config{
		Endpoint: collector.URL + "/otlp/", Headers: map[string]kyro.Secret{"X-Key": secret}, Service: "kyrochat", Ratio: 1, Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	flush := func() {
		tracer.Work("job mail", "").End("")
		if err := tracer.Flush(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if flush(); got.Load() != 1 || log.Len() > 0 {
		t.Errorf("%d requests; %s", got.Load(), log.String())
	}
	refuse.Store(true)
	if flush(); !strings.Contains(log.String(), "spans=1") || !strings.Contains(log.String(), "403") || strings.Contains(log.String(), secret) {
		t.Errorf("the log says %s", log.String())
	}
}

// Nobody waits for a collector that takes everything and never answers: neither who is traced, nor the end of the server.
func TestNobodyWaitsForACollector(t *testing.T) {
	t.Parallel()
	hangs := make(chan struct{})
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hangs }))
	defer collector.Close()
	defer close(hangs)
	tracer, err := trace.New(t.Context(), trace.Config{Endpoint: collector.URL, Ratio: 1})
	if err != nil {
		t.Fatal(err)
	}
	for range 10_000 { // many more than are kept
		tracer.Work("job mail", "").End("")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := tracer.Close(ctx); err != nil {
		t.Error(err)
	}
}
