package resolvers

import (
	"context"

	"kyrochat/graph/model"
	"kyrochat/kyro"
)

func (r mutations) ResolveGap(ctx context.Context, in model.ResolveGapInput) (*model.ResolveGapPayload, error) {
	gap, document, err := r.Gaps.Resolve(ctx, kyro.ViewerFrom(ctx), in.GapID, in.Question.Value(), in.Answer)
	errs, err := problems(err)
	return &model.ResolveGapPayload{Gap: unless(errs, gap), Document: unless(errs, document), Errors: errs}, err
}

func (r mutations) DismissGap(ctx context.Context, in model.DismissGapInput) (*model.DismissGapPayload, error) {
	gap, err := r.Gaps.Dismiss(ctx, kyro.ViewerFrom(ctx), in.GapID, in.Dismissed)
	errs, err := problems(err)
	return &model.DismissGapPayload{Gap: unless(errs, gap), Errors: errs}, err
}

func (r botFields) KnowledgeGaps(
	ctx context.Context, bot *kyro.Bot, filter *model.KnowledgeGapFilter, first *int, after *string, last *int, before *string,
) (*model.KnowledgeGapConnection, error) {
	req, err := request(ctx, kyro.GapsOrder, first, after, last, before)
	if err != nil {
		return nil, err
	}
	var some kyro.GapFilter
	if filter != nil {
		some.Status = filter.Status.Value()
	}
	l := from(ctx)
	return listed(page(ctx, children[kyro.Bot, kyro.Gap]{
		name: "knowledgeGaps", parents: &l.level.bots, parentID: (*kyro.Bot).NodeID, rows: &l.level.gaps, arguments: []any{some, req},
		read: func(ctx context.Context, bots []kyro.ID) (map[kyro.ID]kyro.Page[kyro.Gap], error) {
			return r.Gaps.List(ctx, kyro.ViewerFrom(ctx), bots, some, req)
		},
	}, bot.ID))
}

func (r analyticsFields) UnansweredQuestions(ctx context.Context, a *kyro.BotAnalytics, first *int) ([]kyro.GapCount, error) {
	counts, err := r.Gaps.Unanswered(ctx, kyro.ViewerFrom(ctx), a.BotID, a.Span, orDefault(first, kyro.DefaultUnanswered))
	gaps := make([]kyro.Gap, len(counts))
	for i := range counts {
		gaps[i] = counts[i].Gap
	}
	from(ctx).level.gaps.add(ctx, gaps)
	return counts, err
}

type unansweredFields struct{}

func (unansweredFields) Question(_ context.Context, c *kyro.GapCount) (string, error) {
	return c.Gap.Question, nil
}

type gapFields struct{ *Root }

func (r gapFields) Bot(ctx context.Context, g *kyro.Gap) (*kyro.Bot, error) {
	return promised(follow(ctx, gapBot, g.BotID))(g.BotID)
}

func (r gapFields) Document(ctx context.Context, g *kyro.Gap) (*kyro.Document, error) {
	return follow(ctx, gapDocument, g.DocumentID)
}

func (r gapFields) Check(_ context.Context, g *kyro.Gap) (*kyro.GapCheck, error) {
	if g.Check.BeganAt == nil {
		return nil, nil
	}
	return &g.Check, nil
}

func (r gapFields) Questions(
	ctx context.Context, g *kyro.Gap, first *int, after *string, last *int, before *string,
) (*model.KnowledgeGapQuestionConnection, error) {
	req, err := request(ctx, kyro.GapQuestionsOrder, first, after, last, before)
	if err != nil {
		return nil, err
	}
	l := from(ctx)
	return listed(page(ctx, children[kyro.Gap, kyro.GapQuestion]{
		name: "questions", parents: &l.level.gaps, parentID: (*kyro.Gap).NodeID, rows: &l.level.gapQuestions, arguments: []any{req},
		read: func(ctx context.Context, gaps []kyro.ID) (map[kyro.ID]kyro.Page[kyro.GapQuestion], error) {
			return r.Gaps.Questions(ctx, kyro.ViewerFrom(ctx), gaps, req)
		},
	}, g.ID))
}

type gapCheckFields struct{}

func (gapCheckFields) Problem(_ context.Context, c *kyro.GapCheck) (*kyro.GapProblem, error) {
	return unlessEmpty(c.Problem), nil
}

type gapQuestionFields struct{}

func (gapQuestionFields) Message(ctx context.Context, q *kyro.GapQuestion) (*kyro.Message, error) {
	return follow(ctx, gapQuestionMessage, q.MessageID)
}

func (gapQuestionFields) Verdict(_ context.Context, q *kyro.GapQuestion) (*kyro.GapVerdict, error) {
	return unlessEmpty(q.Verdict), nil
}

// unlessEmpty is null for a value that says nothing.
func unlessEmpty[T ~string](value T) *T {
	if value == "" {
		return nil
	}
	return &value
}
