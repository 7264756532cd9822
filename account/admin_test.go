package account_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kyrochat/account"
	"kyrochat/kyro"
)

// desk is an Admin on a store that writes down what it is asked to do.
type desk struct {
	admin    *account.Admin
	accounts []kyro.Account
	did      []string
	hash     string
	letters  []kyro.Letter
	tokens   []kyro.MailToken
	deeds    []kyro.AuditEntry
	ended    []kyro.ID
	until    *time.Time
}

var opened = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func newDesk() *desk {
	d := &desk{accounts: []kyro.Account{{User: kyro.User{ID: kyro.UserID(7), Email: "ada@example.org", Name: "Ada", CreatedAt: opened}}}}
	d.admin = account.NewAdmin(d, &hashes{}, account.AdminOptions{
		By: "root", Now: func() time.Time { return opened }, NewSeed: func() string { return "seed" },
		Ended: func(id kyro.ID) { d.ended = append(d.ended, id) },
	})
	return d
}

func (d *desk) note(what string, letters []kyro.Letter, deeds []kyro.AuditEntry) {
	d.did, d.letters, d.deeds = append(d.did, what), append(d.letters, letters...), append(d.deeds, deeds...)
}

func (d *desk) Account(_ context.Context, id kyro.ID, _ time.Time) (kyro.Account, error) {
	i := slices.IndexFunc(d.accounts, func(a kyro.Account) bool { return a.ID == id })
	if i < 0 {
		return kyro.Account{}, kyro.NotFound(kyro.KindUser)
	}
	return d.accounts[i], nil
}

func (d *desk) AccountByEmail(_ context.Context, email string, _ time.Time) (kyro.Account, error) {
	i := slices.IndexFunc(d.accounts, func(a kyro.Account) bool { return a.Email == email })
	if i < 0 {
		return kyro.Account{}, kyro.NotFound(kyro.KindUser)
	}
	return d.accounts[i], nil
}

func (d *desk) Accounts(context.Context, kyro.AccountQuery, time.Time) ([]kyro.Account, error) {
	return d.accounts, nil
}

func (d *desk) AddUser(ctx context.Context, u kyro.NewUser, letters []kyro.Letter, tokens []kyro.MailToken, deeds ...kyro.AuditEntry) (kyro.User, error) {
	if _, err := d.AccountByEmail(ctx, u.Email, opened); err == nil {
		return kyro.User{}, kyro.Errorf(kyro.CodeEmailTaken, "taken")
	}
	d.note("add "+u.Email+" "+u.Name, letters, deeds)
	d.hash, d.tokens = u.PasswordHash, append(d.tokens, tokens...)
	return kyro.User{ID: kyro.UserID(8), Email: u.Email, Name: u.Name, EmailVerified: u.EmailVerified, CreatedAt: u.CreatedAt}, nil
}

func (d *desk) OverwritePassword(_ context.Context, user kyro.ID, hash string, _ time.Time, letters []kyro.Letter, deeds ...kyro.AuditEntry) ([]kyro.ID, error) {
	d.note("password "+user.String(), letters, deeds)
	d.hash = hash
	return []kyro.ID{kyro.SessionID(1), kyro.SessionID(2)}, nil
}

func (d *desk) EndAccess(_ context.Context, user kyro.ID, keys bool, _ time.Time, deeds ...kyro.AuditEntry) ([]kyro.ID, error) {
	d.note(fmt.Sprintf("end %s %v", user, keys), nil, deeds)
	return []kyro.ID{kyro.SessionID(1), kyro.APIKeyID(3)}, nil
}

func (d *desk) Deactivate(_ context.Context, user kyro.ID, until *time.Time, _ time.Time, letters []kyro.Letter, deeds ...kyro.AuditEntry) ([]kyro.ID, error) {
	d.note("deactivate "+user.String(), letters, deeds)
	d.until = until
	return []kyro.ID{kyro.SessionID(1)}, nil
}

func (d *desk) Reactivate(_ context.Context, user kyro.ID, _ time.Time, letters []kyro.Letter, deeds ...kyro.AuditEntry) error {
	d.note("reactivate "+user.String(), letters, deeds)
	return nil
}

func (d *desk) PurgeNow(_ context.Context, user kyro.ID, _ time.Time, deeds ...kyro.AuditEntry) error {
	d.note("purge "+user.String(), nil, deeds)
	return nil
}

func (d *desk) Remains(context.Context, kyro.ID) (kyro.Remains, error) { return kyro.Remains{}, nil }

func (d *desk) AuditLines(context.Context, kyro.AuditQuery) ([]kyro.AuditEntry, error) {
	return d.deeds, nil
}

func (d *desk) Record(_ context.Context, deeds ...kyro.AuditEntry) error {
	d.note("record", nil, deeds)
	return nil
}

// check holds what was done against what should have been: each deed by an admin whom the log names.
func (d *desk) check(t *testing.T, did string, letters []kyro.LetterKind, deeds ...kyro.AuditAction) {
	t.Helper()
	if got := strings.Join(d.did, ", "); got != did {
		t.Errorf("did %q, want %q", got, did)
	}
	var kinds []kyro.LetterKind
	for _, l := range d.letters {
		kinds = append(kinds, l.Kind)
		if l.Seed != "seed" || l.CreatedAt != opened || !strings.HasSuffix(l.To, "@example.org") {
			t.Errorf("letter %+v", l)
		}
	}
	if !slices.Equal(kinds, letters) {
		t.Errorf("letters %v, want %v", kinds, letters)
	}
	var actions []kyro.AuditAction
	for _, e := range d.deeds {
		actions = append(actions, e.Action)
		if e.Actor != kyro.ActorAdmin || !e.Succeeded || e.At != opened || !strings.HasSuffix(e.Detail, "by root") || strings.Contains(e.Detail, "@") {
			t.Errorf("line %+v", e)
		}
	}
	if !slices.Equal(actions, deeds) {
		t.Errorf("lines %v, want %v", actions, deeds)
	}
}

type mailed struct{}

func (mailed) Mailed(purpose kyro.TokenPurpose, seed string) []string {
	return []string{string(purpose) + " " + seed, "former"}
}

func TestAdminFindsByAddressAndID(t *testing.T) {
	t.Parallel()
	d := newDesk()
	for _, who := range []string{"user_7", " ADA@example.org "} {
		if a, err := d.admin.Find(t.Context(), who); err != nil || a.ID != kyro.UserID(7) {
			t.Errorf("%q: %+v, %v", who, a, err)
		}
	}
	for who, code := range map[string]kyro.Code{
		"user_8": kyro.CodeNotFound, "bob@example.org": kyro.CodeNotFound, "bot_7": kyro.CodeBadUserInput, "ada": kyro.CodeValidation, "": kyro.CodeValidation,
	} {
		_, err := d.admin.Find(t.Context(), who)
		if kyro.ErrorCode(err) != code {
			t.Errorf("%q: %v, want %s", who, err, code)
		}
		if code == kyro.CodeNotFound && !strings.Contains(err.Error(), who) {
			t.Errorf("%q: %v does not say whom there is not", who, err)
		}
	}
}

func TestAdminCreatesUsers(t *testing.T) {
	t.Parallel()
	d := newDesk()
	user, err := d.admin.CreateUser(t.Context(), " Bob@Example.org", "", goodPassword)
	if err != nil || !user.EmailVerified || user.Name != "bob" || d.hash != "hash:"+goodPassword {
		t.Fatalf("made %+v with the hash %q, %v", user, d.hash, err)
	}
	d.check(t, "add bob@example.org bob", nil, kyro.AuditSignedUp)
	_, err = d.admin.CreateUser(t.Context(), "no address", strings.Repeat("x", 101), "short")
	for _, part := range []string{"not an email address", "The name", "12 characters"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not say %q", err, part)
		}
	}
	_, err = d.admin.CreateUser(t.Context(), "ada@example.org", "Ada", goodPassword)
	wantCode(t, err, kyro.CodeEmailTaken)
	if len(d.did) != 1 {
		t.Errorf("did %v", d.did)
	}
}

func TestAdminInvites(t *testing.T) {
	t.Parallel()
	d := newDesk()
	_, given, err := d.admin.Invite(t.Context(), "bob@example.org", "Bob", nil)
	if err != nil || !given.Mailed || given.Token != "" || d.hash != "" || len(d.tokens) != 0 {
		t.Fatalf("mailed: %+v, %v", given, err)
	}
	d.check(t, "add bob@example.org Bob", []kyro.LetterKind{kyro.LetterPasswordReset}, kyro.AuditSignedUp)

	d = newDesk()
	_, given, err = d.admin.Invite(t.Context(), "bob@example.org", "Bob", mailed{})
	if err != nil || given.Mailed || given.Token != "reset-password seed" || given.Expires != opened.Add(30*time.Minute) {
		t.Fatalf("given: %+v, %v", given, err)
	}
	d.check(t, "add bob@example.org Bob", nil, kyro.AuditSignedUp)
	want := kyro.MailToken{
		Purpose: kyro.TokenResetPassword, Email: "bob@example.org", CreatedAt: opened, ExpiresAt: given.Expires,
	}
	if len(d.tokens) != 1 {
		t.Fatalf("tokens %+v", d.tokens)
	}
	want.Hash = d.tokens[0].Hash
	if d.tokens[0] != want || len(want.Hash) != 64 || strings.Contains(want.Hash, "seed") {
		t.Errorf("token %+v, want %+v", d.tokens[0], want)
	}
}

func TestAdminSetsPasswords(t *testing.T) {
	t.Parallel()
	d := newDesk()
	if _, err := d.admin.SetPassword(t.Context(), d.accounts[0], "short"); kyro.ErrorCode(err) != kyro.CodeWeakPassword || len(d.did) > 0 {
		t.Errorf("a weak one: %v, did %v", err, d.did)
	}
	ended, err := d.admin.SetPassword(t.Context(), d.accounts[0], goodPassword)
	if err != nil || ended != 2 || d.hash != "hash:"+goodPassword || len(d.ended) != 2 {
		t.Errorf("ended %d (%v), %v", ended, d.ended, err)
	}
	d.check(t, "password user_7", []kyro.LetterKind{kyro.LetterPasswordChanged}, kyro.AuditPasswordChanged)
}

func TestAdminEndsSessionsAndKeys(t *testing.T) {
	t.Parallel()
	d := newDesk()
	for _, keys := range []bool{false, true} {
		if ended, err := d.admin.RevokeSessions(t.Context(), d.accounts[0], keys); err != nil || ended != 2 {
			t.Errorf("ended %d, %v", ended, err)
		}
	}
	d.check(t, "end user_7 false, end user_7 true", nil, kyro.AuditSessionsRevoked, kyro.AuditSessionsRevoked, kyro.AuditAPIKeyRevoked)
	if want := []kyro.ID{kyro.SessionID(1), kyro.APIKeyID(3), kyro.SessionID(1), kyro.APIKeyID(3)}; !slices.Equal(d.ended, want) {
		t.Errorf("told of %v", d.ended)
	}
}

func TestAdminDeactivatesForGoodOrForAWhile(t *testing.T) {
	t.Parallel()
	d := newDesk()
	if until, _, err := d.admin.Deactivate(t.Context(), d.accounts[0], 0); err != nil || until != nil || d.until != nil {
		t.Errorf("until %v, %v", until, err)
	}
	d.check(t, "deactivate user_7", nil, kyro.AuditDeactivated)

	d = newDesk()
	until, ended, err := d.admin.Deactivate(t.Context(), d.accounts[0], time.Hour)
	if err != nil || ended != 1 || until == nil || *until != opened.Add(time.Hour) || *d.until != *until || len(d.ended) != 1 {
		t.Errorf("until %v, ended %d, %v", until, ended, err)
	}
	d.check(t, "deactivate user_7", []kyro.LetterKind{kyro.LetterDeactivated}, kyro.AuditDeactivated)

	d = newDesk()
	if err := d.admin.Reactivate(t.Context(), d.accounts[0]); err != nil {
		t.Error(err)
	}
	if err := d.admin.Purge(t.Context(), d.accounts[0]); err != nil {
		t.Error(err)
	}
	if err := d.admin.RotatedSecret(t.Context()); err != nil {
		t.Error(err)
	}
	d.check(t, "reactivate user_7, purge user_7, record", []kyro.LetterKind{kyro.LetterReactivated},
		kyro.AuditReactivated, kyro.AuditPurged, kyro.AuditSecretRotated)
}
