package program

import (
	"context"
	"log/slog"
	"time"

	"kyrochat/kyro"
	"kyrochat/live"
)

// limitLog notes in the audit log who has met a limit, and which pages were not fetched since their addresses may not be
// reached. Whoever floods the server must not fill the log: somebody who meets
// the same limit again within a minute is not noted again, nor is more than a line a second over all, and what the database
// is too slow for is left out.
type limitLog struct {
	record func(ctx context.Context, entries ...kyro.AuditEntry) error
	rates  *live.Rates
	hits   chan kyro.AuditEntry
	log    *slog.Logger
}

const (
	limitHits     = 100 // that wait to be written
	limitHitsTime = 2 * time.Second
)

var (
	limitHitsOfOne = kyro.Rate{Count: 1, Per: time.Minute}
	limitHitsOfAll = kyro.Rate{Count: 60, Per: time.Minute}
)

func newLimitLog(st interface {
	Record(ctx context.Context, entries ...kyro.AuditEntry) error
}, log *slog.Logger) *limitLog {
	return &limitLog{
		record: st.Record, rates: live.NewRates(live.RatesConfig{Keys: 10_000}), hits: make(chan kyro.AuditEntry, limitHits), log: log,
	}
}

// hit notes that the viewer in ctx was refused. It does not wait.
func (l *limitLog) hit(ctx context.Context, refused *kyro.Error) {
	viewer := kyro.ViewerFrom(ctx)
	who := viewer.Network.String()
	if viewer.SignedIn() {
		who = viewer.UserID.String()
	}
	l.note(ctx, who+" "+refused.Limit, "all", viewer.Entry(kyro.AuditLimitHit, kyro.ID{}).Refused("Too many "+refused.Limit+"."))
}

// unfetched notes a host that may not be reached, or that led to one. The line is of no account: its owner would be told by
// it what the operator's network looks like. It does not wait.
func (l *limitLog) unfetched(ctx context.Context, host string) {
	l.note(ctx, "fetch "+host, "all fetches", kyro.AuditEntry{
		Action: kyro.AuditAccessDenied, Actor: kyro.ActorSystem, Detail: "A page was not fetched: what its address leads to may not be reached. Its host is " + host + ".",
	})
}

// note keeps a line to be written, unless there are too many of one kind, or over all.
func (l *limitLog) note(ctx context.Context, one, all string, entry kyro.AuditEntry) {
	for _, count := range []struct {
		key  string
		rate kyro.Rate
	}{{one, limitHitsOfOne}, {all, limitHitsOfAll}} {
		if allowance, _ := l.rates.Take(ctx, count.key, count.rate); !allowance.Allowed {
			return
		}
	}
	entry.At = kyro.Moment(time.Now())
	select {
	case l.hits <- entry:
	default:
	}
}

// run writes what was noted until ctx ends, and then what is left, within limitHitsTime.
func (l *limitLog) run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case entry := <-l.hits:
			l.write(ctx, entry)
		case <-ctx.Done():
		}
	}
	rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), limitHitsTime)
	defer cancel()
	for rest.Err() == nil {
		select {
		case entry := <-l.hits:
			l.write(rest, entry)
		default:
			return
		}
	}
}

func (l *limitLog) write(ctx context.Context, entry kyro.AuditEntry) {
	limited, cancel := context.WithTimeout(ctx, limitHitsTime)
	defer cancel()
	if err := l.record(limited, entry); err != nil && ctx.Err() == nil {
		l.log.Warn("a limit that was hit could not be noted in the audit log", "error", err)
	}
}
