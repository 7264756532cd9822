package ingest

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"kyrochat/kyro"
)

// How long something waits for an upstream that does not say how long it is away. The pause doubles while it does not
// help, and is spread by up to a fifth, so that what was refused together does not come back together.
const (
	awayPause  = 15 * time.Second
	quotaPause = time.Minute
	mostPause  = 250 * time.Second // with its spread, five minutes
	laterPause = 2 * time.Minute   // of work that nobody is waiting for
	storePause = 5 * time.Second   // for the database, or for room on the disk
	refusal    = time.Hour         // before that is asked for again which was refused
)

// upstream is an error of what a document needs besides the database and the disk.
type upstream struct {
	name   string // for the log
	reason string // what a document waits for meanwhile, for a person
	quota  bool   // that a model's quota is used up has a state of its own
	late   bool   // it took everything, and shows it later
	before bool   // it is needed before there is anything to embed
	err    error
}

// Error is the text for logs.
func (u *upstream) Error() string { return u.name + ": " + u.err.Error() }

// Unwrap gives the upstream's own error.
func (u *upstream) Unwrap() error { return u.err }

// The upstreams, as a document waits for them.
var (
	theEmbedder = upstream{name: "embedding model", reason: "The embedding model does not answer at the moment. This goes on by itself."}
	theQuota    = upstream{name: "embedding model", reason: "The quota of the embedding model is used up for now. This goes on by itself.", quota: true}
	theIndex    = upstream{name: "vector index", reason: "The vector index does not answer at the moment. This goes on by itself."}
	notVisible  = upstream{name: "vector index", reason: "The vector index has not taken everything up yet. This goes on by itself.", late: true}
)

// because is the upstream with what it answered.
func (u upstream) because(err error) error {
	u.err = err
	return &u
}

// waits reports whether it will be there again without anybody changing the document.
func (u *upstream) waits() bool {
	switch kyro.ErrorCode(u.err) {
	case kyro.CodeUpstreamQuota, kyro.CodeRateLimited, kyro.CodeUpstreamFailed, kyro.CodeTimeout, kyro.CodeUnavailable:
		return true
	}
	return false
}

// refuses reports whether it will never take what it was asked to.
func (u *upstream) refuses() bool {
	switch kyro.ErrorCode(u.err) {
	case kyro.CodeValidation, kyro.CodeContentBlocked:
		return true
	}
	return false
}

// ask calls an upstream, which has to answer early enough that its answer can be stored within the turn.
func ask(ctx context.Context, who upstream, call func(ctx context.Context) error) error {
	within, cancel := withinTurn(ctx)
	defer cancel(nil)
	err := call(within)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case within.Err() != nil && kyro.ErrorCode(err) == kyro.CodeInternal:
		err = kyro.Errorf(kyro.CodeTimeout, "It takes too long to answer.").Because(err)
	}
	if code := kyro.ErrorCode(err); who == theEmbedder && (code == kyro.CodeUpstreamQuota || code == kyro.CodeRateLimited) {
		who = theQuota
	}
	return who.because(err)
}

// asked is how long an upstream asks to be left alone; 0 where it does not say.
func asked(err error) time.Duration {
	if known, ok := errors.AsType[*kyro.Error](err); ok {
		return max(0, known.RetryAfter)
	}
	return 0
}

// spread makes a pause up to a fifth longer.
func (s *Service) spread(pause time.Duration) time.Duration {
	return pause + time.Duration(s.random()*float64(pause)/5)
}

// later puts work off that nobody is waiting for, whatever went wrong: it is never given up. The pause is what an upstream
// asks for, and never less than least, since much may be waiting for the same.
func (s *Service) later(ctx context.Context, job kyro.JobKind, key int64, least time.Duration, err error) error {
	if ctx.Err() != nil {
		return kyro.ErrJobAgain
	}
	pause := s.spread(max(asked(err), least))
	level := slog.LevelWarn
	if up, ok := errors.AsType[*upstream](err); ok && up.waits() {
		level = slog.LevelDebug // that it is away is told where it is asked, once for all that it is asked for
	}
	s.log.Log(ctx, level, "work in the background waits", "kind", job, "key", key, "pause", pause, "error", err)
	return kyro.JobAgainAfter(pause)
}

// waitFor puts the rest of the work on a document off until an upstream is there again. The document says what it waits
// for and until when, and no worker is held meanwhile.
func (w *work) waitFor(ctx context.Context, up *upstream) error {
	status, least := kyro.DocumentEmbedding, awayPause
	if up.quota {
		status, least = kyro.DocumentWaitingQuota, quotaPause
	}
	if up.before {
		status = w.doc.Status
	}
	last := w.paused
	if w.busy {
		last = 0 // it was there in between
	}
	pause := w.spread(max(cmp.Or(asked(up.err), least), min(2*last, mostPause)))
	now := w.time()
	at := now.Add(pause)
	d, err := w.store.Step(ctx, w.id, w.run, kyro.DocumentStep{
		Status: status, Reason: up.reason, RetryAt: &at, StageDone: max(w.doc.StageDone, w.done), StageTotal: w.doc.StageTotal, Now: now,
	})
	if err != nil {
		return overIsFine(err)
	}
	w.doc = d
	w.publish(ctx, d)
	w.log.DebugContext(ctx, "document waits", "document", w.id.String(), "pause", pause, "error", up)
	return kyro.JobAgainAfter(pause)
}

// stillWaiting answers when a document that waits is to go on; nil where it may now. A turn can come too early, since
// the queue puts a job off by an hour at most, and since another process may have been refused meanwhile.
func (w *work) stillWaiting() error {
	if w.doc.RetryAt == nil {
		return nil
	}
	pause := w.doc.RetryAt.Sub(w.doc.UpdatedAt)
	if left := w.doc.RetryAt.Sub(w.now()); left > 0 {
		return kyro.JobAgainAfter(min(left, max(pause, time.Second))) // not for as long as a clock was set back since
	}
	w.paused = pause
	return nil
}
