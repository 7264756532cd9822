package setup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/config"
)

// TestAnOutageDoesNotFillTheLog lets an upstream be away for an hour, with ten answers a second.
func TestAnOutageDoesNotFillTheLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := NewLogger(config.Config{}, &out)
		away := errors.New("the model does not answer")
		for i := range 36_000 {
			log.With("message", i).Warn("answer failed", "error", away)
			time.Sleep(100 * time.Millisecond)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 60 || !strings.Contains(lines[59], "left_out=599") {
			t.Errorf("%d lines, the last %s", len(lines), lines[len(lines)-1])
		}
	})
}

func TestTheLogLeavesOutRepeatsOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := NewLogger(config.Config{LogJSON: true}, &out)
		for i := range 2 {
			log.Info("registered", "user", i)
			log.Warn("answer failed", "error", fmt.Errorf("reason %d", i))
			log.Warn(fmt.Sprintf("answer failed %d", i), "error", "one reason")
			log.Error("request failed", "error", "the same")
			log.Warn("answers were still being made")
		}
		if n := strings.Count(out.String(), "\n"); n != 10 || strings.Contains(out.String(), "left_out") {
			t.Errorf("%d lines:\n%s", n, out.String())
		}
		out.Reset()
		for port := range 3 {
			log.Warn("Redis is away", "error", fmt.Sprintf("read tcp 127.0.0.1:%d->127.0.0.1:6379: i/o timeout", 40_000+port))
		}
		if n := strings.Count(out.String(), "\n"); n != 1 {
			t.Errorf("connections of one service that failed alike are %d lines:\n%s", n, out.String())
		}
		out.Reset()
		log.WithGroup("g").With("part", "x").Warn("answer failed", "error", "reason 1")
		if out.Len() > 0 {
			t.Errorf("a part of its own said it again: %s", out.String())
		}
	})
}

// TestLogsAreInUTC wherever the machine is.
func TestLogsAreInUTC(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 27, 23, 30, 0, 0, time.FixedZone("elsewhere", 5*60*60))
	for name, json := range map[string]bool{"JSON": true, "text": false} {
		var out bytes.Buffer
		h := NewLogger(config.Config{LogJSON: json}, &out).Handler()
		r := slog.NewRecord(at, slog.LevelInfo, "ready", 0)
		r.AddAttrs(slog.Time("until", at.Add(time.Minute)))
		if err := h.Handle(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if line := out.String(); !strings.Contains(line, "2026-11-27T18:30:00.000Z") && !strings.Contains(line, `"2026-11-27T18:30:00Z"`) ||
			!strings.Contains(line, "2026-11-27T18:31:00") {
			t.Errorf("%s: %s", name, line)
		}
	}
}

// TestTheLogForgetsOldTroubles holds that what it remembers is bounded.
func TestTheLogForgetsOldTroubles(t *testing.T) {
	t.Parallel()
	h := thinned{slog.DiscardHandler, &repeats{}}
	for i := range 10 * mostRepeats {
		r := slog.NewRecord(time.Now(), slog.LevelWarn, "failed", 0)
		r.AddAttrs(slog.Int("error", i))
		if err := h.Handle(context.Background(), r); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(h.repeats.known); n > mostRepeats {
		t.Errorf("%d are known", n)
	}
}
