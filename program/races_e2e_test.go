package program

import (
	"sync"
	"sync/atomic"
	"testing"
)

// race has a hundred come at once, of whom one is to be accepted, and all others told that the link is no good.
func (s *mailed) race(t *testing.T, field string, redeem func(nobody *person) *reply) {
	t.Helper()
	var wg sync.WaitGroup
	var won atomic.Int64
	start := make(chan struct{})
	for range 100 {
		wg.Go(func() {
			<-start
			r := redeem(&person{t: t, s: s.testServer})
			switch {
			case r.tree["errors"] != nil && field == "resetPassword": // the queue of hashes may be full
				r.wantCode("", "UNAVAILABLE")
			case r.tree["errors"] == nil && r.get(field+".accepted") == true:
				won.Add(1)
			default:
				r.wantCode(field, "INVALID_TOKEN")
			}
		})
	}
	close(start)
	wg.Wait()
	if n := won.Load(); n != 1 {
		t.Errorf("%s: %d of a hundred were accepted", field, n)
	}
}

// TestLinksWorkOnce: each link of each kind is raced for, and afterwards everything is as after one who came with it.
func TestLinksWorkOnce(t *testing.T) {
	withMail(t, verified, func(t *testing.T, s *mailed) {
		const ada, other = "ada@example.com", "ada.other@example.com"
		nobody := &person{t: t, s: s.testServer}
		with := func(field, token string) func(p *person) *reply {
			return func(p *person) *reply { return p.redeem(field, token) }
		}
		// once says how often something was done, by the audit log, and how many letters of a kind there are.
		once := func(action string, lines int, kind string, letters int) {
			t.Helper()
			if n := s.number(t, "SELECT count(*) FROM audit_log WHERE succeeded AND user_id IS NOT NULL AND action = '"+action+"'"); n != lines {
				t.Errorf("%d lines %s, want %d", n, action, lines)
			}
			if n := s.number(t, "SELECT count(*) FROM letters WHERE kind = '"+kind+"'"); n != letters {
				t.Errorf("%d letters %s, want %d", n, kind, letters)
			}
		}

		nobody.register(ada, password)
		s.race(t, "verifyEmail", with("verifyEmail", s.mail(t, ada, 1, signingUp).Token()))
		once("SIGNED_UP", 1, "registration", 1)
		once("EMAIL_VERIFIED", 1, "has-account", 0)
		if n := s.number(t, "SELECT count(*) FROM users"); n != 1 {
			t.Fatalf("%d accounts", n)
		}

		s.exec(t, "UPDATE users SET email_verified = FALSE") // as of an account from a time of open sign-up
		nobody.requestMail("requestEmailVerification", ada).wantAccepted("requestEmailVerification")
		s.race(t, "verifyEmail", with("verifyEmail", s.mail(t, ada, 2, verifying).Token()))
		once("EMAIL_VERIFIED", 2, "verification", 1)

		nobody.requestMail("requestPasswordReset", ada).wantAccepted("requestPasswordReset")
		token := s.mail(t, ada, 3, resetting).Token()
		s.race(t, "resetPassword", func(p *person) *reply { return p.reset(token, freshPassword) })
		once("PASSWORD_RESET", 1, "password-changed", 1)
		s.mail(t, ada, 4, passwordChanged)
		p := nobody.another(ada, freshPassword)

		p.requestEmailChange(freshPassword, other)
		s.race(t, "confirmEmailChange", with("confirmEmailChange", s.mail(t, other, 1, "Confirm your new address").Token()))
		once("EMAIL_CHANGED", 1, "email-changed", 1)
		if got := p.must(`{ viewer { email } }`, nil).text("viewer.email"); got != other {
			t.Errorf("the address is %s", got)
		}

		s.race(t, "revertEmailChange", with("revertEmailChange", s.mail(t, ada, 5, "The address of your account was changed").Token()))
		once("EMAIL_REVERTED", 1, "email-reverted", 1)
		p.out()
		s.mail(t, ada, 6, "Your account has its old address back")
		p = nobody.another(ada, freshPassword)

		p.deactivate(freshPassword).wantAccepted("deactivateAccount")
		s.race(t, "reactivateAccount", with("reactivateAccount", s.mail(t, ada, 7, "Your account was deactivated").Token()))
		once("REACTIVATED", 1, "reactivated", 1)
		nobody.another(ada, freshPassword).must(`{ viewer { id } }`, nil)
		s.lettersEnded(t)
		if n := len(s.mails.Mails()); n != 9 {
			t.Errorf("%d mails, want 9", n)
		}
	})
}
