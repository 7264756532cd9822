package answer_test

import (
	"testing"
	"time"

	"kyrochat/answer"
	"kyrochat/kyro"
	"kyrochat/live"
)

// Messages and answers that are made anew share a rate, and each person has it alone.
func TestSendingIsLimited(t *testing.T) {
	t.Parallel()
	limited := func(c *answer.Config) {
		c.Limiter, c.Rate = live.NewRates(live.RatesConfig{}), kyro.Rate{Count: 3, Per: time.Minute}
		c.Limits.MaxWaiting = 100
	}
	inWorld(t, echo(time.Millisecond), func(t *testing.T, w *world) {
		first := w.say("one")
		w.final(first.Bot.ID)
		if _, err := w.Regenerate(t.Context(), w.viewer, first.Bot.ID, "again"); err != nil {
			t.Fatal(err)
		}
		w.say("two", first.Conversation.ID)
		send := func(viewer kyro.Viewer, id string) error {
			_, err := w.Send(t.Context(), viewer, answer.SendInput{BotID: kyro.BotID(1), Text: "more", ClientMessageID: id})
			return err
		}
		err := send(w.viewer, "three")
		wantLimit(t, err)
		_, err = w.Regenerate(t.Context(), w.viewer, first.Bot.ID, "once-more")
		wantLimit(t, err)
		if err := send(kyro.Viewer{UserID: kyro.UserID(2)}, "another"); kyro.ErrorCode(err) == kyro.CodeRateLimited {
			t.Errorf("somebody else: %v", err)
		}
		time.Sleep(20 * time.Second) // of the bubble's clock
		if err := send(w.viewer, "later"); err != nil {
			t.Errorf("after the wait: %v", err)
		}
	}, limited)
}

func wantLimit(t *testing.T, err error) {
	t.Helper()
	known, ok := err.(*kyro.Error)
	if !ok || known.Code != kyro.CodeRateLimited || known.RetryAfter > 20*time.Second || known.RetryAfter < 19*time.Second {
		t.Errorf("got %v, want RATE_LIMITED for 20 s", err)
	}
}
