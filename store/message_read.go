package store

import (
	"context"

	"kyrochat/kyro"
)

// messagesOf selects messages of the user's live conversations.
func messagesOf(user kyro.ID, t *table[messageRow, kyro.Message]) selection[messageRow, kyro.Message] {
	some := rowsOf(t).where("c.user_id = ? AND c.deleted_at IS NULL", user.Key)
	some.joins = "JOIN conversations AS c ON c.id = m.conversation_id"
	return some
}

// Message reads one message of the user's live conversations, citations included; NOT_FOUND where there is none.
func (s *Store) Message(ctx context.Context, user, id kyro.ID) (kyro.Message, error) {
	messages, err := s.Messages(ctx, user, []kyro.ID{id})
	if err == nil && len(messages) == 0 {
		err = kyro.NotFound(kyro.KindMessage)
	}
	if err != nil {
		return kyro.Message{}, err
	}
	return messages[0], nil
}

// Messages reads messages of the user's live conversations, citations included.
func (s *Store) Messages(ctx context.Context, user kyro.ID, ids []kyro.ID) ([]kyro.Message, error) {
	messages, err := all(ctx, s, messagesOf(user, messageTable).byID(ids), "")
	if err != nil {
		return nil, failed("read the messages", err)
	}
	return s.cited(ctx, messages)
}

// MessagePages lists the messages of each conversation in the order of their turns, citations included where they are
// wanted. A conversation that is not the user's has none.
func (s *Store) MessagePages(
	ctx context.Context, user kyro.ID, conversations []kyro.ID, superseded bool, req kyro.PageRequest,
) (map[kyro.ID]kyro.Page[kyro.Message], error) {
	t := messageTable
	if req.Fields != nil {
		t = t.only(func(field string) bool {
			switch field {
			case "turn": // is what lists of several are ordered by, and what cursors are made of
				return len(conversations) > 1 || !req.NoInfo || req.Cursor != nil || req.Fields["cursor"]
			case "status": // says whether there can be citations
				return req.Fields["status"] || req.Fields["citations"]
			default:
				return req.Fields[field]
			}
		})
	}
	list, ofOne := messagesOf(user, t), rowsOf(t)
	if !superseded {
		list, ofOne = list.where("NOT m.superseded"), ofOne.where("NOT m.superseded")
	}
	ofConversation := parentage[messageRow, kyro.Message]{
		column: "m.conversation_id", of: func(m *kyro.Message) kyro.ID { return m.ConversationID }, each: ofOne,
		parents: func(q *query) {
			q.add(" JOIN conversations AS c ON c.id = p.value AND c.user_id = ? AND c.deleted_at IS NULL", user.Key)
		},
		one: func(q *query, conversation kyro.ID) {
			q.add("SELECT c.id FROM conversations AS c WHERE c.id = ? AND c.user_id = ? AND c.deleted_at IS NULL", conversation.Key, user.Key)
		},
	}
	by := byNumber("m.turn", "m.id", kyro.Asc, func(m *kyro.Message) int64 { return m.Turn }, (*kyro.Message).NodeID)
	result, err := pages(ctx, s, list, conversations, ofConversation, req, by)
	if err != nil {
		return nil, failed("list the messages", err)
	}
	if !req.Wants("citations") {
		return result, nil
	}
	var messages []*kyro.Message
	for _, p := range result {
		for i := range p.Nodes {
			messages = append(messages, &p.Nodes[i])
		}
	}
	return result, s.addCitations(ctx, messages)
}

// Siblings gives, for each user message, the bot messages that answer it, oldest first.
func (s *Store) Siblings(ctx context.Context, user kyro.ID, parents []kyro.ID) (map[kyro.ID][]kyro.Message, error) {
	answers := messagesOf(user, messageTable).and(func(q *query) { in(q, "m.parent_id", rowKeys(parents)) })
	rows, err := all(ctx, s, answers, "m.id")
	if err != nil {
		return nil, failed("read the answers", err)
	}
	messages, err := s.cited(ctx, rows)
	siblings := make(map[kyro.ID][]kyro.Message, len(parents))
	for _, m := range messages {
		siblings[m.ParentID] = append(siblings[m.ParentID], m)
	}
	return siblings, err
}

// LastMessages gives the newest message, not superseded, of each conversation that has one.
func (s *Store) LastMessages(ctx context.Context, user kyro.ID, conversations []kyro.ID) (map[kyro.ID]kyro.Message, error) {
	newest := rowsOf(messageTable).and(func(q *query) {
		q.add("m.id IN (SELECT (SELECT n.id FROM messages AS n WHERE n.conversation_id = c.id AND NOT n.superseded"+
			" ORDER BY n.turn DESC, n.id DESC LIMIT 1) FROM conversations AS c WHERE c.user_id = ? AND c.deleted_at IS NULL AND ", user.Key)
		in(q, "c.id", rowKeys(conversations)).add(")")
	})
	rows, err := all(ctx, s, newest, "")
	if err != nil {
		return nil, failed("read the last messages", err)
	}
	messages, err := s.cited(ctx, rows)
	last := make(map[kyro.ID]kyro.Message, len(messages))
	for _, m := range messages {
		last[m.ConversationID] = m
	}
	return last, err
}

// cited gives messages their citations.
func (s *Store) cited(ctx context.Context, messages []kyro.Message) ([]kyro.Message, error) {
	places := make([]*kyro.Message, len(messages))
	for i := range messages {
		places[i] = &messages[i]
	}
	return messages, s.addCitations(ctx, places)
}

// addCitations reads the citations of all the messages in one statement, or in none where no message can have any.
func (s *Store) addCitations(ctx context.Context, messages []*kyro.Message) error {
	var answers []kyro.ID
	at := make(map[int64]*kyro.Message, len(messages))
	for _, m := range messages {
		if m.Role == kyro.RoleBot && m.Status.Final() {
			answers = append(answers, m.ID)
			at[m.ID.Key] = m
		}
	}
	if len(answers) == 0 {
		return nil
	}
	rows, err := all(ctx, s, rowsOf(citationTable).and(func(q *query) { in(q, "ci.message_id", rowKeys(answers)) }), "ci.message_id, ci.seq")
	for _, row := range rows {
		m := at[row.message]
		m.Citations = append(m.Citations, row.citation)
	}
	return failed("read the citations", err)
}
