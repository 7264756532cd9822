package transport_test

import (
	"sync"
	"testing"
	"time"

	"kyrochat/transport"
)

// ledger keeps what was measured.
type ledger struct {
	mu   sync.Mutex
	list []transport.Measured
}

func (l *ledger) measure(m transport.Measured) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, m)
}

// next waits for what is measured next.
func (l *ledger) next(t *testing.T) transport.Measured {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		l.mu.Lock()
		if len(l.list) > 0 {
			m := l.list[0]
			l.list = l.list[1:]
			l.mu.Unlock()
			return m
		}
		l.mu.Unlock()
	}
	t.Fatal("nothing was measured")
	panic("unreachable")
}

// TestOperationsAreMeasured once each, by the names of the contract, on every transport.
func TestOperationsAreMeasured(t *testing.T) {
	t.Parallel()
	l := &ledger{}
	s := newServer(t, transport.HTTP{Measure: l.measure, MaxBody: 4096}, transport.Multipart{Measure: l.measure}, &transport.Websocket{Measure: l.measure})
	want := func(what string, want transport.Measured) {
		t.Helper()
		got := l.next(t)
		if got.Took < 0 || got.Took > time.Minute {
			t.Errorf("%s took %v", what, got.Took)
		}
		if got.Took = 0; got != want {
			t.Errorf("%s: got %+v, want %+v", what, got, want)
		}
	}
	for name, c := range map[string]struct{ body, operation, code string }{
		"a field":                  {`{"query":"query Mine { mine: hello }","operationName":"Mine"}`, "hello", "OK"},
		"through fragments":        {`{"query":"{ __typename ... on Query { ...F } } fragment F on Query { x: hello y: hello }"}`, "hello", "OK"},
		"two fields":               {`{"query":"{ hello requestId hello }"}`, "several", "OK"},
		"a mutation":               {`{"query":"mutation M { touch }"}`, "touch", "OK"},
		"nothing of the contract":  {`{"query":"{ __typename }"}`, "__typename", "OK"},
		"introspection":            {`{"query":"{ __schema { queryType { name } } __type(name: \"Query\") { name } }"}`, "introspection", "OK"},
		"a field that fails":       {`{"query":"{ fail(how: \"internal\") }"}`, "fail", "INTERNAL"},
		"no such field":            {`{"query":"{ Zanzibar }"}`, "none", "GRAPHQL_VALIDATION_FAILED"},
		"no document":              {`{"query":"{"}`, "none", "GRAPHQL_PARSE_FAILED"},
		"no JSON":                  {`{`, "none", "BAD_REQUEST"},
		"a subscription":           {`{"query":"subscription { count(to: 1) }"}`, "count", "BAD_REQUEST"},
		"the operation is unknown": {`{"query":"query A { hello } query B { hello }","operationName":"Zanzibar"}`, "none", "GRAPHQL_VALIDATION_FAILED"},
	} {
		s.send(t, s.request(t, "POST", "", c.body))
		want(name, transport.Measured{Transport: "http", Operation: c.operation, Code: c.code, Subscription: c.operation == "count"})
	}

	told(t, s.events(t, t.Context(), "POST", "", `{"query":"subscription{count(to:3)}"}`))
	want("an event stream", transport.Measured{Transport: "sse", Operation: "count", Code: "OK", Subscription: true})
	told(t, s.events(t, t.Context(), "POST", "", `{"query":"subscription{failing}"}`))
	if got := l.next(t); got.Transport != "sse" || got.Operation != "failing" || got.Code == "OK" {
		t.Errorf("a stream that fails: %+v", got)
	}

	p := s.open(t)
	p.send(`{"type":"subscribe","id":"Zanzibar","payload":{"query":"subscription{count(to:2)}"}}`)
	want("a subscription on a websocket", transport.Measured{Transport: "websocket", Operation: "count", Code: "OK", Subscription: true})
	p.send(`{"type":"subscribe","id":"2","payload":{"query":"{ fail(how: \"not found\") }"}}`)
	want("a query on a websocket", transport.Measured{Transport: "websocket", Operation: "fail", Code: "NOT_FOUND"})
	p.send(`{"type":"subscribe","id":"3","payload":{"query":"{ Zanzibar }"}}`)
	want("what is no query on a websocket", transport.Measured{Transport: "websocket", Operation: "none", Code: "GRAPHQL_VALIDATION_FAILED"})
	p.send(`{"type":"subscribe","id":"4","payload":{"query":"subscription{forever}"}}`)
	for { // until it is heard
		if websockets, streams, operations := s.connections.Counts(); websockets == 1 && streams == 0 && operations == 1 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	p.send(`{"type":"complete","id":"4"}`)
	want("one that its client ends", transport.Measured{Transport: "websocket", Operation: "forever", Code: "OK", Subscription: true})
	if len(l.list) > 0 {
		t.Errorf("measured besides: %+v", l.list)
	}
}
