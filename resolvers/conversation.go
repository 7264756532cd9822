package resolvers

import (
	"context"

	"kyrochat/graph/model"
	"kyrochat/kyro"
)

func (r mutations) CreateConversation(ctx context.Context, in model.CreateConversationInput) (*model.ConversationPayload, error) {
	return conversationPayload(r.Catalog.CreateConversation(ctx, kyro.ViewerFrom(ctx), in.BotID, in.Title.Value()))
}

func (r mutations) UpdateConversation(ctx context.Context, in model.UpdateConversationInput) (*model.ConversationPayload, error) {
	patch := kyro.ConversationPatch{Title: opt(in.Title), Archived: opt(in.Archived)}
	return conversationPayload(r.Catalog.UpdateConversation(ctx, kyro.ViewerFrom(ctx), in.ConversationID, patch))
}

func (r mutations) DeleteConversation(ctx context.Context, in model.DeleteConversationInput) (*model.DeletePayload, error) {
	return deletePayload(in.ConversationID, r.Catalog.DeleteConversation(ctx, kyro.ViewerFrom(ctx), in.ConversationID))
}

func conversationPayload(c kyro.Conversation, err error) (*model.ConversationPayload, error) {
	errs, err := problems(err)
	return &model.ConversationPayload{Conversation: unless(errs, c), Errors: errs}, err
}

type conversationFields struct{ *Root }

func (r conversationFields) Bot(ctx context.Context, c *kyro.Conversation) (*kyro.Bot, error) {
	return promised(follow(ctx, conversationBot, c.BotID))(c.BotID)
}

func (r conversationFields) User(ctx context.Context, c *kyro.Conversation) (*kyro.User, error) {
	return follow(ctx, conversationUser, c.UserID)
}

func (r conversationFields) LastMessage(ctx context.Context, c *kyro.Conversation) (*kyro.Message, error) {
	return follow(ctx, conversationLast, c.ID)
}

func (r conversationFields) Messages(
	ctx context.Context, c *kyro.Conversation, includeSuperseded *bool, first *int, after *string, last *int,
	before *string,
) (*model.MessageConnection, error) {
	req, err := request(ctx, kyro.MessagesOrder, first, after, last, before)
	if err != nil {
		return nil, err
	}
	superseded, l := orDefault(includeSuperseded, false), from(ctx)
	return listed(page(ctx, children[kyro.Conversation, kyro.Message]{
		name: "messages", parents: &l.level.conversations, parentID: (*kyro.Conversation).NodeID, rows: &l.level.messages,
		arguments: []any{superseded, req},
		read: func(ctx context.Context, conversations []kyro.ID) (map[kyro.ID]kyro.Page[kyro.Message], error) {
			if req.Fields = fieldsOf(ctx); req.Fields["siblings"] {
				req.Fields = nil // a message without any is its own sibling, of which anything may be selected
			}
			return r.Catalog.ListMessages(ctx, kyro.ViewerFrom(ctx), conversations, superseded, req)
		},
	}, c.ID))
}
