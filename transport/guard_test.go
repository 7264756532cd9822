package transport_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"kyrochat/transport"
)

// doubling are fragments each of which spreads the next twice, so that the last counts 2^n times.
func doubling(n int) string {
	var b strings.Builder
	b.WriteString("{...F0}")
	for i := range n {
		fmt.Fprintf(&b, " fragment F%d on Query{...F%d ...F%d}", i, i+1, i+1)
	}
	fmt.Fprintf(&b, " fragment F%d on Query{hello}", n)
	return b.String()
}

// doublingTo is doubling with fields that matter only outside of the fragments, and a last fragment of the caller's.
func doublingTo(n int, last string) string {
	return strings.Replace(doubling(n), fmt.Sprintf("fragment F%d on Query{hello}", n), last, 1)
}

func nested(levels int) string {
	return "{tree" + strings.Repeat("{tree", levels-2) + "{leaf}" + strings.Repeat("}", levels-1)
}

func numbered(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format+" ", i)
	}
	return b.String()
}

// everyOther are fragments each of which spreads all others.
func everyOther(n int) string {
	var b strings.Builder
	b.WriteString("{...F0}")
	for i := range n {
		fmt.Fprintf(&b, " fragment F%d on Query{", i)
		for j := range n {
			if j != i {
				fmt.Fprintf(&b, "...F%d ", j)
			}
		}
		b.WriteString("}")
	}
	return b.String()
}

const standardIntrospection = `{__schema{types{fields{args{type{ofType{ofType{ofType{ofType{ofType{ofType{ofType{ofType{ofType{name}}}}}}}}}}}}}}}`

func TestDocumentsThatAskForTooMuch(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{MaxBody: 2 << 20}, transport.Multipart{}, &transport.Websocket{})
	for name, c := range map[string]struct{ query, code string }{
		"bytes":                       {"{" + strings.Repeat(" ", 32<<10) + "hello}", "DOCUMENT_TOO_LARGE"},
		"a megabyte of fields":        {"{" + strings.Repeat("hello ", 170_000) + "}", "DOCUMENT_TOO_LARGE"},
		"tokens":                      {"{" + strings.Repeat("a ", 4000) + "}", "TOO_MANY_TOKENS"},
		"fields, the most":            {"{tree{" + strings.Repeat("leaf ", 599) + "}}", ""},
		"fields":                      {"{tree{" + strings.Repeat("leaf ", 600) + "}}", "TOO_MANY_FIELDS"},
		"fragments that double":       {doubling(30), "TOO_MANY_FIELDS"},
		"fragments in a circle":       {"{...F} fragment F on Query{...G} fragment G on Query{hello ...F}", "GRAPHQL_VALIDATION_FAILED"},
		"doubling to nothing":         {doublingTo(30, "fragment F30 on Query{...Nope}"), "TOO_MANY_FIELDS"},
		"doubling in a circle":        {doublingTo(30, "fragment F30 on Query{...F30}"), "GRAPHQL_VALIDATION_FAILED"},
		"doubling, and not used":      {"{hello}" + strings.TrimPrefix(doubling(30), "{...F0}"), "TOO_MANY_FIELDS"},
		"doubling without operation":  {strings.TrimPrefix(doubling(30), "{...F0}"), "GRAPHQL_VALIDATION_FAILED"},
		"everything in a circle":      {everyOther(12), "GRAPHQL_VALIDATION_FAILED"},
		"a fragment that is not used": {"{hello} fragment F on Tree{" + strings.Repeat("leaf ", 3900) + "}", "TOO_MANY_FIELDS"},
		"operations, the most":        {numbered(5, "query q%d{tree{...F}}") + "fragment F on Tree{" + strings.Repeat("leaf ", 499) + "}", ""},
		"operations":                  {numbered(100, "query q%d{tree{...F}}") + "fragment F on Tree{" + strings.Repeat("leaf ", 550) + "}", "TOO_MANY_FIELDS"},
		"depth, the most":             {nested(15), ""},
		"depth":                       {nested(16), "DOCUMENT_TOO_DEEP"},
		"depth in a fragment":         {"{tree{...F}} fragment F on Tree" + nested(15), "DOCUMENT_TOO_DEEP"},
		"introspection":               {standardIntrospection, ""},
		"aliases, the most":           {"{tree{" + numbered(50, "a%d:leaf") + "}}", ""},
		"aliases":                     {"{tree{" + numbered(51, "a%d:leaf") + "}}", "TOO_MANY_ALIASES"},
		"directives":                  {"{hello " + strings.Repeat("@skip(if:false)", 51) + "}", "TOO_MANY_DIRECTIVES"},
		"unknown directives":          {"{hello " + strings.Repeat("@a", 1000) + "}", "TOO_MANY_DIRECTIVES"},
		"root fields, the most":       {"{" + numbered(30, "a%d:hello") + "}", ""},
		"root fields":                 {"{" + numbered(31, "a%d:hello") + "}", "TOO_MANY_ROOT_FIELDS"},
		"root fields by a fragment":   {"{...F " + numbered(16, "a%d:hello") + "} fragment F on Query{" + numbered(15, "b%d:hello") + "}", "TOO_MANY_ROOT_FIELDS"},
		"mutations, the most":         {"mutation{" + numbered(5, "a%d:touch") + "}", ""},
		"mutations":                   {"mutation{" + numbered(6, "a%d:touch") + "}", "TOO_MANY_MUTATIONS"},
		"sign-ins":                    {"mutation{" + numbered(2, "a%d:logIn") + "}", "TOO_MANY_MUTATIONS"},
		"sign-ins by a fragment":      {"mutation{logIn ...F} fragment F on Mutation{b:logIn}", "TOO_MANY_MUTATIONS"},
		"another operation":           {"query A{hello} mutation B{" + numbered(6, "a%d:touch") + "}", "TOO_MANY_MUTATIONS"},
		"pages in pages, the default": {"{page{nodes{page{nodes{page{nodes{leaf}}}}}}}", ""},
		"pages in pages":              {"{page(first:100){nodes{page(first:100){nodes{page(first:100){nodes{leaf}}}}}}}", "COMPLEXITY_LIMIT_EXCEEDED"},
		"a huge page costs the most":  {"{page(first:2000000000){nodes{page(last:2000000000){nodes{leaf}}}}}", "COMPLEXITY_LIMIT_EXCEEDED"},
		"a page below nothing":        {"{page(first:-5){nodes{leaf}}}", ""},
	} {
		body, _ := json.Marshal(map[string]any{"query": c.query, "operationName": map[bool]any{true: "A", false: nil}[strings.HasPrefix(c.query, "query A")]})
		if strings.HasPrefix(c.query, "query q0") {
			body, _ = json.Marshal(map[string]any{"query": c.query, "operationName": "q0"})
		}
		start := time.Now()
		got := s.send(t, s.request(t, "POST", "", string(body)))
		if got.code() != c.code {
			t.Errorf("%s: %.300s", name, got.text)
		}
		if strings.HasPrefix(got.code(), "TOO_MANY") && !strings.Contains(got.text, "at most") {
			t.Errorf("%s: the limit is not told: %s", name, got.text)
		}
		t.Logf("%s: %s", name, time.Since(start))
	}
	if log := s.log.String(); log != "" {
		t.Errorf("logged: %.500s", log)
	}
}

func TestCost(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
	for query, cost := range map[string]int{
		`{"query":"{hello}"}`:                                                                   1,
		`{"query":"{page{nodes{leaf}}}"}`:                                                       1 + 20*2,
		`{"query":"{page(first:3){nodes{leaf}}}"}`:                                              1 + 3*2,
		`{"query":"query($n:Int){page(first:$n){nodes{leaf}}}","variables":{"n":4}}`:            1 + 4*2,
		`{"query":"query($n:Int=7){page(first:$n){nodes{leaf}}}"}`:                              1 + 7*2,
		`{"query":"query($n:Int=7){page(last:$n){...F}} fragment F on TreePage{nodes{leaf}}"}`:  1 + 7*2,
		`{"query":"query($n:Int=1){page(first:$n){nodes{leaf}}}","variables":{"n":null}}`:       1 + 20*2,
		`{"query":"query($n:Int=1){page(first:$n, last:1){nodes{leaf}}}"}`:                      1 + 2,
		`{"query":"query($n:Int){page(first:$n){nodes{leaf}}}"}`:                                1 + 20*2,
		`{"query":"query($i:[ID!]!=[\"a\",\"b\",\"c\"]){those(ids:$i){leaf}}"}`:                 1 + 3,
		`{"query":"query($i:ID!){those(ids:[$i,$i,$i,$i]){leaf}}","variables":{"i":"a"}}`:       1 + 4,
		`{"query":"{tree{siblings{siblings{leaf}}}}"}`:                                          1 + 1 + 5*(1+20),
		`{"query":"{tree{siblings{leaf}}}"}`:                                                    1 + 1 + 5,
		`{"query":"{tree{siblings{...F}}} fragment F on Tree{siblings{tree{siblings{leaf}}}}"}`: 1 + 1 + 5*(1+20*(1+1+20)),
		`{"query":"{tree{...F siblings{...F}}} fragment F on Tree{siblings{leaf}}"}`:            1 + (1 + 5) + 1 + 5*(1+20),
		`{"query":"{tree{text}}"}`:                                                              1 + 50 + 10,
		`{"query":"{tree{text(length:2000)}}"}`:                                                 1 + 50 + 2,
		`{"query":"{tree{text(length:2000000000)}}"}`:                                           1 + 50 + 10,
		`{"query":"{tree{text(length:-5)}}"}`:                                                   1 + 50,
		`{"query":"query($n:Int=1){tree{text(length:$n)}}","variables":{"n":null}}`:             1 + 50 + 10,
		`{"query":"{bot{search(query:\"q\"){leaf}}}"}`:                                          1 + 1_000 + 20,
		`{"query":"{bot{analytics{series}}}"}`:                                                  1 + 1_000 + 1,
		`{"query":"{bot{analytics{topDocuments{leaf} x: topDocuments(first:3){leaf}}}}"}`:       1 + 1_000 + 200 + 20 + 200 + 3,
		`{"query":"{bot{leaf search(query:\"q\",first:3){leaf text}}}"}`:                        1 + 1 + 1_000 + 3*(1+60),
		`{"query":"{trees{leaf}}"}`:                                                             1 + 5,
		`{"query":"query($i:[ID!]!){those(ids:$i){leaf}}","variables":{"i":["a","b"]}}`:         1 + 2,
		`{"query":"mutation{logIn}"}`:                                                           100,
	} {
		r := s.request(t, "POST", "", query)
		answer, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Extensions struct{ Cost transport.Cost }
		}
		err = json.NewDecoder(answer.Body).Decode(&got)
		answer.Body.Close()
		if err != nil || got.Extensions.Cost != (transport.Cost{Requested: cost, Max: 20_000}) {
			t.Errorf("%s: %+v, %v; want %d", query, got, err, cost)
		}
	}
}

func TestVariablesAreBounded(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
	ids := func(n int) string { return "[" + strings.TrimSuffix(strings.Repeat(`"a",`, n), ",") + "]" }
	deep := func(open, shut string, n int) string { return strings.Repeat(open, n) + "1" + strings.Repeat(shut, n) }
	for variables, code := range map[string]string{
		`{"ids":` + ids(100) + `}`:                         "",
		`{"ids":` + ids(101) + `}`:                         "VARIABLES_TOO_LONG",
		`{"ids":["a"],"unused":{"x":` + ids(101) + `}}`:    "VARIABLES_TOO_LONG",
		`{"ids":["a"],"x":` + deep("[", "]", 19) + `}`:     "",
		`{"ids":["a"],"x":` + deep("[", "]", 20) + `}`:     "VARIABLES_TOO_DEEP",
		`{"ids":["a"],"x":` + deep(`{"x":`, "}", 20) + `}`: "VARIABLES_TOO_DEEP",
		`{"ids":` + deep("[", "]", 9000) + `}`:             "VARIABLES_TOO_DEEP",
		`{"ids":` + deep("[", "]", 11000) + `}`:            "BAD_REQUEST",
	} {
		if got := s.send(t, s.request(t, "POST", "", `{"query":"query($ids:[ID!]!){those(ids:$ids){leaf}}","variables":`+variables+`}`)); got.code() != code {
			t.Errorf("%.100s: %s", variables, got.text)
		}
	}
}

// What is remembered has a bound by size as well as by number.
func TestDocumentsAreForgotten(t *testing.T) {
	t.Parallel()
	held := transport.Remember(20, 100)
	if held > 20*100 {
		t.Errorf("%d bytes", held)
	}
	if held = transport.Remember(3000, 2000); held > 1<<20 || held < 1<<19 {
		t.Errorf("%d bytes of documents are remembered", held)
	}
	if held = transport.Remember(10, 2<<20); held != 0 {
		t.Errorf("%d bytes of documents that are too large for any are remembered", held)
	}
}
