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

func TestADatabaseThatIsAwayIsAWarning(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(newForOperators(slog.NewTextHandler(&out, nil)))
	log.Error("waiting", "err", "unexpected EOF")
	log.Error("fetching", "err", "failed to connect to `user=kyro`: server error: FATAL: the database system is starting up (SQLSTATE 57P03)")
	log.Error("electing", "err", context.DeadlineExceeded)
	log.Error("jobcompleter.BatchCompleter: Too many errors; giving up")
	if strings.Contains(out.String(), "level=ERROR") || strings.Count(out.String(), "level=WARN") != 4 {
		t.Errorf("what heals by itself:\n%s", out.String())
	}
	out.Reset()
	log.Error("cleaning", "error", `relation "river_job" does not exist (SQLSTATE 42P01)`)
	log.Error("rescuing", "kind", "timeout", "error", "unhandled job kind")
	if strings.Count(out.String(), "level=ERROR") != 2 {
		t.Errorf("what does not:\n%s", out.String())
	}
}
