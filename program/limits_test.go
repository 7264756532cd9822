package program

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/kyro"
)

// recorder is a store of audit lines that may hang.
type recorder struct {
	lines []kyro.AuditEntry
	hangs atomic.Bool
}

func (r *recorder) Record(ctx context.Context, entries ...kyro.AuditEntry) error {
	if r.hangs.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	r.lines = append(r.lines, entries...)
	return nil
}

func TestLimitsAreNotedSparingly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		kept := &recorder{}
		l := newLimitLog(kept, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); l.run(ctx) }()
		stranger := func(i int) context.Context {
			return kyro.WithViewer(t.Context(), kyro.Viewer{Network: netip.MustParsePrefix(fmt.Sprintf("10.0.%d.%d/32", i/250, i%250))})
		}
		ada := kyro.WithViewer(t.Context(), kyro.Viewer{UserID: kyro.UserID(1), SessionID: kyro.SessionID(2), RequestID: "r"})
		refused := kyro.Allowance{RetryAfter: time.Second}
		for range 50 {
			l.hit(ada, refused.Refusal("messages"))
			l.hit(stranger(1), refused.Refusal("sign-ups"))
		}
		l.hit(ada, refused.Refusal("documents"))
		synctest.Wait()
		if len(kept.lines) != 3 {
			t.Fatalf("%d lines, want 3", len(kept.lines))
		}
		want := kyro.Viewer{UserID: kyro.UserID(1), SessionID: kyro.SessionID(2), RequestID: "r"}.Entry(kyro.AuditLimitHit, kyro.ID{}).Refused("Too many messages.")
		want.At = kept.lines[0].At
		if kept.lines[0] != want || want.At.IsZero() || kept.lines[1].Actor != kyro.ActorNobody {
			t.Errorf("%+v", kept.lines)
		}
		for i := range 1000 { // from everywhere at once
			l.hit(stranger(i), refused.Refusal("sign-ups"))
		}
		synctest.Wait()
		if n := len(kept.lines); n != 60 {
			t.Errorf("%d lines in a minute, want 60", n)
		}
		time.Sleep(time.Minute)
		l.hit(ada, refused.Refusal("messages"))
		synctest.Wait()
		if n := len(kept.lines); n != 61 {
			t.Errorf("%d lines, one minute later", n)
		}
		// A database that hangs keeps neither who is refused nor the end of the process.
		kept.hangs.Store(true)
		time.Sleep(time.Minute)
		for i := range 50 {
			l.hit(stranger(i), refused.Refusal("sign-ups"))
		}
		begun := time.Now()
		cancel()
		<-done
		if took := time.Since(begun); took > 2*limitHitsTime {
			t.Errorf("the end took %v", took)
		}
	})
}
