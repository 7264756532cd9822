package jobs_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"kyrochat/jobs"
	"kyrochat/kyro"
)

// TestCensus counts by kind and state, tells of what there is none of, and how long the oldest has been due.
func TestCensus(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		q, err := db.open(quick())
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range []kyro.JobKind{kyro.JobIngest, kyro.JobMail, kyro.JobPurge} {
			q.Handle(kind, func(context.Context, kyro.Job) error { return nil })
		}
		add(t, db, q, kyro.Job{Kind: kyro.JobIngest, Key: 1}, kyro.Job{Kind: kyro.JobIngest, Key: 2}, kyro.Job{Kind: kyro.JobIngest, Key: 3, After: time.Hour})
		add(t, db, q, kyro.Job{Kind: kyro.JobMail, Key: 1}, kyro.Job{Kind: kyro.JobPurge, Key: 1})
		back := "datetime('now', '-90 seconds', 'subsec')"
		if !isSQLite(t, db) {
			back = "now() - interval '90 seconds'"
		}
		for _, statement := range []string{
			"UPDATE river_job SET scheduled_at = " + back + " WHERE kind = 'ingest' AND state = 'available' AND id = (SELECT min(id) FROM river_job WHERE kind = 'ingest')",
			"UPDATE river_job SET state = 'completed', finalized_at = scheduled_at WHERE kind = 'purge'",
		} {
			if err := db.exec(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		list, err := q.Census(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		find := func(kind kyro.JobKind, state string) jobs.Count {
			t.Helper()
			i := slices.IndexFunc(list, func(c jobs.Count) bool { return c.Kind == string(kind) && c.State == state })
			if i < 0 {
				t.Fatalf("nothing is told of %s that are %s", kind, state)
			}
			return list[i]
		}
		if c := find(kyro.JobIngest, "available"); c.Jobs != 2 || c.Oldest < 80*time.Second || c.Oldest > 5*time.Minute {
			t.Errorf("%+v", c)
		}
		if c := find(kyro.JobIngest, "scheduled"); c.Jobs != 1 || c.Oldest != 0 {
			t.Errorf("%+v", c)
		}
		if c := find(kyro.JobMail, "available"); c.Jobs != 1 || c.Oldest > time.Minute {
			t.Errorf("%+v", c)
		}
		for _, state := range []string{"available", "running", "retryable", "scheduled", "cancelled"} {
			if c := find(kyro.JobPurge, state); c.Jobs != 0 {
				t.Errorf("%+v of a job that is done", c)
			}
		}
		if len(list) != 15 {
			t.Errorf("%d lines: %+v", len(list), list)
		}
	})
}

func isSQLite(t *testing.T, db database) bool {
	t.Helper()
	return db.exec(t.Context(), "SELECT sqlite_version()") == nil
}

// TestTurnsAreMeasured with what came of them.
func TestTurnsAreMeasured(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		var mu sync.Mutex
		var told []jobs.Outcome
		config := quick()
		config.MaxFailures = 2
		ended := make(chan struct{}, 10)
		config.Measure = func(kind kyro.JobKind, outcome jobs.Outcome, took time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			if kind != kyro.JobIngest || took <= 0 {
				t.Errorf("%s took %v", kind, took)
			}
			told = append(told, outcome)
			ended <- struct{}{}
		}
		turn, stopping := 0, make(chan struct{})
		q := start(t, db, config, func(q *jobs.Queue) {
			q.Handle(kyro.JobIngest, func(ctx context.Context, job kyro.Job) error {
				switch turn++; {
				case job.Key == 2:
					close(stopping)
					<-ctx.Done()
					return ctx.Err()
				case turn == 1:
					return kyro.ErrJobAgain
				case turn < 4:
					return errors.New("boom")
				default:
					return nil
				}
			})
		})
		add(t, db, q, kyro.Job{Kind: kyro.JobIngest, Key: 1})
		for range 3 {
			receive(t, ended)
		}
		add(t, db, q, kyro.Job{Kind: kyro.JobIngest, Key: 3})
		receive(t, ended)
		add(t, db, q, kyro.Job{Kind: kyro.JobIngest, Key: 2})
		receive(t, stopping)
		stop(t, q)
		receive(t, ended)
		mu.Lock()
		defer mu.Unlock()
		if want := []jobs.Outcome{jobs.Again, jobs.Failed, jobs.Exhausted, jobs.Done, jobs.Interrupted}; !slices.Equal(told, want) {
			t.Errorf("told of %v, want %v", told, want)
		}
	})
}
