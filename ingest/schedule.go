package ingest

import (
	"context"
	"time"

	"kyrochat/kyro"
)

const (
	syncBatch  = 100                 // scheduled runs that are begun at once
	syncEach   = 20                  // of them, those of one owner
	patientFor = 5                   // failures in a row, after which the interval doubles
	mostApart  = 30 * 24 * time.Hour // what an interval grows to, unless it is longer by itself
)

// Sync begins the runs of documents whose page is to be looked at. What is not begun now is due a minute later.
func (s *Service) Sync(ctx context.Context) error {
	if s.fetcher == nil {
		return nil
	}
	due, err := s.store.DueSyncs(ctx, s.time(), syncEach, syncBatch)
	if err != nil {
		return err
	}
	for _, id := range due {
		now := s.time()
		d, begun, err := s.store.BeginSync(ctx, id, now, func(hours, failures int) time.Time { return now.Add(s.interval(hours, failures)) })
		switch code := kyro.ErrorCode(err); {
		case code == kyro.CodeNotFound, code == kyro.CodeConflict, code == kyro.CodeLimitReached:
			continue
		case err != nil:
			return err
		case begun:
			s.publish(ctx, d)
		}
	}
	return nil
}

// interval is how long after a scheduled run the next one comes, after failures in a row before it.
func (s *Service) interval(hours, failures int) time.Duration {
	interval := s.hour * time.Duration(hours)
	most := max(interval, mostApart)
	for ; failures >= patientFor && interval < most; failures-- {
		interval *= 2
	}
	return min(interval, most)
}
