package meter

import (
	"time"

	"kyrochat/kyro"
)

// What the parts of the server tell. None of it waits, and all of it may be called by many at once.

// Operation counts one that has ended, with the field of the contract that it asked for. The time of subscriptions, which
// last as long as their readers like, is not measured.
func (m *Meter) Operation(name, transport, code string, took time.Duration, subscription bool) {
	m.operations.WithLabelValues(name, transport, code).Inc()
	if !subscription {
		m.operationSeconds.WithLabelValues(name).Observe(took.Seconds())
	}
}

// Transfer counts a request that carried a file, by the class of its status, such as 2xx.
func (m *Meter) Transfer(direction, status string) {
	m.transfers.WithLabelValues(direction, status).Inc()
}

// Resolved times the resolver of a field at the top.
func (m *Meter) Resolved(field string, took time.Duration) {
	m.resolverSeconds.WithLabelValues(field).Observe(took.Seconds())
}

// Statement times an SQL statement, of which the kind is known: a word of a fixed list.
func (m *Meter) Statement(kind string, took time.Duration, failed bool) {
	m.statementSeconds.WithLabelValues(kind).Observe(took.Seconds())
	if failed {
		m.statementErrors.WithLabelValues(kind).Inc()
	}
}

// Answered counts an answer whose end is stored.
func (m *Meter) Answered(o kyro.Outcome) {
	grounding := "NONE"
	if o.Grounding != nil {
		grounding = string(*o.Grounding)
	}
	m.answers.WithLabelValues(string(o.FinishReason), grounding).Inc()
	u := o.Usage
	if u == nil {
		return
	}
	m.tokens.WithLabelValues("prompt").Add(float64(u.PromptTokens))
	m.tokens.WithLabelValues("output").Add(float64(u.OutputTokens))
	observeMillis(m.firstToken.Observe, u.TimeToFirstTokenMs)
	observeMillis(m.answerSeconds.Observe, u.DurationMs)
}

func observeMillis(observe func(float64), ms *int) {
	if ms != nil {
		observe(float64(*ms) / 1000)
	}
}

// JobTurn counts a turn of a job.
func (m *Meter) JobTurn(kind kyro.JobKind, outcome string, took time.Duration) {
	m.jobTurns.WithLabelValues(string(kind), outcome).Inc()
	m.jobSeconds.WithLabelValues(string(kind)).Observe(took.Seconds())
}

// Stage counts a stage of a document.
func (m *Meter) Stage(stage, outcome string, took time.Duration) {
	m.stages.WithLabelValues(stage, outcome).Inc()
	m.stageSeconds.WithLabelValues(stage).Observe(took.Seconds())
}

// Document counts a run of a document that has ended.
func (m *Meter) Document(d kyro.Document) {
	m.documents.WithLabelValues(string(d.Kind), string(d.LastRun.Outcome)).Inc()
}

// Call counts a call of an upstream.
func (m *Meter) Call(upstream, call, code string, took time.Duration) {
	m.calls.WithLabelValues(upstream, call, code).Inc()
	m.callSeconds.WithLabelValues(upstream, call).Observe(took.Seconds())
}
