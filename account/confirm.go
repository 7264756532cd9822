package account

import (
	"context"
	"fmt"

	"kyrochat/kyro"
)

// confirm checks the password of somebody who is signed in, for a deed for which a session alone is not enough. API keys are
// FORBIDDEN; a wrong password is INVALID_CREDENTIALS at the input's field, and a line of the audit log; RATE_LIMITED after
// several of one session, so that whoever has got hold of a token cannot guess. CONFLICT while the password is one that
// somebody else knows, who would keep the owner out by it; not for a deactivation, which the owner takes back by a mail.
func (s *Service) confirm(
	ctx context.Context, viewer kyro.Viewer, deed kyro.AuditAction, password, field string,
) (kyro.Credentials, error) {
	if err := viewer.MustBePerson(); err != nil {
		return kyro.Credentials{}, err
	}
	known, err := s.store.Credentials(ctx, viewer.UserID)
	if kyro.ErrorCode(err) == kyro.CodeNotFound || err == nil && known.DeactivatedAt != nil {
		return kyro.Credentials{}, sessionEnded()
	}
	if err != nil {
		return kyro.Credentials{}, fmt.Errorf("read the credentials of somebody who is signed in: %w", err)
	}
	g := guess{own: s.attempt("session", viewer.UserID.String()+" "+viewer.SessionID.String(), kyro.AttemptsOfDevice)}
	ok, _, err := s.verify(ctx, g, known.PasswordHash, password)
	if err != nil {
		return kyro.Credentials{}, err
	}
	if ok && deed != kyro.AuditDeactivated && known.Doubted(s.now()) {
		return kyro.Credentials{}, kyro.Errorf(kyro.CodeConflict, "A change of the address was undone, and whoever made it knew "+
			"this password: set a new one first, by the link of the mail about it, or ask for another link.").At(field)
	}
	if ok {
		return known, nil
	}
	if err := s.store.Record(ctx, viewer.Entry(deed, kyro.ID{}).Dated(s.now()).Refused("Wrong password.")); err != nil {
		return kyro.Credentials{}, fmt.Errorf("note a wrong password: %w", err)
	}
	return kyro.Credentials{}, wrongPassword(field)
}

func wrongPassword(field string) error {
	return kyro.Errorf(kyro.CodeInvalidCredentials, "The password is wrong.").At(field)
}

// changed lets this node, and the others, know what became of a user's account and what ended with it.
func (s *Service) changed(user kyro.ID, ended []kyro.ID) {
	s.users.Forget(user, user)
	s.over(user, ended)
}

// over is changed where sessions and API keys ended, and nothing else became of the account.
func (s *Service) over(user kyro.ID, ended []kyro.ID) {
	for _, credential := range ended {
		if credential.Kind == kyro.KindSession {
			s.sessions.Forget(user, credential)
		} else {
			s.keys.Forget(user, credential)
		}
		s.ended(credential)
	}
}
