package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"kyrochat/kyro"
)

// args are a job as River keeps it. The kind is River's own column.
type args struct {
	kind kyro.JobKind
	Key  int64 `json:"key"`
	Run  int64 `json:"run,omitempty"`
}

// Kind names the job for River.
func (a args) Kind() string { return string(a.kind) }

// engine is River on one kind of database. Jobs can be stored before there are handlers, so storing and working
// have a client each.
type engine[TTx any] struct {
	driver riverdriver.Driver[TTx]
	log    *slog.Logger
	store  *river.Client[TTx]
	work   *river.Client[TTx] // nil before start
}

func newEngine[TTx any](driver riverdriver.Driver[TTx], log *slog.Logger) (*engine[TTx], error) {
	log = slog.New(newForOperators(log.Handler()))
	client, err := river.NewClient(driver, &river.Config{
		Logger: log,
		// River leaves out the announcement of jobs that follow another within the cooldown. What it leaves out
		// waits for the next poll, so leave out as little as can be.
		FetchCooldown: river.FetchCooldownMin,
	})
	if err != nil {
		return nil, fmt.Errorf("open the job queue: %w", err)
	}
	return &engine[TTx]{driver: driver, log: log, store: client}, nil
}

func (e *engine[TTx]) migrate(ctx context.Context) error {
	migrator, err := rivermigrate.New(e.driver, &rivermigrate.Config{Logger: e.log})
	if err != nil {
		return fmt.Errorf("migrate the job queue: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate the job queue: %w", err)
	}
	return nil
}

func (e *engine[TTx]) unmigrate(ctx context.Context) error {
	migrator, err := rivermigrate.New(e.driver, &rivermigrate.Config{Logger: e.log})
	if err != nil {
		return fmt.Errorf("take back the job queue: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionDown, &rivermigrate.MigrateOpts{TargetVersion: -1}); err != nil {
		return fmt.Errorf("take back the job queue: %w", err)
	}
	return nil
}

func (e *engine[TTx]) enqueue(ctx context.Context, tx TTx, jobs []river.InsertManyParams) error {
	if len(jobs) == 0 {
		return nil
	}
	if _, err := e.store.InsertManyTx(ctx, tx, jobs); err != nil {
		return fmt.Errorf("enqueue %d jobs: %w", len(jobs), err)
	}
	return nil
}

func (e *engine[TTx]) start(ctx context.Context, config *river.Config) error {
	if e.work != nil {
		return errors.New("start jobs: already started")
	}
	config.Logger = e.log
	client, err := river.NewClient(e.driver, config)
	if err != nil {
		return fmt.Errorf("start jobs: %w", err)
	}
	// The end of a start's context is no order to stop: Stop is, at its place in the shutdown.
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start jobs: %w", err)
	}
	e.work = client
	return nil
}

func (e *engine[TTx]) stop(ctx context.Context) error {
	if e.work == nil {
		return nil
	}
	return e.work.Stop(ctx)
}

// inserts are the jobs as River stores them.
func (q *Queue) inserts(ctx context.Context, jobs []kyro.Job) []river.InsertManyParams {
	metadata := traced(ctx)
	inserts := make([]river.InsertManyParams, len(jobs))
	for i, job := range jobs {
		opts := &river.InsertOpts{Queue: queueOf(job.Kind), MaxAttempts: q.riverAttempts(), Metadata: metadata}
		if job.After > 0 {
			opts.ScheduledAt = q.clock.Now().Add(job.After)
		}
		inserts[i] = river.InsertManyParams{Args: args{kind: job.Kind, Key: job.Key, Run: job.Run}, InsertOpts: opts}
	}
	return inserts
}

// riverAttempts is more than ever happens: this package decides itself when a job has failed for the last time,
// because River would drop a job whose process dies in its last attempt without telling anybody.
func (q *Queue) riverAttempts() int { return q.cfg.MaxFailures + q.cfg.MaxCrashes + 100 }

// patientPolls is how many times longer jobs that nobody waits for may wait to be found than the others: every look is a
// transaction, also while there is nothing.
const patientPolls = 4

func (q *Queue) riverConfig() *river.Config {
	config := &river.Config{
		Queues:               map[string]river.QueueConfig{},
		Workers:              river.NewWorkers(),
		JobTimeout:           q.cfg.Timeout,
		RescueStuckJobsAfter: q.cfg.riverRescueAfter(),
		SoftStopTimeout:      q.cfg.StopTimeout,
		FetchCooldown:        q.cfg.FetchCooldown,
		FetchPollInterval:    max(q.cfg.PollInterval, q.cfg.FetchCooldown),
		MaxAttempts:          q.riverAttempts(),
		RetryPolicy:          retryPolicy{q.cfg.Backoff, q.clock.Now},
		Test:                 river.TestConfig{Time: &q.clock}, // the only way to give it a clock
	}
	for kind, h := range q.handlers {
		name := queueOf(kind)
		queue := river.QueueConfig{MaxWorkers: q.cfg.workers(name)}
		if h.every > 0 || name == tidying {
			queue.FetchPollInterval = max(patientPolls*q.cfg.PollInterval, q.cfg.FetchCooldown)
		}
		config.Queues[name] = queue
		river.AddWorkerArgs(config.Workers, args{kind: kind}, &worker{queue: q, kind: kind, handler: h})
		if h.every > 0 {
			config.PeriodicJobs = append(config.PeriodicJobs, q.periodic(kind, h.every))
		}
	}
	return config
}

func (q *Queue) periodic(kind kyro.JobKind, every time.Duration) *river.PeriodicJob {
	opts := &river.InsertOpts{
		Queue:       queueOf(kind),
		MaxAttempts: q.riverAttempts(),
		UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
			rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
			rivertype.JobStateRunning, rivertype.JobStateScheduled,
		}},
	}
	job := func() (river.JobArgs, *river.InsertOpts) { return args{kind: kind}, opts }
	return river.NewPeriodicJob(river.PeriodicInterval(every), job, &river.PeriodicJobOpts{RunOnStart: true})
}

// gatherTidying moves what an earlier version put into a queue for each kind to where it is looked for now.
const gatherTidying = `UPDATE river_job SET queue = '` + tidying + `'
	WHERE queue IN ('purge', 'purge-bot', 'refresh', 'sweep-files') AND finalized_at IS NULL`

// takeBackRunning makes the jobs available that a process which is gone left running, and ends its leadership.
// Nobody else can be running jobs of this database: the caller of Start holds its lock.
func (q *Queue) takeBackRunning(ctx context.Context) error {
	for _, statement := range []string{
		`UPDATE river_job SET state = 'available', scheduled_at = datetime('now', 'subsec') WHERE state = 'running'`,
		`DELETE FROM river_leader`,
	} {
		if err := q.exec(ctx, statement); err != nil {
			return fmt.Errorf("take back jobs left running: %w", err)
		}
	}
	return nil
}
