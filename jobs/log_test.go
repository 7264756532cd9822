package jobs

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestRiverIsQuotedSparingly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := slog.New(newForOperators(slog.NewTextHandler(&out, nil))).With("part", "jobs")
		log.Info("started")
		log.Error("stopping", "err", context.Canceled)
		log.Error("stopping", "error", "context canceled")
		log.Error("leadership.Elector: Error attempting to resign", "err", context.DeadlineExceeded)
		for range 100 {
			log.Error("database away", "err", "refused")
		}
		time.Sleep(quiet)
		log.Error("database away", "err", "refused")
		if got := strings.Count(out.String(), "\n"); got != 2 || strings.Count(out.String(), "database away") != 2 {
			t.Errorf("%d lines:\n%s", got, out.String())
		}
	})
}
