package jobs_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"kyrochat/jobs"
	"kyrochat/kyro"
)

// ledger keeps what the spans of jobs begin with and end with.
type ledger struct {
	mu    sync.Mutex
	begun []string
	ended []string
}

func (l *ledger) begin(name, from string) kyro.Trace {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begun = append(l.begun, name+" from "+from)
	return kyro.NewTrace(entry{ledger: l, place: "in " + from})
}

// entry implements kyro.TraceRecorder.
type entry struct {
	kyro.TraceRecorder
	ledger *ledger
	place  string
}

func (e entry) Context() string   { return e.place }
func (entry) Note(string, string) {}
func (e entry) End(code string) {
	e.ledger.mu.Lock()
	defer e.ledger.mu.Unlock()
	e.ledger.ended = append(e.ledger.ended, code)
}

// TestJobsGoOnWithTheTrace that they were stored in, each turn of them, after failures that are forgiven as well.
func TestJobsGoOnWithTheTrace(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		l := &ledger{}
		config := quick()
		config.Traces = l.begin
		turn, seen := 0, make(chan string, 10)
		q := start(t, db, config, func(q *jobs.Queue) {
			q.Handle(kyro.JobIngest, func(ctx context.Context, job kyro.Job) error {
				turn++
				seen <- kyro.TraceFrom(ctx).Context()
				switch turn {
				case 1:
					return errors.New("boom")
				case 2:
					kyro.JobProgress(ctx) // which is noted beside the trace
					return kyro.ErrJobAgain
				default:
					return nil
				}
			})
		})
		storing := kyro.WithTrace(t.Context(), kyro.NewTrace(entry{ledger: l, place: "the request"}))
		if err := db.enqueue(storing, q, false, kyro.Job{Kind: kyro.JobIngest, Key: 1}); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if got := receive(t, seen); got != "in the request" {
				t.Errorf("a turn is done in %q", got)
			}
		}
		add(t, db, q, kyro.Job{Kind: kyro.JobIngest, Key: 2}) // which nobody traces
		if got := receive(t, seen); got != "in " {
			t.Errorf("a turn is done in %q", got)
		}
		stop(t, q)
		l.mu.Lock()
		defer l.mu.Unlock()
		if want := []string{"job ingest from the request", "job ingest from the request", "job ingest from the request", "job ingest from "}; !slices.Equal(l.begun, want) {
			t.Errorf("begun %q", l.begun)
		}
		if want := []string{"INTERNAL", "", "", ""}; !slices.Equal(l.ended, want) {
			t.Errorf("ended %q", l.ended)
		}
	})
}
