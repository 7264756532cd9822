package store_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"kyrochat/kyro"
)

const lease = 15 * time.Second

func TestOneNodeTakesAnAnswer(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, _, id := w.talk(t)
		for _, text := range []string{"1", "2", "3"} {
			w.say(t, user, id, text)
		}
		for round := range 3 {
			var mu sync.Mutex
			var claims []kyro.Claim
			var wg sync.WaitGroup
			for i := range 10 {
				wg.Go(func() {
					claim, found, err := w.ClaimNext(t.Context(), id, fmt.Sprint("node", i), lease)
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						t.Error(err)
					}
					if found {
						claims = append(claims, claim)
					}
				})
			}
			wg.Wait()
			if len(claims) != 1 {
				t.Fatalf("round %d: %d nodes have an answer of the same conversation", round, len(claims))
			}
			if c := claims[0]; c.Attempt != 1 || c.ConversationID != id || c.Restarted {
				t.Errorf("claim %+v", c)
			}
			w.finish(t, claims[0], "done")
		}
		if _, found, err := w.ClaimNext(t.Context(), id, "n", lease); found || err != nil {
			t.Errorf("found %v, %v with nothing left", found, err)
		}
	})
}

func TestWhoLostTheClaimChangesNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, _, id := w.talk(t)
		bot := w.say(t, user, id, "q").Bot
		lost := w.claim(t, id, "n1")
		w.setClock(start.Add(lease))
		_, _, err := w.Recover(t.Context(), kyro.Recovery{Now: start})
		fine(t, err)
		now := w.claim(t, id, "n1") // the same node, but another attempt
		stranger := now
		stranger.Owner = "n2"
		for name, claim := range map[string]kyro.Claim{"an older attempt": lost, "another node": stranger} {
			for _, state := range []kyro.Checkpoint{{}, {Status: kyro.MessageStreaming, Text: "x", Seq: 1}} {
				if kept := w.keep(t, claim, state); !kept.Lost || kept.Kept {
					t.Errorf("%s keeps the claim: %+v", name, kept)
				}
			}
			wantCode(t, w.Release(t.Context(), claim, false), kyro.CodeConflict)
			wantCode(t, w.Release(t.Context(), claim, true), kyro.CodeConflict)
			_, err := w.Finish(t.Context(), claim, kyro.Outcome{Status: kyro.MessageCompleted, Text: "x", Citations: []kyro.Citation{{Marker: 1}}, Now: start})
			wantCode(t, err, kyro.CodeConflict)
			_, err = w.Job(t.Context(), claim, 5)
			wantCode(t, err, kyro.CodeConflict)
			if m, err := w.Message(t.Context(), user, bot.ID); err != nil || m.Text != "" || m.Status != kyro.MessageRetrieving || m.Attempt != 2 {
				t.Errorf("%s changed the message: %+v %v", name, m, err)
			}
		}
		w.keep(t, now, kyro.Checkpoint{Status: kyro.MessageStreaming, Text: "half", Seq: 3})
		w.keep(t, now, kyro.Checkpoint{Status: kyro.MessageRetrieving, Seq: 2}) // arrives late
		w.keep(t, now, kyro.Checkpoint{})
		if m, err := w.Message(t.Context(), user, bot.ID); err != nil || m.Text != "half" || m.Seq != 3 || m.Status != kyro.MessageStreaming {
			t.Errorf("after the checkpoint: %+v %v", m, err)
		}
		wantCode(t, w.Release(t.Context(), now, false), kyro.CodeConflict) // it wrote something
		w.finish(t, now, "whole")
		_, err = w.Finish(t.Context(), now, kyro.Outcome{Status: kyro.MessageFailed, Now: start})
		wantCode(t, err, kyro.CodeConflict)
		if kept := w.keep(t, now, kyro.Checkpoint{Status: kyro.MessageStreaming, Text: "later", Seq: 9}); !kept.Lost {
			t.Errorf("kept after its end: %+v", kept)
		}
		if m, err := w.Message(t.Context(), user, bot.ID); err != nil || m.Text != "whole" || m.Status != kyro.MessageCompleted || m.Seq != 4 {
			t.Errorf("at the end: %+v %v", m, err)
		}
		if n := w.number(t, "SELECT count(*) FROM citations"); n != 0 {
			t.Errorf("%d citations of refused ends", n)
		}
	})
}

func TestReleasedAnswersAreTakenAtOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, _, id := w.talk(t)
		bot := w.say(t, user, id, "q").Bot
		w.say(t, user, id, "later")
		fine(t, w.Release(t.Context(), w.claim(t, id, "n1"), false))
		if m, err := w.Message(t.Context(), user, bot.ID); err != nil || m.Status != kyro.MessagePending {
			t.Errorf("released: %+v %v", m, err)
		}
		if claim := w.claim(t, id, "n2"); claim.MessageID != bot.ID || claim.Attempt != 2 {
			t.Errorf("taken again: %+v", claim)
		}
	})
}

func TestStop(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, _, id := w.talk(t)
		first, second, third := w.say(t, user, id, "1").Bot, w.say(t, user, id, "2").Bot, w.say(t, user, id, "3")
		claim := w.claim(t, id, "n1")
		now := start.Add(time.Minute)
		stop := func(message kyro.ID) kyro.Message {
			m, err := w.RequestStop(t.Context(), user, message, now)
			fine(t, err)
			return m
		}
		if m := stop(second.ID); m.Status != kyro.MessageStopped || *m.FinishReason != kyro.FinishUser || *m.CompletedAt != now || m.Text != "" {
			t.Errorf("a waiting answer: %+v", m)
		}
		if m := stop(third.User.ID); m.Status != kyro.MessageCompleted || m.FinishReason != nil {
			t.Errorf("a user message: %+v", m)
		}
		asked := func() []kyro.ID {
			asked, err := w.StopsAsked(t.Context(), "n1")
			fine(t, err)
			return asked
		}
		if w.askedToStop(t, claim) || len(asked()) != 0 {
			t.Error("asked to stop by nobody")
		}
		if m := stop(first.ID); m.Status != kyro.MessageRetrieving || m.CompletedAt != nil || m.FinishReason != nil {
			t.Errorf("a running answer: %+v", m)
		}
		if !w.askedToStop(t, claim) || !slices.Equal(asked(), []kyro.ID{first.ID}) {
			t.Errorf("not asked to stop: %v", asked())
		}
		if others, err := w.StopsAsked(t.Context(), "n2"); err != nil || len(others) != 0 {
			t.Errorf("another node is asked to stop %v, %v", others, err)
		}
		done := w.finish(t, claim, "done")
		if len(asked()) != 0 {
			t.Error("a final answer is asked to stop")
		}
		if m := stop(first.ID); m.Status != done.Status || *m.CompletedAt != *done.CompletedAt || *m.FinishReason != kyro.FinishStop {
			t.Errorf("a final answer: %+v", m)
		}
		if claim := w.claim(t, id, "n1"); claim.MessageID != third.Bot.ID {
			t.Errorf("next is %s, want %s", claim.MessageID, third.Bot.ID)
		}
	})
}

func TestRecover(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		var user kyro.ID
		var talks []kyro.ID
		messages := make(map[string]kyro.ID)
		claims := make(map[string]kyro.Claim)
		begin := func(name string) {
			u, _, id := w.talk(t)
			if user.IsZero() {
				user = u
			}
			messages[name] = w.say(t, u, id, "q").Bot.ID
			claims[name] = w.claim(t, id, "n1")
			talks = append(talks, id)
		}
		for _, name := range []string{"silent", "half", "stopped half", "stopped silent", "released", "alive"} {
			begin(name)
		}
		half := kyro.Checkpoint{Status: kyro.MessageStreaming, Text: "half", Seq: 3}
		w.keep(t, claims["half"], half)
		w.keep(t, claims["stopped half"], half)
		w.exec(t, fmt.Sprintf("UPDATE messages SET stop_requested = TRUE WHERE id IN (%d, %d, %d)",
			messages["stopped half"].Key, messages["stopped silent"].Key, messages["released"].Key))
		fine(t, w.Release(t.Context(), claims["released"], false))
		if _, found, err := w.ClaimNext(t.Context(), talks[4], "n2", lease); found || err != nil {
			t.Errorf("an answer that is to stop is begun again: %v %v", found, err)
		}
		now := start.Add(lease)
		w.setClock(start.Add(time.Second))
		w.keep(t, claims["alive"], kyro.Checkpoint{})
		idle, _, idleTalk := w.talk(t)
		w.say(t, idle, idleTalk, "not begun")

		w.setClock(now.Add(-time.Microsecond))
		if ended, _, err := w.Recover(t.Context(), kyro.Recovery{Now: now}); err != nil || len(ended) != 1 || ended[0].ID != messages["released"] || ended[0].Status != kyro.MessageStopped {
			t.Errorf("while all leases hold: %+v %v", ended, err)
		}
		w.setClock(now)
		var mu sync.Mutex
		got := make(map[kyro.ID]kyro.Message)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				ended, _, err := w.Recover(t.Context(), kyro.Recovery{Now: now})
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				for _, m := range ended {
					if _, twice := got[m.ID]; twice {
						t.Errorf("%s was ended twice", m.ID)
					}
					got[m.ID] = m
				}
			})
		}
		wg.Wait()
		for name, want := range map[string]struct {
			status kyro.MessageStatus
			reason kyro.FinishReason
			text   string
		}{
			"half":           {kyro.MessageInterrupted, kyro.FinishInterrupted, "half"},
			"stopped half":   {kyro.MessageStopped, kyro.FinishUser, "half"},
			"stopped silent": {kyro.MessageStopped, kyro.FinishUser, ""},
		} {
			m := got[messages[name]]
			if m.Status != want.status || m.FinishReason == nil || *m.FinishReason != want.reason || m.Text != want.text || m.CompletedAt == nil || *m.CompletedAt != now {
				t.Errorf("%s: %+v", name, m)
			}
			if (m.Error != nil) != (want.status == kyro.MessageInterrupted) || m.Error != nil && (m.Error.Code != kyro.CodeInterrupted || !m.Error.Retryable) {
				t.Errorf("%s: error %+v", name, m.Error)
			}
		}
		if len(got) != 3 {
			t.Errorf("%d messages ended, want 3", len(got))
		}
		before := w.statements.Load()
		ended, waiting, err := w.Recover(t.Context(), kyro.Recovery{Now: now})
		fine(t, err)
		if want := []kyro.ID{talks[0], idleTalk}; len(ended) != 0 || !slices.Equal(waiting, want) {
			t.Errorf("ended %+v, waiting %v, want %v", ended, waiting, want)
		}
		if n := w.statements.Load() - before; n != 2 {
			t.Errorf("%d statements while nothing is lost", n)
		}
		if kept := w.keep(t, claims["silent"], kyro.Checkpoint{}); !kept.Lost {
			t.Errorf("a lost claim: %+v", kept)
		}
		if kept := w.keep(t, claims["alive"], kyro.Checkpoint{}); !kept.Kept {
			t.Errorf("a claim that holds: %+v", kept)
		}

		ended, waiting, err = w.Recover(t.Context(), kyro.Recovery{Now: start, Everything: true})
		fine(t, err)
		if want := []kyro.ID{talks[0], talks[5], idleTalk}; len(ended) != 0 || !slices.Equal(waiting, want) {
			t.Errorf("everything: ended %+v, waiting %v, want %v", ended, waiting, want)
		}
		if again := w.claim(t, talks[5], "n2"); again.Attempt != 2 {
			t.Errorf("taken over: %+v", again)
		}
	})
}

func TestGivingAnAnswerBackIsNoLoss(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, _, id := w.talk(t)
		w.say(t, user, id, "q")
		for range 7 {
			fine(t, w.Release(t.Context(), w.claim(t, id, "n1"), false))
		}
		w.claim(t, id, "n1")
		if ended, waiting, err := w.Recover(t.Context(), kyro.Recovery{Now: start, Everything: true}); err != nil || len(ended) != 0 || len(waiting) != 1 {
			t.Errorf("ended %+v, waiting %v, %v", ended, waiting, err)
		}
	})
}

func TestAnswersThatNeverBeginAreGivenUp(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, _, id := w.talk(t)
		bot := w.say(t, user, id, "q").Bot
		for try := range 5 {
			w.claim(t, id, "n1")
			ended, waiting, err := w.Recover(t.Context(), kyro.Recovery{Now: start, Everything: true})
			fine(t, err)
			if last := try == 4; len(ended) == 1 != last || len(waiting) == 0 != last {
				t.Fatalf("try %d: ended %+v, waiting %v", try+1, ended, waiting)
			}
		}
		if m, err := w.Message(t.Context(), user, bot.ID); err != nil || m.Status != kyro.MessageInterrupted {
			t.Errorf("%+v %v", m, err)
		}
	})
}
