package insight

import (
	"context"
	"fmt"

	"kyrochat/kyro"
)

// BudgetInput is a budget to set: of the bot, of the key, or, with neither, of the viewer's account.
type BudgetInput struct {
	BotID  kyro.ID
	KeyID  kyro.ID
	Period kyro.BudgetPeriod
	Limits kyro.SpendingLimits
}

// target is what the budget is for.
func (in BudgetInput) target(v kyro.Viewer) (kyro.ID, error) {
	switch {
	case !in.BotID.IsZero() && !in.KeyID.IsZero():
		return kyro.ID{}, kyro.Invalid("apiKeyId", "Give botId or apiKeyId, not both.")
	case !in.BotID.IsZero():
		return in.BotID, in.BotID.Expect(kyro.KindBot)
	case !in.KeyID.IsZero():
		return in.KeyID, in.KeyID.Expect(kyro.KindAPIKey)
	default:
		return v.UserID, nil
	}
}

// SetBudget sets a budget, in place of the one before, and gives it; nil where nothing is limited any more. Only the owner
// may, in person. VALIDATION for limits that are none, NOT_FOUND for what is not the viewer's.
func (s *Service) SetBudget(ctx context.Context, v kyro.Viewer, in BudgetInput) (*kyro.HardBudget, error) {
	if err := v.MustBePerson(); err != nil {
		return nil, err
	}
	target, err := in.target(v)
	if err != nil {
		return nil, err
	}
	if err := in.Limits.Validate(); err != nil {
		return nil, err
	}
	now := s.time()
	deed := v.Entry(kyro.AuditBudgetChanged, kyro.ID{}).Dated(now)
	if target != v.UserID {
		deed.Target = target
	}
	deed.Detail = fmt.Sprintf("%s: %s", in.Period, in.Limits)
	if err := s.store.SetBudget(ctx, v.UserID, target, in.Period, in.Limits, deed); err != nil {
		return nil, err
	}
	found, err := s.Budgets(ctx, v, []kyro.ID{target})
	if err != nil {
		return nil, err
	}
	for _, b := range found[target] {
		if b.Period == in.Period {
			return &b, nil
		}
	}
	return nil, nil
}

// Budgets gives the budgets of the viewer's account, bots or API keys, days before months. Only the owner may see them, in
// person; what is not the viewer's has none.
func (s *Service) Budgets(ctx context.Context, v kyro.Viewer, targets []kyro.ID) (map[kyro.ID][]kyro.HardBudget, error) {
	if err := v.MustBePerson(); err != nil {
		return nil, err
	}
	found, err := s.store.Budgets(ctx, v.UserID, own(v, targets), s.time())
	for _, list := range found {
		for i := range list {
			list[i].Currency = s.currency
		}
	}
	return found, err
}

// own leaves out accounts that are not the viewer's. Of bots and keys the store sees to it.
func own(v kyro.Viewer, targets []kyro.ID) []kyro.ID {
	var list []kyro.ID
	for _, target := range targets {
		if target.Kind != kyro.KindUser || v.Is(target) {
			list = append(list, target)
		}
	}
	return list
}
