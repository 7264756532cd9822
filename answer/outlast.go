package answer

import (
	"context"
	"time"

	"kyrochat/kyro"
)

// outlast reads what an answer is made from, and reads it again while the store is away, so that a database that starts
// anew costs an answer a moment and does not fail it. It gives up with the claim: the store tells of its loss, or is away
// for so long that the lease is over, and the answer is then made by another attempt.
func outlast[T any](a *attempt, read func() (T, error)) (T, error) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		value, err := read()
		if kyro.ErrorCode(err) != kyro.CodeUnavailable {
			return value, err
		}
		if a.ctx.Err() == nil {
			a.logger.Warn("what an answer is made from could not be read; trying again", "error", err)
		}
		if kyro.Pause(a.ctx, wait) != nil || a.lost() {
			return value, context.Cause(a.ctx)
		}
	}
}
