package account

import (
	"context"
	"time"

	"kyrochat/kyro"
)

// draft is a mail to somebody, with the token it is to bring; its purpose is empty where it brings none.
type draft struct {
	mail  kyro.Mail
	token kyro.MailToken
	deeds []kyro.AuditEntry // of the first time the token is made
}

// write finds out whose a letter is, and what the mail says; nil where nobody is to have one. A notice goes to where it
// was addressed as long as there is the account; a link goes to nobody whom it would not help.
func (s *Service) write(ctx context.Context, letter kyro.Letter) (*draft, error) {
	known, err := s.addressee(ctx, letter)
	if err != nil {
		return nil, err
	}
	d := newDraft(letter, known.User)
	exists, inUse := !known.User.ID.IsZero(), known.DeactivatedAt == nil
	switch letter.Kind {
	case kyro.LetterRegistration:
		return s.writeRegistration(ctx, letter, known, d)
	case kyro.LetterVerification:
		if !exists {
			return s.writeVerificationAgain(ctx, letter, d)
		}
		return d.bringing(kyro.TokenVerifyEmail, s.verifyTTL).when(inUse && !known.User.EmailVerified), nil
	case kyro.LetterPasswordReset:
		requested := kyro.AuditEntry{
			At: letter.CreatedAt, UserID: known.User.ID, Action: kyro.AuditPasswordResetRequested, Succeeded: true,
			Actor: kyro.ActorNobody, Device: letter.Device,
		}
		d.deeds = append(d.deeds, requested)
		// A password that was set since then took the force of all links.
		return d.bringing(kyro.TokenResetPassword, s.resetTTL).when(exists && inUse && !known.PasswordChangedAt.After(letter.CreatedAt)), nil
	case kyro.LetterEmailChange:
		return s.writeEmailChange(ctx, letter, known, d)
	case kyro.LetterEmailChanged:
		d.token.NewEmail = letter.OldEmail
		return d.bringing(kyro.TokenRevertEmail, kyro.RevertEmailTTL).when(exists), nil
	case kyro.LetterEmailReverted:
		return d.bringing(kyro.TokenResetPassword, s.resetTTL).when(exists && inUse && known.User.Email == letter.To), nil
	case kyro.LetterDeactivated:
		if !exists || inUse || known.PurgeAfter == nil { // an admin takes it back, and nobody else
			return nil, nil
		}
		return d.bringing(kyro.TokenReactivate, known.PurgeAfter.Sub(letter.CreatedAt)), nil
	case kyro.LetterBudgetWarning:
		return d.when(exists && inUse && known.User.Email == letter.To), nil
	case kyro.LetterPasswordChanged:
		if exists && known.User.EmailVerified {
			d.mail.Keys, err = s.store.LiveKeyNames(ctx, known.User.ID, s.now())
		}
		return d.when(exists), err
	default:
		return d.when(exists), nil
	}
}

// addressee finds the account a letter is about: by the address where that is all that was known, else by the user. Empty
// credentials where there is none.
func (s *Service) addressee(ctx context.Context, letter kyro.Letter) (known kyro.Credentials, err error) {
	switch letter.Kind {
	case kyro.LetterRegistration, kyro.LetterVerification, kyro.LetterPasswordReset:
		known, err = s.store.CredentialsByEmail(ctx, letter.To)
	default:
		known, err = s.store.Credentials(ctx, letter.UserID)
	}
	if kyro.ErrorCode(err) == kyro.CodeNotFound {
		return kyro.Credentials{}, nil
	}
	return known, err
}

// writeRegistration brings the link that makes an account, or tells that there is one.
func (s *Service) writeRegistration(ctx context.Context, letter kyro.Letter, known kyro.Credentials, d *draft) (*draft, error) {
	if known.User.ID.IsZero() {
		d.token.Name, d.token.PasswordHash = letter.Name, letter.PasswordHash
		return d.bringing(kyro.TokenVerifyEmail, s.verifyTTL), nil
	}
	// It may be the account that this very letter made, sent in a turn that was not noted.
	_, hashes := s.mailed(kyro.TokenVerifyEmail, letter.Seed)
	made, err := s.store.MailTokenIssued(ctx, hashes...)
	d.mail.Kind = kyro.LetterHasAccount
	return d.when(!made && known.DeactivatedAt == nil), err
}

// writeVerificationAgain brings another link for a registration that was not confirmed. Where several wait with different
// passwords, nobody can tell whose is the right one: the link makes an account without, and a reset sets it.
func (s *Service) writeVerificationAgain(ctx context.Context, letter kyro.Letter, d *draft) (*draft, error) {
	pending, err := s.store.PendingRegistrations(ctx, letter.To, s.now())
	if err != nil || len(pending) == 0 {
		return nil, err
	}
	d.token.Name, d.token.PasswordHash = pending[0].Name, pending[0].PasswordHash
	for _, other := range pending[1:] {
		if other.PasswordHash != d.token.PasswordHash {
			d.token.PasswordHash = ""
		}
	}
	return d.bringing(kyro.TokenVerifyEmail, s.verifyTTL), nil
}

// writeEmailChange brings the link to an address that is to become the account's, unless it is somebody's.
func (s *Service) writeEmailChange(ctx context.Context, letter kyro.Letter, known kyro.Credentials, d *draft) (*draft, error) {
	_, err := s.store.CredentialsByEmail(ctx, letter.NewEmail)
	free := kyro.ErrorCode(err) == kyro.CodeNotFound
	if err != nil && !free {
		return nil, err
	}
	d.token.NewEmail, d.token.SessionID = letter.NewEmail, letter.SessionID
	unchanged := letter.OldEmail == "" || letter.OldEmail == known.User.Email
	wanted := free && unchanged && !known.User.ID.IsZero() && known.DeactivatedAt == nil
	return d.bringing(kyro.TokenChangeEmail, kyro.ChangeEmailTTL).when(wanted), nil
}

// newDraft is the mail of a letter to a user, who may be nobody yet. Names stay out of it until the address was confirmed:
// whoever chose them may want our server to tell something to somebody else.
func newDraft(letter kyro.Letter, user kyro.User) *draft {
	d := &draft{mail: kyro.Mail{
		ID: mailID(letter), Kind: letter.Kind, To: letter.To, At: letter.CreatedAt, Device: letter.Device,
		OldEmail: letter.OldEmail, NewEmail: letter.NewEmail, Budget: letter.Budget,
	}}
	d.token = kyro.MailToken{UserID: user.ID, Email: letter.To, CreatedAt: letter.CreatedAt}
	if !user.ID.IsZero() {
		d.token.Email = user.Email
	}
	if user.EmailVerified {
		d.mail.Name = user.Name
		if letter.Kind == kyro.LetterAPIKeyCreated {
			d.mail.KeyName = letter.Name
		}
	}
	return d
}

// bringing is the draft with a token that is good for so long after the letter was asked for.
func (d *draft) bringing(purpose kyro.TokenPurpose, ttl time.Duration) *draft {
	d.token.Purpose, d.token.ExpiresAt = purpose, d.token.CreatedAt.Add(ttl)
	return d
}

// when is the draft, or nobody's.
func (d *draft) when(wanted bool) *draft {
	if !wanted {
		return nil
	}
	return d
}
