package program

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"kyrochat/graph"
	"kyrochat/internal/gemini"
	"kyrochat/internal/smtp"
	"kyrochat/internal/testdb"
)

// scraped is what a scrape gave, by name and labels.
type scraped struct {
	text   string
	series map[string]map[string]float64 // of a metric, by its labels as they are written
}

// scrape asks the admin address as a Prometheus does.
func (s *testServer) scrape(t *testing.T) scraped {
	t.Helper()
	res, err := http.Get("http://" + s.app.adminListener.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v: %.500s", res.Status, err, text)
	}
	f := scraped{text: string(text), series: map[string]map[string]float64{}}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		series, value, found := strings.Cut(lines.Text(), " ")
		if !found || strings.HasPrefix(series, "#") {
			continue
		}
		if brace := strings.LastIndex(lines.Text(), "} "); brace >= 0 { // labels may have spaces in them
			series, value = lines.Text()[:brace+1], lines.Text()[brace+2:]
		}
		name, labels, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatalf("no number: %q", lines.Text())
		}
		if f.series[name] == nil {
			f.series[name] = map[string]float64{}
		}
		f.series[name][labels] = number
	}
	return f
}

// of adds the figures of a metric whose labels hold all of the parts.
func (f scraped) of(name string, parts ...string) (sum float64) {
	for labels, value := range f.series[name] {
		if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(labels, part) }) {
			sum += value
		}
	}
	return sum
}

var labelValue = regexp.MustCompile(`(\w+)="((?:[^"\\]|\\.)*)"`)

// values are what a label of a metric has been.
func (f scraped) values(name, label string) (list []string) {
	for labels := range f.series[name] {
		for _, pair := range labelValue.FindAllStringSubmatch(labels, -1) {
			if pair[1] == label && !slices.Contains(list, pair[2]) {
				list = append(list, pair[2])
			}
		}
	}
	return list
}

// TestMetricsTellWhatHappened: after somebody has signed up, brought a document, asked, listened and gone wrong, every
// metric is there that this server can have, and says how often.
func TestMetricsTellWhatHappened(t *testing.T) {
	u, mails := startUpstreams(t, gemini.Options{}), smtp.Start(t)
	w := u.serve(t, map[string]string{
		"KYRO_OFFLINE_PACE": "0", "SMTP_URL": mails.URL(), "KYRO_MAIL_FROM": "KyroChat <kyro@example.com>", "KYRO_PUBLIC_URL": "https://chat.example.com",
		"DATABASE_URL": testdb.PostgresURL(t), "REDIS_URL": testdb.Redis(t).URL, "KYRO_SIGNUP": "open",
	})
	s := w.testServer
	p := s.signUp(t)
	bot := p.newBot()
	document := p.know(bot, "Tea Book", teaText)
	p.upload(bot, "nothing.txt", []byte("   "))
	finished, _ := p.chat(vars{"botId": bot, "text": "When does the tea house on Pepper Lane open?"})
	if got := finished.text("messageStream.message.status"); got != "COMPLETED" {
		t.Fatalf("the answer is %s", got)
	}
	sent := p.send(vars{"botId": bot, "text": "Who founded it?"})
	second, conversation := sent.text("sendMessage.botMessage.id"), sent.text("sendMessage.conversation.id")
	for range p.events(messageStream, vars{"m": second}) {
	}
	link := p.must(`query($d: ID!) { document(id: $d) { downloadUrl } }`, vars{"d": document}).text("document.downloadUrl")
	for _, at := range []string{"/files" + link[strings.LastIndex(link, "/"):], "/uploads/nothing"} {
		res, err := http.Get(s.url + at)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	p.must(`{ viewer { email } }`, nil)
	p.must(`{ viewer { email } }`, nil)
	p.ask(`{ nonsense }`, nil).wantCode("", "GRAPHQL_VALIDATION_FAILED")
	p.ask(`{ bot(id: "bot_999999") { name } }`, nil)
	p.ask(`mutation { createBot(input: {name: " "}) { bot { id } } }`, nil)
	s.requestReset(t, p)

	var open scraped
	err := p.follow(conversationEvents, vars{"c": conversation, "a": nil}, func(*reply) bool {
		open = s.scrape(t)
		return false
	})
	if err != nil || open.of("kyrochat_connections", `transport="websocket"`) < 1 || open.of("kyrochat_websocket_operations") < 1 {
		t.Errorf("while somebody listens (%v): %v, %v", err, open.series["kyrochat_connections"], open.series["kyrochat_websocket_operations"])
	}

	wanted := []struct {
		name  string
		parts []string
		least float64
		most  float64
	}{
		{"kyrochat_build_info", []string{`database="postgresql"`, `live="redis"`, `role="all"`}, 1, 1},
		{"kyrochat_operations_total", []string{`operation="registerUser"`, `transport="http"`, `code="OK"`}, 1, 1},
		{"kyrochat_operations_total", []string{`operation="viewer"`, `code="OK"`}, 2, 2},
		{"kyrochat_operations_total", []string{`operation="uploadDocument"`, `transport="upload"`}, 1, 1},
		{"kyrochat_operations_total", []string{`operation="messageStream"`, `transport="websocket"`, `code="OK"`}, 1, 1},
		{"kyrochat_operations_total", []string{`operation="messageStream"`, `transport="sse"`, `code="OK"`}, 1, 1},
		{"kyrochat_operations_total", []string{`operation="createBot"`, `code="OK"`}, 1, 1},
		{"kyrochat_operations_total", []string{`operation="createBot"`, `code="VALIDATION"`}, 1, 1}, // told in the payload
		{"kyrochat_operations_total", []string{`operation="none"`, `code="GRAPHQL_VALIDATION_FAILED"`}, 1, 1},
		{"kyrochat_operation_duration_seconds_count", []string{`operation="viewer"`}, 2, 2},
		{"kyrochat_operation_duration_seconds_sum", []string{`operation="viewer"`}, 1e-6, 60},
		{"kyrochat_operation_duration_seconds_count", []string{`operation="messageStream"`}, 0, 0},
		{"kyrochat_transfers_total", []string{`direction="out"`, `status="2xx"`}, 1, 1},
		{"kyrochat_transfers_total", []string{`direction="in"`, `status="4xx"`}, 1, 1},
		{"kyrochat_resolver_duration_seconds_count", []string{`field="viewer"`}, 2, 2},
		{"kyrochat_resolver_duration_seconds_count", []string{`field="sendMessage"`}, 2, 2},
		{"kyrochat_sql_duration_seconds_count", []string{`statement="SELECT"`}, 1, 1e6},
		{"kyrochat_sql_duration_seconds_count", []string{`statement="PIPELINE"`}, 2, 1e6},
		{"kyrochat_sql_duration_seconds_count", []string{`statement="COMMIT"`}, 1, 1e6},
		{"kyrochat_connections", nil, 0, 1},
		{"kyrochat_websocket_operations", nil, 0, 1},
		{"kyrochat_answers_total", nil, 2, 2},
		{"kyrochat_answers_total", []string{`finish_reason="STOP"`, `grounding="GROUNDED"`}, 1, 2},
		{"kyrochat_answer_first_token_seconds_count", nil, 2, 2},
		{"kyrochat_answer_duration_seconds_count", nil, 2, 2},
		{"kyrochat_answer_tokens_total", []string{`direction="prompt"`}, 10, 1e5},
		{"kyrochat_answer_tokens_total", []string{`direction="output"`}, 2, 1e4},
		{"kyrochat_answers_running", nil, 0, 1},
		{"kyrochat_answers_waiting", nil, 0, 0},
		{"kyrochat_jobs", []string{`kind="sync"`, `state="cancelled"`}, 0, 0},
		{"kyrochat_job_oldest_available_seconds", []string{`kind="ingest"`}, 0, 600},
		{"kyrochat_job_turns_total", []string{`kind="ingest"`}, 1, 20},
		{"kyrochat_job_turns_total", []string{`kind="mail"`, `outcome="done"`}, 1, 20},
		{"kyrochat_job_turn_duration_seconds_count", []string{`kind="ingest"`}, 1, 20},
		{"kyrochat_ingest_stages_total", []string{`stage="read"`, `outcome="done"`}, 1, 2},
		{"kyrochat_ingest_stages_total", []string{`stage="embed"`, `outcome="done"`}, 1, 5},
		{"kyrochat_ingest_stages_total", []string{`stage="index"`, `outcome="done"`}, 1, 5},
		{"kyrochat_ingest_stages_total", []string{`stage="activate"`, `outcome="done"`}, 1, 1},
		{"kyrochat_ingest_stage_duration_seconds_count", []string{`stage="chunk"`}, 1, 2},
		{"kyrochat_documents_total", []string{`kind="TEXT"`, `outcome="DONE"`}, 1, 1},
		{"kyrochat_upstream_calls_total", []string{`upstream="gemini"`, `call="answer"`, `code="OK"`}, 2, 2},
		{"kyrochat_upstream_calls_total", []string{`upstream="gemini"`, `call="questions"`, `code="OK"`}, 2, 2},
		{"kyrochat_upstream_calls_total", []string{`upstream="gemini"`, `call="passages"`, `code="OK"`}, 1, 5},
		{"kyrochat_upstream_calls_total", []string{`upstream="pinecone"`, `call="Query"`, `code="OK"`}, 2, 2},
		{"kyrochat_upstream_calls_total", []string{`upstream="pinecone"`, `call="Upsert"`, `code="OK"`}, 1, 5},
		{"kyrochat_upstream_calls_total", []string{`upstream="redis"`, `call="pipeline"`, `code="OK"`}, 1, 1e5},
		{"kyrochat_upstream_call_duration_seconds_count", []string{`upstream="smtp"`}, 1, 5},
		{"kyrochat_breaker_state", []string{`upstream="gemini"`, `state="closed"`}, 3, 3},
		{"kyrochat_breaker_state", []string{`upstream="pinecone"`, `state="closed"`}, 2, 2},
		{"kyrochat_breaker_state", []string{`upstream="redis"`, `state="closed"`}, 1, 1},
		{"kyrochat_breaker_state", []string{`state="open"`}, 0, 0},
		{"kyrochat_cache_requests_total", []string{`cache="session"`, `result="hit"`}, 1, 1e4},
		{"kyrochat_cache_requests_total", []string{`cache="session"`, `result="miss"`}, 1, 1e4},
		{"kyrochat_pool_connections", []string{`pool="postgres"`}, 1, 100},
		{"kyrochat_pool_connections", []string{`pool="redis"`}, 1, 100},
		{"kyrochat_pool_max_connections", []string{`pool="postgres"`}, 4, 1000},
		{"kyrochat_pool_waits_total", []string{`pool="postgres"`}, 0, 1e5},
		{"kyrochat_pool_wait_seconds_total", []string{`pool="postgres"`}, 0, 1e5},
		{"kyrochat_look_failures_total", []string{`of="jobs"`}, 0, 100},
		{"go_goroutines", nil, 5, 5000},
		{"go_memstats_heap_alloc_bytes", nil, 1 << 20, 4 << 30},
		{"process_resident_memory_bytes", nil, 1 << 20, 16 << 30},
	}
	documented := documentedMetrics(t)
	// What ended is counted a moment later, and what cannot be read in a moment is left out of a scrape.
	var wrong []string
	defer func() {
		for _, each := range wrong {
			t.Error(each)
		}
	}()
	waitUntil(t, "all is counted", func() bool {
		wrong = nil
		f := s.scrape(t)
		for _, want := range wanted {
			if got := f.of(want.name, want.parts...); got < want.least || got > want.most || f.series[want.name] == nil && want.most > 0 {
				wrong = append(wrong, fmt.Sprintf("%s %v is %g, want %g to %g", want.name, want.parts, got, want.least, want.most))
			}
		}
		for _, name := range documented {
			if name != "kyrochat_sql_errors_total" && !strings.Contains(f.text, "# TYPE "+name+" ") {
				wrong = append(wrong, name+" is documented, and is not there after all that")
			}
		}
		return len(wrong) == 0
	})
	f := s.scrape(t)
	for _, want := range wanted { // a moment later what can be told exactly is no more than that
		if got := f.of(want.name, want.parts...); want.least == want.most && got > want.most {
			t.Errorf("%s %v has become %g, want %g", want.name, want.parts, got, want.most)
		}
	}
}

// requestReset asks for a mail.
func (s *testServer) requestReset(t *testing.T, p *person) {
	t.Helper()
	nobody := &person{t: t, s: s}
	nobody.requestMail("requestPasswordReset", p.email)
}

func documentedMetrics(t *testing.T) (names []string) {
	t.Helper()
	page, err := os.ReadFile("docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `(kyrochat_[a-z_]+)` ").FindAllStringSubmatch(string(page), -1) {
		names = append(names, row[1])
	}
	if len(names) < 25 {
		t.Fatalf("only %d metrics are documented", len(names))
	}
	return names
}

// TestLabelsHoldNothingOfClients: whatever names clients give their operations, and however many people and bots there are,
// the labels are words of the contract and of the code, and their number does not grow.
func TestLabelsHoldNothingOfClients(t *testing.T) {
	const canary = "Zanzibarbier"
	eachDatabase(t, func(t *testing.T, s *testServer) {
		var said []string // by people, or made for them
		live := func(round int) {
			for i := range 3 {
				p := s.signUp(t)
				bot := p.must(fmt.Sprintf(`mutation %s%d { createBot(input: {name: "%s"}) { bot { id } errors { code } } }`, canary, i, canary), nil).text("createBot.bot.id")
				document := p.know(bot, canary, teaText+" "+canary)
				key := p.must(newKeyMutation, vars{"n": canary, "s": []string{"READ"}, "p": password})
				finished, _ := p.chat(vars{"botId": bot, "text": canary + "?"})
				said = append(said, p.email, p.token, bot, document, key.text("createApiKey.secret"), finished.text("messageStream.message.id"))
				for _, strange := range []string{
					`query ` + canary + strconv.Itoa(round) + strconv.Itoa(i) + ` { ` + canary + `: viewer { email } }`,
					`query Q { ` + canary + strconv.Itoa(i) + ` }`, `{ viewer { ` + canary + ` } }`, `{`, ``, `query { __typename }`,
					`query { a: viewer { email } b: viewer { name } }`, `query { viewer { email } serverInfo { version } }`,
					`query { ...F } fragment F on Query { viewer { email } __typename }`, `{ __schema { queryType { name } } }`,
					`mutation ` + canary + ` { ` + canary + ` { id } }`, `{ bot(id: "` + canary + `") { name } }`, `{ bot(id: "bot_77` + strconv.Itoa(i) + `") { name } }`,
					`subscription ` + canary + ` { documentProgress(botId: "` + bot + `") { status } }`,
				} {
					p.ask(strange, vars{canary: canary})
				}
				p.named(canary+strconv.Itoa(round*10+i), `query A { viewer { email } } query B { viewer { name } }`)
			}
		}
		// What ended is counted a moment later, and what cannot be read in a moment is left out of a scrape.
		settled := func(rounds float64) (f scraped) {
			waitUntil(t, "all streams and documents are counted", func() bool {
				f = s.scrape(t)
				return f.of("kyrochat_operations_total", `operation="documentProgress"`, `code="OK"`) == 3*rounds && f.of("kyrochat_operations_total", `operation="messageStream"`) == 3*rounds &&
					f.of("kyrochat_documents_total") == 3*rounds && f.series["kyrochat_jobs"] != nil
			})
			return f
		}
		live(1)
		first := settled(1)
		live(2)
		second := settled(2)

		for _, secret := range append(said, canary, "example.com", "kyr_", "Pepper") {
			if strings.Contains(second.text, secret) {
				t.Errorf("%q is in the metrics", secret)
			}
		}
		known := fieldsOfTheContract(t)
		for _, at := range []struct{ metric, label string }{
			{"kyrochat_operations_total", "operation"}, {"kyrochat_operation_duration_seconds_count", "operation"}, {"kyrochat_resolver_duration_seconds_count", "field"},
		} {
			values := second.values(at.metric, at.label)
			for _, value := range values {
				if !known[value] {
					t.Errorf("%s has %s=%q, which is no field of the contract", at.metric, at.label, value)
				}
			}
			if !slices.Contains(values, "viewer") {
				t.Errorf("%s is of %v", at.metric, values)
			}
		}
		codes := regexp.MustCompile(`^[A-Z_]+$`)
		for _, code := range second.values("kyrochat_operations_total", "code") {
			if !codes.MatchString(code) {
				t.Errorf("%q is no code", code)
			}
		}
		for _, want := range []string{`operation="several"`, `operation="introspection"`, `operation="__typename"`, `operation="none"`} {
			if second.of("kyrochat_operations_total", want) == 0 {
				t.Errorf("there is no %s", want)
			}
		}
		// What is counted in the background may come for the first time at any moment; what people do may not.
		for _, name := range []string{
			"kyrochat_operations_total", "kyrochat_operation_duration_seconds_bucket", "kyrochat_resolver_duration_seconds_bucket", "kyrochat_cache_requests_total",
			"kyrochat_documents_total", "kyrochat_jobs", "kyrochat_breaker_state", "kyrochat_pool_connections",
		} {
			if before, after := len(first.series[name]), len(second.series[name]); before != after {
				t.Errorf("%s had %d series, and has %d after others did the same", name, before, after)
			}
		}
		all := 0
		for _, series := range second.series {
			all += len(series)
		}
		if all > 3000 {
			t.Errorf("there are %d series", all)
		}
		t.Logf("%d series", all)
	})
}

// named sends a document of which the name says what is to run.
func (p *person) named(name, query string) {
	body, _ := json.Marshal(map[string]any{"query": query, "operationName": name})
	p.request(bytes.NewReader(body), "application/json")
}

// fieldsOfTheContract are what operations may be told apart by.
func fieldsOfTheContract(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{"several": true, "introspection": true, "none": true, "__typename": true, "__schema": true, "__type": true}
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "schema.graphqls", Input: graph.Contract()})
	if err != nil {
		t.Fatal(err)
	}
	for _, root := range []*ast.Definition{schema.Query, schema.Mutation, schema.Subscription} {
		for _, field := range root.Fields {
			known[field.Name] = true
		}
	}
	return known
}

// TestWorkersAreMeasured too, with what they have.
func TestWorkersAreMeasured(t *testing.T) {
	t.Parallel()
	s := startServer(t, map[string]string{"KYRO_ROLE": "worker", "DATABASE_URL": testdb.PostgresURL(t)})
	var f scraped
	waitUntil(t, "jobs are counted within the time of a scrape", func() bool { f = s.scrape(t); return f.series["kyrochat_jobs"] != nil })
	if f.of("kyrochat_build_info", `role="worker"`) != 1 || len(f.series["kyrochat_jobs"]) < 50 || f.of("kyrochat_pool_max_connections") < 4 {
		t.Errorf("a worker has %.2000s", f.text)
	}
	if f.series["kyrochat_answers_running"] != nil {
		t.Error("a worker tells how many answers it makes, of which it makes none")
	}
}

// TestMetricsAreForOperators alone: the public address has none.
func TestMetricsAreForOperators(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	res, err := http.Get(s.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusNotFound {
		t.Errorf("the public address says %s", res.Status)
	}
	if f := s.scrape(t); f.of("kyrochat_build_info", `role="all"`) != 1 {
		t.Errorf("the admin address has %.500s", f.text)
	}
}
