package store_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// running begins n answers in conversations of their own.
func (w *world) running(t testing.TB, owner string, n int) (user kyro.ID, list []kyro.Keeping) {
	t.Helper()
	user, bot, _ := w.talk(t)
	for i := range n {
		turn, err := w.SaveTurn(t.Context(), kyro.NewTurn{SenderID: user, BotID: bot, Text: "q", ClientMessageID: fmt.Sprint("c", i), Now: start})
		fine(t, err)
		list = append(list, kyro.Keeping{
			Claim: w.claim(t, turn.Conversation.ID, owner),
			State: &kyro.Checkpoint{Status: kyro.MessageStreaming, Text: fmt.Sprint("text ", i), Seq: int64(i + 2)},
		})
	}
	return user, list
}

func TestManyAnswersAreKeptTogether(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, list := w.running(t, "n1", 40)
		stopped, other, final, renewed := 5, 11, 17, 23
		_, err := w.RequestStop(t.Context(), user, list[stopped].Claim.MessageID, start)
		fine(t, err)
		list[other].Claim.Owner = "n2"
		w.finish(t, list[final].Claim, "whole")
		list[renewed].State = nil
		w.setClock(start.Add(time.Second))

		kept, err := w.Keep(t.Context(), lease, list)
		fine(t, err)
		for i, k := range kept {
			lost := i == other || i == final
			if want := (kyro.Kept{Kept: !lost, Lost: lost, Stop: i == stopped}); k != want {
				t.Errorf("answer %d: %+v, want %+v", i, k, want)
			}
			m, err := w.Message(t.Context(), user, list[i].Claim.MessageID)
			fine(t, err)
			switch {
			case i == final:
				if m.Text != "whole" || m.Status != kyro.MessageCompleted {
					t.Errorf("a final answer was changed: %+v", m)
				}
			case i == other || i == renewed:
				if m.Text != "" || m.Status != kyro.MessageRetrieving || m.Seq != 0 {
					t.Errorf("answer %d was changed: %+v", i, m)
				}
			case m.Text != fmt.Sprint("text ", i) || m.Seq != int64(i+2) || m.Status != kyro.MessageStreaming:
				t.Errorf("answer %d: %+v", i, m)
			}
		}

		w.setClock(start.Add(lease)) // when the leases that were not kept are over
		_, waiting, err := w.Recover(t.Context(), kyro.Recovery{Now: start})
		fine(t, err)
		if want := []kyro.ID{list[other].Claim.ConversationID}; !slices.Equal(waiting, want) {
			t.Errorf("waiting %v, want %v", waiting, want)
		}
	})
}

func TestStatementsDoNotGrowWithTheAnswersThatAreKept(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		_, list := w.running(t, "n1", 60)
		_, err := w.Keep(t.Context(), lease, list) // from here on their status is the same
		fine(t, err)
		for _, n := range []int{1, 60} {
			before := w.statements.Load()
			_, err := w.Keep(t.Context(), lease, list[:n])
			fine(t, err)
			if n := w.statements.Load() - before; n != 1 {
				t.Errorf("%d statements for %d answers", n, len(list))
			}
		}
	})
}

// TestAConversationThatIsHeldIsNotWaitedFor keeps answers while somebody else has changed the conversation of two: the one
// whose status is to become another has to wait for its followers' sake.
func TestAConversationThatIsHeldIsNotWaitedFor(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		if !w.pools.Postgres() {
			t.Skip("SQLite has one writer at a time")
		}
		user, list := w.running(t, "n1", 3)
		if kept := w.keep(t, list[0].Claim, *list[0].State); !kept.Kept {
			t.Fatalf("%+v", kept)
		}
		list[0].State.Text, list[0].State.Seq = "more", 100
		kept := w.keepBeside(t, list, "UPDATE conversations SET archived = TRUE WHERE id <= ?", list[1].Claim.ConversationID)
		if want := []kyro.Kept{{Kept: true}, {}, {Kept: true}}; !slices.Equal(kept, want) {
			t.Errorf("%+v, want %+v", kept, want)
		}
		if m, err := w.Message(t.Context(), user, list[0].Claim.MessageID); err != nil || m.Text != "more" {
			t.Errorf("text alone waits for nobody: %+v %v", m, err)
		}
		if again := w.keep(t, list[1].Claim, *list[1].State); !again.Kept {
			t.Errorf("once it is free: %+v", again)
		}
	})
}

// TestARowThatIsHeldDoesNotHoldTheOthers keeps answers while somebody else has changed one of them, and not committed.
func TestARowThatIsHeldDoesNotHoldTheOthers(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		if !w.pools.Postgres() {
			t.Skip("SQLite has one writer at a time")
		}
		_, list := w.running(t, "n1", 3)
		kept := w.keepBeside(t, list, "UPDATE messages SET superseded = TRUE WHERE id = ?", list[1].Claim.MessageID)
		if want := []kyro.Kept{{Kept: true}, {}, {Kept: true}}; !slices.Equal(kept, want) {
			t.Errorf("%+v, want %+v", kept, want)
		}
		if again := w.keep(t, list[1].Claim, *list[1].State); !again.Kept {
			t.Errorf("once it is free: %+v", again)
		}
	})
}

func TestATextThatTheDatabaseRefusesKeepsNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		if !w.pools.Postgres() {
			t.Skip("SQLite takes any text")
		}
		user, list := w.running(t, "n1", 2)
		list[1].State.Text = "\xff"
		if kept, err := w.Keep(t.Context(), lease, list); kyro.ErrorCode(err) != kyro.CodeInternal || kept != nil {
			t.Errorf("kept %+v, %v", kept, err)
		}
		if m, err := w.Message(t.Context(), user, list[0].Claim.MessageID); err != nil || m.Text != "" {
			t.Errorf("the other one: %+v %v", m, err)
		}
		list[0].State.Text = "no \x00 in it"
		if kept := w.keep(t, list[0].Claim, *list[0].State); !kept.Kept {
			t.Errorf("%+v", kept)
		}
	})
}

// TestLeasesGoByOneClock: on PostgreSQL that of the server decides, whatever nodes take the time for.
func TestLeasesGoByOneClock(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		if w.pools.Postgres() {
			w.SetClock(nil)
		} else {
			w.SetClock(time.Now)
		}
		user, _, id := w.talk(t)
		bot := w.say(t, user, id, "q").Bot
		recovered := func() bool {
			t.Helper()
			for _, now := range []time.Time{start.AddDate(-10, 0, 0), start.AddDate(10, 0, 0)} {
				_, waiting, err := w.Recover(t.Context(), kyro.Recovery{Now: now})
				fine(t, err)
				if len(waiting) > 0 {
					return true
				}
			}
			return false
		}
		claim := func(lease time.Duration) kyro.Claim {
			t.Helper()
			claim, found, err := w.ClaimNext(t.Context(), id, "n1", lease)
			if err != nil || !found || claim.MessageID != bot.ID {
				t.Fatalf("%+v, found %v, %v", claim, found, err)
			}
			return claim
		}
		held := claim(time.Hour)
		if recovered() {
			t.Error("an answer was taken from a node that holds it for an hour")
		}
		_, err := w.Keep(t.Context(), -time.Second, []kyro.Keeping{{Claim: held}})
		fine(t, err)
		if !recovered() {
			t.Error("a lease that is over holds")
		}
		claim(-time.Second)
		if !recovered() {
			t.Error("a lease that was over from the start holds")
		}
	})
}

func TestRestartIsForOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		half := kyro.Checkpoint{Status: kyro.MessageStreaming, Text: "half", Seq: 3}
		everything := kyro.Recovery{Now: start, Everything: true, Restart: true}
		for name, lose := range map[string]func(t *testing.T, claim kyro.Claim) []kyro.Message{
			"killed": func(t *testing.T, claim kyro.Claim) []kyro.Message {
				ended, _, err := w.Recover(t.Context(), everything)
				fine(t, err)
				return ended
			},
			"drained": func(t *testing.T, claim kyro.Claim) []kyro.Message {
				fine(t, w.Release(t.Context(), claim, true))
				return nil
			},
		} {
			t.Run(name, func(t *testing.T) {
				user, _, id := w.talk(t)
				bot := w.say(t, user, id, "q").Bot
				first := w.claim(t, id, "n1")
				w.keep(t, first, half)
				if ended := lose(t, first); len(ended) != 0 {
					t.Errorf("ended %+v", ended)
				}
				if m, err := w.Message(t.Context(), user, bot.ID); err != nil || m.Status != kyro.MessagePending || m.Text != "" || m.Seq != 0 {
					t.Errorf("after the first loss: %+v %v", m, err)
				}
				second := w.claim(t, id, "n2")
				if second.MessageID != bot.ID || second.Attempt != 2 || !second.Restarted {
					t.Errorf("the new attempt: %+v", second)
				}
				wantCode(t, w.Release(t.Context(), second, true), kyro.CodeConflict)
				w.keep(t, second, half)
				ended, _, err := w.Recover(t.Context(), everything)
				if err != nil || len(ended) != 1 || ended[0].Status != kyro.MessageInterrupted || ended[0].Text != "half" || ended[0].Seq != 4 {
					t.Errorf("after the second loss: %+v %v", ended, err)
				}
			})
		}
	})
}

// TestAStopComesBeforeARestart: what was asked to stop is not begun again, and keeps its text.
func TestAStopComesBeforeARestart(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, list := w.running(t, "n1", 1)
		claim := list[0].Claim
		w.keep(t, claim, *list[0].State)
		_, err := w.RequestStop(t.Context(), user, claim.MessageID, start)
		fine(t, err)
		wantCode(t, w.Release(t.Context(), claim, true), kyro.CodeConflict)
		ended, _, err := w.Recover(t.Context(), kyro.Recovery{Now: start, Everything: true, Restart: true})
		if err != nil || len(ended) != 1 || ended[0].Status != kyro.MessageStopped || ended[0].Text != list[0].State.Text {
			t.Errorf("%+v %v", ended, err)
		}
	})
}

// TestManyNodesSweepAtOnce loses more answers than one transaction takes, for several nodes to find at once while
// others write to the same conversations.
func TestManyNodesSweepAtOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, list := w.running(t, "n1", 250)
		_, err := w.Keep(t.Context(), lease, list)
		fine(t, err)
		w.setClock(start.Add(lease))
		var mu sync.Mutex
		ended := make(map[kyro.ID]int)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				some, _, err := w.Recover(t.Context(), kyro.Recovery{Now: start})
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				for _, m := range some {
					if ended[m.ID]++; m.Status != kyro.MessageInterrupted || !strings.HasPrefix(m.Text, "text ") {
						t.Errorf("ended as %+v", m)
					}
				}
			})
		}
		wg.Go(func() {
			for i := range 20 {
				_, err := w.SaveTurn(t.Context(), kyro.NewTurn{
					SenderID: user, ConversationID: list[i*10].Claim.ConversationID, Text: "and?", ClientMessageID: fmt.Sprint("and", i), MaxWaiting: 3, Now: start,
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
		wg.Wait()
		rest, _, err := w.Recover(t.Context(), kyro.Recovery{Now: start}) // where somebody else wrote when each came by
		fine(t, err)
		if len(rest) > 20 {
			t.Errorf("%d were left for another sweep", len(rest))
		}
		for _, m := range rest {
			ended[m.ID]++
		}
		if len(ended) != len(list) {
			t.Errorf("%d of %d ended", len(ended), len(list))
		}
		for id, times := range ended {
			if times != 1 {
				t.Errorf("%s was ended %d times", id, times)
			}
		}
	})
}

// keepBeside keeps answers while somebody else has changed a row, and not committed.
func (w *world) keepBeside(t *testing.T, list []kyro.Keeping, change string, row kyro.ID) []kyro.Kept {
	t.Helper()
	held, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		err := w.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.ExecContext(ctx, change, row.Key)
			close(held)
			<-release
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-held
	kept, err := w.Keep(t.Context(), lease, list)
	close(release)
	wg.Wait()
	fine(t, err)
	return kept
}
