package export

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"kyrochat/kyro"
)

// How much is read at once: conversations of a page, those whose messages are read together, and messages of each.
const (
	conversationsAPage  = kyro.MaxPageSize
	conversationsAtOnce = 10
	messagesAPage       = 50
)

// conversations writes the messages of an export of conversations, oldest conversation first.
func (m *making) conversations(ctx context.Context, w io.Writer) error {
	var add func(row) error
	if m.e.Format == kyro.ExportCSV {
		t, err := newTable(w)
		if err != nil {
			return err
		}
		add = t.add
	} else {
		lines := json.NewEncoder(w)
		lines.SetEscapeHTML(false)
		add = func(r row) error { return lines.Encode(r) }
	}
	n, err := m.countConversations(ctx)
	if err != nil {
		return err
	}
	if err := m.total(ctx, n); err != nil {
		return err
	}
	return m.eachConversation(ctx, func(some []kyro.Conversation) error {
		if err := m.eachMessage(ctx, some, add); err != nil {
			return err
		}
		return m.more(ctx, len(some))
	})
}

// filter selects the conversations that may have messages of the export.
func (m *making) filter() kyro.ConversationFilter {
	before := m.e.CreatedAt.Add(time.Microsecond)
	if m.e.To != nil && m.e.To.Before(before) {
		before = *m.e.To
	}
	return kyro.ConversationFilter{BotID: m.e.BotID, Since: m.e.From, Before: &before}
}

var oldestFirst = kyro.ConversationOrder{By: kyro.ConversationsByCreation, Direction: kyro.Asc}

func (m *making) countConversations(ctx context.Context) (int, error) {
	p, err := m.Store.ConversationPage(ctx, m.e.OwnerID, m.filter(), oldestFirst, kyro.PageRequest{Order: oldestFirst.Name(), Limit: 1, Total: true, NoInfo: true})
	return p.Total, err
}

// eachConversation visits the conversations of the export, some at once.
func (m *making) eachConversation(ctx context.Context, visit func([]kyro.Conversation) error) error {
	read := func(req kyro.PageRequest) (kyro.Page[kyro.Conversation], error) {
		return m.Store.ConversationPage(ctx, m.e.OwnerID, m.filter(), oldestFirst, req)
	}
	return eachPage(oldestFirst.Name(), conversationsAPage, read, func(rows []kyro.Conversation) error {
		for len(rows) > 0 {
			some := rows[:min(conversationsAtOnce, len(rows))]
			rows = rows[len(some):]
			if err := visit(some); err != nil {
				return err
			}
		}
		return nil
	})
}

// eachMessage visits the messages of conversations that belong into the export, in the order of conversations and turns.
// Those that regenerateMessage has replaced are among them.
func (m *making) eachMessage(ctx context.Context, conversations []kyro.Conversation, visit func(row) error) error {
	ids := make([]kyro.ID, len(conversations))
	for i := range conversations {
		ids[i] = conversations[i].ID
	}
	first, err := m.Store.MessagePages(ctx, m.e.OwnerID, ids, true, kyro.PageRequest{Order: kyro.MessagesOrder, Limit: messagesAPage})
	if err != nil {
		return err
	}
	for i := range conversations {
		c := &conversations[i]
		begun := false
		read := func(req kyro.PageRequest) (kyro.Page[kyro.Message], error) {
			if !begun {
				begun = true
				return first[c.ID], nil
			}
			pages, err := m.Store.MessagePages(ctx, m.e.OwnerID, []kyro.ID{c.ID}, true, req)
			if err == nil { // a long conversation is told of, too, and seen to be over
				err = m.more(ctx, 0)
			}
			return pages[c.ID], err
		}
		err := eachPage(kyro.MessagesOrder, messagesAPage, read, func(messages []kyro.Message) error {
			for j := range messages {
				if !m.e.Holds(messages[j].CreatedAt) {
					continue
				}
				if err := visit(rowOf(c, &messages[j])); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// eachPage visits the pages of a list, one after the other.
func eachPage[N any](order string, limit int, read func(kyro.PageRequest) (kyro.Page[N], error), visit func([]N) error) error {
	req := kyro.PageRequest{Order: order, Limit: limit}
	for {
		p, err := read(req)
		if err != nil {
			return err
		}
		if err := visit(p.Nodes); err != nil || !p.HasNextPage || len(p.Nodes) == 0 {
			return err
		}
		cursor, err := kyro.ParseCursor(p.CursorAt(len(p.Nodes) - 1))
		if err != nil {
			return err
		}
		req.Cursor = &cursor
	}
}
