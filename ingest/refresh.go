package ingest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"kyrochat/kyro"
)

// How many documents are refreshed at a time: each is a job.
const (
	refreshBatch = 200
	refreshMost  = 1_000
	refreshPause = 10 * time.Second // before the next ones are looked for, while there are more
)

// embeddedWith is what tells vectors of one configuration from those of every other: model, dimensions, and where they
// are.
func embeddedWith(embedder Embedder, index Index) string {
	model, dims := embedder.Model()
	with := fmt.Sprintf("%s@%d", model, dims)
	if index != nil {
		with += "|" + index.Name()
	}
	return with
}

// Refresh looks for documents whose vectors are not those of the configured model in the configured index, and has a job
// do each, some at a time. It is how another model is changed to, and how a new or empty index is filled from the
// database. Meanwhile the documents are ready, and found by words. It answers kyro.ErrJobAgain while there are more than
// are done at a time.
func (s *Service) Refresh(ctx context.Context) error {
	for {
		begun, more, err := s.store.BeginRefresh(ctx, s.with, refreshBatch, refreshMost)
		switch {
		case err != nil, !more:
			return err
		case begun == 0:
			return kyro.JobAgainAfter(refreshPause)
		}
	}
}

// Embed does a turn of a JobEmbed: it brings the vectors of a document's active version to where answers look for them.
// Only what the model was never asked for is paid for. It answers kyro.ErrJobAgain for another turn, and nil where there
// is nothing left to do.
func (s *Service) Embed(ctx context.Context, job kyro.Job) error {
	id := kyro.DocumentID(job.Key)
	ctx, leave := s.runs.begin(ctx, id, math.MinInt64)
	defer leave()
	state, found, err := s.vectorState(ctx, id)
	if err != nil || !found {
		return err
	}
	if state.EmbeddedWith == s.with || state.ActiveVersion == 0 {
		return s.store.EndRefresh(ctx, id)
	}
	turn := s.beginTurn(ctx)
	e := &embedding{
		Service: s, turn: &turn, version: state.Active(), title: state.Title, looks: 0, // many may wait for this worker
		tell: func(context.Context, int) error { return nil },
		wanted: func(ctx context.Context) error {
			now, found, err := s.vectorState(ctx, id)
			if err == nil && (!found || now.ActiveVersion != state.ActiveVersion) {
				err = kyro.Errorf(kyro.CodeConflict, "The version is not active any more.")
			}
			return err
		},
	}
	if err = e.do(ctx); err == nil {
		err = s.store.FinishRefresh(ctx, e.version, s.with)
	}
	if err != nil {
		e.takeBack(ctx)
	}
	return s.concludeEmbed(ctx, id, err)
}

// concludeEmbed turns the end of a turn into what the queue is told.
func (s *Service) concludeEmbed(ctx context.Context, id kyro.ID, err error) error {
	up, isUpstream := errors.AsType[*upstream](err)
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(ctx), errRunOver):
		return kyro.ErrJobAgain // the document was changed or deleted: the next turn sees which
	case errors.Is(err, kyro.ErrJobAgain), ctx.Err() != nil:
		return err
	case isUpstream && up.late:
		return kyro.JobAgainAfter(s.spread(asked(err)))
	case isUpstream && up.waits():
		return s.later(ctx, kyro.JobEmbed, id.Key, laterPause, err)
	case isUpstream && up.refuses():
		// That may have been a fault of the model's, or of its settings.
		s.log.WarnContext(ctx, "the model refuses a passage of a document, which is found by words only", "document", id.String(), "error", err)
		return kyro.JobAgainAfter(s.spread(refusal))
	case !isUpstream && overIsFine(err) == nil:
		return nil
	}
	return err
}

// GiveUpEmbed ends a JobEmbed that has failed for the last time. The next Refresh has it tried again.
func (s *Service) GiveUpEmbed(ctx context.Context, job kyro.Job, _ error) error {
	return s.store.EndRefresh(ctx, kyro.DocumentID(job.Key))
}

// vectorState reads that of one document; found is false where there is no such live one.
func (s *Service) vectorState(ctx context.Context, id kyro.ID) (state kyro.VectorState, found bool, err error) {
	states, err := s.store.VectorStates(ctx, []kyro.ID{id})
	if err != nil || len(states) == 0 {
		return state, false, err
	}
	return states[0], true, nil
}
