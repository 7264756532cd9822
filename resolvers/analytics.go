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
	if interval != nil {
		asked.Interval = *interval
	}
	if zone != nil {
		asked.TimeZone = *zone
	}
	told, err := r.Insight.Analytics(ctx, kyro.ViewerFrom(ctx), bot.ID, asked)
	return &told, err
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

func (figureFields) PromptTokens(_ context.Context, f *kyro.Figures) (int, error) {
	return int(f.AllTokens().Prompt), nil
}

func (figureFields) OutputTokens(_ context.Context, f *kyro.Figures) (int, error) {
	return int(f.AllTokens().Output), nil
}

func (figureFields) TotalTokens(_ context.Context, f *kyro.Figures) (int, error) {
	all := f.AllTokens()
	return int(all.Prompt + all.Output), nil
}

func (figureFields) ByModel(_ context.Context, f *kyro.Figures) (list []model.ModelTokens, err error) {
	for _, name := range slices.Sorted(maps.Keys(f.Tokens)) {
		list = append(list, model.ModelTokens{Model: name, PromptTokens: int(f.Tokens[name].Prompt), OutputTokens: int(f.Tokens[name].Output)})
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
