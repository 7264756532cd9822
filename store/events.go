package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// What followers of a conversation are told of is numbered 1, 2, 3 … by the conversation's row, which stays locked from
// the taking of a number to the end of the transaction. So numbers become visible in their order, and whoever has seen
// one misses none before it. Locks are taken in one order: the conversation, or several by their ids, then messages.

// unnumbered is for changes that nobody can be told of any more.
const unnumbered = 0

// next takes the next number of a locked conversation, which is to be written.
func (r *conversationRow) next() int64 {
	r.Events++
	return r.Events
}

// nextEvent locks the conversation that the condition finds and takes its next number; unnumbered where there is none.
func nextEvent(ctx context.Context, tx *writeTx, which string, args ...any) (number int64, err error) {
	err = tx.NewUpdate().Table("conversations").Set("events = events + 1").Where(which, args...).Returning("events").Scan(ctx, &number)
	if errors.Is(err, sql.ErrNoRows) {
		return unnumbered, nil
	}
	return number, err
}

// lockConversations locks the conversations of the messages that nobody else has locked, and gives their keys for "IN (?)".
func (s *Store) lockConversations(ctx context.Context, tx *writeTx, messages []int64) (bun.ListValues, error) {
	q := tx.NewSelect().TableExpr("conversations AS c").Column("c.id").
		Where("c.id IN (?)", tx.NewSelect().Table("messages").Column("conversation_id").Where("id IN (?)", list(messages)))
	if s.postgres() {
		q = q.For("NO KEY UPDATE SKIP LOCKED")
	}
	var locked []int64
	err := q.Scan(ctx, &locked)
	return bun.List(locked), err
}

// numberChanges gives each of the messages, whose conversations are locked, a number of its own.
func numberChanges(ctx context.Context, tx *writeTx, messages []int64) error {
	if len(messages) == 0 {
		return nil
	}
	_, err := tx.NewUpdate().Table("messages").
		Set("changed = (SELECT c.events FROM conversations AS c WHERE c.id = messages.conversation_id) +"+
			" (SELECT count(*) FROM messages AS o WHERE o.conversation_id = messages.conversation_id AND o.id <= messages.id AND o.id IN (?))", list(messages)).
		Where("id IN (?)", list(messages)).Exec(ctx)
	if err != nil {
		return err
	}
	_, err = tx.NewUpdate().Table("conversations").
		Set("events = (SELECT max(m.changed) FROM messages AS m WHERE m.conversation_id = conversations.id)").
		Where("id IN (SELECT m.conversation_id FROM messages AS m WHERE m.id IN (?))", list(messages)).Exec(ctx)
	return err
}

var (
	followedTable = newTable("conversations", "c",
		"id bot_id user_id title title_key archived message_count last_message_at created_at updated_at events changed",
		func(r *conversationRow, _ func(any) any) []any {
			return []any{
				&r.ID, &r.BotID, &r.UserID, &r.Title, &r.TitleKey, &r.Archived, &r.MessageCount, &r.LastMessageAt, &r.CreatedAt,
				&r.UpdatedAt, &r.Events, &r.Changed,
			}
		}, func(r *conversationRow, f *kyro.FollowedConversation) {
			*f = kyro.FollowedConversation{Conversation: r.noun(), Events: r.Events, Changed: r.Changed}
		})
	changedTable = newTable("messages", "m", messageColumns+" added changed",
		func(r *messageRow, asJSON func(any) any) []any {
			return append(messagePlaces(r, asJSON), &r.Added, &r.Changed)
		},
		func(r *messageRow, c *kyro.ChangedMessage) {
			r.fill(&c.Message)
			c.Added, c.Changed = r.Added, r.Changed
		}).withTexts(func(r *messageRow) int { return len(r.Text) })
)

// FollowedConversation reads the user's live conversation with the numbers of its changes; NOT_FOUND where there is none.
func (s *Store) FollowedConversation(ctx context.Context, user, id kyro.ID) (kyro.FollowedConversation, error) {
	found, err := all(ctx, s, rowsOf(followedTable).where("c.user_id = ? AND c.deleted_at IS NULL", user.Key).byID([]kyro.ID{id}), "")
	if err == nil && len(found) == 0 {
		err = kyro.NotFound(kyro.KindConversation)
	}
	if err != nil {
		return kyro.FollowedConversation{}, failed("read the conversation", err)
	}
	return found[0], nil
}

// EventCounts gives the last number of each of the conversations that are live, of any users.
func (s *Store) EventCounts(ctx context.Context, conversations []kyro.ID) (map[kyro.ID]int64, error) {
	q := s.query().add("SELECT id, events FROM conversations WHERE deleted_at IS NULL AND ")
	in(q, "id", rowKeys(conversations))
	counts := make(map[kyro.ID]int64, len(conversations))
	var key, events int64
	err := s.each(ctx, q, []any{&key, &events}, func() { counts[kyro.ConversationID(key)] = events })
	return counts, failed("look at the conversations", err)
}

// ChangedMessages reads messages of the user's live conversation for a reader who knows the numbers up to after and is
// now told of those up to another: that they were added, or else of their last change. They come in the order of these
// numbers, at most limit of them, citations included. A message that was added before upTo is among them even where its
// last change is behind it.
func (s *Store) ChangedMessages(
	ctx context.Context, user, conversation kyro.ID, after, upTo int64, limit int,
) ([]kyro.ChangedMessage, error) {
	const first = "CASE WHEN m.added > ? THEN m.added ELSE m.changed END"
	some := rowsOf(changedTable).where("m.conversation_id = ? AND m.changed > ? AND "+first+" <= ?", conversation.Key, after, after, upTo)
	some = some.where("EXISTS (SELECT 1 FROM conversations AS c WHERE c.id = m.conversation_id AND c.user_id = ? AND c.deleted_at IS NULL)", user.Key)
	q := s.query()
	some.write(q, changedTable.columns)
	q.add(" ORDER BY "+first+" LIMIT ?", after, limit)
	changed, err := read(ctx, s, changedTable, q, limit)
	if err != nil {
		return nil, failed("read the changed messages", err)
	}
	messages := make([]*kyro.Message, len(changed))
	for i := range changed {
		messages[i] = &changed[i].Message
	}
	return changed, s.addCitations(ctx, messages)
}
