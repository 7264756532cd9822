package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kyrochat/jobs"
	"kyrochat/kyro"
)

// quick is a configuration under which nothing waits longer than it must.
func quick() jobs.Config {
	return jobs.Config{
		Backoff:       func(int) time.Duration { return time.Millisecond },
		FetchCooldown: time.Millisecond,
		PollInterval:  10 * time.Millisecond,
		StopTimeout:   10 * time.Millisecond,
	}
}

func TestJobExistsOnlyWithItsTransaction(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		done := make(chan kyro.Job, 10)
		q := start(t, db, quick(), func(q *jobs.Queue) {
			q.Handle(kyro.JobIngest, func(_ context.Context, job kyro.Job) error { done <- job; return nil })
		})
		if err := db.enqueue(t.Context(), q, true, kyro.Job{Kind: kyro.JobIngest, Key: 1, Run: 1}); err != nil {
			t.Fatal(err)
		}
		want := kyro.Job{Kind: kyro.JobIngest, Key: 2, Run: 7}
		add(t, db, q, want)
		if got := receive(t, done); got != want {
			t.Errorf("worked on %+v, want %+v", got, want)
		}
		until(t, db, 1, "SELECT count(*) FROM river_job WHERE state = 'completed'")
		until(t, db, 1, "SELECT count(*) FROM river_job")
	})
}

func TestFailureAndPanicAreTriedAgain(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		log := &buffer{}
		c := quick()
		c.Log = slog.New(slog.NewTextHandler(log, nil))
		var calls atomic.Int32
		done := make(chan kyro.Job, 1)
		q := start(t, db, c, func(q *jobs.Queue) {
			q.Handle(kyro.JobIngest, func(_ context.Context, job kyro.Job) error {
				switch calls.Add(1) {
				case 1:
					return errors.New("the disk is full")
				case 2:
					panic("index out of range")
				}
				done <- job
				return nil
			})
		})
		add(t, db, q, kyro.Job{Kind: kyro.JobIngest, Key: 5})
		receive(t, done)
		until(t, db, 1, "SELECT count(*) FROM river_job WHERE state = 'completed'")
		text := log.String()
		for what, want := range map[string]int{"the disk is full": 1, "job panicked": 1, "jobs_test.go": 1, "key=5": 3} {
			if n := strings.Count(text, what); n != want {
				t.Errorf("%q is logged %d times, want %d:\n%s", what, n, want, text)
			}
		}
	})
}

func TestLastFailureTellsTheVerb(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		c := quick()
		c.MaxFailures = 3
		var calls, told atomic.Int32
		causes := make(chan error, 10)
		q := start(t, db, c, func(q *jobs.Queue) {
			q.Handle(kyro.JobIngest, func(context.Context, kyro.Job) error {
				calls.Add(1)
				return errors.New("always broken")
			})
			q.OnExhausted(kyro.JobIngest, func(_ context.Context, job kyro.Job, cause error) error {
				causes <- cause
				if told.Add(1) < 3 {
					return errors.New("the database is away")
				}
				return nil
			})
		})
		add(t, db, q, kyro.Job{Kind: kyro.JobIngest, Key: 1})
		for range 3 {
			if cause := receive(t, causes); !strings.Contains(cause.Error(), "always broken") {
				t.Errorf("told of %q", cause)
			}
		}
		until(t, db, 1, "SELECT count(*) FROM river_job WHERE state = 'cancelled'")
		if calls.Load() != 3 || told.Load() != 3 {
			t.Errorf("worked %d times and told %d times, want 3 and 3", calls.Load(), told.Load())
		}
	})
}

func TestAgainCostsNoAttempt(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		c := quick()
		c.MaxFailures = 2
		c.MaxCrashes = 2
		const turns = 12 // more than may fail and crash together
		var calls atomic.Int32
		done := make(chan struct{})
		q := start(t, db, c, func(q *jobs.Queue) {
			q.Handle(kyro.JobIngest, func(context.Context, kyro.Job) error {
				switch n := calls.Add(1); {
				case n == turns:
					close(done)
					return nil
				case n == turns/2:
					return errors.New("one failure is allowed")
				case n%2 == 0:
					wait := kyro.Errorf(kyro.CodeUpstreamQuota, "wait")
					wait.RetryAfter = time.Millisecond
					return wait.Because(kyro.ErrJobAgain)
				default:
					return kyro.ErrJobAgain
				}
			})
		})
		add(t, db, q, kyro.Job{Kind: kyro.JobIngest, Key: 1})
		receive(t, done)
		until(t, db, 1, "SELECT count(*) FROM river_job WHERE state = 'completed' AND attempt = 2")
	})
}

// TestProgressForgives: what failed before a job got on does not count, and what fails without that still does.
func TestProgressForgives(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		c := quick()
		c.MaxFailures = 3
		const steps = 6
		var calls, stuck atomic.Int32
		told, done := make(chan kyro.Job, 10), make(chan struct{})
		q := start(t, db, c, func(q *jobs.Queue) {
			q.Handle(kyro.JobCrawl, func(ctx context.Context, job kyro.Job) error {
				if job.Key == 2 { // it got on once
					if stuck.Add(1) == 2 {
						kyro.JobProgress(ctx)
					}
					return errors.New("always broken")
				}
				// A failure, a turn that gets on, and one that gets on and fails.
				switch n := calls.Add(1); {
				case n == 3*steps:
					close(done)
					return nil
				case n%3 == 1:
					return errors.New("now and then")
				case n%3 == 2:
					kyro.JobProgress(ctx)
					return kyro.ErrJobAgain
				default:
					kyro.JobProgress(ctx)
					return errors.New("after a step")
				}
			})
			q.OnExhausted(kyro.JobCrawl, func(_ context.Context, job kyro.Job, _ error) error { told <- job; return nil })
		})
		add(t, db, q, kyro.Job{Kind: kyro.JobCrawl, Key: 1})
		receive(t, done)
		until(t, db, 1, "SELECT count(*) FROM river_job WHERE state = 'completed'")
		add(t, db, q, kyro.Job{Kind: kyro.JobCrawl, Key: 2})
		if job := receive(t, told); job.Key != 2 || stuck.Load() != 4 {
			t.Errorf("told of %+v after %d turns, want 4", job, stuck.Load())
		}
	})
}

func TestStopPutsTheRunningJobBack(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		running := make(chan struct{})
		first := start(t, db, quick(), func(q *jobs.Queue) {
			q.Handle(kyro.JobIngest, func(ctx context.Context, _ kyro.Job) error {
				close(running)
				<-ctx.Done()
				return errors.New("interrupted in the middle of a statement")
			})
		})
		add(t, db, first, kyro.Job{Kind: kyro.JobIngest, Key: 9})
		receive(t, running)
		stop(t, first)
		until(t, db, 1, "SELECT count(*) FROM river_job WHERE state = 'available' AND attempt = 0 AND errors IS NULL")

		done := make(chan kyro.Job, 1)
		start(t, db, quick(), func(q *jobs.Queue) {
			q.Handle(kyro.JobIngest, func(_ context.Context, job kyro.Job) error { done <- job; return nil })
		})
		if job := receive(t, done); job.Key != 9 {
			t.Errorf("went on with %+v", job)
		}
	})
}

func TestTimeoutEndsTheTurn(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		c := quick()
		c.Timeout = 20 * time.Millisecond
		c.MaxFailures = 1
		causes := make(chan error, 1)
		q := start(t, db, c, func(q *jobs.Queue) {
			q.Handle(kyro.JobIngest, func(ctx context.Context, _ kyro.Job) error {
				<-ctx.Done()
				return ctx.Err()
			})
			q.OnExhausted(kyro.JobIngest, func(ctx context.Context, _ kyro.Job, cause error) error {
				if ctx.Err() != nil {
					t.Error("the verb is told in a context that is over")
				}
				causes <- cause
				return nil
			})
		})
		add(t, db, q, kyro.Job{Kind: kyro.JobIngest, Key: 1})
		if cause := receive(t, causes); !errors.Is(cause, context.DeadlineExceeded) {
			t.Errorf("the turn ended with %v", cause)
		}
	})
}

// left is the row of a job whose process died in its turn.
const left = "UPDATE river_job SET state = 'running', attempt = attempt + 1, attempted_at = "

func TestSQLiteTakesUpAtOnceWhatADeadProcessLeft(t *testing.T) {
	t.Parallel()
	db := openSQLite(t)
	q, err := db.open(quick())
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	add(t, db, q, kyro.Job{Kind: kyro.JobIngest, Key: 1})
	for _, statement := range []string{
		left + "datetime('now', 'subsec')",
		`INSERT INTO river_leader (leader_id, elected_at, expires_at) VALUES ('dead', datetime('now', 'subsec'), datetime('now', 'subsec', '1 hour'))`,
	} {
		if err := db.exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan struct{})
	start(t, db, quick(), func(q *jobs.Queue) {
		q.Handle(kyro.JobIngest, func(context.Context, kyro.Job) error { close(done); return nil })
	})
	receive(t, done)
	until(t, db, 1, "SELECT count(*) FROM river_leader WHERE leader_id <> 'dead'")
}

func TestPostgresRescuesWhatADeadProcessLeft(t *testing.T) {
	t.Parallel()
	db := openPostgres(t)
	c := quick()
	c.Timeout, c.RescueAfter = time.Second, time.Second
	q, err := db.open(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	add(t, db, q, kyro.Job{Kind: kyro.JobIngest, Key: 1})
	if err := db.exec(t.Context(), left+"now() - interval '1 hour'"); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	start(t, db, c, func(q *jobs.Queue) {
		q.Handle(kyro.JobIngest, func(context.Context, kyro.Job) error { close(done); return nil })
	})
	receive(t, done)
	until(t, db, 1, "SELECT count(*) FROM river_job WHERE state = 'completed'")
}

// TestLongWorkOfADeadProcessIsTakenUp: a periodic job with a long turn of its own, which another one would not be stored
// beside, is not given the rest of that turn.
func TestLongWorkOfADeadProcessIsTakenUp(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		c := quick()
		c.Timeout, c.RescueAfter = time.Second, time.Second
		c.Timeouts = map[kyro.JobKind]time.Duration{kyro.JobReconcile: 200 * 365 * 24 * time.Hour}
		ran := make(chan struct{}, 10)
		work := func(turn error) func(*jobs.Queue) {
			return func(q *jobs.Queue) {
				q.Periodic(kyro.JobReconcile, time.Hour, func(context.Context) error { ran <- struct{}{}; return turn })
			}
		}
		killed := start(t, db, c, work(kyro.JobAgainAfter(time.Hour)))
		receive(t, ran)
		until(t, db, 1, "SELECT count(*) FROM river_job WHERE state = 'scheduled'")
		stop(t, killed)
		for _, statement := range []string{
			"UPDATE river_job SET state = 'running', attempt = 1",
			"UPDATE river_job SET attempted_at = '2026-01-02 03:04:05'",
		} {
			if err := db.exec(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		start(t, db, c, work(nil))
		receive(t, ran)
		until(t, db, 1, "SELECT count(*) FROM river_job WHERE state = 'completed' AND attempt = 2")
	})
}

func TestLongWorkTellsThatItGoesOn(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		c := quick()
		c.Timeout, c.RescueAfter = 200*time.Millisecond, 200*time.Millisecond
		working, enough := make(chan struct{}, 10), make(chan struct{})
		q := start(t, db, c, func(q *jobs.Queue) {
			q.Handle(kyro.JobReconcile, func(ctx context.Context, _ kyro.Job) error {
				working <- struct{}{}
				<-enough
				return ctx.Err()
			})
		})
		add(t, db, q, kyro.Job{Kind: kyro.JobReconcile, Key: 1})
		receive(t, working)
		for range 2 {
			if err := db.exec(t.Context(), "UPDATE river_job SET attempted_at = created_at"); err != nil {
				t.Fatal(err)
			}
			until(t, db, 1, "SELECT count(*) FROM river_job WHERE state = 'running' AND attempted_at > created_at")
		}
		close(enough)
		until(t, db, 1, "SELECT count(*) FROM river_job WHERE state = 'completed' AND attempt = 1")
	})
}

// TestAFrozenProcessHasNoSayAnyMore: its job is taken up by another process, and when it comes back its turn ends, whatever
// that says of the job.
func TestAFrozenProcessHasNoSayAnyMore(t *testing.T) {
	t.Parallel()
	db := openPostgres(t)
	slow, fast := quick(), quick()
	slow.RescueAfter, fast.RescueAfter = 12*time.Second, 400*time.Millisecond // the first one renews every 3 s
	slow.Workers = map[kyro.JobKind]int{kyro.JobIngest: 1}                    // and may not take its own job up again
	taken, ended, enough := make(chan struct{}, 1), make(chan error, 1), make(chan struct{})
	q, err := db.open(slow)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	frozen := start(t, db, slow, func(q *jobs.Queue) {
		q.Handle(kyro.JobIngest, func(ctx context.Context, _ kyro.Job) error {
			taken <- struct{}{}
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return nil // it would say that the job is done
		})
	})
	add(t, db, frozen, kyro.Job{Kind: kyro.JobIngest, Key: 1})
	receive(t, taken)
	start(t, db, fast, func(q *jobs.Queue) {
		q.Handle(kyro.JobIngest, func(context.Context, kyro.Job) error {
			taken <- struct{}{}
			<-enough
			return kyro.JobAgainAfter(time.Hour)
		})
	})
	receive(t, taken)
	if err := receive(t, ended); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("the turn of the first one ended with %v", err)
	}
	stop(t, frozen) // what it had to say is said
	until(t, db, 1, "SELECT count(*) FROM river_job WHERE state = 'running'")
	close(enough)
	until(t, db, 1, "SELECT count(*) FROM river_job WHERE state = 'scheduled'")
	until(t, db, 1, "SELECT count(*) FROM river_job")
}

func TestJobThatKillsItsProcessIsGivenUp(t *testing.T) {
	t.Parallel()
	db := openSQLite(t)
	c := quick()
	c.MaxCrashes = 4
	q, err := db.open(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	add(t, db, q, kyro.Job{Kind: kyro.JobIngest, Key: 1}, kyro.Job{Kind: kyro.JobIngest, Key: 2})
	// Both died with the process several times; the first once too often.
	if err := db.exec(t.Context(), "UPDATE river_job SET state = 'running', attempt = 6 - id"); err != nil {
		t.Fatal(err)
	}
	told, done := make(chan kyro.Job, 2), make(chan kyro.Job, 2)
	start(t, db, c, func(q *jobs.Queue) {
		q.Handle(kyro.JobIngest, func(_ context.Context, job kyro.Job) error { done <- job; return nil })
		q.OnExhausted(kyro.JobIngest, func(_ context.Context, job kyro.Job, _ error) error { told <- job; return nil })
	})
	if job := receive(t, told); job.Key != 1 {
		t.Errorf("gave up %+v", job)
	}
	if job := receive(t, done); job.Key != 2 {
		t.Errorf("worked on %+v", job)
	}
}

func TestLaterJobWaits(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		done := make(chan kyro.Job, 2)
		q := start(t, db, quick(), func(q *jobs.Queue) {
			q.Handle(kyro.JobIngest, func(_ context.Context, job kyro.Job) error { done <- job; return nil })
		})
		add(t, db, q, kyro.Job{Kind: kyro.JobIngest, Key: 1, After: time.Hour}, kyro.Job{Kind: kyro.JobIngest, Key: 2})
		if job := receive(t, done); job.Key != 2 {
			t.Errorf("worked on %+v first", job)
		}
		until(t, db, 1, "SELECT count(*) FROM river_job WHERE state = 'scheduled'")
	})
}

func TestWorkersBoundWhatRunsAtOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		c := quick()
		c.Workers = map[kyro.JobKind]int{kyro.JobIngest: 2}
		var now, most atomic.Int32
		release, done := make(chan struct{}), make(chan struct{}, 10)
		q := start(t, db, c, func(q *jobs.Queue) {
			q.Handle(kyro.JobIngest, func(context.Context, kyro.Job) error {
				if n := now.Add(1); n > most.Load() {
					most.Store(n)
				}
				<-release
				now.Add(-1)
				done <- struct{}{}
				return nil
			})
			q.Handle(kyro.JobPurge, func(context.Context, kyro.Job) error { close(release); return nil })
		})
		for key := range int64(6) {
			add(t, db, q, kyro.Job{Kind: kyro.JobIngest, Key: key})
		}
		until(t, db, 2, "SELECT count(*) FROM river_job WHERE state = 'running'")
		add(t, db, q, kyro.Job{Kind: kyro.JobPurge, Key: 1}) // another kind has its own workers
		for range 6 {
			receive(t, done)
		}
		if most.Load() != 2 {
			t.Errorf("%d ran at once, want 2", most.Load())
		}
	})
}

func TestPeriodicWorkRunsSoonAfterTheStart(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		ran := make(chan struct{}, 10)
		start(t, db, quick(), func(q *jobs.Queue) {
			q.Periodic("sweep", time.Second, func(context.Context) error {
				ran <- struct{}{}
				return errors.New("failed")
			})
		})
		receive(t, ran)
		receive(t, ran) // a failed turn does not end it
	})
}

func TestQueueRefusesMistakesInTheWiring(t *testing.T) {
	t.Parallel()
	db := openSQLite(t)
	q, err := db.open(quick())
	if err != nil {
		t.Fatal(err)
	}
	q.OnExhausted(kyro.JobIngest, func(context.Context, kyro.Job, error) error { return nil })
	if err := q.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "ingest") {
		t.Errorf("a kind without a handler: %v", err)
	}
	if err := q.EnqueuePostgres(t.Context(), nil, kyro.Job{}); err == nil {
		t.Error("a PostgreSQL transaction on SQLite is accepted")
	}
	if err := q.Stop(t.Context()); err != nil {
		t.Errorf("stopping what never started: %v", err)
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		failures int
		random   float64
		want     time.Duration
	}{
		{1, 0.5, 2 * time.Second},
		{1, 0, 1500 * time.Millisecond},
		{2, 1, 5 * time.Second},
		{9, 0.5, 512 * time.Second},
		{10, 0.5, 10 * time.Minute},
		{1000, 0.5, 10 * time.Minute},
	} {
		if got := jobs.Backoff(test.failures, test.random); got != test.want {
			t.Errorf("Backoff(%d, %g) = %s, want %s", test.failures, test.random, got, test.want)
		}
	}
}

// buffer is a log that many goroutines write to.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// TestJobsOfFormerQueuesAreDone: an earlier version had a queue for each kind that puts things in order.
func TestJobsOfFormerQueuesAreDone(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		q, err := db.open(quick())
		if err != nil {
			t.Fatal(err)
		}
		add(t, db, q, kyro.Job{Kind: kyro.JobPurgeBot, Key: 3})
		if err := db.exec(t.Context(), "UPDATE river_job SET queue = 'purge-bot'"); err != nil {
			t.Fatal(err)
		}
		done := make(chan kyro.Job, 1)
		start(t, db, quick(), func(q *jobs.Queue) {
			q.Handle(kyro.JobPurgeBot, func(_ context.Context, job kyro.Job) error { done <- job; return nil })
		})
		if job := receive(t, done); job.Key != 3 {
			t.Errorf("done: %+v", job)
		}
	})
}
