package store_test

import (
	"sync"
	"testing"

	"kyrochat/kyro"
)

// titled is a conversation whose first message gave it its title.
func (w *world) titled(t testing.TB, text string) (user kyro.ID, c kyro.Conversation) {
	t.Helper()
	user, bot, _ := w.talk(t)
	turn, err := w.SaveTurn(t.Context(), kyro.NewTurn{
		SenderID: user, BotID: bot, Title: kyro.TitleFrom(text), Text: text, ClientMessageID: "first", MaxWaiting: 3, Now: start,
	})
	fine(t, err)
	return user, turn.Conversation
}

func (w *world) retitle(t testing.TB, conversation kyro.ID, title string, want bool) {
	t.Helper()
	changed, err := w.Retitle(t.Context(), conversation, title, start)
	fine(t, err)
	if changed != want {
		t.Errorf("changed %v, want %v", changed, want)
	}
}

func (w *world) followed(t testing.TB, user, conversation kyro.ID) kyro.FollowedConversation {
	t.Helper()
	c, err := w.FollowedConversation(t.Context(), user, conversation)
	fine(t, err)
	return c
}

func TestABetterTitleReplacesTheFirstOneOnly(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, c := w.titled(t, "How hot is the kiln?")
		before := w.followed(t, user, c.ID)
		w.retitle(t, c.ID, "Heat of the kiln", true)
		after := w.followed(t, user, c.ID)
		if after.Title != "Heat of the kiln" || after.Events != before.Events+1 || after.Changed != after.Events {
			t.Errorf("title %q, events %d after %d, changed %d", after.Title, after.Events, before.Events, after.Changed)
		}
		w.retitle(t, c.ID, "Another one", false)
		if again := w.followed(t, user, c.ID); again.Title != after.Title || again.Events != after.Events {
			t.Errorf("again: %q, events %d", again.Title, again.Events)
		}
	})
}

func TestThePersonsOwnTitleStays(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, c := w.titled(t, "How hot is the kiln?")
		name := func(c *kyro.Conversation) error { c.Title = "Mine"; return nil }
		_, err := w.UpdateConversation(t.Context(), user, c.ID, name)
		fine(t, err)
		w.retitle(t, c.ID, "Heat of the kiln", false)

		fine(t, w.DeleteConversation(t.Context(), user, c.ID, start))
		w.retitle(t, c.ID, "Heat of the kiln", false)
		w.retitle(t, kyro.ConversationID(1<<40), "Heat of the kiln", false)

		user, c = w.titled(t, "How cold is the lake?")
		var both sync.WaitGroup
		both.Go(func() {
			if _, err := w.UpdateConversation(t.Context(), user, c.ID, name); err != nil {
				t.Error(err)
			}
		})
		both.Go(func() {
			if _, err := w.Retitle(t.Context(), c.ID, "Cold of the lake", start); err != nil {
				t.Error(err)
			}
		})
		both.Wait()
		if c := w.followed(t, user, c.ID); c.Title != "Mine" {
			t.Errorf("the person's title was overwritten: %q", c.Title)
		}
	})
}
