package resolvers

import (
	"context"

	"kyrochat/account"
	"kyrochat/graph/model"
	"kyrochat/kyro"
)

func (r mutations) RegisterUser(ctx context.Context, in model.RegisterUserInput) (*model.AuthPayload, error) {
	return r.signIn(ctx, func() (account.SignedIn, error) {
		return r.Account.Register(ctx, kyro.ViewerFrom(ctx), in.Email, in.Password, in.Name)
	})
}

func (r mutations) LogIn(ctx context.Context, in model.LogInInput) (*model.AuthPayload, error) {
	return r.signIn(ctx, func() (account.SignedIn, error) {
		return r.Account.LogIn(ctx, kyro.ViewerFrom(ctx), in.Email, in.Password, optional(in.DeviceToken))
	})
}

func (r mutations) RefreshSession(ctx context.Context, in model.RefreshSessionInput) (*model.AuthPayload, error) {
	return r.signIn(ctx, func() (account.SignedIn, error) { return r.refresh(ctx, in.RefreshToken) })
}

func (r mutations) LogOut(ctx context.Context) (*model.LogOutPayload, error) {
	ended, err := r.logOut(ctx)
	errs, err := problems(err)
	return &model.LogOutPayload{LoggedOut: ended, Errors: errs}, err
}

func (r mutations) UpdateProfile(ctx context.Context, in model.UpdateProfileInput) (*model.UserPayload, error) {
	return userPayload(r.Account.UpdateProfile(ctx, kyro.ViewerFrom(ctx), kyro.UserPatch{Name: opt(in.Name)}))
}

func (r mutations) ChangePassword(ctx context.Context, in model.ChangePasswordInput) (*model.UserPayload, error) {
	return userPayload(r.Account.ChangePassword(ctx, kyro.ViewerFrom(ctx), in.CurrentPassword, in.NewPassword))
}

func (r mutations) RequestPasswordReset(ctx context.Context, in model.RequestPasswordResetInput) (*model.AcceptedPayload, error) {
	return accepted(r.Account.RequestPasswordReset(ctx, kyro.ViewerFrom(ctx), in.Email))
}

func (r mutations) ResetPassword(ctx context.Context, in model.ResetPasswordInput) (*model.AcceptedPayload, error) {
	return accepted(r.Account.ResetPassword(ctx, kyro.ViewerFrom(ctx), in.Token, in.NewPassword))
}

func (r mutations) RequestEmailVerification(ctx context.Context, in model.RequestEmailVerificationInput) (*model.AcceptedPayload, error) {
	return accepted(r.Account.RequestEmailVerification(ctx, kyro.ViewerFrom(ctx), in.Email))
}

func (r mutations) VerifyEmail(ctx context.Context, in model.VerifyEmailInput) (*model.AcceptedPayload, error) {
	return accepted(r.Account.VerifyEmail(ctx, kyro.ViewerFrom(ctx), in.Token))
}

func (r mutations) RequestEmailChange(ctx context.Context, in model.RequestEmailChangeInput) (*model.AcceptedPayload, error) {
	return accepted(r.Account.RequestEmailChange(ctx, kyro.ViewerFrom(ctx), in.Password, in.NewEmail))
}

func (r mutations) ConfirmEmailChange(ctx context.Context, in model.ConfirmEmailChangeInput) (*model.AcceptedPayload, error) {
	return accepted(r.Account.ConfirmEmailChange(ctx, kyro.ViewerFrom(ctx), in.Token))
}

func (r mutations) RevertEmailChange(ctx context.Context, in model.RevertEmailChangeInput) (*model.AcceptedPayload, error) {
	return accepted(r.Account.RevertEmailChange(ctx, kyro.ViewerFrom(ctx), in.Token))
}

func (r mutations) DeactivateAccount(ctx context.Context, in model.DeactivateAccountInput) (*model.AcceptedPayload, error) {
	return accepted(r.Account.Deactivate(ctx, kyro.ViewerFrom(ctx), in.Password))
}

func (r mutations) ReactivateAccount(ctx context.Context, in model.ReactivateAccountInput) (*model.AcceptedPayload, error) {
	return accepted(r.Account.Reactivate(ctx, kyro.ViewerFrom(ctx), in.Token))
}

func authPayload(in account.SignedIn, err error) (*model.AuthPayload, error) {
	errs, err := problems(err)
	return &model.AuthPayload{
		User: unless(errs, in.User), AccessToken: unless(errs, in.AccessToken),
		AccessTokenExpiresAt: unless(errs, in.AccessExpires), RefreshToken: orNull(in.RefreshToken), DeviceToken: orNull(in.DeviceToken), Errors: errs,
	}, err
}

func userPayload(user kyro.User, err error) (*model.UserPayload, error) {
	errs, err := problems(err)
	return &model.UserPayload{User: unless(errs, user), Errors: errs}, err
}

func accepted(err error) (*model.AcceptedPayload, error) {
	errs, err := problems(err)
	return &model.AcceptedPayload{Accepted: len(errs) == 0, Errors: errs}, err
}

func deleted(id kyro.ID, err error) (*model.DeletePayload, error) {
	errs, err := problems(err)
	return &model.DeletePayload{DeletedID: unless(errs, id), Errors: errs}, err
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
