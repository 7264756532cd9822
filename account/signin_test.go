package account_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"kyrochat/account"
	"kyrochat/kyro"
)

func TestRegisterSignsIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	device := kyro.Device{UserAgent: "curl/8", AddressPrefix: "192.0.2.0/24"}
	got, err := w.Register(t.Context(), kyro.Viewer{Device: device}, " Ada@Example.ORG ", goodPassword, " Ada ")
	if err != nil {
		t.Fatal(err)
	}
	want := account.SignedIn{
		User:        kyro.User{ID: kyro.UserID(1), Email: "ada@example.org", Name: "Ada", CreatedAt: w.now},
		AccessToken: "access user_1 session_1", AccessExpires: w.now.Add(10 * time.Minute), RefreshToken: "1.1",
		DeviceToken:    new(tokens).Device(kyro.UserID(1), w.now),
		RefreshExpires: w.now.Add(account.DefaultRefreshTTL),
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	s := w.store.sessions[kyro.SessionID(1)]
	if s.Device != device || !s.ExpiresAt.Equal(w.now.Add(30*24*time.Hour)) || s.Counter != 1 {
		t.Errorf("session %+v", s)
	}
	_, err = w.Register(t.Context(), kyro.Viewer{}, "ADA@example.org", goodPassword, "Other")
	wantCode(t, err, kyro.CodeEmailTaken)
}

func TestRegisterTellsAllFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	_, err := w.Register(t.Context(), kyro.Viewer{}, "ada", "short", "")
	got := map[string]kyro.Code{}
	for _, each := range err.(interface{ Unwrap() []error }).Unwrap() {
		e := each.(*kyro.Error)
		got[e.Field[0]] = e.Code
	}
	want := map[string]kyro.Code{"email": kyro.CodeValidation, "password": kyro.CodeWeakPassword, "name": kyro.CodeValidation}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if len(w.store.users) != 0 {
		t.Error("a user was stored")
	}
}

func TestRegisterClosed(t *testing.T) {
	t.Parallel()
	for _, mode := range []kyro.SignUpMode{kyro.SignUpClosed, ""} {
		w := newWorld(t, mode)
		_, err := w.Register(t.Context(), kyro.Viewer{}, "ada@example.org", goodPassword, "Ada")
		wantCode(t, err, kyro.CodeForbidden)
		if len(w.store.users) != 0 {
			t.Errorf("mode %q stored a user", mode)
		}
	}
}

func TestRegisterAsksForTheAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	w.newcomer(t)
	mail := w.delivered(t)
	if mail == nil || mail.Kind != kyro.LetterVerification || mail.To != "ada@example.org" || mail.Name != "" {
		t.Fatalf("mail %+v", mail)
	}
	if err := w.VerifyEmail(t.Context(), kyro.Viewer{}, mail.Token); err != nil {
		t.Fatal(err)
	}
	if c := w.store.users["ada@example.org"]; !c.User.EmailVerified || c.PasswordHash != "hash:"+goodPassword {
		t.Errorf("the account is %+v", c)
	}
	if len(w.store.deeds) != 1 || w.store.deeds[0].Action != kyro.AuditEmailVerified || w.store.deeds[0].Actor != kyro.ActorUser {
		t.Errorf("the audit log has %+v", w.store.deeds)
	}
}

// TestRegisterVerified: a known and an unknown address cannot be told apart, and neither signs anybody in.
func TestRegisterVerified(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpVerified)
	device := kyro.Device{UserAgent: "curl/8"}
	register := func(password, name string) {
		t.Helper()
		in, err := w.Register(t.Context(), kyro.Viewer{Device: device}, "Ada@Example.org", password, name)
		if err != nil || in != (account.SignedIn{}) {
			t.Fatalf("got %+v, %v", in, err)
		}
	}
	register(goodPassword, "Ada")
	if len(w.store.users) != 0 || len(w.store.sessions) != 0 {
		t.Fatal("an account before the mail was read")
	}
	mail := w.delivered(t)
	if mail == nil || mail.Kind != kyro.LetterRegistration || mail.Device != device || mail.Name != "" || mail.Expires != w.now.Add(24*time.Hour) {
		t.Fatalf("mail %+v", mail)
	}
	if err := w.VerifyEmail(t.Context(), kyro.Viewer{}, mail.Token); err != nil {
		t.Fatal(err)
	}
	if in, err := w.LogIn(t.Context(), kyro.Viewer{}, "ada@example.org", goodPassword, ""); err != nil || !in.User.EmailVerified || in.User.Name != "Ada" {
		t.Fatalf("got %+v, %v", in, err)
	}
	register("another good password", "Eve")
	again := w.delivered(t)
	if again == nil || again.Kind != kyro.LetterHasAccount || again.Token != "" || again.Name != "Ada" {
		t.Fatalf("mail %+v", again)
	}
	if c := w.store.users["ada@example.org"]; c.PasswordHash != "hash:"+goodPassword || c.User.Name != "Ada" {
		t.Errorf("a stranger changed the account: %+v", c)
	}
	if _, err := w.Register(t.Context(), kyro.Viewer{}, "ada", "short", ""); err == nil {
		t.Error("a registration without an address was taken")
	}
	var actions []kyro.AuditAction
	for _, deed := range w.store.deeds {
		actions = append(actions, deed.Action)
	}
	if !reflect.DeepEqual(actions, []kyro.AuditAction{kyro.AuditSignedUp, kyro.AuditEmailVerified}) || w.store.deeds[0].UserID != kyro.UserID(1) {
		t.Errorf("the audit log has %v", actions)
	}
}

func TestRegisterUnavailable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	w.hash.failing = kyro.Errorf(kyro.CodeUnavailable, "busy")
	_, err := w.Register(t.Context(), kyro.Viewer{}, "ada@example.org", goodPassword, "Ada")
	wantCode(t, err, kyro.CodeUnavailable)
}

// TestWithoutDatabase: what could not be looked up is not taken for wrong, so that nobody is told to sign in again
// because a database is away.
func TestWithoutDatabase(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	in := w.register(t)
	v := w.sessionOf(in)
	w.store.failing = kyro.Errorf(kyro.CodeUnavailable, "The database does not answer.")
	_, err := w.LogIn(t.Context(), kyro.Viewer{}, "ada@example.org", goodPassword, "")
	wantCode(t, err, kyro.CodeUnavailable)
	_, err = w.Refresh(t.Context(), kyro.Viewer{}, in.RefreshToken)
	wantCode(t, err, kyro.CodeUnavailable)
	_, err = w.LogOut(t.Context(), v)
	wantCode(t, err, kyro.CodeUnavailable)
	w.store.failing = nil
	w.hash.failing = kyro.Errorf(kyro.CodeUnavailable, "busy")
	_, err = w.LogIn(t.Context(), kyro.Viewer{}, "ada@example.org", goodPassword, "")
	wantCode(t, err, kyro.CodeUnavailable)
}

func TestLogIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	w.register(t)
	in, err := w.LogIn(t.Context(), kyro.Viewer{}, "ADA@example.org", goodPassword, "")
	if err != nil || in.User.ID != kyro.UserID(1) || in.RefreshToken != "2.1" {
		t.Fatalf("got %+v, %v", in, err)
	}
}

func TestLogInEndsWhatIsTooOld(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	first := w.sessionOf(w.register(t))
	if err := w.CheckSession(t.Context(), first.UserID, first.SessionID, w.now); err != nil {
		t.Fatal(err)
	}
	w.store.evicted = []kyro.ID{first.SessionID}
	if _, err := w.LogIn(t.Context(), kyro.Viewer{}, "ada@example.org", goodPassword, ""); err != nil {
		t.Fatal(err)
	}
	if len(w.ended) != 1 || w.ended[0] != first.SessionID {
		t.Errorf("told of the end of %v", w.ended)
	}
	wantCode(t, w.CheckSession(t.Context(), first.UserID, first.SessionID, w.now), kyro.CodeUnauthenticated)
}

func TestLogInRefusesAllAlike(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	w.register(t)
	var messages []string
	for _, c := range []struct{ email, password string }{
		{"ada@example.org", "wrong horse battery"},
		{"bob@example.org", goodPassword},
		{"no address", goodPassword},
		{"", ""},
	} {
		_, err := w.LogIn(t.Context(), kyro.Viewer{}, c.email, c.password, "")
		wantCode(t, err, kyro.CodeInvalidCredentials)
		messages = append(messages, err.Error())
	}
	for _, m := range messages[1:] {
		if m != messages[0] {
			t.Errorf("%q differs from %q", m, messages[0])
		}
	}
	want := []string{"hash:" + goodPassword, "", "", ""}
	if !reflect.DeepEqual(w.hash.verified, want) {
		t.Errorf("verified %q, want %q", w.hash.verified, want)
	}
	if len(w.store.sessions) != 1 {
		t.Error("a refused log-in made a session")
	}
}

func TestLogInOfADeactivatedAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	w.register(t)
	w.store.change("ada@example.org", func(c *kyro.Credentials) { c.DeactivatedAt = &w.now })
	_, err := w.LogIn(t.Context(), kyro.Viewer{}, "ada@example.org", goodPassword, "")
	_, unknown := w.LogIn(t.Context(), kyro.Viewer{}, "bob@example.org", goodPassword, "")
	wantCode(t, err, kyro.CodeInvalidCredentials)
	if err.Error() != unknown.Error() || !reflect.DeepEqual(w.hash.verified, []string{"", ""}) {
		t.Errorf("%v after %q, and %v of an unknown address", err, w.hash.verified, unknown)
	}
}

// TestLogInWhileThePasswordChanges: whoever knew the old one does not stay signed in.
func TestLogInWhileThePasswordChanges(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func(*kyro.Credentials){
		"a new password": func(c *kyro.Credentials) { c.PasswordChangedAt = c.User.CreatedAt.Add(time.Second) },
		"a deactivation": func(c *kyro.Credentials) { c.DeactivatedAt = &c.User.CreatedAt },
	} {
		w := newWorld(t, kyro.SignUpOpen)
		w.register(t)
		w.hash.during = func() { w.store.change("ada@example.org", change) }
		_, err := w.LogIn(t.Context(), kyro.Viewer{}, "ada@example.org", goodPassword, "")
		wantCode(t, err, kyro.CodeInvalidCredentials)
		if s := w.store.sessions[kyro.SessionID(2)]; s.RevokedAt.IsZero() {
			t.Errorf("%s: the session lives: %+v", what, s)
		}
		if len(w.ended) != 1 || w.ended[0] != kyro.SessionID(2) {
			t.Errorf("%s: told of the end of %v", what, w.ended)
		}
	}
}

func TestLogInRenewsStaleHash(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	w.register(t)
	c := w.store.users["ada@example.org"]
	c.PasswordHash = "old:" + goodPassword
	w.store.users["ada@example.org"] = c
	w.hash.stale = true
	w.store.readOnly = errors.New("no disk")
	if _, err := w.LogIn(t.Context(), kyro.Viewer{}, "ada@example.org", goodPassword, ""); err != nil {
		t.Fatalf("a failure to renew the hash stopped the log-in: %v", err)
	}
	if got := w.store.users["ada@example.org"].PasswordHash; got != "hash:"+goodPassword {
		t.Errorf("hash is %q", got)
	}
}

func TestUsersSeeThemselvesOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	in := w.register(t)
	if _, err := w.Register(t.Context(), kyro.Viewer{}, "bob@example.org", goodPassword, "Bob"); err != nil {
		t.Fatal(err)
	}
	me := w.sessionOf(in)
	users, err := w.Users(t.Context(), me, []kyro.ID{kyro.UserID(2), me.UserID, kyro.UserID(9)})
	if err != nil || len(users) != 1 || users[0].ID != me.UserID {
		t.Errorf("got %v, %v", users, err)
	}
	user, err := w.User(t.Context(), me)
	if err != nil || user == nil || user.Name != "Ada" {
		t.Errorf("got %v, %v", user, err)
	}
	reads := w.store.reads
	for range 3 {
		if user, err := w.User(t.Context(), me); err != nil || user == nil || user.Name != "Ada" {
			t.Errorf("got %v, %v", user, err)
		}
	}
	if w.store.reads != reads {
		t.Errorf("%d more reads of a user that was read", w.store.reads-reads)
	}
	if user, err := w.User(t.Context(), kyro.Viewer{}); user != nil || err != nil {
		t.Errorf("nobody is %v, %v", user, err)
	}
}
