package kyro_test

import (
	"testing"

	"kyrochat/kyro"
)

func TestBudgetsOfBytes(t *testing.T) {
	t.Parallel()
	if none := kyro.BudgetFrom(kyro.WithBudget(t.Context(), 0)); none != nil || !none.Spend(1<<40) {
		t.Error("a budget where there is none")
	}
	b := kyro.BudgetFrom(kyro.WithBudget(t.Context(), 10))
	for _, step := range []struct {
		bytes int
		left  bool
	}{{4, true}, {6, true}, {0, true}, {1, false}, {0, false}} {
		if got := b.Spend(step.bytes); got != step.left {
			t.Errorf("%d bytes more: %t", step.bytes, got)
		}
	}
	if one := kyro.BudgetFrom(kyro.WithBudget(t.Context(), 1)); !one.Spend(1) || one.Spend(1) || kyro.ErrorCode(one.Exceeded()) != kyro.CodeResponseTooLarge {
		t.Error("a budget of one byte")
	}
}
