package store_test

import (
	"reflect"
	"testing"
	"time"

	"kyrochat/kyro"
)

func TestRatingAnAnswer(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, _, id := w.talk(t)
		turn := w.say(t, user, id, "1")
		up := &kyro.Feedback{
			Rating: kyro.RatingUp, Reasons: []kyro.FeedbackReason{kyro.ReasonClear, kyro.ReasonOther},
			Comment: "Short & \"good\" 😀", RatedAt: start.Add(time.Minute + 123*time.Microsecond),
		}
		_, err := w.RateMessage(t.Context(), user, turn.Bot.ID, up)
		wantCode(t, err, kyro.CodeConflict) // it is not final
		w.finish(t, w.claim(t, id, "n1"), "done")
		tab := &follower{w: w, user: user, id: id}
		tab.look(t)

		m, err := w.RateMessage(t.Context(), user, turn.Bot.ID, up)
		fine(t, err)
		if m.Feedback == nil || !reflect.DeepEqual(m.Feedback, up) || m.Text != "done" || m.Status != kyro.MessageCompleted {
			t.Errorf("rated: %+v", m.Feedback)
		}
		tab.want(t, "the rating", turn.Bot.ID.String()+" COMPLETED")
		down := &kyro.Feedback{Rating: kyro.RatingDown, RatedAt: start.Add(time.Hour)}
		m, err = w.RateMessage(t.Context(), user, turn.Bot.ID, down)
		fine(t, err)
		if m.Feedback == nil || !reflect.DeepEqual(m.Feedback, down) {
			t.Errorf("rated anew: %+v", m.Feedback)
		}
		m, err = w.RateMessage(t.Context(), user, turn.Bot.ID, nil)
		fine(t, err)
		if m.Feedback != nil {
			t.Errorf("taken back: %+v", m.Feedback)
		}

		for name, message := range map[string]kyro.ID{"of a person": turn.User.ID, "that is not there": kyro.MessageID(1 << 40)} {
			_, err := w.RateMessage(t.Context(), user, message, up)
			if kyro.ErrorCode(err) != kyro.CodeNotFound {
				t.Errorf("a message %s: %v", name, err)
			}
		}
		_, err = w.RateMessage(t.Context(), w.user(t), turn.Bot.ID, up)
		wantCode(t, err, kyro.CodeNotFound)
		fine(t, w.DeleteConversation(t.Context(), user, id, start))
		_, err = w.RateMessage(t.Context(), user, turn.Bot.ID, up)
		wantCode(t, err, kyro.CodeNotFound)
	})
}
