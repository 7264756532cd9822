package store_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"kyrochat/kyro"
)

// follower reads the changes of a conversation from the number it has seen on.
type follower struct {
	w        *world
	user, id kyro.ID
	seen     int64
}

// look tells what is new, in the order of the numbers: "+" stands for a message that was added.
func (f *follower) look(t testing.TB) []string {
	t.Helper()
	c, err := f.w.FollowedConversation(t.Context(), f.user, f.id)
	fine(t, err)
	changed, err := f.w.ChangedMessages(t.Context(), f.user, f.id, f.seen, c.Events, 100)
	fine(t, err)
	news := map[int64]string{}
	tell := func(number int64, what string) {
		if number <= f.seen || number > c.Events || news[number] != "" {
			t.Errorf("%s has number %d after %d of %d, where %q is", what, number, f.seen, c.Events, news[number])
		}
		news[number] = what
	}
	for _, m := range changed {
		if m.Added > f.seen {
			tell(m.Added, fmt.Sprint("+", m.ID, " ", m.Status))
		}
		if m.Changed != m.Added && m.Changed <= c.Events {
			tell(m.Changed, fmt.Sprint(m.ID, " ", m.Status))
		}
	}
	if c.Changed > f.seen {
		tell(c.Changed, fmt.Sprintf("%s %v", c.Title, c.Archived))
	}
	var told []string
	for number := f.seen + 1; number <= c.Events; number++ {
		if news[number] != "" {
			told = append(told, news[number])
		}
	}
	f.seen = c.Events
	return told
}

func (f *follower) want(t testing.TB, after string, want ...string) {
	t.Helper()
	if got := f.look(t); !slices.Equal(got, want) {
		t.Errorf("after %s: %q, want %q", after, got, want)
	}
}

func TestFollowersAreToldOfEveryChange(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, _, id := w.talk(t)
		f := &follower{w: w, user: user, id: id}
		f.want(t, "the beginning")
		turn, err := w.SaveTurn(t.Context(), kyro.NewTurn{SenderID: user, ConversationID: id, Title: "Hi", Text: "Hi", ClientMessageID: "1", MaxWaiting: 3, Now: start})
		fine(t, err)
		question, answer := turn.User.ID.String(), turn.Bot.ID.String()
		f.want(t, "the first turn", "+"+question+" COMPLETED", "+"+answer+" PENDING", "Hi false")
		_, err = w.SaveTurn(t.Context(), kyro.NewTurn{SenderID: user, ConversationID: id, Title: "Hi", Text: "Hi", ClientMessageID: "1", MaxWaiting: 3, Now: start})
		fine(t, err)
		f.want(t, "the same again")
		claim := w.claim(t, id, "n")
		f.want(t, "the claim", answer+" RETRIEVING")
		if _, found, err := w.ClaimNext(t.Context(), id, "n2", lease); found || err != nil {
			t.Errorf("claimed twice: %v", err)
		}
		fine(t, w.Release(t.Context(), claim, false))
		f.want(t, "the return", answer+" PENDING")
		claim = w.claim(t, id, "n")
		w.keep(t, claim, kyro.Checkpoint{})
		w.keep(t, claim, kyro.Checkpoint{Status: kyro.MessageRetrieving, Seq: 1})
		f.want(t, "a heartbeat and a save", answer+" RETRIEVING")
		for seq := range int64(3) {
			w.keep(t, claim, kyro.Checkpoint{Status: kyro.MessageStreaming, Text: "half", Seq: 2 + seq})
		}
		f.want(t, "saves of text", answer+" STREAMING")
		w.keep(t, claim, kyro.Checkpoint{Status: kyro.MessageStreaming, Text: "more", Seq: 6})
		w.keep(t, claim, kyro.Checkpoint{Status: kyro.MessageRetrieving, Seq: 1})
		f.want(t, "more text, and what is older")
		w.finish(t, claim, "whole", kyro.Citation{Marker: 1})
		f.want(t, "the end", answer+" COMPLETED")
		_, err = w.Finish(t.Context(), claim, kyro.Outcome{Status: kyro.MessageFailed, Now: start})
		wantCode(t, err, kyro.CodeConflict)
		f.want(t, "an end that was refused")

		again, err := w.SaveSibling(t.Context(), user, turn.Bot.ID, "s", 3, start, kyro.Charge{})
		fine(t, err)
		f.want(t, "another answer", answer+" COMPLETED", "+"+again.Bot.ID.String()+" PENDING")
		_, err = w.RequestStop(t.Context(), user, again.Bot.ID, start)
		fine(t, err)
		f.want(t, "a stop", again.Bot.ID.String()+" STOPPED")
		_, err = w.RequestStop(t.Context(), user, again.Bot.ID, start)
		fine(t, err)
		f.want(t, "a stop of what is final")

		change := func(title string, archived bool) {
			_, err := w.UpdateConversation(t.Context(), user, id, func(c *kyro.Conversation) error {
				c.Title, c.Archived = title, archived
				return nil
			})
			fine(t, err)
		}
		change("Tea", false)
		f.want(t, "a new title", "Tea false")
		change("Tea", true)
		f.want(t, "the archive", "Tea true")
		change("Tea", true)
		f.want(t, "no change")

		// Who looks seldom is told of the last state, and in its place of what was added.
		late := &follower{w: w, user: user, id: id}
		late.want(t, "all of it", "+"+question+" COMPLETED", "+"+answer+" COMPLETED", answer+" COMPLETED", "+"+again.Bot.ID.String()+" STOPPED",
			again.Bot.ID.String()+" STOPPED", "Tea true")
	})
}

func TestRecoveryIsToldOf(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, _, cut := w.talk(t)
		c, err := w.CreateConversation(t.Context(), kyro.Conversation{BotID: w.bot(t, user, "B", start), UserID: user, LastMessageAt: start, CreatedAt: start, UpdatedAt: start})
		fine(t, err)
		lost := c.ID
		written, waiting, unwritten := w.say(t, user, cut, "1").Bot.ID, w.say(t, user, cut, "2").Bot.ID, w.say(t, user, lost, "3").Bot.ID
		w.keep(t, w.claim(t, cut, "n"), kyro.Checkpoint{Status: kyro.MessageStreaming, Text: "half", Seq: 3})
		w.claim(t, lost, "n")
		w.exec(t, fmt.Sprintf("UPDATE messages SET stop_requested = TRUE WHERE id = %d", waiting.Key)) // as a crash may leave it
		one, other := &follower{w: w, user: user, id: cut}, &follower{w: w, user: user, id: lost}
		one.look(t)
		other.look(t)
		_, _, err = w.Recover(t.Context(), kyro.Recovery{Now: start})
		fine(t, err)
		one.want(t, "a sweep before the end of the lease", waiting.String()+" STOPPED")
		w.setClock(start.Add(lease))
		_, _, err = w.Recover(t.Context(), kyro.Recovery{Now: start.Add(lease)})
		fine(t, err)
		one.want(t, "the end of the lease", written.String()+" INTERRUPTED")
		other.want(t, "the end of the lease", unwritten.String()+" PENDING")

		// Several of one conversation have a number each.
		w.say(t, user, lost, "4")
		w.say(t, user, lost, "5")
		w.exec(t, fmt.Sprintf("UPDATE messages SET stop_requested = TRUE WHERE conversation_id = %d", lost.Key))
		other.look(t)
		_, _, err = w.Recover(t.Context(), kyro.Recovery{Now: start, Everything: true})
		fine(t, err)
		if told := other.look(t); len(told) != 3 || strings.Count(strings.Join(told, ","), "STOPPED") != 3 {
			t.Errorf("three were ended at once: %q", told)
		}
		one.want(t, "what happened elsewhere")
	})
}

func TestChangesComeInParts(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, _, id := w.talk(t)
		var want []kyro.ID
		for i := range 5 {
			turn := w.say(t, user, id, fmt.Sprint(i))
			w.finish(t, w.claim(t, id, "n"), "done")
			want = append(want, turn.User.ID, turn.Bot.ID)
		}
		w.say(t, user, id, "beyond")
		c, err := w.FollowedConversation(t.Context(), user, id)
		fine(t, err)
		all, err := w.ChangedMessages(t.Context(), user, id, 0, c.Events-2, 100)
		fine(t, err)
		if got := ids(all); !slices.Equal(got, want) || all[1].Text != "done" || all[0].Added != 1 || all[0].Changed != 1 || all[1].Added != 2 || all[1].Changed < 4 {
			t.Errorf("all: %v, %+v", got, all[:2])
		}
		some, err := w.ChangedMessages(t.Context(), user, id, 0, c.Events-2, 3)
		fine(t, err)
		if got := ids(some); !slices.Equal(got, want[:3]) {
			t.Errorf("three: %v", got)
		}
		rest, err := w.ChangedMessages(t.Context(), user, id, all[4].Changed, c.Events-2, 100)
		fine(t, err)
		if got := ids(rest); !slices.Equal(got, want[5:]) {
			t.Errorf("after the third question: %v", got)
		}
	})
}

func ids(changed []kyro.ChangedMessage) (ids []kyro.ID) {
	for _, m := range changed {
		ids = append(ids, m.ID)
	}
	return ids
}

func TestChangesOfOthersAreNotFound(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, _, id := w.talk(t)
		stranger := w.user(t)
		w.say(t, user, id, "1")
		_, others := w.FollowedConversation(t.Context(), stranger, id)
		_, missing := w.FollowedConversation(t.Context(), stranger, kyro.ConversationID(99999))
		sameAsMissing(t, "conversation", others, missing)
		see := func(who kyro.ID) int {
			changed, err := w.ChangedMessages(t.Context(), who, id, 0, 100, 100)
			fine(t, err)
			return len(changed)
		}
		counts := func() map[kyro.ID]int64 {
			counts, err := w.EventCounts(t.Context(), []kyro.ID{id, kyro.ConversationID(99999)})
			fine(t, err)
			return counts
		}
		if got := counts(); len(got) != 1 || got[id] != 2 {
			t.Errorf("counts %v", got)
		}
		if see(user) != 2 || see(stranger) != 0 {
			t.Errorf("the owner sees %d messages, a stranger %d", see(user), see(stranger))
		}
		fine(t, w.DeleteConversation(t.Context(), user, id, start))
		_, err := w.FollowedConversation(t.Context(), user, id)
		wantCode(t, err, kyro.CodeNotFound)
		if see(user) != 0 || len(counts()) != 0 {
			t.Error("a deleted conversation is seen")
		}
	})
}

// TestNumbersAreSeenInTheirOrder lets writers race; whoever looks in between misses nothing.
func TestNumbersAreSeenInTheirOrder(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, _, id := w.talk(t)
		var writers, lookers sync.WaitGroup
		for n := range 3 {
			writers.Go(func() {
				for i := range 8 {
					turn, err := w.SaveTurn(t.Context(), kyro.NewTurn{
						SenderID: user, ConversationID: id, Text: "x", ClientMessageID: fmt.Sprint(n, "-", i), MaxWaiting: 100, Now: start,
					})
					if err == nil && i%4 == 3 {
						_, err = w.RequestStop(t.Context(), user, turn.Bot.ID, start)
					}
					if err == nil {
						_, err = w.UpdateConversation(t.Context(), user, id, func(c *kyro.Conversation) error {
							c.Title = fmt.Sprint(n, i)
							return nil
						})
					}
					claim, found, err2 := w.ClaimNext(t.Context(), id, fmt.Sprint("n", n), lease)
					if found {
						w.keep(t, claim, kyro.Checkpoint{Status: kyro.MessageStreaming, Text: "x", Seq: 1})
						_, err2 = w.Finish(t.Context(), claim, kyro.Outcome{Status: kyro.MessageCompleted, Text: "y", Seq: 1, FinishReason: kyro.FinishStop, Now: start})
					}
					if err != nil || err2 != nil {
						t.Error(err, err2)
					}
				}
			})
		}
		done := make(chan struct{})
		known := make([]map[string]string, 2) // of each looker, the state of each message
		for n := range known {
			known[n] = map[string]string{}
			lookers.Go(func() {
				f := &follower{w: w, user: user, id: id}
				look := func() {
					for _, told := range f.look(t) {
						name, state, _ := strings.Cut(told, " ")
						message, added := strings.CutPrefix(name, "+")
						if _, before := known[n][message]; strings.HasPrefix(message, "msg_") && added == before {
							t.Errorf("%s, which was known: %v", told, before)
						}
						known[n][message] = state
					}
				}
				for {
					select {
					case <-done:
						look()
						return
					default:
						look()
					}
				}
			})
		}
		writers.Wait()
		close(done)
		lookers.Wait()
		p, err := w.MessagePage(t.Context(), user, id, true, kyro.PageRequest{Limit: 100})
		fine(t, err)
		if len(p.Nodes) != 48 {
			t.Errorf("%d messages", len(p.Nodes))
		}
		for _, m := range p.Nodes {
			for n := range known {
				if known[n][m.ID.String()] != string(m.Status) {
					t.Errorf("looker %d knows %s as %q; it is %s", n, m.ID, known[n][m.ID.String()], m.Status)
				}
			}
		}
		if n := w.number(t, "SELECT count(*) - count(DISTINCT changed) FROM messages"); n != 0 {
			t.Errorf("%d messages share a number", n)
		}
	})
}
