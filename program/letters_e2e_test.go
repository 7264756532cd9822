package program

import (
	"context"
	"maps"
	"strings"
	"testing"

	"kyrochat/internal/envtest"
	"kyrochat/internal/smtp"
	"kyrochat/internal/testdb"
)

// mailed is a server whose mails go to an emulated mail server.
type mailed struct {
	*testServer
	mails *smtp.Emulator
}

// withMail runs a test on both databases against servers whose mails go somewhere.
func withMail(t *testing.T, env map[string]string, test func(t *testing.T, s *mailed)) {
	t.Helper()
	t.Parallel()
	run := func(name string, database func(t *testing.T) string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &mailed{mails: smtp.Start(t)}
			all := map[string]string{"SMTP_URL": s.mails.URL(), "KYRO_MAIL_FROM": "KyroChat <kyro@example.com>", "KYRO_PUBLIC_URL": "https://chat.example.com", "DATABASE_URL": database(t)}
			maps.Copy(all, env)
			s.testServer = startServer(t, all)
			test(t, s)
		})
	}
	run("sqlite", func(*testing.T) string { return "" })
	run("postgres", func(t *testing.T) string { return testdb.PostgresURL(t) })
}

// mail waits for the n-th mail to an address, which has the subject.
func (s *mailed) mail(t *testing.T, to string, n int, subject string) (found smtp.Mail) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := s.mails.Await(ctx, func(e *smtp.Emulator) bool {
		left := n
		for _, mail := range e.Mails() {
			if smtp.To(to, "")(mail) {
				found = mail
				if left--; left == 0 {
					return true
				}
			}
		}
		return false
	})
	if err != nil {
		t.Fatalf("mail %d to %s did not come", n, to)
	}
	if found.Subject != subject || found.Wrong != "" {
		t.Errorf("mail %d to %s is %q, want %q (%s)", n, to, found.Subject, subject, found.Wrong)
	}
	return found
}

// lettersEnded waits until no mail is to be sent any more.
func (s *testServer) lettersEnded(t *testing.T) {
	t.Helper()
	waitUntil(t, "no letter waits", func() bool { return s.number(t, "SELECT count(*) FROM letters WHERE ended_at IS NULL") == 0 })
}

func (p *person) register(email, password string) *reply {
	p.t.Helper()
	return p.ask(`mutation($e: String!, $p: String!) { registerUser(input: {email: $e, password: $p, name: "Ada"}) `+authFields+` }`, vars{"e": email, "p": password})
}

func (p *person) logIn(email, password string) *reply {
	p.t.Helper()
	return p.ask(`mutation($e: String!, $p: String!) { logIn(input: {email: $e, password: $p}) `+authFields+` }`, vars{"e": email, "p": password})
}

func (p *person) verify(token string) *reply {
	p.t.Helper()
	return p.ask(`mutation($t: String!) { verifyEmail(input: {token: $t}) { accepted errors { code message field } } }`, vars{"t": token})
}

func (p *person) requestMail(field, email string) *reply {
	p.t.Helper()
	return p.ask(`mutation($e: String!) { `+field+`(input: {email: $e}) { accepted errors { code message field } } }`, vars{"e": email})
}

func (p *person) reset(token, password string) *reply {
	p.t.Helper()
	return p.ask(`mutation($t: String!, $p: String!) { resetPassword(input: {token: $t, newPassword: $p}) { accepted errors { code message field } } }`,
		vars{"t": token, "p": password})
}

func (r *reply) wantAccepted(field string) {
	r.t.Helper()
	if r.get(field+".accepted") != true || len(r.list(field+".errors")) > 0 {
		r.t.Errorf("not accepted: %s", r.body)
	}
}

// The subjects of mails.
const (
	signingUp       = "Confirm your address to finish signing up"
	verifying       = "Confirm your address"
	hasAccount      = "You have an account already"
	resetting       = "Set a new password"
	passwordChanged = "Your password was changed"
)

var verified = map[string]string{"KYRO_SIGNUP": "verified"}

func TestSignUpByMail(t *testing.T) {
	withMail(t, verified, func(t *testing.T, s *mailed) {
		nobody := &person{t: t, s: s.testServer}
		first := nobody.register("Ada@Example.com", password)
		for _, field := range []string{"user", "accessToken", "accessTokenExpiresAt", "refreshToken"} {
			if first.get("registerUser."+field) != nil {
				t.Errorf("%s in %s", field, first.body)
			}
		}
		mail := s.mail(t, "ada@example.com", 1, signingUp)
		if link := "https://chat.example.com/account/verify-email#token="; !strings.HasPrefix(mail.Link("#token="), link) || len(mail.Token()) != 43 {
			t.Errorf("the link is %s", mail.Link("#token="))
		}
		nobody.logIn("ada@example.com", password).wantCode("logIn", "INVALID_CREDENTIALS")
		if n := s.number(t, "SELECT count(*) FROM users"); n != 0 {
			t.Errorf("%d accounts before the mail was read", n)
		}
		nobody.verify(mail.Token()).wantAccepted("verifyEmail")
		nobody.verify(mail.Token()).wantCode("verifyEmail", "INVALID_TOKEN")
		in := nobody.logIn("ada@example.com", password)
		if in.get("logIn.user.emailVerified") != true || in.text("logIn.user.name") != "Ada" {
			t.Errorf("%s", in.body)
		}

		// The same again, with another password: the same answer, and a mail that tells of the account.
		again := nobody.register("ada@example.com", "a stranger's password")
		if string(again.body) != string(first.body) {
			t.Errorf("a known address is told from an unknown one:\n%s\n%s", again.body, first.body)
		}
		if mail := s.mail(t, "ada@example.com", 2, hasAccount); mail.Token() != "" {
			t.Errorf("mail %s", mail.Text)
		}
		nobody.logIn("ada@example.com", "a stranger's password").wantCode("logIn", "INVALID_CREDENTIALS")
		s.lettersEnded(t)
		if n := s.number(t, "SELECT count(*) FROM letters WHERE password_hash <> ''") + s.number(t, "SELECT count(*) FROM mail_tokens WHERE password_hash <> ''"); n != 0 {
			t.Errorf("%d password hashes are left of registrations", n)
		}
		if n := s.number(t, "SELECT count(*) FROM audit_log WHERE action = 'SIGNED_UP' AND user_id IS NOT NULL"); n != 1 {
			t.Errorf("%d sign-ups in the audit log", n)
		}
	})
}

// TestNobodyMailsWordsOfTheirOwn: a stranger's name is not in a mail to an address that nobody has confirmed.
func TestNobodyMailsWordsOfTheirOwn(t *testing.T) {
	withMail(t, nil, func(t *testing.T, s *mailed) {
		nobody := &person{t: t, s: s.testServer}
		nobody.ask(`mutation { registerUser(input: {email: "eve@example.com", password: "correct horse battery", name: "You won, see evil.example"}) { errors { code } } }`, nil)
		if mail := s.mail(t, "eve@example.com", 1, verifying); strings.Contains(mail.Raw, "evil.example") {
			t.Errorf("the mail says\n%s", mail.Text)
		}
	})
}

// TestMailsTellWhoHasAnAccountToItsOwnerOnly asks for links for a known and an unknown address.
func TestMailsTellWhoHasAnAccountToItsOwnerOnly(t *testing.T) {
	withMail(t, nil, func(t *testing.T, s *mailed) {
		ada := s.signUp(t)
		s.mail(t, ada.email, 1, verifying)
		nobody := &person{t: t, s: s.testServer}
		for i, field := range []string{"requestPasswordReset", "requestEmailVerification"} {
			known, unknown := nobody.requestMail(field, ada.email), nobody.requestMail(field, "eve@example.com")
			known.wantAccepted(field)
			if string(known.body) != string(unknown.body) {
				t.Errorf("%s tells them apart:\n%s\n%s", field, known.body, unknown.body)
			}
			nobody.requestMail(field, "no address").wantCode(field, "VALIDATION")
			s.mail(t, ada.email, 2+i, []string{resetting, verifying}[i])
		}
		s.lettersEnded(t)
		for _, mail := range s.mails.Mails() {
			if !smtp.To(ada.email, "")(mail) {
				t.Errorf("a mail to %s", mail.To)
			}
		}
	})
}

func TestResetByMail(t *testing.T) {
	withMail(t, nil, func(t *testing.T, s *mailed) {
		ada := s.signUp(t)
		nobody := &person{t: t, s: s.testServer}
		verify := s.mail(t, ada.email, 1, verifying)
		nobody.requestMail("requestPasswordReset", ada.email).wantAccepted("requestPasswordReset")
		older := s.mail(t, ada.email, 2, resetting)
		nobody.requestMail("requestPasswordReset", strings.ToUpper(ada.email)).wantAccepted("requestPasswordReset")
		mail := s.mail(t, ada.email, 3, resetting)
		if len(mail.Token()) != 43 || mail.Token() == older.Token() || mail.MessageID == older.MessageID {
			t.Errorf("%s brings %s after %s, which brought %s", mail.MessageID, mail.Token(), older.MessageID, older.Token())
		}
		const fresh = "another good password"
		nobody.reset(older.Token(), fresh).wantCode("resetPassword", "INVALID_TOKEN")
		nobody.reset(verify.Token(), fresh).wantCode("resetPassword", "INVALID_TOKEN")
		nobody.verify(mail.Token()).wantCode("verifyEmail", "INVALID_TOKEN")
		weak := nobody.reset(mail.Token(), "short")
		weak.wantCode("resetPassword", "WEAK_PASSWORD")
		if field := weak.list("resetPassword.errors.0.field"); len(field) != 1 || field[0] != "newPassword" {
			t.Errorf("a weak password is told at %v", field)
		}
		nobody.reset(mail.Token(), fresh).wantAccepted("resetPassword")
		nobody.reset(mail.Token(), fresh).wantCode("resetPassword", "INVALID_TOKEN")
		nobody.verify(verify.Token()).wantCode("verifyEmail", "INVALID_TOKEN")

		ada.ask(`{ viewer { id } }`, nil).wantCode("", "UNAUTHENTICATED")
		nobody.logIn(ada.email, password).wantCode("logIn", "INVALID_CREDENTIALS")
		if in := nobody.logIn(ada.email, fresh); in.get("logIn.user.emailVerified") != true {
			t.Errorf("%s", in.body)
		}
		if notice := s.mail(t, ada.email, 4, passwordChanged); notice.Token() != "" {
			t.Errorf("the notice brings %s", notice.Token())
		}
		if n := s.number(t, "SELECT count(*) FROM audit_log WHERE action IN ('PASSWORD_RESET', 'PASSWORD_RESET_REQUESTED') AND user_id IS NOT NULL"); n != 3 {
			t.Errorf("%d lines about resets", n)
		}
		for _, mail := range []smtp.Mail{verify, older, mail} {
			if s.number(t, "SELECT count(*) FROM mail_tokens WHERE hash = '"+mail.Token()+"'") > 0 {
				t.Error("a token is stored as it is")
			}
		}
	})
}

// TestMailsWaitForTheirServer: while it is away, or refuses for now, every mail waits, and comes once.
func TestMailsWaitForTheirServer(t *testing.T) {
	withMail(t, nil, func(t *testing.T, s *mailed) {
		s.mails.Down()
		people := []*person{s.signUp(t), s.signUp(t)}
		s.mails.Script(smtp.Script{At: smtp.StepTo, Code: 451, Times: 2})
		if err := s.mails.Up(); err != nil {
			t.Fatal(err)
		}
		for _, p := range people {
			s.mail(t, p.email, 1, verifying)
		}
		s.lettersEnded(t)
		if n := len(s.mails.Mails()); n != len(people) {
			t.Errorf("%d mails to %d people", n, len(people))
		}
	})
}

// TestAMailThatComesTwice: where the answer of the server is lost, the second mail is the first one again.
func TestAMailThatComesTwice(t *testing.T) {
	withMail(t, nil, func(t *testing.T, s *mailed) {
		s.mails.Script(smtp.Script{At: smtp.StepAccepted, Then: smtp.Drop, Times: 1})
		ada := s.signUp(t)
		first, second := s.mail(t, ada.email, 1, verifying), s.mail(t, ada.email, 2, verifying)
		if first.MessageID != second.MessageID || first.Token() != second.Token() || first.Token() == "" {
			t.Errorf("%s with %s, then %s with %s", first.MessageID, first.Token(), second.MessageID, second.Token())
		}
		(&person{t: t, s: s.testServer}).verify(first.Token()).wantAccepted("verifyEmail")
	})
}

// TestWorkersSendMails: whoever serves stores what is wanted, and somebody else sends it.
func TestWorkersSendMails(t *testing.T) {
	t.Parallel()
	mails := smtp.Start(t)
	shared := map[string]string{
		"DATABASE_URL": testdb.PostgresURL(t), "KYRO_SECRET": envtest.SecretOne, "KYRO_SIGNUP": "verified", "KYRO_MAIL_FROM": "kyro@example.com",
	}
	with := func(role, server string) map[string]string {
		all := map[string]string{"KYRO_ROLE": role, "SMTP_URL": server}
		maps.Copy(all, shared)
		return all
	}
	api := startServer(t, with("api", "smtp://127.0.0.1:1")) // where it could not send any
	startServer(t, with("worker", mails.URL()))
	nobody := &person{t: t, s: api}
	nobody.register("ada@example.com", password)
	nobody.verify(mails.MustWait(t, smtp.To("ada@example.com", "")).Token()).wantAccepted("verifyEmail")
	if nobody.logIn("ada@example.com", password).get("logIn.accessToken") == nil {
		t.Error("the account is not there")
	}
}
