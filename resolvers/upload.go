package resolvers

import (
	"context"

	"kyrochat/graph/model"
	"kyrochat/ingest"
	"kyrochat/kyro"
)

func (r mutations) CreateUpload(ctx context.Context, in model.CreateUploadInput) (*model.CreateUploadPayload, error) {
	n := ingest.NewSlot{FileName: in.FileName, Title: in.Title.Value()}
	if size := in.SizeBytes.Value(); size != nil {
		bytes := int64(*size)
		n.SizeBytes = &bytes
	}
	slot, err := r.Ingest.CreateSlot(ctx, kyro.ViewerFrom(ctx), in.BotID, n)
	errs, err := problems(err)
	return &model.CreateUploadPayload{Upload: unless(errs, slot), Errors: errs}, err
}

type slotFields struct{ *Root }

func (r slotFields) URL(_ context.Context, u *kyro.UploadSlot) (*string, error) {
	return orNull(r.Ingest.SlotURL(u)), nil
}

func (r slotFields) Document(ctx context.Context, u *kyro.UploadSlot) (*kyro.Document, error) {
	return load(ctx, from(ctx).documentRows(), u.DocumentID)
}
