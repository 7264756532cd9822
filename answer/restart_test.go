package answer_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/answer"
	"kyrochat/kyro"
	"kyrochat/live"
)

func restarting(c *answer.Config) { c.Restart = true }

// An answer that is lost in the middle begins again on another node; its readers are shown the new attempt.
func TestLostAnswerBeginsAgainWhereThatIsWanted(t *testing.T) {
	t.Parallel()
	inTwoNodes(t, words(200, 300*time.Millisecond), echo(time.Second), func(t *testing.T, a, b *world, cutA *partition) {
		turn := a.say("Hi")
		r := &reader{t: t, id: turn.Bot.ID}
		r.follow(t.Context(), b.Service, b.viewer, 20)
		if !strings.HasPrefix(r.text, "word word") {
			t.Fatalf("seen so far: %q", r.text)
		}
		cutA.cut.Store(true)
		cut := time.Now()
		r.follow(t.Context(), b.Service, b.viewer, -1)
		if m := r.finished; m == nil || m.Status != kyro.MessageCompleted || m.Attempt != 2 || m.Text != "You said: Hi" {
			t.Fatalf("got %+v, %v", m, r.err)
		}
		if d := time.Since(cut); d > 25*time.Second {
			t.Errorf("the new attempt was over after %v", d)
		}
		if got := strings.Join(r.seen, ", "); !strings.Contains(got, "snapshot 2.") {
			t.Errorf("no snapshot of the new attempt: %s", got)
		}
	}, restarting)
}

func TestSecondLossIsAnInterruption(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, log := newFakeStore(), live.NewLogs(live.LogsConfig{})
		var turn kyro.Turn
		for i := range 3 {
			cut := &partition{Store: store}
			w := newWorld(t, store, log, silent("Half"), restarting, func(c *answer.Config) {
				c.Node, c.Store, c.Limits.AnswerIdle = fmt.Sprint("node ", i), cut, time.Hour
			})
			if i == 0 {
				turn = w.say("Hi")
			}
			time.Sleep(30 * time.Second)
			m := w.message(turn.Bot.ID)
			if i < 2 && (m.Attempt != int64(i+1) || m.Text != "Half" || m.Status.Final()) {
				t.Errorf("node %d: %s %q in attempt %d", i, m.Status, m.Text, m.Attempt)
			}
			if i == 2 && (m.Status != kyro.MessageInterrupted || m.Attempt != 2 || m.Text != "Half") {
				t.Errorf("after two losses: %s %q in attempt %d", m.Status, m.Text, m.Attempt)
			}
			cut.cut.Store(true)
		}
	})
}

// A drain gives an answer back that it would cut, to be begun again, unless that happened already.
func TestDrainGivesBackWhatItWouldCut(t *testing.T) {
	t.Parallel()
	inWorld(t, silent("Half"), func(t *testing.T, w *world) {
		turn := w.say("Hi")
		time.Sleep(2 * time.Second)
		stop := w.say("Stop")
		time.Sleep(2 * time.Second)
		w.store.edit(stop.Bot.ID, func(r *fakeRow) { r.stop = true })
		w.halt()
		if m := w.message(turn.Bot.ID); m.Status != kyro.MessagePending || m.Text != "" {
			t.Errorf("cut: %s %q", m.Status, m.Text)
		}
		checkStopped(t, w.message(stop.Bot.ID), "Half")

		next := newWorld(t, w.store, live.NewLogs(live.LogsConfig{}), silent("Half"), restarting, short)
		time.Sleep(time.Second)
		next.halt()
		if m := next.message(turn.Bot.ID); m.Status != kyro.MessageInterrupted || m.Text != "Half" || m.Attempt != 2 {
			t.Errorf("cut again: %s %q in attempt %d", m.Status, m.Text, m.Attempt)
		}
	}, restarting, short, func(c *answer.Config) { c.Exclusive = true }) // so that the stop is found by nobody before
}

// short has a drain cut what runs at once.
func short(c *answer.Config) { c.Limits.DrainTimeout = time.Millisecond }

// Nothing but the loss of a process makes the model answer again after its first word.
func TestFailuresAreNotTriedAgain(t *testing.T) {
	t.Parallel()
	inWorld(t, breaking(kyro.Errorf(kyro.CodeUpstreamQuota, "Used up."), "Half"), func(t *testing.T, w *world) {
		turn := w.say("Hi")
		w.final(turn.Bot.ID)
		time.Sleep(time.Minute)
		if m := w.message(turn.Bot.ID); m.Status != kyro.MessageFailed || m.Attempt != 1 || m.Text != "Half" {
			t.Errorf("%s %q in attempt %d", m.Status, m.Text, m.Attempt)
		}
	}, restarting)
}
