package answer_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/answer"
	"kyrochat/kyro"
	"kyrochat/live"
)

// model is a scripted answer.
type model func(ctx context.Context, p kyro.Prompt, yield func(kyro.Delta, error) bool)

func (m model) Answer(ctx context.Context, p kyro.Prompt) iter.Seq2[kyro.Delta, error] {
	return func(yield func(kyro.Delta, error) bool) { m(ctx, p, yield) }
}

// wait waits as a well-behaved upstream does.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("reading the answer: %w", ctx.Err())
	case <-time.After(d):
		return nil
	}
}

// saying is a model that writes the pieces, each after the delay, and finishes.
func saying(delay time.Duration, pieces ...string) model {
	return func(ctx context.Context, p kyro.Prompt, yield func(kyro.Delta, error) bool) {
		for _, piece := range pieces {
			if err := wait(ctx, delay); err != nil {
				yield(kyro.Delta{}, err)
				return
			}
			if !yield(kyro.Delta{Text: piece}, nil) {
				return
			}
		}
		yield(kyro.Delta{Finish: finished()}, nil)
	}
}

func finished() *kyro.Finish {
	return &kyro.Finish{Reason: kyro.FinishStop, Grounding: kyro.Grounded,
		Usage: kyro.MessageUsage{PromptTokens: 10, OutputTokens: 5, Model: "scripted"}}
}

// echo answers with the question, slowly.
func echo(delay time.Duration) model {
	return func(ctx context.Context, p kyro.Prompt, yield func(kyro.Delta, error) bool) {
		saying(delay, "You said: ", p.Question)(ctx, p, yield)
	}
}

// silent writes the pieces at once and nothing more.
func silent(pieces ...string) model {
	return func(ctx context.Context, p kyro.Prompt, yield func(kyro.Delta, error) bool) {
		for _, piece := range pieces {
			if !yield(kyro.Delta{Text: piece}, nil) {
				return
			}
		}
		<-ctx.Done()
		yield(kyro.Delta{}, ctx.Err())
	}
}

type retriever func(ctx context.Context, question string) (answer.Retrieved, error)

func (r retriever) Retrieve(ctx context.Context, _ kyro.Bot, question string, _ []kyro.Message) (answer.Retrieved, error) {
	return r(ctx, question)
}

func findsNothing(context.Context, string) (answer.Retrieved, error) { return answer.Retrieved{}, nil }

const (
	passageText = "The kiln reaches 1,260 degrees."
	docTitle    = "Kilns"
)

func findsPassage(context.Context, string) (answer.Retrieved, error) {
	return answer.Retrieved{Passages: []kyro.Passage{{DocumentTitle: docTitle, Score: 1, Chunk: kyro.Chunk{
		ID: kyro.ChunkID(3), DocumentID: kyro.DocumentID(2), Version: 1, Text: passageText,
		CharStart: 100, CharEnd: 100 + len(passageText), ByteStart: 100, ByteEnd: 100 + len(passageText),
	}}}, Notices: []kyro.MessageNotice{kyro.NoticeLexicalOnly}}, nil
}

// world is one node with its store and log, in a bubble of fake time.
type world struct {
	*answer.Service
	t      *testing.T
	store  *fakeStore
	log    *live.Logs
	logged *lockedBuffer
	viewer kyro.Viewer
	halt   func() // ends Run and waits for it
	turns  int
}

var person = kyro.Viewer{UserID: kyro.UserID(1)}

// inWorld runs a test in a bubble, on a node whose configuration the test may change.
func inWorld(t *testing.T, m answer.Model, test func(t *testing.T, w *world), change ...func(*answer.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newFakeStore(), live.NewLogs(live.LogsConfig{}), m, change...)
		test(t, w)
	})
}

func newWorld(t *testing.T, store *fakeStore, log *live.Logs, m answer.Model, change ...func(*answer.Config)) *world {
	logged := &lockedBuffer{}
	cfg := answer.Config{
		Store: store, Log: log, Wakes: &live.Wakes{}, Retriever: retriever(findsNothing), Model: m, Node: "node",
		Limits: kyro.DefaultLimits(), Logger: slog.New(slog.NewTextHandler(logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, c := range change {
		c(&cfg)
	}
	w := &world{Service: answer.New(cfg), t: t, store: store, log: log, logged: logged, viewer: person}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := w.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	w.halt = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(w.halt)
	synctest.Wait()
	return w
}

// say starts a conversation, or goes on with one.
func (w *world) say(text string, conversation ...kyro.ID) kyro.Turn {
	w.t.Helper()
	w.turns++
	in := answer.SendInput{Text: text, ClientMessageID: fmt.Sprintf("m-%d", w.turns)}
	if len(conversation) > 0 {
		in.ConversationID = conversation[0]
	} else {
		in.BotID = kyro.BotID(1)
	}
	turn, err := w.Send(w.t.Context(), w.viewer, in)
	if err != nil {
		w.t.Fatalf("Send(%q): %v", text, err)
	}
	return turn
}

func (w *world) message(id kyro.ID) kyro.Message {
	w.t.Helper()
	m, err := w.store.Message(w.t.Context(), w.viewer.UserID, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

// final follows the answer to its end and checks that the events add up to it.
func (w *world) final(id kyro.ID) kyro.Message {
	w.t.Helper()
	r := &reader{t: w.t, id: id}
	r.follow(w.t.Context(), w.Service, w.viewer, -1)
	if r.finished == nil {
		w.t.Fatalf("the stream of %v ended without its end: %v", id, r.err)
	}
	return *r.finished
}

// reader is a client of the stream: it shows what the events say, and checks that they can be shown.
type reader struct {
	t        *testing.T
	id       kyro.ID
	cursor   *kyro.StreamCursor
	attempt  int64
	seq      int64
	text     string
	finished *kyro.Message
	err      error
	seen     []string
}

// follow reads up to limit events, all with -1, beginning where the reader is.
func (r *reader) follow(ctx context.Context, s *answer.Service, v kyro.Viewer, limit int) {
	r.t.Helper()
	r.err = nil
	for event, err := range s.Follow(ctx, v, r.id, r.cursor) {
		if err != nil {
			r.err = err
			return
		}
		r.show(event)
		if limit--; limit == 0 {
			return
		}
	}
}

func (r *reader) show(event kyro.MessageStreamEvent) {
	r.t.Helper()
	if r.finished != nil {
		r.t.Errorf("an event after the end: %#v", event)
	}
	switch e := event.(type) {
	case *kyro.MessageSnapshot:
		r.attempt, r.seq, r.text = e.Cursor.Attempt, e.Seq, e.Message.Text
		r.step(e.Seq, e.Cursor, fmt.Sprintf("snapshot %d.%d %s %q", e.Cursor.Attempt, e.Seq, e.Message.Status, e.Message.Text))
	case *kyro.MessageStage:
		r.next(e.Seq, e.Cursor, string(e.Status))
	case *kyro.MessageDelta:
		r.text += e.Text
		r.next(e.Seq, e.Cursor, fmt.Sprintf("%q", e.Text))
	case *kyro.MessageFinished:
		if e.Message.Text != r.text {
			r.t.Errorf("the events add up to %q, the stored text is %q; events: %s", r.text, e.Message.Text, strings.Join(r.seen, ", "))
		}
		if !e.Message.Status.Final() {
			r.t.Errorf("finished as %s", e.Message.Status)
		}
		r.next(e.Seq, e.Cursor, "finished "+string(e.Message.Status)+" "+string(e.FinishReason))
		r.finished = e.Message
	}
}

// next takes an event that must follow the one before it.
func (r *reader) next(seq int64, cursor kyro.StreamCursor, what string) {
	r.t.Helper()
	if r.attempt == 0 && r.seq == 0 {
		r.attempt = cursor.Attempt
	}
	if seq != r.seq+1 || cursor.Attempt != r.attempt {
		r.t.Errorf("event %d.%d after %d.%d; events: %s", cursor.Attempt, seq, r.attempt, r.seq, strings.Join(r.seen, ", "))
	}
	r.attempt, r.seq = cursor.Attempt, seq
	r.step(seq, cursor, what)
}

func (r *reader) step(seq int64, cursor kyro.StreamCursor, what string) {
	r.t.Helper()
	if cursor.Seq != seq || cursor.Stream != r.id {
		r.t.Errorf("event %d has the cursor %+v", seq, cursor)
	}
	r.cursor = &cursor
	r.seen = append(r.seen, what)
}

// lockedBuffer collects the log lines of many goroutines.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
