package program

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"kyrochat/internal/gemini"
	"kyrochat/kyro"
)

const (
	sendMessage = `mutation($c: ID, $b: ID, $t: String!, $k: String!) { sendMessage(input: {conversationId: $c, botId: $b, text: $t, clientMessageId: $k}) {
		conversation { id title messageCount } userMessage { id role status text clientMessageId siblings { id } parent { id } }
		botMessage { id role status parent { id } clientMessageId } errors { code message field } } }`
	messageFields = `{ id role status text grounding finishReason notices completedAt error { code } usage { promptTokens outputTokens totalTokens model timeToFirstTokenMs durationMs }
		citations { marker documentTitle documentVersion quote charStart charEnd pageStart verified score similarity document { id title text } chunk { id text } } }`
	messageStream = `subscription($m: ID!, $a: StreamCursor) { messageStream(messageId: $m, after: $a) { __typename
		... on MessageSnapshot { seq cursor message { id text status } } ... on MessageDelta { seq cursor text } ... on MessageStage { seq cursor status }
		... on MessageFinished { seq cursor finishReason message ` + messageFields + ` } } }`
)

// newKey makes a clientMessageId.
func newKey() string { return fmt.Sprintf("key-%d", people.Add(1)) }

// send says something; v has botId or conversationId, and text.
func (p *person) send(v vars) *reply {
	p.t.Helper()
	key := v["key"]
	if key == nil {
		key = newKey()
	}
	return p.ask(sendMessage, vars{"c": v["conversationId"], "b": v["botId"], "t": v["text"], "k": key})
}

// chat says something and follows the answer to its end. It gives the last event and the text the events add up to.
func (p *person) chat(v vars) (finished *reply, text string) {
	p.t.Helper()
	sent := p.send(v)
	if errs := sent.list("sendMessage.errors"); len(errs) > 0 {
		p.t.Fatalf("sendMessage: %v", errs)
	}
	return p.hear(sent.text("sendMessage.botMessage.id"))
}

// hear follows an answer to its end.
func (p *person) hear(message string) (finished *reply, text string) {
	p.t.Helper()
	l := &listener{t: p.t}
	if err := p.follow(messageStream, vars{"m": message, "a": nil}, l.handle); err != nil {
		p.t.Fatalf("messageStream: %v", err)
	}
	if l.finished == nil {
		p.t.Fatal("the stream ended without a finish")
	}
	return l.finished, l.text
}

// listener is a client of a stream: it shows snapshots, appends deltas, and checks the promises.
type listener struct {
	t        *testing.T
	text     string
	cursor   any
	seq      float64
	finished *reply
	deltas   int
	// enough, where set, says when to hang up.
	enough func() bool
}

func (l *listener) handle(e *reply) bool {
	l.t.Helper()
	if l.finished != nil {
		l.t.Errorf("an event after the finish: %s", e.body)
	}
	seq := e.number("messageStream.seq")
	switch kind := e.text("messageStream.__typename"); kind {
	case "MessageSnapshot":
		l.text = e.text("messageStream.message.text")
	case "MessageFinished":
		l.finished = e
	default:
		if seq != l.seq+1 {
			l.t.Errorf("%s has seq %g after %g", kind, seq, l.seq)
		}
		if kind == "MessageDelta" {
			l.text += e.text("messageStream.text")
			l.deltas++
		}
	}
	l.seq, l.cursor = seq, e.get("messageStream.cursor")
	return l.enough == nil || !l.enough()
}

const teaText = `Green tea is brewed at 80 degrees and steeps for two minutes.

Black tea is brewed with boiling water and steeps for four minutes. Oolong tea from the Wuyi hills steeps for three minutes.

The tea house on Pepper Lane opens at nine in the morning. It was founded by Ottilie Brandt in 1904.`

func TestChat(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		bot := p.newBot()
		document := p.know(bot, "Tea Book", teaText)

		sent := p.send(vars{"botId": bot, "text": "Who founded the tea house on Pepper Lane?"})
		conversation, question, answer := sent.text("sendMessage.conversation.id"), sent.text("sendMessage.userMessage.id"), sent.text("sendMessage.botMessage.id")
		if sent.text("sendMessage.conversation.title") != "Who founded the tea house on Pepper Lane?" || sent.text("sendMessage.userMessage.role") != "USER" ||
			sent.text("sendMessage.botMessage.role") != "BOT" || sent.text("sendMessage.botMessage.parent.id") != question {
			t.Errorf("%s", sent.body)
		}
		finished, text := p.hear(answer)
		if got := finished.text("messageStream.message.text"); got != text || !strings.Contains(text, "Ottilie Brandt") || !strings.Contains(text, "[1]") {
			t.Errorf("streamed %q, stored %q", text, got)
		}
		if finished.text("messageStream.finishReason") != "STOP" || finished.text("messageStream.message.status") != "COMPLETED" ||
			finished.text("messageStream.message.grounding") != "GROUNDED" || finished.text("messageStream.message.notices.0") != "OFFLINE_ANSWER" ||
			finished.text("messageStream.message.usage.model") != "kyro-extractive-1" {
			t.Errorf("%s", finished.body)
		}
		for i := range finished.list("messageStream.message.citations") {
			at := fmt.Sprintf("messageStream.message.citations.%d.", i)
			quote := finished.text(at + "quote")
			if got := slice(finished.text(at+"document.text"), finished.number(at+"charStart"), finished.number(at+"charEnd")); got != quote {
				t.Errorf("the quote %q is not the slice %q", quote, got)
			}
			if finished.get(at+"verified") != true || finished.text(at+"document.id") != document || !strings.Contains(finished.text(at+"chunk.text"), quote) {
				t.Errorf("%s", finished.body)
			}
		}

		// Who comes late gets the end too; who was there to the end gets only that.
		late, lateText := p.hear(answer)
		if lateText != text || late.text("messageStream.message.id") != answer {
			t.Errorf("late: %q", lateText)
		}
		again := &listener{t: t}
		if err := p.follow(messageStream, vars{"m": answer, "a": finished.get("messageStream.cursor")}, again.handle); err != nil || again.finished == nil || again.deltas != 0 {
			t.Errorf("after the end: %v, %d deltas", err, again.deltas)
		}

		unanswered, apology := p.chat(vars{"conversationId": conversation, "text": "How many moons does the planet Kepler have?"})
		if unanswered.text("messageStream.message.grounding") != "NOT_FOUND" || len(unanswered.list("messageStream.message.citations")) != 0 || apology == "" {
			t.Errorf("%s", unanswered.body)
		}

		r := p.must(`query($c: ID!, $m: ID!) { message(id: $m) { id conversation { id } siblings { id } } conversation(id: $c) { messageCount lastMessage { id text }
			messages(last: 3) { totalCount pageInfo { hasPreviousPage } nodes { id role status text } } } }`, vars{"c": conversation, "m": answer})
		if r.number("conversation.messageCount") != 4 || r.number("conversation.messages.totalCount") != 4 || len(r.list("conversation.messages.nodes")) != 3 ||
			r.get("conversation.messages.pageInfo.hasPreviousPage") != true || r.text("conversation.messages.nodes.0.id") != answer || r.text("conversation.lastMessage.text") != apology {
			t.Errorf("%s", r.body)
		}

		// A new answer supersedes the old one, in its place.
		re := p.must(`mutation($m: ID!) { regenerateMessage(input: {messageId: $m, clientMessageId: "again-1"}) { botMessage { id clientMessageId parent { id } } userMessage { id } conversation { messageCount } errors { code } } }`, vars{"m": answer})
		newer := re.text("regenerateMessage.botMessage.id")
		if newer == answer || re.text("regenerateMessage.botMessage.parent.id") != question || re.number("regenerateMessage.conversation.messageCount") != 4 {
			t.Errorf("%s", re.body)
		}
		p.hear(newer)
		r = p.must(`query($c: ID!, $m: ID!) { message(id: $m) { siblings { id } } conversation(id: $c) { messages { nodes { id } } all: messages(includeSuperseded: true) { nodes { id } } } }`, vars{"c": conversation, "m": newer})
		if len(r.list("message.siblings")) != 2 || r.text("message.siblings.0.id") != answer || len(r.list("conversation.messages.nodes")) != 4 ||
			r.text("conversation.messages.nodes.1.id") != newer || len(r.list("conversation.all.nodes")) != 5 {
			t.Errorf("%s", r.body)
		}

		// From the deletion on the document is used for nothing; the quote stays with the answer.
		p.must(`mutation($d: ID!) { deleteDocument(input: {documentId: $d}) { deletedId errors { code } } }`, vars{"d": document})
		r = p.must(`query($m: ID!) { message(id: $m) `+messageFields+` }`, vars{"m": newer})
		if r.get("message.citations.0.document") != nil || r.get("message.citations.0.chunk") != nil || r.text("message.citations.0.documentTitle") != "Tea Book" || r.text("message.citations.0.quote") == "" {
			t.Errorf("%s", r.body)
		}
		gone, _ := p.chat(vars{"conversationId": conversation, "text": "Who founded the tea house on Pepper Lane?"})
		if gone.text("messageStream.message.grounding") != "NOT_FOUND" {
			t.Errorf("answered from a deleted document: %s", gone.body)
		}
	})
}

func TestSendingAgain(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		bot := p.newBot()
		one := p.send(vars{"botId": bot, "text": "Hello?", "key": "k1"})
		two := p.send(vars{"botId": bot, "text": "Hello?", "key": "k1"})
		if one.text("sendMessage.userMessage.id") != two.text("sendMessage.userMessage.id") || one.text("sendMessage.botMessage.id") != two.text("sendMessage.botMessage.id") {
			t.Errorf("sent twice:\n%s\n%s", one.body, two.body)
		}
		conversation := one.text("sendMessage.conversation.id")
		p.send(vars{"botId": bot, "text": "Something else", "key": "k1"}).wantCode("sendMessage", "IDEMPOTENCY_CONFLICT")
		p.send(vars{"conversationId": conversation, "botId": bot, "text": "x"}).wantCode("sendMessage", "VALIDATION")
		p.send(vars{"text": "x"}).wantCode("sendMessage", "VALIDATION")
		p.send(vars{"botId": bot, "text": " \n"}).wantCode("sendMessage", "VALIDATION")
		p.send(vars{"botId": bot, "text": strings.Repeat("x", 8001)}).wantCode("sendMessage", "VALIDATION")
		p.send(vars{"botId": bot, "text": "x", "key": "not a key!"}).wantCode("sendMessage", "VALIDATION")
		p.send(vars{"botId": "bot_999999", "text": "x"}).wantCode("sendMessage", "NOT_FOUND")
		p.send(vars{"botId": conversation, "text": "x"}).wantCode("sendMessage", "BAD_USER_INPUT")
		p.hear(one.text("sendMessage.botMessage.id"))
		if r := p.must(`{ viewer { conversations { totalCount nodes { messageCount } } } }`, nil); r.number("viewer.conversations.totalCount") != 1 || r.number("viewer.conversations.nodes.0.messageCount") != 2 {
			t.Errorf("something refused was stored: %s", r.body)
		}
	})
}

// slowly makes answers slow enough to be met in the middle.
var slowly = map[string]string{"KYRO_OFFLINE_PACE": "10ms"}

const longAnswer = `The harbour rules of Lindau name seven lamps for every ship, and the harbour rules of Lindau say that the first lamp is red, the second lamp is green, the third lamp is white, the fourth lamp is blue, the fifth lamp is amber, the sixth lamp is violet, and the seventh lamp stays dark until the harbour master of Lindau has read the rules aloud on the quay.`

func TestStreamsAreExact(t *testing.T) {
	t.Parallel()
	s := startServer(t, slowly)
	p := s.signUp(t)
	bot := p.newBot()
	p.know(bot, "Rules", longAnswer)
	random := rand.New(rand.NewPCG(1, 2))
	answer := p.send(vars{"botId": bot, "text": "What do the harbour rules of Lindau say about lamps?"}).text("sendMessage.botMessage.id")
	for range 12 { // readers of the same answer, each cut at random and back with its last cursor
		t.Run("", func(t *testing.T) {
			p := &person{t: t, s: s, token: p.token}
			l := &listener{t: t}
			cuts := 0
			for l.finished == nil {
				left := 1 + random.IntN(6)
				l.enough = func() bool { left--; return left == 0 }
				if err := p.follow(messageStream, vars{"m": answer, "a": l.cursor}, l.handle); err != nil {
					t.Fatal(err)
				}
				cuts++
			}
			if got := l.finished.text("messageStream.message.text"); got != l.text {
				t.Errorf("after %d cuts the reader shows %q, stored is %q", cuts, l.text, got)
			}
		})
	}
	for name, cursor := range map[string]any{"the future": cursorAt(answer, 1, 100_000), "another attempt": cursorAt(answer, 7, 1)} {
		l := &listener{t: t}
		if err := p.follow(messageStream, vars{"m": answer, "a": cursor}, l.handle); err != nil || l.finished == nil || l.text != l.finished.text("messageStream.message.text") {
			t.Errorf("a cursor of %s: %v, %q", name, err, l.text)
		}
	}
	for name, cursor := range map[string]any{"another stream": cursorAt("msg_999", 1, 1), "rubbish": "x"} {
		if err := p.follow(messageStream, vars{"m": answer, "a": cursor}, func(*reply) bool { return true }); err == nil || !strings.Contains(err.Error(), "BAD_USER_INPUT") {
			t.Errorf("a cursor of %s: %v", name, err)
		}
	}
}

// TestStreamsOverSSE follows an answer as a client without websockets does, and leaves when the session ends.
func TestStreamsOverSSE(t *testing.T) {
	t.Parallel()
	s := startServer(t, slowly)
	p := s.signUp(t)
	bot := p.newBot()
	p.know(bot, "Rules", longAnswer)
	answer := p.send(vars{"botId": bot, "text": "What do the harbour rules of Lindau say about lamps?"}).text("sendMessage.botMessage.id")
	l := &listener{t: t}
	for event := range p.events(messageStream, vars{"m": answer}) {
		l.handle(event)
	}
	if l.finished == nil || l.text != l.finished.text("messageStream.message.text") || l.text == "" {
		t.Errorf("the reader shows %q, the end is %v", l.text, l.finished)
	}
	last := ""
	for event := range p.events(`subscription($b: ID!) { documentProgress(botId: $b) { status } }`, vars{"b": bot}) {
		last = string(event.body)
	}
	if !strings.Contains(last, "UNAUTHENTICATED") {
		t.Errorf("after the session ended: %q", last)
	}
}

// events gives the results of an operation as server-sent events, and logs out once a stream without end is open.
func (p *person) events(query string, v vars) iter.Seq[*reply] {
	return func(yield func(*reply) bool) {
		body, _ := json.Marshal(map[string]any{"query": query, "variables": v})
		req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.s.url+"/graphql", bytes.NewReader(body))
		if err != nil {
			p.t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "text/event-stream")
		req.Header.Set("Authorization", "Bearer "+p.token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			p.t.Fatal(err)
		}
		defer res.Body.Close()
		if strings.Contains(query, "botId") {
			p.must(`mutation { logOut { loggedOut errors { code } } }`, nil)
		}
		lines, complete := bufio.NewScanner(res.Body), false
		for lines.Scan() {
			data, found := strings.CutPrefix(lines.Text(), "data: ")
			complete = complete || lines.Text() == "event: complete"
			if !found {
				continue
			}
			event := &reply{t: p.t, body: []byte(data)}
			if err := json.Unmarshal(event.body, &event.tree); err != nil || !yield(event) {
				return
			}
		}
		if !complete {
			p.t.Errorf("the stream ended without complete: %v", lines.Err())
		}
	}
}

func TestStop(t *testing.T) {
	t.Parallel()
	w := startUpstreams(t, gemini.Options{}).serve(t, map[string]string{"KYRO_ANSWER_IDLE_TIMEOUT": "2m"})
	// The first answer goes no further than this until it is stopped, so that others can be sent while it is made.
	w.gemini.Script(gemini.Script{Kind: gemini.KindAnswer, Times: 1, Pieces: []string{"The first lamp is red, ", "the second is green, ", "the third is white, ", "and so on."}, After: 3, Then: gemini.Stall})
	p := w.signUp(t)
	bot := p.newBot()
	p.know(bot, "Rules", longAnswer)
	sent := p.send(vars{"botId": bot, "text": "What do the harbour rules of Lindau say about lamps?"})
	answer, conversation := sent.text("sendMessage.botMessage.id"), sent.text("sendMessage.conversation.id")
	// Three more wait for their turn; a fourth is too many. The last of them is stopped before it begins.
	var waiting []string
	for range 3 {
		waiting = append(waiting, p.send(vars{"conversationId": conversation, "text": "And the seventh lamp of Lindau?"}).text("sendMessage.botMessage.id"))
	}
	p.send(vars{"conversationId": conversation, "text": "One more?"}).wantCode("sendMessage", "LIMIT_REACHED")
	p.ask(`mutation($m: ID!) { regenerateMessage(input: {messageId: $m, clientMessageId: "r1"}) { errors { code } } }`, vars{"m": answer}).wantCode("regenerateMessage", "CONFLICT")
	stop := `mutation($m: ID!) { stopMessage(input: {messageId: $m}) { message { status text finishReason } errors { code } } }`
	if r := p.must(stop, vars{"m": waiting[2]}); r.text("stopMessage.message.status") != "STOPPED" || r.text("stopMessage.message.text") != "" {
		t.Errorf("%s", r.body)
	}

	l := &listener{t: t}
	l.enough = func() bool { return strings.Contains(l.text, "the second is green") }
	if err := p.follow(messageStream, vars{"m": answer, "a": nil}, l.handle); err != nil {
		t.Fatal(err)
	}
	stopped := p.must(stop, vars{"m": answer})
	text := stopped.text("stopMessage.message.text")
	if stopped.text("stopMessage.message.status") != "STOPPED" || stopped.text("stopMessage.message.finishReason") != "STOPPED_BY_USER" || !strings.HasPrefix(text, l.text) {
		t.Errorf("shown %q, kept %s", l.text, stopped.body)
	}
	finished, shown := p.hear(answer)
	if shown != text || finished.text("messageStream.finishReason") != "STOPPED_BY_USER" {
		t.Errorf("followers see %q, stored is %q", shown, text)
	}
	if again := p.must(stop, vars{"m": answer}); again.text("stopMessage.message.text") != text {
		t.Errorf("stopping again: %s", again.body)
	}
	for _, message := range waiting[:2] {
		if finished, _ := p.hear(message); finished.text("messageStream.message.status") != "COMPLETED" {
			t.Errorf("a waiting answer: %s", finished.body)
		}
	}
	user := sent.text("sendMessage.userMessage.id")
	if err := p.follow(messageStream, vars{"m": user, "a": nil}, func(*reply) bool { return true }); err == nil || !strings.Contains(err.Error(), "BAD_USER_INPUT") {
		t.Errorf("following a message of a person: %v", err)
	}
}

func cursorAt(message string, attempt, seq int64) string {
	id, err := kyro.ParseID(message)
	if err != nil {
		panic(err)
	}
	return kyro.StreamCursor{Stream: id, Attempt: attempt, Seq: seq}.String()
}
