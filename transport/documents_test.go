package transport_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"kyrochat/transport"
)

func TestVariablesAreReadByTheLetter(t *testing.T) {
	t.Parallel()
	contract := gqlparser.MustLoadSchema(&ast.Source{Input: schema})
	const ok = ""
	for name, c := range map[string]struct{ declared, given, want, message string }{
		"absent":                {"$n: Int", `{}`, `{}`, ok},
		"default is left":       {"$n: Int! = 3", `{}`, `{}`, ok},
		"null":                  {"$n: Int", `{"n":null}`, `{"n":null}`, ok},
		"required":              {"$n: Int!", `{}`, "", "Variable $n: it is required."},
		"null for required":     {"$n: Int! = 3", `{"n":null}`, "", "Variable $n: it cannot be null."},
		"undeclared":            {"$n: Int", `{"n":1,"m":2}`, `{"n":1}`, ok},
		"whole":                 {"$n: Int", `{"n":-5}`, `{"n":-5}`, ok},
		"whole with a point":    {"$n: Int", `{"n":5.0}`, `{"n":5}`, ok},
		"whole with exponent":   {"$n: Int", `{"n":1e2}`, `{"n":100}`, ok},
		"fraction":              {"$n: Int", `{"n":5.5}`, "", "Variable $n: expected a whole number."},
		"more than 32 bits":     {"$n: Int", `{"n":2147483648}`, "", "Variable $n: an Int has 32 bits."},
		"text for Int":          {"$n: Int", `{"n":"canary"}`, "", "Variable $n: expected an Int, got a text."},
		"truth for Int":         {"$n: Int", `{"n":true}`, "", "Variable $n: expected an Int, got a truth value."},
		"Float":                 {"$n: Float", `{"n":1.5}`, `{"n":1.5}`, ok},
		"whole Float":           {"$n: Float", `{"n":2}`, `{"n":2}`, ok},
		"NaN for Float":         {"$n: Float", `{"n":"NaN"}`, "", "Variable $n: expected a Float, got a text."},
		"huge Float":            {"$n: Float", `{"n":1e999}`, "", "Variable $n: the number is out of range."},
		"number for String":     {"$n: String", `{"n":5}`, "", "Variable $n: expected a String, got a number."},
		"object for String":     {"$n: String", `{"n":{}}`, "", "Variable $n: expected a String, got an object."},
		"NUL":                   {"$n: String", `{"n":"a\u0000"}`, "", "Variable $n: it holds a NUL character, which cannot be stored."},
		"text for Boolean":      {"$n: Boolean", `{"n":"true"}`, "", "Variable $n: expected a Boolean, got a text."},
		"Boolean":               {"$n: Boolean", `{"n":false}`, `{"n":false}`, ok},
		"ID":                    {"$n: ID", `{"n":"bot_1"}`, `{"n":"bot_1"}`, ok},
		"whole for ID":          {"$n: ID", `{"n":42}`, `{"n":"42"}`, ok},
		"fraction for ID":       {"$n: ID", `{"n":4.2}`, "", "Variable $n: expected an ID, got a number."},
		"enum":                  {"$n: Mood", `{"n":"BAD"}`, `{"n":"BAD"}`, ok},
		"enum in small letters": {"$n: Mood", `{"n":"bad"}`, "", "Variable $n: expected a value of the enum Mood."},
		"number for enum":       {"$n: Mood", `{"n":0}`, "", "Variable $n: expected a value of the enum Mood."},
		"list":                  {"$n: [Int!]", `{"n":[1,2]}`, `{"n":[1,2]}`, ok},
		"one for a list":        {"$n: [Int!]", `{"n":1}`, `{"n":[1]}`, ok},
		"one for lists":         {"$n: [[Int!]]", `{"n":1}`, `{"n":[[1]]}`, ok},
		"null in a list":        {"$n: [Int!]", `{"n":[1,null]}`, "", "Variable $n[1]: it cannot be null."},
		"nulls in a list":       {"$n: [Int]", `{"n":[1,null]}`, `{"n":[1,null]}`, ok},
		"object":                {"$n: Filter", `{"n":{"text":"x","moods":"BAD","below":null}}`, `{"n":{"below":null,"moods":["BAD"],"text":"x"}}`, ok},
		"deep":                  {"$n: Filter", `{"n":{"text":"x","below":{"text":7}}}`, "", "Variable $n.below.text: expected a String, got a number."},
		"deep list":             {"$n: Filter", `{"n":{"text":"x","moods":["GOOD","canary"]}}`, "", "Variable $n.moods[1]: expected a value of the enum Mood."},
		"unknown member":        {"$n: Filter", `{"n":{"text":"x","nope":1}}`, "", `Variable $n: the type Filter has no field "nope".`},
		"member required":       {"$n: Filter", `{"n":{}}`, "", "Variable $n.text: it is required."},
		"member not null":       {"$n: Filter", `{"n":{"text":"x","limit":null}}`, "", "Variable $n.limit: it cannot be null."},
		"text for object":       {"$n: Filter", `{"n":"canary"}`, "", "Variable $n: expected an object of the type Filter, got a text."},
		"NUL in a scalar":       {"$n: Upload", `{"n":"\u0000"}`, "", "Variable $n: it holds a NUL character, which cannot be stored."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var given map[string]any
			decoder := json.NewDecoder(strings.NewReader(c.given))
			decoder.UseNumber()
			if err := decoder.Decode(&given); err != nil {
				t.Fatal(err)
			}
			got, err := transport.ReadVariables(contract, "query("+c.declared+"){hello}", given)
			if err != nil {
				if err.Message != c.message || err.Extensions["code"] != "BAD_USER_INPUT" {
					t.Errorf("%s %v, want %q", err.Message, err.Extensions, c.message)
				}
				return
			}
			text, _ := json.Marshal(got)
			if c.message != "" || string(text) != c.want {
				t.Errorf("%s, want %s %s", text, c.want, c.message)
			}
		})
	}
}

func TestDocumentsAreChecked(t *testing.T) {
	t.Parallel()
	open := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
	closed := newClosedServer(t)
	for name, c := range map[string]struct{ query, open, closed, message string }{
		"two streams":             {"subscription{a:count(to:1) b:count(to:2)}", "GRAPHQL_VALIDATION_FAILED", "GRAPHQL_VALIDATION_FAILED", "A subscription selects one field; start one for each stream."},
		"two streams by fragment": {"subscription{...F a:count(to:1)} fragment F on Subscription{forever}", "GRAPHQL_VALIDATION_FAILED", "GRAPHQL_VALIDATION_FAILED", "A subscription selects one field; start one for each stream."},
		"schema as a stream":      {"subscription{__typename}", "GRAPHQL_VALIDATION_FAILED", "GRAPHQL_VALIDATION_FAILED", "A subscription cannot select __typename."},
		"NUL":                     {`{hello(name:"a\u0000")}`, "GRAPHQL_VALIDATION_FAILED", "GRAPHQL_VALIDATION_FAILED", "A string holds a NUL character, which cannot be stored."},
		"NUL below":               {`{search(ids:[],filter:{text:"a\u0000"})}`, "GRAPHQL_VALIDATION_FAILED", "GRAPHQL_VALIDATION_FAILED", "A string holds a NUL character, which cannot be stored."},
		"file twice":              {"mutation($f:Upload!){a:upload(file:$f) b:skip(file:$f)}", "GRAPHQL_VALIDATION_FAILED", "GRAPHQL_VALIDATION_FAILED", "A file can be used once, and $f is used more often"},
		"file twice in an input":  {"mutation($i:FileInput!){a:uploadIn(input:$i) b:uploadIn(input:$i)}", "GRAPHQL_VALIDATION_FAILED", "GRAPHQL_VALIDATION_FAILED", "A file can be used once, and $i is used more often"},
		"schema":                  {"{__schema{types{name}}}", "", "INTROSPECTION_DISABLED", ""},
		"a type, in a fragment":   {"query{...F} fragment F on Query{...{__type(name:\"Query\"){name}}}", "", "INTROSPECTION_DISABLED", ""},
		"no operation named":      {"query a{hello} query b{hello}", "GRAPHQL_VALIDATION_FAILED", "GRAPHQL_VALIDATION_FAILED", "The document has 2 operations: say by operationName which one is to run."},
	} {
		for s, code := range map[*server]string{open: c.open, closed: c.closed} {
			body, _ := json.Marshal(map[string]any{"query": c.query})
			for range 2 { // the second time from the cache, where there is one
				got := s.send(t, s.request(t, "POST", "", string(body)))
				if got.code() != code || c.message != "" && !strings.HasPrefix(got.Errors[0].Message, c.message) {
					t.Errorf("%s: %s", name, got.text)
				}
			}
		}
	}
	if log := open.log.String() + closed.log.String(); log != "" {
		t.Errorf("logged: %s", log)
	}
}

func TestClosedServersSuggestNothing(t *testing.T) {
	t.Parallel()
	open := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
	closed := newClosedServer(t)
	for _, query := range []string{
		"{hallo}", "{hello(nome:1)}", "query($f:Filtor){hello}", "{search(ids:[],mood:GOD)}", "{search(ids:[],filter:{txt:1})}", "{viewer{name}}",
	} {
		body, _ := json.Marshal(map[string]any{"query": query})
		if got := closed.send(t, closed.request(t, "POST", "", string(body))); got.code() != "GRAPHQL_VALIDATION_FAILED" || strings.Contains(got.text, "Did you mean") {
			t.Errorf("%s: %s", query, got.text)
		}
	}
	if got := open.send(t, open.request(t, "POST", "", `{"query":"{hallo}"}`)); !strings.Contains(got.text, "Did you mean") {
		t.Errorf("in development: %s", got.text)
	}
}

// What is wrong may be a password in the wrong place.
func TestValuesAreNotEchoed(t *testing.T) {
	t.Parallel()
	open, closed := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{}), newClosedServer(t)
	for query, message := range map[string]string{
		`{limit(n:"canary")}`:                 "Int cannot represent non-integer value.",
		`{hello(name:CANARY)}`:                "String cannot represent a non string value.",
		`{search(ids:[],filter:"canary")}`:    `Expected value of type "Filter".`,
		`{search(ids:[],mood:"canary")}`:      `Enum "Mood" cannot represent non-enum value.`,
		`{hello @skip(if:"canary")}`:          "Boolean cannot represent a non boolean value.",
		`"canary" {hello}`:                    "Unexpected String.",
		`"""canary""" {hello}`:                "Unexpected BlockString.",
		`{hello(name:"a" "canary")}`:          "Expected Name, found String",
		`{search(ids:[],share:["canary"])}`:   "Float cannot represent non numeric value.",
		`query($n:Int="canary"){limit(n:$n)}`: "Int cannot represent non-integer value.",
	} {
		body, _ := json.Marshal(map[string]any{"query": query})
		for _, s := range []*server{open, closed} {
			got := s.send(t, s.request(t, "POST", "", string(body)))
			if strings.Contains(strings.ToLower(got.text), "canary") || len(got.Errors) == 0 || got.Errors[0].Message != message {
				t.Errorf("%s: %s", query, got.text)
			}
		}
	}
}
