package kyro

import (
	"context"
	"sync/atomic"
)

// Budget is how many bytes of texts may be read for one answer: whoever asks for thousands of long ones is told so
// before they fill the memory. It is safe for use by many goroutines.
type Budget struct {
	bytes int64
	spent atomic.Int64
}

type budgetKey struct{}

// WithBudget gives what is read under ctx a budget of so many bytes, instead of the one that it has. 0 is none: any
// number.
func WithBudget(ctx context.Context, bytes int64) context.Context {
	if bytes <= 0 {
		return ctx
	}
	return context.WithValue(ctx, budgetKey{}, &Budget{bytes: bytes})
}

// BudgetFrom gives the budget of ctx; nil where there is none.
func BudgetFrom(ctx context.Context) *Budget {
	b, _ := ctx.Value(budgetKey{}).(*Budget)
	return b
}

// Spend takes bytes from the budget, and reports whether there were as many. nil has any number.
func (b *Budget) Spend(bytes int) bool { return b == nil || b.spent.Add(int64(bytes)) <= b.bytes }

// Exceeded is the error RESPONSE_TOO_LARGE for a budget that did not suffice.
func (b *Budget) Exceeded() *Error {
	return Errorf(CodeResponseTooLarge, "More than %d bytes of texts would have to be read. Ask for smaller pages (first, last), or for less in each element.", b.bytes)
}
