package kyro

import (
	"context"
	"errors"
	"time"
)

// JobKind names a kind of background work.
type JobKind string

// The kinds of jobs.
const (
	JobIngest     JobKind = "ingest"      // Key: the document; Run: its run
	JobCrawl      JobKind = "crawl"       // Key: the crawl; Run: its run
	JobSync       JobKind = "sync"        // looks for documents whose page is to be looked at again
	JobFeed       JobKind = "feed"        // looks for documents that wait for a job though their owner has a place
	JobEmbed      JobKind = "embed"       // Key: the document whose active version needs other vectors
	JobPurge      JobKind = "purge"       // Key: the document whose rows and files go after a delete
	JobPurgeBot   JobKind = "purge-bot"   // Key: the deleted bot of which nothing is to be left in the index
	JobRefresh    JobKind = "refresh"     // looks for documents that need a JobEmbed
	JobReconcile  JobKind = "reconcile"   // compares the index with what should be in it
	JobSweepFiles JobKind = "sweep-files" // files that belong to no document
	JobMail       JobKind = "mail"        // Key: the letter
	JobPurgeUser  JobKind = "purge-user"  // Key: the deactivated user of whom nothing is to be left
	JobSweepUsers JobKind = "sweep-users" // accounts whose grace is over
	JobSweepMails JobKind = "sweep-mails" // letters and tokens that are too old
	JobRollUp     JobKind = "roll-up"     // counts what was said to bots in hours that are over
	JobExport     JobKind = "export"      // Key: the export
	JobDropExport JobKind = "drop-export" // Key: the export of which nothing is to be left
	JobExpire     JobKind = "expire"      // exports that nobody can download any more
	JobPlaceGaps  JobKind = "place-gaps"  // Key: the bot whose unanswered questions are to be put together
	JobSweepGaps  JobKind = "sweep-gaps"  // looks for bots with questions that were left out, or were compared by another model
	JobCheckGap   JobKind = "check-gap"   // Key: the gap that was answered; Run: its run
)

// Job is work to be done in the background at least once. It is stored in the transaction of the data it is
// about, so that neither exists without the other.
type Job struct {
	Kind  JobKind
	Key   int64
	Run   int64
	After time.Duration // not before this has passed
}

// ErrJobAgain tells the queue that the job has done its share and wants another turn soon. It costs no attempt.
var ErrJobAgain = Errorf(CodeUnavailable, "The job goes on in its next turn.")

// JobAgainAfter is ErrJobAgain for a turn that is not to come before the pause has passed.
func JobAgainAfter(pause time.Duration) error {
	err := Errorf(CodeUnavailable, "The job goes on after a pause.").Because(ErrJobAgain)
	err.RetryAfter = pause
	return err
}

// ErrNotRun is the cause of a TIMEOUT of work that hardly had a processor, on a machine that stood still or as a process that
// hung. It says nothing about what was worked on: another try is worth it.
var ErrNotRun = errors.New("what was to do the work hardly ran")

type jobProgressKey struct{}

// WithJobProgress has note called for each JobProgress under ctx.
func WithJobProgress(ctx context.Context, note func()) context.Context {
	return context.WithValue(ctx, jobProgressKey{}, note)
}

// JobProgress tells the queue that the job of ctx has come to where it never was before: the tries that failed until now do
// not count any more. It is for steps that are stored and not done again, or else a job could fail for ever.
func JobProgress(ctx context.Context) {
	if note, ok := ctx.Value(jobProgressKey{}).(func()); ok {
		note()
	}
}
