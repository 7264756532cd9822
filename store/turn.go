package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"kyrochat/kyro"
)

// errRepeated undoes a write whose clientMessageId is taken: what is stored under it decides.
var errRepeated = errors.New("the clientMessageId is taken")

// SaveTurn stores both messages of a turn, and the conversation where it is new, in one fact.
//
// The lock on the conversation puts turns that are sent at once in an order: ids of messages grow in it, and the
// limit of waiting answers holds.
func (s *Store) SaveTurn(ctx context.Context, t kyro.NewTurn) (kyro.Turn, error) {
	var turn kyro.Turn
	err := s.write(ctx, "store the turn", func(ctx context.Context, tx *writeTx) error {
		c, err := s.turnConversation(ctx, tx, t)
		if err != nil {
			return err
		}
		now, added := kyro.Moment(t.Now), c.next()
		question := messageRow{
			ConversationID: c.ID, SenderID: t.SenderID.Key, Role: kyro.RoleUser, Status: kyro.MessageCompleted,
			Text: t.Text, Notices: []kyro.MessageNotice{}, CreatedAt: now, CompletedAt: &now, Added: added, Changed: added,
		}
		if err := insertOnce(ctx, tx, &question, t.ClientMessageID); err != nil {
			return err
		}
		if err := checkWaiting(ctx, tx, c.ID, 0, t.MaxWaiting); err != nil {
			return err
		}
		question.Turn = question.ID
		if _, err := tx.NewUpdate().Model(&question).Column("turn").WherePK().Exec(ctx); err != nil {
			return err
		}
		answer := pendingAnswer(c, &question, t.SenderID, now)
		if _, err := tx.NewInsert().Model(&answer).Exec(ctx); err != nil {
			return err
		}
		if c.Title == "" && t.Title != "" {
			c.Title, c.TitleKey, c.Changed = t.Title, fold(t.Title), c.next()
		}
		if err := said(ctx, tx, c, 2, now); err != nil {
			return err
		}
		turn = kyro.Turn{Conversation: c.noun(), User: question.noun(), Bot: answer.noun()}
		return nil
	})
	if errors.Is(err, errRepeated) {
		return s.repeatedTurn(ctx, t)
	}
	return turn, err
}

// turnConversation locks the sender's conversation, or starts one with a bot of theirs.
func (s *Store) turnConversation(ctx context.Context, tx *writeTx, t kyro.NewTurn) (*conversationRow, error) {
	if !t.ConversationID.IsZero() {
		return s.lockConversation(ctx, tx, t.SenderID, t.ConversationID)
	}
	if err := s.liveBot(ctx, tx, t.SenderID, t.BotID); err != nil {
		return nil, err
	}
	r := rowOfConversation(&kyro.Conversation{
		BotID: t.BotID, UserID: t.SenderID, Title: t.Title, LastMessageAt: t.Now, CreatedAt: t.Now, UpdatedAt: t.Now,
	})
	_, err := tx.NewInsert().Model(&r).Exec(ctx)
	return &r, err
}

// insertOnce inserts a message under the sender's clientMessageId, which may be empty; errRepeated where that is
// taken. On PostgreSQL it waits for a rival that is about to take it.
func insertOnce(ctx context.Context, tx *writeTx, r *messageRow, clientMessageID string) error {
	if clientMessageID != "" {
		r.ClientMessageID = &clientMessageID
	}
	_, err := tx.NewInsert().Model(r).On("CONFLICT (sender_id, client_message_id) DO NOTHING").Returning("id").Exec(ctx)
	if errors.Is(err, sql.ErrNoRows) || err == nil && r.ID == 0 {
		return errRepeated
	}
	return err
}

// checkWaiting answers LIMIT_REACHED where as many answers wait in the conversation as may, beside the one that
// runs. The message except is not counted.
func checkWaiting(ctx context.Context, tx *writeTx, conversation, except int64, limit int) error {
	n, err := tx.NewSelect().Table("messages").
		Where("conversation_id = ? AND id <> ?", conversation, except).Where(unfinished).Count(ctx)
	if err != nil {
		return err
	}
	if int(n) > limit {
		return kyro.Errorf(kyro.CodeLimitReached,
			"%d messages of this conversation are waiting for their answers already. Wait for one of them, or stop it.", limit)
	}
	return nil
}

// pendingAnswer is a new answer in a locked conversation.
func pendingAnswer(c *conversationRow, question *messageRow, sender kyro.ID, now time.Time) messageRow {
	added := c.next()
	return messageRow{
		ConversationID: question.ConversationID, Turn: question.Turn, ParentID: &question.ID, SenderID: sender.Key,
		Role: kyro.RoleBot, Status: kyro.MessagePending, Notices: []kyro.MessageNotice{}, CreatedAt: now, Added: added, Changed: added,
	}
}

// said counts messages that were added to a locked conversation, which writes it as it is.
func said(ctx context.Context, tx *writeTx, c *conversationRow, added int, now time.Time) error {
	c.MessageCount += added
	if now.After(c.LastMessageAt) {
		c.LastMessageAt = now
	}
	c.UpdatedAt = c.LastMessageAt
	_, err := tx.NewUpdate().Model(c).Column("title", "title_key", "message_count", "last_message_at", "updated_at", "events", "changed").WherePK().Exec(ctx)
	return err
}

// repeatedTurn gives the turn that is stored under the sender's clientMessageId, where text and target are the same.
func (s *Store) repeatedTurn(ctx context.Context, t kyro.NewTurn) (kyro.Turn, error) {
	question, c, err := s.stored(ctx, t.SenderID, t.ClientMessageID)
	if err != nil {
		return kyro.Turn{}, err
	}
	same := c.ID == t.ConversationID.Key
	if t.ConversationID.IsZero() {
		same = c.BotID == t.BotID.Key
	}
	if !same || question.Role != kyro.RoleUser || question.Text != t.Text {
		return kyro.Turn{}, idempotencyConflict()
	}
	var answers []messageRow
	err = s.read().NewSelect().Model(&answers).Where("m.parent_id = ?", question.ID).OrderExpr("m.id").Limit(1).Scan(ctx)
	if err == nil && len(answers) == 0 {
		err = errors.New("the message has no answer")
	}
	if err != nil {
		return kyro.Turn{}, failed("read the stored turn", err)
	}
	return s.repeated(ctx, c, question, &answers[0])
}

// stored reads the message under the sender's clientMessageId and its conversation; NOT_FOUND where that was
// deleted.
func (s *Store) stored(ctx context.Context, sender kyro.ID, clientMessageID string) (*messageRow, *conversationRow, error) {
	m, c := new(messageRow), new(conversationRow)
	err := s.read().NewSelect().Model(m).Where("m.sender_id = ? AND m.client_message_id = ?", sender.Key, clientMessageID).Scan(ctx)
	if err != nil {
		return nil, nil, failed("read the stored message", notFound(err, kyro.KindMessage))
	}
	err = s.read().NewSelect().Model(c).Where("c.id = ? AND c.user_id = ? AND c.deleted_at IS NULL", m.ConversationID, sender.Key).Scan(ctx)
	if err != nil {
		return nil, nil, failed("read the stored conversation", notFound(err, kyro.KindConversation))
	}
	return m, c, nil
}

func (s *Store) repeated(ctx context.Context, c *conversationRow, question, answer *messageRow) (kyro.Turn, error) {
	messages, err := s.cited(ctx, []kyro.Message{question.noun(), answer.noun()})
	if err != nil {
		return kyro.Turn{}, err
	}
	return kyro.Turn{Conversation: c.noun(), User: messages[0], Bot: messages[1], Repeated: true}, nil
}

func idempotencyConflict() error {
	return kyro.Errorf(kyro.CodeIdempotencyConflict,
		"This clientMessageId was used for another message. Use a new one for each message.").At("clientMessageId")
}
