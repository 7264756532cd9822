package program

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"kyrochat/internal/testdb"
)

const newKeyMutation = `mutation($n: String!, $s: [ApiKeyScope!]!, $e: DateTime, $a: [String!], $p: String!) {
	createApiKey(input: {name: $n, scopes: $s, expiresAt: $e, allowedNetworks: $a, password: $p}) {
		apiKey { id name prefix scopes allowedNetworks createdAt expiresAt lastUsedAt } secret errors { code field message } } }`

// newAPIKey makes a key, and gives its id and who uses it.
func (p *person) newAPIKey(change vars, scopes ...string) (id string, program *person) {
	p.t.Helper()
	v := vars{"n": "Robot", "s": scopes, "p": password}
	for name, value := range change {
		v[name] = value
	}
	made := p.must(newKeyMutation, v)
	return made.text("createApiKey.apiKey.id"), &person{t: p.t, s: p.s, token: made.text("createApiKey.secret"), email: p.email}
}

func (p *person) revokeKey(id string) *reply {
	p.t.Helper()
	return p.ask(`mutation($k: ID!) { revokeApiKey(input: {apiKeyId: $k}) { deletedId errors { code } } }`, vars{"k": id})
}

// untilRefused waits until the person's credentials are refused, and gives the answer.
func (p *person) untilRefused() (r *reply) {
	p.t.Helper()
	waitUntil(p.t, "the credentials are refused", func() bool { r = p.ask(`{ viewer { id } }`, nil); return r.tree["errors"] != nil })
	r.wantCode("", "UNAUTHENTICATED")
	return r
}

func TestAPIKeys(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p, other := s.signUp(t), s.signUp(t)
		made := p.must(newKeyMutation, vars{"n": " Robot ", "s": []string{"READ"}, "a": []string{"127.0.0.1", "2001:db8::/32"}, "p": password})
		secret, id := made.text("createApiKey.secret"), made.text("createApiKey.apiKey.id")
		if !strings.HasPrefix(secret, made.text("createApiKey.apiKey.prefix")) || made.text("createApiKey.apiKey.name") != "Robot" ||
			fmt.Sprint(made.list("createApiKey.apiKey.allowedNetworks")) != "[127.0.0.1/32 2001:db8::/32]" || made.get("createApiKey.apiKey.lastUsedAt") != nil {
			t.Errorf("%s", made.body)
		}
		if end, err := time.Parse(time.RFC3339Nano, made.text("createApiKey.apiKey.expiresAt")); err != nil || time.Until(end) < 364*24*time.Hour {
			t.Errorf("it ends at %v", end)
		}
		endless := p.must(newKeyMutation, vars{"n": "Second", "s": []string{"CHAT", "INGEST"}, "e": nil, "p": password})
		if endless.get("createApiKey.apiKey.expiresAt") != nil || endless.text("createApiKey.secret") == secret {
			t.Errorf("%s", endless.body)
		}
		far, for8000Years := p.newAPIKey(vars{"e": "9999-12-31T23:59:59Z"}, "READ")
		if code := for8000Years.socket(t).ask(`{"query":"{viewer{email}}"}`); code != "" {
			t.Errorf("a key that ends in 8000 years: %s", code)
		}
		p.revokeKey(far)
		list := p.must(`{ viewer { apiKeys { id name } } }`, nil).list("viewer.apiKeys")
		if len(list) != 2 || list[0].(map[string]any)["name"] != "Second" {
			t.Errorf("the list is %v", list)
		}
		if node := p.must(`query($k: ID!) { node(id: $k) { id ... on ApiKey { name } } }`, vars{"k": id}); node.text("node.name") != "Robot" {
			t.Errorf("%s", node.body)
		}
		if node := other.must(`query($k: ID!) { node(id: $k) { id } }`, vars{"k": id}); node.get("node") != nil {
			t.Errorf("a stranger sees %s", node.body)
		}
		for field, change := range map[string]vars{
			"name": {"n": " "}, "scopes": {"s": []string{"READ", "READ"}}, "expiresAt": {"e": "2020-01-01T00:00:00Z"}, "allowedNetworks": {"a": []string{"nowhere"}},
		} {
			v := vars{"n": "x", "s": []string{"READ"}, "p": password}
			for name, value := range change {
				v[name] = value
			}
			r := p.ask(newKeyMutation, v)
			r.wantCode("createApiKey", "VALIDATION")
			if got := fmt.Sprint(r.get("createApiKey.errors.0.field")); got != "["+field+"]" {
				t.Errorf("the field of %s is %s", field, got)
			}
		}
		p.ask(newKeyMutation, vars{"n": "x", "s": []string{"READ"}, "p": "wrong horse battery"}).wantCode("createApiKey", "INVALID_CREDENTIALS")

		program := &person{t: t, s: s, token: secret}
		if program.must(`{ viewer { email } }`, nil).text("viewer.email") != p.email {
			t.Error("the key is somebody else's")
		}
		waitUntil(t, "its use is noted", func() bool {
			return p.must(`query($k: ID!) { node(id: $k) { ... on ApiKey { lastUsedAt } } }`, vars{"k": id}).get("node.lastUsedAt") != nil
		})
		other.revokeKey(id).wantCode("", "NOT_FOUND")
		p.revokeKey("key_999").wantCode("", "NOT_FOUND")
		p.revokeKey("bot_1").wantCode("", "BAD_USER_INPUT")
		program.revokeKey(id).wantCode("", "FORBIDDEN")
		if r := p.revokeKey(id); r.text("revokeApiKey.deletedId") != id {
			t.Errorf("%s", r.body)
		}
		p.revokeKey(id).wantCode("", "NOT_FOUND")
		revoked := program.ask(`{ viewer { email } }`, nil) // at once on this node
		revoked.wantCode("", "UNAUTHENTICATED")
		_, elsewhere := p.newAPIKey(vars{"a": []string{"192.0.2.1"}}, "READ")
		for name, token := range map[string]string{"from elsewhere": elsewhere.token, "forged": secret[:47] + "A", "truncated": secret[:40], "unknown": "kyr_sk_live_0000000000000000000000000000000HkcfA"} {
			r := (&person{t: t, s: s, token: token}).ask(`{ viewer { email } }`, nil)
			if r.wantCode("", "UNAUTHENTICATED"); r.at("errors.0.message") != revoked.at("errors.0.message") {
				t.Errorf("%s is told apart: %s", name, r.body)
			}
		}
		// One letter and one line of the audit log for each key, and no secret anywhere.
		if letters, lines := s.number(t, "SELECT count(*) FROM letters WHERE kind = 'api-key-created'"), s.number(t, "SELECT count(*) FROM audit_log WHERE action IN ('API_KEY_CREATED', 'API_KEY_REVOKED') AND target_id LIKE 'key_%' AND request_id <> ''"); letters != 4 || lines != 6 {
			t.Errorf("%d letters and %d lines, want 4 and 6", letters, lines)
		}
		if n := s.number(t, "SELECT count(*) FROM api_keys WHERE secret_hash LIKE 'kyr_%' OR length(prefix) > 20 OR name LIKE 'kyr_%'"); n != 0 {
			t.Error("a secret is stored")
		}
	})
}

func TestTwentyAPIKeys(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		var first string
		for i := range 20 {
			id, _ := p.newAPIKey(vars{"n": fmt.Sprint(i)}, "READ")
			if i == 0 {
				first = id
			}
		}
		more := vars{"n": "more", "s": []string{"READ"}, "p": password}
		p.ask(newKeyMutation, more).wantCode("createApiKey", "LIMIT_REACHED")
		p.revokeKey(first)
		p.must(newKeyMutation, more)
	})
}

// TestScopesOfKeys asks for everything with keys of each scope: what the scope does not cover is FORBIDDEN, whoever's it is.
func TestScopesOfKeys(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		bot := p.newBot()
		document := p.know(bot, "Tea", teaText)
		finished, _ := p.chat(vars{"botId": bot, "text": "How long does green tea steep?"})
		message := finished.text("messageStream.message.id")
		talk := p.must(`query($m: ID!) { message(id: $m) { conversation { id } } }`, vars{"m": message}).text("message.conversation.id")
		session := p.must(`{ viewer { sessions { id } } }`, nil).text("viewer.sessions.0.id")
		programs := map[string]*person{}
		for _, scope := range []string{"READ", "CHAT", "INGEST"} {
			_, programs[scope] = p.newAPIKey(nil, scope)
		}
		ids := vars{"b": bot, "d": document, "m": message, "c": talk, "s": session, "t": "x", "k": "key_1"}
		for query, allowed := range map[string]string{
			`viewer { name bots { nodes { name owner { email } } } }`: "READ CHAT INGEST",
			`bot(id: $b) { name instructions }`:                       "READ CHAT INGEST",
			`node(id: $b) { id }`:                                     "READ CHAT INGEST",
			`serverInfo { version }`:                                  "READ CHAT INGEST",
			`rateLimit { limit }`:                                     "READ CHAT INGEST",
			`bot(id: $b) { documents { nodes { id } } }`:              "READ INGEST",
			`viewer { bots { nodes { documents { nodes { chunks { nodes { id } } } } } } }`:                              "READ INGEST",
			`bot(id: $b) { conversations { nodes { id } } }`:                                                             "READ CHAT",
			`bot(id: $b) { analytics(from: "2026-01-01T00:00:00Z", to: "2026-01-03T00:00:00Z") { total { messages } } }`: "READ",
			`bot(id: $b) { search(query: "tea") { chunk { id } } }`:                                                      "READ",
			`viewer { conversations { nodes { id } } }`:                                                                  "READ CHAT",
			`document(id: $d) { text(start: 0, length: 5) chunks { nodes { text } } }`:                                   "READ INGEST",
			`nodes(ids: [$d]) { id }`: "READ INGEST",
			`conversation(id: $c) { lastMessage { id } messages { nodes { text siblings { id } parent { text } } } }`: "READ CHAT",
			`message(id: $m) { text citations { quote } }`:                                                            "READ CHAT",
			`message(id: $m) { citations { document { title } } }`:                                                    "READ",
			`message(id: $m) { citations { chunk { text } } }`:                                                        "READ",
			`node(id: $m) { id }`:                 "READ CHAT",
			`node(id: $s) { id }`:                 "",
			`node(id: $k) { id }`:                 "",
			`viewer { sessions { id } }`:          "",
			`viewer { usage { messages } }`:       "",
			`viewer { budgets { resetAt } }`:      "",
			`bot(id: $b) { usage { messages } }`:  "",
			`bot(id: $b) { budgets { resetAt } }`: "",
			`mutation: setBudget(input: {period: DAY, maxMessages: 1}) { errors { code } }`: "",
			`viewer { apiKeys { id } }`:                                                                                           "",
			`conversation(id: $c) { user { sessions { id } } }`:                                                                   "",
			`mutation: logOut { loggedOut errors { code } }`:                                                                      "",
			`mutation: createBot(input: {name: "x"}) { errors { code } }`:                                                         "",
			`mutation: updateBot(input: {botId: $b, name: "y"}) { errors { code } }`:                                              "",
			`mutation: deleteBot(input: {botId: $b}) { errors { code } }`:                                                         "",
			`mutation: revokeSession(input: {sessionId: $s}) { errors { code } }`:                                                 "",
			`mutation: revokeOtherSessions(input: {password: $t}) { errors { code } }`:                                            "",
			`mutation: revokeApiKey(input: {apiKeyId: $k}) { errors { code } }`:                                                   "",
			`mutation: createApiKey(input: {name: $t, scopes: [READ], password: $t}) { errors { code } }`:                         "",
			`mutation: createConversation(input: {botId: $b}) { conversation { id bot { name } } errors { code } }`:               "CHAT",
			`mutation: updateConversation(input: {conversationId: $c, title: $t}) { errors { code } }`:                            "CHAT",
			`mutation: deleteConversation(input: {conversationId: "conv_999"}) { errors { code } }`:                               "CHAT",
			`mutation: sendMessage(input: {botId: $b, text: $t, clientMessageId: $t}) { botMessage { id } errors { code } }`:      "CHAT",
			`mutation: stopMessage(input: {messageId: $m}) { errors { code } }`:                                                   "CHAT",
			`mutation: regenerateMessage(input: {messageId: $m, clientMessageId: "again"}) { errors { code } }`:                   "CHAT",
			`mutation: rateMessage(input: {messageId: $m, rating: DOWN}) { message { feedback { rating } } errors { code } }`:     "CHAT",
			`mutation: addTextDocument(input: {botId: $b, title: $t, text: $t}) { document { id bot { name } } errors { code } }`: "INGEST",
			`mutation: retryDocument(input: {documentId: $d}) { errors { code } }`:                                                "INGEST",
			`mutation: cancelDocument(input: {documentId: $d}) { errors { code } }`:                                               "INGEST",
			`mutation: deleteDocument(input: {documentId: "doc_999"}) { errors { code } }`:                                        "INGEST",
		} {
			kind := "query"
			if rest, found := strings.CutPrefix(query, "mutation: "); found {
				kind, query = "mutation", rest
			}
			used, declared := vars{}, []string{}
			for name, value := range ids {
				if strings.Contains(query, "$"+name) {
					used[name], declared = value, append(declared, "$"+name+": "+pick(name == "t", "String!", "ID!"))
				}
			}
			head := kind
			if len(declared) > 0 {
				head += "(" + strings.Join(declared, ", ") + ")"
			}
			for scope, program := range programs {
				r := program.ask(head+" { "+query+" }", used)
				code := ""
				if r.tree["errors"] != nil {
					code, _ = r.at("errors.0.extensions.code").(string)
				}
				if forbidden := code == "FORBIDDEN"; forbidden == strings.Contains(allowed, scope) {
					t.Errorf("%s with %s: %.300s", query, scope, r.body)
				}
			}
		}
		if status := programs["INGEST"].upload(bot, "tea.txt", []byte(teaText)).get("uploadDocument.document"); status == nil {
			t.Error("a key that feeds bots may not upload")
		}
		programs["CHAT"].upload(bot, "tea.txt", []byte(teaText)).wantCode("", "FORBIDDEN")
		// What is not the key's owner's is not there.
		stranger := s.signUp(t)
		_, program := stranger.newAPIKey(nil, "READ", "CHAT", "INGEST")
		program.ask(`query($b: ID!) { bot(id: $b) { id } }`, vars{"b": bot}).wantCode("", "NOT_FOUND")
		program.ask(`query($d: ID!) { document(id: $d) { id } }`, vars{"d": document}).wantCode("", "NOT_FOUND")
		// A key is of no account to whoever signs in, even where it does not work.
		for _, token := range []string{programs["READ"].token, "kyr_sk_live_nonsense"} {
			in := (&person{t: t, s: s, token: token}).must(`mutation($e: String!, $p: String!) { logIn(input: {email: $e, password: $p}) { accessToken errors { code } } }`, vars{"e": stranger.email, "p": password})
			if in.get("logIn.accessToken") == nil {
				t.Errorf("%s", in.body)
			}
		}
	})
}

// TestScopesOfSubscriptions follows everything with keys of each scope.
func TestScopesOfSubscriptions(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		bot := p.newBot()
		document := p.know(bot, "Tea", teaText)
		finished, _ := p.chat(vars{"botId": bot, "text": "How long does green tea steep?"})
		message := finished.text("messageStream.message.id")
		talk := p.must(`query($m: ID!) { message(id: $m) { conversation { id } } }`, vars{"m": message}).text("message.conversation.id")
		for _, scope := range []string{"READ", "CHAT", "INGEST"} {
			_, program := p.newAPIKey(nil, scope)
			for query, allowed := range map[string]string{
				`subscription($x: ID!) { messageStream(messageId: $x) { __typename } }`:                                                           "READ CHAT " + message,
				`subscription($x: ID!) { conversationEvents(conversationId: $x) { __typename } }`:                                                 "READ CHAT " + talk,
				`subscription($x: ID!) { documentProgress(documentId: $x) { status } }`:                                                           "READ INGEST " + document,
				`subscription($x: ID!) { documentProgress(documentId: $x) { document { title } } }`:                                               "READ INGEST " + document,
				`subscription($x: ID!) { messageStream(messageId: $x) { ... on MessageFinished { message { citations { document { id } } } } } }`: "READ " + message,
			} {
				id := allowed[strings.LastIndex(allowed, " ")+1:]
				var told string
				err := program.follow(query, vars{"x": id}, func(e *reply) bool { told += string(e.body); return strings.Contains(query, "messageStream") })
				if err != nil {
					told += err.Error()
				}
				if forbidden := strings.Contains(told, "FORBIDDEN"); forbidden == strings.Contains(allowed, scope) {
					t.Errorf("%s with %s: %s", query, scope, told)
				}
			}
		}
	})
}

func TestConnectionsEndWithTheirKeys(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		bot := p.newBot()
		id, program := p.newAPIKey(nil, "READ")
		_, other := p.newAPIKey(nil, "READ")
		socket, quiet, told := program.socket(t), program.socket(t), program.listen(t, bot)
		still, person := other.socket(t), p.socket(t)
		socket.send(endless("a", bot))
		if r := p.revokeKey(id); r.text("revokeApiKey.deletedId") != id {
			t.Fatalf("%s", r.body)
		}
		socket.expect("4401 ")
		quiet.expect("4401 ")
		if got := told(); !strings.Contains(got, `"code":"UNAUTHENTICATED"`) || !strings.Contains(got, "event: complete") {
			t.Errorf("the event stream: %q", got)
		}
		again := s.dial(t)
		again.send(program.initialisation())
		again.expect("4401 ")
		for _, open := range []*rawSocket{still, person} {
			if code := open.ask(`{"query":"{viewer{email}}"}`); code != "" {
				t.Errorf("another socket: %s", code)
			}
		}
	})
}

// TestKeysThatExpireEndTheirSockets as tokens do.
func TestKeysThatExpireEndTheirSockets(t *testing.T) {
	t.Parallel()
	s := startServer(t, map[string]string{"KYRO_TOKEN_GRACE": "10ms"})
	p := s.signUp(t)
	bot := p.newBot()
	_, program := p.newAPIKey(vars{"e": time.Now().Add(15 * time.Second).UTC().Format(time.RFC3339Nano)}, "READ")
	socket, told := program.socket(t), program.listen(t, bot)
	socket.send(endless("a", bot))
	socket.expect("4403 token expired")
	if got := told(); strings.Contains(got, "complete") || strings.Contains(got, "error") {
		t.Errorf("the event stream: %q", got)
	}
	late := s.dial(t)
	late.send(program.initialisation())
	late.expect("4401 ")
	program.untilRefused()
	if n := len(p.must(`{ viewer { apiKeys { id } } }`, nil).list("viewer.apiKeys")); n != 1 {
		t.Errorf("%d keys are listed after it expired", n)
	}
}

// TestKeysThatAnotherProcessRevokes, on SQLite too: an operator's command may do so.
func TestKeysThatAnotherProcessRevokes(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		_, program := p.newAPIKey(nil, "READ")
		socket := program.socket(t)
		s.exec(t, "UPDATE api_keys SET revoked_at = created_at")
		socket.expect("4401 ")
		program.untilRefused()
	})
}

func TestRevokedKeysOnEveryNode(t *testing.T) {
	withAndWithoutRedis(t, nil, func(t *testing.T, w *town) {
		p := w.servers[0].signUp(t)
		bot := p.newBot()
		id, program := p.newAPIKey(nil, "READ")
		elsewhere := program.at(w.servers[1])
		socket, told := elsewhere.socket(t), elsewhere.listen(t, bot)
		socket.send(endless("a", bot))
		elsewhere.must(`{ viewer { id } }`, nil) // which the node remembers now
		began := time.Now()
		p.revokeKey(id)
		elsewhere.untilRefused()
		refused := time.Since(began)
		socket.expect("4401 ")
		if got := told(); !strings.Contains(got, `"code":"UNAUTHENTICATED"`) {
			t.Errorf("the event stream: %q", got)
		}
		t.Logf("refused after %v, closed after %v", refused, time.Since(began))
	})
}

// TestKeysOfDeactivatedAccountsDoNotWork, nor do sessions: whatever else was forgotten to be ended.
func TestKeysOfDeactivatedAccountsDoNotWork(t *testing.T) {
	t.Parallel()
	for name, env := range map[string]map[string]string{"sqlite": nil, "postgres": {"DATABASE_URL": testdb.PostgresURL(t)}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, env)
			p := s.signUp(t)
			refresh := p.must(`mutation($e: String!, $p: String!) { logIn(input: {email: $e, password: $p}) { refreshToken errors { code } } }`, vars{"e": p.email, "p": password}).text("logIn.refreshToken")
			_, program := p.newAPIKey(nil, "READ")
			byKey, byToken := program.socket(t), p.socket(t)
			s.exec(t, "UPDATE users SET deactivated_at = created_at")
			byKey.expect("4401 ")
			byToken.expect("4401 ")
			program.untilRefused()
			p.untilRefused()
			p.refresh(refresh).wantCode("refreshSession", "INVALID_TOKEN")
		})
	}
}
