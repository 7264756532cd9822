package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"kyrochat/kyro"
)

const (
	maxSnooze        = time.Hour // so that a wrong clock does not put a job off for ever; who waits longer says so again
	exhaustedTimeout = 10 * time.Second
)

// worker turns River's attempts at one kind of job into calls of its handler.
type worker struct {
	river.WorkerDefaults[args]
	queue   *Queue
	kind    kyro.JobKind
	handler *handler
}

// Timeout is the longest turn of the kind. River asks when it begins one, and again, to decide whether it is over, of one
// that nothing was heard of for as long as a dead process may be silent: a longer turn tells that it is alive, so that one
// is over however long it might have been.
func (w *worker) Timeout(row *river.Job[args]) time.Duration {
	if row.AttemptedAt != nil && w.queue.clock.Now().Sub(*row.AttemptedAt) >= w.queue.cfg.riverRescueAfter() {
		return w.queue.cfg.Timeout
	}
	return w.queue.cfg.timeout(w.kind)
}

// Work is one turn of a job.
func (w *worker) Work(ctx context.Context, row *river.Job[args]) error {
	ctx, span := w.queue.cfg.Traces.Begin(ctx, "job "+string(w.kind), traceOf(row.JobRow))
	began := time.Now()
	err := w.turn(ctx, row)
	outcome := outcomeOf(err)
	if w.queue.cfg.Measure != nil {
		w.queue.cfg.Measure(w.kind, outcome, time.Since(began))
	}
	if span.Recorded() {
		span.Note("outcome", string(outcome))
		span.End(codeOf(outcome, err))
	}
	return err
}

// codeOf is the code of a turn that failed.
func codeOf(outcome Outcome, err error) string {
	switch outcome {
	case Failed, Exhausted:
		return kyro.CallCode(err)
	case Interrupted:
		return kyro.CallCode(context.Canceled)
	default:
		return ""
	}
}

// outcomeOf reads out of what River is told what came of a turn.
func outcomeOf(err error) Outcome {
	if _, snoozed := errors.AsType[*river.JobSnoozeError](err); snoozed {
		return Again
	}
	if _, canceled := errors.AsType[*river.JobCancelError](err); canceled {
		return Exhausted
	}
	switch {
	case err == nil:
		return Done
	case errors.Is(err, context.Canceled):
		return Interrupted
	default:
		return Failed
	}
}

func (w *worker) turn(ctx context.Context, row *river.Job[args]) error {
	job := kyro.Job{Kind: w.kind, Key: row.Args.Key, Run: row.Args.Run}
	past := historyOf(row.JobRow)
	log := w.queue.log.With("kind", job.Kind, "key", job.Key, "run", job.Run, "attempt", past.failures+1)
	switch {
	case past.crashes > w.queue.cfg.MaxCrashes:
		return w.giveUp(ctx, log, job, fmt.Errorf("the process ended during %d turns of the job", past.crashes))
	case past.failures >= w.maxFailures():
		// The last try has failed before, but its verb could not be told.
		return w.giveUp(ctx, log, job, errors.New(past.last))
	}

	ctx, end := w.queue.turns.begin(ctx, turnOf{row.ID, row.Attempt}, cmp.Or(w.queue.cfg.timeout(w.kind), w.queue.cfg.Timeout))
	defer end()
	var gotOn atomic.Bool
	err := w.call(kyro.WithJobProgress(ctx, func() { gotOn.Store(true) }), log, job)
	if gotOn.Load() {
		past = w.forgive(ctx, log, row.JobRow, past)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kyro.ErrJobAgain):
		return river.JobSnooze(pauseOf(err))
	case errors.Is(context.Cause(ctx), errTaken):
		log.InfoContext(ctx, "a turn ends, since another process has taken up its job")
		return fmt.Errorf("%w: %w", context.Canceled, err)
	case errors.Is(ctx.Err(), context.Canceled):
		// The queue is stopping; so marked, River puts the job back as if the turn had never been.
		return fmt.Errorf("%w: %w", context.Canceled, err)
	case past.failures+1 < w.maxFailures():
		log.WarnContext(ctx, "job failed, will be tried again", "error", err)
		return err
	default:
		return w.giveUp(ctx, log, job, err)
	}
}

// forgive notes with the row, when the turn ends, that all which went wrong before it does not count any more, and gives what
// does.
func (w *worker) forgive(ctx context.Context, log *slog.Logger, row *rivertype.JobRow, past history) history {
	if past.failures+past.crashes == 0 {
		return past
	}
	before := pardonOf(row)
	now := pardon{before.Failures + past.failures, before.Crashes + past.crashes}
	if now.Failures+now.Crashes > mostForgiven {
		return past
	}
	if err := river.MetadataSet(ctx, pardonKey, now); err != nil {
		log.WarnContext(ctx, "the progress of a job could not be noted", "error", err)
		return past
	}
	return history{}
}

// maxFailures is one for what comes again soon anyway.
func (w *worker) maxFailures() int {
	if w.handler.every > 0 && w.handler.every <= maxBackoff {
		return 1
	}
	return w.queue.cfg.MaxFailures
}

// call runs the handler; a panic is an error like any other.
func (w *worker) call(ctx context.Context, log *slog.Logger, job kyro.Job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			log.ErrorContext(ctx, "job panicked", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return w.handler.work(ctx, job)
}

// giveUp tells the verb that the job has failed for good and closes it. The verb is told again in a later turn
// until it has taken note.
func (w *worker) giveUp(ctx context.Context, log *slog.Logger, job kyro.Job, cause error) error {
	log.Log(ctx, w.gravity(cause), "job failed for the last time", "error", cause)
	if w.handler.exhausted != nil {
		// The turn may have ended by its timeout, which must not keep the verb from being told.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), exhaustedTimeout)
		defer cancel()
		if err := w.handler.exhausted(ctx, job, cause); err != nil {
			log.WarnContext(ctx, "telling of a failed job failed, will be tried again", "error", err)
			return cause
		}
	}
	return river.JobCancel(cause)
}

// gravity is how loudly to tell of a job that failed for the last time: of one that comes again soon anyway, and failed only
// because something was away, nobody has to be called.
func (w *worker) gravity(cause error) slog.Level {
	if w.maxFailures() == 1 && kyro.ErrorCode(cause) == kyro.CodeUnavailable {
		return slog.LevelWarn
	}
	return slog.LevelError
}

// pauseOf is how long a job wants to wait for its next turn.
func pauseOf(err error) time.Duration {
	var e *kyro.Error
	if !errors.As(err, &e) {
		return 0
	}
	return min(max(e.RetryAfter, 0), maxSnooze)
}

// history is what has become of a job so far, or since it last got on.
type history struct {
	failures int    // turns that ended in an error
	crashes  int    // turns that ended with their process
	last     string // the last failure
}

// pardon is how many failures and crashes of a job do not count any more, since it got on after them.
type pardon struct {
	Failures int `json:"failures"`
	Crashes  int `json:"crashes"`
}

const (
	pardonKey    = "forgiven" // in the metadata of a row
	mostForgiven = 90         // for River counts them still: see riverAttempts
)

func pardonOf(row *rivertype.JobRow) pardon {
	var metadata struct {
		Forgiven pardon `json:"forgiven"`
	}
	if json.Unmarshal(row.Metadata, &metadata) != nil {
		return pardon{} // nothing was noted
	}
	return metadata.Forgiven
}

// rescued is what River notes for a turn whose process is gone.
const rescued = "Stuck job rescued by JobRescuer"

// historyOf reads the history out of the row. River counts a turn when it begins and uncounts it when it ends in a
// snooze or a shutdown; a failure leaves an error. So a turn that counts and has no error ended with its process.
func historyOf(row *rivertype.JobRow) history {
	var h history
	for _, e := range row.Errors {
		if e.Error != rescued {
			h.failures++
			h.last = e.Error
		}
	}
	h.crashes = max(0, row.Attempt-1-h.failures)
	forgiven := pardonOf(row)
	h.failures, h.crashes = max(0, h.failures-forgiven.Failures), max(0, h.crashes-forgiven.Crashes)
	return h
}

// retryPolicy sets when a job that failed, or whose process is gone, is tried again.
type retryPolicy struct {
	backoff func(failures int) time.Duration
	now     func() time.Time
}

// NextRetry is asked before the present failure is added to the row.
func (p retryPolicy) NextRetry(row *rivertype.JobRow) time.Time {
	return p.now().UTC().Add(p.backoff(historyOf(row).failures + 1))
}
