package account_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"kyrochat/kyro"
)

const newPassword = "another horse battery"

// wantError checks the code of an error and the field it is at.
func wantError(t *testing.T, err error, code kyro.Code, field ...string) {
	t.Helper()
	wantCode(t, err, code)
	var known *kyro.Error
	if errors.As(err, &known) && !slices.Equal(known.Field, field) {
		t.Errorf("%v is at %v, want %v", err, known.Field, field)
	}
}

// ada is a registered person with a second device, whose session is 2.
func (w *world) ada(t *testing.T) kyro.Viewer {
	t.Helper()
	viewer := w.sessionOf(w.register(t))
	viewer.Device = kyro.Device{UserAgent: "agent"}
	_, err := w.LogIn(t.Context(), kyro.Viewer{}, "ada@example.org", goodPassword, "")
	if err != nil {
		t.Fatal(err)
	}
	w.ended = nil
	return viewer
}

func TestProfile(t *testing.T) {
	w := newWorld(t, kyro.SignUpOpen)
	ada := w.ada(t)
	if user, err := w.User(t.Context(), ada); err != nil || user.Name != "Ada" {
		t.Fatal(user, err)
	}
	user, err := w.UpdateProfile(t.Context(), ada, kyro.UserPatch{Name: kyro.Some(" Ada L. ")})
	if err != nil || user.Name != "Ada L." {
		t.Errorf("changed to %+v, %v", user, err)
	}
	if user, err := w.User(t.Context(), ada); err != nil || user.Name != "Ada L." {
		t.Errorf("the profile is still %+v, %v", user, err)
	}
	if user, err := w.UpdateProfile(t.Context(), ada, kyro.UserPatch{}); err != nil || user.Name != "Ada L." {
		t.Errorf("without a change: %+v, %v", user, err)
	}
	for _, bad := range []kyro.Opt[string]{kyro.Opt[string]{Set: true}, kyro.Some(" "), kyro.Some(strings.Repeat("x", 101))} {
		_, err := w.UpdateProfile(t.Context(), ada, kyro.UserPatch{Name: bad})
		wantError(t, err, kyro.CodeValidation, "name")
	}
	if got := w.store.said(); got != "PROFILE_CHANGED" {
		t.Errorf("the audit log says %s", got)
	}
}

func TestPasswordChange(t *testing.T) {
	w := newWorld(t, kyro.SignUpOpen)
	ada := w.ada(t)
	_, err := w.ChangePassword(t.Context(), ada, "wrong horse battery", newPassword)
	wantError(t, err, kyro.CodeInvalidCredentials, "currentPassword")
	for _, weak := range []string{"short", goodPassword} {
		_, err := w.ChangePassword(t.Context(), ada, goodPassword, weak)
		wantError(t, err, kyro.CodeWeakPassword, "newPassword")
	}
	user, err := w.ChangePassword(t.Context(), ada, goodPassword, newPassword)
	if err != nil || user.ID != ada.UserID {
		t.Fatal(user, err)
	}
	if !slices.Equal(w.ended, []kyro.ID{kyro.SessionID(2)}) {
		t.Errorf("sockets were told of the end of %v", w.ended)
	}
	wantCode(t, w.CheckSession(t.Context(), ada.UserID, kyro.SessionID(2), w.clock()), kyro.CodeUnauthenticated)
	if err := w.CheckSession(t.Context(), ada.UserID, ada.SessionID, w.clock()); err != nil {
		t.Errorf("the session that asked: %v", err)
	}
	if got := w.store.said(); got != "PASSWORD_CHANGED refused: Wrong password.; PASSWORD_CHANGED" {
		t.Errorf("the audit log says %s", got)
	}
	if got := w.store.mailed(); got != "password-changed ada@example.org" {
		t.Errorf("letters: %s", got)
	}
	if l := w.store.letters[0]; l.Seed == "" || l.Device.UserAgent != "agent" || l.SessionID != ada.SessionID || l.UserID != ada.UserID {
		t.Errorf("the letter is %+v", l)
	}
	// Somebody else changes it between the look at the old one and the writing of the new one.
	w.store.during = func() {
		w.store.during = nil
		_ = w.store.SetPasswordHash(t.Context(), ada.UserID, "hash:"+newPassword, "hash:third")
	}
	_, err = w.ChangePassword(t.Context(), ada, newPassword, goodPassword)
	wantError(t, err, kyro.CodeInvalidCredentials, "currentPassword")
}

// A log-in that is under way while the password is changed, or the account deactivated, does not survive that.
func TestLogInDuringAChange(t *testing.T) {
	for what, change := range map[string]func(w *world, ada kyro.Viewer) error{
		"password": func(w *world, ada kyro.Viewer) error {
			_, err := w.ChangePassword(context.Background(), ada, goodPassword, newPassword)
			return err
		},
		"deactivation": func(w *world, ada kyro.Viewer) error { return w.Deactivate(context.Background(), ada, goodPassword) },
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, kyro.SignUpOpen)
			ada := w.ada(t)
			w.store.starting = func() {
				w.store.starting = nil
				w.pass(time.Second)
				if err := change(w, ada); err != nil {
					t.Error(err)
				}
			}
			_, err := w.LogIn(t.Context(), kyro.Viewer{}, "ada@example.org", goodPassword, "")
			wantCode(t, err, kyro.CodeInvalidCredentials)
			if s, _ := w.store.Session(t.Context(), kyro.SessionID(3)); s.RevokedAt.IsZero() {
				t.Error("its session lives")
			}
		})
	}
}

func TestEmailChange(t *testing.T) {
	w := newWorld(t, kyro.SignUpOpen)
	ada := w.ada(t)
	wantError(t, w.RequestEmailChange(t.Context(), ada, goodPassword, "no address"), kyro.CodeValidation, "newEmail")
	wantError(t, w.RequestEmailChange(t.Context(), ada, goodPassword, " ADA@example.org"), kyro.CodeValidation, "newEmail")
	wantError(t, w.RequestEmailChange(t.Context(), ada, "wrong horse battery", "new@example.org"), kyro.CodeInvalidCredentials, "password")
	if err := w.RequestEmailChange(t.Context(), ada, goodPassword, "New@Example.org"); err != nil {
		t.Fatal(err)
	}
	if l := w.store.letters[0]; l.Kind != kyro.LetterEmailChange || l.To != "new@example.org" || l.OldEmail != "ada@example.org" || l.NewEmail != l.To || l.SessionID != ada.SessionID {
		t.Errorf("the letter is %+v", l)
	}
	if c, _ := w.store.Credentials(t.Context(), ada.UserID); c.User.Email != "ada@example.org" {
		t.Error("the address is another before the link was opened")
	}
	w.store.away = kyro.Errorf(kyro.CodeConflict, "locked").At("newEmail")
	wantError(t, w.RequestEmailChange(t.Context(), ada, goodPassword, "new@example.org"), kyro.CodeConflict, "newEmail")
	if got := w.store.said(); got != "EMAIL_CHANGE_REQUESTED refused: Wrong password.; EMAIL_CHANGE_REQUESTED" {
		t.Errorf("the audit log says %s", got)
	}
}

func TestLinksOfMails(t *testing.T) {
	sum := sha256.Sum256([]byte("the token"))
	hash := hex.EncodeToString(sum[:])
	for _, one := range []struct {
		use    func(w *world, viewer kyro.Viewer, token string) error
		action kyro.AuditAction
		letter kyro.LetterKind
	}{
		{func(w *world, v kyro.Viewer, token string) error {
			return w.ConfirmEmailChange(context.Background(), v, token)
		}, kyro.AuditEmailChanged, kyro.LetterEmailChanged},
		{func(w *world, v kyro.Viewer, token string) error {
			return w.RevertEmailChange(context.Background(), v, token)
		}, kyro.AuditEmailReverted, kyro.LetterEmailReverted},
		{func(w *world, v kyro.Viewer, token string) error { return w.Reactivate(context.Background(), v, token) }, kyro.AuditReactivated, kyro.LetterReactivated},
	} {
		w := newWorld(t, kyro.SignUpOpen)
		ada := w.ada(t)
		if _, err := w.User(t.Context(), ada); err != nil {
			t.Fatal(err)
		}
		w.store.tokens[hash] = kyro.AccountChange{UserID: ada.UserID, Ended: []kyro.ID{kyro.SessionID(2), kyro.APIKeyID(7)}}
		// It is opened where somebody else is signed in.
		eve := kyro.Viewer{UserID: kyro.UserID(9), SessionID: kyro.SessionID(90), Device: kyro.Device{UserAgent: "other"}, RequestID: "r"}
		for _, bad := range []string{"", "the token ", hash} {
			wantError(t, one.use(w, eve, bad), kyro.CodeInvalidToken, "token")
		}
		reads := w.store.reads
		if err := one.use(w, eve, "the token"); err != nil {
			t.Errorf("%s: %v", one.action, err)
		}
		if !slices.Equal(w.ended, []kyro.ID{kyro.SessionID(2), kyro.APIKeyID(7)}) {
			t.Errorf("%s: sockets were told of the end of %v", one.action, w.ended)
		}
		if d := w.store.deeds[0]; len(w.store.deeds) != 1 || d.Action != one.action || d.Actor != kyro.ActorUser || !d.By.IsZero() || d.Device.UserAgent != "other" || d.RequestID != "r" {
			t.Errorf("the audit log says %+v", w.store.deeds)
		}
		if got := w.store.mailed(); got != string(one.letter) {
			t.Errorf("%s: letters: %s", one.action, got)
		}
		if _, err := w.User(t.Context(), ada); err != nil || w.store.reads != reads+1 {
			t.Errorf("%s: the user is not read anew", one.action)
		}
	}
}

func TestDeactivation(t *testing.T) {
	w := newWorld(t, kyro.SignUpOpen)
	ada := w.ada(t)
	wantError(t, w.Deactivate(t.Context(), ada, "wrong horse battery"), kyro.CodeInvalidCredentials, "password")
	if err := w.Deactivate(t.Context(), ada, goodPassword); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(w.ended, []kyro.ID{kyro.SessionID(1), kyro.SessionID(2), kyro.APIKeyID(7)}) {
		t.Errorf("sockets were told of the end of %v", w.ended)
	}
	wantCode(t, w.CheckSession(t.Context(), ada.UserID, ada.SessionID, w.clock()), kyro.CodeUnauthenticated)
	wantCode(t, w.Deactivate(t.Context(), ada, goodPassword), kyro.CodeUnauthenticated)
	if got := w.store.said(); got != "DEACTIVATED refused: Wrong password.; DEACTIVATED" {
		t.Errorf("the audit log says %s", got)
	}
	if got := w.store.mailed(); got != "deactivated" {
		t.Errorf("letters: %s", got)
	}
	asked := len(w.hash.verified)
	_, err := w.LogIn(t.Context(), kyro.Viewer{}, "ada@example.org", goodPassword, "")
	unknown := func() error {
		_, err := w.LogIn(t.Context(), kyro.Viewer{}, "nobody@example.org", goodPassword, "")
		return err
	}()
	wantCode(t, err, kyro.CodeInvalidCredentials)
	if err.Error() != unknown.Error() || len(w.hash.verified) != asked+2 {
		t.Errorf("%q and %q, after %d hashes", err, unknown, len(w.hash.verified)-asked)
	}
}

// What is about the account, no API key may do, and nobody who is not signed in.
func TestAccountsAreForPeople(t *testing.T) {
	w := newWorld(t, kyro.SignUpOpen)
	ada := w.ada(t)
	for code, viewer := range map[kyro.Code]kyro.Viewer{
		kyro.CodeForbidden:       {UserID: ada.UserID, KeyID: kyro.APIKeyID(7), Scopes: []kyro.Scope{kyro.ScopeRead, kyro.ScopeChat, kyro.ScopeIngest}},
		kyro.CodeUnauthenticated: {},
	} {
		_, err := w.UpdateProfile(t.Context(), viewer, kyro.UserPatch{Name: kyro.Some("Eve")})
		wantCode(t, err, code)
		_, err = w.ChangePassword(t.Context(), viewer, goodPassword, newPassword)
		wantCode(t, err, code)
		wantCode(t, w.RequestEmailChange(t.Context(), viewer, goodPassword, "not even an address"), code)
		wantCode(t, w.Deactivate(t.Context(), viewer, goodPassword), code)
	}
	if len(w.store.deeds)+len(w.store.letters) > 0 {
		t.Errorf("stored: %s, %s", w.store.said(), w.store.mailed())
	}
}

// documents purges, and fails where it is told to.
type documents struct {
	purged  []int64
	failing error
	each    func()
}

func (d *documents) Purge(_ context.Context, job kyro.Job) error {
	if d.each != nil {
		d.each()
	}
	if d.failing == nil {
		d.purged = append(d.purged, job.Key)
	}
	return d.failing
}

// dropped is documents as what removes exports.
type dropped documents

func (d *dropped) Drop(_ context.Context, job kyro.Job) error {
	d.purged = append(d.purged, -job.Key)
	return d.failing
}

func TestDeletionOfAnAccount(t *testing.T) {
	w := newWorld(t, kyro.SignUpOpen)
	job := kyro.Job{Kind: kyro.JobPurgeUser, Key: 1}
	some := []kyro.ID{kyro.DocumentID(4), kyro.DocumentID(5), kyro.DocumentID(6)}
	script := []kyro.Purging{{Exports: []kyro.ID{kyro.ExportID(7)}}, {Documents: some}, {}, {Done: true, Gone: true}}
	w.store.purging = slices.Clone(script)
	if err := w.PurgeUser(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(w.docs.purged, []int64{-7, 4, 5, 6}) || len(w.store.purged) != 4 || !slices.Equal(w.store.purged[2], some) || w.store.purged[3] != nil {
		t.Errorf("documents %v; given back %v", w.docs.purged, w.store.purged)
	}
	if d := w.store.deeds[0]; d.Action != kyro.AuditPurged || d.Actor != kyro.ActorSystem || !d.Succeeded {
		t.Errorf("the audit log says %+v", d)
	}

	// A turn that takes too long is one of several, and what is away is waited for.
	w.store.purging = slices.Clone(script)
	w.docs.each = func() { w.pass(15 * time.Second) }
	if err := w.PurgeUser(t.Context(), job); !errors.Is(err, kyro.ErrJobAgain) {
		t.Errorf("after its time it gives %v", err)
	}
	w.docs.each, w.docs.failing = nil, kyro.JobAgainAfter(17*time.Second)
	w.store.purging = slices.Clone(script)
	if err := w.PurgeUser(t.Context(), job); err != w.docs.failing {
		t.Errorf("while the index is away it gives %v", err)
	}
	w.store.away = errors.New("disk full")
	var again *kyro.Error
	if err := w.PurgeUser(t.Context(), job); !errors.Is(err, kyro.ErrJobAgain) || !errors.As(err, &again) || again.RetryAfter < time.Second {
		t.Errorf("where the database fails it gives %v", err)
	}
}

// TestADoubtedPasswordSignsIn and does nothing that keeps the owner out, who lost the account for a while.
func TestADoubtedPasswordSignsIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	viewer := w.sessionOf(w.register(t))
	w.store.change("ada@example.org", func(c *kyro.Credentials) {
		c.PasswordChangedAt, c.EmailLockedUntil = w.now, w.now.Add(kyro.RevertEmailTTL)
	})
	if _, err := w.LogIn(t.Context(), kyro.Viewer{}, "ada@example.org", goodPassword, ""); err != nil {
		t.Error(err)
	}
	_, err := w.ChangePassword(t.Context(), viewer, goodPassword, "another good password 7")
	wantCode(t, err, kyro.CodeConflict)
	wantCode(t, w.RevokeOtherSessions(t.Context(), viewer, goodPassword), kyro.CodeConflict)
	_, _, err = w.CreateAPIKey(t.Context(), viewer, kyro.NewAPIKey{Name: "k", Scopes: []kyro.Scope{kyro.ScopeRead}}, goodPassword)
	wantCode(t, err, kyro.CodeConflict)
	wantCode(t, w.RequestEmailChange(t.Context(), viewer, goodPassword, "eve@example.org"), kyro.CodeConflict)
	wantCode(t, w.Deactivate(t.Context(), viewer, "not the password"), kyro.CodeInvalidCredentials)
	if err := w.Deactivate(t.Context(), viewer, goodPassword); err != nil {
		t.Error(err)
	}
}
