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
	for _, mode := range []kyro.SignUpMode{kyro.SignUpClosed, kyro.SignUpVerified, ""} {
		w := newWorld(t, mode)
		_, err := w.Register(t.Context(), kyro.Viewer{}, "ada@example.org", goodPassword, "Ada")
		wantCode(t, err, kyro.CodeForbidden)
		if len(w.store.users) != 0 {
			t.Errorf("mode %q stored a user", mode)
		}
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
