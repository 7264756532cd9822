package ai

import (
	"time"

	"kyrochat/kyro"
)

// Measure is told of every call of an upstream when it has ended, each try for itself: what was called (a word of the code),
// "OK" or the code of its error, or CANCELED where whoever asked left, and how long it took. What a breaker or a quota did
// not let through is no call. It is called from many goroutines, and must not wait.
type Measure func(call, code string, took time.Duration)

// What is called of Gemini.
const (
	callAnswer    = "answer"
	callComplete  = "complete"
	callQuestions = "questions"
	callPassages  = "passages"
)

// tell tells of a call of Gemini, also to the trace of whoever asked.
func (m Measure) tell(trace kyro.Trace, call string, began time.Time, err error) {
	code := kyro.CallCode(err)
	if m != nil {
		m(call, code, time.Since(began))
	}
	trace.Called(kyro.Called{System: gemini, Name: call, Began: began, Code: code})
}

const gemini = "gemini" // in traces

// Way is how calls of one kind get to an upstream, and the state of its breaker: closed, open, or half-open.
type Way struct{ Name, State string }

// Ways are those of the models that are set. Models that bots name have their own, of which nothing is told.
func (g *Gemini) Ways() []Way {
	return []Way{{"answers", g.answers.breaker.state()}, {"questions", g.asked.breaker.state()}, {"passages", g.passages.breaker.state()}}
}

// Ways are those of queries and of documents.
func (p *Pinecone) Ways() []Way {
	return []Way{{"queries", p.queries.breaker.state()}, {"documents", p.writes.breaker.state()}}
}

func (b *breaker) state() string { return b.two.State().String() }
