package answer_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/answer"
	"kyrochat/kyro"
	"kyrochat/live"
)

// TestEndsAreTold once each and after they are stored: of answers that were made here with what they took, and of those that
// were ended for a process that is gone.
func TestEndsAreTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		lost, err := store.SaveTurn(t.Context(), kyro.NewTurn{SenderID: person.UserID, BotID: kyro.BotID(1), Text: "Hi", ClientMessageID: "lost", Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		if _, found, err := store.ClaimNext(t.Context(), lost.Conversation.ID, "gone", 15*time.Second); !found || err != nil {
			t.Fatal(found, err)
		}
		store.edit(lost.Bot.ID, func(row *fakeRow) { row.Text, row.Seq = "Half an ans", 4 })

		var mu sync.Mutex
		var told []kyro.Outcome
		w := newWorld(t, store, live.NewLogs(live.LogsConfig{}), echo(30*time.Millisecond), func(c *answer.Config) {
			c.Exclusive = true
			c.Ended = func(o kyro.Outcome) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, o)
			}
		})
		w.final(lost.Bot.ID)
		w.final(w.say("How hot?").Bot.ID)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if len(told) != 2 {
			t.Fatalf("told of %+v", told)
		}
		if o := told[0]; o.FinishReason != kyro.FinishInterrupted || o.Usage != nil {
			t.Errorf("of the one that was lost: %+v", o)
		}
		if o := told[1]; o.FinishReason != kyro.FinishStop || o.Usage == nil || o.Usage.TimeToFirstTokenMs == nil || o.Usage.DurationMs == nil {
			t.Errorf("of the other: %+v", o)
		}
		if running, waiting := w.Load(); running != 0 || waiting != 0 {
			t.Errorf("%d run and %d wait, and all are final", running, waiting)
		}
	})
}
