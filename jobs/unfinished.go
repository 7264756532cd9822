package jobs

import (
	"context"
	"fmt"
	"slices"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"kyrochat/kyro"
)

// mostUnfinished is how far Unfinished counts of each.
const mostUnfinished = 1000

// Unfinished is how many jobs of the kinds wait, run or are to be tried again, and how many of the others are running:
// a thousand of each at the most. Periodic jobs do not count, since there is always a next one.
func (q *Queue) Unfinished(ctx context.Context, kinds ...kyro.JobKind) (int, error) {
	asked, running := make([]string, len(kinds)), []string(nil)
	for i, kind := range kinds {
		asked[i] = string(kind)
	}
	for kind, h := range q.handlers {
		if h.every == 0 && !slices.Contains(kinds, kind) {
			running = append(running, string(kind))
		}
	}
	n, err := q.count(ctx, asked, rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
		rivertype.JobStateRunning, rivertype.JobStateScheduled)
	if err != nil {
		return 0, err
	}
	more, err := q.count(ctx, running, rivertype.JobStateRunning)
	return n + more, err
}

func (q *Queue) count(ctx context.Context, kinds []string, states ...rivertype.JobState) (int, error) {
	if len(kinds) == 0 {
		return 0, nil // River takes none for all
	}
	params := river.NewJobListParams().Kinds(kinds...).States(states...).First(mostUnfinished)
	list := func() (*river.JobListResult, error) { return q.sqlite.store.JobList(ctx, params) }
	if q.postgres != nil {
		list = func() (*river.JobListResult, error) { return q.postgres.store.JobList(ctx, params) }
	}
	found, err := list()
	if err != nil {
		return 0, fmt.Errorf("count unfinished jobs: %w", err)
	}
	return len(found.Jobs), nil
}
