package program

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// What an attack may cost. Both are far more than what any does cost, for a slow machine with the race detector must not
// fail; the log tells what it was.
const (
	attackTime   = 10 * time.Second
	attackMemory = 256 << 20 // bytes allocated
)

// attack is a request that is to be refused, or answered for little.
type attack struct {
	name      string
	query     string
	variables string // JSON; none where empty
	code      string // of the first error; none where empty
}

func repeated(n int, format string) string {
	var b strings.Builder
	for i := range n {
		if strings.Contains(format, "%") {
			fmt.Fprintf(&b, format+" ", i)
		} else {
			b.WriteString(format + " ")
		}
	}
	return b.String()
}

func nest(n int, open, middle, shut string) string {
	return strings.Repeat(open, n) + middle + strings.Repeat(shut, n)
}

// attacks are documents and variables that ask for too much.
func attacks(bot, answer string) []attack {
	logIn := `logIn(input:{email:"a@example.com",password:"wrong horse battery"}){errors{code}}`
	doubling := func(n int, last string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, " fragment F%d on Query{...F%d ...F%d}", i, i+1, i+1)
		}
		return "{...F0 serverInfo{version}}" + b.String() + fmt.Sprintf(" fragment F%d on Query", n) + last
	}
	pages := func(size string) string {
		return "{viewer{bots(" + size + "){nodes{conversations(" + size + "){nodes{messages(" + size + "){nodes{id}}}}}}}}"
	}
	return []attack{
		{"a megabyte of one field", "{" + strings.Repeat("serverInfo{version} ", 50_000) + "}", "", "PAYLOAD_TOO_LARGE"},
		{"200 KB of one field", "{" + strings.Repeat("serverInfo{version} ", 10_000) + "}", "", "DOCUMENT_TOO_LARGE"},
		{"30 KB of one field", "{serverInfo{" + strings.Repeat("version ", 3900) + "}}", "", "TOO_MANY_FIELDS"},
		{"fragments that double 30 times", doubling(30, "{serverInfo{version}}"), "", "TOO_MANY_FIELDS"},
		{"fragments that double to nothing", doubling(30, "{...Nope}"), "", "TOO_MANY_FIELDS"},
		{"fragments that double in a circle", doubling(30, "{...F0}"), "", "GRAPHQL_VALIDATION_FAILED"},
		{"fragments that double unused", strings.Replace(doubling(30, "{serverInfo{version}}"), "...F0 ", "", 1), "", "TOO_MANY_FIELDS"},
		{"fragments without an operation", strings.TrimPrefix(doubling(30, "{serverInfo{version}}"), "{...F0 serverInfo{version}}"), "", "GRAPHQL_VALIDATION_FAILED"},
		{"a large fragment in 300 operations", repeated(300, "query q%d{...F}") + "fragment F on Query{serverInfo{" + strings.Repeat("version ", 500) + "}}", "", "TOO_MANY_FIELDS"},
		{"a large fragment that is not used", "{serverInfo{version}} fragment F on ServerInfo{" + strings.Repeat("version ", 3900) + "}", "", "TOO_MANY_FIELDS"},
		{"1,000 aliases", "{" + repeated(1000, "a%d:__typename") + "}", "", "TOO_MANY_FIELDS"},
		{"500 aliases", "{serverInfo{" + repeated(500, "a%d:version") + "}}", "", "TOO_MANY_ALIASES"},
		{"1,000 directives", "{__typename " + strings.Repeat("@skip(if:false)", 500) + "}", "", "TOO_MANY_DIRECTIVES"},
		{"1,000 unknown directives", "{__typename " + strings.Repeat("@a", 1000) + "}", "", "TOO_MANY_DIRECTIVES"},
		{"depth 50", "{message(id:\"" + answer + "\"){" + nest(48, "parent{", "id", "}") + "}}", "", "DOCUMENT_TOO_DEEP"},
		{"depth 10,000", nest(10_000, "{a", "", "}"), "", "GRAPHQL_PARSE_FAILED"},
		{"braces", strings.Repeat("{", 30_000), "", "GRAPHQL_PARSE_FAILED"},
		{"a deep list", "{nodes(ids:" + nest(1500, "[", "", "]") + "){id}}", "", "GRAPHQL_PARSE_FAILED"},
		{"a deep type", "query($a:" + nest(3000, "[", "ID", "]") + "){__typename}", "", "GRAPHQL_PARSE_FAILED"},
		{"500 sign-ins", "mutation{" + repeated(500, "a%d:"+logIn) + "}", "", "DOCUMENT_TOO_LARGE"},
		{"50 sign-ins", "mutation{" + repeated(50, "a%d:"+logIn) + "}", "", "TOO_MANY_MUTATIONS"},
		{"2 sign-ins", "mutation{a:" + logIn + " ...F} fragment F on Mutation{...{b:" + logIn + "}}", "", "TOO_MANY_MUTATIONS"},
		{"6 mutations", "mutation{" + repeated(6, `a%d:deleteBot(input:{botId:"bot_999999"}){deletedId}`) + "}", "", "TOO_MANY_MUTATIONS"},
		{"31 fields at the top", "{" + strings.Repeat("__typename ", 31) + "}", "", "TOO_MANY_ROOT_FIELDS"},
		{"large pages", pages("first:100"), "", "COMPLEXITY_LIMIT_EXCEEDED"},
		{"large pages from the end", pages("last:100"), "", "COMPLEXITY_LIMIT_EXCEEDED"},
		{"large pages by a variable", "query($n:Int)" + pages("first:$n"), `{"n":100}`, "COMPLEXITY_LIMIT_EXCEEDED"},
		{"large pages by a default", "query($n:Int=100)" + pages("first:$n"), "", "COMPLEXITY_LIMIT_EXCEEDED"},
		{"large pages in fragments", "{viewer{...A}} fragment A on User{bots(first:100){edges{node{...B}}}} fragment B on Bot{conversations(first:100){edges{node{...C}}}} fragment C on Conversation{messages(first:100){nodes{id}}}", "", "COMPLEXITY_LIMIT_EXCEEDED"},
		{"pages that lie by a null", "query($n:Int=1)" + pages("first:$n"), `{"n":null}`, ""},
		{"a huge page", "{viewer{bots(first:1000000){nodes{id}}}}", "", "BAD_USER_INPUT"},
		{"a huge page by a variable", "query($n:Int){viewer{bots(first:$n){nodes{id}}}}", `{"n":2147483647}`, "BAD_USER_INPUT"},
		{"a page of 2^31", "{viewer{bots(first:2147483648){nodes{id}}}}", "", "BAD_USER_INPUT"},
		{"a page of 2^31 by a variable", "query($n:Int){viewer{bots(first:$n){nodes{id}}}}", `{"n":2147483648}`, "BAD_USER_INPUT"},
		{"a page of 2^31 by default", "query($n:Int=2147483648){viewer{bots(first:$n){nodes{id}}}}", "", "BAD_USER_INPUT"},
		{"a page of 10^20", "{viewer{bots(first:100000000000000000000){nodes{id}}}}", "", "GRAPHQL_VALIDATION_FAILED"},
		{"a page of 10^20 by a variable", "query($n:Int){viewer{bots(first:$n){nodes{id}}}}", `{"n":100000000000000000000}`, "BAD_USER_INPUT"},
		{"a page of 10^20 by default", "query($n:Int=100000000000000000000){viewer{bots(first:$n){nodes{id}}}}", "", "GRAPHQL_VALIDATION_FAILED"},
		{"a page of 1e400", "query($n:Int){viewer{bots(first:$n){nodes{id}}}}", `{"n":1e400}`, "BAD_USER_INPUT"},
		{"a page below nothing", "{viewer{bots(first:-1){nodes{id}}}}", "", "BAD_USER_INPUT"},
		{"half a page", "{viewer{bots(first:1.5){nodes{id}}}}", "", "GRAPHQL_VALIDATION_FAILED"},
		{"half a page by a variable", "query($n:Int){viewer{bots(first:$n){nodes{id}}}}", `{"n":1.5}`, "BAD_USER_INPUT"},
		{"a page as a text", `{viewer{bots(first:"1"){nodes{id}}}}`, "", "GRAPHQL_VALIDATION_FAILED"},
		{"a page as a text by a variable", "query($n:Int){viewer{bots(first:$n){nodes{id}}}}", `{"n":"100"}`, "BAD_USER_INPUT"},
		{"pages both ways", "{viewer{bots(first:1 last:100){nodes{id}}}}", "", "BAD_USER_INPUT"},
		{"a temperature of 1e400", `mutation{updateBot(input:{botId:"` + bot + `",temperature:1e400}){bot{id}}}`, "", "GRAPHQL_VALIDATION_FAILED"},
		{"siblings of siblings", "{message(id:\"" + answer + "\"){" + nest(6, "siblings{", "id", "}") + "}}", "", "COMPLEXITY_LIMIT_EXCEEDED"},
		{"whole texts", "{viewer{bots{nodes{documents{nodes{" + repeated(20, "a%d:text") + "}}}}}}", "", "COMPLEXITY_LIMIT_EXCEEDED"},
		{"101 ids", "query($i:[ID!]!){nodes(ids:$i){id}}", `{"i":[` + strings.TrimSuffix(strings.Repeat(`"bot_1",`, 101), ",") + `]}`, "VARIABLES_TOO_LONG"},
		{"101 ids in the document", "{nodes(ids:[" + strings.Repeat(`"bot_1" `, 101) + "]){id}}", "", "BAD_USER_INPUT"},
		{"ids by default", "query($i:[ID!]!=[" + strings.Repeat(`"bot_1" `, 100) + "]){nodes(ids:$i){... on Bot{conversations(first:100){nodes{messages(first:100){nodes{id}}}}}}}", "", "COMPLEXITY_LIMIT_EXCEEDED"},
		{"deep variables", "query($i:ID!){node(id:$i){id}}", `{"i":"bot_1","x":` + nest(9_000, "[", "", "]") + `}`, "VARIABLES_TOO_DEEP"},
		{"deep objects", "query($i:ID!){node(id:$i){id}}", `{"i":"bot_1","x":` + nest(5_000, `{"a":`, "1", "}") + `}`, "VARIABLES_TOO_DEEP"},
		{"many variables", "query($i:ID!){node(id:$i){id}}", `{"i":"bot_999999"` + strings.ReplaceAll(repeated(9_000, `,"v%d":[{}]`), " ", "") + `}`, ""},
		{"901 wrong arguments", "{node(" + repeated(901, "a%d:1") + "){id}}", "", "GRAPHQL_VALIDATION_FAILED"},
		{"a long name", "{" + strings.Repeat("a", 32_000) + "}", "", "GRAPHQL_VALIDATION_FAILED"},
		{"introspection", "{" + strings.Repeat("__schema{types{fields{type{fields{name description isDeprecated deprecationReason type{name kind}}}}}}", 7) + "}", "", ""},
		{"introspection in circles", "{__schema{types{" + nest(8, "fields{type{", "name", "}}") + "}}}", "", "GRAPHQL_VALIDATION_FAILED"},
		{"a subscription of two", "subscription{a:documentProgress(botId:\"" + bot + "\"){status} b:documentProgress(botId:\"" + bot + "\"){status}}", "", "GRAPHQL_VALIDATION_FAILED"},
		{"an event that costs much", "subscription{documentProgress(botId:\"" + bot + "\"){document{bot{conversations(first:50){nodes{messages(first:50){nodes{id}}}}}}}}", "", "COMPLEXITY_LIMIT_EXCEEDED"},
	}
}

func TestAttacks(t *testing.T) {
	// What others allocate meanwhile would count, so no other test runs beside it.
	oneAfterAnother(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		bot := p.newBot()
		p.know(bot, "Tea", teaText)
		answer := p.send(vars{"botId": bot, "text": "Who founded the tea house?"}).text("sendMessage.botMessage.id")
		p.hear(answer)
		honest := s.askAllTheTime(t)
		for _, a := range attacks(bot, answer) {
			for way, send := range ways {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				start := time.Now()
				status, code := send(t, p, a)
				took := time.Since(start)
				runtime.ReadMemStats(&after)
				allocated := after.TotalAlloc - before.TotalAlloc
				t.Logf("%-36s %-18s %3d %-28s %8s %6d KB", a.name, way, status, code, took.Round(100*time.Microsecond), allocated>>10)
				if code != a.code || !statusOf(way, a.code, status) {
					t.Errorf("%s, by %s: %d %s, want %s", a.name, way, status, code, a.code)
				}
				if took > attackTime || allocated > attackMemory {
					t.Errorf("%s, by %s: it took %s and %d bytes", a.name, way, took, allocated)
				}
			}
		}
		n, longest := honest()
		t.Logf("meanwhile %d honest queries were answered, the slowest in %s", n, longest)
	})
}

// statusOf reports whether a refusal has the status that it should: errors of fields, and all in the old media type, are
// told in an answer that is all right by itself.
func statusOf(way, code string, status int) bool {
	switch {
	case status == 0:
		return true
	case code == "PAYLOAD_TOO_LARGE":
		return status == http.StatusRequestEntityTooLarge
	case way == "the new media type" && status == http.StatusBadRequest:
		return code != ""
	default:
		return status == http.StatusOK
	}
}

// askAllTheTime sends honest queries until the function it gives is called.
func (s *testServer) askAllTheTime(t *testing.T) (stop func() (n int, longest time.Duration)) {
	p := s.signUp(t)
	p.newBot()
	done := make(chan struct{})
	n, longest := 0, time.Duration(0)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			start := time.Now()
			if r := p.ask(`{ viewer { email bots { nodes { name } } } }`, nil); r.tree["errors"] != nil {
				t.Errorf("an honest query got %s", r.body)
				return
			}
			n, longest = n+1, max(longest, time.Since(start))
		}
	})
	return func() (int, time.Duration) { close(done); wg.Wait(); return n, longest }
}

// ways are how an operation can be sent; each gives the status and the first error's code.
var ways = map[string]func(t *testing.T, p *person, a attack) (status int, code string){
	"the new media type": func(t *testing.T, p *person, a attack) (int, string) {
		return p.raw(t, http.MethodPost, "", a.body(), "Content-Type: application/json", "Accept: application/graphql-response+json")
	},
	"POST": func(t *testing.T, p *person, a attack) (int, string) {
		return p.raw(t, http.MethodPost, "", a.body(), "Content-Type: application/json")
	},
	"GET": func(t *testing.T, p *person, a attack) (int, string) {
		v := url.Values{"query": {a.query}}
		if a.variables != "" {
			v.Set("variables", a.variables)
		}
		if len(v.Encode()) > 32_000 {
			return 0, a.code // net/http refuses such an address by itself
		}
		return p.raw(t, http.MethodGet, "?"+v.Encode(), "")
	},
	"SSE": func(t *testing.T, p *person, a attack) (int, string) {
		return p.raw(t, http.MethodPost, "", a.body(), "Content-Type: application/json", "Accept: text/event-stream")
	},
	"websocket": func(t *testing.T, p *person, a attack) (int, string) {
		c := p.socket(t)
		defer func() { _ = c.CloseNow() }()
		if code := c.ask(a.body()); code != "1009" {
			return 200, code
		}
		return 413, "PAYLOAD_TOO_LARGE"
	},
}

func (a attack) body() string {
	members := map[string]any{"query": a.query}
	if strings.HasPrefix(a.query, "query q0") {
		members["operationName"] = "q0"
	}
	text, _ := json.Marshal(members)
	if a.variables != "" {
		return string(text[:len(text)-1]) + `,"variables":` + a.variables + "}"
	}
	return string(text)
}
