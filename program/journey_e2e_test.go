package program

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kyrochat/internal/gemini"
	"kyrochat/internal/testdb"
)

const chineseTea = `西湖的龙井茶用八十度的水冲泡三分钟。

胡椒巷的茶馆每天早上九点开门。茶馆由陈明远在一九零四年创立。`

var lighthouse = []string{
	"The lighthouse of Varn was built in 1871 by Odile Marchetti.",
	"Its lamp burns rapeseed oil. It can be seen from forty miles.",
	"The keeper of Varn lives in the lower tower and climbs 212 steps every evening.",
}

// TestTheJourney goes the way of a person from the account to the deletion: with the embedded parts, and with Gemini and
// Pinecone. Nothing differs but keys and addresses.
func TestTheJourney(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		t.Run("embedded", func(t *testing.T) {
			env := map[string]string{"KYRO_OFFLINE_PACE": "20ms", "DATABASE_URL": ""}
			if strings.Contains(t.Name(), "postgres") {
				env["DATABASE_URL"] = testdb.PostgresURL(t)
			}
			travel(t, startServer(t, env), nil, nil)
		})
		t.Run("gemini and pinecone", func(t *testing.T) {
			u := startUpstreams(t, gemini.Options{Pace: 10 * time.Millisecond})
			w := u.serve(t, env)
			travel(t, w.testServer, u, w.log.String)
			keepsSecrets(t, "the log", w.log.String(), "Varn", "Ottilie", "龙井")
		})
	})
}

// travel is the journey, over the public API. u is nil for a server that asks nobody; log is what the server has told.
func travel(t *testing.T, s *testServer, u *upstreams, log func() string) {
	p := s.signUp(t)
	bot := p.must(`mutation($i: String!) { createBot(input: {name: "Keeper", instructions: $i}) { bot { id } errors { code message } } }`,
		vars{"i": "Answer shortly. " + promptCanary}).text("createBot.bot.id")
	info := p.must(`{ serverInfo { answers { provider model } embeddings { provider model } vectors } }`, nil)
	if want := pick(u != nil, "gemini pinecone", "offline embedded"); info.text("serverInfo.answers.provider")+" "+info.text("serverInfo.vectors") != want {
		t.Errorf("want %s: %s", want, info.body)
	}

	pdf := p.watched(p.upload(bot, "varn.pdf", newPDF(t, lighthouse...)).text("uploadDocument.document.id"))
	tea := p.know(bot, "Tea Book", teaText)
	p.know(bot, "西湖茶书", chineseTea)
	p.know(bot, "Harbour", longAnswer)

	// Token by token, cut twice, and gone on with by the cursor.
	var conversation string
	var l *listener
	for range 20 { // a busy machine is late, and then hears more at once
		sent := p.send(vars{"botId": bot, "text": "How many steps does the keeper of Varn climb?"})
		conversation = sent.text("sendMessage.conversation.id")
		answer := sent.text("sendMessage.botMessage.id")
		l = &listener{t: t}
		for cuts := 0; l.finished == nil; cuts++ {
			seen := l.deltas
			l.enough = func() bool { return cuts < 2 && l.deltas > seen }
			if err := p.follow(messageStream, vars{"m": answer, "a": l.cursor}, l.handle); err != nil {
				t.Fatal(err)
			}
		}
		if l.deltas >= 3 {
			break
		}
	}
	if stored := l.finished.text("messageStream.message.text"); l.deltas < 3 || l.text != stored || !strings.Contains(stored, "212 steps") {
		t.Errorf("%d pieces make %q, stored is %q", l.deltas, l.text, stored)
	}
	p.grounded(l.finished, u)
	if cited := l.finished.text("messageStream.message.citations.0.document.id"); cited != pdf || l.finished.number("messageStream.message.citations.0.pageStart") != 3 {
		t.Errorf("want page 3 of %s: %s", pdf, l.finished.body)
	}
	if u != nil {
		waitUntil(t, "a title of its own", func() bool {
			title := p.must(`query($c: ID!) { conversation(id: $c) { title } }`, vars{"c": conversation}).text("conversation.title")
			return title != "How many steps does the keeper of Varn climb?" && strings.Contains(title, "Varn")
		})
	}

	chinese, text := p.chat(vars{"botId": bot, "text": "龙井茶用多少度的水冲泡？"})
	if !strings.Contains(text, "八十度") {
		t.Errorf("a Chinese question: %q", text)
	}
	p.grounded(chinese, u)

	// A question that is understood from the one before.
	first, _ := p.chat(vars{"conversationId": conversation, "text": "Who founded the tea house on Pepper Lane?"})
	p.grounded(first, u)
	searched, asked := u == nil, 0
	for late := true; late && asked < 4; asked++ {
		second, text := p.chat(vars{"conversationId": conversation, "text": "And when does it open?"})
		if !strings.Contains(text, "nine in the morning") {
			t.Errorf("a question that leans on the one before: %q", text)
		}
		p.grounded(second, u)
		searched = searched || slices.ContainsFunc(u.gemini.RequestsOf(gemini.KindEmbed), func(q gemini.Request) bool {
			return q.TaskType == "RETRIEVAL_QUERY" && strings.Contains(q.Texts[0], "open") && strings.Contains(q.Texts[0], "Pepper Lane")
		})
		// Where it takes a busy machine a second and a half to rewrite it, it is searched for as it is.
		late = !searched && strings.Contains(log(), "question not rewritten")
	}
	if u != nil {
		if rewritten := u.gemini.RequestsOf(gemini.KindRewrite); len(rewritten) != asked || !searched {
			t.Errorf("%d of %d questions were rewritten, and that one was searched for: %t", len(rewritten), asked, searched)
		}
	}

	stopped := p.stopped(bot, u)
	newer := p.must(`mutation($m: ID!) { regenerateMessage(input: {messageId: $m, clientMessageId: "anew"}) { botMessage { id } errors { code } } }`,
		vars{"m": stopped}).text("regenerateMessage.botMessage.id")
	again, text := p.hear(newer)
	if !strings.Contains(text, "the seventh lamp stays dark") {
		t.Errorf("made anew: %q", text)
	}
	p.grounded(again, u)

	// From the deletion on the document is in no prompt, and its vectors go.
	p.must(`mutation($d: ID!) { deleteDocument(input: {documentId: $d}) { deletedId errors { code } } }`, vars{"d": tea})
	if u != nil {
		u.gemini.Forget()
	}
	gone, _ := p.chat(vars{"conversationId": conversation, "text": "Who founded the tea house on Pepper Lane?"})
	if gone.text("messageStream.message.grounding") != "NOT_FOUND" {
		t.Errorf("answered from a deleted document: %s", gone.body)
	}
	if u == nil {
		return
	}
	for _, q := range u.gemini.Requests() {
		if strings.Contains(q.Words(), "Ottilie") {
			t.Errorf("a deleted document is in a prompt: %s", q.Words())
		}
	}
	_, key, _ := strings.Cut(tea, "_")
	waitUntil(t, "its vectors are gone", func() bool {
		for _, r := range u.pinecone.Records() {
			if r.Metadata["doc"] == key {
				return false
			}
		}
		return len(u.pinecone.Records()) > 0
	})
}

// watched waits for a document whose progress never falls, and gives it back.
func (p *person) watched(document string) string {
	p.t.Helper()
	var states []string
	last := -1.0
	err := p.follow(`subscription($d: ID!) { documentProgress(documentId: $d) { status percent } }`, vars{"d": document}, func(e *reply) bool {
		states = append(states, e.text("documentProgress.status"))
		if percent := e.number("documentProgress.percent"); percent < last {
			p.t.Errorf("the percentage fell from %g to %g", last, percent)
		} else {
			last = percent
		}
		return true
	})
	if err != nil || len(states) == 0 || states[len(states)-1] != "READY" || last != 100 {
		p.t.Fatalf("progress: %v, %v, %g", err, states, last)
	}
	return document
}

// grounded checks an answer that says what documents say: each citation is the slice that it says it is, the row is what
// was delivered, and it is said who wrote it.
func (p *person) grounded(finished *reply, u *upstreams) {
	p.t.Helper()
	const message = "messageStream.message."
	if finished.text("messageStream.finishReason") != "STOP" || finished.text(message+"status") != "COMPLETED" || finished.text(message+"grounding") != "GROUNDED" {
		p.t.Errorf("%s", finished.body)
	}
	if len(finished.list(message+"citations")) == 0 {
		p.t.Errorf("nothing is cited: %s", finished.body)
	}
	citationsHold(p.t, finished, message)
	notices := fmt.Sprint(finished.list(message + "notices"))
	model := finished.text(message + "usage.model")
	if u == nil && (notices != "[OFFLINE_ANSWER]" || model != "kyro-extractive-1") || u != nil && (notices != "[]" || model != "gemini-3.8-flash") {
		p.t.Errorf("written by %s, with %s", model, notices)
	}
	for _, count := range []string{"promptTokens", "outputTokens", "totalTokens", "durationMs"} {
		if finished.number(message+"usage."+count) <= 0 {
			p.t.Errorf("%s: %s", count, finished.body)
		}
	}
	if finished.number(message+"usage.timeToFirstTokenMs") < 0 {
		p.t.Errorf("%s", finished.body)
	}
}

// citationsHold checks that each citation of a message is what the text of its document says there.
func citationsHold(t *testing.T, r *reply, message string) {
	t.Helper()
	for i := range r.list(message + "citations") {
		at := fmt.Sprintf("%scitations.%d.", message, i)
		quote := r.text(at + "quote")
		if got := slice(r.text(at+"document.text"), r.number(at+"charStart"), r.number(at+"charEnd")); got != quote || quote == "" {
			t.Errorf("the quote %q is not the slice %q", quote, got)
		}
		if r.get(at+"verified") != true || !strings.Contains(r.text(at+"chunk.text"), quote) ||
			!strings.Contains(r.text(message+"text"), fmt.Sprintf("[%g]", r.number(at+"marker"))) {
			t.Errorf("citation %d: %s", i, r.body)
		}
	}
}

// stopped asks something, stops the answer in the middle, and checks that what was written is kept.
func (p *person) stopped(bot string, u *upstreams) (message string) {
	p.t.Helper()
	if u != nil {
		u.gemini.Forget()
		u.gemini.Script(gemini.Script{Kind: gemini.KindAnswer, Times: 1, Pace: 30 * time.Millisecond, Pieces: slices.Repeat([]string{"Ottilie Brandt, ", "and again "}, 500)})
	}
	var l *listener
	var r *reply
	for range 20 { // an answer that nobody scripts may be over before a busy machine has stopped it
		message = p.send(vars{"botId": bot, "text": "What do the harbour rules of Lindau say about lamps?"}).text("sendMessage.botMessage.id")
		l = &listener{t: p.t}
		l.enough = func() bool { return l.text != "" }
		if err := p.follow(messageStream, vars{"m": message}, l.handle); err != nil {
			p.t.Fatal(err)
		}
		r = p.must(`mutation($m: ID!) { stopMessage(input: {messageId: $m}) { message { status text finishReason } errors { code } } }`, vars{"m": message})
		if r.text("stopMessage.message.status") != "COMPLETED" {
			break
		}
	}
	text := r.text("stopMessage.message.text")
	finished, heard := p.hear(message)
	if r.text("stopMessage.message.status") != "STOPPED" || finished.text("messageStream.finishReason") != "STOPPED_BY_USER" || text != heard || !strings.HasPrefix(text, l.text) {
		p.t.Errorf("shown %q, kept %q: %s", l.text, text, r.body)
	}
	if u != nil {
		u.gemini.MustAwait(p.t, func(list []gemini.Request) bool {
			return slices.ContainsFunc(list, func(q gemini.Request) bool { return q.Kind == gemini.KindAnswer && q.Gone != nil })
		})
	}
	return message
}
