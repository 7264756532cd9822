package answer_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/answer"
	"kyrochat/kyro"
)

// An answer that is begun before its turn is stored is kept back until it is, all of it, and is no other then.
func TestNothingIsSaidBeforeTheTurnIsStored(t *testing.T) {
	t.Parallel()
	for name, takes := range map[string]time.Duration{"in the middle of the answer": 1500 * time.Millisecond, "after it": 3 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := &seeing{fakeStore: newFakeStore()}
			var asked atomic.Int64
			writes := func(ctx context.Context, p kyro.Prompt, yield func(kyro.Delta, error) bool) {
				asked.Add(1)
				saying(time.Second, "one ", "two")(ctx, p, yield)
			}
			inWorld(t, model(writes), func(t *testing.T, w *world) {
				store.step(steps{saved: func() {
					time.Sleep(takes)
					synctest.Wait()
					if asked.Load() != 1 {
						t.Errorf("the model was asked %d times while the turn was stored", asked.Load())
					}
					if n := store.count("Keep") + store.count("Finish"); n > 0 {
						t.Errorf("%d writes of an answer whose turn is not stored", n)
					}
					if _, known, err := w.log.Snapshot(t.Context(), kyro.MessageID(3)); known || err != nil {
						t.Errorf("there is a log: %v", err)
					}
				}})
				turn := w.say("Hi")
				if turn.Bot.ID != kyro.MessageID(3) || turn.Bot.Status != kyro.MessageRetrieving {
					t.Fatalf("%s is %s", turn.Bot.ID, turn.Bot.Status)
				}
				synctest.Wait()
				entries, known, err := w.log.Read(t.Context(), turn.Bot.ID, 1, 0)
				if err != nil || !known || len(entries) < 3 || entries[0].Status != kyro.MessageRetrieving || entries[1].Status != kyro.MessageStreaming || entries[2].Text != "one " {
					t.Errorf("the log begins with %+v, %v, %v", entries, known, err)
				}
				if m := w.final(turn.Bot.ID); m.Text != "one two" || m.Attempt != 1 || asked.Load() != 1 {
					t.Errorf("%s %q in attempt %d, the model was asked %d times", m.Status, m.Text, m.Attempt, asked.Load())
				}
			}, func(c *answer.Config) { c.Store = store })
		})
	}
}

// What was begun for a turn that is not stored is given up, whatever it has written, and leaves no trace; its place is for
// the next.
func TestAnAnswerWhoseTurnIsNotStoredIsGivenUp(t *testing.T) {
	t.Parallel()
	store := &seeing{fakeStore: newFakeStore()}
	ended := make(chan error, 1)
	writes := func(ctx context.Context, p kyro.Prompt, yield func(kyro.Delta, error) bool) {
		if p.Question != "lost" {
			echo(time.Second)(ctx, p, yield)
			return
		}
		yield(kyro.Delta{Text: "lost words"}, nil)
		<-ctx.Done()
		ended <- ctx.Err()
		yield(kyro.Delta{}, ctx.Err())
	}
	inWorld(t, model(writes), func(t *testing.T, w *world) {
		lost := kyro.MessageID(99)
		store.step(steps{unstored: func(begin func(kyro.Turn)) error {
			begin(kyro.Turn{
				Claim: &kyro.Claim{MessageID: lost, ConversationID: kyro.ConversationID(98), Attempt: 1, Owner: "node"},
				Job:   &kyro.AnswerJob{Question: kyro.Message{Text: "lost"}, Bare: true},
			})
			time.Sleep(time.Second)
			return errCutOff
		}})
		_, err := w.Send(t.Context(), w.viewer, answer.SendInput{BotID: kyro.BotID(1), Text: "lost", ClientMessageID: "lost"})
		if !errors.Is(err, errCutOff) {
			t.Fatal(err)
		}
		<-ended
		synctest.Wait()
		if n := store.count("Keep") + store.count("Finish") + store.count("Release"); n > 0 {
			t.Errorf("%d writes of an answer whose turn is not stored", n)
		}
		if _, known, _ := w.log.Snapshot(t.Context(), lost); known {
			t.Error("it has a log")
		}
		store.step(steps{})
		if m := w.final(w.say("Hi").Bot.ID); m.Text != "You said: Hi" {
			t.Errorf("the next: %s %q", m.Status, m.Text)
		}
	}, func(c *answer.Config) {
		c.Store = store
		c.Limits.MaxRunning = 1
	})
}

// Where a database begins anew with a turn, the ids may be others: what was begun for the first is given up, and the
// answer is made once.
func TestATurnThatIsStoredUnderOtherIdsIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	store := &seeing{fakeStore: newFakeStore()}
	inWorld(t, echo(time.Second), func(t *testing.T, w *world) {
		store.step(steps{began: func(begin func(kyro.Turn)) {
			begin(kyro.Turn{
				Claim: &kyro.Claim{MessageID: kyro.MessageID(99), ConversationID: kyro.ConversationID(98), Attempt: 1, Owner: "node"},
				Job:   &kyro.AnswerJob{Question: kyro.Message{Text: "lost"}, Bare: true},
			})
		}})
		turn := w.say("Hi")
		store.step(steps{})
		m := w.final(turn.Bot.ID)
		if m.Text != "You said: Hi" {
			t.Errorf("%s %q in attempt %d", m.Status, m.Text, m.Attempt)
		}
		if finished := store.count("Finish"); finished != 1 {
			t.Errorf("%d answers were stored", finished)
		}
		if _, known, _ := w.log.Snapshot(t.Context(), kyro.MessageID(99)); known {
			t.Error("what was given up has a log")
		}
		if turn.Bot.Status != kyro.MessagePending {
			t.Errorf("it is %s, and nobody was at it", turn.Bot.Status)
		}
	}, func(c *answer.Config) { c.Store = store })
}
