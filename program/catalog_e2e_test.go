package program

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const botFields = `{ id name description instructions welcomeMessage suggestedQuestions model temperature maxOutputTokens topK minScore
	noAnswerText strict createdAt updatedAt viewerCanEdit viewerCanChat owner { email } }`

func TestBots(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		made := p.must(`mutation { createBot(input: {name: " Ada ", description: "d", topK: 7, suggestedQuestions: ["a?"]}) { bot `+botFields+` errors { code } } }`, nil)
		id := made.text("createBot.bot.id")
		if !strings.HasPrefix(id, "bot_") || made.text("createBot.bot.name") != "Ada" || made.text("createBot.bot.owner.email") != p.email {
			t.Errorf("%s", made.body)
		}
		// Left out: unchanged. Null: cleared, or the default.
		changed := p.must(`mutation($b: ID!) { updateBot(input: {botId: $b, description: null, topK: null, instructions: "Be kind.", strict: false}) { bot `+botFields+` errors { code } } }`, vars{"b": id})
		if changed.get("updateBot.bot.description") != nil || changed.number("updateBot.bot.topK") != 5 ||
			changed.text("updateBot.bot.instructions") != "Be kind." || changed.text("updateBot.bot.name") != "Ada" ||
			len(changed.list("updateBot.bot.suggestedQuestions")) != 1 || changed.get("updateBot.bot.strict") != false {
			t.Errorf("%s", changed.body)
		}
		p.ask(`mutation($b: ID!) { updateBot(input: {botId: $b, name: null}) { bot { id } errors { code field } } }`, vars{"b": id}).wantCode("updateBot", "VALIDATION")
		p.ask(`mutation { createBot(input: {name: "x", topK: 21}) { bot { id } errors { code field } } }`, nil).wantCode("createBot", "VALIDATION")
		if got := p.ask(`mutation { createBot(input: {name: "", topK: 21, model: ""}) { bot { id } errors { field } } }`, nil); len(got.list("createBot.errors")) != 2 {
			t.Errorf("not every wrong field is told: %s", got.body)
		}
		patched := func(patch string) (before, after string) {
			before = p.must(`query($b: ID!) { bot(id: $b) { updatedAt } }`, vars{"b": id}).text("bot.updatedAt")
			return before, p.must(`mutation($b: ID!) { updateBot(input: {botId: $b`+patch+`}) { bot { updatedAt } errors { code } } }`, vars{"b": id}).text("updateBot.bot.updatedAt")
		}
		for patch, moves := range map[string]bool{``: false, `, name: "Ada"`: false, `, topK: 6`: true} {
			if before, after := patched(patch); (before != after) != moves {
				t.Errorf("{%s} moves updatedAt from %s to %s", patch, before, after)
			}
		}
		if got := p.must(`query($b: ID!) { bot(id: $b) { name topK } node(id: $b) { id ... on Bot { name } } }`, vars{"b": id}); got.text("bot.name") != "Ada" || got.text("node.name") != "Ada" {
			t.Errorf("%s", got.body)
		}
		if got := p.must(`mutation($b: ID!) { deleteBot(input: {botId: $b}) { deletedId errors { code } } }`, vars{"b": id}); got.text("deleteBot.deletedId") != id {
			t.Errorf("%s", got.body)
		}
		p.ask(`query($b: ID!) { bot(id: $b) { name } }`, vars{"b": id}).wantCode("", "NOT_FOUND")
		p.ask(`mutation($b: ID!) { deleteBot(input: {botId: $b}) { deletedId errors { code } } }`, vars{"b": id}).wantCode("deleteBot", "NOT_FOUND")
		if got := p.must(`query($b: ID!) { node(id: $b) { id } }`, vars{"b": id}).get("node"); got != nil {
			t.Errorf("the deleted bot is still a node: %v", got)
		}
	})
}

func TestListsPageBothWays(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		var names []string
		for i := range 7 {
			name := fmt.Sprintf("%c bot", 'a'+(i*3)%7)
			names = append(names, name)
			p.must(`mutation($n: String!) { createBot(input: {name: $n}) { bot { id } errors { code } } }`, vars{"n": name})
		}
		slices.Sort(names)
		page := `query($first: Int, $after: String, $last: Int, $before: String) { viewer { bots(orderBy: {field: NAME, direction: ASC},
			first: $first, after: $after, last: $last, before: $before) { totalCount edges { cursor node { name } } nodes { name }
			pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }`
		var forward []string
		v := vars{"first": 3}
		for {
			r := p.must(page, v)
			if r.number("viewer.bots.totalCount") != 7 {
				t.Fatalf("%s", r.body)
			}
			for _, node := range r.list("viewer.bots.nodes") {
				forward = append(forward, node.(map[string]any)["name"].(string))
			}
			if got := r.get("viewer.bots.pageInfo.hasPreviousPage"); got != (v["after"] != nil) {
				t.Errorf("hasPreviousPage is %v after %v", got, v["after"])
			}
			if r.get("viewer.bots.pageInfo.hasNextPage") != true {
				break
			}
			v["after"] = r.text("viewer.bots.pageInfo.endCursor")
		}
		if !slices.Equal(forward, names) {
			t.Errorf("forwards: %v", forward)
		}
		var backward []string
		v = vars{"last": 2}
		for {
			r := p.must(page, v)
			nodes := r.list("viewer.bots.nodes")
			for _, node := range slices.Backward(nodes) {
				backward = append(backward, node.(map[string]any)["name"].(string))
			}
			if r.get("viewer.bots.pageInfo.hasPreviousPage") != true {
				break
			}
			v["before"] = r.text("viewer.bots.pageInfo.startCursor")
		}
		slices.Reverse(backward)
		if !slices.Equal(backward, names) {
			t.Errorf("backwards: %v", backward)
		}
		if r := p.must(`{ viewer { bots(filter: {search: "A BOT"}) { nodes { name } } } }`, nil); len(r.list("viewer.bots.nodes")) != 1 {
			t.Errorf("%s", r.body)
		}
		for _, bad := range []string{`first: 1000`, `first: 0`, `last: -1`, `first: 1, last: 1`, `after: "rubbish"`, `first: 1, before: "x"`} {
			p.ask(`{ viewer { bots(`+bad+`) { nodes { id } } } }`, nil).wantCode("", "BAD_USER_INPUT")
		}
	})
}

func TestConversations(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		bot, other := p.newBot(), p.newBot()
		begin := `mutation($b: ID!, $t: String) { createConversation(input: {botId: $b, title: $t}) { conversation { id title archived messageCount bot { id } user { email } lastMessage { id } } errors { code } } }`
		made := p.must(begin, vars{"b": bot, "t": "About tea"})
		id := made.text("createConversation.conversation.id")
		if made.text("createConversation.conversation.title") != "About tea" || made.text("createConversation.conversation.bot.id") != bot ||
			made.text("createConversation.conversation.user.email") != p.email || made.get("createConversation.conversation.lastMessage") != nil {
			t.Errorf("%s", made.body)
		}
		second := p.must(begin, vars{"b": other, "t": nil}).text("createConversation.conversation.id")
		p.ask(begin, vars{"b": bot, "t": " "}).wantCode("createConversation", "VALIDATION")
		update := p.must(`mutation($c: ID!) { updateConversation(input: {conversationId: $c, archived: true}) { conversation { title archived } errors { code } } }`, vars{"c": id})
		if update.text("updateConversation.conversation.title") != "About tea" || update.get("updateConversation.conversation.archived") != true {
			t.Errorf("%s", update.body)
		}
		for filter, want := range map[string]string{`archived: true`: id, `archived: false`: second, `search: "TEA"`: id, `botId: "` + other + `"`: second} {
			r := p.must(`{ viewer { conversations(filter: {`+filter+`}) { totalCount nodes { id } } } }`, nil)
			if r.number("viewer.conversations.totalCount") != 1 || r.text("viewer.conversations.nodes.0.id") != want {
				t.Errorf("%s: %s", filter, r.body)
			}
		}
		if r := p.must(`query($b: ID!) { bot(id: $b) { conversations(orderBy: {field: CREATED_AT, direction: ASC}) { nodes { id } } } }`, vars{"b": bot}); r.text("bot.conversations.nodes.0.id") != id {
			t.Errorf("%s", r.body)
		}
		rename := `mutation($c: ID!, $t: String) { updateConversation(input: {conversationId: $c, title: $t}) { conversation { title } errors { code } } }`
		say := `mutation($c: ID!) { sendMessage(input: {conversationId: $c, text: "Which  tea is best?", clientMessageId: "t"}) { userMessage { conversation { title } } errors { code } } }`
		p.must(rename, vars{"c": id, "t": "New conversation"})
		if r := p.must(say, vars{"c": id}); r.text("sendMessage.userMessage.conversation.title") != "New conversation" {
			t.Errorf("the first message renames what a person named: %s", r.body)
		}
		if r := p.must(rename, vars{"c": id, "t": nil}); r.text("updateConversation.conversation.title") != "Which tea is best?" {
			t.Errorf("%s", r.body)
		}
		if r := p.must(rename, vars{"c": second, "t": nil}); r.text("updateConversation.conversation.title") != "New conversation" {
			t.Errorf("%s", r.body)
		}
		if r := p.must(strings.Replace(say, `"t"`, `"u"`, 1), vars{"c": second}); r.text("sendMessage.userMessage.conversation.title") != "Which tea is best?" {
			t.Errorf("%s", r.body)
		}
		p.ask(`query($b: ID!, $o: ID!) { bot(id: $b) { conversations(filter: {botId: $o}) { nodes { id } } } }`, vars{"b": bot, "o": other}).wantCode("", "BAD_USER_INPUT")
		if r := p.must(`mutation($c: ID!) { deleteConversation(input: {conversationId: $c}) { deletedId errors { code } } }`, vars{"c": id}); r.text("deleteConversation.deletedId") != id {
			t.Errorf("%s", r.body)
		}
		p.ask(`query($c: ID!) { conversation(id: $c) { id } }`, vars{"c": id}).wantCode("", "NOT_FOUND")
		// With the bot its conversations go.
		p.must(`mutation($b: ID!) { deleteBot(input: {botId: $b}) { deletedId errors { code } } }`, vars{"b": other})
		p.ask(`query($c: ID!) { conversation(id: $c) { id } }`, vars{"c": second}).wantCode("", "NOT_FOUND")
	})
}

func TestNodes(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p, stranger := s.signUp(t), s.signUp(t)
		mine, theirs := p.newBot(), stranger.newBot()
		r := p.must(`query($ids: [ID!]!) { nodes(ids: $ids) { id } }`, vars{"ids": []string{mine, theirs, "bot_999999", mine}})
		nodes := r.list("nodes")
		if len(nodes) != 4 || r.text("nodes.0.id") != mine || nodes[1] != nil || nodes[2] != nil || r.text("nodes.3.id") != mine {
			t.Errorf("%s", r.body)
		}
		many := make([]string, 101)
		for i := range many {
			many[i] = mine
		}
		p.ask(`query($ids: [ID!]!) { nodes(ids: $ids) { id } }`, vars{"ids": many}).wantCode("", "VARIABLES_TOO_LONG")
		p.ask(`{ nodes(ids: [`+strings.Repeat(`"bot_1" `, 101)+`]) { id } }`, nil).wantCode("", "BAD_USER_INPUT")
		(&person{t: t, s: s}).ask(`query($id: ID!) { node(id: $id) { id } }`, vars{"id": mine}).wantCode("", "UNAUTHENTICATED")
	})
}

// TestStatementsDoNotGrowWithTheWidth: what a list refers to, and the lists below it, are read in one statement for
// all of its rows. What was read a moment ago is not read again.
func TestStatementsDoNotGrowWithTheWidth(t *testing.T) {
	eachRemembering(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		grow := func(n int) {
			for range n {
				bot := p.newBot()
				talk := p.must(`mutation($b: ID!) { createConversation(input: {botId: $b}) { conversation { id } errors { code } } }`, vars{"b": bot}).text("createConversation.conversation.id")
				p.chat(vars{"conversationId": talk, "text": "x"}) // to its end: a final answer has citations to be read
			}
		}
		queries := map[string]string{
			"what it refers to": `{ viewer { conversations(first: 50) { totalCount nodes { bot { name owner { name } } user { name } lastMessage { id } } } } }`,
			"rows that are reached twice": `{ viewer { conversations(first: 50) { nodes { bot { documents(first: 1) { nodes { id } } } } }
				bots(first: 50) { nodes { conversations(first: 1) { nodes { bot { documents(first: 1) { nodes { id } } }
				messages(first: 1) { nodes { conversation { messages(first: 1) { nodes { id } } } } } } } } } } }`,
			"lists in lists": `{ viewer { bots(first: 50) { nodes { documents(first: 5) { totalCount nodes { title chunks(first: 2) { nodes { id } } } }
				conversations(first: 5) { totalCount nodes { messages(first: 3) { totalCount nodes { text parent { id } siblings { id } conversation { id bot { name owner { name } } } } } } } } } } }`,
		}
		count := func(query string) int64 {
			before := s.statements.Load()
			p.must(query, nil)
			return s.statements.Load() - before
		}
		measure := func(query string) (m struct{ cold, warm int64 }) {
			s.forget(p)
			m.cold, m.warm = count(query), count(query)
			return m
		}
		narrow := map[string]struct{ cold, warm int64 }{}
		grow(1)
		for name, query := range queries {
			narrow[name] = measure(query)
		}
		grow(49)
		for name, query := range queries {
			n, w := narrow[name], measure(query)
			t.Logf("%s: %d statements at width 1, %d at width 50; when repeated %d and %d", name, n.cold, w.cold, n.warm, w.warm)
			if n.cold > 16 || w != n {
				t.Errorf("%s: the statements grow with the width", name)
			}
			if n.warm >= n.cold {
				t.Errorf("%s: repeating it saves nothing", name)
			}
		}
	})
}

// TestInputIsStrict sends what no client of a schema should: it is refused by name, and no line is logged.
func TestInputIsStrict(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		bot := p.newBot()
		for _, c := range []struct {
			query string
			v     vars
			code  string
		}{
			{`query($s: String) { viewer { bots(filter: {search: $s}) { totalCount } } }`, vars{"s": "a\x00"}, "BAD_USER_INPUT"},
			{`{ viewer { bots(filter: {search: "a\u0000"}) { totalCount } } }`, nil, "GRAPHQL_VALIDATION_FAILED"},
			{`query($f: ConversationFilter) { viewer { conversations(filter: $f) { totalCount } } }`, vars{"f": vars{"search": "\x00"}}, "BAD_USER_INPUT"},
			{`query($i: ID!) { node(id: $i) { id } }`, vars{"i": "bot_1\x00"}, "BAD_USER_INPUT"},
			{`mutation($b: ID!, $t: String!) { sendMessage(input: {botId: $b, text: $t, clientMessageId: "x"}) { errors { code } } }`, vars{"b": bot, "t": "\x00"}, "BAD_USER_INPUT"},
			{`query($n: Int) { viewer { bots(first: $n) { totalCount } } }`, vars{"n": "5"}, "BAD_USER_INPUT"},
			{`mutation($b: ID!, $c: String!) { sendMessage(input: {botId: $b, text: "x", clientMessageId: $c}) { errors { code } } }`, vars{"b": bot, "c": 7}, "BAD_USER_INPUT"},
			{`subscription($b: ID!) { a: documentProgress(botId: $b) { status } b: documentProgress(botId: $b) { status } }`, vars{"b": bot}, "GRAPHQL_VALIDATION_FAILED"},
		} {
			if got := p.ask(c.query, c.v); got.at("errors.0.extensions.code") != c.code {
				t.Errorf("%s: %s", c.query, got.body)
			}
		}
	})
}
