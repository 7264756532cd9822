package kyro_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/kyro"
)

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := kyro.Pause(t.Context(), time.Minute); err != nil || time.Since(began) != time.Minute {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		for _, d := range []time.Duration{0, -time.Second} {
			if err := kyro.Pause(t.Context(), d); err != nil || time.Since(began) != time.Minute {
				t.Errorf("%s: %v after %s", d, err, time.Since(began))
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for _, d := range []time.Duration{time.Minute, 0} { // while it waits, and before
			if err := kyro.Pause(ctx, d); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Minute+time.Second {
				t.Errorf("%s: %v after %s", d, err, time.Since(began))
			}
		}
	})
}
