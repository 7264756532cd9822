package answer_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kyrochat/answer"
	"kyrochat/kyro"
	"kyrochat/live"
)

// seeing is a store whose calls a test steps into.
type seeing struct {
	*fakeStore
	mu    sync.Mutex
	steps steps

	looked atomic.Int64 // for answers, as a test counts
}

type steps struct {
	saving    func()    // a turn is sent, and nothing of it has begun
	saved     func()    // a turn is stored, but Send does not know yet
	claimNext func()    // an answer is looked for
	waiting   []kyro.ID // what Recover says besides

	began    func(begin func(kyro.Turn))       // a turn begins to be stored, and does so anew after this
	unstored func(begin func(kyro.Turn)) error // the same, and that is all
}

func (s *seeing) step(into steps) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps = into
}

func (s *seeing) now() steps {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.steps
}

func (s *seeing) SaveTurn(ctx context.Context, t kyro.NewTurn) (kyro.Turn, error) {
	if saving := s.now().saving; saving != nil {
		saving()
	}
	if unstored := s.now().unstored; unstored != nil {
		return kyro.Turn{}, unstored(t.Begin)
	}
	if began := s.now().began; began != nil {
		began(t.Begin)
	}
	turn, err := s.fakeStore.SaveTurn(ctx, t)
	if saved := s.now().saved; saved != nil {
		saved()
	}
	return turn, err
}

func (s *seeing) ClaimNext(ctx context.Context, c kyro.ID, owner string, lease time.Duration) (kyro.Claim, bool, error) {
	if step := s.now().claimNext; step != nil {
		step()
	}
	return s.fakeStore.ClaimNext(ctx, c, owner, lease)
}

func (s *seeing) Recover(ctx context.Context, r kyro.Recovery) (ended []kyro.Message, waiting []kyro.ID, err error) {
	ended, waiting, err = s.fakeStore.Recover(ctx, r)
	return ended, append(waiting, s.now().waiting...), err
}

// Nothing is read and nothing written between a turn that stands alone and its first word.
func TestATurnThatStandsAloneIsClaimedAsItIsStored(t *testing.T) {
	t.Parallel()
	store := &seeing{fakeStore: newFakeStore()}
	store.step(steps{claimNext: func() {
		if store.count("Finish") == 0 {
			t.Error("an answer is looked for before the first has ended")
		}
	}})
	asked := func(ctx context.Context, p kyro.Prompt, yield func(kyro.Delta, error) bool) {
		if len(p.History) > 0 != (p.Question != "Hi") || p.Bot.ID != kyro.BotID(1) {
			t.Errorf("asked %q of %s after %d messages", p.Question, p.Bot.ID, len(p.History))
		}
		echo(time.Second)(ctx, p, yield)
	}
	inWorld(t, model(asked), func(t *testing.T, w *world) {
		first := w.say("Hi")
		if first.Claim != nil || first.Job != nil {
			t.Error("the turn is given out with its claim")
		}
		if m := w.final(first.Bot.ID); m.Text != "You said: Hi" || m.Attempt != 1 {
			t.Errorf("%q in attempt %d", m.Text, m.Attempt)
		}
		if n := store.count("Job") + store.count("History"); n > 0 {
			t.Errorf("%d reads before the first word", n)
		}
		time.Sleep(time.Second)
		second := w.say("And?", first.Conversation.ID)
		third := w.say("So?!", first.Conversation.ID)
		if second.Bot.Status != kyro.MessageRetrieving || third.Bot.Status != kyro.MessagePending {
			t.Errorf("the second is %s, the third %s", second.Bot.Status, third.Bot.Status)
		}
		w.final(second.Bot.ID)
		w.final(third.Bot.ID)
		if jobs, histories := store.count("Job"), store.count("History"); jobs != 1 || histories != 1 {
			t.Errorf("%d jobs and %d histories were read; want one of the third and of the second", jobs, histories)
		}
	}, func(c *answer.Config) { c.Store = store })
}

// A retriever is not asked for the documents of a bot that has none.
func TestABareBotIsNotSearched(t *testing.T) {
	t.Parallel()
	store := newFakeStore()
	store.bare = true
	inWorld(t, echo(0), func(t *testing.T, w *world) {
		if m := w.final(w.say("Hi").Bot.ID); m.Text != "You said: Hi" {
			t.Errorf("%s %q", m.Status, m.Text)
		}
	}, func(c *answer.Config) {
		c.Store = store
		c.Retriever = retriever(func(context.Context, string) (answer.Retrieved, error) {
			return answer.Retrieved{}, errors.New("asked")
		})
	})
}

// Turns that are stored together do not have more answers made than may be, and no place is lost.
func TestPlacesAreKeptForTurnsThatAreBeingStored(t *testing.T) {
	t.Parallel()
	store := &seeing{fakeStore: newFakeStore(), steps: steps{saved: func() { time.Sleep(time.Second) }}}
	var running, most atomic.Int64
	counted := func(ctx context.Context, p kyro.Prompt, yield func(kyro.Delta, error) bool) {
		if n := running.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer running.Add(-1)
		echo(10*time.Second)(ctx, p, yield)
	}
	inWorld(t, model(counted), func(t *testing.T, w *world) {
		var turns [6]kyro.Turn
		sendAll := func(key string, want error) {
			done := make(chan struct{})
			for i := range turns {
				go func() {
					defer func() { done <- struct{}{} }()
					var err error
					turns[i], err = w.Send(t.Context(), w.viewer, answer.SendInput{BotID: kyro.BotID(1), Text: "Hi", ClientMessageID: key + string(rune('a'+i))})
					if !errors.Is(err, want) {
						t.Error(err)
					}
				}()
			}
			for range turns {
				<-done
			}
		}
		store.failing(func(call string) error {
			if call == "SaveTurn" {
				return errCutOff
			}
			return nil
		})
		sendAll("lost-", errCutOff)
		store.failing(nil)
		sendAll("kept-", nil)
		at := map[kyro.MessageStatus]int{}
		for _, turn := range turns {
			at[turn.Bot.Status]++
		}
		if at[kyro.MessageRetrieving] != 2 || at[kyro.MessagePending] != 4 {
			t.Errorf("as they were stored: %v", at)
		}
		for _, turn := range turns {
			if m := w.final(turn.Bot.ID); m.Text != "You said: Hi" || m.Attempt != 1 {
				t.Errorf("%s %q in attempt %d", m.Status, m.Text, m.Attempt)
			}
		}
		if most.Load() != 2 {
			t.Errorf("%d answers were made at once, want 2", most.Load())
		}
	}, func(c *answer.Config) {
		c.Store = store
		c.Limits.MaxRunning = 2
	})
}

// A sweep may send a worker to a conversation while a turn is stored in it.
func TestAWorkerThatCameMeanwhileMakesTheAnswer(t *testing.T) {
	t.Parallel()
	store := &seeing{fakeStore: newFakeStore()}
	inWorld(t, echo(time.Second), func(t *testing.T, w *world) {
		first := w.say("one")
		w.final(first.Bot.ID)
		time.Sleep(time.Second)
		store.step(steps{
			waiting:   []kyro.ID{first.Conversation.ID},
			claimNext: func() { store.looked.Add(1); time.Sleep(4 * time.Second) },
			saving: func() {
				time.Sleep(4 * time.Second) // until a sweep has come, and its worker is at the store
				if store.looked.Load() != 1 {
					t.Error("no worker came meanwhile")
				}
				store.step(steps{}) // and no other will
			},
		})
		second := w.say("two", first.Conversation.ID)
		if second.Bot.Status != kyro.MessageRetrieving {
			t.Errorf("it is %s", second.Bot.Status)
		}
		if m := w.final(second.Bot.ID); m.Text != "You said: two" || m.Attempt != 1 {
			t.Errorf("%s %q in attempt %d", m.Status, m.Text, m.Attempt)
		}
	}, func(c *answer.Config) { c.Store = store })
}

// A turn that is stored as the server begins to shut down is given back at once, for another node to answer.
func TestATurnThatIsStoredWhileTheServerShutsDownIsGivenBack(t *testing.T) {
	t.Parallel()
	store := &seeing{fakeStore: newFakeStore()}
	inWorld(t, echo(time.Second), func(t *testing.T, w *world) {
		w.store = store.fakeStore
		store.step(steps{saving: w.Drain})
		turn := w.say("Hi")
		if stored := w.message(turn.Bot.ID); turn.Bot.Status != kyro.MessagePending || stored.Status != kyro.MessagePending {
			t.Errorf("given as %s, stored as %s", turn.Bot.Status, stored.Status)
		}
		w.halt()
		begun := time.Now()
		next := newWorld(t, store.fakeStore, live.NewLogs(live.LogsConfig{}), echo(time.Second))
		if m := next.final(turn.Bot.ID); m.Text != "You said: Hi" || time.Since(begun) > 3*time.Second {
			t.Errorf("%s %q after %v", m.Status, m.Text, time.Since(begun))
		}
	}, func(c *answer.Config) { c.Store = store })
}

// The lease counts from before it was asked for: what a node has lost while it waited for its store, it does not begin.
func TestAClaimThatIsOldWhenItArrivesIsNotBegun(t *testing.T) {
	t.Parallel()
	store := &seeing{fakeStore: newFakeStore(), steps: steps{saving: func() { time.Sleep(16 * time.Second) }}}
	var asked atomic.Int64
	counted := func(ctx context.Context, p kyro.Prompt, yield func(kyro.Delta, error) bool) {
		asked.Add(1)
		echo(0)(ctx, p, yield)
	}
	inWorld(t, model(counted), func(t *testing.T, w *world) {
		m := w.final(w.say("Hi").Bot.ID)
		if m.Text != "You said: Hi" || m.Attempt != 2 || asked.Load() != 1 {
			t.Errorf("%s %q in attempt %d, the model was asked %d times", m.Status, m.Text, m.Attempt, asked.Load())
		}
	}, func(c *answer.Config) { c.Store = store })
}
