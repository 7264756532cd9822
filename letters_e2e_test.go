package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kyrochat/internal/testdb"
	"kyrochat/kyro"
)

// postbox is a mail server whose mails a test can read.
type postbox struct {
	mu      sync.Mutex
	mails   []kyro.Mail
	failing error
	changed chan struct{} // closed by the next mail or refusal
	tries   int
}

// Send keeps the mail.
func (p *postbox) Send(_ context.Context, mail kyro.Mail) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tries++
	if p.failing == nil {
		p.mails = append(p.mails, mail)
	}
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
	return p.failing
}

func (p *postbox) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failing = err
}

// until waits for the box to be as wanted.
func (p *postbox) until(t *testing.T, what string, wanted func() bool) {
	t.Helper()
	for hang := time.After(time.Minute); ; {
		p.mu.Lock()
		if wanted() {
			p.mu.Unlock()
			return
		}
		if p.changed == nil {
			p.changed = make(chan struct{})
		}
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-hang:
			t.Fatalf("%s: not so after a minute", what)
		}
	}
}

// mail waits for the n-th mail to an address.
func (p *postbox) mail(t *testing.T, to string, n int) (found kyro.Mail) {
	t.Helper()
	p.until(t, "a mail to "+to, func() bool {
		left := n
		for _, mail := range p.mails {
			if mail.To == to {
				found = mail
				if left--; left == 0 {
					return true
				}
			}
		}
		return false
	})
	return found
}

func (p *postbox) all() []kyro.Mail {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.mails)
}

// lettersEnded waits until no mail is to be sent any more.
func (s *testServer) lettersEnded(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); s.count(t, "SELECT count(*) FROM letters WHERE ended_at IS NULL") > 0; {
		if time.Now().After(deadline) {
			t.Fatal("letters wait for a minute")
		}
		time.Sleep(10 * time.Millisecond) // between two looks at a condition
	}
}

func (s *testServer) count(t *testing.T, query string) (n int) {
	t.Helper()
	var err error
	if pools := s.app.pools; pools.Postgres() {
		err = pools.Pgx.QueryRow(t.Context(), query).Scan(&n)
	} else {
		err = pools.SQLite.QueryRowContext(t.Context(), query).Scan(&n)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// eachDatabaseVerified is eachDatabase where sign-up waits for a mail.
func eachDatabaseVerified(t *testing.T, test func(t *testing.T, s *testServer)) {
	t.Helper()
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, startServer(t, map[string]string{"KYRO_SIGNUP": "verified"}))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, startServer(t, map[string]string{"KYRO_SIGNUP": "verified", "DATABASE_URL": testdb.PostgresURL(t)}))
	})
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

func TestSignUpByMail(t *testing.T) {
	eachDatabaseVerified(t, func(t *testing.T, s *testServer) {
		nobody := &person{t: t, s: s}
		first := nobody.register("Ada@Example.com", password)
		for _, field := range []string{"user", "accessToken", "accessTokenExpiresAt", "refreshToken"} {
			if first.get("registerUser."+field) != nil {
				t.Errorf("%s in %s", field, first.body)
			}
		}
		mail := s.post.mail(t, "ada@example.com", 1)
		if mail.Kind != kyro.LetterRegistration || len(mail.Token) != 43 || mail.Name != "" {
			t.Errorf("mail %+v", mail)
		}
		nobody.logIn("ada@example.com", password).wantCode("logIn", "INVALID_CREDENTIALS")
		if n := s.count(t, "SELECT count(*) FROM users"); n != 0 {
			t.Errorf("%d accounts before the mail was read", n)
		}
		nobody.verify(mail.Token).wantAccepted("verifyEmail")
		nobody.verify(mail.Token).wantCode("verifyEmail", "INVALID_TOKEN")
		in := nobody.logIn("ada@example.com", password)
		if in.get("logIn.user.emailVerified") != true || in.text("logIn.user.name") != "Ada" {
			t.Errorf("%s", in.body)
		}

		// The same again, with another password: the same answer, and a mail that tells of the account.
		again := nobody.register("ada@example.com", "a stranger's password")
		if string(again.body) != string(first.body) {
			t.Errorf("a known address is told from an unknown one:\n%s\n%s", again.body, first.body)
		}
		if mail := s.post.mail(t, "ada@example.com", 2); mail.Kind != kyro.LetterHasAccount || mail.Token != "" || mail.Name != "Ada" {
			t.Errorf("mail %+v", mail)
		}
		nobody.logIn("ada@example.com", "a stranger's password").wantCode("logIn", "INVALID_CREDENTIALS")
		s.lettersEnded(t)
		if n := s.count(t, "SELECT count(*) FROM letters WHERE password_hash <> ''") + s.count(t, "SELECT count(*) FROM mail_tokens WHERE password_hash <> ''"); n != 0 {
			t.Errorf("%d passwords hashes are left of registrations", n)
		}
		if n := s.count(t, "SELECT count(*) FROM audit_log WHERE action = 'SIGNED_UP' AND user_id IS NOT NULL"); n != 1 {
			t.Errorf("%d sign-ups in the audit log", n)
		}
	})
}

// TestMailsTellWhoHasAnAccountToItsOwnerOnly asks for links for a known and an unknown address.
func TestMailsTellWhoHasAnAccountToItsOwnerOnly(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		ada := s.signUp(t)
		s.post.mail(t, ada.email, 1)
		nobody := &person{t: t, s: s}
		for _, field := range []string{"requestPasswordReset", "requestEmailVerification"} {
			known, unknown := nobody.requestMail(field, ada.email), nobody.requestMail(field, "eve@example.com")
			known.wantAccepted(field)
			if string(known.body) != string(unknown.body) {
				t.Errorf("%s tells them apart:\n%s\n%s", field, known.body, unknown.body)
			}
			nobody.requestMail(field, "no address").wantCode(field, "VALIDATION")
		}
		s.post.mail(t, ada.email, 3)
		s.lettersEnded(t)
		for _, mail := range s.post.all() {
			if mail.To != ada.email {
				t.Errorf("a mail to %s", mail.To)
			}
		}
	})
}

func TestResetByMail(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		ada := s.signUp(t)
		nobody := &person{t: t, s: s}
		verify := s.post.mail(t, ada.email, 1)
		nobody.requestMail("requestPasswordReset", ada.email).wantAccepted("requestPasswordReset")
		older := s.post.mail(t, ada.email, 2)
		nobody.requestMail("requestPasswordReset", strings.ToUpper(ada.email)).wantAccepted("requestPasswordReset")
		mail := s.post.mail(t, ada.email, 3)
		if mail.Kind != kyro.LetterPasswordReset || len(mail.Token) != 43 || mail.Token == older.Token || mail.ID == older.ID {
			t.Errorf("mail %+v after %+v", mail, older)
		}
		const fresh = "another good password"
		nobody.reset(older.Token, fresh).wantCode("resetPassword", "INVALID_TOKEN")
		nobody.reset(verify.Token, fresh).wantCode("resetPassword", "INVALID_TOKEN")
		nobody.verify(mail.Token).wantCode("verifyEmail", "INVALID_TOKEN")
		weak := nobody.reset(mail.Token, "short")
		weak.wantCode("resetPassword", "WEAK_PASSWORD")
		if field := weak.list("resetPassword.errors.0.field"); len(field) != 1 || field[0] != "newPassword" {
			t.Errorf("a weak password is told at %v", field)
		}
		nobody.reset(mail.Token, fresh).wantAccepted("resetPassword")
		nobody.reset(mail.Token, fresh).wantCode("resetPassword", "INVALID_TOKEN")
		nobody.verify(verify.Token).wantCode("verifyEmail", "INVALID_TOKEN")

		ada.ask(`{ viewer { id } }`, nil).wantCode("", "UNAUTHENTICATED")
		nobody.logIn(ada.email, password).wantCode("logIn", "INVALID_CREDENTIALS")
		if in := nobody.logIn(ada.email, fresh); in.get("logIn.user.emailVerified") != true {
			t.Errorf("%s", in.body)
		}
		if notice := s.post.mail(t, ada.email, 4); notice.Kind != kyro.LetterPasswordChanged || notice.Token != "" {
			t.Errorf("mail %+v", notice)
		}
		if n := s.count(t, "SELECT count(*) FROM audit_log WHERE action IN ('PASSWORD_RESET', 'PASSWORD_RESET_REQUESTED') AND user_id IS NOT NULL"); n != 3 {
			t.Errorf("%d lines about resets", n)
		}
		for _, mail := range s.post.all() {
			if s.count(t, "SELECT count(*) FROM mail_tokens WHERE hash = '"+mail.Token+"'") > 0 {
				t.Error("a token is stored as it is")
			}
		}
	})
}

// TestOneResetByMail: of a hundred who come with one link at once, one sets the password.
func TestOneResetByMail(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		ada := s.signUp(t)
		s.post.mail(t, ada.email, 1)
		(&person{t: t, s: s}).requestMail("requestPasswordReset", ada.email).wantAccepted("requestPasswordReset")
		token := s.post.mail(t, ada.email, 2).Token
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for range 20 {
			wg.Go(func() {
				for range 5 {
					r := (&person{t: t, s: s}).reset(token, "another good password")
					if r.tree["errors"] != nil { // the queue of hashes may be full
						r.wantCode("", "UNAVAILABLE")
						continue
					}
					mu.Lock()
					if r.get("resetPassword.accepted") == true {
						won++
					} else {
						r.wantCode("resetPassword", "INVALID_TOKEN")
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if won != 1 {
			t.Errorf("%d succeeded", won)
		}
		s.post.mail(t, ada.email, 3)
		s.lettersEnded(t)
		if n := len(s.post.all()); n != 3 {
			t.Errorf("%d mails, want one notice beside the two links", n)
		}
	})
}

// TestMailsWaitForTheirServer: while it is away every mail waits, and comes once.
func TestMailsWaitForTheirServer(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		away := kyro.Errorf(kyro.CodeUnavailable, "The mail server does not answer.")
		s.post.fail(away.Because(errors.New("connection refused")))
		people := []*person{s.signUp(t), s.signUp(t), s.signUp(t)}
		s.post.until(t, "every mail was tried", func() bool { return s.post.tries >= len(people) })
		s.post.fail(nil)
		for _, p := range people {
			s.post.mail(t, p.email, 1)
		}
		s.lettersEnded(t)
		if n := len(s.post.all()); n != len(people) {
			t.Errorf("%d mails to %d people", n, len(people))
		}
	})
}

// TestWorkersSendMails: whoever serves stores what is wanted, and somebody else sends it.
func TestWorkersSendMails(t *testing.T) {
	t.Parallel()
	env := map[string]string{"DATABASE_URL": testdb.PostgresURL(t), "KYRO_SECRET": "q7Zr1mVx0Tn4Kc8Ws2Ly6Hd3Pf9Bg5Jt"}
	with := func(role string) map[string]string {
		return map[string]string{"DATABASE_URL": env["DATABASE_URL"], "KYRO_SECRET": env["KYRO_SECRET"], "KYRO_ROLE": role, "KYRO_SIGNUP": "verified"}
	}
	api, worker := startServer(t, with("api")), startServer(t, with("worker"))
	nobody := &person{t: t, s: api}
	nobody.register("ada@example.com", password)
	nobody.verify(worker.post.mail(t, "ada@example.com", 1).Token).wantAccepted("verifyEmail")
	if nobody.logIn("ada@example.com", password).get("logIn.accessToken") == nil {
		t.Error("the account is not there")
	}
	if len(api.post.all()) > 0 {
		t.Error("a process that does no jobs sent a mail")
	}
}
