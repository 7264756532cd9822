package account

import (
	"context"
	"errors"
	"fmt"

	"kyrochat/kyro"
)

// ChangePassword sets the viewer's password, who gives the current one. All other sessions end, links that were mailed
// count for nothing, and a mail tells the owner, with the API keys that live on. INVALID_CREDENTIALS for the current
// password, also where it was changed by somebody else at the same time; WEAK_PASSWORD for the new one.
func (s *Service) ChangePassword(ctx context.Context, viewer kyro.Viewer, current, password string) (kyro.User, error) {
	known, err := s.confirm(ctx, viewer, kyro.AuditPasswordChanged, current, "currentPassword")
	if err != nil {
		return kyro.User{}, err
	}
	if err := s.checkNewPassword(password, known.User.Email, known.User.Name); err != nil {
		return kyro.User{}, atField(err, "newPassword")
	}
	if password == current {
		return kyro.User{}, kyro.Errorf(kyro.CodeWeakPassword, "The new password is the one there is already.").At("newPassword")
	}
	hash, err := s.hasher.Hash(ctx, password)
	if err != nil {
		return kyro.User{}, fmt.Errorf("hash a new password: %w", err)
	}
	now := s.now()
	user, ended, err := s.store.ChangePassword(ctx,
		kyro.PasswordChange{UserID: known.User.ID, Old: known.PasswordHash, Hash: hash, SessionID: viewer.SessionID, At: now},
		s.letter(kyro.LetterPasswordChanged, known.User.Email, known.User.ID, viewer, now), viewer.Entry(kyro.AuditPasswordChanged, kyro.ID{}).Dated(now))
	s.changed(viewer.UserID, ended)
	if kyro.ErrorCode(err) == kyro.CodeConflict {
		return kyro.User{}, wrongPassword("currentPassword")
	}
	if err != nil {
		return kyro.User{}, err
	}
	s.log.InfoContext(ctx, "password changed", "user", user.ID.String(), "sessionsEnded", len(ended))
	return user, nil
}

// atField says of an error which input it is about.
func atField(err error, field string) error {
	var known *kyro.Error
	if !errors.As(err, &known) {
		return err
	}
	moved := *known
	return moved.At(field)
}
