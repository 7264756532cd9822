package insight_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"kyrochat/ai"
	"kyrochat/insight"
	"kyrochat/kyro"
)

// checkedGap is a store with one gap that is checked, and what it was told.
type checkedGap struct {
	insight.GapStore
	document *kyro.Document
	asked    []kyro.GapTrial
	budget   error
	began    time.Time
	unused   bool
	tries    int // that a question failed before

	failed   []int64 // tokens of tries
	verdicts []kyro.GapVerdict
	ended    []kyro.GapProblem
}

func (s *checkedGap) CheckedGap(context.Context, kyro.ID, int64) (kyro.CheckedGap, bool, error) {
	return kyro.CheckedGap{Gap: kyro.Gap{ID: kyro.GapID(1), Check: kyro.GapCheck{BeganAt: &s.began}}, Document: s.document, Unused: s.unused}, true, nil
}

func (s *checkedGap) BeginGapTrial(
	context.Context, kyro.ID, int64, int, func(kyro.Bot, string, bool) kyro.Spending, time.Time,
) (kyro.GapTrial, bool, error) {
	if s.budget != nil || len(s.asked) == len(s.verdicts) {
		return kyro.GapTrial{}, false, s.budget
	}
	return s.asked[len(s.verdicts)], true, nil
}

func (s *checkedGap) SaveGapVerdict(
	_ context.Context, _ kyro.ID, _ int64, _ kyro.GapTrial, v kyro.GapVerdict, _ kyro.MessageUsage, _ time.Time,
) error {
	s.verdicts = append(s.verdicts, v)
	return nil
}

func (s *checkedGap) FailGapTrial(
	_ context.Context, _ kyro.ID, _ int64, _ kyro.GapTrial, u kyro.MessageUsage, _ time.Time,
) (int, error) {
	s.failed = append(s.failed, int64(u.TotalTokens()))
	return s.tries + len(s.failed), nil
}

func (s *checkedGap) EndGapCheck(_ context.Context, _ kyro.ID, _ int64, problem kyro.GapProblem, _ time.Time) error {
	s.ended = append(s.ended, problem)
	return nil
}

// says answers every question alike.
type says struct {
	answer kyro.Rehearsed
	err    error
}

func (r says) Ask(context.Context, kyro.AnswerJob) (kyro.Rehearsed, error) { return r.answer, r.err }
func (says) Estimate(kyro.Bot, string, bool) kyro.Spending                 { return kyro.Spending{} }
func (says) History() int                                                  { return 0 }

func TestCheckingAGap(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	made := func(status kyro.DocumentStatus) *kyro.Document {
		return &kyro.Document{ID: kyro.DocumentID(7), Status: status}
	}
	cites := []kyro.Citation{{DocumentID: kyro.DocumentID(7)}}
	others := []kyro.Citation{{DocumentID: kyro.DocumentID(8)}}
	again, away := kyro.CodeUnavailable, kyro.Errorf(kyro.CodeUpstreamFailed, "away")
	for name, c := range map[string]struct {
		document *kyro.Document
		notFound bool
		says     says
		budget   error
		age      time.Duration
		unused   bool
		tries    int
		failed   []int64
		verdict  kyro.GapVerdict
		ended    *kyro.GapProblem
		code     kyro.Code
	}{
		"it rests on the document":                {document: made(kyro.DocumentReady), says: says{answer: kyro.Rehearsed{Grounding: kyro.Grounded, Citations: cites}}, verdict: kyro.GapAnswered, ended: because("")},
		"in part":                                 {document: made(kyro.DocumentWarned), says: says{answer: kyro.Rehearsed{Grounding: kyro.GroundedPartly, Citations: cites}}, verdict: kyro.GapAnswered, ended: because("")},
		"on another, where nothing was found":     {document: made(kyro.DocumentReady), notFound: true, says: says{answer: kyro.Rehearsed{Grounding: kyro.Grounded, Citations: others}}, verdict: kyro.GapAnswered, ended: because("")},
		"on another, where that was wrong":        {document: made(kyro.DocumentReady), says: says{answer: kyro.Rehearsed{Grounding: kyro.Grounded, Citations: others}}, verdict: kyro.GapUnanswered, ended: because("")},
		"nothing is found":                        {document: made(kyro.DocumentReady), notFound: true, says: says{answer: kyro.Rehearsed{Grounding: kyro.GroundingNotFound}}, verdict: kyro.GapUnanswered, ended: because("")},
		"the model declines":                      {document: made(kyro.DocumentReady), says: says{err: kyro.Errorf(kyro.CodeContentBlocked, "no")}, verdict: kyro.GapUnanswered, ended: because("")},
		"the model is away":                       {document: made(kyro.DocumentReady), says: says{err: away}, failed: []int64{0}, code: again},
		"the model is cut off":                    {document: made(kyro.DocumentReady), says: says{err: away, answer: kyro.Rehearsed{Usage: kyro.MessageUsage{PromptTokens: 9}}}, failed: []int64{9}, code: again},
		"and so for the tenth time":               {document: made(kyro.DocumentReady), says: says{err: away}, tries: 9, failed: []int64{0}, ended: because(kyro.GapNotChecked)},
		"the index is away":                       {document: made(kyro.DocumentReady), says: says{answer: kyro.Rehearsed{Grounding: kyro.GroundingNotFound, Degraded: true}}, failed: []int64{0}, code: again},
		"the account is out of use":               {document: made(kyro.DocumentReady), unused: true, ended: because(kyro.GapNotChecked)},
		"the document is not ready":               {document: made(kyro.DocumentEmbedding), code: again},
		"not for long":                            {document: made(kyro.DocumentWaitingQuota), age: time.Hour, code: again},
		"nor for a day":                           {document: made(kyro.DocumentWaitingQuota), age: 25 * time.Hour, ended: because(kyro.GapNotChecked)},
		"the document failed":                     {document: made(kyro.DocumentFailed), ended: because(kyro.GapDocumentFailed)},
		"the document was deleted":                {ended: because(kyro.GapDocumentDeleted)},
		"there is not enough left of the budgets": {document: made(kyro.DocumentReady), budget: kyro.Errorf(kyro.CodeBudgetExceeded, "no"), ended: because(kyro.GapNoBudget)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &checkedGap{document: c.document, budget: c.budget, began: now.Add(-c.age), unused: c.unused, tries: c.tries, asked: []kyro.GapTrial{{NotFound: c.notFound}}}
			gaps := insight.NewGaps(insight.GapConfig{Store: s, Embedder: ai.HashEmbedder{}, Rehearsal: c.says, Now: func() time.Time { return now }})
			err := gaps.Check(t.Context(), kyro.Job{Key: 1, Run: 1})
			if kyro.ErrorCode(err) != c.code {
				t.Fatalf("error %v, want %q", err, c.code)
			}
			if c.verdict == "" && len(s.verdicts) > 0 || c.verdict != "" && (len(s.verdicts) != 1 || s.verdicts[0] != c.verdict) {
				t.Errorf("verdicts %v, want %q", s.verdicts, c.verdict)
			}
			if !slices.Equal(s.failed, c.failed) {
				t.Errorf("tries that failed took %v, want %v", s.failed, c.failed)
			}
			if c.ended == nil && len(s.ended) > 0 || c.ended != nil && (len(s.ended) != 1 || s.ended[0] != *c.ended) {
				t.Errorf("ended %q, want %v", s.ended, c.ended)
			}
		})
	}
}

func because(p kyro.GapProblem) *kyro.GapProblem { return &p }
