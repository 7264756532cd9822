package resolvers

import (
	"context"
	"errors"

	"kyrochat/graph/model"
	"kyrochat/ingest"
	"kyrochat/kyro"
)

func (r mutations) UploadDocument(ctx context.Context, in model.UploadDocumentInput) (*model.DocumentPayload, error) {
	return addedPayload(ctx)(r.Ingest.Upload(ctx, kyro.ViewerFrom(ctx), in.BotID, in.Title.Value(), in.File.FileName, in.File.Reader))
}

func (r mutations) AddTextDocument(ctx context.Context, in model.AddTextDocumentInput) (*model.DocumentPayload, error) {
	return addedPayload(ctx)(r.Ingest.AddText(ctx, kyro.ViewerFrom(ctx), in.BotID, in.Title, in.Text))
}

func (r mutations) RetryDocument(ctx context.Context, in model.RetryDocumentInput) (*model.DocumentPayload, error) {
	return documentPayload(r.Ingest.Retry(ctx, kyro.ViewerFrom(ctx), in.DocumentID))
}

func (r mutations) CancelDocument(ctx context.Context, in model.CancelDocumentInput) (*model.DocumentPayload, error) {
	return documentPayload(r.Ingest.Cancel(ctx, kyro.ViewerFrom(ctx), in.DocumentID))
}

func (r mutations) DeleteDocument(ctx context.Context, in model.DeleteDocumentInput) (*model.DeletePayload, error) {
	return deletePayload(in.DocumentID, r.Ingest.Delete(ctx, kyro.ViewerFrom(ctx), in.DocumentID))
}

func (r mutations) AddQADocument(ctx context.Context, in model.AddQADocumentInput) (*model.DocumentPayload, error) {
	return addedPayload(ctx)(r.Ingest.AddQA(ctx, kyro.ViewerFrom(ctx), in.BotID, kyro.QA{Question: in.Question, Answer: in.Answer}))
}

func (r mutations) AddURLDocument(ctx context.Context, in model.AddURLDocumentInput) (*model.DocumentPayload, error) {
	return addedPayload(ctx)(r.Ingest.AddURL(ctx, kyro.ViewerFrom(ctx), in.BotID, in.URL, in.Title.Value()))
}

func (r mutations) ReprocessDocument(ctx context.Context, in model.ReprocessDocumentInput) (*model.DocumentPayload, error) {
	return documentPayload(r.Ingest.Reprocess(ctx, kyro.ViewerFrom(ctx), in.DocumentID,
		ingest.Cut{ChunkTokens: opt(in.ChunkTokens), OverlapTokens: opt(in.OverlapTokens)}))
}

func (r mutations) ResyncDocument(ctx context.Context, in model.ResyncDocumentInput) (*model.DocumentPayload, error) {
	return documentPayload(r.Ingest.Resync(ctx, kyro.ViewerFrom(ctx), in.DocumentID))
}

func (r mutations) SetDocumentSync(ctx context.Context, in model.SetDocumentSyncInput) (*model.DocumentPayload, error) {
	return documentPayload(r.Ingest.SetSync(ctx, kyro.ViewerFrom(ctx), in.DocumentID, in.IntervalHours.Value()))
}

func (r mutations) RetryDocuments(ctx context.Context, in model.DocumentsInput) (*model.DocumentsPayload, error) {
	return documentsPayload(r.Ingest.RetryAll(ctx, kyro.ViewerFrom(ctx), in.DocumentIds))
}

func (r mutations) DeleteDocuments(ctx context.Context, in model.DocumentsInput) (*model.DocumentsPayload, error) {
	return documentsPayload(r.Ingest.DeleteAll(ctx, kyro.ViewerFrom(ctx), in.DocumentIds))
}

func (r mutations) UpdateChunk(ctx context.Context, in model.UpdateChunkInput) (*model.ChunkPayload, error) {
	chunk, err := r.Ingest.SetChunkEnabled(ctx, kyro.ViewerFrom(ctx), in.ChunkID, in.Enabled)
	errs, err := problems(err)
	return &model.ChunkPayload{Chunk: unless(errs, chunk), Errors: errs}, err
}

// documentsPayload tells what became of each document: its error is data, whatever it is, but for those of the server.
func documentsPayload(results []ingest.Result, err error) (*model.DocumentsPayload, error) {
	errs, err := problems(err)
	payload := &model.DocumentsPayload{Results: make([]model.DocumentResult, len(results)), Errors: errs}
	for i, result := range results {
		payload.Results[i] = model.DocumentResult{DocumentID: result.ID, Document: result.Document, Errors: []kyro.Error{}}
		if known, ok := errors.AsType[*kyro.Error](result.Err); ok {
			payload.Results[i].Errors = []kyro.Error{*known}
		}
	}
	return payload, err
}

func documentPayload(document kyro.Document, err error) (*model.DocumentPayload, error) {
	errs, err := problems(err)
	return &model.DocumentPayload{Document: unless(errs, document), Errors: errs}, err
}

func addedPayload(ctx context.Context) func(ingest.Added, error) (*model.DocumentPayload, error) {
	return func(added ingest.Added, err error) (*model.DocumentPayload, error) {
		payload, err := documentPayload(added.Document, err)
		if err == nil && added.DuplicateOf != nil {
			payload.DuplicateOf, err = load(ctx, from(ctx).documentRows(), *added.DuplicateOf)
		}
		return payload, err
	}
}

type documentFields struct{ *Root }

func (r documentFields) Bot(ctx context.Context, d *kyro.Document) (*kyro.Bot, error) {
	return promised(follow(ctx, documentBot, d.BotID))(d.BotID)
}

func (r documentFields) FileName(_ context.Context, d *kyro.Document) (*string, error) {
	return orNull(d.FileName), nil
}

func (r documentFields) URL(_ context.Context, d *kyro.Document) (*string, error) {
	return orNull(d.URL), nil
}

func (r documentFields) MimeType(_ context.Context, d *kyro.Document) (*string, error) {
	return orNull(d.MimeType), nil
}

func (r documentFields) StatusReason(_ context.Context, d *kyro.Document) (*string, error) {
	return orNull(d.StatusReason), nil
}

func (r documentFields) Language(_ context.Context, d *kyro.Document) (*string, error) {
	return orNull(d.Language), nil
}

func (r documentFields) ContentHash(_ context.Context, d *kyro.Document) (*string, error) {
	return orNull(d.ContentHash), nil
}

func (r documentFields) Sync(_ context.Context, d *kyro.Document) (*kyro.DocumentSync, error) {
	if d.Kind != kyro.DocumentURL {
		return nil, nil
	}
	sync := d.Sync()
	return &sync, nil
}

func (r documentFields) Crawl(ctx context.Context, d *kyro.Document) (*kyro.Crawl, error) {
	return follow(ctx, documentCrawl, d.CrawlID)
}

func (r documentFields) DownloadURL(_ context.Context, d *kyro.Document) (*string, error) {
	return orNull(r.Ingest.DownloadURL(d)), nil
}

func (r documentFields) Chunks(
	ctx context.Context, d *kyro.Document, first *int, after *string, last *int, before *string,
) (*model.ChunkConnection, error) {
	req, err := request(ctx, kyro.ChunksOrder, first, after, last, before)
	if err != nil {
		return nil, err
	}
	l := from(ctx)
	return listed(page(ctx, children[kyro.Document, kyro.Chunk]{
		name: "chunks", parents: &l.level.documents, parentID: (*kyro.Document).NodeID, rows: &l.level.chunks, arguments: []any{req},
		read: func(ctx context.Context, documents []kyro.ID) (map[kyro.ID]kyro.Page[kyro.Chunk], error) {
			return r.Ingest.ChunkList(ctx, kyro.ViewerFrom(ctx), documents, req)
		},
	}, d.ID))
}

// Text is null also where the document was deleted since its row was read: that must not cost the rest of the answer.
func (r documentFields) Text(ctx context.Context, d *kyro.Document, start, length *int) (*string, error) {
	begin, most := orDefault(start, 0), orDefault(length, ingest.MaxTextSlice)
	read := func(ctx context.Context, documents []kyro.ID) (map[kyro.ID]*string, error) {
		texts, err := r.Ingest.Texts(ctx, kyro.ViewerFrom(ctx), documents, begin, most)
		found := make(map[kyro.ID]*string, len(texts))
		for id, text := range texts {
			found[id] = &text
		}
		return found, err
	}
	return belowEach(ctx, "text", []any{begin, most}, from(ctx).documentLevel(), (*kyro.Document).NodeID, read, d.ID)
}

// orDefault is the argument, or its default where null was given.
func orDefault[T any](arg *T, value T) T {
	if arg == nil {
		return value
	}
	return *arg
}

type progressFields struct{}

func (progressFields) Document(ctx context.Context, p *kyro.DocumentProgress) (*kyro.Document, error) {
	if p.Deleted {
		return nil, nil
	}
	return load(ctx, from(ctx).documentRows(), p.DocumentID)
}

type chunkFields struct{}

func (chunkFields) Document(ctx context.Context, c *kyro.Chunk) (*kyro.Document, error) {
	return promised(follow(ctx, chunkDocument, c.DocumentID))(c.DocumentID)
}

type runFields struct{}

func (runFields) Outcome(_ context.Context, r *kyro.DocumentRun) (*kyro.RunOutcome, error) {
	if r.Outcome == "" {
		return nil, nil
	}
	return &r.Outcome, nil
}

func (runFields) Reason(_ context.Context, r *kyro.DocumentRun) (*string, error) {
	return orNull(r.Reason), nil
}
