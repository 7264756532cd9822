package kyro

import (
	"context"
	"time"
)

// Trace is one span of a trace: something that is done for a request or a job, from its beginning to its end, which other
// spans are parts of. The zero Trace records nothing, and costs next to nothing; so do the parts of it.
//
// Traces leave the server. What a span is told are words of the code, ids, numbers and codes of errors, and never what
// people wrote, asked for or stored, nor what an upstream said.
type Trace struct{ to TraceRecorder }

// TraceRecorder keeps what one span is told. Its methods are called from many goroutines, and must not wait.
type TraceRecorder interface {
	Begin(name string) TraceRecorder
	Called(c Called)
	Rename(name string)
	Note(key, value string)
	Link(trace string)
	End(code string)
	TraceID() string
	Context() string
}

// Called is a call that the server made to something else, and that is over.
type Called struct {
	System string    // what was called: postgresql, sqlite, redis, gemini, ...
	Name   string    // what it was asked to do
	Target string    // to what, such as tables; may be empty
	Began  time.Time // it ends now
	Code   string    // as CallCode words it
}

// NewTrace is a span that the recorder keeps.
func NewTrace(to TraceRecorder) Trace { return Trace{to} }

// Recorded reports whether anything is recorded: where not, what to tell need not be found out.
func (s Trace) Recorded() bool { return s.to != nil }

// Begin begins a part of the span. Whoever begins one ends it.
func (s Trace) Begin(name string) Trace {
	if s.to == nil {
		return s
	}
	return Trace{s.to.Begin(name)}
}

// Called notes a call as a part of the span.
func (s Trace) Called(c Called) {
	if s.to != nil {
		s.to.Called(c)
	}
}

// Rename gives the span a name that was not known when it began.
func (s Trace) Rename(name string) {
	if s.to != nil {
		s.to.Rename(name)
	}
}

// Note says something about the span.
func (s Trace) Note(key, value string) {
	if s.to != nil {
		s.to.Note(key, value)
	}
}

// Link says that the span has to do with another one, by what Context gave of that. What is no such thing counts for nothing.
func (s Trace) Link(trace string) {
	if s.to != nil {
		s.to.Link(trace)
	}
}

// End ends the span with a code: "OK", or "" for it, or that of an error.
func (s Trace) End(code string) {
	if s.to != nil {
		s.to.End(code)
	}
}

// TraceID is the trace's, in hexadecimal digits, for logs; "" where nothing is recorded.
func (s Trace) TraceID() string {
	if s.to == nil {
		return ""
	}
	return s.to.TraceID()
}

// Context is where others can go on with the trace, later and in other processes, as the header traceparent of W3C has it;
// "" where nothing is recorded.
func (s Trace) Context() string {
	if s.to == nil {
		return ""
	}
	return s.to.Context()
}

type traceKey struct{}

// WithTrace gives a context whose work is a part of the span.
func WithTrace(ctx context.Context, s Trace) context.Context {
	if s.to == nil && TraceFrom(ctx).to == nil {
		return ctx
	}
	return context.WithValue(ctx, traceKey{}, s)
}

// TraceFrom gives the span that the work of ctx is a part of.
func TraceFrom(ctx context.Context) Trace {
	s, _ := ctx.Value(traceKey{}).(Trace)
	return s
}

// BeginPart begins a part of the span of ctx.
func BeginPart(ctx context.Context, name string) (context.Context, Trace) {
	s := TraceFrom(ctx).Begin(name)
	return WithTrace(ctx, s), s
}

// Traces begins what is not a part of anything in this process: a request, a job, an answer. from is what Context gave of the
// span that it goes on with, wherever that was, or ""; nil records nothing.
type Traces func(name, from string) Trace

// Begin begins a span, and gives the context of its work.
func (t Traces) Begin(ctx context.Context, name, from string) (context.Context, Trace) {
	var s Trace
	if t != nil {
		s = t(name, from)
	}
	return WithTrace(ctx, s), s
}
