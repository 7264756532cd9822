package ingest

import (
	"context"
	"errors"
	"sync"
	"time"

	"kyrochat/kyro"
)

// Retry starts a document of the viewer again that failed, was canceled or needs OCR. What was done before is not
// done again. CONFLICT for any other state; RATE_LIMITED as for Upload.
func (s *Service) Retry(ctx context.Context, v kyro.Viewer, id kyro.ID) (kyro.Document, error) {
	if err := v.MustFor(id, kyro.KindDocument, kyro.ScopeIngest); err != nil {
		return kyro.Document{}, err
	}
	if err := s.takesIn(); err != nil {
		return kyro.Document{}, err
	}
	if err := s.limit(ctx, v); err != nil {
		return kyro.Document{}, err
	}
	d, err := s.store.RestartDocument(ctx, v.UserID, id, s.time())
	if err != nil {
		return kyro.Document{}, err
	}
	s.publish(ctx, d)
	return d, nil
}

// Cancel ends the work on a document of the viewer. On this node it stops at once, on others with the next thing
// it writes. CONFLICT where there is nothing left to cancel.
func (s *Service) Cancel(ctx context.Context, v kyro.Viewer, id kyro.ID) (kyro.Document, error) {
	if err := v.MustFor(id, kyro.KindDocument, kyro.ScopeIngest); err != nil {
		return kyro.Document{}, err
	}
	d, err := s.store.CancelDocument(ctx, v.UserID, id, s.time())
	if err != nil {
		return kyro.Document{}, err
	}
	s.runs.end(d)
	s.publish(ctx, d)
	return d, nil
}

// Delete withdraws a document of the viewer from every answer at once; its rows and files go soon after.
func (s *Service) Delete(ctx context.Context, v kyro.Viewer, id kyro.ID) error {
	if err := v.MustFor(id, kyro.KindDocument, kyro.ScopeIngest); err != nil {
		return err
	}
	now := s.time()
	d, err := s.store.DeleteDocument(ctx, v.UserID, id, now, v.Entry(kyro.AuditDocumentDeleted, id).Dated(now))
	s.heads.Forget(v.UserID, id) // an error may hide that it was stored
	if err != nil {
		return err
	}
	s.gone(ctx, d)
	return nil
}

// gone stops the work on a deleted document and tells its watchers.
func (s *Service) gone(ctx context.Context, d kyro.Document) {
	s.runs.end(d)
	p := d.Progress()
	p.Deleted = true
	s.progress.Publish(context.WithoutCancel(ctx), d.BotID, p)
}

// followEvery is how often a worker looks whether its run was ended on another node.
const followEvery = 500 * time.Millisecond

// follow ends the work on a run soon after it was ended on another node, also while an upstream is waited for. The worker
// calls what it gives when it is done.
func (s *Service) follow(ctx context.Context, id kyro.ID, number int64) (leave func()) {
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		look := time.NewTicker(followEvery)
		defer look.Stop()
		for {
			select {
			case <-over:
				return
			case <-ctx.Done():
				return
			case <-look.C:
			}
			asking, cancel := context.WithTimeout(ctx, 2*followEvery)
			_, err := s.store.DocumentForWork(asking, id, number)
			cancel()
			if kyro.ErrorCode(err) == kyro.CodeConflict {
				s.runs.end(kyro.Document{ID: id, Run: number + 1})
				return
			}
		}
	}()
	return func() {
		close(over)
		<-done
	}
}

// errRunOver is why a worker's context ends when its run is canceled here.
var errRunOver = errors.New("the run of the document is over")

// runs are the workers that are busy on this node.
type runs struct {
	mu   sync.Mutex
	busy map[kyro.ID]map[*run]struct{}
}

type run struct {
	number int64
	cancel context.CancelCauseFunc
}

func newRuns() *runs { return &runs{busy: map[kyro.ID]map[*run]struct{}{}} }

// begin gives a context for a worker that ends with the run. The worker calls leave when it is done.
func (r *runs) begin(ctx context.Context, document kyro.ID, number int64) (_ context.Context, leave func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	own := &run{number, cancel}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy[document] == nil {
		r.busy[document] = map[*run]struct{}{}
	}
	r.busy[document][own] = struct{}{}
	return ctx, func() {
		cancel(nil)
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.busy[document], own)
		if len(r.busy[document]) == 0 {
			delete(r.busy, document)
		}
	}
}

// end stops the workers of runs before the document's own, so that a run that was started since goes on.
func (r *runs) end(d kyro.Document) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for own := range r.busy[d.ID] {
		if own.number < d.Run {
			own.cancel(errRunOver)
		}
	}
}
