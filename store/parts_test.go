package store_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"kyrochat/kyro"
)

// TestRowsInPartHoldWhatWasAskedFor: a list of which some fields are selected has these as the whole list has them,
// for one parent and for many, with and without what tells of other pages.
func TestRowsInPartHoldWhatWasAskedFor(t *testing.T) {
	messageFields := map[string]func(kyro.Message) any{
		"text": func(m kyro.Message) any { return m.Text }, "status": func(m kyro.Message) any { return m.Status },
		"createdAt": func(m kyro.Message) any { return m.CreatedAt }, "parent": func(m kyro.Message) any { return m.ParentID },
		"clientMessageId": func(m kyro.Message) any { return m.ClientMessageID }, "citations": func(m kyro.Message) any { return len(m.Citations) },
		"notices": func(m kyro.Message) any { return fmt.Sprint(m.Notices) }, "completedAt": func(m kyro.Message) any { return fmt.Sprint(m.CompletedAt) },
	}
	everywhere(t, func(t *testing.T, w *world) {
		ctx, user := t.Context(), w.user(t)
		bot := w.bot(t, user, "Bot", start)
		var conversations []kyro.ID
		for i := range 3 {
			c, err := w.CreateConversation(ctx, kyro.Conversation{BotID: bot, UserID: user, LastMessageAt: start, CreatedAt: start, UpdatedAt: start})
			fine(t, err)
			conversations = append(conversations, c.ID)
			for m := range 3 {
				_, err := w.SaveTurn(ctx, kyro.NewTurn{SenderID: user, ConversationID: c.ID, Text: fmt.Sprint("text ", i, m), ClientMessageID: fmt.Sprint(c.ID, "-", m), MaxWaiting: 9, Now: start})
				fine(t, err)
			}
		}
		whole, err := w.MessagePages(ctx, user, conversations, false, kyro.PageRequest{Limit: 4})
		fine(t, err)
		for _, name := range slices.Sorted(maps.Keys(messageFields)) {
			for _, noInfo := range []bool{false, true} {
				req := kyro.PageRequest{Limit: 4, NoInfo: noInfo, Fields: map[string]bool{name: true}}
				for _, parents := range [][]kyro.ID{conversations, conversations[1:2]} {
					part, err := w.MessagePages(ctx, user, parents, false, req)
					fine(t, err)
					for _, c := range parents {
						if len(part[c].Nodes) != 4 || !noInfo && !part[c].HasNextPage {
							t.Fatalf("%s of %d: %d rows, next %v", name, len(parents), len(part[c].Nodes), part[c].HasNextPage)
						}
						for i, m := range part[c].Nodes {
							want := whole[c].Nodes[i]
							if m.ID != want.ID || m.ConversationID != c || m.Role != want.Role || messageFields[name](m) != messageFields[name](want) {
								t.Errorf("%s of %d: row %d is %+v, want %+v", name, len(parents), i, m, want)
							}
							if !noInfo && part[c].CursorAt(i) != whole[c].CursorAt(i) {
								t.Errorf("%s of %d: the cursor of row %d is another", name, len(parents), i)
							}
						}
					}
				}
			}
		}
		bots, err := w.BotPage(ctx, user, kyro.BotFilter{}, kyro.BotOrder{By: kyro.BotsByName}, kyro.PageRequest{Limit: 5, Fields: map[string]bool{"noAnswerText": true}})
		fine(t, err)
		if b := bots.Nodes[0]; b.Name != "Bot" || b.OwnerID != user || b.NoAnswerText != kyro.DefaultNoAnswerText {
			t.Errorf("bot in part: %+v", b)
		}
	})
}
