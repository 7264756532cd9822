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

// SaveTurn stores both messages of a turn, and the conversation where it is new, in one fact. Where nothing runs or waits
// in the conversation, the answer is claimed in the same fact for whoever asks for that.
//
// The lock on the conversation puts turns that are sent at once in an order: ids of messages grow in it, the limit of
// waiting answers holds, and of those who would claim one at once each sees what the other did.
func (s *Store) SaveTurn(ctx context.Context, t kyro.NewTurn) (kyro.Turn, error) {
	var turn kyro.Turn
	err := s.pipelined(ctx, "store the turn", func(ctx context.Context, p *pipeline) error {
		g, err := s.turnGround(ctx, p, t)
		if err != nil {
			return err
		}
		var question, answer messageRow
		turn, question, answer = g.turn(t)
		if g.budgeted {
			if answer.Held, err = s.holdTurn(ctx, p, &g, t); err != nil {
				return err
			}
		}
		if turn.Claim != nil && t.Begin != nil {
			t.Begin(turn)
		}
		err = p.commit(ctx, s.conversationStep(&g.conversation, t.ConversationID.IsZero()), s.turnStep(&question, &answer, t.Lease))
		if isRepeated(err) { // since it was looked at
			return errRepeated
		}
		return err
	})
	if errors.Is(err, errRepeated) {
		return s.repeatedTurn(ctx, t)
	}
	if err != nil {
		return kyro.Turn{}, err
	}
	return turn, nil
}

// ground is what a turn is stored on.
type ground struct {
	conversation conversationRow // locked; empty where it is to be made
	bot          botRow          // where a claim is asked for, or the conversation is to be made
	known        bool            // the bot has live documents
	budgeted     bool            // there are budgets to hold something of
	waiting      int             // unfinished answers of the conversation
	ids          [3]int64        // of the question, the answer and the conversation
}

// turn makes the rows of a turn, and the conversation's as it is with them.
func (g *ground) turn(t kyro.NewTurn) (turn kyro.Turn, question, answer messageRow) {
	c, now := &g.conversation, kyro.Moment(t.Now)
	if t.ConversationID.IsZero() {
		*c = rowOfConversation(&kyro.Conversation{
			BotID: t.BotID, UserID: t.SenderID, Title: t.Title, LastMessageAt: now, CreatedAt: now, UpdatedAt: now,
		})
		c.ID = g.ids[2]
	}
	added := c.next()
	question = messageRow{
		ID: g.ids[0], ConversationID: c.ID, Turn: g.ids[0], SenderID: t.SenderID.Key, Role: kyro.RoleUser, Status: kyro.MessageCompleted,
		Text: t.Text, Notices: []kyro.MessageNotice{}, CreatedAt: now, CompletedAt: &now, Added: added, Changed: added,
	}
	if t.ClientMessageID != "" {
		question.ClientMessageID = &t.ClientMessageID
	}
	answer = pendingAnswer(c, &question, t.SenderID, now)
	answer.ID, answer.KeyID = g.ids[1], keyOrNil(t.Charge.KeyID)
	if t.Owner != "" && g.waiting == 0 && g.bot.ID != 0 {
		answer.Status, answer.Attempt, answer.LeaseOwner = kyro.MessageRetrieving, 1, t.Owner
		turn.Claim = &kyro.Claim{
			MessageID: kyro.MessageID(answer.ID), ConversationID: kyro.ConversationID(c.ID), Attempt: answer.Attempt, Owner: t.Owner,
		}
		turn.Job = &kyro.AnswerJob{Bot: g.bot.noun(), Question: question.noun(), Unread: c.MessageCount > 0, Bare: !g.known}
	}
	if c.Title == "" && t.Title != "" {
		c.Title, c.TitleKey, c.Changed = t.Title, fold(t.Title), c.next()
	}
	c.said(2, now)
	turn.Conversation, turn.User, turn.Bot = c.noun(), question.noun(), answer.noun()
	return turn, question, answer
}

// turnGround locks the sender's conversation, or sees to it that the bot of a new one stays, and looks at what was said:
// what comes behind the lock sees all that was done under it before. Nothing is there to be locked where a message begins a
// conversation, so its clientMessageId is: else everybody who sends it at once would have a model asked before one of them
// is stored.
func (s *Store) turnGround(ctx context.Context, p *pipeline, t kyro.NewTurn) (g ground, err error) {
	fresh, repeated := t.ConversationID.IsZero(), false
	var bot, conversation *step
	var steps []*step
	if fresh || t.Owner != "" {
		q := s.query().add("SELECT " + botTable.columns + ", EXISTS (SELECT 1 FROM documents AS d" +
			" WHERE d.bot_id = b.id AND d.deleted_at IS NULL AND d.active_version > 0) FROM bots AS b WHERE b.deleted_at IS NULL AND ")
		bot = &step{query: q, places: append(botTable.into(&g.bot, s.asJSON), &g.known)}
	}
	if fresh {
		bot.add("b.id = ? AND b.owner_id = ?", t.BotID.Key, t.SenderID.Key)
		if s.postgres() {
			if t.ClientMessageID != "" {
				var locked bool
				q := s.query().add("SELECT pg_advisory_xact_lock(hashtextextended(?, ?)) IS NOT NULL", t.ClientMessageID, t.SenderID.Key)
				steps = append(steps, &step{query: q, places: []any{&locked}})
			}
			bot.add(" FOR SHARE OF b")
		}
		steps = append(steps, bot)
	} else {
		q := s.query().add("SELECT "+followedTable.columns+" FROM conversations AS c WHERE c.id = ? AND c.user_id = ? AND c.deleted_at IS NULL",
			t.ConversationID.Key, t.SenderID.Key)
		if s.postgres() {
			q.add(" FOR UPDATE")
		}
		conversation = &step{query: q, places: followedTable.into(&g.conversation, s.asJSON)}
		steps = append(steps, conversation)
	}
	q := s.query().add("SELECT (SELECT count(*) FROM messages WHERE conversation_id = ? AND "+unfinished+"),"+
		" EXISTS (SELECT 1 FROM messages WHERE sender_id = ? AND client_message_id = ?), "+budgeted+", "+s.nextKeys(fresh),
		t.ConversationID.Key, t.SenderID.Key, t.ClientMessageID, t.SenderID.Key)
	steps = append(steps, &step{query: q, places: []any{&g.waiting, &repeated, &g.budgeted, &g.ids[0], &g.ids[1], &g.ids[2]}})
	if !fresh && bot != nil {
		bot.add("b.id = (SELECT bot_id FROM conversations WHERE id = ?)", t.ConversationID.Key)
		steps = append(steps, bot)
	}
	err = p.run(ctx, steps...)
	switch {
	case err != nil:
		return g, err
	case fresh && !bot.found:
		return g, kyro.NotFound(kyro.KindBot)
	case !fresh && !conversation.found:
		return g, kyro.NotFound(kyro.KindConversation)
	case repeated:
		return g, errRepeated
	}
	g.budgeted = g.budgeted || !s.serverLimits().None()
	return g, checkWaiting(g.waiting, t.MaxWaiting)
}

// holdTurn holds what the answer may take of the budgets that it goes on.
func (s *Store) holdTurn(ctx context.Context, p *pipeline, g *ground, t kyro.NewTurn) (*heldRow, error) {
	if g.bot.ID == 0 {
		var known bool
		q := s.query().add("SELECT "+botTable.columns+", FALSE FROM bots AS b WHERE b.id = ?", g.conversation.BotID)
		if err := p.run(ctx, &step{query: q, places: append(botTable.into(&g.bot, s.asJSON), &known)}); err != nil {
			return nil, err
		}
	}
	asked := t.Charge.Of(g.bot.noun(), t.Text, g.conversation.MessageCount <= 2)
	return s.reserve(ctx, p, t.SenderID, kyro.BotID(g.conversation.BotID), t.Charge.KeyID.Key, asked, kyro.Moment(t.Now))
}

// nextKeys is the SQL of the next two keys of messages, and of the next one of a conversation where that is needed.
func (s *Store) nextKeys(conversation bool) string {
	third := "0"
	if s.postgres() {
		if conversation {
			third = "nextval(pg_get_serial_sequence('conversations', 'id'))"
		}
		const next = "nextval(pg_get_serial_sequence('messages', 'id'))"
		return next + ", " + next + ", " + third
	}
	last := func(table string) string {
		return "COALESCE((SELECT seq FROM sqlite_sequence WHERE name = '" + table + "'), 0)"
	}
	if conversation {
		third = last("conversations") + " + 1"
	}
	return last("messages") + " + 1, " + last("messages") + " + 2, " + third
}

// conversationStep writes a conversation that messages were added to.
func (s *Store) conversationStep(c *conversationRow, fresh bool) *step {
	q := s.query()
	if fresh {
		q.add(`INSERT INTO conversations (id, bot_id, user_id, title, title_key, archived, message_count, last_message_at, created_at,
			updated_at, events, changed) VALUES (?, ?, ?, ?, ?, FALSE, ?, ?, ?, ?, ?, ?)`,
			c.ID, c.BotID, c.UserID, c.Title, c.TitleKey, c.MessageCount, c.LastMessageAt, c.CreatedAt, c.UpdatedAt, c.Events, c.Changed)
	} else {
		q.add(`UPDATE conversations SET title = ?, title_key = ?, message_count = ?, last_message_at = ?, updated_at = ?, events = ?,
			changed = ? WHERE id = ?`,
			c.Title, c.TitleKey, c.MessageCount, c.LastMessageAt, c.UpdatedAt, c.Events, c.Changed, c.ID)
	}
	return &step{query: q}
}

// turnStep stores a question and its answer, with the lease where that is claimed.
func (s *Store) turnStep(question, answer *messageRow, lease time.Duration) *step {
	m := question
	q := s.query().add(`INSERT INTO messages (id, conversation_id, turn, parent_id, sender_id, role, status, text, client_message_id,
		superseded, attempt, seq, lease_owner, lease_until, stop_requested, notices, created_at, completed_at, added, changed,
		key_id, held) VALUES
		(?, ?, ?, NULL, ?, 'USER', 'COMPLETED', ?, ?, FALSE, 0, 0, '', NULL, FALSE, '[]', ?, ?, ?, ?, NULL, NULL), `,
		m.ID, m.ConversationID, m.Turn, m.SenderID, m.Text, m.ClientMessageID, m.CreatedAt, *m.CompletedAt, m.Added, m.Changed)
	m = answer
	q.add(`(?, ?, ?, ?, ?, 'BOT', ?, '', NULL, FALSE, ?, 0, ?, `,
		m.ID, m.ConversationID, m.Turn, *m.ParentID, m.SenderID, string(m.Status), m.Attempt, m.LeaseOwner)
	if m.LeaseOwner == "" {
		q.add("NULL")
	} else {
		until, shift := s.byClock(lease)
		q.add(until, shift...)
	}
	return &step{query: q.add(`, FALSE, '[]', ?, NULL, ?, ?, ?, ?)`, m.CreatedAt, m.Added, m.Changed, m.KeyID, m.Held.column())}
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

// checkWaiting answers LIMIT_REACHED where as many answers are unfinished in the conversation as may wait, beside the one
// that runs.
func checkWaiting(unfinished, limit int) error {
	if unfinished > limit {
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

// said counts messages that were added to a locked conversation, which is to be written.
func (r *conversationRow) said(added int, now time.Time) {
	r.MessageCount += added
	if now.After(r.LastMessageAt) {
		r.LastMessageAt = now
	}
	r.UpdatedAt = r.LastMessageAt
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

// History gives the final messages of earlier turns of a bot's conversation, as Job does. It is for whoever has the claim of an
// answer and the rest of its job.
func (s *Store) History(ctx context.Context, bot, conversation kyro.ID, turn int64, limit int) ([]kyro.Message, error) {
	messages, err := s.history(ctx, bot, &messageRow{ConversationID: conversation.Key, Turn: turn}, limit)
	return messages, failed("read the history", err)
}
