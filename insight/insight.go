// Package insight tells owners how their bots are used, what these could not answer and what is used, and keeps what may be.
//
// Every use case decides by the viewer; the store scopes by owner again.
package insight

import (
	"context"
	"time"

	"kyrochat/kyro"
)

// Store counts what was said, cited and used, and keeps the budgets.
type Store interface {
	// SetBudget sets the limits of the owner's target for a period, or removes the budget where there are none. The deeds are
	// its lines in the audit log, stored with it. NOT_FOUND where the target is not the owner's, or is no more.
	SetBudget(
		ctx context.Context, owner, target kyro.ID, period kyro.BudgetPeriod, limits kyro.SpendingLimits, deeds ...kyro.AuditEntry,
	) error
	// Budgets reads the budgets of the owner's targets as they are at the time, days before months.
	Budgets(ctx context.Context, owner kyro.ID, targets []kyro.ID, now time.Time) (map[kyro.ID][]kyro.HardBudget, error)
	// Usage reads what targets of the owner used, which are all of one kind; the days only where they are wanted. Every target
	// has an entry.
	Usage(ctx context.Context, owner kyro.ID, targets []kyro.ID, r kyro.UsageRange, days bool) (map[kyro.ID]kyro.Usage, error)

	// Bots reads the owner's live bots, in any order.
	Bots(ctx context.Context, owner kyro.ID, ids []kyro.ID) ([]kyro.Bot, error)
	// Figures counts what was said to a bot in each of the spans, which follow each other without a gap.
	Figures(ctx context.Context, bot kyro.ID, spans []kyro.Span) ([]*kyro.Figures, error)
	// Cited counts what answers of a bot cite in a span.
	Cited(ctx context.Context, bot kyro.ID, span kyro.Span) (*kyro.Cited, error)
	// CitedDocuments and CitedPassages show what is used as the newest answers that cite it do, in its order; what no answer
	// cites any more is left out.
	CitedDocuments(ctx context.Context, used []kyro.Used) ([]kyro.CitedDocument, error)
	CitedPassages(ctx context.Context, used []kyro.Used) ([]kyro.CitedPassage, error)
	// UnusedDocuments lists the owner's live documents of a bot that are ready and whose keys are not among those that are
	// cited, oldest first.
	UnusedDocuments(ctx context.Context, owner, bot kyro.ID, cited []int64, req kyro.PageRequest) (kyro.Page[kyro.Document], error)
	// RollUp counts hours that are over, for Figures to be quick. Each turn does a part; more tells that there is more to do.
	RollUp(ctx context.Context, now time.Time) (more bool, err error)
}

// Service is the use cases of insight.
type Service struct {
	store    Store
	currency string
	now      func() time.Time
}

// New makes the use cases over a store. currency is that of the price table; now gives the time, nil is the clock of the
// machine.
func New(store Store, currency string, now func() time.Time) *Service {
	if now == nil {
		now = time.Now
	}
	return &Service{store: store, currency: currency, now: now}
}

func (s *Service) time() time.Time { return kyro.Moment(s.now()) }
