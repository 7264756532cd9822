package resolvers

import (
	"context"

	"kyrochat/account"
	"kyrochat/graph/model"
	"kyrochat/kyro"
)

func (r mutations) RegisterUser(ctx context.Context, in model.RegisterUserInput) (*model.AuthPayload, error) {
	return authPayload(r.Account.Register(ctx, kyro.ViewerFrom(ctx), in.Email, in.Password, in.Name))
}

func (r mutations) LogIn(ctx context.Context, in model.LogInInput) (*model.AuthPayload, error) {
	return authPayload(r.Account.LogIn(ctx, kyro.ViewerFrom(ctx), in.Email, in.Password))
}

func (r mutations) RefreshSession(ctx context.Context, in model.RefreshSessionInput) (*model.AuthPayload, error) {
	return authPayload(r.Account.Refresh(ctx, in.RefreshToken))
}

func (r mutations) LogOut(ctx context.Context) (*model.LogOutPayload, error) {
	ended, err := r.Account.LogOut(ctx, kyro.ViewerFrom(ctx))
	errs, err := problems(err)
	return &model.LogOutPayload{LoggedOut: ended, Errors: errs}, err
}

func authPayload(in account.SignedIn, err error) (*model.AuthPayload, error) {
	errs, err := problems(err)
	return &model.AuthPayload{
		User: unless(errs, in.User), AccessToken: unless(errs, in.AccessToken),
		AccessTokenExpiresAt: unless(errs, in.AccessExpires), RefreshToken: unless(errs, in.RefreshToken), Errors: errs,
	}, err
}

type userFields struct{ *Root }

func (r userFields) Bots(
	ctx context.Context, _ *kyro.User, filter *model.BotFilter, orderBy *model.BotOrder, first *int, after *string,
	last *int, before *string,
) (*model.BotConnection, error) {
	order := botOrder(orderBy)
	page, err := request(ctx, order.Name(), first, after, last, before)
	if err != nil {
		return nil, err
	}
	page.Fields = fieldsOf(ctx)
	return listed(from(ctx).level.bots.noted(ctx)(r.Catalog.ListBots(ctx, kyro.ViewerFrom(ctx), botFilter(filter), order, page)))
}

func (r userFields) Conversations(
	ctx context.Context, _ *kyro.User, filter *model.ConversationFilter, orderBy *model.ConversationOrder, first *int,
	after *string, last *int, before *string,
) (*model.ConversationConnection, error) {
	f, err := conversationFilter(filter)
	if err != nil {
		return nil, err
	}
	order := conversationOrder(orderBy)
	page, err := request(ctx, order.Name(), first, after, last, before)
	if err != nil {
		return nil, err
	}
	return listed(from(ctx).level.conversations.noted(ctx)(r.Catalog.ListConversations(ctx, kyro.ViewerFrom(ctx), f, order, page)))
}
