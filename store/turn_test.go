package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/internal/testdb"
	"kyrochat/kyro"
	"kyrochat/store"
)

func TestTurnStoresBothMessages(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user := w.user(t)
		bot := w.bot(t, user, "Bot", start)
		now := start.Add(time.Hour)
		first, err := w.SaveTurn(t.Context(), kyro.NewTurn{SenderID: user, BotID: bot, Title: "Hi there", Text: "Hi", ClientMessageID: "1", MaxWaiting: 3, Now: now})
		fine(t, err)
		c := first.Conversation
		if c.Title != "Hi there" || c.BotID != bot || c.UserID != user || c.MessageCount != 2 || c.LastMessageAt != now || c.CreatedAt != now {
			t.Errorf("new conversation %+v", c)
		}
		u, b := first.User, first.Bot
		if u.Turn != u.ID.Key || b.Turn != u.Turn || b.ParentID != u.ID || u.Status != kyro.MessageCompleted || b.Status != kyro.MessagePending || b.Text != "" || b.ClientMessageID != "" || first.Repeated {
			t.Errorf("turn %+v", first)
		}
		second := w.say(t, user, c.ID, "And?")
		if second.Conversation.MessageCount != 4 || second.Conversation.LastMessageAt != now || second.User.ID.Key < b.ID.Key {
			t.Errorf("second turn %+v", second)
		}
		read, err := w.Conversations(t.Context(), user, []kyro.ID{c.ID})
		fine(t, err)
		if !slices.Equal(read, []kyro.Conversation{second.Conversation}) {
			t.Errorf("read %+v, want %+v", read, second.Conversation)
		}
	})
}

func TestFirstMessageNamesAnUntitledConversation(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, _, id := w.talk(t)
		say := func(title, text string) string {
			turn, err := w.SaveTurn(t.Context(), kyro.NewTurn{SenderID: user, ConversationID: id, Title: title, Text: text, ClientMessageID: text, MaxWaiting: 3, Now: start})
			fine(t, err)
			return turn.Conversation.Title
		}
		if got := say("The first", "1"); got != "The first" {
			t.Errorf("title %q after the first message", got)
		}
		if got := say("The second", "2"); got != "The first" {
			t.Errorf("title %q after the second message", got)
		}
	})
}

func TestSendingAgainGivesTheStoredTurn(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, bot, id := w.talk(t)
		otherBot := w.bot(t, user, "Other", start)
		send := func(conversation, bot kyro.ID, text, key string) (kyro.Turn, error) {
			return w.SaveTurn(t.Context(), kyro.NewTurn{SenderID: user, ConversationID: conversation, BotID: bot, Text: text, ClientMessageID: key, Now: start.Add(time.Minute)})
		}
		none := kyro.ID{}
		stored, err := send(none, bot, "hello", "k")
		fine(t, err)
		fresh := stored.Conversation.ID
		for name, target := range map[string][2]kyro.ID{"the bot": {none, bot}, "the conversation": {fresh, none}} {
			again, err := send(target[0], target[1], "hello", "k")
			fine(t, err)
			if !again.Repeated || again.User.ID != stored.User.ID || again.Bot.ID != stored.Bot.ID || again.Conversation != stored.Conversation {
				t.Errorf("to %s again: %+v, want %+v", name, again, stored)
			}
		}
		for name, c := range map[string]struct {
			conversation, bot kyro.ID
			text              string
		}{
			"another text": {none, bot, "hello!"}, "another bot": {none, otherBot, "hello"}, "another conversation": {id, none, "hello"},
		} {
			_, err := send(c.conversation, c.bot, c.text, "k")
			if kyro.ErrorCode(err) != kyro.CodeIdempotencyConflict {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n := w.number(t, "SELECT count(*) FROM messages"); n != 2 {
			t.Errorf("%d messages stored, want 2", n)
		}
		if n := w.number(t, "SELECT count(*) FROM conversations"); n != 2 {
			t.Errorf("%d conversations, want 2", n)
		}

		// The same key of another sender is another key, and a repeated turn has the answer as it is by now.
		stranger, _, strangers := w.talk(t)
		_, err = w.SaveTurn(t.Context(), kyro.NewTurn{SenderID: stranger, ConversationID: strangers, Text: "hello", ClientMessageID: "k", Now: start})
		fine(t, err)
		w.finish(t, w.claim(t, fresh, "n"), "done", kyro.Citation{Marker: 1})
		again, err := send(none, bot, "hello", "k")
		fine(t, err)
		if again.Bot.Text != "done" || len(again.Bot.Citations) != 1 {
			t.Errorf("the repeated answer is %+v", again.Bot)
		}
		fine(t, w.DeleteConversation(t.Context(), user, fresh, start))
		_, err = send(none, bot, "hello", "k")
		wantCode(t, err, kyro.CodeNotFound)
	})
}

func TestTurnsOfOthersAreNotFound(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, _, _ := w.talk(t)
		other, bot, id := w.talk(t)
		turn := w.say(t, other, id, "theirs")
		w.finish(t, w.claim(t, id, "n"), "x")
		send := func(conversation, bot kyro.ID) error {
			_, err := w.SaveTurn(t.Context(), kyro.NewTurn{SenderID: user, ConversationID: conversation, BotID: bot, Text: "x", ClientMessageID: "x", MaxWaiting: 3, Now: start})
			return err
		}
		sameAsMissing(t, "conversation", send(id, kyro.ID{}), send(kyro.ConversationID(99999), kyro.ID{}))
		sameAsMissing(t, "bot", send(kyro.ID{}, bot), send(kyro.ID{}, kyro.BotID(99999)))
		_, e1 := w.SaveSibling(t.Context(), user, turn.Bot.ID, "x", 3, start, kyro.Charge{})
		_, e2 := w.SaveSibling(t.Context(), user, kyro.MessageID(99999), "x", 3, start, kyro.Charge{})
		sameAsMissing(t, "sibling", e1, e2)
		_, e1 = w.RequestStop(t.Context(), user, turn.Bot.ID, start)
		_, e2 = w.RequestStop(t.Context(), user, kyro.MessageID(99999), start)
		sameAsMissing(t, "stop", e1, e2)
	})
}

func TestManyOfTheSameMessageAreOneTurn(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, bot, id := w.talk(t)
		for _, target := range []kyro.NewTurn{{ConversationID: id}, {BotID: bot}} {
			var mu sync.Mutex
			turns := make(map[kyro.ID]int)
			first, begun := 0, atomic.Int64{}
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					send := target
					send.Owner, send.Lease, send.Begin = "node", time.Minute, func(kyro.Turn) { begun.Add(1) }
					send.SenderID, send.Text, send.ClientMessageID, send.MaxWaiting, send.Now = user, "same", "once-"+target.BotID.String(), 3, start
					turn, err := w.SaveTurn(t.Context(), send)
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						t.Error(err)
					}
					turns[turn.Bot.ID]++
					if !turn.Repeated {
						first++
					}
				})
			}
			wg.Wait()
			if len(turns) != 1 || first != 1 {
				t.Errorf("%d turns, %d of them first, want one", len(turns), first)
			}
			if n := begun.Load(); n != 1 { // each would ask a model
				t.Errorf("%d answers began, want one", n)
			}
		}
		if n := w.number(t, "SELECT count(*) FROM messages"); n != 4 {
			t.Errorf("%d messages, want 4", n)
		}
		if n := w.number(t, "SELECT count(*) FROM conversations"); n != 2 {
			t.Errorf("%d conversations, want 2", n)
		}
	})
}

func TestTurnsSentAtOnceKeepOrderAndLimit(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, _, id := w.talk(t)
		var mu sync.Mutex
		var turns []kyro.Turn
		refused := 0
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				turn, err := w.SaveTurn(t.Context(), kyro.NewTurn{SenderID: user, ConversationID: id, Text: "x", ClientMessageID: fmt.Sprint(i), MaxWaiting: 9, Now: start})
				mu.Lock()
				defer mu.Unlock()
				switch kyro.ErrorCode(err) {
				case "":
					turns = append(turns, turn)
				case kyro.CodeLimitReached:
					refused++
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(turns) != 10 || refused != 10 {
			t.Fatalf("%d turns stored, %d refused; want 10 and 10", len(turns), refused)
		}
		slices.SortFunc(turns, func(a, b kyro.Turn) int { return int(a.User.ID.Key - b.User.ID.Key) })
		for i, turn := range turns {
			if turn.Bot.ID.Key <= turn.User.ID.Key || i > 0 && turn.User.ID.Key <= turns[i-1].Bot.ID.Key {
				t.Errorf("turn %d: %s and %s are out of order", i, turn.User.ID, turn.Bot.ID)
			}
			if turn.Conversation.MessageCount != 2*(i+1) {
				t.Errorf("turn %d counts %d messages", i, turn.Conversation.MessageCount)
			}
		}
		// They are answered one after another, in that order; each end makes place for one more.
		for i, turn := range turns {
			claim := w.claim(t, id, "n")
			if claim.MessageID != turn.Bot.ID {
				t.Fatalf("claim %d is of %s, want %s", i, claim.MessageID, turn.Bot.ID)
			}
			w.finish(t, claim, "x")
		}
		w.say(t, user, id, "place again")
	})
}

func TestRepeatedTurnIsGivenAlsoAtTheLimit(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, _, id := w.talk(t)
		first := w.say(t, user, id, "1")
		for _, text := range []string{"2", "3", "4"} {
			w.say(t, user, id, text)
		}
		_, err := w.SaveTurn(t.Context(), kyro.NewTurn{SenderID: user, ConversationID: id, Text: "5", ClientMessageID: "c-5", MaxWaiting: 3, Now: start})
		wantCode(t, err, kyro.CodeLimitReached)
		again := w.say(t, user, id, "1")
		if !again.Repeated || again.Bot.ID != first.Bot.ID || again.Conversation.MessageCount != 8 {
			t.Errorf("again %+v", again)
		}
		_, err = w.RequestStop(t.Context(), user, first.Bot.ID, start)
		fine(t, err)
		w.say(t, user, id, "5")
	})
}

func TestSiblings(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, _, id := w.talk(t)
		turn := w.say(t, user, id, "q")
		again := func(message kyro.ID, key string) (kyro.Turn, error) {
			return w.SaveSibling(t.Context(), user, message, key, 3, start.Add(time.Minute), kyro.Charge{})
		}
		_, err := again(turn.Bot.ID, "s1")
		wantCode(t, err, kyro.CodeConflict) // not final yet
		_, err = again(turn.User.ID, "s1")
		wantCode(t, err, kyro.CodeValidation)
		w.finish(t, w.claim(t, id, "n"), "first")

		second, err := again(turn.Bot.ID, "s1")
		fine(t, err)
		b := second.Bot
		if b.ParentID != turn.User.ID || b.Turn != turn.User.Turn || b.Status != kyro.MessagePending || b.ClientMessageID != "s1" || b.SenderID != user || second.User.ID != turn.User.ID || second.Conversation.MessageCount != 2 {
			t.Errorf("sibling %+v", second)
		}
		old, err := w.Message(t.Context(), user, turn.Bot.ID)
		fine(t, err)
		if !old.Superseded || old.Text != "first" {
			t.Errorf("the former answer is %+v", old)
		}
		repeated, err := again(turn.Bot.ID, "s1")
		fine(t, err)
		if !repeated.Repeated || repeated.Bot.ID != b.ID || repeated.User.ID != turn.User.ID {
			t.Errorf("repeated %+v", repeated)
		}
		_, err = again(turn.Bot.ID, "s2")
		wantCode(t, err, kyro.CodeConflict) // one is being made
		_, err = again(turn.Bot.ID, "c-q")
		wantCode(t, err, kyro.CodeIdempotencyConflict)

		next := w.say(t, user, id, "next")
		w.finish(t, w.claim(t, id, "n"), "second")
		_, err = again(next.Bot.ID, "s1")
		wantCode(t, err, kyro.CodeIdempotencyConflict)
		w.finish(t, w.claim(t, id, "n"), "to next")
		third, err := again(b.ID, "")
		fine(t, err)
		fourth, err := again(next.Bot.ID, "")
		fine(t, err)
		if third.Conversation.MessageCount != 4 || fourth.Conversation.MessageCount != 4 || third.Bot.ClientMessageID != "" {
			t.Errorf("third %+v, fourth %+v", third, fourth)
		}
		if n := w.number(t, "SELECT count(*) FROM messages WHERE superseded"); n != 3 {
			t.Errorf("%d superseded, want 3", n)
		}
	})
}

func TestSiblingsAreLimited(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, _, id := w.talk(t)
		turn := w.say(t, user, id, "q")
		w.finish(t, w.claim(t, id, "n"), "1")
		for i := 2; i <= kyro.MaxSiblings; i++ {
			_, err := w.SaveSibling(t.Context(), user, turn.Bot.ID, fmt.Sprint("s", i), 3, start, kyro.Charge{})
			fine(t, err)
			w.finish(t, w.claim(t, id, "n"), fmt.Sprint(i))
		}
		_, err := w.SaveSibling(t.Context(), user, turn.Bot.ID, "more", 3, start, kyro.Charge{})
		wantCode(t, err, kyro.CodeLimitReached)
		repeated, err := w.SaveSibling(t.Context(), user, turn.Bot.ID, "s2", 3, start, kyro.Charge{})
		fine(t, err)
		if !repeated.Repeated {
			t.Errorf("sent again, it is %+v", repeated)
		}
	})
}

func TestOneOfManySiblingsIsMade(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, _, id := w.talk(t)
		turn := w.say(t, user, id, "q")
		w.finish(t, w.claim(t, id, "n"), "first")
		var mu sync.Mutex
		made, conflicts := 0, 0
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				_, err := w.SaveSibling(t.Context(), user, turn.Bot.ID, fmt.Sprint("s", i), 3, start, kyro.Charge{})
				mu.Lock()
				defer mu.Unlock()
				switch kyro.ErrorCode(err) {
				case "":
					made++
				case kyro.CodeConflict:
					conflicts++
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if made != 1 || conflicts != 9 {
			t.Errorf("%d made and %d refused, want 1 and 9", made, conflicts)
		}
	})
}

func TestNoTurnSlipsIntoABotThatIsBeingDeleted(t *testing.T) {
	t.Parallel()
	w := &world{pools: testdb.Postgres(t)}
	w.Store = store.New(w.pools, rowQueue{})
	user, bot, _ := w.talk(t)
	sent := make(chan error, 1)
	err := w.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE bots SET deleted_at = ? WHERE id = ?", start, bot.Key); err != nil {
			return err
		}
		go func() {
			_, err := w.SaveTurn(t.Context(), kyro.NewTurn{SenderID: user, BotID: bot, Text: "x", ClientMessageID: "x", Now: start})
			sent <- err
		}()
		for ctx.Err() == nil && len(sent) == 0 {
			if w.number(t, waitingForLocks) > 0 {
				return nil
			}
			time.Sleep(time.Millisecond)
		}
		return errors.New("the turn did not wait for the end of the delete")
	})
	wantCode(t, <-sent, kyro.CodeNotFound)
	fine(t, err)
}
