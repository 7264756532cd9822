package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
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
	if row.AttemptedAt != nil && w.queue.clock.Now().Sub(*row.AttemptedAt) >= w.queue.cfg.RescueAfter {
		return w.queue.cfg.Timeout
	}
	return w.queue.cfg.timeout(w.kind)
}

// Work is one turn of a job.
func (w *worker) Work(ctx context.Context, row *river.Job[args]) error {
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

	if w.queue.cfg.timeout(w.kind) > w.queue.cfg.Timeout {
		defer w.tellAlive(ctx, log, row.JobRow)()
	}
	err := w.call(ctx, log, job)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kyro.ErrJobAgain):
		return river.JobSnooze(pauseOf(err))
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

// maxFailures is one for what comes again soon anyway.
func (w *worker) maxFailures() int {
	if w.handler.every > 0 && w.handler.every <= maxBackoff {
		return 1
	}
	return w.queue.cfg.MaxFailures
}

// tellAlive keeps a turn that may take longer than others from counting as one of a dead process, until it is told to
// stop. Where it cannot, the job may be begun a second time, as any may.
func (w *worker) tellAlive(ctx context.Context, log *slog.Logger, row *rivertype.JobRow) (stop func()) {
	every := w.queue.cfg.RescueAfter / 4
	ctx, cancel := context.WithCancel(ctx)
	var telling sync.WaitGroup
	telling.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			within, done := context.WithTimeout(ctx, every)
			if err := w.queue.stillRunning(within, row.ID, row.Attempt); err != nil && ctx.Err() == nil {
				log.WarnContext(ctx, "a long turn cannot tell that it goes on", "error", err)
			}
			done()
		}
	})
	return func() { cancel(); telling.Wait() }
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
	log.ErrorContext(ctx, "job failed for the last time", "error", cause)
	if w.handler.exhausted != nil {
		// The turn may have ended by its timeout, which must not keep the verb from being told.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), exhaustedTimeout)
		defer cancel()
		if err := w.handler.exhausted(ctx, job, cause); err != nil {
			log.ErrorContext(ctx, "telling of a failed job failed, will be tried again", "error", err)
			return cause
		}
	}
	return river.JobCancel(cause)
}

// pauseOf is how long a job wants to wait for its next turn.
func pauseOf(err error) time.Duration {
	var e *kyro.Error
	if !errors.As(err, &e) {
		return 0
	}
	return min(max(e.RetryAfter, 0), maxSnooze)
}

// history is what has become of a job so far.
type history struct {
	failures int    // turns that ended in an error
	crashes  int    // turns that ended with their process
	last     string // the last failure
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
