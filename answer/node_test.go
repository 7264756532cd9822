package answer_test

import (
	"context"
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

// partition is a store as a node sees it, until the node is cut off from it.
type partition struct {
	answer.Store
	cut atomic.Bool
}

var errCutOff = errors.New("the network is down")

func (p *partition) ClaimNext(ctx context.Context, c kyro.ID, owner string, lease time.Duration) (kyro.Claim, bool, error) {
	if p.cut.Load() {
		return kyro.Claim{}, false, errCutOff
	}
	return p.Store.ClaimNext(ctx, c, owner, lease)
}

func (p *partition) Keep(ctx context.Context, lease time.Duration, list []kyro.Keeping) ([]kyro.Kept, error) {
	if p.cut.Load() {
		return nil, errCutOff
	}
	return p.Store.Keep(ctx, lease, list)
}

func (p *partition) StopsAsked(ctx context.Context, owner string) ([]kyro.ID, error) {
	if p.cut.Load() {
		return nil, errCutOff
	}
	return p.Store.StopsAsked(ctx, owner)
}

func (p *partition) Finish(ctx context.Context, c kyro.Claim, o kyro.Outcome) (kyro.Message, error) {
	if p.cut.Load() {
		return kyro.Message{}, errCutOff
	}
	return p.Store.Finish(ctx, c, o)
}

func (p *partition) Recover(ctx context.Context, r kyro.Recovery) ([]kyro.Message, []kyro.ID, error) {
	if p.cut.Load() {
		return nil, nil, errCutOff
	}
	return p.Store.Recover(ctx, r)
}

// inTwoNodes runs a test on node a, which can be cut off from the store, and node b beside it on the same store
// and log.
func inTwoNodes(t *testing.T, onA, onB answer.Model, test func(t *testing.T, a, b *world, cutA *partition), change ...func(*answer.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store, log := newFakeStore(), live.NewLogs(live.LogsConfig{})
		cut := &partition{Store: store}
		a := newWorld(t, store, log, onA, append(change, func(c *answer.Config) { c.Node, c.Store = "a", cut })...)
		b := newWorld(t, store, log, onB, append(change, func(c *answer.Config) { c.Node = "b" })...)
		test(t, a, b, cut)
	})
}

func TestTakeOverBeforeTheFirstWord(t *testing.T) {
	t.Parallel()
	inTwoNodes(t, silent(), echo(time.Second), func(t *testing.T, a, b *world, cutA *partition) {
		turn := a.say("Hi")
		synctest.Wait()
		r := &reader{t: t, id: turn.Bot.ID}
		r.follow(t.Context(), b.Service, b.viewer, 1)
		cutA.cut.Store(true)
		cut := time.Now()
		r.follow(t.Context(), b.Service, b.viewer, -1)
		if r.finished == nil || r.finished.Attempt != 2 || r.finished.Text != "You said: Hi" {
			t.Errorf("got %+v, %v", r.finished, r.err)
		}
		if d := time.Since(cut); d > 22*time.Second {
			t.Errorf("the take-over was over after %v", d)
		}
		want := `snapshot 1.2 STREAMING "", snapshot 2.`
		if got := strings.Join(r.seen, ", "); !strings.HasPrefix(got, want) {
			t.Errorf("events %s, want %s…", got, want)
		}
		if !strings.Contains(a.logged.String(), "lease is over") {
			t.Error("the old node did not notice")
		}
	})
}

func TestTakeOverKeepsWhatWasWritten(t *testing.T) {
	t.Parallel()
	chatty := saying(300*time.Millisecond, strings.Split(strings.Repeat("word ", 400), " ")...)
	inTwoNodes(t, chatty, echo(0), func(t *testing.T, a, b *world, cutA *partition) {
		turn := a.say("Hi")
		later := a.say("And?", turn.Conversation.ID)
		r := &reader{t: t, id: turn.Bot.ID}
		done := make(chan struct{})
		go func() { defer close(done); r.follow(t.Context(), b.Service, b.viewer, -1) }()
		time.Sleep(10 * time.Second)
		cutA.cut.Store(true)
		cut := time.Now()
		<-done
		m := r.finished
		if m == nil || m.Status != kyro.MessageInterrupted || m.Attempt != 1 || m.Text == "" {
			t.Fatalf("got %+v, %v", m, r.err)
		}
		if d := time.Since(cut); d > 25*time.Second {
			t.Errorf("interrupted after %v", d)
		}
		if d := time.Since(*m.CompletedAt); d != 0 {
			t.Errorf("the reader learned of the end after %v", d)
		}
		if m := b.final(later.Bot.ID); m.Text != "You said: And?" {
			t.Errorf("the turn behind it: %s %q", m.Status, m.Text)
		}
	})
}

func TestLostClaimWritesNothing(t *testing.T) {
	t.Parallel()
	inWorld(t, saying(100*time.Millisecond, strings.Split(strings.Repeat("word ", 100), " ")...), func(t *testing.T, w *world) {
		turn := w.say("Hi")
		time.Sleep(1500 * time.Millisecond)
		w.store.steal(turn.Bot.ID)
		stolen := w.message(turn.Bot.ID)
		time.Sleep(2 * time.Second) // the next checkpoint tells
		before, _, _ := w.log.Snapshot(t.Context(), turn.Bot.ID)
		time.Sleep(10 * time.Second)
		after, known, _ := w.log.Snapshot(t.Context(), turn.Bot.ID)
		if !known || after != before {
			t.Errorf("the log went on from %d to %d, final %v", before.Seq, after.Seq, after.Final)
		}
		if m := w.message(turn.Bot.ID); m.Text != stolen.Text || m.Status.Final() || w.store.count("Finish") != 0 {
			t.Errorf("the row went on from %q to %s %q", stolen.Text, m.Status, m.Text)
		}
		if n := w.store.count("Release"); n != 0 {
			t.Errorf("released %d times", n)
		}
	})
}

// The end of a lease is known by the clock, also while the store cannot be asked.
func TestLeaseEndsByTheClock(t *testing.T) {
	t.Parallel()
	inWorld(t, saying(100*time.Millisecond, strings.Split(strings.Repeat("word ", 1_000), " ")...), func(t *testing.T, w *world) {
		turn := w.say("Hi")
		time.Sleep(1500 * time.Millisecond)
		w.store.failing(func(call string) error { return errCutOff })
		time.Sleep(15 * time.Second)
		before, _, _ := w.log.Snapshot(t.Context(), turn.Bot.ID)
		time.Sleep(10 * time.Second)
		after, _, _ := w.log.Snapshot(t.Context(), turn.Bot.ID)
		if after.Seq != before.Seq {
			t.Errorf("the log went on from %d to %d after the lease", before.Seq, after.Seq)
		}
		w.store.failing(nil)
		if m := w.final(turn.Bot.ID); m.Status != kyro.MessageInterrupted {
			t.Errorf("got %s", m.Status)
		}
	})
}

func TestSweepFindsWhatNobodyKicked(t *testing.T) {
	t.Parallel()
	inWorld(t, echo(0), func(t *testing.T, w *world) {
		turn, err := w.store.SaveTurn(t.Context(), kyro.NewTurn{SenderID: person.UserID, BotID: kyro.BotID(1), Text: "Hi", Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		m := w.final(turn.Bot.ID)
		if d := time.Since(begun); m.Text != "You said: Hi" || d > 6*time.Second {
			t.Errorf("%q after %v", m.Text, d)
		}
	})
}

func TestStartRecoversEverythingWhenAlone(t *testing.T) {
	t.Parallel()
	for _, alone := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			store := newFakeStore()
			turn := func(id string) kyro.Turn {
				turn, err := store.SaveTurn(t.Context(), kyro.NewTurn{SenderID: person.UserID, BotID: kyro.BotID(1), Text: "Hi", ClientMessageID: id, Now: time.Now()})
				if err != nil {
					t.Fatal(err)
				}
				return turn
			}
			begun, written := turn("a"), turn("b")
			for _, c := range []kyro.Turn{begun, written} {
				if _, found, err := store.ClaimNext(t.Context(), c.Conversation.ID, "gone", 15*time.Second); !found || err != nil {
					t.Fatal(found, err)
				}
			}
			store.edit(written.Bot.ID, func(row *fakeRow) { row.Text, row.Seq = "Half an ans", 4 })
			start := time.Now()
			w := newWorld(t, store, live.NewLogs(live.LogsConfig{}), echo(0), func(c *answer.Config) { c.Exclusive = alone })
			if m := w.final(begun.Bot.ID); m.Status != kyro.MessageCompleted || m.Attempt != 2 {
				t.Errorf("the one that was begun: %s in attempt %d", m.Status, m.Attempt)
			}
			if m := w.final(written.Bot.ID); m.Status != kyro.MessageInterrupted || m.Text != "Half an ans" || m.Seq != 5 {
				t.Errorf("the one that was written: %s %q %d", m.Status, m.Text, m.Seq)
			}
			if d := time.Since(start); alone != (d < time.Second) || d > 30*time.Second {
				t.Errorf("alone %v: recovered after %v", alone, d)
			}
		})
	}
}

// A model that does not end when it is told to keeps its answer no longer than a lease.
func TestAModelThatHangsIsGivenUp(t *testing.T) {
	t.Parallel()
	hangs := model(func(ctx context.Context, p kyro.Prompt, yield func(kyro.Delta, error) bool) {
		if yield(kyro.Delta{Text: "Half"}, nil) {
			time.Sleep(time.Hour)
			yield(kyro.Delta{Text: " and more", Finish: finished()}, nil)
		}
	})
	inWorld(t, hangs, func(t *testing.T, w *world) {
		turn := w.say("Hi")
		begun := time.Now()
		m := w.final(turn.Bot.ID)
		if m.Status != kyro.MessageInterrupted || m.Text != "Half" {
			t.Errorf("got %s %q", m.Status, m.Text)
		}
		if d := time.Since(begun); d > time.Minute {
			t.Errorf("given up after %v", d)
		}
		time.Sleep(2 * time.Hour)
		if late := w.message(turn.Bot.ID); late.Text != m.Text || late.Seq != m.Seq {
			t.Errorf("what came late made it %q", late.Text)
		}
	})
}

// What arrives before the recovery is done must not be taken for a leftover.
func TestSendBeforeRecovery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		var away atomic.Bool
		away.Store(true)
		store.failing(func(call string) error {
			if call == "Recover" && away.Load() {
				return errCutOff
			}
			return nil
		})
		w := newWorld(t, store, live.NewLogs(live.LogsConfig{}), echo(time.Second), func(c *answer.Config) { c.Exclusive = true })
		turn := w.say("Hi")
		time.Sleep(10 * time.Second)
		if m := w.message(turn.Bot.ID); m.Status != kyro.MessagePending {
			t.Errorf("the answer began before the recovery: %s", m.Status)
		}
		away.Store(false)
		if m := w.final(turn.Bot.ID); m.Attempt != 1 || m.Text != "You said: Hi" {
			t.Errorf("got %q in attempt %d", m.Text, m.Attempt)
		}
	})
}

func TestDrain(t *testing.T) {
	t.Parallel()
	slowFor := func(p kyro.Prompt) model {
		switch p.Question {
		case "quick":
			return echo(4 * time.Second)
		case "slow":
			return saying(14*time.Second, "a", "b", "c", "d")
		default:
			return silent()
		}
	}
	mixed := model(func(ctx context.Context, p kyro.Prompt, yield func(kyro.Delta, error) bool) {
		slowFor(p)(ctx, p, yield)
	})
	inWorld(t, mixed, func(t *testing.T, w *world) {
		quick, slow, mute := w.say("quick"), w.say("slow"), w.say("mute")
		waiting := w.say("quick", quick.Conversation.ID)
		time.Sleep(time.Second)
		begun := time.Now()
		stopped := make(chan struct{})
		go func() { defer close(stopped); w.halt() }()
		synctest.Wait()
		_, err := w.Send(t.Context(), w.viewer, answer.SendInput{BotID: kyro.BotID(1), Text: "Hi", ClientMessageID: "late"})
		checkError(t, "sending while draining", err, kyro.CodeUnavailable, "")
		if e := err.(*kyro.Error); e.RetryAfter <= 0 {
			t.Error("UNAVAILABLE does not say when to come back")
		}
		_, err = w.Regenerate(t.Context(), w.viewer, quick.Bot.ID, "late")
		checkError(t, "regenerating while draining", err, kyro.CodeUnavailable, "")
		<-stopped
		if d := time.Since(begun); d != 15*time.Second {
			t.Errorf("drained for %v", d)
		}
		if m := w.message(quick.Bot.ID); m.Status != kyro.MessageCompleted {
			t.Errorf("the quick one is %s", m.Status)
		}
		if m := w.message(slow.Bot.ID); m.Status != kyro.MessageInterrupted || m.Text != "a" || !m.Error.Retryable || *m.FinishReason != kyro.FinishInterrupted {
			t.Errorf("the slow one is %s %q %+v", m.Status, m.Text, m.Error)
		}
		for name, turn := range map[string]kyro.Turn{"mute": mute, "waiting": waiting} {
			if m := w.message(turn.Bot.ID); m.Status != kyro.MessagePending {
				t.Errorf("the %s one is %s", name, m.Status)
			}
		}
		next := newWorld(t, w.store, live.NewLogs(live.LogsConfig{}), echo(0))
		for _, turn := range []kyro.Turn{mute, waiting} {
			if m := next.final(turn.Bot.ID); m.Status != kyro.MessageCompleted {
				t.Errorf("after the restart: %s", m.Status)
			}
		}
		next.final(slow.Bot.ID)
	})
}
