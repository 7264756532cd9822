package trace

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	otel "go.opentelemetry.io/otel/trace"

	"kyrochat/kyro"
)

// local is what the spans of one request, answer or turn of a job share, which this process does.
type local struct {
	tracer otel.Tracer
	root   otel.Span
	spans  atomic.Int64 // below the root
}

// room reports whether there may be one more. What watches for days would have spans without end.
func (l *local) room() bool { return l.spans.Add(1) <= mostSpans }

// leftOut is how many there were no room for.
func (l *local) leftOut() int64 { return max(0, l.spans.Load()-mostSpans) }

// span implements kyro.TraceRecorder.
type span struct {
	otel.Span
	ctx context.Context // of spans below it
	in  *local
}

// Begin begins a span below this one.
func (s *span) Begin(name string) kyro.TraceRecorder {
	if !s.in.room() {
		return unheard{s}
	}
	ctx, below := s.in.tracer.Start(s.ctx, name)
	return &span{ctx: ctx, Span: below, in: s.in}
}

// databases are named by the attributes that OpenTelemetry has for them.
var databases = map[string]bool{"postgresql": true, "sqlite": true, "redis": true}

// Called writes a span that is over. Its name is what was called of whom: there are as many as the code has.
func (s *span) Called(c kyro.Called) {
	if !s.in.room() {
		return
	}
	name := c.Name
	if c.Target != "" {
		name += " " + c.Target
	}
	attributes := make([]attribute.KeyValue, 0, 4)
	if databases[c.System] {
		attributes = append(attributes, attribute.String("db.system.name", c.System), attribute.String("db.operation.name", c.Name))
		if c.Target != "" {
			attributes = append(attributes, attribute.String("db.collection.name", c.Target))
		}
	} else {
		name = c.System + " " + name
		attributes = append(attributes, attribute.String("kyrochat.upstream", c.System), attribute.String("kyrochat.call", c.Name))
	}
	_, below := s.in.tracer.Start(s.ctx, name, otel.WithSpanKind(otel.SpanKindClient), otel.WithTimestamp(c.Began), otel.WithAttributes(attributes...))
	conclude(below, c.Code)
	below.End()
}

// Rename gives the span another name.
func (s *span) Rename(name string) { s.SetName(name) }

// Note adds an attribute, under kyrochat.
func (s *span) Note(key, value string) { s.SetAttributes(attribute.String("kyrochat."+key, value)) }

// Link links to the span that a traceparent names.
func (s *span) Link(trace string) {
	if other := otel.SpanContextFromContext(parse(trace)); other.IsValid() {
		s.AddLink(otel.Link{SpanContext: other})
	}
}

// End ends the span.
func (s *span) End(code string) {
	if n := s.in.leftOut(); n > 0 && s.Span == s.in.root {
		s.SetAttributes(attribute.Int64("kyrochat.spans_left_out", n))
	}
	conclude(s.Span, code)
	s.Span.End()
}

// conclude says how a span ended. CANCELED is nobody's fault: whoever asked has gone.
func conclude(s otel.Span, code string) {
	switch code {
	case "", "OK":
	case "CANCELED":
		s.SetAttributes(attribute.String("error.type", code))
	default:
		s.SetAttributes(attribute.String("error.type", code))
		s.SetStatus(codes.Error, code)
	}
}

// TraceID is the trace's, in hexadecimal digits.
func (s *span) TraceID() string { return s.SpanContext().TraceID().String() }

// Context is the span as a traceparent.
func (s *span) Context() string { return write(s.ctx) }

// unheard is a span that there was no room for: what is stored and logged below it belongs to its trace still.
type unheard struct{ above *span }

func (u unheard) Begin(string) kyro.TraceRecorder { u.above.in.spans.Add(1); return u }
func (u unheard) Called(kyro.Called)              { u.above.in.spans.Add(1) }
func (unheard) Rename(string)                     {}
func (unheard) Note(string, string)               {}
func (unheard) Link(string)                       {}
func (unheard) End(string)                        {}
func (u unheard) TraceID() string                 { return u.above.TraceID() }
func (u unheard) Context() string                 { return u.above.Context() }
