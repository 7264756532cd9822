package ai

import (
	"context"
	"time"
)

// pause waits for d, or until ctx is done, whose error it gives then.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
