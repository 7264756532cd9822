package resolvers

import (
	"context"

	"kyrochat/graph/model"
	"kyrochat/kyro"
)

func (r userFields) AuditLog(ctx context.Context, _ *kyro.User, first *int, after *string) (*model.AuditEntryConnection, error) {
	page, err := request(ctx, "AT.DESC", first, after, nil, nil)
	if err != nil {
		return nil, err
	}
	return listed(r.Account.AuditLog(ctx, kyro.ViewerFrom(ctx), page))
}

type auditFields struct{}

func (auditFields) By(_ context.Context, e *kyro.AuditEntry) (*kyro.ID, error) {
	return idOrNull(e.By), nil
}

func (auditFields) Target(_ context.Context, e *kyro.AuditEntry) (*kyro.ID, error) {
	return idOrNull(e.Target), nil
}

func (auditFields) AddressPrefix(_ context.Context, e *kyro.AuditEntry) (*string, error) {
	return orNull(e.Device.AddressPrefix), nil
}

func (auditFields) UserAgent(_ context.Context, e *kyro.AuditEntry) (*string, error) {
	return orNull(e.Device.UserAgent), nil
}

func (auditFields) RequestID(_ context.Context, e *kyro.AuditEntry) (*string, error) {
	return orNull(e.RequestID), nil
}

func (auditFields) Detail(_ context.Context, e *kyro.AuditEntry) (*string, error) {
	return orNull(e.Detail), nil
}

func idOrNull(id kyro.ID) *kyro.ID {
	if id.IsZero() {
		return nil
	}
	return &id
}
