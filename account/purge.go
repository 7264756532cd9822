package account

import (
	"context"
	"errors"
	"time"

	"kyrochat/kyro"
)

const (
	purgeTurn  = 20 * time.Second // after this other jobs have their turn
	purgePause = time.Minute      // where something is away, or fails
)

// Purges are what a store does to delete accounts.
type Purges interface {
	// SweepUsers begins the deletion of accounts whose grace is over, each by one JobPurgeUser.
	SweepUsers(ctx context.Context, now time.Time) error
	// PurgeUser does a step of the deletion of an account. It gives the deleted documents that come next, which are given
	// back as purged once nothing is left of them but their rows. The deeds are written with the last step.
	PurgeUser(ctx context.Context, user kyro.ID, purged []kyro.ID, now time.Time, deeds ...kyro.AuditEntry) (kyro.Purging, error)
}

// Documents removes what is left of deleted documents.
type Documents interface {
	// Purge does a turn of a JobPurge: files, vectors and all rows but the document's own go. kyro.ErrJobAgain where it has
	// to be called again.
	Purge(ctx context.Context, job kyro.Job) error
}

// Exports removes what is left of deleted exports.
type Exports interface {
	// Drop does a JobDropExport: file and row go. kyro.ErrJobAgain where it has to be called again.
	Drop(ctx context.Context, job kyro.Job) error
}

// SweepUsers begins to delete the accounts whose grace is over.
func (s *Service) SweepUsers(ctx context.Context) error { return s.store.SweepUsers(ctx, s.now()) }

// PurgeUser does a turn of a JobPurgeUser: it deletes a deactivated account whose grace is over, and everything that it
// has; of the audit log the devices. What an earlier turn did is not done again, and one that was taken back is left alone.
// It answers kyro.ErrJobAgain when its time is up, and also where something is away or fails: nothing else would ever
// delete it.
func (s *Service) PurgeUser(ctx context.Context, job kyro.Job) error {
	err := s.purge(ctx, kyro.UserID(job.Key))
	if err == nil || errors.Is(err, kyro.ErrJobAgain) || ctx.Err() != nil {
		return err
	}
	s.log.WarnContext(ctx, "an account could not be deleted yet; trying again", "user", kyro.UserID(job.Key).String(), "error", err)
	return kyro.JobAgainAfter(purgePause)
}

func (s *Service) purge(ctx context.Context, user kyro.ID) error {
	var purged []kyro.ID
	for began := s.now(); ; {
		deed := kyro.AuditEntry{At: s.now(), Action: kyro.AuditPurged, Succeeded: true, Actor: kyro.ActorSystem}
		step, err := s.store.PurgeUser(ctx, user, purged, s.now(), deed)
		if err != nil {
			return err
		}
		if step.Gone {
			s.changed(user, nil)
			s.log.InfoContext(ctx, "account deleted", "user", user.String())
		}
		if step.Done {
			return nil
		}
		for _, export := range step.Exports {
			if err := s.exports.Drop(ctx, kyro.Job{Kind: kyro.JobDropExport, Key: export.Key}); err != nil {
				return err
			}
		}
		purged = nil
		for _, document := range step.Documents {
			if err := s.documents.Purge(ctx, kyro.Job{Kind: kyro.JobPurge, Key: document.Key}); err != nil {
				return err
			}
			purged = append(purged, document)
			if s.now().Sub(began) >= purgeTurn {
				break
			}
		}
		if s.now().Sub(began) >= purgeTurn {
			return kyro.ErrJobAgain
		}
	}
}
