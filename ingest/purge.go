package ingest

import (
	"cmp"
	"context"
	"errors"
	"time"

	"kyrochat/kyro"
)

const (
	sweepAge   = time.Hour // files without a document are left so long, as their upload may be under way elsewhere
	sweepBatch = 50
)

// Purge does a turn of a JobPurge: it removes the rows that a deleted document, or the former versions of a live
// one, left; before that their vectors in the index, whose ids are worked out from the rows; and the files that this
// node has of a deleted one, and of a live one those that nothing is made from any more. It answers kyro.ErrJobAgain when its time is up, and also where something is away or fails:
// nothing else would ever remove what it is to remove.
func (s *Service) Purge(ctx context.Context, job kyro.Job) error {
	err := s.purge(ctx, kyro.DocumentID(job.Key))
	if err == nil || errors.Is(err, kyro.ErrJobAgain) {
		return err
	}
	return s.later(ctx, kyro.JobPurge, job.Key, awayPause, err)
}

func (s *Service) purge(ctx context.Context, id kyro.ID) error {
	deleted, err := s.store.Deleted(ctx, []kyro.ID{id})
	if err != nil {
		return err
	}
	if err := s.purgeIndex(ctx, id); err != nil {
		return err
	}
	if err := s.purgeObjects(ctx, id); err != nil {
		return err
	}
	for began := s.now(); ; {
		done, err := s.store.Purge(ctx, id)
		if err != nil {
			return err
		}
		if done {
			break
		}
		if s.now().Sub(began) >= s.turn {
			return kyro.ErrJobAgain
		}
	}
	if len(deleted) > 0 {
		if err := s.unheld(ctx); err != nil {
			return err
		}
		return s.files.Remove(id)
	}
	state, found, err := s.vectorState(ctx, id)
	if err != nil || !found {
		return err
	}
	if err := s.unheld(ctx); err != nil {
		return err
	}
	return s.files.Prune(id, cmp.Or(state.ActiveVersion, state.Version), state.Version)
}

// heldPause is when originals that a backup reads are tried to be removed again.
const heldPause = 15 * time.Second

// unheld says that the job is to come back later while a backup reads originals. It is asked after it was read which ones go: so
// what a backup that begins later finds in use is not among them.
func (s *Service) unheld(ctx context.Context) error {
	if s.held == nil {
		return nil
	}
	held, err := s.held(ctx)
	if err == nil && held {
		err = kyro.JobAgainAfter(heldPause)
	}
	return err
}

// purgeIndex removes the vectors of those versions of a document whose rows are about to go.
func (s *Service) purgeIndex(ctx context.Context, id kyro.ID) error {
	if s.index == nil {
		return nil
	}
	dead, err := s.store.Dead(ctx, id)
	if err != nil {
		return err
	}
	for _, version := range dead {
		err := ask(ctx, theIndex, func(ctx context.Context) error { return s.index.Remove(ctx, version) })
		if err != nil {
			return err
		}
	}
	return nil
}

// PurgeBot does a JobPurgeBot: nothing is left of the crawls of a deleted bot, nor of the bot in the index. It answers
// kyro.ErrJobAgain while the index is away.
func (s *Service) PurgeBot(ctx context.Context, job kyro.Job) error {
	bot := kyro.BotID(job.Key)
	for {
		done, err := s.store.PurgeCrawls(ctx, bot)
		if err != nil {
			return s.later(ctx, kyro.JobPurgeBot, job.Key, awayPause, err)
		}
		if done {
			break
		}
	}
	if s.index == nil {
		return nil
	}
	err := ask(ctx, theIndex, func(ctx context.Context) error { return s.index.RemoveBot(ctx, bot) })
	if err != nil {
		return s.later(ctx, kyro.JobPurgeBot, job.Key, awayPause, err)
	}
	return nil
}

// Sweep removes what nobody needs: crawls that ended long ago; uploads in parts that are over; files of this node, and of the bucket, that belong to
// no document, as of an upload that a crash undid after its file had its place, and those a purge did not come to, such as
// one on another node.
func (s *Service) Sweep(ctx context.Context) error {
	if err := s.sweepSlots(ctx); err != nil {
		return err
	}
	if err := s.sweepFiles(ctx); err != nil {
		return err
	}
	if err := s.sweepObjects(ctx); err != nil {
		return err
	}
	for began := s.now(); ; {
		done, err := s.store.SweepCrawls(ctx, s.time().Add(-kyro.CrawlsKept))
		if err != nil || done {
			return err
		}
		if s.now().Sub(began) >= s.turn {
			return kyro.ErrJobAgain
		}
	}
}

func (s *Service) sweepFiles(ctx context.Context) error {
	ids, err := s.files.Documents(s.now().Add(-sweepAge))
	if err != nil {
		return err
	}
	for len(ids) > 0 {
		batch := ids[:min(sweepBatch, len(ids))]
		ids = ids[len(batch):]
		if err := s.sweep(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// sweep removes the files of those documents that are not there. Uploads wait: SQLite may give a new document the
// key of one that was never committed.
func (s *Service) sweep(ctx context.Context, ids []kyro.ID) error {
	s.placing.Lock()
	defer s.placing.Unlock()
	deleted, err := s.store.Deleted(ctx, ids)
	if err != nil {
		return err
	}
	if len(deleted) > 0 {
		if err := s.unheld(ctx); err != nil {
			return err
		}
	}
	for _, id := range deleted {
		if err := s.files.Remove(id); err != nil {
			return err
		}
		s.log.InfoContext(ctx, "removed files without a document", "document", id.String())
	}
	return nil
}
