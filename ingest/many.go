package ingest

import (
	"context"

	"kyrochat/kyro"
)

// mostAtOnce is how many documents one call changes.
const mostAtOnce = 100

// Result is what became of one document of several: an error is about it alone.
type Result struct {
	ID       kyro.ID
	Document *kyro.Document
	Err      error
}

// RetryAll is Retry for up to 100 documents, each named once. An error is about all of them. Each counts for the rate, and
// those beyond it are RATE_LIMITED.
func (s *Service) RetryAll(ctx context.Context, v kyro.Viewer, ids []kyro.ID) ([]Result, error) {
	if err := s.takesIn(); err != nil {
		return nil, err
	}
	results, wanted, err := each(v, ids, func() error { return s.limit(ctx, v) })
	if err != nil {
		return nil, err
	}
	changed, errs, err := s.store.RestartDocuments(ctx, v.UserID, wanted, s.time())
	if err != nil {
		return nil, err
	}
	for i := range changed {
		s.publish(ctx, changed[i])
	}
	tell(results, changed, errs)
	return results, nil
}

// DeleteAll is Delete for up to 100 documents, each named once. An error is about all of them.
func (s *Service) DeleteAll(ctx context.Context, v kyro.Viewer, ids []kyro.ID) ([]Result, error) {
	results, wanted, err := each(v, ids, func() error { return nil })
	if err != nil {
		return nil, err
	}
	now := s.time()
	changed, errs, err := s.store.DeleteDocuments(ctx, v.UserID, wanted, now, v.Entry(kyro.AuditDocumentDeleted, kyro.ID{}).Dated(now))
	for _, id := range wanted {
		s.heads.Forget(v.UserID, id) // an error may hide that it was stored
	}
	if err != nil {
		return nil, err
	}
	for i := range changed {
		s.gone(ctx, changed[i])
	}
	tell(results, nil, errs)
	return results, nil
}

// each makes a result for each id, and gives those that something may be done about: of documents, named for the first time,
// and not refused.
func each(v kyro.Viewer, ids []kyro.ID, refuse func() error) (results []Result, wanted []kyro.ID, err error) {
	if err := v.Must(kyro.ScopeIngest); err != nil {
		return nil, nil, err
	}
	if len(ids) == 0 || len(ids) > mostAtOnce {
		return nil, nil, kyro.Invalid("documentIds", "Name 1 to %d documents.", mostAtOnce)
	}
	results = make([]Result, len(ids))
	named := make(map[kyro.ID]bool, len(ids))
	for i, id := range ids {
		err := v.MustFor(id, kyro.KindDocument, kyro.ScopeIngest)
		switch {
		case err != nil:
		case named[id]:
			err = kyro.Errorf(kyro.CodeValidation, "This document was named before.")
		default:
			err = refuse()
		}
		if err == nil {
			wanted = append(wanted, id)
		}
		if err != nil && kyro.ErrorCode(err) == kyro.CodeInternal {
			return nil, nil, err
		}
		named[id] = true
		results[i] = Result{ID: id, Err: err}
	}
	return results, wanted, nil
}

// tell fills in what became of those that nothing was said against before.
func tell(results []Result, changed []kyro.Document, errs map[kyro.ID]error) {
	for i := range results {
		r := &results[i]
		if r.Err != nil {
			continue
		}
		r.Err = errs[r.ID]
		for k := range changed {
			if changed[k].ID == r.ID {
				r.Document = &changed[k]
			}
		}
	}
}
