package account

import (
	"time"

	"kyrochat/kyro"
)

// letter is a mail that the viewer caused, to be stored with what it is about. user may be zero: nobody has looked yet
// whose address it is.
func (s *Service) letter(kind kyro.LetterKind, to string, user kyro.ID, viewer kyro.Viewer, now time.Time) kyro.Letter {
	return kyro.Letter{
		Kind: kind, To: to, UserID: user, SessionID: viewer.SessionID, Seed: s.seed(), Device: viewer.Device, CreatedAt: now,
	}
}
