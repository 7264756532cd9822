package resolvers

import (
	"context"

	"kyrochat/graph/model"
	"kyrochat/kyro"
)

func (r mutations) RevokeSession(ctx context.Context, in model.RevokeSessionInput) (*model.DeletePayload, error) {
	return deleted(in.SessionID, r.Account.RevokeSession(ctx, kyro.ViewerFrom(ctx), in.SessionID))
}

func (r mutations) RevokeOtherSessions(ctx context.Context, in model.RevokeOtherSessionsInput) (*model.AcceptedPayload, error) {
	return accepted(r.Account.RevokeOtherSessions(ctx, kyro.ViewerFrom(ctx), in.Password))
}

func (r mutations) CreateAPIKey(ctx context.Context, in model.CreateAPIKeyInput) (*model.CreateAPIKeyPayload, error) {
	key, secret, err := r.Account.CreateAPIKey(ctx, kyro.ViewerFrom(ctx), kyro.NewAPIKey{
		Name: in.Name, Scopes: in.Scopes, Expires: opt(in.ExpiresAt), Networks: in.AllowedNetworks.Value(),
	}, in.Password)
	errs, err := problems(err)
	return &model.CreateAPIKeyPayload{APIKey: unless(errs, key), Secret: unless(errs, secret), Errors: errs}, err
}

func (r mutations) RevokeAPIKey(ctx context.Context, in model.RevokeAPIKeyInput) (*model.DeletePayload, error) {
	return deleted(in.APIKeyID, r.Account.RevokeAPIKey(ctx, kyro.ViewerFrom(ctx), in.APIKeyID))
}

func (r userFields) Sessions(ctx context.Context, _ *kyro.User) ([]kyro.Session, error) {
	return r.Account.Sessions(ctx, kyro.ViewerFrom(ctx))
}

func (r userFields) APIKeys(ctx context.Context, _ *kyro.User) ([]kyro.APIKey, error) {
	keys, err := r.Account.APIKeys(ctx, kyro.ViewerFrom(ctx))
	from(ctx).level.keys.add(ctx, keys)
	return keys, err
}

type sessionFields struct{}

func (sessionFields) UserAgent(_ context.Context, s *kyro.Session) (*string, error) {
	return orNull(s.Device.UserAgent), nil
}

func (sessionFields) AddressPrefix(_ context.Context, s *kyro.Session) (*string, error) {
	return orNull(s.Device.AddressPrefix), nil
}

func (sessionFields) Current(ctx context.Context, s *kyro.Session) (bool, error) {
	return kyro.ViewerFrom(ctx).SessionID == s.ID, nil
}

type keyFields struct{ *Root }

func (keyFields) AllowedNetworks(_ context.Context, k *kyro.APIKey) ([]string, error) {
	networks := make([]string, len(k.Networks))
	for i, network := range k.Networks {
		networks[i] = network.String()
	}
	return networks, nil
}
