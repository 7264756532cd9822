// Package trace records what requests, answers and jobs do, and sends it to a collector of OpenTelemetry. It is the only one
// that knows of that: whoever does the work tells kyro.Trace.
package trace

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	otel "go.opentelemetry.io/otel/trace"

	"kyrochat/kyro"
)

// Config says where spans go, and how many of them.
type Config struct {
	Endpoint string // of OTLP by HTTP, such as http://127.0.0.1:4318; spans are sent to /v1/traces below it
	Headers  map[string]kyro.Secret
	Service  string
	Version  string
	Node     string
	Ratio    float64 // of the traces that begin here, those that are recorded
	// Follow has a request go on with the trace of a client that names one, and record it where the client says so. It is for
	// servers whose clients are all the operator's own: others could have everything recorded, or put what they ask among
	// traces of others. Without it, the client's trace is linked to.
	Follow bool
	Log    *slog.Logger
	Export Exporter // in place of OTLP, for tests; nil: none
}

// Exporter is where spans go.
type Exporter = sdk.SpanExporter

const (
	mostQueued  = 2_048            // spans that wait to be sent; more are left out
	batch       = 512              // spans that are sent together
	batchEvery  = 2 * time.Second  // the longest wait for others
	sendTime    = 10 * time.Second // for a batch, tries again included; meanwhile the queue fills
	mostSpans   = 1_000            // of one request, answer or turn of a job; what is beyond is counted
	longestText = 200              // characters of an attribute
)

// Tracer begins traces.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   otel.Tracer
	follow   bool
}

// New makes a tracer. It sends from goroutines of its own, until Close.
func New(ctx context.Context, c Config) (*Tracer, error) {
	exporter := c.Export
	if exporter == nil {
		var err error
		if exporter, err = newOTLP(ctx, c); err != nil {
			return nil, err
		}
	}
	about := resource.NewSchemaless(attribute.String("service.name", c.Service), attribute.String("service.version", c.Version),
		attribute.String("service.instance.id", c.Node))
	limits := sdk.NewSpanLimits()
	limits.AttributeValueLengthLimit = longestText
	provider := sdk.NewTracerProvider(
		sdk.WithBatcher(&carrier{exporter, c.Headers, c.Log}, sdk.WithMaxQueueSize(mostQueued), sdk.WithMaxExportBatchSize(batch),
			sdk.WithBatchTimeout(batchEvery), sdk.WithExportTimeout(sendTime)),
		sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(c.Ratio))), sdk.WithResource(about), sdk.WithRawSpanLimits(limits),
	)
	return &Tracer{provider: provider, tracer: provider.Tracer("kyrochat"), follow: c.Follow}, nil
}

// newOTLP makes what sends. It does not connect yet: a collector that is away is no reason not to start.
func newOTLP(ctx context.Context, c Config) (Exporter, error) {
	headers := make(map[string]string, len(c.Headers))
	for name, value := range c.Headers {
		headers[name] = string(value)
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(strings.TrimSuffix(c.Endpoint, "/")+"/v1/traces"), otlptracehttp.WithHeaders(headers),
		otlptracehttp.WithTimeout(sendTime), otlptracehttp.WithCompression(otlptracehttp.GzipCompression),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{
			Enabled: true, InitialInterval: time.Second, MaxInterval: 4 * time.Second, MaxElapsedTime: sendTime,
		}))
	if err != nil {
		return nil, fmt.Errorf("make what sends traces: %w", err)
	}
	return exporter, nil
}

// Requests begins the spans of what clients ask for. from is the header traceparent, which is a stranger's word.
func (t *Tracer) Requests(name, from string) kyro.Trace {
	if t.follow {
		return t.begin(name, from, otel.SpanKindServer)
	}
	s := t.begin(name, "", otel.SpanKindServer)
	s.Link(from)
	return s
}

// Work begins the spans of jobs and answers. from is what this installation stored with them.
func (t *Tracer) Work(name, from string) kyro.Trace {
	return t.begin(name, from, otel.SpanKindConsumer)
}

func (t *Tracer) begin(name, from string, kind otel.SpanKind) kyro.Trace {
	ctx, s := t.tracer.Start(parse(from), name, otel.WithSpanKind(kind))
	if !s.IsRecording() {
		return kyro.Trace{}
	}
	return kyro.NewTrace(&span{ctx: ctx, Span: s, in: &local{tracer: t.tracer, root: s}})
}

// Flush sends what waits.
func (t *Tracer) Flush(ctx context.Context) error { return t.provider.ForceFlush(ctx) }

// Close sends what waits, as far as ctx gives time for it.
func (t *Tracer) Close(ctx context.Context) error {
	if err := t.provider.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("end the traces: %w", err)
	}
	return nil
}

var traceparent propagation.TraceContext

const header = "traceparent"

// parse gives a context below the span that a traceparent names; an empty one where it names none.
func parse(from string) context.Context {
	if from == "" {
		return context.Background()
	}
	return traceparent.Extract(context.Background(), propagation.MapCarrier{header: from})
}

func write(ctx context.Context) string {
	into := propagation.MapCarrier{}
	traceparent.Inject(ctx, into)
	return into[header]
}
