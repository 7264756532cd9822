package resolvers

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"kyrochat/graph/model"
	"kyrochat/insight"
	"kyrochat/kyro"
)

func (r botFields) Analytics(
	ctx context.Context, bot *kyro.Bot, from, to time.Time, interval *kyro.Interval, zone *string,
) (*kyro.BotAnalytics, error) {
	asked := insight.Asked{Span: kyro.Span{From: from, To: to}, Interval: kyro.IntervalDay, TimeZone: "UTC"}
	asked.NoFigures = !selects(ctx, "total") && !selects(ctx, "series")
	if interval != nil {
		asked.Interval = *interval
	}
	if zone != nil {
		asked.TimeZone = *zone
	}
	told, err := r.Insight.Analytics(ctx, kyro.ViewerFrom(ctx), bot.ID, asked)
	return &told, err
}

type analyticsFields struct{ *Root }

func (r analyticsFields) TopDocuments(ctx context.Context, a *kyro.BotAnalytics, first *int) ([]kyro.CitedDocument, error) {
	found, err := r.Insight.TopDocuments(ctx, kyro.ViewerFrom(ctx), a.BotID, a.Span, orDefault(first, defaultTop))
	if err != nil || !selects(ctx, "document") {
		return orNone(found), err
	}
	documents := make([]kyro.ID, len(found))
	for i := range found {
		documents[i] = found[i].DocumentID
	}
	return orNone(found), from(ctx).documentRows().prime(ctx, documents)
}

func (r analyticsFields) TopPassages(ctx context.Context, a *kyro.BotAnalytics, first *int) ([]kyro.CitedPassage, error) {
	found, err := r.Insight.TopPassages(ctx, kyro.ViewerFrom(ctx), a.BotID, a.Span, orDefault(first, defaultTop))
	if err != nil {
		return nil, err
	}
	documents, chunks := make([]kyro.ID, len(found)), make([]kyro.ID, len(found))
	for i := range found {
		documents[i], chunks[i] = found[i].DocumentID, found[i].ChunkID
	}
	if selects(ctx, "chunk") {
		err = from(ctx).chunkRows().prime(ctx, chunks)
	}
	if err == nil && selects(ctx, "document") {
		err = from(ctx).documentRows().prime(ctx, documents)
	}
	return orNone(found), err
}

func (r analyticsFields) UnusedDocuments(
	ctx context.Context, a *kyro.BotAnalytics, first *int, after *string, last *int, before *string,
) (*model.DocumentConnection, error) {
	req, err := request(ctx, kyro.UnusedOrder, first, after, last, before)
	if err != nil {
		return nil, err
	}
	found, err := r.Insight.UnusedDocuments(ctx, kyro.ViewerFrom(ctx), a.BotID, a.Span, req)
	from(ctx).level.documents.add(ctx, found.Nodes)
	return listed(found, err)
}

// defaultTop is how many are most used where nothing is said.
const defaultTop = 10

// orNone is the list, which is not null where it is empty.
func orNone[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

type citedDocumentFields struct{}

func (citedDocumentFields) Document(ctx context.Context, d *kyro.CitedDocument) (*kyro.Document, error) {
	return load(ctx, from(ctx).documentRows(), d.DocumentID)
}

type citedPassageFields struct{}

func (citedPassageFields) Document(ctx context.Context, p *kyro.CitedPassage) (*kyro.Document, error) {
	return load(ctx, from(ctx).documentRows(), p.DocumentID)
}

func (citedPassageFields) Chunk(ctx context.Context, p *kyro.CitedPassage) (*kyro.Chunk, error) {
	return load(ctx, from(ctx).chunkRows(), p.ChunkID)
}

type figureFields struct{}

func (figureFields) Conversations(_ context.Context, f *kyro.Figures) (int, error) {
	return len(f.Conversations), nil
}

func (figureFields) People(_ context.Context, f *kyro.Figures) (int, error) {
	return len(f.People), nil
}

func (figureFields) ByGrounding(_ context.Context, f *kyro.Figures) (counts []model.GroundingCount, err error) {
	for _, g := range kyro.Groundings {
		counts = append(counts, model.GroundingCount{Grounding: g, Answers: int(f.Groundings[g])})
	}
	return counts, nil
}

func (figureFields) ByFinishReason(_ context.Context, f *kyro.Figures) (counts []model.FinishReasonCount, err error) {
	for _, r := range kyro.FinishReasons {
		counts = append(counts, model.FinishReasonCount{FinishReason: r, Answers: int(f.Finishes[r])})
	}
	return counts, nil
}

// Tokens are told as Usage tells them: the whole numbers of GraphQL are too short for those of a year.

func (figureFields) PromptTokens(_ context.Context, f *kyro.Figures) (float64, error) {
	return float64(f.AllTokens().Prompt), nil
}

func (figureFields) OutputTokens(_ context.Context, f *kyro.Figures) (float64, error) {
	return float64(f.AllTokens().Output), nil
}

func (figureFields) TotalTokens(_ context.Context, f *kyro.Figures) (float64, error) {
	all := f.AllTokens()
	return float64(all.Prompt + all.Output), nil
}

func (figureFields) ByModel(_ context.Context, f *kyro.Figures) (list []model.ModelTokens, err error) {
	for _, name := range slices.Sorted(maps.Keys(f.Tokens)) {
		list = append(list, model.ModelTokens{Model: name, PromptTokens: float64(f.Tokens[name].Prompt), OutputTokens: float64(f.Tokens[name].Output)})
	}
	slices.SortStableFunc(list, func(a, b model.ModelTokens) int {
		return cmp.Compare(b.PromptTokens+b.OutputTokens, a.PromptTokens+a.OutputTokens)
	})
	return list, nil
}

func (figureFields) TimeToFirstTokenMs(_ context.Context, f *kyro.Figures) (*model.Percentiles, error) {
	return percentiles(f.FirstToken), nil
}

func (figureFields) DurationMs(_ context.Context, f *kyro.Figures) (*model.Percentiles, error) {
	return percentiles(f.Duration), nil
}

func percentiles(t kyro.Times) *model.Percentiles {
	return &model.Percentiles{P50: t.Percentile(50), P95: t.Percentile(95)}
}
