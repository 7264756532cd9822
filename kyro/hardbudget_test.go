package kyro_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"kyrochat/kyro"
)

func TestPeriodsAreOfUTC(t *testing.T) {
	east := time.FixedZone("", 9*3600)
	for _, c := range []struct {
		period     kyro.BudgetPeriod
		at         time.Time
		begin, end string
	}{
		{kyro.BudgetDay, time.Date(2026, 12, 1, 8, 59, 0, 0, east), "2026-11-30T00:00:00Z", "2026-12-01T00:00:00Z"},
		{kyro.BudgetDay, time.Date(2026, 12, 1, 9, 0, 0, 0, east), "2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z"},
		{kyro.BudgetMonth, time.Date(2026, 12, 1, 8, 59, 0, 0, east), "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"},
		{kyro.BudgetMonth, time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC), "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},
	} {
		begin, end := c.period.Bounds(c.at)
		if begin.Format(time.RFC3339) != c.begin || end.Format(time.RFC3339) != c.end {
			t.Errorf("%s of %s: %s to %s", c.period, c.at, begin, end)
		}
	}
}

func spendingLimits(messages, tokens int64, cost kyro.Money) kyro.SpendingLimits {
	return kyro.SpendingLimits{Messages: &messages, Tokens: &tokens, Cost: &cost}
}

func TestTheLastBudgetToResetIsTold(t *testing.T) {
	day, month := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC), time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	asked := kyro.Spending{Messages: 1, Tokens: 500, Cost: 250_000}
	budget := func(target kyro.ID, period kyro.BudgetPeriod, used kyro.Spending, resets time.Time) kyro.HardBudget {
		return kyro.HardBudget{Target: target, Period: period, Limits: spendingLimits(10, 10_000, 2_000_000), Used: used, Reserved: asked, ResetAt: resets}
	}
	full := budget(kyro.UserID(1), kyro.BudgetDay, kyro.Spending{Messages: 9, Tokens: 9_500, Cost: 1_750_000}, day)
	if err := kyro.Exceeded(asked, []kyro.HardBudget{full}); err != nil {
		t.Errorf("what is just left is refused: %v", err)
	}
	for _, c := range []struct {
		budgets []kyro.HardBudget
		says    string
		resets  time.Time
	}{
		{[]kyro.HardBudget{full, budget(kyro.BotID(4), kyro.BudgetDay, kyro.Spending{Tokens: 9_501}, day)},
			"The daily budget of the bot bot_4 has 499 of 10000 tokens left, and this answer may take 500. It is whole again at 2026-11-30 00:00 UTC.", day},
		{[]kyro.HardBudget{budget(kyro.UserID(1), kyro.BudgetMonth, kyro.Spending{Cost: 1_900_000}, month), budget(kyro.UserID(1), kyro.BudgetDay, kyro.Spending{Messages: 10}, day)},
			"The monthly budget of the account has 0.1 of 2 units of money left, and this answer may take 0.25.", month},
		{[]kyro.HardBudget{budget(kyro.UserID(1), kyro.BudgetDay, kyro.Spending{Messages: 10}, day), budget(kyro.BotID(4), kyro.BudgetDay, kyro.Spending{Messages: 10}, day)},
			"The daily budget of the account has 0 of 10 messages left", day},
		{[]kyro.HardBudget{budget(kyro.APIKeyID(2), kyro.BudgetDay, kyro.Spending{Messages: 12}, day)},
			"The daily budget of the API key key_2 has 0 of 10 messages left", day},
	} {
		err, _ := kyro.Exceeded(asked, c.budgets).(*kyro.Error)
		if err == nil || err.Code != kyro.CodeBudgetExceeded || !err.InPayload() || !strings.HasPrefix(err.Message, c.says) || !err.ResetAt.Equal(c.resets) {
			t.Errorf("%+v, want %q until %s", err, c.says, c.resets)
		}
	}
}

func TestOwnersAreWarnedFromFourFifthsOn(t *testing.T) {
	for _, c := range []struct {
		used kyro.Spending
		what []string
	}{
		{kyro.Spending{Messages: 7, Tokens: 799, Cost: 79}, nil}, {kyro.Spending{Messages: 8}, []string{kyro.BudgetOfMessages}},
		{kyro.Spending{Tokens: 800}, []string{kyro.BudgetOfTokens}}, {kyro.Spending{Cost: 80}, []string{kyro.BudgetOfMoney}},
		{kyro.Spending{Messages: 20, Cost: 90}, []string{kyro.BudgetOfMessages, kyro.BudgetOfMoney}},
	} {
		b := kyro.HardBudget{Target: kyro.UserID(1), Limits: spendingLimits(10, 1_000, 100), Used: c.used, Reserved: kyro.Spending{Messages: 9}}
		var told []string
		for _, n := range b.Notices() {
			told = append(told, n.What)
		}
		if got := b.Near(); !slices.Equal(got, c.what) || !slices.Equal(told, c.what) {
			t.Errorf("%+v: %q, told %q, want %q", c.used, got, told, c.what)
		}
	}
	nothing := kyro.HardBudget{Target: kyro.UserID(1), Limits: spendingLimits(0, 0, 0)}
	if nothing.Near() != nil {
		t.Error("a warning of a budget of nothing")
	}
}

func TestLimitsAreChecked(t *testing.T) {
	for _, bad := range []kyro.SpendingLimits{
		spendingLimits(-1, 0, 0), spendingLimits(0, kyro.MaxBudget+1, 0), spendingLimits(0, 0, -1), spendingLimits(0, 0, kyro.MaxBudget*kyro.MoneyUnit+1),
	} {
		if kyro.ErrorCode(bad.Validate()) != kyro.CodeValidation {
			t.Errorf("%s is allowed", bad)
		}
	}
	if err := spendingLimits(0, kyro.MaxBudget, kyro.MaxBudget*kyro.MoneyUnit).Validate(); err != nil {
		t.Error(err)
	}
	three, five := int64(3), int64(5)
	tight := kyro.SpendingLimits{Messages: &five, Tokens: &three}.Tighter(kyro.SpendingLimits{Messages: &three})
	if tight.String() != "messages 3, tokens 3" {
		t.Errorf("the tighter of both: %s", tight)
	}
}

func TestLimitsAsTheyAreTold(t *testing.T) {
	unlimited, limited := kyro.HardBudget{}, kyro.HardBudget{Limits: spendingLimits(10, 1_000, 2_500_000)}
	if unlimited.MaxMessages() != nil || unlimited.MaxTokens() != nil || unlimited.MaxCost() != nil || !unlimited.Limits.None() {
		t.Error("a limit where there is none")
	}
	if *limited.MaxMessages() != 10 || *limited.MaxTokens() != 1_000 || *limited.MaxCost() != 2.5 {
		t.Errorf("%g messages, %g tokens, %g units", *limited.MaxMessages(), *limited.MaxTokens(), *limited.MaxCost())
	}
	for _, one := range []kyro.SpendingLimits{{Messages: limited.Limits.Messages}, {Tokens: limited.Limits.Tokens}, {Cost: limited.Limits.Cost}} {
		if one.None() {
			t.Errorf("%s is no limit", one)
		}
	}
}

func TestEveryAnswerIsChargedAsAMessage(t *testing.T) {
	if got := (kyro.Charge{}).Of(kyro.Bot{}, "?", true); got != (kyro.Spending{Messages: 1}) {
		t.Errorf("without an estimate: %+v", got)
	}
	estimate := func(kyro.Bot, string, bool) kyro.Spending { return kyro.Spending{Tokens: 700, Cost: 5} }
	if got := (kyro.Charge{Estimate: estimate}).Of(kyro.Bot{}, "?", true); got != (kyro.Spending{Messages: 1, Tokens: 700, Cost: 5}) {
		t.Errorf("with one: %+v", got)
	}
}
