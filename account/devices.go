package account

import (
	"context"
	"fmt"
	"time"

	"kyrochat/kyro"
)

// Devices keeps sessions as their users see them.
type Devices interface {
	// SessionsOf are the user's sessions that live and were used since, the one used last first.
	SessionsOf(ctx context.Context, user kyro.ID, since, now time.Time) ([]kyro.Session, error)
	// SessionsByID reads those of SessionsOf that have the ids, in any order.
	SessionsByID(ctx context.Context, user kyro.ID, ids []kyro.ID, since, now time.Time) ([]kyro.Session, error)
	// RevokeOtherSessions ends all of the user's sessions but one, and gives the ids of those it ended.
	RevokeOtherSessions(ctx context.Context, user, except kyro.ID, now time.Time, deeds ...kyro.AuditEntry) ([]kyro.ID, error)
	// EndReusedSession ends a session of the user and stores the letter that tells why. ended is false, and nothing is
	// stored, where it was over already.
	EndReusedSession(
		ctx context.Context, user, id kyro.ID, now time.Time, letter kyro.Letter, deeds ...kyro.AuditEntry,
	) (ended bool, err error)
	// EndedCredentials gives those of the sessions and API keys that are good no more, or never were.
	EndedCredentials(ctx context.Context, ids []kyro.ID, now time.Time) ([]kyro.ID, error)
}

// Sessions are the viewer's signed-in devices, the one used last first.
func (s *Service) Sessions(ctx context.Context, viewer kyro.Viewer) ([]kyro.Session, error) {
	if err := viewer.MustBePerson(); err != nil {
		return nil, err
	}
	now := s.now()
	return s.store.SessionsOf(ctx, viewer.UserID, now.Add(-s.idle), now)
}

// SessionsByID reads some of the viewer's sessions, in any order. Those of others, and those that ended, are left out.
func (s *Service) SessionsByID(ctx context.Context, viewer kyro.Viewer, ids []kyro.ID) ([]kyro.Session, error) {
	if err := viewer.MustBePerson(); err != nil {
		return nil, err
	}
	now := s.now()
	return s.store.SessionsByID(ctx, viewer.UserID, ids, now.Add(-s.idle), now)
}

// RevokeSession ends one of the viewer's sessions, which may be the one that asks. NOT_FOUND where the viewer has none
// such that lives.
func (s *Service) RevokeSession(ctx context.Context, viewer kyro.Viewer, id kyro.ID) error {
	if err := viewer.MustBePersonFor(id, kyro.KindSession); err != nil {
		return err
	}
	now := s.now()
	err := s.store.RevokeSession(ctx, viewer.UserID, id, now, viewer.Entry(kyro.AuditSessionRevoked, id).Dated(now))
	s.sessions.Forget(viewer.UserID, id)
	if err != nil {
		return fmt.Errorf("revoke a session: %w", err)
	}
	s.ended(id)
	return nil
}

// RevokeOtherSessions ends all of the viewer's sessions but the one that asks. INVALID_CREDENTIALS for a wrong password.
func (s *Service) RevokeOtherSessions(ctx context.Context, viewer kyro.Viewer, password string) error {
	if _, err := s.confirm(ctx, viewer, kyro.AuditSessionsRevoked, password, "password"); err != nil {
		return err
	}
	now := s.now()
	ended, err := s.store.RevokeOtherSessions(
		ctx, viewer.UserID, viewer.SessionID, now, viewer.Entry(kyro.AuditSessionsRevoked, kyro.ID{}).Dated(now))
	s.over(viewer.UserID, ended)
	if err != nil {
		return fmt.Errorf("revoke the other sessions: %w", err)
	}
	return nil
}

// end revokes a session of the user and lets this node know at once. One that ended before stays as it is, and nothing
// was done then.
func (s *Service) end(ctx context.Context, user, session kyro.ID, now time.Time, deeds ...kyro.AuditEntry) error {
	err := s.store.RevokeSession(ctx, user, session, now, deeds...)
	s.sessions.Forget(user, session)
	if err != nil && kyro.ErrorCode(err) != kyro.CodeNotFound {
		return err
	}
	s.ended(session)
	return nil
}
