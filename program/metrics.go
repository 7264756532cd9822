package program

import (
	"context"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/go-chi/chi/v5/middleware"

	"kyrochat/ai"
	"kyrochat/ingest"
	"kyrochat/jobs"
	"kyrochat/kyro"
	"kyrochat/live"
	"kyrochat/meter"
	"kyrochat/store"
	"kyrochat/transport"
)

// What is measured, and how. The parts of the server have plain functions for it in their settings, which are nil in a
// server that is not measured (as some tests compare it with), and in the operator's commands. docs/metrics.md says what
// each metric means.

// measured is what a server tells its meter by. Its functions are nil without one.
type measured struct {
	statements store.Measure
	turns      func(kyro.JobKind, jobs.Outcome, time.Duration)
	operations transport.Measure
	resolvers  func(field string, took time.Duration)
	transfers  func(direction, status string)
	answers    func(kyro.Outcome)
	documents  ingest.Measure
	gemini     ai.Measure
	pinecone   ai.Measure
	redis      live.Measure
	calls      func(ctx context.Context, upstream, call string, began time.Time, err error)
}

func measuredBy(m *meter.Meter) measured {
	if m == nil {
		return measured{}
	}
	upstream := func(name string) func(call, code string, took time.Duration) {
		return func(call, code string, took time.Duration) { m.Call(name, call, code, took) }
	}
	return measured{
		statements: m.Statement,
		turns: func(kind kyro.JobKind, outcome jobs.Outcome, took time.Duration) {
			m.JobTurn(kind, string(outcome), took)
		},
		operations: func(o transport.Measured) { m.Operation(o.Operation, o.Transport, o.Code, o.Took, o.Subscription) },
		resolvers:  m.Resolved,
		transfers:  m.Transfer,
		answers:    m.Answered,
		documents: ingest.Measure{
			Stage: func(stage ingest.Stage, outcome ingest.Outcome, took time.Duration) {
				m.Stage(string(stage), string(outcome), took)
			},
			Ended: m.Document,
		},
		gemini: upstream("gemini"), pinecone: upstream("pinecone"), redis: upstream("redis"),
		calls: func(ctx context.Context, upstream, call string, began time.Time, err error) {
			code := kyro.CallCode(err)
			m.Call(upstream, call, code, time.Since(began))
			kyro.TraceFrom(ctx).Called(kyro.Called{System: upstream, Name: call, Began: began, Code: code})
		},
	}
}

// aroundMutations times the resolvers of mutations and of introspection, which gqlgen runs; queries tell by themselves.
func (m measured) aroundMutations(ctx context.Context, next graphql.RootResolver) graphql.Marshaler {
	if m.resolvers == nil {
		return next(ctx)
	}
	began := time.Now()
	result := next(ctx)
	if field := graphql.GetRootFieldContext(ctx); field != nil {
		m.resolvers(field.Field.Name, time.Since(began))
	}
	return result
}

// ofTransfers counts requests that carry files.
func (m measured) ofTransfers(direction string, next http.HandlerFunc) http.HandlerFunc {
	if m.transfers == nil {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request) {
		told := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		defer func() { m.transfers(direction, statusClass(told.Status())) }() // also of what is cut off in the middle
		next(told, r)
	}
}

func statusClass(status int) string {
	if status < 100 || status > 599 {
		return "none" // nothing was answered
	}
	return strconv.Itoa(status/100) + "xx"
}

// look says what the meter looks at when somebody asks for the metrics.
func (a *app) look() {
	if a.meter == nil {
		return
	}
	sources := meter.Sources{
		Build: meter.Build{
			Version: version(), Go: runtime.Version(), Role: string(a.cfg.Role), Database: a.info.Database, Live: a.info.Live,
		},
		Connections: a.connections.Counts, Pools: a.poolsInUse, Breakers: a.ways, Jobs: a.census, Caches: a.caches.requests,
	}
	if a.answers != nil {
		sources.Answers = a.answers.Load
	}
	a.meter.Look(sources)
}

func (a *app) poolsInUse() (list []meter.Pool) {
	for _, p := range a.pools.Stats() {
		list = append(list, meter.Pool(p))
	}
	if a.nodes.redis != nil {
		p := a.nodes.redis.Stats()
		list = append(list, meter.Pool{Name: "redis", Max: p.Max, InUse: p.InUse, Idle: p.Idle, Waits: p.Waits, Waited: p.Waited})
	}
	return list
}

// ways are those to the upstreams, with the state of their breakers. Redis' own way is open or closed, as nodes say.
func (a *app) ways() (list []meter.Breaker) {
	add := func(upstream string, ways []ai.Way) {
		for _, w := range ways {
			list = append(list, meter.Breaker{Upstream: upstream, Way: w.Name, State: w.State})
		}
	}
	if a.providers.Gemini != nil {
		add("gemini", a.providers.Gemini.Ways())
	}
	if a.providers.Pinecone != nil {
		add("pinecone", a.providers.Pinecone.Ways())
	}
	if a.nodes.redis != nil {
		state := "open"
		if a.nodes.redis.Connected() {
			state = "closed"
		}
		add("redis", []ai.Way{{Name: "commands", State: state}})
	}
	return list
}

func (a *app) census(ctx context.Context) (list []meter.Jobs, err error) {
	counted, err := a.queue.Census(ctx)
	for _, c := range counted {
		list = append(list, meter.Jobs{Kind: c.Kind, State: c.State, Count: c.Jobs, Oldest: c.Oldest})
	}
	return list, err
}

func (c caches) requests() (list []meter.Cache) {
	add := func(name string, requests func() (hits, misses uint64)) {
		hits, misses := requests()
		list = append(list, meter.Cache{Name: name, Hits: hits, Misses: misses})
	}
	add("user", c.users.Requests)
	add("session", c.sessions.Requests)
	add("key", c.keys.Requests)
	add("bot", c.bots.Requests)
	add("document", c.documents.Requests)
	return list
}
