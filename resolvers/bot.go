package resolvers

import (
	"context"

	"kyrochat/graph/model"
	"kyrochat/kyro"
)

func (r mutations) CreateBot(ctx context.Context, in model.CreateBotInput) (*model.BotPayload, error) {
	return botPayload(r.Catalog.CreateBot(ctx, kyro.ViewerFrom(ctx), newBotPatch(in)))
}

func (r mutations) UpdateBot(ctx context.Context, in model.UpdateBotInput) (*model.BotPayload, error) {
	return botPayload(r.Catalog.UpdateBot(ctx, kyro.ViewerFrom(ctx), in.BotID, botPatch(in)))
}

func (r mutations) DeleteBot(ctx context.Context, in model.DeleteBotInput) (*model.DeletePayload, error) {
	return deletePayload(in.BotID, r.Catalog.DeleteBot(ctx, kyro.ViewerFrom(ctx), in.BotID))
}

func botPayload(bot kyro.Bot, err error) (*model.BotPayload, error) {
	errs, err := problems(err)
	return &model.BotPayload{Bot: unless(errs, bot), Errors: errs}, err
}

func deletePayload(id kyro.ID, err error) (*model.DeletePayload, error) {
	errs, err := problems(err)
	return &model.DeletePayload{DeletedID: unless(errs, id), Errors: errs}, err
}

type botFields struct{ *Root }

func (r botFields) Instructions(ctx context.Context, bot *kyro.Bot) (*string, error) {
	if !bot.EditableBy(kyro.ViewerFrom(ctx)) {
		return nil, nil
	}
	return bot.Instructions, nil
}

func (r botFields) Owner(ctx context.Context, bot *kyro.Bot) (*kyro.User, error) {
	if !bot.EditableBy(kyro.ViewerFrom(ctx)) {
		return nil, nil
	}
	return follow(ctx, botOwner, bot.OwnerID)
}

func (r botFields) Documents(
	ctx context.Context, bot *kyro.Bot, filter *model.DocumentFilter, first *int, after *string, last *int,
	before *string,
) (*model.DocumentConnection, error) {
	req, err := request(ctx, kyro.DocumentsOrder, first, after, last, before)
	if err != nil {
		return nil, err
	}
	f, l := documentFilter(filter), from(ctx)
	return listed(page(ctx, children[kyro.Bot, kyro.Document]{
		name: "documents", parents: &l.level.bots, parentID: (*kyro.Bot).NodeID, rows: &l.level.documents, arguments: []any{f, req},
		read: func(ctx context.Context, bots []kyro.ID) (map[kyro.ID]kyro.Page[kyro.Document], error) {
			return r.Ingest.List(ctx, kyro.ViewerFrom(ctx), bots, f, req)
		},
	}, bot.ID))
}

func (r botFields) Conversations(
	ctx context.Context, bot *kyro.Bot, filter *model.ConversationFilter, orderBy *model.ConversationOrder, first *int,
	after *string, last *int, before *string,
) (*model.ConversationConnection, error) {
	f, err := conversationFilter(filter)
	if err != nil {
		return nil, err
	}
	if !f.BotID.IsZero() && f.BotID != bot.ID {
		return nil, kyro.Errorf(kyro.CodeBadUserInput, "botId must be the bot whose conversations are listed.")
	}
	order := conversationOrder(orderBy)
	req, err := request(ctx, order.Name(), first, after, last, before)
	if err != nil {
		return nil, err
	}
	l := from(ctx)
	return listed(page(ctx, children[kyro.Bot, kyro.Conversation]{
		name: "conversations", parents: &l.level.bots, parentID: (*kyro.Bot).NodeID, rows: &l.level.conversations, arguments: []any{f, order, req},
		read: func(ctx context.Context, bots []kyro.ID) (map[kyro.ID]kyro.Page[kyro.Conversation], error) {
			return r.Catalog.ListConversationsWith(ctx, kyro.ViewerFrom(ctx), bots, f, order, req)
		},
	}, bot.ID))
}

func (r botFields) Search(ctx context.Context, bot *kyro.Bot, query string, first *int) ([]kyro.SearchHit, error) {
	return searched(ctx)(r.Answer.Search(ctx, kyro.ViewerFrom(ctx), bot.ID, query, first))
}

// searched notes the chunks that were found, so that their documents are read together.
func searched(ctx context.Context) func([]kyro.SearchHit, error) ([]kyro.SearchHit, error) {
	return func(hits []kyro.SearchHit, err error) ([]kyro.SearchHit, error) {
		chunks := make([]kyro.Chunk, len(hits))
		for i := range hits {
			chunks[i] = hits[i].Chunk
		}
		from(ctx).level.chunks.add(ctx, chunks)
		return hits, err
	}
}

func (r botFields) ViewerCanEdit(ctx context.Context, bot *kyro.Bot) (bool, error) {
	return bot.EditableBy(kyro.ViewerFrom(ctx)), nil
}

func (r botFields) ViewerCanChat(ctx context.Context, bot *kyro.Bot) (bool, error) {
	return bot.ChattableBy(kyro.ViewerFrom(ctx)), nil
}
