package account

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"kyrochat/kyro"
)

// RequestEmailChange mails a link to the new address; until it is opened nothing changes. The answer and the work are the
// same where the address has an account already. VALIDATION for the address; INVALID_CREDENTIALS; CONFLICT while the
// address is not to be changed since a change was undone.
func (s *Service) RequestEmailChange(ctx context.Context, viewer kyro.Viewer, password, email string) error {
	if err := viewer.MustBePerson(); err != nil {
		return err
	}
	address, err := kyro.NormalizeEmail(email)
	if err != nil {
		return atField(err, "newEmail")
	}
	known, err := s.confirmFor(ctx, viewer, kyro.AuditEmailChangeRequested, password, "password")
	if err != nil {
		return err
	}
	if address == known.User.Email {
		return kyro.Invalid("newEmail", "This is the address of the account already.")
	}
	letter := s.letter(kyro.LetterEmailChange, address, known.User.ID, viewer, s.now())
	letter.OldEmail, letter.NewEmail = known.User.Email, address
	err = s.store.RequestEmailChange(ctx, known, letter, s.deed(viewer, kyro.AuditEmailChangeRequested))
	if kyro.ErrorCode(err) == kyro.CodeNotFound {
		err = sessionEnded()
	}
	return err
}

// ConfirmEmailChange changes the address by the token of the mail to the new one. All sessions end but the one that asked,
// and a mail to the old address brings the link that undoes it. INVALID_TOKEN; EMAIL_TAKEN.
func (s *Service) ConfirmEmailChange(ctx context.Context, viewer kyro.Viewer, token string) error {
	done, err := s.store.ConfirmEmailChange(ctx, mailHash(token), s.now(),
		s.letter(kyro.LetterEmailChanged, "", kyro.ID{}, viewer, s.now()), s.linkDeed(viewer, kyro.AuditEmailChanged))
	return s.byLink(ctx, "address changed", done, err)
}

// RevertEmailChange undoes a change of the address by the token of the mail to the old one. Whoever has that address may
// have lost the account to somebody: so all sessions and API keys end, a deactivated account is back in use, the address
// cannot be changed for a while, and a mail brings a link for a new password. INVALID_TOKEN; EMAIL_TAKEN.
func (s *Service) RevertEmailChange(ctx context.Context, viewer kyro.Viewer, token string) error {
	done, err := s.store.RevertEmailChange(ctx, mailHash(token), s.now(),
		s.letter(kyro.LetterEmailReverted, "", kyro.ID{}, viewer, s.now()), s.linkDeed(viewer, kyro.AuditEmailReverted))
	return s.byLink(ctx, "change of the address undone", done, err)
}

// byLink tells of a change that the link of a mail made.
func (s *Service) byLink(ctx context.Context, what string, done kyro.AccountChange, err error) error {
	if !done.UserID.IsZero() {
		s.changed(done.UserID, done.Ended)
	}
	if err == nil {
		s.log.InfoContext(ctx, what, "user", done.UserID.String(), "ended", len(done.Ended))
	}
	return err
}

// mailHash is what the store knows of the token of a mail.
func mailHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
