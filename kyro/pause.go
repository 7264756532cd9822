package kyro

import (
	"context"
	"time"
)

// Pause waits for d, or until ctx is done, whose error it gives then. It does not wait where d is zero
// or less, and gives the error of ctx all the same.
func Pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
