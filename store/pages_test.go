package store_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"kyrochat/kyro"
)

// TestPagesOfManyParents: what is read for all parents at once is what is read for each by itself.
func TestPagesOfManyParents(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		user := w.user(t)
		stranger := w.user(t)
		var bots, conversations []kyro.ID
		for i := range 5 {
			bot := w.bot(t, user, fmt.Sprint("Bot ", i), start)
			bots = append(bots, bot)
			for n := range i { // the first has none, the last has four
				at := start.Add(time.Duration((n*7)%5) * time.Second)
				c, err := w.CreateConversation(ctx, kyro.Conversation{BotID: bot, UserID: user, Title: fmt.Sprint("tea ", n), Archived: n == 3, LastMessageAt: at, CreatedAt: at, UpdatedAt: at})
				fine(t, err)
				conversations = append(conversations, c.ID)
				for m := range n {
					_, err := w.SaveTurn(ctx, kyro.NewTurn{SenderID: user, ConversationID: c.ID, Text: "x", ClientMessageID: fmt.Sprint(c.ID, "-", m), MaxWaiting: 9, Now: start})
					fine(t, err)
				}
			}
		}
		bots = append(bots, w.bot(t, stranger, "Not mine", start), kyro.BotID(999_999))
		conversations = append(conversations, kyro.ConversationID(999_999))
		for _, req := range []kyro.PageRequest{
			{Limit: 1}, {Limit: 2, Total: true}, {Limit: 2, Backward: true, Total: true}, {Limit: 4}, {Limit: 100, Backward: true},
		} {
			for _, order := range []kyro.ConversationOrder{{By: kyro.ConversationsByLastMessage, Direction: kyro.Desc}, {By: kyro.ConversationsByCreation, Direction: kyro.Asc}} {
				archived := false
				for _, filter := range []kyro.ConversationFilter{{}, {Search: "TEA 1"}, {Archived: &archived}} {
					together, err := w.ConversationPages(ctx, user, bots, filter, order, req)
					fine(t, err)
					for _, bot := range bots {
						filter.BotID = bot
						alone, err := w.ConversationPage(ctx, user, filter, order, req)
						fine(t, err)
						same(t, fmt.Sprintf("%+v of %s", req, bot), together[bot], alone)
					}
				}
			}
			for _, superseded := range []bool{false, true} {
				together, err := w.MessagePages(ctx, user, conversations, superseded, req)
				fine(t, err)
				for _, c := range conversations {
					alone, err := w.MessagePage(ctx, user, c, superseded, req)
					fine(t, err)
					same(t, fmt.Sprintf("%+v of %s", req, c), together[c], alone)
				}
			}
		}
		// A cursor is a place in one list; the others begin where it would be.
		first, err := w.ConversationPages(ctx, user, bots[4:5], kyro.ConversationFilter{}, kyro.ConversationOrder{By: kyro.ConversationsByCreation, Direction: kyro.Asc}, kyro.PageRequest{Order: "made", Limit: 1})
		fine(t, err)
		cursor, err := kyro.ParseCursor(first[bots[4]].CursorAt(0))
		fine(t, err)
		rest, err := w.ConversationPages(ctx, user, bots, kyro.ConversationFilter{}, kyro.ConversationOrder{By: kyro.ConversationsByCreation, Direction: kyro.Asc}, kyro.PageRequest{Order: "made", Limit: 9, Cursor: &cursor})
		fine(t, err)
		if n := len(rest[bots[4]].Nodes); n != 3 || !rest[bots[4]].HasPreviousPage || len(rest) != len(bots) {
			t.Errorf("%d behind the first: %+v", n, rest)
		}
		none, err := w.ConversationPages(ctx, stranger, bots[:5], kyro.ConversationFilter{}, kyro.ConversationOrder{By: kyro.ConversationsByCreation}, kyro.PageRequest{Limit: 9})
		fine(t, err)
		for bot, p := range none {
			if len(p.Nodes) > 0 {
				t.Errorf("a stranger sees conversations of %s", bot)
			}
		}
	})
}

func same[T any](t *testing.T, what string, together, alone kyro.Page[T]) {
	t.Helper()
	if !reflect.DeepEqual(together.Nodes, alone.Nodes) || !reflect.DeepEqual(together.Info(), alone.Info()) || together.Total != alone.Total {
		t.Errorf("%s:\ntogether %+v\nalone    %+v", what, together, alone)
	}
}
