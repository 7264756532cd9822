package jobs_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"kyrochat/jobs"
	"kyrochat/kyro"
)

func TestUnfinishedCountsWhatIsLeft(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		release := make(chan struct{})
		working := make(chan kyro.Job, 10)
		again := make(chan kyro.Job, 10)
		q := start(t, db, quick(), func(q *jobs.Queue) {
			q.Handle(kyro.JobPurge, func(ctx context.Context, job kyro.Job) error {
				working <- job
				select {
				case <-release:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			})
			q.Handle(kyro.JobIngest, func(_ context.Context, job kyro.Job) error {
				again <- job
				later := kyro.Errorf(kyro.CodeUpstreamQuota, "Later.").Because(kyro.ErrJobAgain)
				later.RetryAfter = time.Hour
				return later
			})
			q.Periodic(kyro.JobSweepFiles, time.Hour, func(context.Context) error { return nil })
		})
		left := func(want int) {
			t.Helper()
			n, err := q.Unfinished(t.Context(), kyro.JobPurge)
			if err != nil || n != want {
				t.Errorf("%d jobs are left (%v), want %d", n, err, want)
			}
		}
		left(0)
		add(t, db, q, kyro.Job{Kind: kyro.JobPurge, Key: 1})
		receive(t, working)
		left(1)
		// One that waits for an hour has nothing to do with a purge.
		add(t, db, q, kyro.Job{Kind: kyro.JobIngest, Key: 2})
		receive(t, again)
		until(t, db, 1, "SELECT count(*) FROM river_job WHERE kind = 'ingest' AND state = 'scheduled'")
		left(1)
		close(release)
		until(t, db, 1, "SELECT count(*) FROM river_job WHERE kind = 'purge' AND state = 'completed'")
		left(0)
	})
}

func TestLostJobs(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		release, done := make(chan struct{}), make(chan kyro.Job, 10)
		q := start(t, db, quick(), func(q *jobs.Queue) {
			q.Handle(kyro.JobIngest, func(ctx context.Context, job kyro.Job) error {
				switch job.Key {
				case 1:
					later := kyro.Errorf(kyro.CodeUpstreamQuota, "Later.").Because(kyro.ErrJobAgain)
					later.RetryAfter = time.Hour
					done <- job
					return later
				case 2:
					done <- job
					select {
					case <-release:
					case <-ctx.Done():
					}
				}
				done <- job
				return nil
			})
			q.Handle(kyro.JobPurge, func(context.Context, kyro.Job) error { return nil })
		})
		defer close(release)
		there := []kyro.Job{{Kind: kyro.JobIngest, Key: 1, Run: 7}, {Kind: kyro.JobIngest, Key: 2, Run: 1}}
		over := kyro.Job{Kind: kyro.JobIngest, Key: 3, Run: 1}
		for _, job := range append(there, over) {
			add(t, db, q, job)
			receive(t, done)
		}
		until(t, db, 1, "SELECT count(*) FROM river_job WHERE state = 'completed'")
		never, former := kyro.Job{Kind: kyro.JobIngest, Key: 9_000_000_000, Run: 1}, kyro.Job{Kind: kyro.JobIngest, Key: 1, Run: 6}
		lost, err := q.Lost(t.Context(), append(there, over, never, former))
		if want := []kyro.Job{over, never, former}; err != nil || !slices.Equal(lost, want) {
			t.Errorf("lost are %v (%v), want %v", lost, err, want)
		}
	})
}
