package program

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

// What each step of the drain may take. They do not share a budget: a step that needs all of its time takes none
// from the next.
const (
	answersMargin  = 10 * time.Second // beyond the drain timeout: to store answers that were cut
	settleTime     = 2 * time.Second  // for subscriptions to end by themselves
	socketsTime    = 12 * time.Second // for closing handshakes, of five seconds in each direction
	requestsTime   = 5 * time.Second  // for requests under way; then they are cut
	cutTime        = 3 * time.Second  // for requests that were cut to notice
	jobsTime       = 20 * time.Second // for jobs, which are cancelled after a few seconds, to go back
	usesTime       = 3 * time.Second  // for writing which API keys were used
	diagnosticTime = time.Second      // for readers of the admin address, such as a profile of 30 s
	searchesTime   = 2 * time.Second  // for searches of vectors whose answers went on without them
	spansTime      = 3 * time.Second  // for the last spans of traces
)

// drain ends what the server does for others: no document is taken in any more and no job begun, running answers
// get their time while their readers follow them, connections are told, requests are ended, jobs go back. The error
// tells of jobs that could not be given back; they are taken up again after a while.
func (a *app) drain(ctx context.Context) error {
	a.draining.Store(true)
	a.documents.Drain()
	a.log.Info("draining")
	jobs := make(chan error, 1)
	go func() {
		limited, cancel := context.WithTimeout(ctx, jobsTime)
		defer cancel()
		jobs <- a.queue.Stop(limited)
	}()
	_ = within(ctx, a.cfg.Limits.DrainTimeout+answersMargin, func(ctx context.Context) error {
		select {
		case <-a.answered:
		case <-ctx.Done():
			a.log.Warn("answers were still being made at the end of the drain")
		}
		return nil
	})
	_ = within(ctx, settleTime, func(ctx context.Context) error { a.connections.Settle(ctx); return nil })
	if within(ctx, socketsTime, a.connections.CloseAll) != nil {
		a.log.Warn("connections were left open")
	}
	a.endRequests(ctx)
	if a.accounts != nil {
		_ = within(ctx, usesTime, func(ctx context.Context) error { a.accounts.FlushUses(ctx); return nil })
	}
	if within(ctx, diagnosticTime, a.admin.Shutdown) != nil {
		_ = a.admin.Close()
	}
	err := <-jobs
	a.log.Info("stopped")
	return err
}

// longestDrain is what all steps of the drain take together at the most. Jobs go back meanwhile.
func (a *app) longestDrain() time.Duration {
	return max(jobsTime, a.cfg.Limits.DrainTimeout+answersMargin+settleTime+socketsTime+requestsTime+cutTime+usesTime+diagnosticTime)
}

// endRequests lets requests end, and cuts those that do not, such as an upload from a slow line: what it was to
// store is not stored, and its client hears so by the broken connection.
func (a *app) endRequests(ctx context.Context) {
	if a.public == nil || within(ctx, requestsTime, a.public.Shutdown) == nil {
		return
	}
	a.log.Warn("requests were cut off")
	_ = a.public.Close()
	if within(ctx, cutTime, a.requests.wait) != nil {
		a.log.Warn("requests did not notice that they were cut off")
	}
}

// within does one step with a time limit.
func within(ctx context.Context, limit time.Duration, step func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return step(ctx)
}

// inFlight counts the requests that a handler works on: http.Server forgets those whose connections it closes, and
// the database must stay open until they are over.
type inFlight struct {
	mu      sync.Mutex
	count   int
	waiting chan struct{} // closed when the count gets to 0; nil while nobody waits
}

func (f *inFlight) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.count++
		f.mu.Unlock()
		defer f.done()
		next.ServeHTTP(w, r)
	})
}

func (f *inFlight) done() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count--
	if f.count == 0 && f.waiting != nil {
		close(f.waiting)
		f.waiting = nil
	}
}

// wait returns when no request is being worked on, or with the error of ctx.
func (f *inFlight) wait(ctx context.Context) error {
	f.mu.Lock()
	if f.count == 0 {
		f.mu.Unlock()
		return nil
	}
	if f.waiting == nil {
		f.waiting = make(chan struct{})
	}
	none := f.waiting
	f.mu.Unlock()
	select {
	case <-none:
		return nil
	case <-ctx.Done():
		return errors.New("requests are still being worked on")
	}
}
