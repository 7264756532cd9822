package insight_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"kyrochat/insight"
	"kyrochat/kyro"
)

var now = time.Date(2026, 11, 27, 10, 12, 0, 0, time.UTC)

// book is a store that notes what it is asked for about usage and budgets.
type book struct {
	insight.Store // is asked for nothing else

	asked   []string
	deeds   []kyro.AuditEntry
	budgets map[kyro.ID][]kyro.HardBudget
}

func (b *book) SetBudget(_ context.Context, owner, target kyro.ID, period kyro.BudgetPeriod, limits kyro.SpendingLimits, deeds ...kyro.AuditEntry) error {
	b.asked, b.deeds = append(b.asked, fmt.Sprint("set ", owner, target, period, limits)), append(b.deeds, deeds...)
	return nil
}

func (b *book) Budgets(_ context.Context, owner kyro.ID, targets []kyro.ID, at time.Time) (map[kyro.ID][]kyro.HardBudget, error) {
	b.asked = append(b.asked, fmt.Sprint("budgets ", owner, targets, at.Equal(now)))
	return b.budgets, nil
}

func (b *book) Usage(_ context.Context, owner kyro.ID, targets []kyro.ID, r kyro.UsageRange, days bool) (map[kyro.ID]kyro.Usage, error) {
	b.asked = append(b.asked, fmt.Sprint("usage ", owner, targets, days))
	found := map[kyro.ID]kyro.Usage{}
	for _, target := range targets {
		found[target] = kyro.UsageOf(r, nil, nil)
	}
	return found, nil
}

// Who is not there in person sees and sets nothing, and nobody sees accounts of others.
func TestWhoMay(t *testing.T) {
	b := &book{}
	s := insight.New(b, "EUR", func() time.Time { return now })
	ada := kyro.Viewer{UserID: kyro.UserID(1), SessionID: kyro.SessionID(1)}
	program := kyro.Viewer{UserID: kyro.UserID(1), KeyID: kyro.APIKeyID(3), Scopes: []kyro.Scope{kyro.ScopeRead, kyro.ScopeChat, kyro.ScopeIngest}}
	for who, v := range map[kyro.Code]kyro.Viewer{kyro.CodeUnauthenticated: {}, kyro.CodeForbidden: program} {
		_, err1 := s.SetBudget(t.Context(), v, insight.BudgetInput{Period: kyro.BudgetDay})
		_, err2 := s.Budgets(t.Context(), v, []kyro.ID{kyro.UserID(1)})
		_, err3 := s.Usage(t.Context(), v, []kyro.ID{kyro.UserID(1)}, insight.UsageAsked{TimeZone: "UTC"})
		for _, err := range []error{err1, err2, err3} {
			if kyro.ErrorCode(err) != who {
				t.Errorf("%v, want %s", err, who)
			}
		}
	}
	if len(b.asked) > 0 {
		t.Errorf("asked for them: %v", b.asked)
	}
	theirs := []kyro.ID{kyro.UserID(2), kyro.UserID(1)}
	if _, err := s.Budgets(t.Context(), ada, theirs); err != nil {
		t.Error(err)
	}
	used, err := s.Usage(t.Context(), ada, theirs, insight.UsageAsked{TimeZone: "UTC", Days: true})
	if err != nil || len(used) != 1 || used[kyro.UserID(1)].Currency != "EUR" {
		t.Errorf("usage %v, %v", used, err)
	}
	if got, want := fmt.Sprint(b.asked), "[budgets user_1 [user_1] true usage user_1 [user_1] true]"; got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}
}

func TestSettingABudget(t *testing.T) {
	bot, key := kyro.BotID(4), kyro.APIKeyID(3)
	ten := int64(10)
	limits := kyro.SpendingLimits{Messages: &ten}
	day := kyro.HardBudget{Target: bot, Period: kyro.BudgetDay, Limits: limits}
	b := &book{budgets: map[kyro.ID][]kyro.HardBudget{bot: {day}}}
	s := insight.New(b, "EUR", func() time.Time { return now })
	ada := kyro.Viewer{UserID: kyro.UserID(1), SessionID: kyro.SessionID(1)}
	set, err := s.SetBudget(t.Context(), ada, insight.BudgetInput{BotID: bot, Period: kyro.BudgetDay, Limits: limits})
	if err != nil || set == nil || set.Target != bot || set.Currency != "EUR" {
		t.Errorf("set %+v, %v", set, err)
	}
	removed, err := s.SetBudget(t.Context(), ada, insight.BudgetInput{KeyID: key, Period: kyro.BudgetMonth})
	if err != nil || removed != nil {
		t.Errorf("removed %+v, %v", removed, err)
	}
	if _, err := s.SetBudget(t.Context(), ada, insight.BudgetInput{Period: kyro.BudgetMonth, Limits: limits}); err != nil {
		t.Error(err)
	}
	var deeds []string
	for _, d := range b.deeds {
		deeds = append(deeds, fmt.Sprint(d.Action, " of ", d.Target, ": ", d.Detail, " by ", d.By, d.At.Equal(now)))
	}
	want := "[BUDGET_CHANGED of bot_4: DAY: messages 10 by session_1 true BUDGET_CHANGED of key_3: MONTH: none by session_1 true BUDGET_CHANGED of : MONTH: messages 10 by session_1 true]"
	if got := fmt.Sprint(deeds); got != want {
		t.Errorf("%s, want %s", got, want)
	}

	minus, before := int64(-1), len(b.asked)
	for _, c := range []struct {
		in   insight.BudgetInput
		code kyro.Code
	}{
		{insight.BudgetInput{BotID: bot, KeyID: key}, kyro.CodeValidation}, {insight.BudgetInput{BotID: key}, kyro.CodeBadUserInput},
		{insight.BudgetInput{KeyID: bot}, kyro.CodeBadUserInput}, {insight.BudgetInput{Limits: kyro.SpendingLimits{Tokens: &minus}}, kyro.CodeValidation},
	} {
		if _, err := s.SetBudget(t.Context(), ada, c.in); kyro.ErrorCode(err) != c.code {
			t.Errorf("%+v: %v, want %s", c.in, err, c.code)
		}
	}
	if len(b.asked) != before {
		t.Errorf("what is wrong was set: %v", b.asked[before:])
	}
}
