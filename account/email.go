package account

import (
	"context"

	"kyrochat/kyro"
)

// RequestEmailChange mails a link to the new address; until it is opened nothing changes. The answer and the work are the
// same where the address has an account already. VALIDATION for the address; INVALID_CREDENTIALS; CONFLICT while the
// address is not to be changed since a change was undone.
func (s *Service) RequestEmailChange(ctx context.Context, viewer kyro.Viewer, password, email string) error {
	if err := viewer.MustBePerson(); err != nil {
		return err
	}
	address, err := NormalizeEmail(email)
	if err != nil {
		return atField(err, "newEmail")
	}
	if err := s.limitEmailChanges(ctx, viewer); err != nil {
		return err
	}
	known, err := s.confirm(ctx, viewer, kyro.AuditEmailChangeRequested, password, "password")
	if err != nil {
		return err
	}
	if address == known.User.Email {
		return kyro.Invalid("newEmail", "This is the address of the account already.")
	}
	now := s.now()
	letter := s.letter(kyro.LetterEmailChange, address, known.User.ID, viewer, now)
	letter.OldEmail, letter.NewEmail = known.User.Email, address
	err = s.store.RequestEmailChange(ctx, known, letter, viewer.Entry(kyro.AuditEmailChangeRequested, kyro.ID{}).Dated(now))
	if kyro.ErrorCode(err) == kyro.CodeNotFound {
		err = sessionEnded()
	}
	return err
}

// ConfirmEmailChange changes the address by the token of the mail to the new one. All sessions end but the one that asked,
// and a mail to the old address brings the link that undoes it. INVALID_TOKEN; EMAIL_TAKEN.
func (s *Service) ConfirmEmailChange(ctx context.Context, viewer kyro.Viewer, token string) error {
	if err := s.limitLinks(ctx, viewer); err != nil {
		return err
	}
	now := s.now()
	done, err := s.store.ConfirmEmailChange(ctx, hashOf(token), now,
		s.letter(kyro.LetterEmailChanged, "", kyro.ID{}, viewer, now), byLink(viewer, kyro.AuditEmailChanged, now))
	return s.opened(ctx, "address changed", done, err)
}

// RevertEmailChange undoes a change of the address by the token of the mail to the old one. Whoever has that address may
// have lost the account to somebody, who knows the password: so all sessions and API keys end, a deactivated account is back
// in use, the address cannot be changed for a while, and a mail brings a link for a new password. Until that is set, the
// one there is signs in, and is enough for nothing else (see confirm). INVALID_TOKEN; EMAIL_TAKEN.
func (s *Service) RevertEmailChange(ctx context.Context, viewer kyro.Viewer, token string) error {
	if err := s.limitLinks(ctx, viewer); err != nil {
		return err
	}
	now := s.now()
	done, err := s.store.RevertEmailChange(ctx, hashOf(token), now,
		s.letter(kyro.LetterEmailReverted, "", kyro.ID{}, viewer, now), byLink(viewer, kyro.AuditEmailReverted, now))
	return s.opened(ctx, "change of the address undone", done, err)
}

// opened tells of a change that the link of a mail made.
func (s *Service) opened(ctx context.Context, what string, done kyro.AccountChange, err error) error {
	if !done.UserID.IsZero() {
		s.changed(done.UserID, done.Ended)
	}
	if err == nil {
		s.log.InfoContext(ctx, what, "user", done.UserID.String(), "ended", len(done.Ended))
	}
	return err
}
