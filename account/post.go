package account

import (
	"time"

	"kyrochat/kyro"
)

// letter is a mail that is wanted about what the viewer does now.
func (s *Service) letter(kind kyro.LetterKind, to string, user kyro.ID, viewer kyro.Viewer, now time.Time) kyro.Letter {
	return kyro.Letter{
		Kind: kind, To: to, UserID: user, SessionID: viewer.SessionID, Seed: s.seed(), Device: viewer.Device, CreatedAt: now,
	}
}
