package account

import (
	"context"
	"fmt"
	"time"

	"kyrochat/kyro"
)

// confirm checks the password of somebody who is signed in, for what a session alone is not enough. API keys are
// FORBIDDEN; a wrong password is INVALID_CREDENTIALS at the input's field.
func (s *Service) confirm(ctx context.Context, viewer kyro.Viewer, password, field string) (kyro.Credentials, error) {
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
	ok, _, err := s.hasher.Verify(ctx, known.PasswordHash, password)
	if err != nil {
		return kyro.Credentials{}, fmt.Errorf("verify a password: %w", err)
	}
	if !ok {
		return kyro.Credentials{}, wrongPassword(field)
	}
	return known, nil
}

func wrongPassword(field string) error {
	return kyro.Errorf(kyro.CodeInvalidCredentials, "The password is wrong.").At(field)
}

// confirmFor is confirm for a deed that the audit log keeps also where the password was wrong.
func (s *Service) confirmFor(
	ctx context.Context, viewer kyro.Viewer, action kyro.AuditAction, password, field string,
) (kyro.Credentials, error) {
	known, err := s.confirm(ctx, viewer, password, field)
	if kyro.ErrorCode(err) == kyro.CodeInvalidCredentials {
		if logErr := s.store.Record(ctx, s.deed(viewer, action).Refused("wrong password")); logErr != nil {
			s.log.ErrorContext(ctx, "a refusal is missing in the audit log", "user", viewer.UserID.String(), "action", action, "error", logErr)
		}
	}
	return known, err
}

// deed is the line of the audit log of something that the viewer does to their account now.
func (s *Service) deed(viewer kyro.Viewer, action kyro.AuditAction) kyro.AuditEntry {
	e := viewer.Entry(action, kyro.ID{})
	e.At = s.now()
	return e
}

// linkDeed is the line of something done by the link of a mail, whoever may be signed in where it was opened. Whose account
// it is about, the token says.
func (s *Service) linkDeed(viewer kyro.Viewer, action kyro.AuditAction) kyro.AuditEntry {
	return kyro.AuditEntry{
		At: s.now(), Action: action, Succeeded: true, Actor: kyro.ActorUser, Device: viewer.Device, RequestID: viewer.RequestID,
	}
}

// recheck ends a session that was begun with credentials which count no more: whoever changed the password meanwhile, or
// deactivated the account, ended the sessions that were there then, and not this one.
func (s *Service) recheck(ctx context.Context, known kyro.Credentials, session kyro.Session, now time.Time) error {
	current, err := s.store.Credentials(ctx, known.User.ID)
	if err == nil && current.DeactivatedAt == nil && current.PasswordChangedAt.Equal(known.PasswordChangedAt) {
		return nil
	}
	if endErr := s.end(ctx, known.User.ID, session.ID, now); endErr != nil {
		return fmt.Errorf("end a session whose password was changed: %w", endErr)
	}
	if err != nil && kyro.ErrorCode(err) != kyro.CodeNotFound {
		return fmt.Errorf("read the credentials of a log-in again: %w", err)
	}
	return badCredentials()
}

// changed lets this node, and the others, know what became of a user's account and what ended with it.
func (s *Service) changed(user kyro.ID, ended []kyro.ID) {
	s.users.Forget(user, user)
	for _, credential := range ended {
		if credential.Kind == kyro.KindSession {
			s.sessions.Forget(user, credential)
		} else {
			s.keys.Forget(user, credential)
		}
		s.ended(credential)
	}
}
