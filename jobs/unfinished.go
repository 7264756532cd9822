package jobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"kyrochat/kyro"
)

// mostUnfinished is how far Unfinished counts of each.
const mostUnfinished = 1000

// mostListed is how many rows River lists at once at most.
const mostListed = 10_000

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
	n, err := q.count(ctx, asked, unfinished...)
	if err != nil {
		return 0, err
	}
	more, err := q.count(ctx, running, rivertype.JobStateRunning)
	return n + more, err
}

// Lost gives those of the jobs, all of one kind, that neither wait nor run nor are to be tried again. There are a few hundred
// at most.
func (q *Queue) Lost(ctx context.Context, jobs []kyro.Job) ([]kyro.Job, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	keys := make([]string, len(jobs))
	for i, job := range jobs {
		keys[i] = strconv.FormatInt(job.Key, 10)
	}
	params := river.NewJobListParams().Kinds(string(jobs[0].Kind)).States(unfinished...).First(mostListed).
		Where("CAST(args ->> 'key' AS BIGINT) IN (" + strings.Join(keys, ", ") + ")")
	found, err := q.list(ctx, params)
	if err != nil || len(found) == mostListed {
		return nil, err // there may be more of them
	}
	there := map[args]bool{}
	for _, row := range found {
		var a args
		if err := json.Unmarshal(row.EncodedArgs, &a); err != nil {
			return nil, fmt.Errorf("read the arguments of a job: %w", err)
		}
		there[a] = true
	}
	return slices.DeleteFunc(slices.Clone(jobs), func(job kyro.Job) bool { return there[args{Key: job.Key, Run: job.Run}] }), nil
}

// BacklogPostgres gives the jobs that wait, run or are to be tried again, as the transaction sees them. Those that come again by
// themselves are left out: there is always a next one.
func (q *Queue) BacklogPostgres(ctx context.Context, tx pgx.Tx) ([]kyro.Job, error) {
	return q.backlog(func(params *river.JobListParams) (*river.JobListResult, error) {
		return q.postgres.store.JobListTx(ctx, tx, params)
	})
}

// BacklogSQLite is BacklogPostgres for a transaction on SQLite.
func (q *Queue) BacklogSQLite(ctx context.Context, tx *sql.Tx) ([]kyro.Job, error) {
	return q.backlog(func(params *river.JobListParams) (*river.JobListResult, error) {
		return q.sqlite.store.JobListTx(ctx, tx, params)
	})
}

func (q *Queue) backlog(list func(*river.JobListParams) (*river.JobListResult, error)) (jobs []kyro.Job, err error) {
	params := river.NewJobListParams().States(unfinished...).OrderBy(river.JobListOrderByID, river.SortOrderAsc).First(mostListed)
	for {
		found, err := list(params)
		if err != nil {
			return nil, fmt.Errorf("look for unfinished jobs: %w", err)
		}
		for _, row := range found.Jobs {
			var a args
			if err := json.Unmarshal(row.EncodedArgs, &a); err != nil {
				return nil, fmt.Errorf("read the arguments of a job: %w", err)
			}
			if a.Key == 0 { // about nothing in particular: a periodic one
				continue
			}
			jobs = append(jobs, kyro.Job{Kind: kyro.JobKind(row.Kind), Key: a.Key, Run: a.Run, After: max(0, time.Until(row.ScheduledAt))})
		}
		if len(found.Jobs) < mostListed {
			return jobs, nil
		}
		params = params.After(found.LastCursor)
	}
}

// unfinished are the states of jobs that there is something left to do for.
var unfinished = []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled,
}

func (q *Queue) count(ctx context.Context, kinds []string, states ...rivertype.JobState) (int, error) {
	if len(kinds) == 0 {
		return 0, nil // River takes none for all
	}
	found, err := q.list(ctx, river.NewJobListParams().Kinds(kinds...).States(states...).First(mostUnfinished))
	return len(found), err
}

func (q *Queue) list(ctx context.Context, params *river.JobListParams) ([]*rivertype.JobRow, error) {
	list := func() (*river.JobListResult, error) { return q.sqlite.store.JobList(ctx, params) }
	if q.postgres != nil {
		list = func() (*river.JobListResult, error) { return q.postgres.store.JobList(ctx, params) }
	}
	found, err := list()
	if err != nil {
		return nil, fmt.Errorf("look for unfinished jobs: %w", err)
	}
	return found.Jobs, nil
}
