package store_test

import (
	"crypto/rand"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"kyrochat/kyro"
)

const address = "it's@example.com"

// account is a user with an address, a session and a password hash.
func (w *world) account(t *testing.T, verified bool) (kyro.User, kyro.Session) {
	t.Helper()
	u, s, err := w.CreateUser(t.Context(), kyro.NewUser{
		Email: address, Name: "Zoë", PasswordHash: "h1", EmailVerified: verified, CreatedAt: start,
	}, aSession(kyro.ID{}, start))
	fine(t, err)
	return u, s
}

// issue makes a token that is good for an hour from the start on.
func (w *world) issue(t *testing.T, token kyro.MailToken) kyro.MailToken {
	t.Helper()
	if token.CreatedAt.IsZero() {
		token.CreatedAt = start
	}
	token.ExpiresAt = token.CreatedAt.Add(time.Hour)
	if token.Email == "" {
		token.Email = address
	}
	issued, good, err := w.issueOf(t, token, nil, token.CreatedAt)
	fine(t, err)
	if !good || !reflect.DeepEqual(issued, token) {
		t.Fatalf("issued %+v, %t; want %+v", issued, good, token)
	}
	return token
}

// issueOf is IssueMailToken for a letter that is still to be sent, and is not there otherwise.
func (w *world) issueOf(t testing.TB, token kyro.MailToken, former []string, now time.Time, deeds ...kyro.AuditEntry) (kyro.MailToken, bool, error) {
	t.Helper()
	seed := rand.Text()
	fine(t, w.AddLetter(t.Context(), kyro.Letter{Kind: kyro.LetterVerification, Seed: seed, CreatedAt: start}))
	letter := w.number(t, "SELECT id FROM letters WHERE seed = '"+seed+"'")
	defer w.exec(t, fmt.Sprintf("DELETE FROM letters WHERE id = %d", letter))
	defer w.exec(t, fmt.Sprintf("DELETE FROM test_jobs WHERE job_key = %d", letter))
	return w.IssueMailToken(t.Context(), int64(letter), token, former, now, deeds...)
}

// credentials are what a password of the user is checked against.
func (w *world) credentials(t testing.TB, user kyro.ID) kyro.Credentials {
	t.Helper()
	c, err := w.Credentials(t.Context(), user)
	fine(t, err)
	return c
}

func (w *world) isGood(t *testing.T, token kyro.MailToken) bool {
	t.Helper()
	got, err := w.MailToken(t.Context(), token.Purpose, token.Hash, start.Add(time.Minute))
	if err != nil {
		wantCode(t, err, kyro.CodeInvalidToken)
	} else if !reflect.DeepEqual(got, token) {
		t.Errorf("read %+v, want %+v", got, token)
	}
	return err == nil
}

func TestLetters(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		letter := kyro.Letter{
			Kind: kyro.LetterRegistration, To: address, Seed: "S", Device: kyro.Device{UserAgent: "it's ?", AddressPrefix: "192.0.2.0/24"},
			CreatedAt: start, Name: "Zoë", PasswordHash: "h1", OldEmail: "a@b.io", NewEmail: "c@d.io", SessionID: kyro.SessionID(7),
		}
		fine(t, w.AddLetter(t.Context(), letter, kyro.AuditEntry{At: start, Action: kyro.AuditSignedUp}))
		key := int64(w.number(t, "SELECT job_key FROM test_jobs WHERE kind = 'mail'"))
		letter.Key = key
		got, err := w.Letter(t.Context(), key)
		if fine(t, err); !reflect.DeepEqual(got, letter) {
			t.Errorf("read %+v, want %+v", got, letter)
		}
		if n := w.number(t, "SELECT count(*) FROM audit_log"); n != 1 {
			t.Errorf("%d lines in the audit log", n)
		}
		fine(t, w.EndLetter(t.Context(), key, start))
		fine(t, w.EndLetter(t.Context(), key, start.Add(time.Hour)))
		_, err = w.Letter(t.Context(), key)
		wantCode(t, err, kyro.CodeNotFound)
		_, err = w.Letter(t.Context(), 99999)
		wantCode(t, err, kyro.CodeNotFound)
		if n := w.number(t, "SELECT count(*) FROM letters WHERE password_hash = '' AND name = 'Zoë'"); n != 1 {
			t.Error("a letter that ended keeps a password hash")
		}
	})
}

func TestSignUpWithALetter(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		u, _, err := w.CreateUser(t.Context(), kyro.NewUser{
			Email: address, Name: "Zoë", PasswordHash: "h1", CreatedAt: start, Letters: []kyro.Letter{{Kind: kyro.LetterVerification, To: address, Seed: "S", CreatedAt: start}},
		}, aSession(kyro.ID{}, start), kyro.AuditEntry{At: start, Action: kyro.AuditSignedUp, Succeeded: true})
		fine(t, err)
		letter, err := w.Letter(t.Context(), int64(w.number(t, "SELECT job_key FROM test_jobs WHERE kind = 'mail'")))
		if fine(t, err); letter.UserID != u.ID || letter.To != address {
			t.Errorf("letter %+v", letter)
		}
		if n := w.number(t, fmt.Sprintf("SELECT count(*) FROM audit_log WHERE user_id = %d AND action = 'SIGNED_UP'", u.ID.Key)); n != 1 {
			t.Error("the audit log does not know who signed up")
		}
		_, _, err = w.CreateUser(t.Context(), kyro.NewUser{Email: address, CreatedAt: start, Letters: []kyro.Letter{{To: address}}}, aSession(kyro.ID{}, start), kyro.AuditEntry{At: start})
		wantCode(t, err, kyro.CodeEmailTaken)
		if n := w.number(t, "SELECT count(*) FROM letters") + w.number(t, "SELECT count(*) FROM audit_log"); n != 2 {
			t.Error("a refused sign-up left something behind")
		}
	})
}

func TestCredentials(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		u, _ := w.account(t, true)
		got, err := w.Credentials(t.Context(), u.ID)
		if fine(t, err); !reflect.DeepEqual(got, kyro.Credentials{User: u, PasswordHash: "h1"}) {
			t.Errorf("credentials %+v", got)
		}
		w.exec(t, "UPDATE users SET password_changed_at = '2026-11-22 11:00:00+00:00', deactivated_at = '2026-11-22 12:00:00+00:00'")
		changed, deactivated := start.Add(time.Hour), start.Add(2*time.Hour)
		want := kyro.Credentials{User: u, PasswordHash: "h1", PasswordChangedAt: changed, DeactivatedAt: &deactivated}
		if got, err = w.Credentials(t.Context(), u.ID); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("credentials %+v, %v; want %+v", got, err, want)
		}
		if got, err = w.CredentialsByEmail(t.Context(), address); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("credentials %+v, %v; want %+v", got, err, want)
		}
		_, err = w.Credentials(t.Context(), kyro.UserID(99999))
		wantCode(t, err, kyro.CodeNotFound)
	})
}

func TestIssuingTokens(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		u, _ := w.account(t, true)
		reset := func(hash string, after time.Duration) kyro.MailToken {
			return kyro.MailToken{Hash: hash, Purpose: kyro.TokenResetPassword, UserID: u.ID, Email: address, NewEmail: "n@x.io", SessionID: kyro.SessionID(7), CreatedAt: start.Add(after), ExpiresAt: start.Add(after + time.Hour)}
		}
		first := w.issue(t, reset("r1", 0))
		deed := kyro.AuditEntry{At: start, UserID: u.ID, Action: kyro.AuditPasswordResetRequested}
		// The same again, also under a newer secret, is the one that is there.
		for _, again := range []struct {
			hash   string
			former []string
		}{{"r1", nil}, {"r1", []string{"x"}}, {"y", []string{"x", "r1"}}} {
			got, good, err := w.issueOf(t, reset(again.hash, 0), again.former, start, deed)
			if fine(t, err); !good || !reflect.DeepEqual(got, first) {
				t.Errorf("again: %+v, %t", got, good)
			}
		}
		if n := w.number(t, "SELECT count(*) FROM audit_log"); n != 0 {
			t.Error("a second turn wrote to the audit log")
		}
		verify := w.issue(t, kyro.MailToken{Hash: "v1", Purpose: kyro.TokenVerifyEmail, UserID: u.ID})
		second := w.issue(t, reset("r2", time.Second))
		if w.isGood(t, first) || !w.isGood(t, second) || !w.isGood(t, verify) {
			t.Error("the newest of each purpose is not the one that is good")
		}
		if _, good, err := w.issueOf(t, reset("r1", 0), nil, start); err != nil || good {
			t.Errorf("a token that was voided is good: %v", err)
		}
		// A letter that was overtaken by a later one brings nothing.
		if _, good, err := w.issueOf(t, reset("r0", time.Millisecond), nil, start, deed); err != nil || good || !w.isGood(t, second) {
			t.Errorf("an overtaken token is good: %t, %v", good, err)
		}
		if _, good, err := w.issueOf(t, reset("r2", time.Second), nil, second.ExpiresAt); err != nil || good {
			t.Errorf("a token that is over is good: %v", err)
		}
		if _, good, err := w.issueOf(t, reset("r3", time.Minute), nil, start, deed); err != nil || !good {
			t.Errorf("%v", err)
		}
		if n := w.number(t, "SELECT count(*) FROM audit_log"); n != 1 {
			t.Errorf("%d lines in the audit log", n)
		}
		for hash, want := range map[string]bool{"r1": true, "r0": false, "v1": true} {
			if issued, err := w.MailTokenIssued(t.Context(), "nothing", hash); err != nil || issued != want {
				t.Errorf("%s issued: %t, %v", hash, issued, err)
			}
		}
		// Links to former addresses are good beside each other.
		one := w.issue(t, kyro.MailToken{Hash: "u1", Purpose: kyro.TokenRevertEmail, UserID: u.ID, NewEmail: "old@x.io"})
		w.issue(t, kyro.MailToken{Hash: "u2", Purpose: kyro.TokenRevertEmail, UserID: u.ID, NewEmail: "older@x.io", CreatedAt: start.Add(time.Second)})
		w.exec(t, "UPDATE users SET email = 'newer@example.com'")
		if !w.isGood(t, one) || w.isGood(t, verify) {
			t.Error("an address that changed took the force of the wrong links")
		}
		w.exec(t, "UPDATE users SET email = 'it''s@example.com'")
		if !w.isGood(t, one) {
			t.Error("a second change of the address took the force of the link that undoes the first")
		}
		_, _, err := w.issueOf(t, kyro.MailToken{Hash: "z", Purpose: kyro.TokenResetPassword, UserID: kyro.UserID(99999)}, nil, start)
		wantCode(t, err, kyro.CodeNotFound)
	})
}

func TestIssuingOneTokenAtOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		u, _ := w.account(t, true)
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				token := kyro.MailToken{Hash: "v1", Purpose: kyro.TokenVerifyEmail, Email: address, CreatedAt: start, ExpiresAt: start.Add(time.Hour)}
				if _, good, err := w.issueOf(t, token, nil, start); err != nil || !good {
					t.Errorf("a registration: %t, %v", good, err)
				}
			})
			wg.Go(func() {
				token := kyro.MailToken{Hash: "r1", Purpose: kyro.TokenResetPassword, UserID: u.ID, Email: address, CreatedAt: start, ExpiresAt: start.Add(time.Hour)}
				if _, good, err := w.issueOf(t, token, nil, start); err != nil || !good {
					t.Errorf("%t, %v", good, err)
				}
			})
		}
		wg.Wait()
		if n := w.number(t, "SELECT count(*) FROM mail_tokens"); n != 2 {
			t.Errorf("%d tokens", n)
		}
	})
}

// registration is a token that makes an account.
func (w *world) registration(t *testing.T, hash, password string, after time.Duration) kyro.MailToken {
	t.Helper()
	return w.issue(t, kyro.MailToken{Hash: hash, Purpose: kyro.TokenVerifyEmail, Name: "Zoë", PasswordHash: password, CreatedAt: start.Add(after)})
}

func TestRegistrations(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		one, other := w.registration(t, "a", "h1", 0), w.registration(t, "b", "h2", time.Second)
		pending, err := w.PendingRegistrations(ctx, address, start.Add(2*time.Hour)) // also when their links are over
		if fine(t, err); !reflect.DeepEqual(pending, []kyro.MailToken{other, one}) {
			t.Errorf("pending %+v", pending)
		}
		if !w.isGood(t, one) || !w.isGood(t, other) {
			t.Error("registrations of one address are not good beside each other")
		}
		again := w.registration(t, "c", "h1", 2*time.Second) // another link for the first
		if w.isGood(t, one) || !w.isGood(t, other) || !w.isGood(t, again) {
			t.Error("another link for a registration did not take the place of the first alone")
		}
		if pending, err = w.PendingRegistrations(ctx, address, start.Add(kyro.RegistrationTTL+time.Second)); err != nil || !reflect.DeepEqual(pending, []kyro.MailToken{again}) {
			t.Errorf("after a week %+v, %v", pending, err)
		}

		now := start.Add(time.Minute)
		user, err := w.VerifyEmail(ctx, "b", now, kyro.AuditEntry{At: now, Action: kyro.AuditSignedUp, Succeeded: true})
		fine(t, err)
		c, err := w.CredentialsByEmail(ctx, address)
		want := kyro.Credentials{User: kyro.User{ID: user, Email: address, Name: "Zoë", EmailVerified: true, CreatedAt: now}, PasswordHash: "h2"}
		if fine(t, err); !reflect.DeepEqual(c, want) {
			t.Errorf("the account is %+v, want %+v", c, want)
		}
		for _, hash := range []string{"a", "b", "c", "d"} {
			_, err := w.VerifyEmail(ctx, hash, now)
			wantCode(t, err, kyro.CodeInvalidToken)
		}
		if n := w.number(t, "SELECT count(*) FROM mail_tokens WHERE password_hash <> ''"); n != 0 {
			t.Errorf("%d registrations keep a password hash", n)
		}
		if n := w.number(t, fmt.Sprintf("SELECT count(*) FROM audit_log WHERE user_id = %d", user.Key)); n != 1 {
			t.Errorf("the audit log has %d lines of the user", n)
		}
		// One that comes too late: the address has an account.
		w.registration(t, "e", "h3", time.Minute)
		_, err = w.VerifyEmail(ctx, "e", now.Add(time.Minute))
		wantCode(t, err, kyro.CodeInvalidToken)
		if c, err = w.CredentialsByEmail(ctx, address); err != nil || !reflect.DeepEqual(c, want) {
			t.Errorf("the account became %+v, %v", c, err)
		}
	})
}

func TestVerifyEmail(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		u, _ := w.account(t, false)
		w.issue(t, kyro.MailToken{Hash: "v", Purpose: kyro.TokenVerifyEmail, UserID: u.ID})
		reset := w.issue(t, kyro.MailToken{Hash: "r", Purpose: kyro.TokenResetPassword, UserID: u.ID})
		for _, c := range []struct {
			what, hash string
			now        time.Time
		}{{"of another purpose", "r", start}, {"that is not there", "x", start}, {"that is over", "v", start.Add(time.Hour)}} {
			_, err := w.VerifyEmail(ctx, c.hash, c.now)
			if kyro.ErrorCode(err) != kyro.CodeInvalidToken || err.Error() != kyro.BadMailToken().Error() {
				t.Errorf("a token %s: %v", c.what, err)
			}
		}
		w.exec(t, "UPDATE users SET email = 'new@example.com'")
		_, err := w.VerifyEmail(ctx, "v", start) // of the former address
		wantCode(t, err, kyro.CodeInvalidToken)
		w.exec(t, "UPDATE users SET email = 'it''s@example.com', deactivated_at = created_at")
		_, err = w.VerifyEmail(ctx, "v", start)
		wantCode(t, err, kyro.CodeInvalidToken)
		_, err = w.ResetPassword(ctx, "r", "h2", start, kyro.Letter{})
		wantCode(t, err, kyro.CodeInvalidToken)
		w.exec(t, "UPDATE users SET deactivated_at = NULL")
		if got, err := w.VerifyEmail(ctx, "v", start); err != nil || got != u.ID {
			t.Errorf("%v, %v", got, err)
		}
		if c, err := w.Credentials(ctx, u.ID); err != nil || !c.User.EmailVerified || c.PasswordHash != "h1" || !w.isGood(t, reset) {
			t.Errorf("the account is %+v, %v", c, err)
		}
	})
}

func TestResetPassword(t *testing.T) {
	for _, verified := range []bool{true, false} {
		t.Run(fmt.Sprintf("verified=%t", verified), func(t *testing.T) {
			everywhere(t, func(t *testing.T, w *world) {
				ctx, now := t.Context(), start.Add(time.Minute)
				u, session := w.account(t, verified)
				other := w.user(t)
				ended, _, err := w.CreateSession(ctx, aSession(u.ID, start), 20)
				fine(t, err)
				fine(t, w.RevokeSession(ctx, u.ID, ended.ID, start))
				w.exec(t, fmt.Sprintf(`INSERT INTO api_keys (id, user_id, name, prefix, secret_hash, scopes, networks, created_at, expires_at, revoked_at) VALUES
					(1, %[1]d, 'lives', 'p', 's1', '[]', '[]', '2026-11-22 10:00:00+00:00', NULL, NULL),
					(2, %[1]d, 'too', 'p', 's2', '[]', '[]', '2026-11-22 10:00:00+00:00', '2026-11-23 10:00:00+00:00', NULL),
					(3, %[1]d, 'over', 'p', 's3', '[]', '[]', '2026-11-22 10:00:00+00:00', '2026-11-22 10:01:00+00:00', NULL),
					(4, %[1]d, 'revoked', 'p', 's4', '[]', '[]', '2026-11-22 10:00:00+00:00', NULL, '2026-11-22 10:00:00+00:00'),
					(5, %[2]d, 'another', 'p', 's5', '[]', '[]', '2026-11-22 10:00:00+00:00', NULL, NULL)`, u.ID.Key, other.Key))
				names, err := w.LiveKeyNames(ctx, u.ID, now)
				if fine(t, err); !slices.Equal(names, []string{"lives", "too"}) {
					t.Errorf("keys %q", names)
				}
				var tokens []kyro.MailToken
				for i, purpose := range []kyro.TokenPurpose{kyro.TokenVerifyEmail, kyro.TokenChangeEmail, kyro.TokenRevertEmail, kyro.TokenResetPassword} {
					tokens = append(tokens, w.issue(t, kyro.MailToken{Hash: fmt.Sprint("t", i), Purpose: purpose, UserID: u.ID, NewEmail: "n@x.io"}))
				}
				notice := kyro.Letter{Kind: kyro.LetterPasswordChanged, To: address, UserID: u.ID, Seed: "S", CreatedAt: now}
				over, err := w.ResetPassword(ctx, "t3", "h2", now, notice, kyro.AuditEntry{At: now, UserID: u.ID, Action: kyro.AuditPasswordReset})
				fine(t, err)
				want := []kyro.ID{session.ID}
				if !verified {
					want = append(want, kyro.APIKeyID(1), kyro.APIKeyID(2), kyro.APIKeyID(3))
				}
				if !slices.Equal(over, want) {
					t.Errorf("ended %v, want %v", over, want)
				}
				u.EmailVerified = true
				if c, err := w.Credentials(ctx, u.ID); err != nil || !reflect.DeepEqual(c, kyro.Credentials{User: u, PasswordHash: "h2", PasswordChangedAt: now}) {
					t.Errorf("the account is %+v, %v", c, err)
				}
				for i, want := range []bool{false, false, true, false} {
					if w.isGood(t, tokens[i]) != want {
						t.Errorf("the token to %s is good: %t", tokens[i].Purpose, !want)
					}
				}
				if n := w.number(t, "SELECT count(*) FROM test_jobs WHERE kind = 'mail'"); n != 1 {
					t.Errorf("%d notices", n)
				}
				if n := w.number(t, fmt.Sprintf("SELECT count(*) FROM sessions WHERE user_id = %d AND revoked_at IS NOT NULL", other.Key)); n != 0 {
					t.Error("a session of somebody else ended")
				}
				_, err = w.ResetPassword(ctx, "t3", "h3", now, notice)
				wantCode(t, err, kyro.CodeInvalidToken)
			})
		})
	}
}

// TestOneRedemption: of a hundred who come with one token at once, one succeeds.
func TestOneRedemption(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		u, _ := w.account(t, false)
		w.issue(t, kyro.MailToken{Hash: "v", Purpose: kyro.TokenVerifyEmail, UserID: u.ID})
		w.issue(t, kyro.MailToken{Hash: "r", Purpose: kyro.TokenResetPassword, UserID: u.ID})
		w.issue(t, kyro.MailToken{Hash: "n", Purpose: kyro.TokenVerifyEmail, Email: "new@example.com", PasswordHash: "h"})
		for _, each := range []struct {
			what   string
			redeem func(i int) error
		}{
			{"verification", func(int) error { _, err := w.VerifyEmail(t.Context(), "v", start); return err }},
			{"registration", func(int) error { _, err := w.VerifyEmail(t.Context(), "n", start); return err }},
			{"reset", func(i int) error { // the last: it takes the force of the first
				_, err := w.ResetPassword(t.Context(), "r", fmt.Sprint("h", i), start, kyro.Letter{UserID: u.ID, CreatedAt: start})
				return err
			}},
		} {
			var wg sync.WaitGroup
			errs := make([]error, 100)
			for i := range errs {
				wg.Go(func() { errs[i] = each.redeem(i) })
			}
			wg.Wait()
			won := 0
			for _, err := range errs {
				if err == nil {
					won++
				} else if kyro.ErrorCode(err) != kyro.CodeInvalidToken {
					t.Errorf("%s: %v", each.what, err)
				}
			}
			if won != 1 {
				t.Errorf("%s: %d succeeded", each.what, won)
			}
		}
		if n := w.number(t, "SELECT count(*) FROM letters"); n != 1 {
			t.Errorf("%d notices of one reset", n)
		}
		if n := w.number(t, "SELECT count(*) FROM users WHERE email = 'new@example.com'"); n != 1 {
			t.Errorf("%d accounts of one registration", n)
		}
	})
}

// TestTwoRegistrationsAtOnce: the first that is confirmed makes the account, and the other one nothing.
func TestTwoRegistrationsAtOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		for i := range 20 {
			email := fmt.Sprintf("n%d@example.com", i)
			errs := make([]error, 2)
			var wg sync.WaitGroup
			for j := range errs {
				hash := fmt.Sprint(i, "-", j)
				w.issue(t, kyro.MailToken{Hash: hash, Purpose: kyro.TokenVerifyEmail, Email: email, PasswordHash: hash})
			}
			for j := range errs {
				wg.Go(func() { _, errs[j] = w.VerifyEmail(t.Context(), fmt.Sprint(i, "-", j), start) })
			}
			wg.Wait()
			if (errs[0] == nil) == (errs[1] == nil) {
				t.Errorf("both came to the same: %v, %v", errs[0], errs[1])
			}
			for _, err := range errs {
				if err != nil {
					wantCode(t, err, kyro.CodeInvalidToken)
				}
			}
		}
	})
}

func TestSweepMails(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		u, _ := w.account(t, false)
		for range 3 {
			fine(t, w.AddLetter(ctx, kyro.Letter{Kind: kyro.LetterVerification, To: address, CreatedAt: start}))
		}
		fine(t, w.AddLetter(ctx, kyro.Letter{Kind: kyro.LetterVerification, To: address, CreatedAt: start.Add(time.Hour)}))
		fine(t, w.EndLetter(ctx, 1, start))
		fine(t, w.EndLetter(ctx, 2, start.Add(24*time.Hour)))
		w.issue(t, kyro.MailToken{Hash: "v", Purpose: kyro.TokenVerifyEmail, UserID: u.ID}) // over after an hour
		w.registration(t, "a", "h1", 0)
		w.registration(t, "b", "h2", time.Hour)
		for _, c := range []struct {
			after           time.Duration
			letters, tokens int
		}{
			{0, 4, 3}, {kyro.RegistrationTTL, 4, 3}, {kyro.RegistrationTTL + time.Minute, 4, 2}, {kyro.RegistrationTTL + 2*time.Hour, 4, 1},
			{kyro.MailsKept + time.Minute, 2, 1}, {kyro.MailsKept + 2*time.Hour, 1, 0}, {kyro.MailsKept + 25*time.Hour, 0, 0},
		} {
			fine(t, w.SweepMails(ctx, start.Add(c.after)))
			if n := w.number(t, "SELECT count(*) FROM letters"); n != c.letters {
				t.Errorf("after %v: %d letters, want %d", c.after, n, c.letters)
			}
			if n := w.number(t, "SELECT count(*) FROM mail_tokens"); n != c.tokens {
				t.Errorf("after %v: %d tokens, want %d", c.after, n, c.tokens)
			}
		}
	})
}
