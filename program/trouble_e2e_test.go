package program

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"kyrochat/internal/gemini"
	"kyrochat/internal/pinecone"
	"kyrochat/internal/testdb"
)

// trouble is one way in which upstreams misbehave while somebody is answered, and what has to come of it.
type trouble struct {
	name     string
	settings map[string]string
	gemini   []gemini.Script
	pinecone pinecone.Script
	also     func(t *testing.T, w *asking) // whatever else goes wrong

	status, reason string // COMPLETED and STOP where they are not given
	code           string // of the error
	final          bool   // asking again is of no use
	text           string // what is shown and kept: that of the second try where it is whole
	notices        string
	grounding      string
	calls          int    // how often an answer was asked for
	says           string // what the log tells the operator
}

const (
	whole      = "The tea house on Pepper Lane was founded by Ottilie Brandt in 1904 [1]."
	begun      = "Ottilie Brandt founded the tea house in 1904 [1]. "
	askedOften = 3 // a request with its two further tries
	questioned = "Who founded the tea house on Pepper Lane, please, at question-canary-17320?"
)

// beginning is an answer in pieces, of which an emulated trouble lets some through.
var beginning = []string{"Ottilie Brandt ", "founded the tea house ", "in 1904 [1]. ", "And later ", "she left."}

func wrong(s gemini.Script) []gemini.Script {
	s.Kind = gemini.KindAnswer
	return []gemini.Script{s}
}

// midway is a trouble after the first three pieces of an answer.
func midway(then gemini.Trouble) []gemini.Script {
	return wrong(gemini.Script{Times: 1, Pieces: beginning, After: 3, Then: then})
}

// questionOf is a trouble with the embedding of the question.
func questionOf(s gemini.Script) []gemini.Script {
	s.Kind, s.Match = gemini.KindEmbed, "question-canary"
	return []gemini.Script{s}
}

var (
	// Where the model is to say something first, it has the time for that, also on a busy machine.
	impatient         = map[string]string{"KYRO_ANSWER_FIRST_BYTE_TIMEOUT": "5s", "KYRO_ANSWER_IDLE_TIMEOUT": "5s"}
	fallback          = map[string]string{"KYRO_OFFLINE_FALLBACK": "true"}
	impatientFallback = map[string]string{"KYRO_OFFLINE_FALLBACK": "true", "KYRO_ANSWER_FIRST_BYTE_TIMEOUT": "5s", "KYRO_ANSWER_IDLE_TIMEOUT": "5s"}
)

var troubles = []trouble{
	// What passes, or is tried again, is not noticed.
	{name: "it is slow", gemini: wrong(gemini.Script{Latency: 300 * time.Millisecond, Text: whole}), text: whole, calls: 1},
	{name: "429 once", gemini: wrong(gemini.Script{Times: 1, Status: 429, Message: bodyCanary}), text: whole, calls: 2},
	{name: "429 once, and when to come back", gemini: wrong(gemini.Script{Times: 1, Status: 429, RetryAfter: 200 * time.Millisecond}), text: whole, calls: 2},
	{name: "500 once", gemini: wrong(gemini.Script{Times: 1, Status: 500, Message: bodyCanary}), text: whole, calls: 2},
	{name: "503 twice", gemini: wrong(gemini.Script{Times: 2, Status: 503, Message: bodyCanary}), text: whole, calls: 3},
	{name: "a cut before the first byte, once", gemini: wrong(gemini.Script{Times: 1, Then: gemini.Drop}), text: whole, calls: 2},
	{name: "nothing at all and a clean end, once", gemini: wrong(gemini.Script{Times: 1, Pieces: []string{}, Then: gemini.End}), text: whole, calls: 2},
	{name: "thoughts before the answer", gemini: wrong(gemini.Script{Thoughts: 3, Text: whole}), text: whole, calls: 1},

	// Before the first piece.
	{name: "429 for long", gemini: wrong(gemini.Script{Status: 429, RetryAfter: 36 * time.Second, Message: bodyCanary}),
		status: "FAILED", reason: "ERROR", code: "UPSTREAM_QUOTA", calls: 1},
	{name: "429 without an end", gemini: wrong(gemini.Script{Status: 429}), status: "FAILED", reason: "ERROR", code: "UPSTREAM_QUOTA", calls: askedOften},
	{name: "the quota of the day", gemini: wrong(gemini.Script{Status: 429, Daily: true, RetryAfter: time.Second}),
		status: "FAILED", reason: "ERROR", code: "UPSTREAM_QUOTA", calls: 1},
	{name: "500 without an end", gemini: wrong(gemini.Script{Status: 500, Message: bodyCanary}), status: "FAILED", reason: "ERROR", code: "UPSTREAM_FAILED", calls: askedOften},
	{name: "cuts before the first byte", gemini: wrong(gemini.Script{Then: gemini.Drop}), status: "FAILED", reason: "ERROR", code: "UPSTREAM_FAILED", calls: askedOften},
	{name: "never a byte", settings: impatient, gemini: wrong(gemini.Script{Then: gemini.Hang}), status: "FAILED", reason: "TIMEOUT", code: "TIMEOUT", calls: 1},
	{name: "empty candidates", gemini: wrong(gemini.Script{Then: gemini.Empty}), status: "FAILED", reason: "ERROR", code: "UPSTREAM_FAILED", calls: 1},
	{name: "an answer of nothing", gemini: wrong(gemini.Script{Pieces: []string{}}), status: "FAILED", reason: "ERROR", code: "UPSTREAM_FAILED", calls: 1},
	{name: "thoughts alone", gemini: wrong(gemini.Script{Thoughts: 2, ThoughtTokens: 100_000}), status: "FAILED", reason: "ERROR", code: "UPSTREAM_FAILED", calls: 1},
	{name: "thoughts, and then silence", settings: impatient, gemini: wrong(gemini.Script{Thoughts: 2, After: 2, Then: gemini.Stall}),
		status: "FAILED", reason: "TIMEOUT", code: "TIMEOUT", calls: 1},
	{name: "the prompt is blocked", gemini: wrong(gemini.Script{Block: "SAFETY"}), status: "FAILED", reason: "SAFETY", code: "CONTENT_BLOCKED", final: true, grounding: "BLOCKED", calls: 1},
	{name: "a request that is refused", gemini: wrong(gemini.Script{Status: 400, Message: bodyCanary}),
		status: "FAILED", reason: "ERROR", code: "VALIDATION", final: true, calls: 1, says: "Gemini refuses a request"},
	{name: "a key that is refused", gemini: wrong(gemini.Script{Status: 401, Message: bodyCanary}),
		status: "FAILED", reason: "ERROR", code: "UPSTREAM_FAILED", calls: 1, says: "check GEMINI_API_KEY"},
	{name: "a model that does not exist", settings: map[string]string{"KYRO_GEMINI_MODEL": "gemini-0-nothing"},
		status: "FAILED", reason: "ERROR", code: "UPSTREAM_FAILED", calls: 1, says: "check KYRO_GEMINI_MODEL"},
	{name: "nobody is there", also: func(t *testing.T, w *asking) { w.gate.shut() }, status: "FAILED", reason: "ERROR", code: "UPSTREAM_FAILED", notices: "LEXICAL_ONLY"},

	// After the first piece: what was shown is kept, and nobody begins anew behind the reader's back.
	{name: "silence in the middle", settings: impatient, gemini: midway(gemini.Stall), status: "FAILED", reason: "TIMEOUT", code: "TIMEOUT", text: begun, calls: 1},
	{name: "a cut in the middle", gemini: midway(gemini.Cut), status: "FAILED", reason: "ERROR", code: "UPSTREAM_FAILED", text: begun, calls: 1},
	{name: "a cut that could be gone on from", gemini: wrong(gemini.Script{Times: 1, Pieces: beginning, After: 3, Then: gemini.Cut, Resumable: true}),
		status: "FAILED", reason: "ERROR", code: "UPSTREAM_FAILED", text: begun, calls: 1},
	{name: "a clean end in the middle", gemini: midway(gemini.End), status: "FAILED", reason: "ERROR", code: "UPSTREAM_FAILED", text: begun, calls: 1},
	{name: "an error in the middle", gemini: midway(gemini.Break), status: "FAILED", reason: "ERROR", code: "UPSTREAM_FAILED", text: begun, calls: 1},
	{name: "safety in the middle", gemini: wrong(gemini.Script{Times: 1, Pieces: beginning, After: 3, Finish: "SAFETY"}),
		status: "FAILED", reason: "SAFETY", code: "CONTENT_BLOCKED", final: true, text: begun, grounding: "BLOCKED", calls: 1},
	{name: "the longest length", gemini: wrong(gemini.Script{Times: 1, Pieces: beginning, After: 3, Finish: "MAX_TOKENS"}),
		reason: "LENGTH", text: begun, calls: 1},

	// The embedding of the question: then words find the passages.
	{name: "the question has another length", gemini: questionOf(gemini.Script{Dims: 256}), text: whole, notices: "LEXICAL_ONLY", calls: 1},
	{name: "no embedding of the question", gemini: questionOf(gemini.Script{Missing: 1}), text: whole, notices: "LEXICAL_ONLY", calls: 1},
	{name: "two embeddings of the question", gemini: questionOf(gemini.Script{Missing: -1}), text: whole, notices: "LEXICAL_ONLY", calls: 1},
	{name: "the quota of embeddings", gemini: questionOf(gemini.Script{Status: 429, RetryAfter: time.Minute}), text: whole, notices: "LEXICAL_ONLY", calls: 1},
	{name: "embeddings fail", gemini: questionOf(gemini.Script{Status: 500, Message: bodyCanary}), text: whole, notices: "LEXICAL_ONLY", calls: 1},
	{name: "embeddings hang", settings: map[string]string{"KYRO_VECTOR_TIMEOUT": "300ms"}, gemini: questionOf(gemini.Script{Then: gemini.Hang}), text: whole, notices: "LEXICAL_ONLY", calls: 1},

	// The index.
	{name: "the index fails once", pinecone: faulty(pinecone.Fault{Method: "Query", Calls: 1, Code: "Unavailable", Message: indexCanary}), text: whole, calls: 1},
	{name: "the index fails", pinecone: faulty(pinecone.Fault{Method: "Query", Code: "Unavailable", Message: indexCanary}), text: whole, notices: "LEXICAL_ONLY", calls: 1},
	{name: "the index takes no more", pinecone: faulty(pinecone.Fault{Method: "Query", Code: "ResourceExhausted", RetryMS: 60_000}), text: whole, notices: "LEXICAL_ONLY", calls: 1},
	{name: "the index hangs", settings: map[string]string{"KYRO_VECTOR_TIMEOUT": "300ms"}, pinecone: faulty(pinecone.Fault{Method: "Query", Hang: true}), text: whole, notices: "LEXICAL_ONLY", calls: 1},
	{name: "the index cuts", pinecone: faulty(pinecone.Fault{Method: "Query", Cut: true}), text: whole, notices: "LEXICAL_ONLY", calls: 1},
	{name: "the index refuses the key", pinecone: faulty(pinecone.Fault{Method: "Query", Code: "Unauthenticated", Message: indexCanary + pineconeKeyCanary}),
		text: whole, notices: "LEXICAL_ONLY", calls: 1, says: "Pinecone refuses"},
	{name: "the index is away", pinecone: pinecone.Script{Away: true}, text: whole, notices: "LEXICAL_ONLY", calls: 1},
	{name: "the index says nothing of its vectors", pinecone: pinecone.Script{NoMetadata: true}, text: whole, calls: 1},

	// Where the operator allows it, what documents say stands in for a model that is away.
	{name: "fallback: 500", settings: fallback, gemini: wrong(gemini.Script{Status: 500}), notices: "OFFLINE_ANSWER", calls: askedOften},
	{name: "fallback: 429", settings: fallback, gemini: wrong(gemini.Script{Status: 429, RetryAfter: time.Minute}), notices: "OFFLINE_ANSWER", calls: 1},
	{name: "fallback: never a byte", settings: impatientFallback, gemini: wrong(gemini.Script{Then: gemini.Hang}), notices: "OFFLINE_ANSWER", calls: 1},
	{name: "fallback: a key that is refused", settings: fallback, gemini: wrong(gemini.Script{Status: 403}), notices: "OFFLINE_ANSWER", calls: 1},
	{name: "fallback: nobody is there", settings: fallback, also: func(t *testing.T, w *asking) { w.gate.shut() }, notices: "LEXICAL_ONLY OFFLINE_ANSWER"},
	{name: "fallback: silence in the middle", settings: impatientFallback, gemini: midway(gemini.Stall), status: "FAILED", reason: "TIMEOUT", code: "TIMEOUT", text: begun, calls: 1},
	{name: "fallback: a cut in the middle", settings: fallback, gemini: midway(gemini.Cut), status: "FAILED", reason: "ERROR", code: "UPSTREAM_FAILED", text: begun, calls: 1},
	{name: "fallback: the prompt is blocked", settings: fallback, gemini: wrong(gemini.Script{Block: "SAFETY"}),
		status: "FAILED", reason: "SAFETY", code: "CONTENT_BLOCKED", final: true, grounding: "BLOCKED", calls: 1},
}

func faulty(faults ...pinecone.Fault) pinecone.Script { return pinecone.Script{Faults: faults} }

// TestAnswersInTrouble asks while upstreams misbehave, on one of the databases in turn: what is shown, what is stored,
// what was asked how often, and that nothing leaks and nothing hangs.
func TestAnswersInTrouble(t *testing.T) {
	t.Parallel()
	for i, c := range troubles {
		c.status, c.reason = orElse(c.status, "COMPLETED"), orElse(c.reason, "STOP")
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			settings := map[string]string{}
			if i%2 == 1 {
				settings["DATABASE_URL"] = testdb.PostgresURL(t)
			}
			maps.Copy(settings, c.settings)
			c.try(t, startUpstreams(t, gemini.Options{}).serve(t, settings))
		})
	}
}

func orElse(s, other string) string { return pick(s != "", s, other) }

func (c trouble) try(t *testing.T, w *asking) {
	p := w.signUp(t)
	bot := p.must(`mutation($i: String!) { createBot(input: {name: "Keeper", instructions: $i, noAnswerText: "No idea."}) { bot { id } errors { code message } } }`,
		vars{"i": "Answer shortly. " + promptCanary}).text("createBot.bot.id")
	p.know(bot, "Tea Book", teaText)

	// Whatever is asked again behind the reader's back gets an answer that it can be told by.
	w.gemini.Script(append(slices.Clone(c.gemini), gemini.Script{Kind: gemini.KindAnswer, Text: whole})...)
	if err := w.upstreams.pinecone.Script(c.pinecone); err != nil {
		t.Fatal(err)
	}
	if c.also != nil {
		c.also(t, w)
	}
	message := p.send(vars{"botId": bot, "text": questioned}).text("sendMessage.botMessage.id")
	l, seen := &listener{t: t}, ""
	began := time.Now()
	if err := p.follow(messageStream, vars{"m": message}, func(e *reply) bool { seen += string(e.body); return l.handle(e) }); err != nil || l.finished == nil {
		t.Fatalf("the stream ended with %v, finished: %t", err, l.finished != nil)
	}
	if waited := time.Since(began); waited > 45*time.Second { // it is 10 s at the most, on a machine that has the time
		t.Errorf("it hung for %s", waited)
	}
	stored := p.stored(message)
	seen += string(stored.body)
	c.compare(t, l, stored)

	calls := 0
	for _, q := range w.gemini.Requests() {
		if strings.HasSuffix(q.Path, ":streamGenerateContent") {
			calls++
		}
		if q.Kind == gemini.KindAnswer && !strings.Contains(q.Prompt, "Ottilie Brandt") {
			t.Errorf("a prompt without the passage: %s", q.Prompt)
		}
	}
	if calls != c.calls {
		t.Errorf("an answer was asked for %d times, want %d", calls, c.calls)
	}
	log := w.log.String()
	keepsSecrets(t, "what people are told", seen, indexCanary)
	keepsSecrets(t, "the log", log, "question-canary", "Ottilie", "Pepper Lane")
	if c.says != "" && !strings.Contains(log, c.says) {
		t.Errorf("the log does not say %q:\n%s", c.says, log)
	}
	if c.status != "FAILED" || c.final || c.says != "" || c.also != nil || c.code == "UPSTREAM_QUOTA" {
		return
	}
	// What went wrong once, with an upstream that is asked again, goes right for whoever asks for it anew.
	w.gemini.Reset()
	w.gemini.Script(gemini.Script{Kind: gemini.KindAnswer, Text: whole})
	newer := p.must(`mutation($m: ID!) { regenerateMessage(input: {messageId: $m, clientMessageId: "anew"}) { botMessage { id } errors { code } } }`,
		vars{"m": message}).text("regenerateMessage.botMessage.id")
	if finished, text := p.hear(newer); text != whole || finished.text("messageStream.message.status") != "COMPLETED" {
		t.Errorf("asked for anew: %s", finished.body)
	}
}

// stored is a message as its row has it.
func (p *person) stored(message string) *reply {
	p.t.Helper()
	return p.must(`query($m: ID!) { message(id: $m) { id role status text grounding finishReason notices completedAt error { code message retryable } usage { model totalTokens }
		citations { marker quote charStart charEnd verified document { text } chunk { text } } } }`, vars{"m": message})
}

func (c trouble) compare(t *testing.T, l *listener, stored *reply) {
	t.Helper()
	offline := strings.Contains(c.notices, "OFFLINE_ANSWER")
	want := map[string]string{"status": c.status, "finishReason": c.reason, "notices": "[" + c.notices + "]", "text": c.text}
	if offline {
		want["text"] = l.text
		if l.text == "" || strings.Contains(l.text, "1904 [1]") {
			t.Errorf("offline: %q", l.text)
		}
	}
	for field, value := range want {
		for of, got := range map[string]any{"the row": stored.get("message." + field), "the end of the stream": l.finished.get("messageStream.message." + field)} {
			if fmt.Sprint(got) != value {
				t.Errorf("%s: %s is %v, want %s", of, field, got, value)
			}
		}
	}
	if l.text != want["text"] {
		t.Errorf("shown is %q, want %q", l.text, want["text"])
	}
	completed := c.status == "COMPLETED"
	if grounding := stored.get("message.grounding"); grounding != any(c.grounding) && (c.grounding != "" || completed != (grounding == "GROUNDED")) {
		t.Errorf("grounding is %v", grounding)
	}
	citationsHold(t, stored, "message.")
	if cited := len(stored.list("message.citations")); (cited > 0) != (l.text != "") {
		t.Errorf("%d citations of %q", cited, l.text)
	}
	if completed {
		if model := stored.text("message.usage.model"); offline != (model == "kyro-extractive-1") {
			t.Errorf("written by %s", model)
		}
	}
	if completed {
		if e := stored.get("message.error"); e != nil {
			t.Errorf("an error: %v", e)
		}
		return
	}
	if got := fmt.Sprint(stored.text("message.error.code"), stored.get("message.error.retryable")); got != fmt.Sprint(c.code, !c.final) || stored.text("message.error.message") == "" {
		t.Errorf("the error is %s: %s", got, stored.body)
	}
}
