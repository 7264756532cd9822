package ai

import (
	"context"
	"iter"

	"kyrochat/kyro"
)

// model writes answers.
type model interface {
	Answer(ctx context.Context, p kyro.Prompt) iter.Seq2[kyro.Delta, error]
}

// Fallback answers offline where the model cannot: where it is away, takes no more, or is silent, as long as nothing of
// its answer has come. What it refuses for what it is about stays refused, and a text that was begun is never gone on
// with by another.
type Fallback struct {
	Model   model
	Offline model // says by itself that it is
}

// Answer streams the answer of the one or the other.
func (f Fallback) Answer(ctx context.Context, p kyro.Prompt) iter.Seq2[kyro.Delta, error] {
	return func(yield func(kyro.Delta, error) bool) {
		begun := false
		for d, err := range f.Model.Answer(ctx, p) {
			if err != nil && !begun && ctx.Err() == nil && standsIn(err) {
				f.Offline.Answer(ctx, p)(yield)
				return
			}
			begun = true
			if !yield(d, err) {
				return
			}
		}
	}
}

// standsIn reports errors that say nothing of what was asked.
func standsIn(err error) bool {
	switch kyro.ErrorCode(err) {
	case kyro.CodeUpstreamFailed, kyro.CodeUpstreamQuota, kyro.CodeTimeout:
		return true
	}
	return false
}
