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
)

// Work does a turn of a JobIngest: extract, chunk, embed, index, activate. Each step is stored before the next begins,
// so that a turn after a crash goes on where this one was. It answers kyro.ErrJobAgain when its time is up or an
// upstream is away, and nil when there is nothing left to do, also where that is because a person must mend something:
// then the document's state says what.
func (s *Service) Work(ctx context.Context, job kyro.Job) error {
	id := kyro.DocumentID(job.Key)
	ctx, leave := s.runs.begin(ctx, id, job.Run)
	defer leave()
	if s.shared {
		defer s.follow(ctx, id, job.Run)()
	}
	w := &work{Service: s, turn: s.beginTurn(ctx), id: id, run: job.Run}
	return w.conclude(ctx, w.do(ctx))
}

// GiveUp ends the run of a JobIngest that has failed for the last time.
func (s *Service) GiveUp(ctx context.Context, job kyro.Job, err error) error {
	w := &work{Service: s, id: kyro.DocumentID(job.Key), run: job.Run}
	reason := giveUpReason
	if errors.Is(err, errNotFoundAgain) {
		reason = notFoundAgainReason
	}
	return overIsFine(w.step(ctx, kyro.DocumentStep{Status: kyro.DocumentFailed, Reason: reason}))
}

// work is one turn of one run.
type work struct {
	*Service
	turn
	id     kyro.ID
	run    int64
	doc    kyro.Document // as it was last stored
	told   time.Time     // of the last step within a stage
	done   int           // of the vectors, told or not
	paused time.Duration // how long the document waited for an upstream before this turn
}

// verdict ends a run because a person must mend something.
type verdict struct {
	status kyro.DocumentStatus
	reason string
	pages  *kyro.ReadPages // where it is because of what is on them
}

func (v verdict) Error() string { return string(v.status) + ": " + v.reason }

func (w *work) do(ctx context.Context) (err error) {
	if w.doc, err = w.store.DocumentForWork(ctx, w.id, w.run); err != nil {
		return err
	}
	if err := w.stillWaiting(); err != nil {
		return err
	}
	prepared, err := w.store.HasPrepared(ctx, w.id, w.run)
	if err != nil {
		return err
	}
	switch {
	case !prepared:
		if w.needsFetch() {
			err = w.stage(ctx, StageFetch, w.fetch)
		}
		if err == nil {
			err = w.prepare(ctx)
		}
	case !w.doc.LastRun.Counted: // an earlier run prepared it
		model, dims := w.embedder.Model()
		w.doc, err = w.store.CountReused(ctx, w.id, w.run, model, dims)
	}
	if err != nil {
		return err
	}
	e := w.embedding()
	if err = e.do(ctx); err == nil {
		err = w.stage(ctx, StageLook, func(ctx context.Context) error { return w.look(ctx, e.version) })
	}
	if err == nil {
		err = w.stage(ctx, StageActivate, w.activate)
	}
	if err != nil {
		e.takeBack(ctx)
	}
	return err
}

// embedding is the work on the vectors of the version that is being made.
func (w *work) embedding() *embedding {
	total := w.doc.ChunkCount
	return &embedding{
		Service: w.Service, turn: &w.turn, title: w.doc.EmbedTitle(), looks: lookMost,
		version: kyro.IndexedVersion{BotID: w.doc.BotID, DocumentID: w.id, Version: w.doc.Version, Chunks: total},
		tell: func(ctx context.Context, done int) error {
			w.done = done // which is not told more often than a watcher can read
			if w.doc.Status == kyro.DocumentEmbedding && w.now().Sub(w.told) < progressEvery {
				return nil
			}
			return w.advance(ctx, kyro.DocumentEmbedding, done, &total)
		},
		wanted: func(ctx context.Context) error {
			_, err := w.store.DocumentForWork(ctx, w.id, w.run)
			return err
		},
	}
}

// activate makes the version the one that answers use.
func (w *work) activate(ctx context.Context) error {
	final := kyro.DocumentReady
	if len(w.doc.Warnings) > 0 {
		final = kyro.DocumentWarned
	}
	d, err := w.store.Activate(ctx, w.id, w.run, final, w.with, w.time())
	if err != nil {
		return err
	}
	w.tell(ctx, d)
	return nil
}

// conclude turns the end of a turn into what the queue and the owner are told.
func (w *work) conclude(ctx context.Context, err error) error {
	var final verdict
	var known *kyro.Error
	up, isUpstream := errors.AsType[*upstream](err)
	switch {
	case err == nil, errors.Is(err, errUnchanged), errors.Is(context.Cause(ctx), errRunOver):
		return nil
	case errors.Is(err, kyro.ErrJobAgain), ctx.Err() != nil:
		return err
	case errors.Is(err, kyro.ErrNotRun):
		return err // the queue tries it again, a few times
	case errors.As(err, &final):
		return overIsFine(w.step(ctx, kyro.DocumentStep{Status: final.status, Reason: final.reason, Pages: final.pages}))
	case isUpstream && up.waits():
		return w.waitFor(ctx, up)
	case isUpstream && !up.refuses(), !errors.As(err, &known):
		return err
	}
	switch {
	case known.Code == kyro.CodeConflict, known.Code == kyro.CodeNotFound:
		if _, stillOurs := w.store.DocumentForWork(ctx, w.id, w.run); stillOurs == nil {
			return err // nobody else would ever end the run
		}
		return nil // canceled, deleted or started again meanwhile
	case refusals[known.Code]:
		return overIsFine(w.step(ctx, kyro.DocumentStep{Status: kyro.DocumentFailed, Reason: known.Message}))
	case known.Code == kyro.CodeUnavailable: // the database, or room on the disk, which are nothing against the document
		return w.later(ctx, kyro.JobIngest, w.id.Key, storePause, err)
	default:
		return err
	}
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
	w.tell(ctx, d)
	return nil
}

// tell tells of a new state: watchers of each, operators of the end of a run. Neither hears what the document says.
func (w *work) tell(ctx context.Context, d kyro.Document) {
	w.publish(ctx, d)
	if r := d.LastRun; r.FinishedAt != nil {
		if w.measure.Ended != nil {
			w.measure.Ended(d)
		}
		w.log.InfoContext(ctx, "document worked on", "document", d.ID.String(), "kind", d.Kind, "cause", r.Cause, "outcome", r.Outcome,
			"chunks", d.ChunkCount, "took", r.FinishedAt.Sub(r.StartedAt).Round(time.Millisecond))
	}
}

// advance moves the document within its way. What would be a move back is left out: a turn that repeats what a
// crash undid never shows less than was shown before. But one that waited does not show that it waits any more.
func (w *work) advance(ctx context.Context, status kyro.DocumentStatus, done int, total *int) error {
	next := kyro.DocumentProgress{Status: status, StageDone: done, StageTotal: total}
	if next.Percent() < w.doc.Progress().Percent() {
		if w.doc.RetryAt == nil {
			return nil
		}
		done, total = w.doc.StageDone, w.doc.StageTotal
	}
	w.told = w.now()
	return w.step(ctx, kyro.DocumentStep{Status: status, StageDone: done, StageTotal: total})
}

// outOfTime is the error of an extraction that took longer than its share of a turn.
func outOfTime() error {
	return kyro.Errorf(kyro.CodeTimeout, "It took too long to read the document. Split it and upload the parts.")
}
