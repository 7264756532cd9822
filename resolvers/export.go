package resolvers

import (
	"context"

	"kyrochat/export"
	"kyrochat/graph/model"
	"kyrochat/kyro"
)

func (r queries) Export(ctx context.Context, id kyro.ID) (*kyro.Export, error) {
	row, err := r.Root.Exports.Export(ctx, kyro.ViewerFrom(ctx), id)
	return noted(ctx, &from(ctx).level.exports, row, err)
}

func (r userFields) Exports(ctx context.Context, _ *kyro.User) ([]kyro.Export, error) {
	rows, err := r.Root.Exports.List(ctx, kyro.ViewerFrom(ctx))
	from(ctx).level.exports.add(ctx, rows)
	return rows, err
}

func (r mutations) ExportConversations(ctx context.Context, in model.ExportConversationsInput) (*model.ExportPayload, error) {
	return exportPayload(ctx)(r.Root.Exports.Conversations(ctx, kyro.ViewerFrom(ctx), export.Asked{
		BotID: in.BotID, Format: in.Format, From: in.From.Value(), To: in.To.Value(),
	}))
}

func (r mutations) ExportMyData(ctx context.Context) (*model.ExportPayload, error) {
	return exportPayload(ctx)(r.Root.Exports.MyData(ctx, kyro.ViewerFrom(ctx)))
}

func exportPayload(ctx context.Context) func(kyro.Export, error) (*model.ExportPayload, error) {
	return func(e kyro.Export, err error) (*model.ExportPayload, error) {
		errs, err := problems(err)
		from(ctx).level.exports.add(ctx, []kyro.Export{e})
		return &model.ExportPayload{Export: unless(errs, e), Errors: errs}, err
	}
}

func (r mutations) DeleteExport(ctx context.Context, in model.DeleteExportInput) (*model.DeletePayload, error) {
	return deleted(in.ExportID, r.Root.Exports.Delete(ctx, kyro.ViewerFrom(ctx), in.ExportID))
}

func (r subscriptions) ExportProgress(ctx context.Context, exportID kyro.ID) (<-chan *kyro.Export, error) {
	return stream(ctx, addresses(r.Root.Exports.Watch(ctx, kyro.ViewerFrom(ctx), exportID)))
}

type exportFields struct{ *Root }

func (r exportFields) Bot(ctx context.Context, e *kyro.Export) (*kyro.Bot, error) {
	return follow(ctx, exportBot, e.BotID)
}

func (r exportFields) URL(_ context.Context, e *kyro.Export) (*string, error) {
	return orNull(r.Exports.URL(e)), nil
}
