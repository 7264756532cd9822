package program

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kyrochat/internal/gemini"
	"kyrochat/internal/pinecone"
	"kyrochat/internal/racetest"
	"kyrochat/kyro"
)

// notices are documents that a question about the ferry finds all of; each is told from the others by its mark: %s.
var notices = []string{
	"The ferry %s crosses the sound at six in the morning and carries eleven carts.",
	"Passengers of the ferry pay two crowns, says the notice %s, and children ride for nothing.",
	"In winter, when ice closes the sound, %s sends the ferry by way of the old canal.",
	"Horses on the ferry are tied to the iron ring; %s looks after them until the landing.",
	"Whoever misses the last ferry sleeps at the inn of %s, where a bed costs a shilling.",
}

// harbour are bots whose documents go while people ask.
type harbour struct {
	*person
	o         *outside
	bots      []string
	documents map[string]string            // by mark
	vectors   map[string][]pinecone.Record // by mark, as they were put into the index

	answered atomic.Int64
	over     atomic.Bool // no more questions
	dropped  atomic.Bool // the last of the bots is deleted

	mu   sync.Mutex
	sent map[string]time.Time // of each question, before it was
	gone map[string]time.Time // of each mark, after that was acknowledged
}

func newHarbour(p *person, o *outside, bots, documents int) *harbour {
	h := &harbour{person: p, o: o, documents: map[string]string{}, vectors: map[string][]pinecone.Record{}, sent: map[string]time.Time{}, gone: map[string]time.Time{}}
	for b := range bots {
		h.bots = append(h.bots, p.newBot())
		for d := range documents {
			mark := place{0, b}.mark(d)
			h.documents[mark] = p.know(h.bots[b], "Notice "+mark, fmt.Sprintf(notices[d], mark))
			h.vectors[mark] = o.of(h.documents[mark])
		}
	}
	o.gemini.Script(gemini.Script{Kind: gemini.KindAnswer, Say: retold})
	return h
}

// of gives the vectors that the index has of a document.
func (o *outside) of(document string) []pinecone.Record {
	key := strings.TrimPrefix(document, "doc_")
	return slices.DeleteFunc(o.pinecone.Records(), func(r pinecone.Record) bool { return r.Metadata["doc"] != key })
}

var (
	passageBlock = regexp.MustCompile(`(?s)<<<[0-9a-f]{32} passage (\d+)>>>\n(.*?)\n<<<[0-9a-f]{32} end>>>`)
	questionLine = regexp.MustCompile(`<<<[0-9a-f]{32} question>>>\n[^\n]*\(no (\d+)-(\d+)\)`)
)

// retold answers with all that the passages say, and says where from in every second answer only.
func retold(q gemini.Request) string {
	number := questionLine.FindStringSubmatch(q.Prompt)
	var said strings.Builder
	for _, p := range passageBlock.FindAllStringSubmatch(q.Prompt, -1) {
		said.WriteString(strings.ReplaceAll(p[2], "\n", " "))
		if number != nil && strings.ContainsAny(number[2][len(number[2])-1:], "02468") {
			said.WriteString(" [" + p[1] + "]")
		}
		said.WriteString("\n")
	}
	if said.Len() == 0 {
		return "The documents say nothing of it."
	}
	return said.String()
}

// ask says something about the ferry and waits for the answer. It reports false once nobody is there to ask.
func (h *harbour) ask(talk string, bot, n int) bool {
	question := []string{"What do the notices say about the ferry?", "And what about it?", "Who uses the ferry on the sound, and when?"}[n%3]
	id := fmt.Sprintf("0%d-%d", bot, n)
	h.mu.Lock()
	h.sent[id] = time.Now()
	h.mu.Unlock()
	key := newKey()
	r := h.send(vars{"conversationId": talk, "text": question + " (no " + id + ")", "key": key})
	for r.tree["errors"] != nil {
		switch code := r.at("errors.0.extensions.code"); {
		case h.dropped.Load() && bot == len(h.bots)-1:
			return false
		case code != "UNAVAILABLE" || h.t.Context().Err() != nil: // a busy machine
			h.t.Errorf("%s", r.body)
			return false
		}
		r = h.send(vars{"conversationId": talk, "text": question + " (no " + id + ")", "key": key})
	}
	ended := false
	err := h.follow(`subscription($m: ID!) { messageStream(messageId: $m) { __typename } }`, vars{"m": r.text("sendMessage.botMessage.id")}, func(e *reply) bool {
		ended = e.text("messageStream.__typename") == "MessageFinished"
		return true
	})
	if !ended && !(h.dropped.Load() && bot == len(h.bots)-1) {
		h.t.Errorf("the answer to %s has no end: %v", id, err)
	}
	h.answered.Add(1)
	return ended
}

// forget deletes what has the mark, and has the index bring its vectors back.
func (h *harbour) forget(del func(), marks ...string) {
	h.t.Helper()
	del()
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, mark := range marks {
		h.gone[mark] = now
		if err := h.o.pinecone.Put(h.vectors[mark]...); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *harbour) deleteDocument(mark string) {
	h.forget(func() {
		h.must(`mutation($d: ID!) { deleteDocument(input: {documentId: $d}) { deletedId errors { code } } }`, vars{"d": h.documents[mark]})
	}, mark)
}

// goOn waits for some more answers.
func (h *harbour) goOn(answers int64) {
	h.t.Helper()
	target := h.answered.Load() + answers
	for end := time.Now().Add(patience); h.answered.Load() < target; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) || h.t.Failed() {
			h.t.Fatal("the conversations do not go on")
		}
	}
}

// TestWhatIsDeletedIsInNoPrompt deletes documents and a bot, has one document replaced and another switched off, while
// people go on to ask about them, over an index that fails three calls in ten and never forgets.
func TestWhatIsDeletedIsInNoPrompt(t *testing.T) {
	eachOutside(t, func(t *testing.T, o *outside, env map[string]string) {
		maps.Copy(env, allDay)
		if env["DATABASE_URL"] == "" {
			env["KYRO_PINECONE_NAMESPACE"] = "shared"
		}
		s := startServer(t, env)
		h := newHarbour(s.signUp(t), o, 3, len(notices))
		if err := o.pinecone.Script(pinecone.Script{
			Seed: 9, Faults: []pinecone.Fault{{Share: 0.3, Code: "Unavailable"}}, DeleteLag: pinecone.Lag{MS: 2_000},
		}); err != nil {
			t.Fatal(err)
		}
		var people sync.WaitGroup
		talks := make([][2]string, len(h.bots))
		for b, bot := range h.bots {
			for i := range 2 {
				talks[b][i] = h.newTalk(bot)
				people.Go(func() {
					for n := i * 1_000; !h.over.Load() && h.ask(talks[b][i], b, n); n++ {
					}
				})
			}
		}
		some := int64(pick(racetest.On(), 2, 8))
		h.goOn(4 * some)
		waitUntil(t, "the first conversation tells of what is deleted first", func() bool {
			return slices.ContainsFunc(h.said(talks[0][0], `{ text }`), func(m *reply) bool { return strings.Contains(m.text("text"), place{0, 0}.mark(0)) })
		})
		for d := range 3 {
			for b := range h.bots {
				h.deleteDocument(place{0, b}.mark(d))
				h.goOn(some)
			}
		}
		replaced, off := place{0, 0}.mark(3), place{0, 1}.mark(3)
		h.forget(func() {
			s.exec(t, "UPDATE documents SET version = version + 1, active_version = version + 1, active_chunks = 0 WHERE id = "+strings.TrimPrefix(h.documents[replaced], "doc_"))
		}, replaced)
		h.forget(func() {
			s.exec(t, "UPDATE chunks SET enabled = false WHERE document_id = "+strings.TrimPrefix(h.documents[off], "doc_"))
		}, off)
		h.goOn(some)
		last := len(h.bots) - 1
		h.dropped.Store(true)
		h.forget(func() {
			h.must(`mutation($b: ID!) { deleteBot(input: {botId: $b}) { deletedId errors { code } } }`, vars{"b": h.bots[last]})
		}, place{0, last}.mark(3), place{0, last}.mark(4))
		h.goOn(some)
		h.over.Store(true)
		people.Wait()
		h.deleteWhileRewriting(talks[0][0])
		h.noPromptHoldsIt()

		// People keep what they were told.
		var told strings.Builder
		for _, m := range h.said(talks[0][0], `{ text }`) {
			told.WriteString(m.text("text"))
		}
		if !strings.Contains(told.String(), place{0, 0}.mark(0)) || strings.Contains(told.String(), kyro.AnswerWithdrawn) {
			t.Error("what was told is not what it was")
		}
		// In the end the index has nothing of it, also of what it brought back.
		o.pinecone.Behave()
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
		h.person.s = startServer(t, env)
		h.onlyLiveVectors(off) // which may be switched on again
	})
}

// deleteWhileRewriting deletes the last document of the first bot while a question that its passage is to answer waits
// for the model to put it another way: the history was read by then.
func (h *harbour) deleteWhileRewriting(talk string) {
	h.t.Helper()
	mark := place{0, 0}.mark(4)
	h.ask(talk, 0, 5_000)
	h.o.gemini.Script(gemini.Script{Kind: gemini.KindRewrite, Match: "(no 00-5002)", Then: gemini.Hang})
	var asking sync.WaitGroup
	asking.Go(func() { h.ask(talk, 0, 5_002) })
	rewrites := func(q gemini.Request) bool {
		return q.Kind == gemini.KindRewrite && strings.Contains(q.Prompt, "(no 00-5002)")
	}
	h.o.gemini.MustAwait(h.t, func(all []gemini.Request) bool { return slices.ContainsFunc(all, rewrites) })
	h.deleteDocument(mark)
	asking.Wait()
	requests := h.o.gemini.Requests()
	if q := requests[slices.IndexFunc(requests, rewrites)]; !strings.Contains(q.Prompt, mark) {
		h.t.Errorf("the history does not tell of what is to be deleted: %s", q.Prompt)
	}
	for _, q := range requests {
		if q.Kind == gemini.KindAnswer && strings.Contains(q.Prompt, "(no 00-5002)") && q.At.After(h.gone[mark]) && strings.Contains(q.Words(), mark) {
			h.t.Errorf("the prompt that was made after the acknowledgement holds %s: %s", mark, q.Words())
		}
	}
}

// noPromptHoldsIt looks at all that the model was told after each acknowledgement.
func (h *harbour) noPromptHoldsIt() {
	h.t.Helper()
	retold, withdrawn, underway := 0, 0, 0
	for _, q := range h.o.gemini.Requests() {
		words := q.Words()
		if q.Kind == gemini.KindAnswer {
			history := strings.TrimSuffix(words, q.Prompt)
			retold += pick(strings.Contains(history, "zq"), 1, 0)
			withdrawn += pick(strings.Contains(history, kyro.AnswerWithdrawn), 1, 0)
		}
		question := questionLine.FindStringSubmatch(q.Prompt)
		for mark, gone := range h.gone {
			if !q.At.After(gone) || !strings.Contains(words, mark) {
				continue
			}
			if question != nil && h.sent[question[1]+"-"+question[2]].Before(gone) {
				underway++
				continue
			}
			h.t.Errorf("the prompt %d (%s) holds %s, which was gone for %s: %s", q.Number, q.Kind, mark, q.At.Sub(gone), words)
		}
	}
	h.t.Logf("%d questions; %d prompts tell of passages by their history, %d have withdrawn answers; %d were under way", len(h.sent), retold, withdrawn, underway)
	if retold < 5 || withdrawn < 5 {
		h.t.Errorf("only %d prompts tell of passages by their history, and %d have withdrawn answers", retold, withdrawn)
	}
	if asking := 2 * len(h.bots); underway > asking*len(h.gone) {
		h.t.Errorf("%d prompts were under way", underway)
	}
}

// onlyLiveVectors waits until the index holds what the documents have that are left, and of those that it keeps, and nothing
// else.
func (h *harbour) onlyLiveVectors(keeps ...string) {
	h.t.Helper()
	live := map[string]bool{}
	for mark, document := range h.documents {
		if h.gone[mark].IsZero() || slices.Contains(keeps, mark) {
			live[strings.TrimPrefix(document, "doc_")] = true
		}
	}
	var left map[string]int
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		left = map[string]int{}
		for _, r := range h.o.pinecone.Records() {
			document, _ := r.Metadata["doc"].(string)
			left[document]++
		}
		if maps.EqualFunc(left, live, func(n int, _ bool) bool { return n == 1 }) {
			return
		}
	}
	h.t.Errorf("the index has vectors of %v, and the documents %v are left", left, live)
}

// TestVectorsOfWhatWasDeletedBeforeAKill deletes while the index is away, kills the server, and starts it again beside an
// index that also has vectors which nothing accounts for.
func TestVectorsOfWhatWasDeletedBeforeAKill(t *testing.T) {
	eachOutside(t, func(t *testing.T, o *outside, env map[string]string) {
		env["KYRO_LOG_LEVEL"] = "info" // which says when it is ready
		server := startProcess(t, env)
		h := newHarbour(server.signUp(t), o, 2, 3)
		// It has compared the index with the database, as it does soon after the start: what it could not do because the
		// index is away, it would try again minutes later.
		waitUntil(t, "the index is compared", func() bool {
			_, metrics := fetched(t, server.admin+"/metrics")
			return strings.Contains(metrics, `kyrochat_job_turns_total{kind="reconcile",outcome="done"}`)
		})
		if err := o.pinecone.Script(pinecone.Script{Away: true}); err != nil {
			t.Fatal(err)
		}
		h.deleteDocument(place{0, 0}.mark(0))
		h.forget(func() {
			h.must(`mutation($b: ID!) { deleteBot(input: {botId: $b}) { deletedId errors { code } } }`, vars{"b": h.bots[1]})
		}, place{0, 1}.mark(0), place{0, 1}.mark(1), place{0, 1}.mark(2))
		server.kill()
		if url := env["DATABASE_URL"]; url != "" {
			ageJobs(t, url)
		}
		orphan := h.vectors[place{0, 0}.mark(1)][0]
		orphan.ID = "777" + orphan.ID[strings.Index(orphan.ID, "#"):]
		orphan.Metadata = maps.Clone(orphan.Metadata)
		orphan.Metadata["doc"] = "777"
		if err := o.pinecone.Put(orphan); err != nil {
			t.Fatal(err)
		}
		o.pinecone.Behave()
		server = startProcess(t, env)
		h.s = &server.testServer
		h.ask(h.newTalk(h.bots[0]), 0, 0)
		for _, q := range o.gemini.RequestsOf(gemini.KindAnswer) {
			if strings.Contains(q.Words(), place{0, 0}.mark(0)) || !strings.Contains(q.Words(), place{0, 0}.mark(1)) {
				t.Errorf("the prompt: %s", q.Words())
			}
		}
		h.onlyLiveVectors()
	})
}
