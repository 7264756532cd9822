package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

type conversationRow struct {
	bun.BaseModel `bun:"table:conversations,alias:c"`

	ID            int64 `bun:"id,pk,autoincrement"`
	BotID         int64
	UserID        int64
	Title         string
	TitleKey      string
	Archived      bool
	MessageCount  int
	LastMessageAt time.Time
	CreatedAt     time.Time
	UpdatedAt     time.Time
	DeletedAt     *time.Time
	Events        int64
	Changed       int64
}

var conversationTable = newTable("conversations", "c",
	"id bot_id user_id title title_key archived message_count last_message_at created_at updated_at",
	func(r *conversationRow, _ func(any) any) []any {
		return []any{
			&r.ID, &r.BotID, &r.UserID, &r.Title, &r.TitleKey, &r.Archived, &r.MessageCount, &r.LastMessageAt, &r.CreatedAt, &r.UpdatedAt,
		}
	}, func(r *conversationRow, n *kyro.Conversation) { *n = r.noun() })

func rowOfConversation(n *kyro.Conversation) conversationRow {
	return conversationRow{
		ID: n.ID.Key, BotID: n.BotID.Key, UserID: n.UserID.Key, Title: n.Title, TitleKey: fold(n.Title),
		Archived: n.Archived, MessageCount: n.MessageCount, LastMessageAt: kyro.Moment(n.LastMessageAt),
		CreatedAt: kyro.Moment(n.CreatedAt), UpdatedAt: kyro.Moment(n.UpdatedAt),
	}
}

func (r *conversationRow) noun() kyro.Conversation {
	return kyro.Conversation{
		ID: kyro.ConversationID(r.ID), BotID: kyro.BotID(r.BotID), UserID: kyro.UserID(r.UserID), Title: r.Title,
		Archived: r.Archived, MessageCount: r.MessageCount, LastMessageAt: r.LastMessageAt.UTC(),
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
}

// CreateConversation stores a new conversation of the user with a live bot of theirs; NOT_FOUND where there is no
// such bot.
func (s *Store) CreateConversation(ctx context.Context, c kyro.Conversation) (kyro.Conversation, error) {
	var r conversationRow
	err := s.write(ctx, "create the conversation", func(ctx context.Context, tx *writeTx) error {
		if err := s.liveBot(ctx, tx, c.UserID, c.BotID); err != nil {
			return err
		}
		r = rowOfConversation(&c)
		_, err := tx.NewInsert().Model(&r).Exec(ctx)
		return err
	})
	return r.noun(), err
}

// UpdateConversation reads the user's live conversation, lets change alter its title and whether it is archived,
// and writes both, in one fact. A title of "" is taken from the first message. change may run more than once, each
// time on the conversation as it is then.
func (s *Store) UpdateConversation(
	ctx context.Context, user, id kyro.ID, change func(*kyro.Conversation) error,
) (kyro.Conversation, error) {
	var changed kyro.Conversation
	err := s.write(ctx, "update the conversation", func(ctx context.Context, tx *writeTx) error {
		r, err := s.lockConversation(ctx, tx, user, id)
		if err != nil {
			return err
		}
		c := r.noun()
		if err := change(&c); err != nil {
			return err
		}
		if c.Title == "" {
			if c.Title, err = firstTitle(ctx, tx, r); err != nil {
				return err
			}
		}
		if c.Title != r.Title || c.Archived != r.Archived {
			r.Changed = r.next()
		}
		r.Title, r.TitleKey, r.Archived, r.UpdatedAt = c.Title, fold(c.Title), c.Archived, kyro.Moment(c.UpdatedAt)
		changed = r.noun()
		_, err = tx.NewUpdate().Model(r).Column("title", "title_key", "archived", "updated_at", "events", "changed").WherePK().Exec(ctx)
		return err
	})
	return changed, err
}

// firstTitle is the title that the first message gives its conversation, or "" where there is none.
func firstTitle(ctx context.Context, tx *writeTx, r *conversationRow) (string, error) {
	var texts []string
	err := tx.NewSelect().Table("messages").Column("text").Where("conversation_id = ? AND role = ?", r.ID, kyro.RoleUser).
		OrderExpr("id").Limit(1).Scan(ctx, &texts)
	if err != nil || len(texts) == 0 {
		return "", err
	}
	return kyro.TitleFrom(texts[0]), nil
}

// lockConversation reads the user's live conversation and keeps it as it is until the transaction ends.
func (s *Store) lockConversation(ctx context.Context, tx *writeTx, user, id kyro.ID) (*conversationRow, error) {
	r := new(conversationRow)
	err := s.lock(tx.NewSelect().Model(r).
		Where("c.id = ? AND c.user_id = ? AND c.deleted_at IS NULL", id.Key, user.Key)).Scan(ctx)
	return r, notFound(err, kyro.KindConversation)
}

// DeleteConversation tombstones the user's conversation and stops what is answered in it.
func (s *Store) DeleteConversation(ctx context.Context, user, id kyro.ID, now time.Time) error {
	now = kyro.Moment(now)
	return s.write(ctx, "delete the conversation", func(ctx context.Context, tx *writeTx) error {
		r, err := s.lockConversation(ctx, tx, user, id)
		if err != nil {
			return err
		}
		r.DeletedAt, r.UpdatedAt = &now, now
		if _, err := tx.NewUpdate().Model(r).Column("deleted_at", "updated_at").WherePK().Exec(ctx); err != nil {
			return err
		}
		ended, err := stopAnswers(ctx, tx, now, unnumbered, "conversation_id = ?", r.ID)
		if err != nil {
			return err
		}
		if err := s.recountConversations(ctx, tx, "c.id = ?", r.ID); err != nil {
			return err
		}
		if err := tx.takeOut(ctx, "message_id IN (SELECT id FROM messages WHERE conversation_id = ?)", r.ID); err != nil {
			return err
		}
		return s.settle(ctx, tx, now, ended...)
	})
}

// Conversations reads the user's live conversations by id, in any order.
func (s *Store) Conversations(ctx context.Context, user kyro.ID, ids []kyro.ID) ([]kyro.Conversation, error) {
	rows, err := all(ctx, s, conversationsOf(user, kyro.ConversationFilter{}).byID(ids), "")
	return rows, failed("read the conversations", err)
}

// ConversationPage lists the user's live conversations.
func (s *Store) ConversationPage(
	ctx context.Context, user kyro.ID, filter kyro.ConversationFilter, o kyro.ConversationOrder, req kyro.PageRequest,
) (kyro.Page[kyro.Conversation], error) {
	result, err := page(ctx, s, conversationsOf(user, filter), req, conversationsBy(o))
	return result, failed("list the conversations", err)
}

// ConversationPages lists the user's live conversations with each bot.
func (s *Store) ConversationPages(
	ctx context.Context, user kyro.ID, bots []kyro.ID, filter kyro.ConversationFilter, o kyro.ConversationOrder,
	req kyro.PageRequest,
) (map[kyro.ID]kyro.Page[kyro.Conversation], error) {
	withBot := parentage[conversationRow, kyro.Conversation]{column: "c.bot_id", of: func(c *kyro.Conversation) kyro.ID { return c.BotID }}
	result, err := pages(ctx, s, conversationsOf(user, filter), bots, withBot, req, conversationsBy(o))
	return result, failed("list the conversations", err)
}

func conversationsOf(user kyro.ID, filter kyro.ConversationFilter) selection[conversationRow, kyro.Conversation] {
	some := rowsOf(conversationTable).where("c.user_id = ? AND c.deleted_at IS NULL", user.Key)
	if !filter.BotID.IsZero() {
		some = some.where("c.bot_id = ?", filter.BotID.Key)
	}
	if filter.Archived != nil {
		some = some.where("c.archived = ?", *filter.Archived)
	}
	if filter.Since != nil {
		some = some.where("c.last_message_at >= ?", kyro.Moment(*filter.Since))
	}
	if filter.Before != nil {
		some = some.where("c.created_at < ?", kyro.Moment(*filter.Before))
	}
	if filter.Search != "" {
		some = some.where(`c.title_key LIKE ? ESCAPE '\'`, contains(filter.Search))
	}
	return some
}

func conversationsBy(o kyro.ConversationOrder) order[kyro.Conversation] {
	column, value := "c.last_message_at", func(c *kyro.Conversation) time.Time { return c.LastMessageAt }
	if o.By == kyro.ConversationsByCreation {
		column, value = "c.created_at", func(c *kyro.Conversation) time.Time { return c.CreatedAt }
	}
	return byTime(column, "c.id", o.Direction, value, (*kyro.Conversation).NodeID)
}
