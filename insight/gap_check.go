package insight

import (
	"context"
	"slices"
	"time"

	"kyrochat/kyro"
)

// Check is the job that asks the questions of a gap again once the document that answers it is ready, and says whether that
// closed it. Each turn asks some. What came of a question is stored before the next is asked, so that a crash costs at most
// one that is asked twice.
func (g *Gaps) Check(ctx context.Context, job kyro.Job) error {
	gap := kyro.GapID(job.Key)
	c, found, err := g.Store.CheckedGap(ctx, gap, job.Run)
	if err != nil || !found {
		return err
	}
	now := g.time()
	late := c.Gap.Check.BeganAt != nil && now.Sub(*c.Gap.Check.BeganAt) > checkMost
	switch d := c.Document; {
	case d == nil:
		return g.end(ctx, gap, job.Run, kyro.GapDocumentDeleted)
	case late || c.Unused:
		return g.end(ctx, gap, job.Run, kyro.GapNotChecked)
	case d.Status.Ready():
	case d.Status.Final():
		return g.end(ctx, gap, job.Run, kyro.GapDocumentFailed)
	case c.Gap.Check.BeganAt != nil && now.Sub(*c.Gap.Check.BeganAt) > 4*longPause:
		return kyro.JobAgainAfter(longPause)
	default:
		return kyro.JobAgainAfter(readyPauses)
	}
	for began := g.Now(); g.Now().Sub(began) < checkATurn; {
		more, err := g.askNext(ctx, c, gap, job.Run)
		if err != nil || !more {
			return err
		}
	}
	return kyro.ErrJobAgain
}

// askNext asks one question. Where none is left the check ends.
func (g *Gaps) askNext(ctx context.Context, c kyro.CheckedGap, gap kyro.ID, run int64) (more bool, err error) {
	trial, found, err := g.Store.BeginGapTrial(ctx, gap, run, g.Rehearsal.History(), g.Rehearsal.Estimate, g.time())
	switch {
	case kyro.ErrorCode(err) == kyro.CodeBudgetExceeded:
		return false, g.end(ctx, gap, run, kyro.GapNoBudget)
	case kyro.ErrorCode(err) == kyro.CodeNotFound: // it was deleted a moment ago, and the next look finds it no more
		return false, kyro.JobAgainAfter(readyPauses)
	case err != nil:
		return false, err
	case !found:
		return false, g.end(ctx, gap, run, "")
	}
	said, err := g.Rehearsal.Ask(ctx, trial.AnswerJob)
	if err != nil && ctx.Err() != nil {
		return false, err // what is held for it is held for the next turn
	}
	if passing(err) || err == nil && said.Degraded {
		return false, g.askLater(ctx, gap, run, trial, said.Usage, err)
	}
	verdict := kyro.GapUnanswered
	if err != nil {
		g.Log.WarnContext(ctx, "a question that was asked again has no answer", "gap", gap.String(), "message", trial.Question.ID.String(), "error", err)
	} else if closes(trial, said, c.Document.ID) {
		verdict = kyro.GapAnswered
	}
	if err := g.Store.SaveGapVerdict(ctx, gap, run, trial, verdict, said.Usage, g.time()); err != nil {
		return false, err
	}
	kyro.JobProgress(ctx)
	return true, nil
}

// askLater has a question asked again once what is away may be there, a while longer after each try. After triesMost the check
// ends: whatever fails so often may do so for a reason that does not pass.
func (g *Gaps) askLater(ctx context.Context, gap kyro.ID, run int64, t kyro.GapTrial, used kyro.MessageUsage, err error) error {
	tries, failed := g.Store.FailGapTrial(ctx, gap, run, t, used, g.time())
	if failed != nil {
		return failed
	}
	g.Log.WarnContext(ctx, "a question is not asked again yet", "gap", gap.String(), "message", t.Question.ID.String(), "tries", tries, "error", err)
	if tries >= triesMost {
		return g.end(ctx, gap, run, kyro.GapNotChecked)
	}
	return kyro.JobAgainAfter(max(pauseFor(err), min(longAway, time.Duration(tries)*awayPause)))
}

// closes reports whether an answer shows that the gap is closed: it rests on the document that was made to close it, at least
// in part, or, where nothing was found before, on others in full.
func closes(t kyro.GapTrial, said kyro.Rehearsed, document kyro.ID) bool {
	cites := slices.ContainsFunc(said.Citations, func(c kyro.Citation) bool { return c.DocumentID == document })
	switch said.Grounding {
	case kyro.Grounded:
		return cites || t.NotFound
	case kyro.GroundedPartly:
		return cites
	}
	return false
}

func (g *Gaps) end(ctx context.Context, gap kyro.ID, run int64, problem kyro.GapProblem) error {
	err := g.Store.EndGapCheck(ctx, gap, run, problem, g.time())
	if err == nil {
		g.Log.InfoContext(ctx, "gap checked", "gap", gap.String(), "problem", problem)
	}
	return err
}

// GiveUp ends a check whose job has failed for the last time.
func (g *Gaps) GiveUp(ctx context.Context, job kyro.Job, _ error) error {
	return g.Store.EndGapCheck(ctx, kyro.GapID(job.Key), job.Run, kyro.GapNotChecked, g.time())
}
