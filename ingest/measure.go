package ingest

import (
	"context"
	"errors"
	"time"

	"kyrochat/kyro"
)

// Measure is who is told how the work on documents goes. Its functions are called from many goroutines, and must not wait.
type Measure struct {
	// Stage is told of each stage when a turn leaves it; nil: nobody is.
	Stage func(stage Stage, outcome Outcome, took time.Duration)
	// Ended is told of each run that has ended, with its document; nil: nobody is.
	Ended func(d kyro.Document)
}

// Stage is a part of the work on a document.
type Stage string

// The stages, in their order.
const (
	StageFetch    Stage = "fetch"    // what is at the address of a page
	StageRead     Stage = "read"     // the text of the original
	StageChunk    Stage = "chunk"    // to cut it, and to store what came of it
	StageEmbed    Stage = "embed"    // the vectors
	StageIndex    Stage = "index"    // them, in an index outside of the database, until it shows them
	StageLook     Stage = "look"     // for passages of it, as a question would
	StageActivate Stage = "activate" // the version, for answers
)

// Outcome is how a turn leaves a stage.
type Outcome string

// The outcomes.
const (
	StageDone    Outcome = "done"
	StageAgain   Outcome = "again"   // it goes on in another turn, or the turn was ended
	StageWaits   Outcome = "waits"   // for an upstream
	StageRefused Outcome = "refused" // for what the document is: its owner hears why
	StageFailed  Outcome = "failed"
)

// stage does a part of the work, and tells how it went.
func (s *Service) stage(ctx context.Context, stage Stage, do func(ctx context.Context) error) error {
	ctx, trace := kyro.BeginPart(ctx, string(stage))
	if s.measure.Stage == nil && !trace.Recorded() {
		return do(ctx)
	}
	began := time.Now()
	err := do(ctx)
	outcome := outcomeOf(ctx, err)
	if s.measure.Stage != nil {
		s.measure.Stage(stage, outcome, time.Since(began))
	}
	trace.Note("outcome", string(outcome))
	trace.End(codeOf(outcome, err))
	return err
}

// codeOf is the code of a stage that was not done. That it goes on in another turn is no error.
func codeOf(outcome Outcome, err error) string {
	switch outcome {
	case StageDone, StageAgain:
		return ""
	}
	return kyro.CallCode(err)
}

func outcomeOf(ctx context.Context, err error) Outcome {
	_, ends := errors.AsType[verdict](err)
	up, isUpstream := errors.AsType[*upstream](err)
	known, isKnown := errors.AsType[*kyro.Error](err)
	switch {
	case err == nil, errors.Is(err, errUnchanged):
		return StageDone
	case isUpstream && up.waits():
		return StageWaits
	case errors.Is(err, kyro.ErrJobAgain), ctx.Err() != nil:
		return StageAgain
	case errors.Is(err, kyro.ErrNotRun):
		return StageFailed
	case ends, isUpstream && up.refuses():
		return StageRefused
	case isKnown && refusals[known.Code]:
		return StageRefused
	case isKnown && (known.Code == kyro.CodeConflict || known.Code == kyro.CodeNotFound):
		return StageAgain // the run is over
	default:
		return StageFailed
	}
}

// refusals are what a run ends with because of its document.
var refusals = map[kyro.Code]bool{
	kyro.CodeValidation: true, kyro.CodeUnsupportedType: true, kyro.CodeFileEmpty: true, kyro.CodeFileTooLarge: true,
	kyro.CodeLimitReached: true, kyro.CodeTimeout: true, kyro.CodeFetchFailed: true, kyro.CodeContentBlocked: true,
}
