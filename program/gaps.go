package program

import (
	"time"

	"kyrochat/answer"
	"kyrochat/insight"
	"kyrochat/kyro"
	"kyrochat/store"
)

// newGaps makes the use cases of what bots could not answer, and gives the queue their handlers. Questions are asked again by
// whoever works on jobs, so that workers have what makes answers, too.
func (a *app) newGaps(st *store.Store, rehearsal *answer.Rehearsal) *insight.Gaps {
	gaps := insight.NewGaps(insight.GapConfig{
		Store: st, Embedder: a.providers.Compared, Answers: a.documents, Rehearsal: rehearsal, Threshold: a.cfg.GapSimilarity,
		Metered: a.providers.Gemini != nil, Prices: a.cfg.Prices, Now: a.hooks.now, Log: a.log,
	})
	a.queue.Handle(kyro.JobPlaceGaps, gaps.Place)
	a.queue.Handle(kyro.JobCheckGap, gaps.Check)
	a.queue.OnExhausted(kyro.JobCheckGap, gaps.GiveUp)
	a.queue.Periodic(kyro.JobSweepGaps, 5*time.Minute, gaps.Sweep)
	return gaps
}
