package store

import (
	"context"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// messagesOf selects messages of the user's live conversations.
func messagesOf(db bun.IDB, user kyro.ID) *bun.SelectQuery {
	return db.NewSelect().Model((*messageRow)(nil)).
		Join("JOIN conversations AS c ON c.id = m.conversation_id AND c.user_id = ? AND c.deleted_at IS NULL", user.Key)
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
	var rows []messageRow
	err := messagesOf(s.read(), user).Where("m.id IN (?)", keys(ids)).Scan(ctx, &rows)
	if err != nil {
		return nil, failed("read the messages", err)
	}
	return s.cited(ctx, rows)
}

// MessagePages lists the messages of each conversation in the order of their turns, citations included. A
// conversation that is not the user's has none.
func (s *Store) MessagePages(ctx context.Context, user kyro.ID, conversations []kyro.ID, superseded bool, req kyro.PageRequest) (map[kyro.ID]kyro.Page[kyro.Message], error) {
	query := messagesOf(s.read(), user)
	if !superseded {
		query.Where("NOT m.superseded")
	}
	ofConversation := parentage[messageRow]{table: "messages", alias: "m", column: "m.conversation_id", of: func(r *messageRow) int64 { return r.ConversationID }}
	by := byNumber("m.turn", "m.id", kyro.Asc, func(r *messageRow) int64 { return r.Turn }, func(r *messageRow) int64 { return r.ID })
	result, err := pages(ctx, s, query, conversations, ofConversation, req, by, (*messageRow).noun)
	if err != nil {
		return nil, failed("list the messages", err)
	}
	var messages []*kyro.Message
	for _, p := range result {
		for i := range p.Edges {
			messages = append(messages, &p.Edges[i].Node)
		}
	}
	return result, s.addCitations(ctx, messages)
}

// Siblings gives, for each user message, the bot messages that answer it, oldest first.
func (s *Store) Siblings(ctx context.Context, user kyro.ID, parents []kyro.ID) (map[kyro.ID][]kyro.Message, error) {
	var rows []messageRow
	err := messagesOf(s.read(), user).Where("m.parent_id IN (?)", keys(parents)).OrderExpr("m.id").Scan(ctx, &rows)
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
	var rows []messageRow
	newest := `SELECT n.id FROM messages AS n WHERE n.conversation_id = c.id AND NOT n.superseded
		ORDER BY n.turn DESC, n.id DESC LIMIT 1`
	err := s.read().NewSelect().Model(&rows).
		Where("m.id IN (SELECT ("+newest+") FROM conversations AS c WHERE c.id IN (?) AND c.user_id = ? AND c.deleted_at IS NULL)",
			keys(conversations), user.Key).Scan(ctx)
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

// cited turns rows into messages with their citations.
func (s *Store) cited(ctx context.Context, rows []messageRow) ([]kyro.Message, error) {
	messages := convert(rows, (*messageRow).noun)
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
	var rows []citationRow
	err := s.read().NewSelect().Model(&rows).Where("ci.message_id IN (?)", keys(answers)).
		OrderExpr("ci.message_id, ci.seq").Scan(ctx)
	for i := range rows {
		m := at[rows[i].MessageID]
		m.Citations = append(m.Citations, rows[i].noun())
	}
	return failed("read the citations", err)
}
