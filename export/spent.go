package export

import (
	"context"
	"time"

	"kyrochat/kyro"
)

// usage is what the account used, a line for each month of UTC, kind and model.
func (m *making) usage(ctx context.Context, add func(any) error) error {
	owner := m.e.OwnerID
	users, err := m.Store.Users(ctx, []kyro.ID{owner})
	u, err := kyro.One(users, err, kyro.KindUser)
	if err != nil {
		return err
	}
	for month, _ := kyro.BudgetMonth.Bounds(u.CreatedAt); !month.After(m.e.CreatedAt); {
		_, next := kyro.BudgetMonth.Bounds(month)
		used, err := m.Store.Usage(ctx, owner, []kyro.ID{owner}, kyro.UsageRange{From: month, To: next, Zone: time.UTC}, false)
		if err != nil {
			return err
		}
		for _, of := range used[owner].Models {
			err := add(told{
				"month": month.Format("2006-01"), "kind": string(of.Kind), "model": of.Model, "messages": of.Messages,
				"promptTokens": of.PromptTokens, "outputTokens": of.OutputTokens, "cost": of.CostUnits(), "currency": m.Currency,
			})
			if err != nil {
				return err
			}
		}
		month = next
	}
	return nil
}

// budgets are those of the account, its bots and its API keys, with what is used in their present periods.
func (m *making) budgets(ctx context.Context, add func(any) error) error {
	targets := []kyro.ID{m.e.OwnerID}
	keys, err := m.Store.APIKeysOf(ctx, m.e.OwnerID)
	if err != nil {
		return err
	}
	for _, key := range keys {
		targets = append(targets, key.ID)
	}
	err = m.eachBot(ctx, func(b *kyro.Bot) error { targets = append(targets, b.ID); return nil })
	if err != nil {
		return err
	}
	found, err := m.Store.Budgets(ctx, m.e.OwnerID, targets, m.e.CreatedAt)
	if err != nil {
		return err
	}
	for _, target := range targets {
		for _, b := range found[target] {
			err := add(told{
				"of": target.String(), "period": string(b.Period), "maxMessages": b.Limits.Messages, "maxTokens": b.Limits.Tokens, "maxCost": b.MaxCost(),
				"currency": m.Currency, "usedMessages": b.Used.Messages, "usedTokens": b.Used.Tokens, "usedCost": b.Used.CostUnits(),
				"since": stamp(b.Since), "resetAt": stamp(b.ResetAt),
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
