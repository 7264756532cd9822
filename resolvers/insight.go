package resolvers

import (
	"context"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"kyrochat/graph/model"
	"kyrochat/graph/plan"
	"kyrochat/insight"
	"kyrochat/kyro"
)

func (r mutations) SetBudget(ctx context.Context, in model.SetBudgetInput) (*model.BudgetPayload, error) {
	limits := kyro.SpendingLimits{Messages: long(in.MaxMessages.Value()), Tokens: long(in.MaxTokens.Value())}
	if units := in.MaxCost.Value(); units != nil {
		cost := kyro.MoneyOf(*units)
		limits.Cost = &cost
	}
	budget, err := r.Insight.SetBudget(ctx, kyro.ViewerFrom(ctx), insight.BudgetInput{
		BotID: optional(in.BotID), KeyID: optional(in.APIKeyID), Period: in.Period, Limits: limits,
	})
	errs, err := problems(err)
	return &model.BudgetPayload{Budget: budget, Errors: errs}, err
}

func long(n *int) *int64 {
	if n == nil {
		return nil
	}
	wide := int64(*n)
	return &wide
}

// usedBelow gives what each row of a level used, read for all of them together.
func usedBelow[P any](
	ctx context.Context, r *Root, level *level[P], id func(*P) kyro.ID, from, to *time.Time, zone *string, of kyro.ID,
) (*kyro.Usage, error) {
	asked := insight.UsageAsked{From: from, To: to, TimeZone: "UTC", Days: selects(ctx, "days")}
	if zone != nil {
		asked.TimeZone = *zone
	}
	used, err := belowEach(ctx, "usage", []any{asked}, level, id, func(ctx context.Context, ids []kyro.ID) (map[kyro.ID]*kyro.Usage, error) {
		found, err := r.Insight.Usage(ctx, kyro.ViewerFrom(ctx), ids, asked)
		each := make(map[kyro.ID]*kyro.Usage, len(found))
		for id, usage := range found {
			each[id] = &usage
		}
		return each, err
	}, of)
	return promised(used, err)(of)
}

// budgetsBelow gives the budgets of each row of a level, read for all of them together.
func budgetsBelow[P any](ctx context.Context, r *Root, level *level[P], id func(*P) kyro.ID, of kyro.ID) ([]kyro.HardBudget, error) {
	budgets, err := belowEach(ctx, "budgets", nil, level, id, func(ctx context.Context, ids []kyro.ID) (map[kyro.ID][]kyro.HardBudget, error) {
		return r.Insight.Budgets(ctx, kyro.ViewerFrom(ctx), ids)
	}, of)
	if budgets == nil {
		budgets = []kyro.HardBudget{}
	}
	return budgets, err
}

// selects reports whether the field of ctx selects another one, as far as one can tell.
func selects(ctx context.Context, name string) bool {
	if field := plan.FieldFrom(ctx); field != nil {
		return field.Selects(name)
	}
	for _, field := range graphql.CollectFieldsCtx(ctx, nil) {
		if field.Name == name {
			return true
		}
	}
	return false
}

func (r userFields) Usage(ctx context.Context, u *kyro.User, since, to *time.Time, zone *string) (*kyro.Usage, error) {
	return usedBelow(ctx, r.Root, &from(ctx).level.users, (*kyro.User).NodeID, since, to, zone, u.ID)
}

func (r userFields) Budgets(ctx context.Context, u *kyro.User) ([]kyro.HardBudget, error) {
	return budgetsBelow(ctx, r.Root, &from(ctx).level.users, (*kyro.User).NodeID, u.ID)
}

func (r botFields) Usage(ctx context.Context, bot *kyro.Bot, since, to *time.Time, zone *string) (*kyro.Usage, error) {
	return usedBelow(ctx, r.Root, &from(ctx).level.bots, (*kyro.Bot).NodeID, since, to, zone, bot.ID)
}

func (r botFields) Budgets(ctx context.Context, bot *kyro.Bot) ([]kyro.HardBudget, error) {
	return budgetsBelow(ctx, r.Root, &from(ctx).level.bots, (*kyro.Bot).NodeID, bot.ID)
}

func (r keyFields) Usage(ctx context.Context, key *kyro.APIKey, since, to *time.Time, zone *string) (*kyro.Usage, error) {
	return usedBelow(ctx, r.Root, &from(ctx).level.keys, (*kyro.APIKey).NodeID, since, to, zone, key.ID)
}

func (r keyFields) Budgets(ctx context.Context, key *kyro.APIKey) ([]kyro.HardBudget, error) {
	return budgetsBelow(ctx, r.Root, &from(ctx).level.keys, (*kyro.APIKey).NodeID, key.ID)
}
