package program

import (
	"regexp"
	"strings"
	"testing"
)

var requestID = regexp.MustCompile(`"requestId":"[^"]*"`)

// TestNotYoursReadsLikeNotThere asks for everything by the ids of somebody else, and by ids that do not exist, and
// compares the answers byte for byte but for the request id.
func TestNotYoursReadsLikeNotThere(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		owner, stranger := s.signUp(t), s.signUp(t)
		bot := owner.newBot()
		document := owner.know(bot, "Tea", teaText)
		sent := owner.send(vars{"botId": bot, "text": "Who founded the tea house?"})
		conversation, answer := sent.text("sendMessage.conversation.id"), sent.text("sendMessage.botMessage.id")
		owner.hear(answer)
		chunk := owner.must(`query($d: ID!) { document(id: $d) { chunks { nodes { id } } } }`, vars{"d": document}).text("document.chunks.nodes.0.id")
		user := owner.must(`{ viewer { id } }`, nil).text("viewer.id")

		export := owner.must(exportConversations, vars{"i": vars{"botId": bot, "format": "CSV"}}).text("exportConversations.export.id")
		owner.exported(export)

		// %s stands for the id.
		operations := map[string][]string{
			bot: {
				`{ bot(id: "%s") { id name instructions documents { nodes { id } } } }`, `{ node(id: "%s") { id } }`, `{ nodes(ids: ["%s"]) { id } }`,
				`{ bot(id: "%s") { search(query: "tea") { chunk { text } } } }`, `{ node(id: "%s") { ... on Bot { search(query: "tea") { score } } } }`,
				`mutation { updateBot(input: {botId: "%s", name: "mine"}) { bot { id } errors { code message } } }`,
				`mutation { deleteBot(input: {botId: "%s"}) { deletedId errors { code } } }`,
				`mutation { addTextDocument(input: {botId: "%s", title: "t", text: "x"}) { document { id } errors { code } } }`,
				`mutation { createConversation(input: {botId: "%s"}) { conversation { id } errors { code } } }`,
				`mutation { sendMessage(input: {botId: "%s", text: "x", clientMessageId: "s1"}) { userMessage { id } errors { code } } }`,
				`{ viewer { conversations(filter: {botId: "%s"}) { totalCount nodes { id } } } }`,
				`subscription { documentProgress(botId: "%s") { status } }`,
				`mutation { exportConversations(input: {botId: "%s", format: CSV}) { export { id } errors { code } } }`,
			},
			export: {
				`{ export(id: "%s") { id url } }`, `{ node(id: "%s") { id ... on Export { url } } }`,
				`mutation { deleteExport(input: {exportId: "%s"}) { deletedId errors { code } } }`,
				`subscription { exportProgress(exportId: "%s") { url } }`,
			},
			document: {
				`{ document(id: "%s") { id title text chunks { nodes { text } } } }`, `{ node(id: "%s") { id } }`,
				`mutation { retryDocument(input: {documentId: "%s"}) { document { id } errors { code } } }`,
				`mutation { cancelDocument(input: {documentId: "%s"}) { document { id } errors { code } } }`,
				`mutation { deleteDocument(input: {documentId: "%s"}) { deletedId errors { code } } }`,
				`subscription { documentProgress(documentId: "%s") { status document { title } } }`,
			},
			conversation: {
				`{ conversation(id: "%s") { id title messages { nodes { text } } } }`, `{ node(id: "%s") { id } }`,
				`mutation { updateConversation(input: {conversationId: "%s", title: "mine"}) { conversation { id } errors { code } } }`,
				`mutation { deleteConversation(input: {conversationId: "%s"}) { deletedId errors { code } } }`,
				`mutation { sendMessage(input: {conversationId: "%s", text: "x", clientMessageId: "s2"}) { userMessage { id } errors { code } } }`,
			},
			answer: {
				`{ message(id: "%s") { id text citations { quote } } }`, `{ node(id: "%s") { id } }`,
				`mutation { stopMessage(input: {messageId: "%s"}) { message { id } errors { code } } }`,
				`mutation { regenerateMessage(input: {messageId: "%s", clientMessageId: "s3"}) { botMessage { id } errors { code } } }`,
				`subscription { messageStream(messageId: "%s") { __typename } }`,
			},
			chunk: {`{ node(id: "%s") { id ... on Chunk { text } } }`},
			user:  {`{ node(id: "%s") { id ... on User { email } } }`},
		}
		for id, list := range operations {
			missing := id[:strings.Index(id, "_")] + "_888888888"
			for _, operation := range list {
				theirs, none := stranger.sayAnything(operation, id), stranger.sayAnything(operation, missing)
				if theirs != none {
					t.Errorf("%s\nsomebody else's: %s\nnot there:       %s", operation, theirs, none)
				}
				nobody := (&person{t: t, s: s}).sayAnything(operation, id)
				if !strings.Contains(nobody, "UNAUTHENTICATED") && !strings.Contains(operation, "viewer") {
					t.Errorf("%s\nnobody gets %s", operation, nobody)
				}
			}
		}
		up, none := stranger.upload(bot, "a.txt", []byte("x")), stranger.upload("bot_888888888", "a.txt", []byte("x"))
		if a, b := anonymous(string(up.body), bot), anonymous(string(none.body), "bot_888888888"); a != b {
			t.Errorf("upload:\n%s\n%s", a, b)
		}
		// Nothing of it did anything.
		if r := owner.must(`query($b: ID!, $c: ID!) { bot(id: $b) { name documents { totalCount } } conversation(id: $c) { messageCount title } }`, vars{"b": bot, "c": conversation}); r.text("bot.name") != "Helper" ||
			r.number("bot.documents.totalCount") != 1 || r.number("conversation.messageCount") != 2 {
			t.Errorf("%s", r.body)
		}
	})
}

// sayAnything runs an operation of any kind on an id and gives what is answered, without what tells requests apart.
func (p *person) sayAnything(operation, id string) string {
	p.t.Helper()
	operation = strings.ReplaceAll(operation, "%s", id)
	if !strings.HasPrefix(operation, "subscription") {
		return anonymous(string(p.ask(operation, nil).body), id)
	}
	var seen string
	err := p.follow(operation, nil, func(e *reply) bool { seen = string(e.body); return false })
	if err != nil {
		seen += err.Error()
	}
	return anonymous(seen, id)
}

func anonymous(body, id string) string {
	return strings.ReplaceAll(requestID.ReplaceAllString(body, ""), id, "ID")
}

func TestIdsOfTheWrongKind(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		bot := p.newBot()
		operations := []string{
			`{ conversation(id: "%s") { id } }`, `{ document(id: "%s") { id } }`, `{ message(id: "%s") { id } }`,
			`mutation { deleteDocument(input: {documentId: "%s"}) { deletedId errors { code } } }`,
			`mutation { stopMessage(input: {messageId: "%s"}) { message { id } errors { code } } }`,
			`mutation { sendMessage(input: {conversationId: "%s", text: "x", clientMessageId: "a"}) { userMessage { id } errors { code } } }`,
			`mutation { updateConversation(input: {conversationId: "%s", title: "x"}) { conversation { id } errors { code } } }`,
			`mutation { deleteConversation(input: {conversationId: "%s"}) { deletedId errors { code } } }`,
			`mutation { regenerateMessage(input: {messageId: "%s", clientMessageId: "a"}) { botMessage { id } errors { code } } }`,
			`mutation { retryDocument(input: {documentId: "%s"}) { document { id } errors { code } } }`,
			`mutation { cancelDocument(input: {documentId: "%s"}) { document { id } errors { code } } }`,
			`subscription { documentProgress(documentId: "%s") { status } }`,
			`subscription { messageStream(messageId: "%s") { __typename } }`,
			`{ export(id: "%s") { id } }`, `subscription { exportProgress(exportId: "%s") { status } }`,
			`mutation { deleteExport(input: {exportId: "%s"}) { deletedId errors { code } } }`,
		}
		ofBots := []string{
			`{ bot(id: "%s") { id } }`,
			`{ viewer { conversations(filter: {botId: "%s"}) { totalCount } } }`,
			`mutation { updateBot(input: {botId: "%s", name: "x"}) { bot { id } errors { code } } }`,
			`mutation { deleteBot(input: {botId: "%s"}) { deletedId errors { code } } }`,
			`mutation { createConversation(input: {botId: "%s"}) { conversation { id } errors { code } } }`,
			`mutation { addTextDocument(input: {botId: "%s", title: "x", text: "x"}) { document { id } errors { code } } }`,
			`mutation { sendMessage(input: {botId: "%s", text: "x", clientMessageId: "a"}) { userMessage { id } errors { code } } }`,
			`subscription { documentProgress(botId: "%s") { status } }`,
			`mutation { exportConversations(input: {botId: "%s", format: CSV}) { export { id } errors { code } } }`,
		}
		refused := func(operation, id string) {
			got := p.sayAnything(operation, id)
			if !strings.Contains(got, "BAD_USER_INPUT") || !strings.Contains(got, "expected one that begins with") {
				t.Errorf("%s with %s: the answer does not say what was expected: %s", operation, id, got)
			}
		}
		for _, operation := range operations {
			refused(operation, bot)
		}
		for _, operation := range append(operations, ofBots...) {
			refused(operation, "zz")
		}
		for _, id := range []string{"", "42", "bot_", "bot_x", "cat_1"} {
			p.ask(`query($id: ID!) { bot(id: $id) { id } }`, vars{"id": id}).wantCode("", "BAD_USER_INPUT")
			p.ask(`{ node(id: "`+id+`") { id } }`, nil).wantCode("", "BAD_USER_INPUT")
		}
	})
}
