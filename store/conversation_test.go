package store_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"kyrochat/kyro"
)

func TestConversations(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, bot, id := w.talk(t)
		other, otherBot, _ := w.talk(t)
		later := start.Add(time.Hour)
		got, err := w.UpdateConversation(t.Context(), user, id, func(c *kyro.Conversation) error {
			c.Title, c.Archived, c.UpdatedAt, c.MessageCount = "It's 100%", true, later, 77
			return nil
		})
		fine(t, err)
		want := kyro.Conversation{ID: id, BotID: bot, UserID: user, Title: "It's 100%", Archived: true, LastMessageAt: start, CreatedAt: start, UpdatedAt: later}
		read, err := w.Conversations(t.Context(), user, []kyro.ID{id})
		fine(t, err)
		if got != want || !slices.Equal(read, []kyro.Conversation{want}) {
			t.Errorf("updated %+v\nread %+v\nwant %+v", got, read, want)
		}

		nothing := func(*kyro.Conversation) error { return nil }
		missing := kyro.ConversationID(99999)
		_, e1 := w.UpdateConversation(t.Context(), other, id, nothing)
		_, e2 := w.UpdateConversation(t.Context(), user, missing, nothing)
		sameAsMissing(t, "UpdateConversation", e1, e2)
		sameAsMissing(t, "DeleteConversation", w.DeleteConversation(t.Context(), other, id, later), w.DeleteConversation(t.Context(), user, missing, later))
		_, e1 = w.CreateConversation(t.Context(), kyro.Conversation{BotID: otherBot, UserID: user, CreatedAt: start})
		_, e2 = w.CreateConversation(t.Context(), kyro.Conversation{BotID: kyro.BotID(99999), UserID: user, CreatedAt: start})
		sameAsMissing(t, "CreateConversation", e1, e2)
		if got, err := w.Conversations(t.Context(), other, []kyro.ID{id}); err != nil || len(got) != 0 {
			t.Errorf("another's conversation is read: %v %v", got, err)
		}
	})
}

func TestConversationFilters(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, bot, first := w.talk(t)
		second := w.bot(t, user, "Second", start)
		turn, err := w.SaveTurn(t.Context(), kyro.NewTurn{SenderID: user, BotID: second, Title: "Äpfel", Text: "x", ClientMessageID: "1", Now: start.Add(time.Second)})
		fine(t, err)
		_, err = w.UpdateConversation(t.Context(), user, first, func(c *kyro.Conversation) error { c.Archived = true; return nil })
		fine(t, err)
		w.talk(t)
		yes, no := true, false
		both := []kyro.ID{turn.Conversation.ID, first}
		for name, c := range map[string]struct {
			filter kyro.ConversationFilter
			want   []kyro.ID
		}{
			"all":          {kyro.ConversationFilter{}, both},
			"bot":          {kyro.ConversationFilter{BotID: bot}, both[1:]},
			"archived":     {kyro.ConversationFilter{Archived: &yes}, both[1:]},
			"not archived": {kyro.ConversationFilter{Archived: &no}, both[:1]},
			"search":       {kyro.ConversationFilter{Search: "APF"}, both[:1]},
			"none":         {kyro.ConversationFilter{BotID: bot, Archived: &no}, nil},
		} {
			for _, by := range []kyro.ConversationOrderField{kyro.ConversationsByLastMessage, kyro.ConversationsByCreation} {
				p, err := w.ConversationPage(t.Context(), user, c.filter, kyro.ConversationOrder{By: by, Direction: kyro.Desc}, kyro.PageRequest{Limit: 10})
				fine(t, err)
				var got []kyro.ID
				for _, n := range p.Nodes {
					got = append(got, n.ID)
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("%s by %s: %v, want %v", name, by, got, c.want)
				}
			}
		}
	})
}

func TestDeleteConversationStopsItsAnswers(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, _, id := w.talk(t)
		w.say(t, user, id, "one")
		waiting := w.say(t, user, id, "two").Bot
		claim := w.claim(t, id, "n1")
		fine(t, w.DeleteConversation(t.Context(), user, id, start))
		wantCode(t, w.DeleteConversation(t.Context(), user, id, start), kyro.CodeNotFound)
		if n := w.number(t, fmt.Sprintf("SELECT count(*) FROM messages WHERE status = 'STOPPED' AND id = %d", waiting.ID.Key)); n != 1 {
			t.Error("the waiting answer is not stopped")
		}
		if !w.askedToStop(t, claim) {
			t.Error("the running answer is not told to stop")
		}
		w.finish(t, claim, "too late to be read, but no error")
		_, err := w.Message(t.Context(), user, waiting.ID)
		wantCode(t, err, kyro.CodeNotFound)
	})
}

func TestMessagesAreScopedAndOrdered(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, _, id := w.talk(t)
		other, _, otherTalk := w.talk(t)
		var want []kyro.ID
		var parents []kyro.ID
		var newest kyro.ID
		for _, text := range []string{"one", "two", "three"} {
			turn := w.say(t, user, id, text)
			w.finish(t, w.claim(t, id, "n1"), "answer to "+text, kyro.Citation{Marker: 1, DocumentID: kyro.DocumentID(7), ChunkID: kyro.ChunkID(8), Quote: "it's"})
			sibling, err := w.SaveSibling(t.Context(), user, turn.Bot.ID, "again-"+text, 3, start, kyro.Charge{})
			fine(t, err)
			newest = w.finish(t, w.claim(t, id, "n1"), "better answer").ID
			parents = append(parents, turn.User.ID)
			want = append(want, turn.User.ID, turn.Bot.ID, sibling.Bot.ID)
		}
		w.say(t, other, otherTalk, "theirs")

		pages := func(superseded bool) func(kyro.PageRequest) ([]kyro.ID, []string, bool, bool, int) {
			return func(req kyro.PageRequest) ([]kyro.ID, []string, bool, bool, int) {
				req.Order = kyro.MessagesOrder
				p, err := w.MessagePage(t.Context(), user, id, superseded, req)
				return flat(t, p, err, func(m kyro.Message) kyro.ID { return m.ID })
			}
		}
		for _, size := range []int{1, 2, 4, 50} {
			follow(t, want, size, pages(true))
			follow(t, []kyro.ID{want[0], want[2], want[3], want[5], want[6], want[8]}, size, pages(false))
		}

		before := w.statements.Load()
		p, err := w.MessagePage(t.Context(), user, id, true, kyro.PageRequest{Limit: 50})
		fine(t, err)
		if n := w.statements.Load() - before; n != 2 {
			t.Errorf("a page of messages took %d statements", n)
		}
		first := p.Nodes[1]
		if len(first.Citations) != 1 || first.Citations[0].Quote != "it's" || !first.Superseded || first.Turn != want[0].Key || first.ParentID != want[0] {
			t.Errorf("the first answer is %+v", first)
		}
		before = w.statements.Load()
		siblings, err := w.Siblings(t.Context(), user, parents)
		fine(t, err)
		if n := w.statements.Load() - before; n != 2 {
			t.Errorf("siblings took %d statements", n)
		}
		for i, parent := range parents {
			s := siblings[parent]
			if len(s) != 2 || s[0].ID != want[3*i+1] || s[1].ID != want[3*i+2] || len(s[0].Citations) != 1 {
				t.Errorf("siblings of %s: %+v", parent, s)
			}
		}
		last, err := w.LastMessages(t.Context(), user, []kyro.ID{id, otherTalk, kyro.ConversationID(99999)})
		fine(t, err)
		if len(last) != 1 || last[id].ID != newest {
			t.Errorf("last messages %+v, want %s alone", last, newest)
		}

		for what, n := range map[string]int{
			"page": func() int {
				p, _ := w.MessagePage(t.Context(), other, id, true, kyro.PageRequest{Limit: 5, Total: true})
				return len(p.Nodes) + p.Total
			}(),
			"by id":    func() int { m, _ := w.Messages(t.Context(), other, want); return len(m) }(),
			"siblings": func() int { m, _ := w.Siblings(t.Context(), other, parents); return len(m) }(),
		} {
			if n != 0 {
				t.Errorf("%s: another's messages are read", what)
			}
		}
		_, e1 := w.Message(t.Context(), other, want[0])
		_, e2 := w.Message(t.Context(), user, kyro.MessageID(99999))
		sameAsMissing(t, "Message", e1, e2)
	})
}

func TestMessagesKeepEveryField(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, _, id := w.talk(t)
		turn := w.say(t, user, id, "it's ? \\ \"question\" 🙂")
		claim := w.claim(t, id, "n1")
		grounding := kyro.GroundedPartly
		o := kyro.Outcome{
			Status: kyro.MessageFailed, Text: "half\x00 an answer 🙂", Seq: 9, FinishReason: kyro.FinishError, Grounding: &grounding,
			Notices: []kyro.MessageNotice{kyro.NoticeFiltered, kyro.NoticeLexicalOnly},
			Citations: []kyro.Citation{
				{Marker: 2, DocumentID: kyro.DocumentID(3), ChunkID: kyro.ChunkID(4), DocumentTitle: "T'", DocumentVersion: 5, Quote: "q", PageStart: ptr(1), PageEnd: ptr(2), CharStart: 6, CharEnd: 7, Score: 0.1, Similarity: ptr(0.3), Verified: true},
				{Marker: 2, DocumentID: kyro.DocumentID(3), ChunkID: kyro.ChunkID(4)},
			},
			Usage: &kyro.MessageUsage{PromptTokens: 1, OutputTokens: 2, Model: "m", DurationMs: ptr(3)},
			Error: &kyro.MessageError{Code: kyro.CodeUpstreamFailed, Message: "it's <broken>", Retryable: true},
			Now:   start.Add(1234567 * time.Nanosecond),
		}
		got, err := w.Finish(t.Context(), claim, o)
		fine(t, err)
		reason, done := kyro.FinishError, start.Add(1234*time.Microsecond)
		want := kyro.Message{
			ID: turn.Bot.ID, ConversationID: id, Role: kyro.RoleBot, Status: kyro.MessageFailed, Text: "half an answer 🙂", ParentID: turn.User.ID,
			SenderID: user, Turn: turn.User.ID.Key, Attempt: 1, Seq: 9, Citations: o.Citations, Grounding: &grounding, FinishReason: &reason,
			Notices: o.Notices, Usage: o.Usage, Error: o.Error, CreatedAt: start, CompletedAt: &done,
		}
		read, err := w.Message(t.Context(), user, turn.Bot.ID)
		fine(t, err)
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(read, want) {
			t.Errorf("finished %+v\nread     %+v\nwant     %+v", got, read, want)
		}
		asked, err := w.Message(t.Context(), user, turn.User.ID)
		fine(t, err)
		if !reflect.DeepEqual(asked, turn.User) || asked.Status != kyro.MessageCompleted || asked.ClientMessageID != "c-"+asked.Text {
			t.Errorf("stored %+v\nread   %+v", turn.User, asked)
		}
	})
}
