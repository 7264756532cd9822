package account_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"kyrochat/kyro"
)

var auditDevice = kyro.Device{UserAgent: "curl/8", AddressPrefix: "192.0.2.0/24"}

// TestSignInsAreNoted: what is stored, who did it and by what.
func TestSignInsAreNoted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	nobody := kyro.Viewer{Device: auditDevice, RequestID: "r1"}
	in, err := w.Register(t.Context(), nobody, "ada@example.org", goodPassword, "Ada")
	if err != nil {
		t.Fatal(err)
	}
	user, first, second := in.User.ID, kyro.SessionID(1), kyro.SessionID(2)
	w.pass(time.Second)
	for _, email := range []string{"ada@example.org", "eve@example.org", "no address"} {
		_, err = w.LogIn(t.Context(), nobody, email, "wrong horse battery", "")
		wantCode(t, err, kyro.CodeInvalidCredentials)
	}
	// Somebody who is signed in to another account is nobody to this one.
	other := kyro.Viewer{UserID: kyro.UserID(77), SessionID: kyro.SessionID(78), Device: auditDevice, RequestID: "r1"}
	if _, err = w.LogIn(t.Context(), other, "ada@example.org", goodPassword, ""); err != nil {
		t.Fatal(err)
	}
	_, err = w.LogIn(t.Context(), other, "ada@example.org", "wrong horse battery", "")
	wantCode(t, err, kyro.CodeInvalidCredentials)
	self := kyro.Viewer{UserID: user, SessionID: second, Device: auditDevice, RequestID: "r1"}
	if _, err = w.LogOut(t.Context(), self); err != nil {
		t.Fatal(err)
	}
	if _, err = w.Refresh(t.Context(), nobody, in.RefreshToken); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute)
	_, err = w.Refresh(t.Context(), nobody, in.RefreshToken)
	wantCode(t, err, kyro.CodeInvalidToken)

	line := func(after time.Duration, user kyro.ID, action kyro.AuditAction, actor kyro.AuditActor, by, target kyro.ID, refused string) kyro.AuditEntry {
		e := kyro.AuditEntry{
			At: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).Add(after), UserID: user, Action: action, Succeeded: true,
			Actor: actor, By: by, Target: target, Device: auditDevice, RequestID: "r1",
		}
		if refused != "" {
			e = e.Refused(refused)
		}
		return e
	}
	const wrong = "Wrong credentials."
	none := kyro.ID{}
	check := func(what string, got []kyro.AuditEntry, want ...kyro.AuditEntry) {
		if len(got) != len(want) {
			t.Fatalf("%s: %d lines, want %d: %+v", what, len(got), len(want), got)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: line %d\n got %+v\nwant %+v", what, i, got[i], want[i])
			}
		}
	}
	check("sign-ins", w.store.signIns,
		line(0, user, kyro.AuditSignedUp, kyro.ActorUser, first, none, ""),
		line(time.Second, user, kyro.AuditLoggedIn, kyro.ActorUser, second, none, ""))
	check("the others", w.store.deeds,
		line(time.Second, user, kyro.AuditLoggedIn, kyro.ActorNobody, none, none, wrong),
		line(time.Second, none, kyro.AuditLoggedIn, kyro.ActorNobody, none, none, wrong),
		line(time.Second, none, kyro.AuditLoggedIn, kyro.ActorNobody, none, none, wrong),
		line(time.Second, user, kyro.AuditLoggedIn, kyro.ActorNobody, none, none, wrong),
		line(time.Second, user, kyro.AuditLoggedOut, kyro.ActorUser, second, none, ""),
		line(61*time.Second, user, kyro.AuditRefreshReused, kyro.ActorNobody, none, first, "The session was ended."))
}

// TestARefusalIsNotedOrNotGiven: a log-in whose line cannot be stored is not told what came of it.
func TestARefusalIsNotedOrNotGiven(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	w.register(t)
	w.store.readOnly = kyro.Errorf(kyro.CodeUnavailable, "The database does not answer.")
	for _, email := range []string{"ada@example.org", "eve@example.org"} {
		_, err := w.LogIn(t.Context(), kyro.Viewer{}, email, "wrong horse battery", "")
		wantCode(t, err, kyro.CodeUnavailable)
	}
}

func TestAuditLogIsForItsPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	ada := w.sessionOf(w.register(t))
	bob, err := w.Register(t.Context(), kyro.Viewer{}, "bob@example.org", goodPassword, "Bob")
	if err != nil {
		t.Fatal(err)
	}
	page := kyro.PageRequest{Order: "AT.DESC", Limit: 20}
	for _, viewer := range []kyro.Viewer{ada, {UserID: bob.User.ID, SessionID: kyro.SessionID(2)}} {
		lines, err := w.AuditLog(t.Context(), viewer, page)
		if err != nil || len(lines.Nodes) != 1 || lines.Nodes[0].UserID != viewer.UserID {
			t.Errorf("%s sees %+v, %v", viewer.UserID, lines.Nodes, err)
		}
	}
	_, err = w.AuditLog(t.Context(), kyro.Viewer{}, page)
	wantCode(t, err, kyro.CodeUnauthenticated)
	_, err = w.AuditLog(t.Context(), keyOf(ada, 1), page)
	wantCode(t, err, kyro.CodeForbidden)
}

// keyOf is an API key of the user with all scopes.
func keyOf(v kyro.Viewer, key int64) kyro.Viewer {
	return kyro.Viewer{UserID: v.UserID, KeyID: kyro.APIKeyID(key), Scopes: []kyro.Scope{kyro.ScopeRead, kyro.ScopeChat, kyro.ScopeIngest}}
}

// TestDeniedIsNotedOnceAMinute for each key, also where the request that was refused is over.
func TestDeniedIsNotedOnceAMinute(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	ada := w.sessionOf(w.register(t))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	ask := func(viewers ...kyro.Viewer) {
		for _, v := range viewers {
			w.Denied(gone, v)
		}
	}
	ask(keyOf(ada, 1), keyOf(ada, 1), keyOf(ada, 2), ada, kyro.Viewer{})
	w.pass(time.Minute - time.Microsecond)
	ask(keyOf(ada, 1), keyOf(ada, 2))
	w.pass(time.Microsecond)
	ask(keyOf(ada, 2), keyOf(ada, 2))
	var by []kyro.ID
	for _, e := range w.store.deeds {
		if e.Action != kyro.AuditAccessDenied || e.Succeeded || e.Actor != kyro.ActorAPIKey || e.UserID != ada.UserID {
			t.Errorf("line %+v", e)
		}
		by = append(by, e.By)
	}
	if want := []kyro.ID{kyro.APIKeyID(1), kyro.APIKeyID(2), kyro.APIKeyID(2)}; !slices.Equal(by, want) {
		t.Errorf("noted %v, want %v", by, want)
	}
}
