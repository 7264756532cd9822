package store_test

import (
	"testing"
	"time"

	"kyrochat/kyro"
)

// whatSavesTheAccount is what an owner does who fears that somebody else has the password.
func (o *owner) whatSavesTheAccount(t testing.TB) map[string]func() error {
	ctx, now := t.Context(), start.Add(time.Minute)
	return map[string]func() error{
		"change": func() error {
			change := kyro.PasswordChange{UserID: o.id, Old: "old", Hash: "new", SessionID: o.sessions[0], At: now}
			_, _, err := o.ChangePassword(ctx, change, aLetter(kyro.LetterPasswordChanged, now))
			return err
		},
		"reset": func() error {
			_, err := o.ResetPassword(ctx, o.token(t, kyro.TokenResetPassword, o.email, ""), "new", now, aLetter(kyro.LetterPasswordChanged, now))
			return err
		},
		"by an admin": func() error {
			_, err := o.OverwritePassword(ctx, o.id, "new", now, nil)
			return err
		},
		"undone change of the address": func() error {
			_, err := o.RevertEmailChange(ctx, o.token(t, kyro.TokenRevertEmail, o.email, o.email), now, aLetter(kyro.LetterEmailReverted, now))
			return err
		},
	}
}

// TestNothingIsBegunByAFormerPassword: of who knows the password that was, nothing is left under way: no change of the
// address whose mail is not sent yet, or is being written, and no API key that was asked for a moment ago.
func TestNothingIsBegunByAFormerPassword(t *testing.T) {
	for _, how := range []string{"change", "reset", "by an admin", "undone change of the address"} {
		t.Run(how, func(t *testing.T) {
			everywhere(t, func(t *testing.T, w *world) {
				ctx, o := t.Context(), w.owner(t, "ann@example.com")
				known := o.known(t)
				asked := aLetter(kyro.LetterEmailChange, start)
				asked.To, asked.OldEmail, asked.NewEmail = "eve@example.com", o.email, "eve@example.com"
				fine(t, w.RequestEmailChange(ctx, known, asked))
				letter := int64(w.number(t, "SELECT id FROM letters WHERE kind = 'email-change'"))

				fine(t, o.whatSavesTheAccount(t)[how]())

				_, err := w.Letter(ctx, letter)
				wantCode(t, err, kyro.CodeNotFound)
				link := kyro.MailToken{
					Hash: "link", Purpose: kyro.TokenChangeEmail, UserID: o.id, Email: o.email, NewEmail: asked.NewEmail,
					CreatedAt: start, ExpiresAt: start.Add(time.Hour),
				}
				_, good, err := w.IssueMailToken(ctx, letter, link, nil, start.Add(time.Minute), aDeed(kyro.AuditEmailChangeRequested))
				if fine(t, err); good {
					t.Error("the link of a letter that was being written is good")
				}
				if n := w.number(t, "SELECT count(*) FROM mail_tokens WHERE hash = 'link'"); n != 0 || w.lines(t, kyro.AuditEmailChangeRequested, o.id) != 0 {
					t.Error("it left something behind")
				}
				_, err = w.CreateAPIKey(ctx, known, aKey(o.id), "late", 20, aLetter(kyro.LetterAPIKeyCreated, start))
				wantCode(t, err, kyro.CodeInvalidCredentials)
				wantCode(t, w.RequestEmailChange(ctx, known, asked), kyro.CodeInvalidCredentials)
				// After an undone change there is no other password yet: it signs in, and is enough for nothing else.
				if today := o.known(t); today.PasswordHash == "old" && !today.Doubted(start.Add(time.Minute)) {
					t.Error("the former password is as good as it was")
				}
			})
		})
	}
}
