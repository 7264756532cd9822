package account_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"kyrochat/kyro"
)

func TestRatesOfAccounts(t *testing.T) {
	t.Parallel()
	me := kyro.Viewer{UserID: kyro.UserID(1), SessionID: kyro.SessionID(1), Network: at("192.0.2.7").Network}
	for name, c := range map[string]struct {
		do    func(w *world, i int) error
		want  int           // at once
		again time.Duration // until one more is allowed
	}{
		"sign-ups": {func(w *world, i int) error {
			_, err := w.Register(t.Context(), at("192.0.2.7"), fmt.Sprintf("p%d@example.org", i), goodPassword, "Ada")
			return err
		}, 5, 12 * time.Minute},
		"sign-ups with a taken address": {func(w *world, _ int) error {
			_, err := w.Register(t.Context(), at("192.0.2.7"), ada, goodPassword, "Ada")
			return err
		}, 5, 12 * time.Minute},
		"refreshes": {func(w *world, i int) error {
			_, err := w.Refresh(t.Context(), kyro.Viewer{}, fmt.Sprintf("1.%d", i+1))
			return err
		}, 30, 2 * time.Second},
		"links, good or bad": {func(w *world, i int) error {
			return []func() error{
				func() error { return w.VerifyEmail(t.Context(), at("192.0.2.7"), "x") },
				func() error { return w.ResetPassword(t.Context(), at("192.0.2.7"), "x", goodPassword) },
				func() error { return w.ConfirmEmailChange(t.Context(), at("192.0.2.7"), "x") },
				func() error { return w.RevertEmailChange(t.Context(), at("192.0.2.7"), "x") },
				func() error { return w.Reactivate(t.Context(), at("192.0.2.7"), "x") },
			}[i%5]()
		}, 30, 2 * time.Second},
		"API keys": {func(w *world, _ int) error {
			_, _, err := w.CreateAPIKey(t.Context(), me, kyro.NewAPIKey{Name: "k", Scopes: []kyro.Scope{kyro.ScopeRead}}, goodPassword)
			return err
		}, 10, 6 * time.Minute},
		"changes of the address": {func(w *world, _ int) error {
			return w.RequestEmailChange(t.Context(), me, goodPassword, "new@example.org")
		}, 5, 12 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, kyro.SignUpOpen)
			if !strings.HasPrefix(name, "sign-ups") || strings.Contains(name, "taken") {
				if _, err := w.Register(t.Context(), at("203.0.113.9"), ada, goodPassword, "Ada"); err != nil {
					t.Fatal(err)
				}
			}
			for i := range c.want {
				if err := c.do(w, i); kyro.ErrorCode(err) == kyro.CodeRateLimited {
					t.Fatalf("number %d: %v", i+1, err)
				}
			}
			err := c.do(w, c.want)
			wantCode(t, err, kyro.CodeRateLimited)
			if wait := err.(*kyro.Error).RetryAfter; wait != c.again {
				t.Errorf("to wait %v, want %v", wait, c.again)
			}
			w.pass(c.again)
			if err := c.do(w, c.want); kyro.ErrorCode(err) == kyro.CodeRateLimited {
				t.Errorf("after the wait: %v", err)
			}
		})
	}
}

// Who signs up with what is wrong has not signed up.
func TestMistakesAreNoSignUps(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	for range 10 {
		_, err := w.Register(t.Context(), at("192.0.2.7"), ada, "password password", "Ada")
		if code := kyro.ErrorCode(err); code != kyro.CodeWeakPassword {
			t.Fatalf("got %v", err)
		}
		if !strings.Contains(err.Error(), "weak for [ada@example.org Ada]") {
			t.Fatalf("the password was checked for %v", err)
		}
	}
	if _, err := w.Register(t.Context(), at("192.0.2.7"), ada, goodPassword, "Ada"); err != nil {
		t.Error(err)
	}
}

// To one address goes one mail of a kind a minute and five an hour, whoever asks; one network asks for twenty an hour.
func TestMails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	may := func(from, to string) bool { return w.MayMail(t.Context(), at(from), kyro.LetterPasswordReset, to) }
	if !may("192.0.2.7", ada) || may("192.0.2.7", " ADA@example.org ") || may("203.0.113.9", ada) || !may("192.0.2.7", nobody) {
		t.Error("not one a minute to each")
	}
	sent := 1
	for range 30 {
		w.pass(time.Minute)
		if may("203.0.113.9", ada) {
			sent++
		}
	}
	if sent < 5 || sent > 7 {
		t.Errorf("%d mails in half an hour", sent)
	}
	sent = 0
	for i := range 40 {
		if may("198.51.100.1", fmt.Sprintf("p%d@example.org", i)) {
			sent++
		}
	}
	if sent != 20 {
		t.Errorf("one network has %d mails sent, want 20", sent)
	}
}

// TestMailsOfOneKindKeepNoOthersBack: a stranger who asks for links that an owner has no use for does not keep the owner
// from a new password.
func TestMailsOfOneKindKeepNoOthersBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kyro.SignUpOpen)
	for range 40 {
		w.pass(time.Minute)
		w.MayMail(t.Context(), at("203.0.113.9"), kyro.LetterVerification, ada)
	}
	if !w.MayMail(t.Context(), at("192.0.2.7"), kyro.LetterPasswordReset, ada) {
		t.Error("the owner gets no link for a new password")
	}
}
