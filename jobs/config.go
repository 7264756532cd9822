package jobs

import (
	"log/slog"
	"math/rand/v2"
	"time"

	"kyrochat/kyro"
)

// Config says how jobs are worked on; every zero field has a default.
type Config struct {
	// Workers says how many jobs of a kind with a queue of its own run at once in this process; default 4 to ingest, 2 to
	// mail, to crawl and to export, else 1. Those that share the queue of what nobody waits for have 2 together.
	Workers map[kyro.JobKind]int
	Timeout time.Duration // the longest turn of a job of any other kind than the following; default 45 s
	// Timeouts are those of kinds that cannot do their work in parts; default half an hour to reconcile and to export, and three
	// minutes to ask a question again, which is as long as an answer may take.
	Timeouts map[kyro.JobKind]time.Duration
	// RescueAfter is how long nothing may be heard of a job that is under way before its process counts as dead; default
	// 20 s, of which every process tells four times that it goes on.
	RescueAfter time.Duration
	StopTimeout time.Duration // what running jobs get at a stop before they are cancelled; default 5 s
	MaxFailures int           // tries that may fail; default 5
	MaxCrashes  int           // turns that may end with the process; default 20
	// Backoff is the pause after the given number of failures, from 1; default 2^n s ± 25 %, at most 10 min.
	Backoff func(failures int) time.Duration
	// FetchCooldown is the least time between two looks for jobs, which bounds how many are begun in a second;
	// default 20 ms. PollInterval is how often to look when nothing was announced; default 500 ms.
	FetchCooldown, PollInterval time.Duration
	Log                         *slog.Logger // default: nothing is logged
	// Measure, when set, is told of each turn of a job when it is over: what came of it, and how long it took. It is called
	// from many goroutines, and must not wait.
	Measure func(kind kyro.JobKind, outcome Outcome, took time.Duration)
	// Traces begins the span of each turn of a job, which goes on with the trace that the job was stored in; nil: there is none.
	Traces kyro.Traces
}

// Outcome is what came of a turn of a job.
type Outcome string

// The outcomes.
const (
	Done        Outcome = "done"
	Again       Outcome = "again"       // it goes on in another turn
	Failed      Outcome = "failed"      // it is tried again
	Exhausted   Outcome = "exhausted"   // it has failed for good
	Interrupted Outcome = "interrupted" // the queue stops, or another process has it
)

const maxBackoff = 10 * time.Minute

func (c Config) withDefaults() Config {
	setDefault(&c.Timeout, 45*time.Second)
	setDefault(&c.RescueAfter, 20*time.Second)
	setDefault(&c.StopTimeout, 5*time.Second)
	setDefault(&c.MaxFailures, 5)
	setDefault(&c.MaxCrashes, 20)
	setDefault(&c.FetchCooldown, 20*time.Millisecond)
	setDefault(&c.PollInterval, 500*time.Millisecond)
	if c.Backoff == nil {
		c.Backoff = func(failures int) time.Duration { return Backoff(failures, rand.Float64()) } //nolint:gosec // nobody gains by knowing how long a job waits
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// tidying is the queue of the kinds that put things in order behind people's backs: nobody waits for one of them.
const tidying = "tidy"

// queueOf names the queue of a kind. One that people wait for, or that takes long, has its own, so that it never waits
// for another. The rest share one: every queue costs a transaction each time somebody looks whether there is anything
// in it.
func queueOf(kind kyro.JobKind) string {
	switch kind {
	case kyro.JobPurge, kyro.JobPurgeBot, kyro.JobPurgeUser, kyro.JobRefresh, kyro.JobSync, kyro.JobFeed, kyro.JobSweepFiles, kyro.JobSweepUsers, kyro.JobSweepMails, kyro.JobRollUp, kyro.JobDropExport, kyro.JobExpire, kyro.JobSweepGaps:
		return tidying
	default:
		return string(kind)
	}
}

// workers is how many jobs of a queue run at once in this process.
func (c Config) workers(queue string) int {
	switch n := c.Workers[kyro.JobKind(queue)]; {
	case n > 0:
		return n
	case queue == string(kyro.JobIngest):
		return 4
	case queue == tidying, queue == string(kyro.JobMail), queue == string(kyro.JobCrawl), queue == string(kyro.JobExport):
		return 2
	default:
		return 1
	}
}

// timeout is the longest turn of a kind; 0 for the common one.
func (c Config) timeout(kind kyro.JobKind) time.Duration {
	if t := c.Timeouts[kind]; t > 0 {
		return t
	}
	switch kind {
	case kyro.JobReconcile, kyro.JobExport:
		return 30 * time.Minute
	case kyro.JobCheckGap:
		return 3 * time.Minute
	}
	return 0
}

// riverRescueAfter is when River itself takes a silent job for one of a dead process. It demands at least Timeout.
func (c Config) riverRescueAfter() time.Duration { return max(c.RescueAfter, c.Timeout) + overtime }

// Backoff is the pause after a number of failures: 2^n seconds, at most ten minutes, then 25 % less to 25 % more
// as random goes from 0 to 1, so that jobs that failed together do not come back together.
func Backoff(failures int, random float64) time.Duration {
	pause := maxBackoff
	if failures < 10 { // 2^10 s is beyond the cap
		pause = min(pause, time.Duration(1<<max(failures, 0))*time.Second)
	}
	return time.Duration(float64(pause) * (0.75 + random/2))
}
