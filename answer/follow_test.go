package answer_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/answer"
	"kyrochat/kyro"
	"kyrochat/live"
)

// rambling is a model whose pieces and pauses are random, some of them none.
func rambling(seed uint64) model {
	return func(ctx context.Context, p kyro.Prompt, yield func(kyro.Delta, error) bool) {
		r := rand.New(rand.NewPCG(seed, uint64(len(p.Question))))
		for range 20 + r.IntN(60) {
			if err := wait(ctx, time.Duration(r.IntN(4))*50*time.Millisecond); err != nil {
				yield(kyro.Delta{}, err)
				return
			}
			if !yield(kyro.Delta{Text: fmt.Sprintf("%d 世 ", r.IntN(1_000_000))}, nil) {
				return
			}
		}
		yield(kyro.Delta{Finish: finished()}, nil)
	}
}

// followBadly follows to the end over connections that break at random times and after random numbers of events.
func (r *reader) followBadly(ctx context.Context, w *world, rnd *rand.Rand) {
	r.t.Helper()
	for r.finished == nil {
		connection, cut := context.WithTimeout(ctx, time.Duration(1+rnd.IntN(1_500))*time.Millisecond)
		r.follow(connection, w.Service, w.viewer, 1+rnd.IntN(12))
		cut()
		if r.err != nil && !errors.Is(r.err, context.DeadlineExceeded) {
			r.t.Errorf("%v", r.err)
			return
		}
		if rnd.IntN(10) == 0 {
			r.cursor, r.attempt, r.seq, r.text = nil, 0, 0, "" // a page that was loaded anew
		}
		time.Sleep(time.Duration(rnd.IntN(300)) * time.Millisecond)
	}
}

func TestStreamIsExactOverBrokenConnections(t *testing.T) {
	t.Parallel()
	const answers, readers = 20, 50
	for seed := range uint64(answers) {
		inWorld(t, rambling(seed), func(t *testing.T, w *world) {
			turn := w.say("Hi")
			var wg sync.WaitGroup
			for i := range uint64(readers) {
				wg.Go(func() {
					r := &reader{t: t, id: turn.Bot.ID}
					r.followBadly(t.Context(), w, rand.New(rand.NewPCG(seed, i)))
				})
			}
			wg.Wait()
		})
	}
}

// A reader that comes back with its cursor while the log is there never needs a snapshot.
func TestResumingGivesWhatIsMissing(t *testing.T) {
	t.Parallel()
	inWorld(t, rambling(2), func(t *testing.T, w *world) {
		turn := w.say("Hi")
		r := &reader{t: t, id: turn.Bot.ID}
		for r.finished == nil && r.err == nil {
			r.follow(t.Context(), w.Service, w.viewer, 1)
		}
		for _, what := range r.seen[1:] {
			if strings.HasPrefix(what, "snapshot") {
				t.Errorf("events %s", r.seen)
			}
		}
	})
}

func TestSlowReaderCostsOthersNothing(t *testing.T) {
	t.Parallel()
	inWorld(t, rambling(3), func(t *testing.T, w *world) {
		turn := w.say("Hi")
		slow, quick := &reader{t: t, id: turn.Bot.ID}, &reader{t: t, id: turn.Bot.ID}
		var wg sync.WaitGroup
		var quickEnd, slowEnd time.Time
		wg.Go(func() { quick.follow(t.Context(), w.Service, w.viewer, -1); quickEnd = time.Now() })
		wg.Go(func() {
			for event, err := range w.Follow(t.Context(), w.viewer, turn.Bot.ID, nil) {
				if err != nil {
					t.Error(err)
				}
				time.Sleep(time.Second)
				slow.show(event)
			}
			slowEnd = time.Now()
		})
		wg.Wait()
		if slow.finished == nil || quick.finished == nil || slow.text != quick.text {
			t.Errorf("the slow reader has %q, the quick one %q", slow.text, quick.text)
		}
		if !quickEnd.Equal(*w.message(turn.Bot.ID).CompletedAt) || !quickEnd.Before(slowEnd) {
			t.Errorf("the quick reader was done at %v, the slow one at %v", quickEnd, slowEnd)
		}
	})
}

func TestFollowingFromACursor(t *testing.T) {
	t.Parallel()
	const text, whole = "abcd", `snapshot 1.6 COMPLETED "abcd", `
	const end = "finished COMPLETED STOP"
	tests := []struct {
		name         string
		attempt, seq int64
		shown        string
		logged       string // events where the log is there
		lost         string // events where it is not
	}{
		{"before any attempt", 0, 0, "", `RETRIEVING, STREAMING, "a", "b", "c", "d", ` + end, whole + end},
		{"the beginning", 1, 0, "", `RETRIEVING, STREAMING, "a", "b", "c", "d", ` + end, whole + end},
		{"the middle", 1, 4, "ab", `"c", "d", ` + end, whole + end},
		{"all but the end", 1, 6, "abcd", end, end},
		{"the end", 1, 7, "abcd", end, end},
		{"the future", 1, 99, "abcd", whole + end, whole + end},
		{"another attempt", 2, 3, "x", whole + end, whole + end},
		{"an attempt before", 0, 3, "x", whole + end, whole + end},
	}
	for _, logged := range []bool{true, false} {
		inWorld(t, saying(time.Second, "a", "b", "c", "d"), func(t *testing.T, w *world) {
			turn := w.say("Hi")
			w.final(turn.Bot.ID)
			if !logged {
				time.Sleep(time.Hour)
			}
			for _, test := range tests {
				r := &reader{t: t, id: turn.Bot.ID, attempt: test.attempt, seq: test.seq, text: test.shown,
					cursor: &kyro.StreamCursor{Stream: turn.Bot.ID, Attempt: test.attempt, Seq: test.seq}}
				if test.name == "the end" {
					r.seq-- // the end is given again
				}
				begun := time.Now()
				r.follow(t.Context(), w.Service, w.viewer, -1)
				want := test.lost
				if logged {
					want = test.logged
				}
				if got := strings.Join(r.seen, ", "); got != want || r.err != nil || time.Since(begun) != 0 {
					t.Errorf("%s, logged %v: %s, %v after %v; want %s", test.name, logged, got, r.err, time.Since(begun), want)
				}
			}
		})
	}
}

func TestFollowingARunningAnswerFromACursor(t *testing.T) {
	t.Parallel()
	inWorld(t, saying(time.Second, "a", "b", "c", "d"), func(t *testing.T, w *world) {
		turn := w.say("Hi")
		time.Sleep(2500 * time.Millisecond)
		tests := []struct {
			attempt, seq int64
			shown, want  string
		}{
			{1, 3, "a", `"b", "c", "d", finished`},
			{1, 4, "ab", `"c", "d", finished`},
			{1, 5, "abc", `"d", finished`}, // of a node that is ahead of this one
			{1, 99, "abc", `snapshot 1.6 COMPLETED "abcd", finished`},
			{2, 1, "", `snapshot 1.4 STREAMING "ab", "c", "d", finished`},
		}
		var wg sync.WaitGroup
		for _, test := range tests {
			wg.Go(func() {
				r := &reader{t: t, id: turn.Bot.ID, attempt: test.attempt, seq: test.seq, text: test.shown,
					cursor: &kyro.StreamCursor{Stream: turn.Bot.ID, Attempt: test.attempt, Seq: test.seq}}
				r.follow(t.Context(), w.Service, w.viewer, -1)
				if got := strings.Join(r.seen, ", "); !strings.HasPrefix(got, test.want) {
					t.Errorf("after %d.%d: %s, want %s", test.attempt, test.seq, got, test.want)
				}
			})
		}
		wg.Wait()
	})
}

func TestFollowRefuses(t *testing.T) {
	t.Parallel()
	inWorld(t, echo(0), func(t *testing.T, w *world) {
		turn := w.say("Hi")
		w.final(turn.Bot.ID)
		stranger := kyro.Viewer{UserID: kyro.UserID(2)}
		other := &kyro.StreamCursor{Stream: kyro.MessageID(99), Attempt: 1, Seq: 1}
		tests := []struct {
			name   string
			viewer kyro.Viewer
			id     kyro.ID
			after  *kyro.StreamCursor
			code   kyro.Code
		}{
			{"nobody", kyro.Viewer{}, turn.Bot.ID, nil, kyro.CodeUnauthenticated},
			{"an id of another kind", person, kyro.BotID(1), nil, kyro.CodeBadUserInput},
			{"a user message", person, turn.User.ID, nil, kyro.CodeBadUserInput},
			{"the cursor of another stream", person, turn.Bot.ID, other, kyro.CodeBadUserInput},
			{"a missing message", person, kyro.MessageID(99), nil, kyro.CodeNotFound},
			{"another's message", stranger, turn.Bot.ID, nil, kyro.CodeNotFound},
			{"another's user message", stranger, turn.User.ID, nil, kyro.CodeNotFound},
			{"another's message with a foreign cursor", stranger, turn.Bot.ID, other, kyro.CodeNotFound},
		}
		for _, test := range tests {
			n := 0
			for event, err := range w.Follow(t.Context(), test.viewer, test.id, test.after) {
				n++
				checkError(t, test.name, err, test.code, "")
				if event != nil {
					t.Errorf("%s: got %#v", test.name, event)
				}
			}
			if n != 1 {
				t.Errorf("%s: %d events", test.name, n)
			}
		}
	})
}

func TestDeletedConversationEndsItsStreams(t *testing.T) {
	t.Parallel()
	inWorld(t, saying(100*time.Millisecond, strings.Split(strings.Repeat("word ", 200), " ")...), func(t *testing.T, w *world) {
		turn := w.say("Hi")
		waiting := w.say("And?", turn.Conversation.ID)
		var wg sync.WaitGroup
		for _, id := range []kyro.ID{turn.Bot.ID, waiting.Bot.ID} {
			wg.Go(func() {
				r := &reader{t: t, id: id}
				r.follow(t.Context(), w.Service, w.viewer, -1)
				checkError(t, "the stream of a deleted conversation", r.err, kyro.CodeNotFound, "")
			})
		}
		time.Sleep(5 * time.Second)
		w.store.deleteConversation(turn.Conversation.ID)
		begun := time.Now()
		wg.Wait()
		if d := time.Since(begun); d > 2*time.Second {
			t.Errorf("ended after %v", d)
		}
	})
}

func TestReaderThatLeavesIsLetGo(t *testing.T) {
	t.Parallel()
	inWorld(t, silent("a"), func(t *testing.T, w *world) {
		turn := w.say("Hi")
		ctx, leave := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			r := &reader{t: t, id: turn.Bot.ID}
			r.follow(ctx, w.Service, w.viewer, -1)
			done <- r.err
		}()
		synctest.Wait()
		leave()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if m := w.stop(turn.Bot.ID); m.Text != "a" {
			t.Errorf("the answer did not outlive its reader: %q", m.Text)
		}
	})
}

// Without a log in common, readers on another node follow the row.
func TestFollowingOnAnotherNodeWithoutItsLog(t *testing.T) {
	t.Parallel()
	inWorld(t, saying(200*time.Millisecond, strings.Split(strings.Repeat("word ", 40), " ")...), func(t *testing.T, w *world) {
		other := newWorld(t, w.store, live.NewLogs(live.LogsConfig{}), echo(0), func(c *answer.Config) { c.Node = "other" })
		before := w.store.count("Message")
		turn := w.say("Hi")
		r := &reader{t: t, id: turn.Bot.ID}
		r.follow(t.Context(), other.Service, other.viewer, -1)
		if r.finished == nil {
			t.Fatalf("no end: %v", r.err)
		}
		if d := time.Since(*r.finished.CompletedAt); d > 600*time.Millisecond {
			t.Errorf("the end came after %v", d)
		}
		if n := len(r.seen); n < 6 || n > 20 {
			t.Errorf("%d events: %s", n, r.seen)
		}
		if told := slices.Compact(slices.Clone(r.seen)); len(told) != len(r.seen) {
			t.Errorf("what is shown already is told again: %s", r.seen)
		}
		if n := w.store.count("Message") - before; n > 60 {
			t.Errorf("%d reads of the row in eight seconds", n)
		}
	})
}

// A reader who comes from the node where the answer is made has seen more than the row holds: nothing of it is taken back.
func TestReaderThatIsAheadOfTheRow(t *testing.T) {
	t.Parallel()
	inWorld(t, saying(200*time.Millisecond, strings.Split(strings.Repeat("word ", 60), " ")...), func(t *testing.T, w *world) {
		other := newWorld(t, w.store, live.NewLogs(live.LogsConfig{}), echo(0), func(c *answer.Config) { c.Node = "other" })
		turn := w.say("Hi")
		r := &reader{t: t, id: turn.Bot.ID}
		r.follow(t.Context(), w.Service, w.viewer, 20)
		for n := 0; w.message(turn.Bot.ID).Seq >= r.seq; n++ { // it was saved at this very moment
			if n == 3 {
				t.Fatalf("the row has as many events as the reader, who has %d", r.seq)
			}
			r.follow(t.Context(), w.Service, w.viewer, 1)
		}
		before, shown := r.seq, r.text
		r.follow(t.Context(), other.Service, other.viewer, 1)
		if r.seq <= before || !strings.HasPrefix(r.text, shown) {
			t.Errorf("after %d events with %q the reader is at %d with %q", before, shown, r.seq, r.text)
		}
	})
}

// A place that never comes true is replaced, if not at once.
func TestReaderFromTheFuture(t *testing.T) {
	t.Parallel()
	inWorld(t, saying(100*time.Millisecond, strings.Split(strings.Repeat("word ", 100), " ")...), func(t *testing.T, w *world) {
		turn := w.say("Hi")
		time.Sleep(time.Second)
		r := &reader{t: t, id: turn.Bot.ID, attempt: 1, seq: 1 << 40, cursor: &kyro.StreamCursor{Stream: turn.Bot.ID, Attempt: 1, Seq: 1 << 40}}
		begun := time.Now()
		r.follow(t.Context(), w.Service, w.viewer, 1)
		if waited := time.Since(begun); len(r.seen) != 1 || !strings.HasPrefix(r.seen[0], "snapshot 1.") || waited > 5*time.Second {
			t.Errorf("after %v: %s, %v", waited, r.seen, r.err)
		}
	})
}

// A log that loses everything costs readers a moment, and no exactness.
func TestFollowingAcrossALostLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &failingLog{log: live.NewLogs(live.LogsConfig{})}
		w := newWorld(t, newFakeStore(), nil, saying(100*time.Millisecond, strings.Split(strings.Repeat("word ", 80), " ")...),
			func(c *answer.Config) { c.Log = log })
		turn := w.say("Hi")
		time.AfterFunc(2*time.Second, func() { log.set(nil, errCutOff) })
		time.AfterFunc(4*time.Second, func() { log.set(live.NewLogs(live.LogsConfig{}), nil) })
		r := &reader{t: t, id: turn.Bot.ID}
		r.follow(t.Context(), w.Service, w.viewer, -1)
		if r.finished == nil || r.finished.Status != kyro.MessageCompleted {
			t.Errorf("got %+v, %v", r.finished, r.err)
		}
	})
}

func TestStoreThatFailsForAMomentDoesNotEndAStream(t *testing.T) {
	t.Parallel()
	inWorld(t, saying(time.Second, "a", "b", "c", "d"), func(t *testing.T, w *world) {
		turn := w.say("Hi")
		n := 0
		w.store.failing(func(call string) error {
			if n++; call == "Message" && n%2 == 0 {
				return errCutOff
			}
			return nil
		})
		if m := w.final(turn.Bot.ID); m.Text != "abcd" {
			t.Errorf("got %q", m.Text)
		}
	})
}
