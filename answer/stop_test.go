package answer_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/answer"
	"kyrochat/kyro"
	"kyrochat/live"
)

func (w *world) stop(id kyro.ID) kyro.Message {
	w.t.Helper()
	m, err := w.Stop(w.t.Context(), w.viewer, id)
	if err != nil {
		w.t.Fatalf("Stop: %v", err)
	}
	return m
}

func checkStopped(t *testing.T, m kyro.Message, text string) {
	t.Helper()
	if m.Status != kyro.MessageStopped || m.FinishReason == nil || *m.FinishReason != kyro.FinishUser || m.Text != text || m.Error != nil {
		t.Errorf("got %s %q, reason %v, error %v; want STOPPED %q", m.Status, m.Text, m.FinishReason, m.Error, text)
	}
}

func TestStopKeepsWhatWasWritten(t *testing.T) {
	t.Parallel()
	inWorld(t, silent("It is ", "warm [1], and *per", "haps* ![x](ht"), func(t *testing.T, w *world) {
		turn := w.say("How is it?")
		later := w.say("And then?", turn.Conversation.ID)
		r := &reader{t: t, id: turn.Bot.ID}
		synctest.Wait() // until all is written that comes
		r.follow(t.Context(), w.Service, w.viewer, 1)
		begun := time.Now()
		m := w.stop(turn.Bot.ID)
		if !strings.HasPrefix(m.Text, "It is warm [1], and *perhaps* ") || strings.Contains(m.Text, "![x](") {
			t.Errorf("kept %q", m.Text)
		}
		checkStopped(t, m, m.Text)
		if d := time.Since(begun); d != 0 {
			t.Errorf("stopping took %v", d)
		}
		if len(m.Citations) != 1 {
			t.Errorf("citations %+v", m.Citations)
		}
		r.follow(t.Context(), w.Service, w.viewer, -1)
		if r.finished == nil || r.finished.Status != kyro.MessageStopped {
			t.Errorf("the stream ended with %v, %v", r.finished, r.err)
		}
		if again := w.stop(turn.Bot.ID); again.Seq != m.Seq || again.Status != m.Status {
			t.Errorf("stopped again: %+v", again)
		}
		synctest.Wait()
		if s := w.message(later.Bot.ID).Status; s == kyro.MessagePending {
			t.Error("the next turn waits on")
		}
	}, func(c *answer.Config) { c.Retriever = retriever(findsPassage) })
}

func TestStopWhilePending(t *testing.T) {
	t.Parallel()
	inWorld(t, echo(time.Second), func(t *testing.T, w *world) {
		first := w.say("one")
		second := w.say("two", first.Conversation.ID)
		third := w.say("three", first.Conversation.ID)
		r := &reader{t: t, id: second.Bot.ID}
		r.follow(t.Context(), w.Service, w.viewer, 1)
		done := make(chan struct{})
		go func() { defer close(done); r.follow(t.Context(), w.Service, w.viewer, -1) }()
		synctest.Wait()
		begun := time.Now()
		checkStopped(t, w.stop(second.Bot.ID), "")
		<-done
		if r.finished == nil || time.Since(begun) != 0 {
			t.Errorf("the waiting reader ended after %v with %v, %v", time.Since(begun), r.finished, r.err)
		}
		if m := w.final(third.Bot.ID); m.Text != "You said: three" {
			t.Errorf("the turn behind it: %q", m.Text)
		}
		if m := w.final(first.Bot.ID); m.Text != "You said: one" {
			t.Errorf("the turn before it: %q", m.Text)
		}
		late := &reader{t: t, id: second.Bot.ID}
		late.follow(t.Context(), w.Service, w.viewer, -1)
		if got := strings.Join(late.seen, ", "); got != `snapshot 0.0 STOPPED "", finished STOPPED STOPPED_BY_USER` {
			t.Errorf("a late reader sees %s", got)
		}
	})
}

func TestStopWhileRetrieving(t *testing.T) {
	t.Parallel()
	inWorld(t, echo(0), func(t *testing.T, w *world) {
		turn := w.say("Hi")
		synctest.Wait()
		begun := time.Now()
		checkStopped(t, w.stop(turn.Bot.ID), "")
		if d := time.Since(begun); d != 0 {
			t.Errorf("stopping took %v", d)
		}
	}, func(c *answer.Config) { c.Retriever = retriever(findsSlowly) })
}

// signals carry stops to a node, where they arrive.
type signals struct {
	connected atomic.Bool
	to        *answer.Service
}

func (s *signals) Connected() bool { return s.connected.Load() }

func (s *signals) Stop(message kyro.ID) {
	if s.connected.Load() && s.to != nil {
		s.to.StopHere(message)
	}
}

// A stop that another node was asked for takes effect at once by a signal, and within about a second without one,
// also while the model is silent.
func TestStopFromAnotherNode(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		none, arrives, said bool // no signals at all; they reach the node; they are said to
		within              time.Duration
	}{
		"signal":        {arrives: true, said: true, within: 0},
		"no signals":    {none: true, within: 700 * time.Millisecond},
		"disconnected":  {within: 700 * time.Millisecond},
		"lost on a way": {said: true, within: 1200 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			here := &signals{}
			here.connected.Store(test.said)
			change := func(c *answer.Config) {
				if !test.none {
					c.Signals = here
				}
			}
			inWorld(t, silent("So"), func(t *testing.T, w *world) {
				turn := w.say("Hi")
				time.Sleep(6200 * time.Millisecond) // the heartbeat was just before
				there := &signals{}
				if there.connected.Store(test.said); test.arrives {
					there.to = w.Service
				}
				other := newWorld(t, w.store, live.NewLogs(live.LogsConfig{}), echo(0), func(c *answer.Config) { c.Node, c.Signals = "other", there })
				begun := time.Now()
				m := other.stop(turn.Bot.ID)
				checkStopped(t, m, "So")
				if m.CompletedAt == nil || m.CompletedAt.Sub(begun) > test.within {
					t.Errorf("stopped at %v, want it within %v", m.CompletedAt, test.within)
				}
			}, change)
		})
	}
}

// A node that makes no answers asks for no stops.
func TestIdleNodeAsksForNothing(t *testing.T) {
	t.Parallel()
	inWorld(t, echo(time.Second), func(t *testing.T, w *world) {
		time.Sleep(time.Minute)
		if n := w.store.count("StopsAsked") + w.store.count("Keep"); n != 0 {
			t.Errorf("%d calls of the store", n)
		}
		w.final(w.say("Hi").Bot.ID)
		if n := w.store.count("StopsAsked"); n < 3 || n > 5 {
			t.Errorf("asked %d times for stops of an answer of two seconds", n)
		}
	})
}

// A message that does not run here is left alone.
func TestStopHereIsForAnswersOfThisNode(t *testing.T) {
	t.Parallel()
	inWorld(t, echo(time.Second), func(t *testing.T, w *world) {
		first := w.say("one")
		waiting := w.say("two", first.Conversation.ID)
		w.StopHere(waiting.Bot.ID)
		w.StopHere(kyro.MessageID(99))
		for _, turn := range []kyro.Turn{first, waiting} {
			if m := w.final(turn.Bot.ID); m.Status != kyro.MessageCompleted {
				t.Errorf("got %s", m.Status)
			}
		}
	})
}

func TestStopDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	inWorld(t, silent("So"), func(t *testing.T, w *world) {
		turn := w.say("Hi")
		synctest.Wait()
		w.store.failing(func(call string) error {
			if call == "Finish" {
				return errors.New("the database is away")
			}
			return nil
		})
		begun := time.Now()
		m := w.stop(turn.Bot.ID)
		if m.Status.Final() || time.Since(begun) != 2*time.Second {
			t.Errorf("%s after %v, want as stored after 2 s", m.Status, time.Since(begun))
		}
		w.store.failing(nil)
		checkStopped(t, w.final(turn.Bot.ID), "So")
	})
}

func TestStopRefuses(t *testing.T) {
	t.Parallel()
	inWorld(t, echo(0), func(t *testing.T, w *world) {
		turn := w.say("Hi")
		done := w.final(turn.Bot.ID)
		_, err := w.Stop(t.Context(), kyro.Viewer{}, turn.Bot.ID)
		checkError(t, "nobody", err, kyro.CodeUnauthenticated, "")
		_, err = w.Stop(t.Context(), w.viewer, kyro.BotID(1))
		checkError(t, "an id of another kind", err, kyro.CodeBadUserInput, "")
		_, err = w.Stop(t.Context(), w.viewer, turn.User.ID)
		checkError(t, "a user message", err, kyro.CodeValidation, "messageId")
		_, foreign := w.Stop(t.Context(), kyro.Viewer{UserID: kyro.UserID(2)}, turn.Bot.ID)
		_, missing := w.Stop(t.Context(), w.viewer, kyro.MessageID(99))
		if foreign == nil || foreign.Error() != missing.Error() {
			t.Errorf("not yours: %v, not there: %v", foreign, missing)
		}
		if m := w.stop(turn.Bot.ID); m.Status != kyro.MessageCompleted || m.Text != done.Text {
			t.Errorf("stopping a final answer made it %s %q", m.Status, m.Text)
		}
	})
}
