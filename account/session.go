package account

import (
	"context"
	"fmt"
	"slices"
	"time"

	"kyrochat/kyro"
)

// clockLeeway is how far the clocks of two nodes may be apart.
const clockLeeway = 30 * time.Second

// Refresh gives both tokens anew. The former token gets the same answer as the current one for 10 seconds, so
// that a client which lost an answer, or asked twice at once, stays signed in; any older one is a copy and ends
// the session. All refusals are INVALID_TOKEN.
func (s *Service) Refresh(ctx context.Context, viewer kyro.Viewer, refreshToken string) (SignedIn, error) {
	id, counter, err := s.tokens.ParseRefresh(refreshToken)
	if err != nil {
		return SignedIn{}, err
	}
	now := s.now()
	session, err := s.store.Session(ctx, id)
	if kyro.ErrorCode(err) == kyro.CodeNotFound {
		return SignedIn{}, sessionOver()
	}
	if err != nil {
		return SignedIn{}, fmt.Errorf("read the session of a refresh token: %w", err)
	}
	outcome := session.Refresh(counter, now, s.idle)
	if outcome == kyro.RefreshRotate {
		if session, outcome, err = s.rotate(ctx, session, now); err != nil {
			return SignedIn{}, err
		}
	}
	switch outcome {
	case kyro.RefreshRotate, kyro.RefreshRepeat:
		return s.refreshed(ctx, session, now)
	case kyro.RefreshReuse:
		return SignedIn{}, s.endReused(ctx, viewer, session, counter, now)
	default:
		return SignedIn{}, sessionOver()
	}
}

// rotate raises the counter. Where another call was first, what it left behind decides, which is a repeat.
func (s *Service) rotate(ctx context.Context, session kyro.Session, now time.Time) (kyro.Session, kyro.Refresh, error) {
	from := session.Counter
	user, id := session.UserID, session.ID
	session, won, err := s.store.RotateSession(ctx, id, from, now)
	s.sessions.Forget(user, id)
	if err != nil {
		return session, kyro.RefreshOver, fmt.Errorf("rotate a session: %w", err)
	}
	if won {
		return session, kyro.RefreshRotate, nil
	}
	outcome := session.Refresh(from, now, s.idle)
	if outcome == kyro.RefreshRotate {
		// Not rotated and yet unchanged: the store saw it end, on a clock that is ahead of this one.
		outcome = kyro.RefreshOver
	}
	return session, outcome, nil
}

func (s *Service) refreshed(ctx context.Context, session kyro.Session, now time.Time) (SignedIn, error) {
	users, err := s.store.Users(ctx, []kyro.ID{session.UserID})
	if err != nil {
		return SignedIn{}, fmt.Errorf("read the user of a session: %w", err)
	}
	if len(users) == 0 {
		return SignedIn{}, sessionOver()
	}
	return s.signedIn(users[0], session, now)
}

// endReused ends a session whose refresh token came twice, and has its owner told by mail, once, from where it came.
func (s *Service) endReused(ctx context.Context, viewer kyro.Viewer, session kyro.Session, counter int64, now time.Time) error {
	users, err := s.store.Users(ctx, []kyro.ID{session.UserID})
	owner, err := kyro.One(users, err, kyro.KindUser)
	if err != nil {
		return fmt.Errorf("read the user of a session: %w", err)
	}
	deed := kyro.AuditEntry{
		At: now, UserID: owner.ID, Action: kyro.AuditRefreshReused, Actor: kyro.ActorNobody, Target: session.ID,
		Device: viewer.Device, RequestID: viewer.RequestID,
	}
	ended, err := s.store.EndReusedSession(ctx, owner.ID, session.ID, now,
		s.letter(kyro.LetterRefreshReused, owner.Email, owner.ID, viewer, now), deed.Refused("The session was ended."))
	s.sessions.Forget(owner.ID, session.ID)
	if err != nil {
		return fmt.Errorf("end a session whose refresh token was reused: %w", err)
	}
	if ended {
		s.ended(session.ID)
		s.log.WarnContext(ctx, "refresh token reused; session ended", "user", owner.ID.String(),
			"session", session.ID.String(), "presented", counter, "current", session.Counter)
	}
	return kyro.Errorf(kyro.CodeInvalidToken,
		"This refresh token was used before, so the session was ended for safety. Sign in again.").At("refreshToken")
}

// LogOut ends the viewer's session and reports whether there was one. Nobody signed in is no error, but a token that
// was refused is: the session of one that expired may live on, with a refresh token that is still good. FORBIDDEN for API
// keys, which are revoked.
func (s *Service) LogOut(ctx context.Context, viewer kyro.Viewer) (bool, error) {
	if viewer.Rejected != nil {
		return false, viewer.Rejected
	}
	if !viewer.SignedIn() {
		return false, nil
	}
	if err := viewer.MustBePerson(); err != nil {
		return false, err
	}
	now := s.now()
	if err := s.end(ctx, viewer.UserID, viewer.SessionID, now, at(now, viewer.Entry(kyro.AuditLoggedOut, kyro.ID{}))); err != nil {
		return false, fmt.Errorf("log out: %w", err)
	}
	return true, nil
}

// CheckSession answers UNAUTHENTICATED unless the session lives and is the user's. issued is when the access
// token was made. The session is read through the cache, so that a busy client costs one read a second; one that ends
// on this node is refused at once.
func (s *Service) CheckSession(ctx context.Context, user, session kyro.ID, issued time.Time) error {
	now := s.now()
	sessions, err := s.sessions.Read(ctx, user, []kyro.ID{session}, s.readSession)
	known, err := kyro.One(sessions, err, kyro.KindSession)
	if kyro.ErrorCode(err) == kyro.CodeNotFound {
		return sessionEnded()
	}
	if err != nil {
		return fmt.Errorf("read the session of an access token: %w", err)
	}
	// A token older than its session comes from another life of the database, before a restore.
	foreign := known.UserID != user || issued.Before(known.CreatedAt.Add(-clockLeeway))
	if foreign || !known.Live(now) {
		return sessionEnded()
	}
	return nil
}

// Ended gives those of the sessions and API keys that are good no more, wherever they were ended. It reads the rows. The
// other keys have something open, and count as used.
func (s *Service) Ended(ctx context.Context, credentials []kyro.ID) ([]kyro.ID, error) {
	now := s.now()
	ended, err := s.store.EndedCredentials(ctx, credentials, now)
	if err != nil {
		return ended, err
	}
	for _, id := range credentials {
		if id.Kind == kyro.KindAPIKey && !slices.Contains(ended, id) {
			s.uses.note(id, now)
		}
	}
	return ended, nil
}

// readSession reads the one session that a cache does not have.
func (s *Service) readSession(ctx context.Context, _ kyro.ID, ids []kyro.ID) ([]kyro.Session, error) {
	session, err := s.store.Session(ctx, ids[0])
	if kyro.ErrorCode(err) == kyro.CodeNotFound {
		return nil, nil
	}
	return []kyro.Session{session}, err
}

func sessionEnded() error {
	return kyro.Errorf(kyro.CodeUnauthenticated, "The session has ended. Sign in again.")
}

func sessionOver() error {
	return kyro.Errorf(kyro.CodeInvalidToken, "The session has ended. Sign in again.").At("refreshToken")
}
