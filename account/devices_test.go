package account_test

import (
	"slices"
	"testing"
	"time"

	"kyrochat/kyro"
)

// logIn signs in once more and gives the session.
func (w *world) logIn(t *testing.T, user kyro.ID) kyro.Viewer {
	t.Helper()
	if _, err := w.LogIn(t.Context(), kyro.Viewer{}, "ada@example.org", goodPassword, ""); err != nil {
		t.Fatal(err)
	}
	return kyro.Viewer{UserID: user, SessionID: kyro.SessionID(int64(len(w.store.sessions)))}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	in := w.register(t)
	first := w.sessionOf(in)
	w.pass(time.Hour)
	second := w.logIn(t, first.UserID)
	ids := func() (ids []kyro.ID) {
		list, err := w.Sessions(t.Context(), second)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range list {
			ids = append(ids, s.ID)
		}
		return ids
	}
	if got := ids(); !slices.Equal(got, []kyro.ID{second.SessionID, first.SessionID}) {
		t.Errorf("the sessions %v", got)
	}
	w.pass(time.Hour)
	if _, err := w.Refresh(t.Context(), first, in.RefreshToken); err != nil {
		t.Fatal(err)
	}
	if got := ids(); !slices.Equal(got, []kyro.ID{first.SessionID, second.SessionID}) {
		t.Errorf("after one was used: %v", got)
	}
	w.pass(14*24*time.Hour - time.Minute) // which is too long for the second one
	if got := ids(); !slices.Equal(got, []kyro.ID{first.SessionID}) {
		t.Errorf("after two weeks: %v", got)
	}
	if got, err := w.SessionsByID(t.Context(), second, []kyro.ID{first.SessionID, second.SessionID}); err != nil || len(got) != 1 {
		t.Errorf("by id: %v, %v", got, err)
	}
	key := kyro.Viewer{UserID: first.UserID, KeyID: kyro.APIKeyID(1), Scopes: []kyro.Scope{kyro.ScopeRead}}
	for who, v := range map[kyro.Code]kyro.Viewer{kyro.CodeForbidden: key, kyro.CodeUnauthenticated: {}} {
		_, err := w.Sessions(t.Context(), v)
		wantCode(t, err, who)
		_, err = w.SessionsByID(t.Context(), v, []kyro.ID{first.SessionID})
		wantCode(t, err, who)
		wantCode(t, w.RevokeSession(t.Context(), v, first.SessionID), who)
		wantCode(t, w.RevokeOtherSessions(t.Context(), v, goodPassword), who)
		_, err = w.APIKeys(t.Context(), v)
		wantCode(t, err, who)
	}
}

func TestRevokeSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	first := w.sessionOf(w.register(t))
	second := w.logIn(t, first.UserID)
	stranger := kyro.Viewer{UserID: kyro.UserID(77), SessionID: kyro.SessionID(77)}
	wantCode(t, w.RevokeSession(t.Context(), stranger, first.SessionID), kyro.CodeNotFound)
	wantCode(t, w.RevokeSession(t.Context(), first, kyro.SessionID(99)), kyro.CodeNotFound)
	wantCode(t, w.RevokeSession(t.Context(), first, first.UserID), kyro.CodeBadUserInput)
	for _, each := range []kyro.Viewer{second, first} { // another, then the own
		if err := w.CheckSession(t.Context(), each.UserID, each.SessionID, w.now); err != nil {
			t.Fatal(err)
		}
		if err := w.RevokeSession(t.Context(), first, each.SessionID); err != nil {
			t.Fatal(err)
		}
		wantCode(t, w.CheckSession(t.Context(), each.UserID, each.SessionID, w.now), kyro.CodeUnauthenticated)
		wantCode(t, w.RevokeSession(t.Context(), first, each.SessionID), kyro.CodeNotFound)
	}
	if !slices.Equal(w.ended, []kyro.ID{second.SessionID, first.SessionID}) {
		t.Errorf("told of the end of %v", w.ended)
	}
	if deed := w.store.deeds[0]; deed.Action != kyro.AuditSessionRevoked || deed.Target != second.SessionID || deed.By != first.SessionID {
		t.Errorf("the deed %+v", deed)
	}
}

// TestAKeyIsNotLoggedOut: it is revoked.
func TestAKeyIsNotLoggedOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	v := w.sessionOf(w.register(t))
	_, err := w.LogOut(t.Context(), kyro.Viewer{UserID: v.UserID, KeyID: kyro.APIKeyID(1), Scopes: []kyro.Scope{kyro.ScopeRead}})
	wantCode(t, err, kyro.CodeForbidden)
	if len(w.ended) != 0 {
		t.Errorf("ended %v", w.ended)
	}
}

func TestRevokeOtherSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	first := w.sessionOf(w.register(t))
	second, third := w.logIn(t, first.UserID), w.logIn(t, first.UserID)
	wantCode(t, w.RevokeOtherSessions(t.Context(), second, "wrong horse battery"), kyro.CodeInvalidCredentials)
	if len(w.ended) != 0 {
		t.Fatalf("a wrong password ended %v", w.ended)
	}
	for _, each := range []kyro.Viewer{first, second, third} {
		if err := w.CheckSession(t.Context(), each.UserID, each.SessionID, w.now); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.RevokeOtherSessions(t.Context(), second, goodPassword); err != nil {
		t.Fatal(err)
	}
	for _, each := range []kyro.Viewer{first, third} {
		wantCode(t, w.CheckSession(t.Context(), each.UserID, each.SessionID, w.now), kyro.CodeUnauthenticated)
		if !slices.Contains(w.ended, each.SessionID) {
			t.Errorf("told of the end of %v", w.ended)
		}
	}
	if err := w.CheckSession(t.Context(), second.UserID, second.SessionID, w.now); err != nil {
		t.Errorf("the session that asked: %v", err)
	}
}
