package account_test

import (
	"slices"
	"testing"
	"time"

	"kyrochat/kyro"
)

// TestRequestsTellNothing: they store the same letter for every address, and look nothing up.
func TestRequestsTellNothing(t *testing.T) {
	t.Parallel()
	w := known(t)
	w.store.reads = 0
	device := kyro.Device{UserAgent: "curl/8"}
	viewer := kyro.Viewer{Device: device, UserID: kyro.UserID(7), SessionID: kyro.SessionID(9)}
	before := len(w.store.letters)
	for _, email := range []string{" ADA@example.org", "bob@example.org"} {
		if err := w.RequestPasswordReset(t.Context(), viewer, email); err != nil {
			t.Fatal(err)
		}
		if err := w.RequestEmailVerification(t.Context(), viewer, email); err != nil {
			t.Fatal(err)
		}
	}
	stored := w.store.letters[before:]
	if len(stored) != 4 || w.store.reads != 0 || len(w.store.deeds) != 0 {
		t.Fatalf("letters %+v, %d reads", stored, w.store.reads)
	}
	for i, kind := range []kyro.LetterKind{kyro.LetterPasswordReset, kyro.LetterVerification, kyro.LetterPasswordReset, kyro.LetterVerification} {
		want := kyro.Letter{Key: stored[i].Key, Kind: kind, To: []string{ada, "bob@example.org"}[i/2], Seed: stored[i].Seed, Device: device, CreatedAt: w.now}
		if stored[i] != want || stored[i].Seed == "" {
			t.Errorf("letter %+v, want %+v", stored[i], want)
		}
	}
	for _, bad := range []string{"", "ada", "ada@example.org\r\nBcc: eve@example.org"} {
		wantCode(t, w.RequestPasswordReset(t.Context(), viewer, bad), kyro.CodeValidation)
		wantCode(t, w.RequestEmailVerification(t.Context(), viewer, bad), kyro.CodeValidation)
	}
}

// asked is the token of a reset that was asked for.
func (w *world) asked(t *testing.T) string {
	t.Helper()
	if err := w.RequestPasswordReset(t.Context(), kyro.Viewer{}, ada); err != nil {
		t.Fatal(err)
	}
	return w.delivered(t).Token
}

func TestResetPassword(t *testing.T) {
	t.Parallel()
	w := known(t)
	owner := kyro.Viewer{UserID: kyro.UserID(1), SessionID: kyro.SessionID(1)}
	if err := w.CheckSession(t.Context(), owner.UserID, owner.SessionID, w.now); err != nil {
		t.Fatal(err)
	}
	if _, err := w.User(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	token := w.asked(t)
	w.store.deeds = nil

	err := w.ResetPassword(t.Context(), kyro.Viewer{}, token, "short")
	wantCode(t, err, kyro.CodeWeakPassword)
	if e := err.(*kyro.Error); len(e.Field) != 1 || e.Field[0] != "newPassword" {
		t.Errorf("at %v", e.Field)
	}
	w.hash.failing = kyro.Errorf(kyro.CodeUnavailable, "busy")
	wantCode(t, w.ResetPassword(t.Context(), kyro.Viewer{}, token, "another good password"), kyro.CodeUnavailable)
	w.hash.failing = nil

	stranger := kyro.Viewer{UserID: kyro.UserID(5), SessionID: kyro.SessionID(5), Device: kyro.Device{UserAgent: "curl/8"}, RequestID: "req"}
	if err := w.ResetPassword(t.Context(), stranger, token, "another good password"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, w.ResetPassword(t.Context(), kyro.Viewer{}, token, "a third good password"), kyro.CodeInvalidToken)
	deeds := slices.Clone(w.store.deeds)
	if _, err := w.LogIn(t.Context(), kyro.Viewer{}, ada, "another good password", ""); err != nil {
		t.Error(err)
	}
	_, err = w.LogIn(t.Context(), kyro.Viewer{}, ada, goodPassword, "")
	wantCode(t, err, kyro.CodeInvalidCredentials)
	wantCode(t, w.CheckSession(t.Context(), owner.UserID, owner.SessionID, w.now), kyro.CodeUnauthenticated)
	if len(w.ended) != 1 || w.ended[0] != owner.SessionID {
		t.Errorf("told of the end of %v", w.ended)
	}
	want := kyro.AuditEntry{At: w.now, UserID: owner.UserID, Action: kyro.AuditPasswordReset, Succeeded: true, Actor: kyro.ActorUser, Device: stranger.Device, RequestID: "req"}
	if len(deeds) != 1 || deeds[0] != want {
		t.Errorf("the audit log has %+v, want %+v", deeds, want)
	}
	if mail := w.delivered(t); mail == nil || mail.Kind != kyro.LetterPasswordChanged || mail.To != ada || mail.Device != stranger.Device || mail.Token != "" {
		t.Errorf("the notice is %+v", mail)
	}
}

func TestTokensThatAreNotGood(t *testing.T) {
	t.Parallel()
	w := known(t)
	reset := w.asked(t)
	for _, token := range []string{"", "x", reset + "x", " " + reset} {
		wantCode(t, w.ResetPassword(t.Context(), kyro.Viewer{}, token, "another good password"), kyro.CodeInvalidToken)
		wantCode(t, w.VerifyEmail(t.Context(), kyro.Viewer{}, token), kyro.CodeInvalidToken)
	}
	wantCode(t, w.VerifyEmail(t.Context(), kyro.Viewer{}, reset), kyro.CodeInvalidToken) // of another purpose
	// That a token is bad is told before anything of the password, by the same words for all.
	one, other := w.ResetPassword(t.Context(), kyro.Viewer{}, "x", "short"), w.VerifyEmail(t.Context(), kyro.Viewer{}, reset)
	if kyro.ErrorCode(one) != kyro.CodeInvalidToken || kyro.ErrorCode(other) != kyro.CodeInvalidToken {
		t.Errorf("%v, %v", one, other)
	}
	w.pass(30 * time.Minute)
	wantCode(t, w.ResetPassword(t.Context(), kyro.Viewer{}, reset, "another good password"), kyro.CodeInvalidToken)
}

// TestSignUpIsClosedMeanwhile: links of registrations make no account any more.
func TestSignUpIsClosedMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpClosed)
	w.wanted(kyro.Letter{Kind: kyro.LetterRegistration, To: ada, Name: "Ada", PasswordHash: "hash:" + goodPassword})
	wantCode(t, w.VerifyEmail(t.Context(), kyro.Viewer{}, w.delivered(t).Token), kyro.CodeInvalidToken)
	if len(w.store.users) != 0 {
		t.Error("an account was made")
	}
}

// TestAnotherLinkForARegistration: the one that is pending is mailed again; where several are, nobody's password is taken.
func TestAnotherLinkForARegistration(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpVerified)
	register := func(password string) {
		t.Helper()
		if _, err := w.Register(t.Context(), kyro.Viewer{}, ada, password, "Ada"); err != nil {
			t.Fatal(err)
		}
		w.delivered(t)
		w.pass(time.Minute)
	}
	again := func() *kyro.Mail {
		t.Helper()
		if err := w.RequestEmailVerification(t.Context(), kyro.Viewer{}, ada); err != nil {
			t.Fatal(err)
		}
		mail := w.delivered(t)
		w.pass(time.Minute)
		return mail
	}
	if mail := again(); mail != nil {
		t.Errorf("a mail for nothing: %+v", mail)
	}
	register(goodPassword)
	w.pass(25 * time.Hour) // the first link is over; the registration is not
	second := again()
	if second == nil || second.Kind != kyro.LetterVerification || w.store.good(kyro.TokenVerifyEmail, hashOf(second.Token), w.clock()) == nil {
		t.Fatalf("mail %+v", second)
	}
	if got := w.store.issued[len(w.store.issued)-1]; got.PasswordHash != "hash:"+goodPassword || got.Name != "Ada" || !got.UserID.IsZero() {
		t.Errorf("the registration is %+v", got)
	}
	register("a stranger's password")
	third := again()
	if err := w.VerifyEmail(t.Context(), kyro.Viewer{}, third.Token); err != nil {
		t.Fatal(err)
	}
	for _, password := range []string{goodPassword, "a stranger's password", ""} {
		_, err := w.LogIn(t.Context(), kyro.Viewer{}, ada, password, "")
		wantCode(t, err, kyro.CodeInvalidCredentials)
	}
	if err := w.ResetPassword(t.Context(), kyro.Viewer{}, w.asked(t), "the owner's password"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.LogIn(t.Context(), kyro.Viewer{}, ada, "the owner's password", ""); err != nil {
		t.Error(err)
	}
}
