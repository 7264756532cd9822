package kyro

import "time"

// Session is a signed-in device. Its refresh token carries a counter that grows with every rotation, so that a
// stolen and replayed token is noticed.
type Session struct {
	ID        ID
	UserID    ID
	Counter   int64     // the number of the refresh token that is valid now
	RotatedAt time.Time // when Counter last grew, by the store's clock
	// RotatedAgo is how long before the session was read that was, by the same clock: those of nodes differ, and may be set.
	RotatedAgo time.Duration
	CreatedAt  time.Time
	LastUsedAt time.Time
	ExpiresAt  time.Time // the absolute end, whatever is refreshed
	RevokedAt  time.Time // zero while the session lives
	Device     Device
}

// NodeID makes Session a Node.
func (s *Session) NodeID() ID { return s.ID }

// RefreshGrace is how long after a rotation the former refresh token still gets the same current one, for
// clients that lost the answer or refreshed twice at once.
const RefreshGrace = 10 * time.Second

// SessionMaxAge is the absolute life of a session.
const SessionMaxAge = 30 * 24 * time.Hour

// Refresh is what becomes of a refresh token that was presented.
type Refresh int

// The outcomes of a refresh.
const (
	RefreshRotate Refresh = iota // the current token: the next one is given out
	RefreshRepeat                // the former token within the grace: the current one is given again
	RefreshReuse                 // an older token: a theft or a copy; the session ends
	RefreshOver                  // the session is revoked or too old
)

// Refresh decides what a refresh token with the counter gets at the time. idle is how long a session may stay
// unused. It changes nothing.
func (s *Session) Refresh(counter int64, now time.Time, idle time.Duration) Refresh {
	switch {
	case !s.Live(now) || now.After(s.LastUsedAt.Add(idle)):
		return RefreshOver
	case counter == s.Counter:
		return RefreshRotate
	case counter == s.Counter-1 && s.RotatedAgo <= RefreshGrace:
		return RefreshRepeat
	default:
		return RefreshReuse
	}
}

// RefreshEnds is when the refresh token is over, unless it is used before; idle is how long a session may stay unused.
func (s *Session) RefreshEnds(idle time.Duration) time.Time {
	if unused := s.LastUsedAt.Add(idle); unused.Before(s.ExpiresAt) {
		return unused
	}
	return s.ExpiresAt
}

// Live reports whether access tokens of the session are still good at the time.
func (s *Session) Live(now time.Time) bool {
	return s.RevokedAt.IsZero() && now.Before(s.ExpiresAt)
}
