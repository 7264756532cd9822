package catalog

import (
	"context"

	"kyrochat/kyro"
)

// CreateConversation begins a conversation of the viewer with a bot the viewer may chat with. Without a title it
// takes the beginning of its first message.
func (s *Service) CreateConversation(ctx context.Context, v kyro.Viewer, botID kyro.ID, title *string) (kyro.Conversation, error) {
	if err := v.MustFor(botID, kyro.KindBot, kyro.ScopeChat); err != nil {
		return kyro.Conversation{}, err
	}
	bot, err := s.Bot(ctx, v, botID)
	if err != nil {
		return kyro.Conversation{}, err
	}
	if !bot.ChattableBy(v) {
		return kyro.Conversation{}, kyro.NotFound(kyro.KindBot)
	}
	now := s.time()
	c := kyro.Conversation{
		BotID: bot.ID, UserID: v.UserID,
		LastMessageAt: now, CreatedAt: now, UpdatedAt: now,
	}
	if title != nil {
		if c.Title, err = kyro.CheckTitle(*title); err != nil {
			return kyro.Conversation{}, err
		}
	}
	return s.store.CreateConversation(ctx, c)
}

// UpdateConversation renames or archives a conversation. Only the person who holds it may.
func (s *Service) UpdateConversation(
	ctx context.Context, v kyro.Viewer, id kyro.ID, patch kyro.ConversationPatch,
) (kyro.Conversation, error) {
	if err := v.MustFor(id, kyro.KindConversation, kyro.ScopeChat); err != nil {
		return kyro.Conversation{}, err
	}
	changed, err := s.store.UpdateConversation(ctx, v.UserID, id, func(c *kyro.Conversation) error {
		if !c.ReadableBy(v) {
			return kyro.NotFound(kyro.KindConversation)
		}
		before := *c
		if err := c.Apply(patch); err != nil {
			return err
		}
		if *c != before {
			c.UpdatedAt = s.time()
		}
		return nil
	})
	if err == nil {
		s.wakes.Wake(id)
	}
	return changed, err
}

// DeleteConversation deletes a conversation with its messages. Only the person who holds it may.
func (s *Service) DeleteConversation(ctx context.Context, v kyro.Viewer, id kyro.ID) error {
	if err := v.MustFor(id, kyro.KindConversation, kyro.ScopeChat); err != nil {
		return err
	}
	err := s.store.DeleteConversation(ctx, v.UserID, id, s.time())
	if err == nil {
		s.wakes.Wake(id)
	}
	return err
}

// Conversation reads one conversation of the viewer, or NOT_FOUND.
func (s *Service) Conversation(ctx context.Context, v kyro.Viewer, id kyro.ID) (kyro.Conversation, error) {
	if err := v.MustFor(id, kyro.KindConversation, kyro.ScopeRead, kyro.ScopeChat); err != nil {
		return kyro.Conversation{}, err
	}
	rows, err := s.store.Conversations(ctx, v.UserID, []kyro.ID{id})
	return kyro.One(rows, err, kyro.KindConversation)
}

// Conversations reads conversations of the viewer in any order and leaves out what is not the viewer's.
func (s *Service) Conversations(ctx context.Context, v kyro.Viewer, ids []kyro.ID) ([]kyro.Conversation, error) {
	if err := v.Must(kyro.ScopeRead, kyro.ScopeChat); err != nil {
		return nil, err
	}
	return s.store.Conversations(ctx, v.UserID, ids)
}

// ListConversations lists the viewer's conversations.
func (s *Service) ListConversations(
	ctx context.Context, v kyro.Viewer, filter kyro.ConversationFilter, order kyro.ConversationOrder,
	page kyro.PageRequest,
) (kyro.Page[kyro.Conversation], error) {
	if err := v.Must(kyro.ScopeRead, kyro.ScopeChat); err != nil {
		return kyro.Page[kyro.Conversation]{}, err
	}
	return s.store.ConversationPage(ctx, v.UserID, filter, order, page)
}

// ListConversationsWith lists the viewer's conversations with each bot.
func (s *Service) ListConversationsWith(
	ctx context.Context, v kyro.Viewer, bots []kyro.ID, filter kyro.ConversationFilter, order kyro.ConversationOrder,
	page kyro.PageRequest,
) (map[kyro.ID]kyro.Page[kyro.Conversation], error) {
	if err := v.Must(kyro.ScopeRead, kyro.ScopeChat); err != nil {
		return nil, err
	}
	return s.store.ConversationPages(ctx, v.UserID, bots, filter, order, page)
}
