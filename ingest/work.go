package ingest

import (
	"context"
	"errors"
	"time"

	"kyrochat/kyro"
)

const (
	progressEvery = 200 * time.Millisecond // the least time between two steps within a stage
	giveUpReason  = "The document could not be processed because of a fault on our side. Try it again later."
	quotaPause    = time.Minute // where nobody says how long the quota is used up
)

// Work does a turn of a JobIngest: extract, chunk, embed, activate. Each step is stored before the next begins, so
// that a turn after a crash goes on where this one was. It answers kyro.ErrJobAgain when its time is up, and nil
// when there is nothing left to do, also where that is because a person must mend something: then the document's
// state says what.
func (s *Service) Work(ctx context.Context, job kyro.Job) error {
	id := kyro.DocumentID(job.Key)
	ctx, leave := s.runs.begin(ctx, id, job.Run)
	defer leave()
	w := &work{Service: s, id: id, run: job.Run, began: s.now()}
	return w.conclude(ctx, w.do(ctx))
}

// GiveUp ends the run of a JobIngest that has failed for the last time.
func (s *Service) GiveUp(ctx context.Context, job kyro.Job, _ error) error {
	w := &work{Service: s, id: kyro.DocumentID(job.Key), run: job.Run}
	return overIsFine(w.step(ctx, kyro.DocumentStep{Status: kyro.DocumentFailed, Reason: giveUpReason}))
}

// work is one turn of one run.
type work struct {
	*Service
	id    kyro.ID
	run   int64
	doc   kyro.Document // as it was last stored
	began time.Time
	told  time.Time // of the last step within a stage
}

// verdict ends a run because a person must mend something.
type verdict struct {
	status kyro.DocumentStatus
	reason string
}

func (v verdict) Error() string { return string(v.status) + ": " + v.reason }

func (w *work) do(ctx context.Context) (err error) {
	if w.doc, err = w.store.DocumentForWork(ctx, w.id, w.run); err != nil {
		return err
	}
	prepared, err := w.store.HasPrepared(ctx, w.id, w.run)
	if err != nil {
		return err
	}
	if !prepared {
		if err := w.prepare(ctx); err != nil {
			return err
		}
	}
	if err := w.embed(ctx); err != nil {
		return err
	}
	return w.activate(ctx)
}

// activate makes the version the one that answers use.
func (w *work) activate(ctx context.Context) error {
	final := kyro.DocumentReady
	if len(w.doc.Warnings) > 0 {
		final = kyro.DocumentWarned
	}
	d, err := w.store.Activate(ctx, w.id, w.run, final, w.time())
	if err != nil {
		return err
	}
	w.publish(ctx, d)
	return nil
}

// conclude turns the end of a turn into what the queue and the owner are told.
func (w *work) conclude(ctx context.Context, err error) error {
	var final verdict
	var known *kyro.Error
	switch {
	case err == nil, errors.Is(context.Cause(ctx), errRunOver):
		return nil
	case errors.Is(err, kyro.ErrJobAgain), ctx.Err() != nil:
		return err
	case errors.As(err, &final):
		return overIsFine(w.step(ctx, kyro.DocumentStep{Status: final.status, Reason: final.reason}))
	case !errors.As(err, &known):
		return err
	}
	switch known.Code {
	case kyro.CodeConflict, kyro.CodeNotFound:
		return nil // canceled, deleted or started again meanwhile
	case kyro.CodeUpstreamQuota, kyro.CodeRateLimited:
		return w.waitForQuota(ctx, known)
	case kyro.CodeValidation, kyro.CodeUnsupportedType, kyro.CodeFileEmpty, kyro.CodeFileTooLarge, kyro.CodeLimitReached,
		kyro.CodeTimeout, kyro.CodeFetchFailed, kyro.CodeContentBlocked:
		return overIsFine(w.step(ctx, kyro.DocumentStep{Status: kyro.DocumentFailed, Reason: known.Message}))
	default:
		return err
	}
}

// waitForQuota puts the rest of the work off until the provider takes requests again.
func (w *work) waitForQuota(ctx context.Context, quota *kyro.Error) error {
	pause := quota.RetryAfter
	if pause <= 0 {
		pause = quotaPause
	}
	again := kyro.Errorf(kyro.CodeUnavailable, "The provider's quota is used up.").Because(kyro.ErrJobAgain)
	again.RetryAfter = pause
	at := w.time().Add(pause)
	err := w.step(ctx, kyro.DocumentStep{
		Status: kyro.DocumentWaitingQuota, Reason: quota.Message, RetryAt: &at,
		StageDone: w.doc.StageDone, StageTotal: w.doc.StageTotal,
	})
	if err != nil {
		return overIsFine(err)
	}
	return again
}

// overIsFine drops the error of a worker whose run is over: there is nothing left for it to do.
func overIsFine(err error) error {
	switch kyro.ErrorCode(err) {
	case kyro.CodeConflict, kyro.CodeNotFound:
		return nil
	}
	return err
}

// step stores a move of the document and tells its watchers.
func (w *work) step(ctx context.Context, step kyro.DocumentStep) error {
	step.Now = w.time()
	d, err := w.store.Step(ctx, w.id, w.run, step)
	if err != nil {
		return err
	}
	w.doc = d
	w.publish(ctx, d)
	return nil
}

// advance moves the document within its way. What would be a move back is left out: a turn that repeats what a
// crash undid never shows less than was shown before.
func (w *work) advance(ctx context.Context, status kyro.DocumentStatus, done int, total *int) error {
	next := kyro.DocumentProgress{Status: status, StageDone: done, StageTotal: total}
	if next.Percent() < w.doc.Progress().Percent() {
		return nil
	}
	w.told = w.now()
	return w.step(ctx, kyro.DocumentStep{Status: status, StageDone: done, StageTotal: total})
}

// timeUp reports that other documents should have their turn.
func (w *work) timeUp() bool { return w.now().Sub(w.began) >= w.turn }

// outOfTime is the error of an extraction that took longer than its share of a turn.
func outOfTime() error {
	return kyro.Errorf(kyro.CodeTimeout, "It took too long to read the document. Split it and upload the parts.")
}
