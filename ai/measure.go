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

func (m Measure) tell(call string, began time.Time, err error) {
	if m == nil {
		return
	}
	m(call, kyro.CallCode(err), time.Since(began))
}

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
