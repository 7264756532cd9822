package program

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"kyrochat/internal/gemini"
	"kyrochat/internal/pinecone"
	"kyrochat/internal/testdb"
)

// outside are the upstreams of a server, emulated.
type outside struct {
	gemini   *gemini.Emulator
	pinecone *pinecone.Emulator
}

func startOutside(t *testing.T) *outside {
	t.Helper()
	index, err := pinecone.Start(pinecone.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = index.Close() })
	return &outside{gemini.Start(t), index}
}

// env are the settings of a server that uses them, with others beside.
func (o *outside) env(others ...map[string]string) map[string]string {
	env := map[string]string{
		"GEMINI_API_KEY": o.gemini.Key, "KYRO_GEMINI_URL": o.gemini.URL, "PINECONE_API_KEY": o.pinecone.APIKey,
		"KYRO_PINECONE_INDEX": o.pinecone.Index, "KYRO_PINECONE_CONTROL_URL": o.pinecone.ControlURL, "KYRO_LOG_LEVEL": "error",
	}
	for _, other := range others {
		maps.Copy(env, other)
	}
	return env
}

// eachOutside runs a test with upstreams and the settings of a server on SQLite, and on PostgreSQL, that uses them.
func eachOutside(t *testing.T, test func(t *testing.T, o *outside, env map[string]string)) {
	t.Helper()
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		o := startOutside(t)
		test(t, o, o.env(map[string]string{"KYRO_DATA_DIR": t.TempDir()}))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		o := startOutside(t)
		test(t, o, o.env(map[string]string{"KYRO_DATA_DIR": t.TempDir(), "DATABASE_URL": testdb.PostgresURL(t)}))
	})
}

// newTalk begins a conversation.
func (p *person) newTalk(bot string) string {
	p.t.Helper()
	return p.must(`mutation($b: ID!) { createConversation(input: {botId: $b}) { conversation { id } errors { code } } }`, vars{"b": bot}).
		text("createConversation.conversation.id")
}

// atOnce is how many messages a conversation takes at once: one that is answered and three that wait.
const atOnce = 4

// sayAll says up to atOnce messages in one request, and gives the answers to come.
func (p *person) sayAll(conversation string, texts ...string) (answers []string) {
	p.t.Helper()
	v := vars{"c": conversation}
	var takes, fields strings.Builder
	for i, said := range texts {
		fmt.Fprintf(&takes, ", $t%d: String!", i)
		fmt.Fprintf(&fields, ` m%d: sendMessage(input: {conversationId: $c, text: $t%d, clientMessageId: "%s"}) { botMessage { id } errors { code message } }`, i, i, newKey())
		v[fmt.Sprintf("t%d", i)] = said
	}
	r := p.insist("mutation($c: ID!"+takes.String()+") {"+fields.String()+" }", v)
	for i := range texts {
		answers = append(answers, r.text(fmt.Sprintf("m%d.botMessage.id", i)))
	}
	return answers
}

// insist is ask for what may be sent again, as it is where a busy machine's database does not answer in time.
func (p *person) insist(query string, v vars) (r *reply) {
	p.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if r = p.ask(query, v); r.tree["errors"] == nil || r.at("errors.0.extensions.code") != "UNAVAILABLE" {
			break
		}
	}
	return r
}

// finish waits until an answer has ended, and with it those before it in its conversation.
func (p *person) finish(message string) {
	p.t.Helper()
	ended := false
	err := p.follow(`subscription($m: ID!) { messageStream(messageId: $m) { __typename } }`, vars{"m": message}, func(e *reply) bool {
		ended = e.text("messageStream.__typename") == "MessageFinished"
		return true
	})
	if err != nil || !ended {
		p.t.Errorf("the answer %s has no end: %v", message, err)
	}
}

// said gives the messages of a conversation, oldest first, each with the fields.
func (p *person) said(conversation, fields string) (messages []*reply) {
	p.t.Helper()
	v := vars{"c": conversation, "a": nil}
	for {
		r := p.must(`query($c: ID!, $a: String) { conversation(id: $c) { messages(first: 50, after: $a) { nodes `+fields+` pageInfo { hasNextPage endCursor } } } }`, v)
		for _, node := range r.list("conversation.messages.nodes") {
			messages = append(messages, &reply{t: p.t, body: r.body, tree: map[string]any{"data": node}})
		}
		if r.get("conversation.messages.pageInfo.hasNextPage") != true {
			return messages
		}
		v["a"] = r.text("conversation.messages.pageInfo.endCursor")
	}
}
