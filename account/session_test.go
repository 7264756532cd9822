package account_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kyrochat/kyro"
)

func TestRefreshRotates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	in := w.register(t)
	second, err := w.Refresh(t.Context(), kyro.Viewer{}, in.RefreshToken)
	if err != nil || second.RefreshToken != "1.2" || second.User != in.User {
		t.Fatalf("got %+v, %v", second, err)
	}
	w.pass(kyro.RefreshGrace)
	repeat, err := w.Refresh(t.Context(), kyro.Viewer{}, in.RefreshToken)
	if err != nil || repeat.RefreshToken != "1.2" {
		t.Fatalf("a repeat within the grace got %+v, %v", repeat, err)
	}
	third, err := w.Refresh(t.Context(), kyro.Viewer{}, second.RefreshToken)
	if err != nil || third.RefreshToken != "1.3" {
		t.Fatalf("got %+v, %v", third, err)
	}
}

func TestRefreshReuseEndsTheSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	in := w.register(t)
	viewer := w.sessionOf(in)
	second, err := w.Refresh(t.Context(), kyro.Viewer{}, in.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.CheckSession(t.Context(), viewer.UserID, viewer.SessionID, w.now); err != nil {
		t.Fatal(err)
	}
	w.pass(kyro.RefreshGrace + time.Microsecond)
	_, err = w.Refresh(t.Context(), kyro.Viewer{}, in.RefreshToken)
	wantCode(t, err, kyro.CodeInvalidToken)
	if !strings.Contains(err.Error(), "used before") {
		t.Errorf("message %q", err)
	}
	wantCode(t, w.CheckSession(t.Context(), viewer.UserID, viewer.SessionID, w.now), kyro.CodeUnauthenticated)
	_, err = w.Refresh(t.Context(), kyro.Viewer{}, second.RefreshToken)
	wantCode(t, err, kyro.CodeInvalidToken)
	if len(w.ended) != 1 || w.ended[0] != viewer.SessionID {
		t.Errorf("told of the end of %v", w.ended)
	}
}

// TestReuseIsToldOnce: however many notice it.
func TestReuseIsToldOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	in := w.register(t)
	if _, err := w.Refresh(t.Context(), kyro.Viewer{}, in.RefreshToken); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute)
	thief := kyro.Viewer{Device: kyro.Device{UserAgent: "thief"}, RequestID: "request 9"}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			_, err := w.Refresh(t.Context(), thief, in.RefreshToken)
			if kyro.ErrorCode(err) != kyro.CodeInvalidToken {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(w.store.letters) != 1 || len(w.store.deeds) != 1 {
		t.Fatalf("letters %v, deeds %v", w.store.letters, w.store.deeds)
	}
	letter, deed := w.store.letters[0], w.store.deeds[0]
	if letter.Kind != kyro.LetterRefreshReused || letter.To != "ada@example.org" || letter.UserID != in.User.ID || letter.Device != thief.Device {
		t.Errorf("the letter %+v", letter)
	}
	if deed.Action != kyro.AuditRefreshReused || deed.UserID != in.User.ID || deed.Target != kyro.SessionID(1) || deed.RequestID != "request 9" || deed.Succeeded {
		t.Errorf("the deed %+v", deed)
	}
}

func TestRefreshRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		token string
		wait  time.Duration
	}{
		"malformed":        {"nonsense", 0},
		"unknown session":  {"99.1", 0},
		"unused too long":  {"1.1", 14*24*time.Hour + time.Microsecond},
		"older than 30 d":  {"1.1", 30 * 24 * time.Hour},
		"of a later state": {"1.2", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, kyro.SignUpOpen)
			w.register(t)
			w.pass(c.wait)
			_, err := w.Refresh(t.Context(), kyro.Viewer{}, c.token)
			wantCode(t, err, kyro.CodeInvalidToken)
		})
	}
}

func TestConcurrentRefreshesAgree(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	in := w.register(t)
	const callers = 20
	var all sync.WaitGroup
	all.Add(callers)
	// Every caller has read the session before the first one rotates it.
	w.store.before = func() { all.Done(); all.Wait() }
	answers := make(chan string, callers)
	for range callers {
		go func() {
			got, err := w.Refresh(t.Context(), kyro.Viewer{}, in.RefreshToken)
			if err != nil {
				t.Error(err)
			}
			answers <- got.RefreshToken
		}()
	}
	for range callers {
		if got := <-answers; got != "1.2" {
			t.Errorf("got %q", got)
		}
	}
	if got := w.store.sessions[kyro.SessionID(1)].Counter; got != 2 {
		t.Errorf("counter %d", got)
	}
}

func TestRefreshLosesToLogOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	in := w.register(t)
	w.store.before = func() {
		if _, err := w.LogOut(t.Context(), w.sessionOf(in)); err != nil {
			t.Error(err)
		}
	}
	_, err := w.Refresh(t.Context(), kyro.Viewer{}, in.RefreshToken)
	wantCode(t, err, kyro.CodeInvalidToken)
}

func TestLogOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	viewer := w.sessionOf(w.register(t))
	if out, err := w.LogOut(t.Context(), kyro.Viewer{}); out || err != nil {
		t.Errorf("nobody: %v, %v", out, err)
	}
	expired := kyro.Errorf(kyro.CodeUnauthenticated, "The access token has expired.")
	if _, err := w.LogOut(t.Context(), kyro.Viewer{Rejected: expired}); err != expired {
		t.Errorf("with a token that was refused: %v", err)
	}
	if err := w.CheckSession(t.Context(), viewer.UserID, viewer.SessionID, w.now); err != nil {
		t.Fatal(err)
	}
	if out, err := w.LogOut(t.Context(), viewer); !out || err != nil {
		t.Fatalf("%v, %v", out, err)
	}
	if len(w.ended) != 1 || w.ended[0] != viewer.SessionID {
		t.Errorf("told of the end of %v", w.ended)
	}
	wantCode(t, w.CheckSession(t.Context(), viewer.UserID, viewer.SessionID, w.now), kyro.CodeUnauthenticated)
}

func TestCheckSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	v := w.sessionOf(w.register(t))
	check := func(user, session kyro.ID, issued time.Time) error {
		return w.CheckSession(t.Context(), user, session, issued)
	}
	for range 5 {
		if err := check(v.UserID, v.SessionID, w.now); err != nil {
			t.Fatal(err)
		}
	}
	if w.store.reads != 1 {
		t.Errorf("%d reads, want 1", w.store.reads)
	}
	wantCode(t, check(kyro.UserID(2), v.SessionID, w.now), kyro.CodeUnauthenticated)
	wantCode(t, check(v.UserID, kyro.SessionID(9), w.now), kyro.CodeUnauthenticated)
	wantCode(t, check(v.UserID, v.SessionID, w.now.Add(-time.Minute)), kyro.CodeUnauthenticated)
}

// TestUncertainLogOut: where the end of a session was stored but the answer was lost, the session is over.
func TestUncertainLogOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	v := w.sessionOf(w.register(t))
	if err := w.CheckSession(t.Context(), v.UserID, v.SessionID, w.now); err != nil {
		t.Fatal(err)
	}
	if err := w.store.RevokeSession(t.Context(), v.UserID, v.SessionID, w.now); err != nil {
		t.Fatal(err)
	}
	w.store.failing = errors.New("connection reset")
	if _, err := w.LogOut(t.Context(), v); err == nil {
		t.Fatal("logged out without a database")
	}
	w.store.failing = nil
	wantCode(t, w.CheckSession(t.Context(), v.UserID, v.SessionID, w.now), kyro.CodeUnauthenticated)
}

func TestCheckSessionWithoutDatabase(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	v := w.sessionOf(w.register(t))
	w.store.failing = errors.New("connection refused")
	wantCode(t, w.CheckSession(t.Context(), v.UserID, v.SessionID, w.now), kyro.CodeInternal)
}

func TestExpiredSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	v := w.sessionOf(w.register(t))
	w.pass(kyro.SessionMaxAge)
	wantCode(t, w.CheckSession(t.Context(), v.UserID, v.SessionID, w.now), kyro.CodeUnauthenticated)
}

// TestLogOutWith: where the access token is gone, the refresh token says which session ends.
func TestLogOutWith(t *testing.T) {
	t.Parallel()
	expired := kyro.Errorf(kyro.CodeUnauthenticated, "The access token is not valid, or no longer.")
	unknown := kyro.Errorf(kyro.CodeUnavailable, "The session cannot be checked right now.")
	for name, c := range map[string]struct {
		viewer  func(first kyro.Viewer) kyro.Viewer
		token   string // session.counter
		ended   bool
		lives   []kyro.ID
		refused kyro.Code
	}{
		"both of one session":      {func(v kyro.Viewer) kyro.Viewer { return v }, "1.1", true, []kyro.ID{kyro.SessionID(2)}, ""},
		"of different sessions":    {func(v kyro.Viewer) kyro.Viewer { return v }, "2.1", true, nil, ""},
		"an access token alone":    {func(v kyro.Viewer) kyro.Viewer { return v }, "", true, []kyro.ID{kyro.SessionID(2)}, ""},
		"a refresh token alone":    {func(kyro.Viewer) kyro.Viewer { return kyro.Viewer{} }, "2.1", true, []kyro.ID{kyro.SessionID(1)}, ""},
		"with one that is over":    {func(kyro.Viewer) kyro.Viewer { return kyro.Viewer{Rejected: expired} }, "1.1", true, []kyro.ID{kyro.SessionID(2)}, ""},
		"a former refresh token":   {func(kyro.Viewer) kyro.Viewer { return kyro.Viewer{} }, "1.0", true, []kyro.ID{kyro.SessionID(2)}, ""},
		"of a session that is not": {func(kyro.Viewer) kyro.Viewer { return kyro.Viewer{} }, "9.1", false, []kyro.ID{kyro.SessionID(1), kyro.SessionID(2)}, ""},
		"nonsense":                 {func(kyro.Viewer) kyro.Viewer { return kyro.Viewer{Rejected: expired} }, "nonsense", false, []kyro.ID{kyro.SessionID(1), kyro.SessionID(2)}, ""},
		"nothing":                  {func(kyro.Viewer) kyro.Viewer { return kyro.Viewer{} }, "", false, []kyro.ID{kyro.SessionID(1), kyro.SessionID(2)}, ""},
		"a check that was not made": {func(kyro.Viewer) kyro.Viewer { return kyro.Viewer{Rejected: unknown} }, "1.1", false,
			[]kyro.ID{kyro.SessionID(1), kyro.SessionID(2)}, kyro.CodeUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, kyro.SignUpOpen)
			first := w.sessionOf(w.register(t))
			if _, err := w.LogIn(t.Context(), kyro.Viewer{}, "ada@example.org", goodPassword, ""); err != nil {
				t.Fatal(err)
			}
			ended, err := w.LogOutWith(t.Context(), c.viewer(first), c.token)
			if ended != c.ended || c.refused == "" && err != nil || c.refused != "" && kyro.ErrorCode(err) != c.refused {
				t.Errorf("%v, %v", ended, err)
			}
			var lives []kyro.ID
			for _, id := range []kyro.ID{kyro.SessionID(1), kyro.SessionID(2)} {
				if s := w.store.sessions[id]; s.Live(w.now) {
					lives = append(lives, id)
				}
			}
			if !slices.Equal(lives, c.lives) {
				t.Errorf("%v live on, want %v", lives, c.lives)
			}
		})
	}
}
