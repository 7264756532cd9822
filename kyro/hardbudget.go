package kyro

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// Spending is what answers took, or may take: how many there were, their tokens, and what those cost.
type Spending struct {
	Messages int64 `json:"messages,omitempty"`
	Tokens   int64 `json:"tokens,omitempty"`
	Cost     Money `json:"cost,omitempty"`
}

// Plus is both together.
func (s Spending) Plus(o Spending) Spending {
	return Spending{s.Messages + o.Messages, s.Tokens + o.Tokens, s.Cost + o.Cost}
}

// MessageCount is Messages as clients are told of them: the whole numbers of GraphQL are shorter.
func (s *Spending) MessageCount() float64 { return float64(s.Messages) }

// TokenCount is Tokens likewise.
func (s *Spending) TokenCount() float64 { return float64(s.Tokens) }

// CostUnits is the cost in units of the currency.
func (s *Spending) CostUnits() float64 { return s.Cost.Units() }

// BudgetPeriod is how long a hard budget has to last.
type BudgetPeriod string

// The periods, in UTC.
const (
	BudgetDay   BudgetPeriod = "DAY"
	BudgetMonth BudgetPeriod = "MONTH"
)

// Bounds are when the period that a time is in begins, and when the next one does.
func (p BudgetPeriod) Bounds(at time.Time) (begin, end time.Time) {
	at = at.UTC()
	if p == BudgetMonth {
		begin = time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
		return begin, begin.AddDate(0, 1, 0)
	}
	begin = time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)
	return begin, begin.AddDate(0, 0, 1)
}

// SpendingLimits are how much may be spent in a period; nil: any amount.
type SpendingLimits struct {
	Messages *int64
	Tokens   *int64
	Cost     *Money
}

// MaxBudget is the highest limit of messages and of tokens, and of money in units of the currency.
const MaxBudget = 1_000_000_000

// None reports that nothing is limited.
func (l SpendingLimits) None() bool { return l.Messages == nil && l.Tokens == nil && l.Cost == nil }

// Validate checks that every limit is from 0 to MaxBudget.
func (l SpendingLimits) Validate() error {
	for _, each := range []struct {
		field string
		is    *int64
		most  int64
	}{
		{"maxMessages", l.Messages, MaxBudget}, {"maxTokens", l.Tokens, MaxBudget}, {"maxCost", (*int64)(l.Cost), MaxBudget * int64(MoneyUnit)},
	} {
		if each.is != nil && (*each.is < 0 || *each.is > each.most) {
			return Invalid(each.field, "A limit is from 0 to %d; null is none.", MaxBudget)
		}
	}
	return nil
}

// Tighter has the lower limit of both for each amount.
func (l SpendingLimits) Tighter(o SpendingLimits) SpendingLimits {
	return SpendingLimits{lower(l.Messages, o.Messages), lower(l.Tokens, o.Tokens), lower(l.Cost, o.Cost)}
}

func lower[N int64 | Money](a, b *N) *N {
	if a == nil || b != nil && *b < *a {
		return b
	}
	return a
}

// What is limited.
const (
	BudgetOfMessages = "messages"
	BudgetOfTokens   = "tokens"
	BudgetOfMoney    = "money"
)

// each calls what for each amount that is limited.
func (l SpendingLimits) each(s Spending, what func(name string, spent, limit int64)) {
	if l.Messages != nil {
		what(BudgetOfMessages, s.Messages, *l.Messages)
	}
	if l.Tokens != nil {
		what(BudgetOfTokens, s.Tokens, *l.Tokens)
	}
	if l.Cost != nil {
		what(BudgetOfMoney, int64(s.Cost), int64(*l.Cost))
	}
}

// String says the limits, for the audit log.
func (l SpendingLimits) String() string {
	var parts []string
	l.each(Spending{}, func(name string, _, limit int64) {
		if name == BudgetOfMoney {
			parts = append(parts, fmt.Sprintf("money %.6g", Money(limit).Units()))
			return
		}
		parts = append(parts, fmt.Sprintf("%s %d", name, limit))
	})
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// HardBudget is how much may be spent by an account, with a bot or by an API key in a period, and how much of it is: an
// answer reserves what it may take before a model is asked, and has what it took counted when it ends. It is another thing
// than Budget, which is about the texts that are read for one response.
type HardBudget struct {
	Target   ID // of a user, a bot or an API key
	Period   BudgetPeriod
	Limits   SpendingLimits
	Used     Spending // by answers that ended
	Reserved Spending // for answers that did not
	Since    time.Time
	ResetAt  time.Time // when the next period begins
	Currency string    // of the price table
}

// MaxMessages is the limit of messages as clients are told of it; nil: none.
func (b *HardBudget) MaxMessages() *float64 { return told(b.Limits.Messages) }

// MaxTokens is the limit of tokens likewise.
func (b *HardBudget) MaxTokens() *float64 { return told(b.Limits.Tokens) }

// MaxCost is the limit of money in units of the currency; nil: none.
func (b *HardBudget) MaxCost() *float64 {
	if b.Limits.Cost == nil {
		return nil
	}
	units := b.Limits.Cost.Units()
	return &units
}

func told(limit *int64) *float64 {
	if limit == nil {
		return nil
	}
	n := float64(*limit)
	return &n
}

// BudgetWarnAt is at how many per cent of a limit the owner is warned.
const BudgetWarnAt = 80

// Over says which limit does not suffice for what is used and reserved; "" where all do.
func (b *HardBudget) Over() (name string) {
	b.Limits.each(b.Used.Plus(b.Reserved), func(what string, spent, limit int64) {
		if name == "" && spent > limit {
			name = what
		}
	})
	return name
}

// Near says of which limits so much is used that the owner is to be warned.
func (b *HardBudget) Near() (names []string) {
	b.Limits.each(b.Used, func(what string, spent, limit int64) {
		if limit > 0 && 100*spent >= BudgetWarnAt*limit {
			names = append(names, what)
		}
	})
	return names
}

// of names whose budget it is, for people.
func (b *HardBudget) of() string {
	switch b.Target.Kind {
	case KindBot:
		return "of the bot " + b.Target.String()
	case KindAPIKey:
		return "of the API key " + b.Target.String()
	default:
		return "of the account"
	}
}

// Name is the budget in words: the daily budget of the account.
func (b *HardBudget) Name() string {
	if b.Period == BudgetMonth {
		return "the monthly budget " + b.of()
	}
	return "the daily budget " + b.of()
}

// Exceeded is the BUDGET_EXCEEDED of an answer that asked for more than is left of the budgets, which have it among their
// reserved amounts; nil where it is left of all of them. It resets when the last of those that do not suffice does.
func Exceeded(asked Spending, budgets []HardBudget) error {
	var worst *HardBudget
	for i := range budgets {
		if b := &budgets[i]; b.Over() != "" && (worst == nil || cmp.Compare(worst.ResetAt.Unix(), b.ResetAt.Unix()) < 0) {
			worst = b
		}
	}
	if worst == nil {
		return nil
	}
	what := worst.Over()
	var left, limit, wanted string
	worst.Limits.each(worst.Used.Plus(worst.Reserved), func(name string, spent, most int64) {
		if name != what {
			return
		}
		ask := map[string]int64{BudgetOfMessages: asked.Messages, BudgetOfTokens: asked.Tokens, BudgetOfMoney: int64(asked.Cost)}[name]
		say := func(n int64) string { return fmt.Sprint(n) }
		if name == BudgetOfMoney {
			say = func(n int64) string { return fmt.Sprintf("%.6g", Money(n).Units()) }
		}
		left, limit, wanted = say(max(0, most-(spent-ask))), say(most), say(ask)
	})
	if what == BudgetOfMoney {
		what = "units of money"
	}
	err := Errorf(CodeBudgetExceeded, "%s has %s of %s %s left, and this answer may take %s. It is whole again at %s.",
		"T"+worst.Name()[1:], left, limit, what, wanted, worst.ResetAt.UTC().Format("2006-01-02 15:04 UTC"))
	at := worst.ResetAt
	err.ResetAt = &at
	return err
}

// Charge is on whose account an answer goes beside its sender's and its bot's, and what it may take.
type Charge struct {
	KeyID ID // the API key that it was sent with; zero where it was sent in person
	// Estimate is what the bot's answer may take at the most, as far as that can be told before. opens says that it is the
	// first one of its conversation. nil: it is reserved as a message alone.
	Estimate func(bot Bot, question string, opens bool) Spending
}

// Of is what is reserved for an answer.
func (c Charge) Of(bot Bot, question string, opens bool) Spending {
	if c.Estimate == nil {
		return Spending{Messages: 1}
	}
	s := c.Estimate(bot, question, opens)
	s.Messages = 1
	return s
}

// BudgetNotice is what a mail tells of a hard budget that is nearly used up.
type BudgetNotice struct {
	Target  ID           `json:"-"`
	Name    string       `json:"name"` // the budget in words
	Period  BudgetPeriod `json:"period"`
	What    string       `json:"what"` // messages, tokens or money
	Used    Spending     `json:"used"`
	Limit   Spending     `json:"limit"` // of What alone
	ResetAt time.Time    `json:"resetAt"`
}

// Notices are what is to be told of a budget, one for each limit.
func (b *HardBudget) Notices() (list []*BudgetNotice) {
	for _, what := range b.Near() {
		n := &BudgetNotice{Target: b.Target, Name: b.Name(), Period: b.Period, What: what, Used: b.Used, ResetAt: b.ResetAt}
		switch what {
		case BudgetOfMessages:
			n.Limit.Messages = *b.Limits.Messages
		case BudgetOfTokens:
			n.Limit.Tokens = *b.Limits.Tokens
		default:
			n.Limit.Cost = *b.Limits.Cost
		}
		list = append(list, n)
	}
	return list
}
