package program

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kyrochat/internal/gemini"
	"kyrochat/internal/testdb"
)

const (
	setBudget = `mutation($i: SetBudgetInput!) { setBudget(input: $i) { budget { period maxMessages maxTokens maxCost currency
		used { messages tokens cost } reserved { messages tokens cost } since resetAt } errors { code message field resetAt } } }`
	sendOrNot = `mutation($c: ID, $b: ID, $t: String!, $k: String!) { sendMessage(input: {conversationId: $c, botId: $b, text: $t, clientMessageId: $k}) {
		botMessage { id } conversation { id } errors { code message resetAt } } }`
	ownUsage = `{ viewer { usage { from to timeZone currency messages promptTokens outputTokens totalTokens cost
		models { model kind messages promptTokens outputTokens totalTokens cost } bots { botId messages promptTokens outputTokens totalTokens cost }
		apiKeys { apiKeyId messages promptTokens outputTokens totalTokens cost } days { date messages promptTokens outputTokens totalTokens cost } }
		budgets { period maxMessages used { messages tokens cost } reserved { messages tokens cost } resetAt }
		apiKeys { id usage { messages } budgets { period } } bots { nodes { id usage { messages cost } budgets { period maxTokens used { messages } } } } } }`
)

// fromNoon is a clock that begins at noon of this day in UTC, for servers of tests that count what is used in a day: none ends meanwhile.
func fromNoon() (now func() time.Time) {
	began := time.Now()
	noon := began.UTC().Truncate(24 * time.Hour).Add(12 * time.Hour)
	return func() time.Time { return noon.Add(time.Since(began)) }
}

func sameTime(t *testing.T, what string, got any, want string) {
	t.Helper()
	a, err1 := time.Parse(time.RFC3339, fmt.Sprint(got))
	b, err2 := time.Parse(time.RFC3339, want)
	if err1 != nil || err2 != nil || !a.Equal(b) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// TestUsageAndBudgets follows a budget from its setting over its warning to its end, and what is told of the usage.
func TestUsageAndBudgets(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		now := fromNoon()
		reset := now().Add(12 * time.Hour).Truncate(24 * time.Hour).Format(time.RFC3339)
		env["KYRO_PRICES"], env["KYRO_CURRENCY"] = "kyro-extractive-1=1/2.5", "EUR"
		s := startServerWith(t, env, testLog{t}, hooks{now: now})
		p := s.signUp(t)
		bot := p.newBot()
		p.know(bot, "Rules", longAnswer)
		key, program := p.newAPIKey(nil, "CHAT")

		set := p.must(setBudget, vars{"i": vars{"period": "DAY", "maxMessages": 3, "maxCost": 1.25}})
		if b := string(set.body); !strings.Contains(b, `"period":"DAY","maxMessages":3,"maxTokens":null,"maxCost":1.25,"currency":"EUR","used":{"messages":0,"tokens":0,"cost":0}`) {
			t.Errorf("set: %s", b)
		}
		sameTime(t, "resetAt", set.get("setBudget.budget.resetAt"), reset)
		p.must(setBudget, vars{"i": vars{"botId": bot, "period": "MONTH", "maxTokens": 1_000_000}})
		p.must(setBudget, vars{"i": vars{"apiKeyId": key, "period": "MONTH", "maxMessages": 1}})
		for field, wrong := range map[string]vars{
			"maxTokens": {"period": "DAY", "maxTokens": -1}, "maxCost": {"period": "DAY", "maxCost": 1e12}, "apiKeyId": {"period": "DAY", "apiKeyId": key, "botId": bot},
		} {
			r := p.ask(setBudget, vars{"i": wrong})
			r.wantCode("setBudget", "VALIDATION")
			if !strings.Contains(string(r.body), `"field":["`+field+`"],"resetAt":null`) {
				t.Errorf("%s: %s", field, r.body)
			}
		}
		program.ask(setBudget, vars{"i": vars{"period": "DAY"}}).wantCode("", "FORBIDDEN")
		s.signUp(t).ask(setBudget, vars{"i": vars{"botId": bot, "period": "DAY", "maxMessages": 1}}).wantCode("", "NOT_FOUND")

		question := "What do the harbour rules of Lindau say about lamps?"
		first, _ := p.chat(vars{"botId": bot, "text": question})
		answer := first.text("messageStream.message.id")
		again := `mutation($m: ID!, $k: String!) { regenerateMessage(input: {messageId: $m, clientMessageId: $k}) { botMessage { id } errors { code message resetAt } } }`
		second := p.must(again, vars{"m": answer, "k": newKey()}).text("regenerateMessage.botMessage.id")
		p.hear(second)
		third := program.must(sendOrNot, vars{"b": bot, "t": question, "k": newKey()}).text("sendMessage.botMessage.id")
		p.hear(third)

		over := p.ask(sendOrNot, vars{"b": bot, "t": question, "k": newKey()})
		over.wantCode("sendMessage", "BUDGET_EXCEEDED")
		sameTime(t, "resetAt of the refusal", over.get("sendMessage.errors.0.resetAt"), reset)
		if m := over.text("sendMessage.errors.0.message"); !strings.HasPrefix(m, "The daily budget of the account has 0 of 3 messages left, and this answer may take 1.") {
			t.Errorf("message: %s", m)
		}
		p.ask(again, vars{"m": second, "k": newKey()}).wantCode("regenerateMessage", "BUDGET_EXCEEDED")
		// The month of the key is over later than the day of the account.
		if m := program.ask(sendOrNot, vars{"b": bot, "t": question, "k": newKey()}).text("sendMessage.errors.0.message"); !strings.Contains(m, "The monthly budget of the API key "+key) {
			t.Errorf("message of the key's: %s", m)
		}

		// What usage says is what the answers say.
		var prompt, output, cost float64
		for _, id := range []string{answer, second, third} {
			r := p.must(`query($m: ID!) { message(id: $m) { usage { promptTokens outputTokens cost } } }`, vars{"m": id})
			prompt, output, cost = prompt+r.number("message.usage.promptTokens"), output+r.number("message.usage.outputTokens"), cost+r.number("message.usage.cost")
		}
		if prompt == 0 || output == 0 || fmt.Sprintf("%.6f", cost) != fmt.Sprintf("%.6f", (prompt+2.5*output)/1e6) && cost < (prompt+2.5*output)/1e6 {
			t.Errorf("%v prompt and %v output tokens cost %v", prompt, output, cost)
		}
		r := p.must(ownUsage, nil)
		figures := fmt.Sprintf(`"messages":3,"promptTokens":%v,"outputTokens":%v,"totalTokens":%v,"cost":`, prompt, output, prompt+output)
		for _, want := range []string{
			`"timeZone":"UTC","currency":"EUR",` + figures, `"model":"kyro-extractive-1","kind":"ANSWER",` + figures, `"botId":"` + bot + `",` + figures,
			`"apiKeyId":null,"messages":2`, `"apiKeyId":"` + key + `","messages":1`, `"date":"` + now().UTC().Format(time.DateOnly) + `",` + figures,
			`{"id":"` + key + `","usage":{"messages":1},"budgets":[{"period":"MONTH"}]}`, `{"id":"` + bot + `","usage":{"messages":3,`,
			`"budgets":[{"period":"MONTH","maxTokens":1e+06,"used":{"messages":3}}]`, `"budgets":[{"period":"DAY","maxMessages":3,"used":{"messages":3,`,
			`"reserved":{"messages":0,"tokens":0,"cost":0}`,
		} {
			if !strings.Contains(string(r.body), want) {
				t.Errorf("usage lacks %s:\n%s", want, r.body)
			}
		}
		if got := r.number("viewer.usage.cost"); fmt.Sprintf("%.6f", got) != fmt.Sprintf("%.6f", cost) {
			t.Errorf("cost %v, want %v", got, cost)
		}
		elsewhere := `query($f: DateTime, $t: DateTime, $z: String) { viewer { usage(from: $f, to: $t, timeZone: $z) { messages days { date } } } }`
		zoned := p.must(elsewhere, vars{"z": "Asia/Tokyo", "f": now().Add(-72 * time.Hour), "t": now().Add(48 * time.Hour)})
		if n := len(zoned.list("viewer.usage.days")); n < 6 || n > 7 || zoned.number("viewer.usage.messages") != 3 {
			t.Errorf("%d days: %s", n, zoned.body)
		}
		for _, wrong := range []vars{{"z": "Mars/Olympus"}, {"z": "Local"}, {"f": now(), "t": now().Add(-time.Hour * 2), "z": "UTC"}, {"f": "2020-01-01T00:00:00Z", "z": "UTC"}} {
			p.ask(elsewhere, wrong).wantCode("", "BAD_USER_INPUT")
		}

		// The owner is told that most of the budget is used, once, and the log says who set what.
		const daily = "daily budget of the account"
		told := map[string]int{}
		waitUntil(t, "a mail tells of the "+daily, func() bool {
			clear(told)
			mails, _ := filepath.Glob(filepath.Join(s.env["KYRO_DATA_DIR"], "outbox", "*budget-warning*.eml"))
			for _, name := range mails {
				text, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				for _, of := range []string{daily, "monthly budget of the API key"} {
					told[of] += min(1, strings.Count(strings.ReplaceAll(string(text), "\r\n", " "), of))
				}
			}
			return told[daily] > 0
		})
		if told[daily] != 1 {
			t.Errorf("mails: %v", told)
		}
		lines := p.must(`{ viewer { auditLog(first: 5) { nodes { action detail target } } } }`, nil)
		if !strings.Contains(string(lines.body), `{"action":"BUDGET_CHANGED","detail":"DAY: messages 3, money 1.25","target":null}`) ||
			!strings.Contains(string(lines.body), `{"action":"BUDGET_CHANGED","detail":"MONTH: messages 1","target":"`+key+`"}`) {
			t.Errorf("audit log: %s", lines.body)
		}

		removed := p.must(setBudget, vars{"i": vars{"period": "DAY", "maxMessages": nil}})
		if removed.get("setBudget.budget") != nil {
			t.Errorf("removed: %s", removed.body)
		}
		p.chat(vars{"botId": bot, "text": question})
	})
}

// TestParallelSendsAtTheEdgeOfABudget: fifty messages at once, to two servers on one PostgreSQL and to one on SQLite, never
// get more than is left.
func TestParallelSendsAtTheEdgeOfABudget(t *testing.T) {
	t.Parallel()
	race := func(t *testing.T, servers ...*testServer) {
		p := servers[0].signUp(t)
		bot := p.newBot()
		p.must(setBudget, vars{"i": vars{"period": "DAY", "maxMessages": 20}})
		p.must(setBudget, vars{"i": vars{"botId": bot, "period": "MONTH", "maxMessages": 13}})
		var sent, refused atomic.Int64
		var all sync.WaitGroup
		for i := range 50 {
			at := &person{t: t, s: servers[i%len(servers)], token: p.token, email: p.email}
			all.Go(func() {
				r := at.ask(sendOrNot, vars{"b": bot, "t": fmt.Sprint("Message ", i), "k": newKey()})
				switch errs := r.list("sendMessage.errors"); {
				case len(errs) == 0:
					sent.Add(1)
				case r.text("sendMessage.errors.0.code") == "BUDGET_EXCEEDED":
					refused.Add(1)
				default:
					t.Errorf("send: %s", r.body)
				}
			})
		}
		all.Wait()
		if sent.Load() != 13 || refused.Load() != 37 {
			t.Errorf("%d were sent and %d refused, want 13 and 37", sent.Load(), refused.Load())
		}
		p.spends(bot, 13)
	}
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		race(t, startServerWith(t, map[string]string{"KYRO_RATE_SCALE": "0"}, testLog{t}, hooks{now: fromNoon()}))
	})
	t.Run("two servers on postgres", func(t *testing.T) {
		t.Parallel()
		env := map[string]string{"DATABASE_URL": testdb.PostgresURL(t), "KYRO_SECRET": sharedSecret, "KYRO_RATE_SCALE": "0"}
		now := fromNoon()
		race(t, startServerWith(t, maps.Clone(env), testLog{t}, hooks{now: now}), startServerWith(t, maps.Clone(env), testLog{t}, hooks{now: now}))
	})
}

// spends waits until nothing is reserved of the bot's budget, and looks how many messages it counts.
func (p *person) spends(bot string, messages float64) {
	p.t.Helper()
	read := `query($b: ID!) { bot(id: $b) { usage { messages } budgets { used { messages } reserved { messages tokens cost } } } }`
	waitUntil(p.t, "nothing is reserved", func() bool {
		return p.must(read, vars{"b": bot}).number("bot.budgets.0.reserved.messages") == 0
	})
	r := p.must(read, vars{"b": bot}) // what is used and what is reserved are two reads, between which the last answer may end
	if r.number("bot.budgets.0.used.messages") != messages || r.number("bot.usage.messages") != messages || r.number("bot.budgets.0.reserved.tokens") != 0 {
		p.t.Errorf("want %v messages: %s", messages, r.body)
	}
}

// TestWhatGeminiTakes: answers and embeddings are counted by their models, and a budget of money holds answers back before
// anything is asked of the model.
func TestWhatGeminiTakes(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		u := startUpstreams(t, gemini.Options{})
		maps.Copy(env, u.env())
		env["KYRO_PRICES"] = "gemini-3.8-flash=0.75/3.75, gemini-embedding-001=0.15/0"
		p := startServerWith(t, env, testLog{t}, hooks{now: fromNoon()}).signUp(t)
		bot := p.newBot()
		p.know(bot, "Rules", longAnswer)
		finished, _ := p.chat(vars{"botId": bot, "text": "What do the harbour rules of Lindau say about lamps?"})
		if finished.number("messageStream.message.usage.totalTokens") == 0 {
			t.Fatalf("%s", finished.body)
		}
		r := p.must(`query($b: ID!) { bot(id: $b) { usage { messages models { kind model messages promptTokens cost } } } }`, vars{"b": bot})
		kinds := map[any]bool{}
		for i, node := range r.list("bot.usage.models") {
			one := node.(map[string]any)
			kinds[one["kind"]] = true
			if r.number(fmt.Sprintf("bot.usage.models.%d.promptTokens", i)) == 0 || r.number(fmt.Sprintf("bot.usage.models.%d.cost", i)) == 0 {
				t.Errorf("%v took nothing", one)
			}
		}
		if len(kinds) != 2 || r.number("bot.usage.messages") != 1 {
			t.Errorf("usage: %s", r.body)
		}
		p.must(setBudget, vars{"i": vars{"botId": bot, "period": "MONTH", "maxCost": 0.0001}})
		over := p.ask(sendOrNot, vars{"b": bot, "t": "What else?", "k": newKey()})
		over.wantCode("sendMessage", "BUDGET_EXCEEDED")
		if m := over.text("sendMessage.errors.0.message"); !strings.Contains(m, "units of money left") {
			t.Errorf("message: %s", m)
		}
		p.must(setBudget, vars{"i": vars{"botId": bot, "period": "MONTH", "maxCost": 10}})
		p.chat(vars{"botId": bot, "text": "What else do the harbour rules of Lindau say?"})
		p.spends(bot, 2)
	})
}

// TestAKilledServerLeavesNothingReserved: what was reserved by a process that is killed in the middle of its answers is settled
// by the next one.
func TestAKilledServerLeavesNothingReserved(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		env["KYRO_SECRET"], env["KYRO_OFFLINE_PACE"], env["KYRO_RATE_SCALE"] = sharedSecret, "100ms", "0"
		env["KYRO_ANSWER_LEASE"], env["KYRO_ANSWER_HEARTBEAT"], env["KYRO_ANSWER_SWEEP"] = "10s", "300ms", "300ms" // a server that stands still for less keeps its answers
		first := startProcess(t, env)
		p := first.signUp(t)
		bot := p.wordyBot()
		p.must(setBudget, vars{"i": vars{"botId": bot, "period": "DAY", "maxMessages": 100}})
		talk := p.must(sendOrNot, vars{"b": bot, "t": "One", "k": newKey()}).text("sendMessage.conversation.id")
		p.must(sendOrNot, vars{"c": talk, "t": "Two, which waits", "k": newKey()})
		p.must(sendOrNot, vars{"b": bot, "t": "Three", "k": newKey()})
		if held := p.must(`query($b: ID!) { bot(id: $b) { budgets { reserved { messages } } } }`, vars{"b": bot}).number("bot.budgets.0.reserved.messages"); held != 3 {
			t.Errorf("%v are reserved, want 3", held)
		}
		first.kill()
		p.at(startProcess(t, env)).spends(bot, 3)
	})
}
