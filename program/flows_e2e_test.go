package program

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"kyrochat/internal/smtp"
)

// lying is the server behind a proxy that says of every request that it was sent to another host.
func (s *mailed) lying(t *testing.T) *testServer {
	t.Helper()
	target, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = "evil.example"
		for name, value := range map[string]string{
			"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "X-Forwarded-Server": "evil.example", "X-Original-Host": "evil.example",
			"X-Host": "evil.example", "Forwarded": "host=evil.example;proto=http", "X-Forwarded-Prefix": "//evil.example", "Referer": "https://evil.example/",
			"User-Agent": "Firefox on Linux, see https://evil.example/",
		} {
			r.Out.Header.Set(name, value)
		}
	}})
	t.Cleanup(front.Close)
	return &testServer{url: front.URL, app: s.app, env: s.env}
}

var (
	anyLink   = regexp.MustCompile(`(?i)(https?:)?//[^\s<>"')]+`)
	messageID = regexp.MustCompile(`^<[A-Za-z0-9._-]+@chat\.example\.com>$`)
)

// wantWellFormed checks what holds for every mail: both parts, the same link in both, no link that leads elsewhere, nothing
// that is loaded, and an id of its own.
func wantWellFormed(t *testing.T, mails []smtp.Mail) {
	t.Helper()
	ids := map[string]bool{}
	for _, m := range mails {
		what := fmt.Sprintf("%q to %v", m.Subject, m.To)
		if m.Wrong != "" || len(m.To) != 1 || m.Text == "" || m.HTML == "" || m.Header.Get("From") != `"KyroChat" <kyro@example.com>` || m.From != "kyro@example.com" {
			t.Errorf("%s is %s\n%s", what, m.Wrong, m.Raw)
		}
		if !messageID.MatchString(m.MessageID) || ids[m.MessageID] {
			t.Errorf("%s has the id %s", what, m.MessageID)
		}
		ids[m.MessageID] = true
		for _, link := range append(anyLink.FindAllString(m.Text, -1), anyLink.FindAllString(m.HTML, -1)...) {
			if rest, ok := strings.CutPrefix(link, "https://chat.example.com"); !ok || rest != "" && rest[0] != '/' {
				t.Errorf("%s leads to %s", what, link)
			}
		}
		if token := m.Token(); token != "" && (len(token) != 43 || !strings.Contains(m.HTML, `href="`+m.Link("#token=")+`"`)) || token == "" && strings.Contains(m.HTML, "token=") {
			t.Errorf("%s: the link of the text, %s, is not that of\n%s", what, m.Link("#token="), m.HTML)
		}
		for _, active := range []string{"<img", "<script", "src=", "url(", "<link", "evil"} {
			if strings.Contains(strings.ToLower(m.HTML+m.Text+m.Raw), active) {
				t.Errorf("%s has %s in\n%s", what, active, m.Raw)
			}
		}
	}
}

// redeem uses a link that needs nothing but its token.
func (p *person) redeem(field, token string) *reply {
	p.t.Helper()
	return p.ask(`mutation($t: String!) { `+field+`(input: {token: $t}) { accepted errors { code message field } } }`, vars{"t": token})
}

func (p *person) changePassword(old, fresh string) *reply {
	p.t.Helper()
	return p.ask(`mutation($o: String!, $n: String!) { changePassword(input: {currentPassword: $o, newPassword: $n}) { user { email } errors { code } } }`, vars{"o": old, "n": fresh})
}

func (p *person) requestEmailChange(password, email string) {
	p.t.Helper()
	p.must(`mutation($p: String!, $e: String!) { requestEmailChange(input: {password: $p, newEmail: $e}) { accepted errors { code message } } }`, vars{"p": password, "e": email})
}

func (p *person) deactivate(password string) *reply {
	p.t.Helper()
	return p.ask(`mutation($p: String!) { deactivateAccount(input: {password: $p}) { accepted errors { code } } }`, vars{"p": password})
}

// TestTheLifeOfAnAccountInItsMails goes through everything that is told by mail, by what the mails say alone, while all
// requests lie about whom they were sent to.
func TestTheLifeOfAnAccountInItsMails(t *testing.T) {
	withMail(t, verified, func(t *testing.T, s *mailed) {
		const ada, second, third = "ada@example.com", "ada.second@example.com", "ada.third@example.com"
		nobody := &person{t: t, s: s.lying(t)}
		mailTo := func(to string, n int, subject, purpose string) smtp.Mail {
			t.Helper()
			m := s.mail(t, to, n, subject)
			if link := m.Link("#token="); purpose == "" && link != "" || purpose != "" && !strings.HasPrefix(link, "https://chat.example.com/account/"+purpose+"#token=") {
				t.Errorf("%q has the link %q, want one to %s", subject, link, purpose)
			}
			return m
		}

		// Signing up, with a second link. The first one is of no use then, nor has looking at the page used up the second.
		nobody.register(ada, password)
		first := mailTo(ada, 1, signingUp, "verify-email")
		for _, address := range []string{ada, "stranger@example.com"} {
			nobody.requestMail("requestEmailVerification", address).wantAccepted("requestEmailVerification")
		}
		link := mailTo(ada, 2, verifying, "verify-email")
		nobody.verify(first.Token()).wantCode("verifyEmail", "INVALID_TOKEN")
		page, err := http.Get(s.url + strings.TrimPrefix(link.Link("#token="), "https://chat.example.com"))
		if err != nil {
			t.Fatal(err)
		}
		if text, _ := io.ReadAll(page.Body); page.StatusCode != http.StatusOK || strings.Contains(string(text), "evil.example") {
			t.Errorf("the page is %d %s", page.StatusCode, text)
		}
		page.Body.Close()
		nobody.verify(link.Token()).wantAccepted("verifyEmail")
		nobody.requestMail("requestEmailVerification", ada).wantAccepted("requestEmailVerification") // which is confirmed by now

		// What the owner hears of while signed in.
		p, other := nobody.another(ada, password), nobody.another(ada, password)
		_, robot := p.newAPIKey(nil, "READ")
		if m := mailTo(ada, 3, "An API key was made for your account", ""); !strings.Contains(m.Text, "“Robot”") || !strings.Contains(m.HTML, "Robot") || strings.Contains(m.Raw, "kyr_sk_") {
			t.Errorf("the mail about a key:\n%s", m.Text)
		}
		if r := p.changePassword(password, freshPassword); r.text("changePassword.user.email") != ada {
			t.Errorf("%s", r.body)
		}
		other.out()
		if m := mailTo(ada, 4, passwordChanged, ""); !strings.Contains(m.Text, "Hello Ada,") || !strings.Contains(m.Text, "- Robot") || !strings.Contains(m.Text, "127.0.0.x") {
			t.Errorf("the notice of another password:\n%s", m.Text)
		}
		old := nobody.logIn(ada, freshPassword).text("logIn.refreshToken")
		p.refresh(old).text("refreshSession.refreshToken")
		s.exec(t, ageRotations(s.testServer))
		nobody.refresh(old).wantCode("refreshSession", "INVALID_TOKEN")
		mailTo(ada, 5, "A session of your account was ended", "")

		// The address is changed twice. The oldest address wins it back, and a new password with it.
		p.requestEmailChange(freshPassword, second)
		nobody.redeem("confirmEmailChange", mailTo(second, 1, "Confirm your new address", "change-email").Token()).wantAccepted("confirmEmailChange")
		oldest := mailTo(ada, 6, "The address of your account was changed", "revert-email")
		if !strings.Contains(oldest.Text, second) {
			t.Errorf("it does not say to what:\n%s", oldest.Text)
		}
		p.requestEmailChange(freshPassword, third)
		nobody.redeem("confirmEmailChange", mailTo(third, 1, "Confirm your new address", "change-email").Token()).wantAccepted("confirmEmailChange")
		younger := mailTo(second, 2, "The address of your account was changed", "revert-email")
		if got := p.must(`{ viewer { email } }`, nil).text("viewer.email"); got != third {
			t.Errorf("the address is %s", got)
		}
		nobody.redeem("revertEmailChange", oldest.Token()).wantAccepted("revertEmailChange")
		nobody.redeem("revertEmailChange", younger.Token()).wantCode("revertEmailChange", "INVALID_TOKEN")
		p.out()
		robot.out()
		nobody.logIn(third, freshPassword).wantCode("logIn", "INVALID_CREDENTIALS")
		const last = "seven umbrellas in a boat"
		nobody.reset(mailTo(ada, 7, "Your account has its old address back", "reset-password").Token(), last).wantAccepted("resetPassword")
		if m := mailTo(ada, 8, passwordChanged, ""); strings.Contains(m.Text, "Robot") {
			t.Errorf("a key that was revoked goes on:\n%s", m.Text)
		}

		// Out of use, back, and out of use for good.
		p = nobody.another(ada, last)
		p.deactivate(last).wantAccepted("deactivateAccount")
		back := mailTo(ada, 9, "Your account was deactivated", "reactivate")
		for _, field := range []string{"requestPasswordReset", "requestEmailVerification"} {
			nobody.requestMail(field, ada).wantAccepted(field) // and no mail comes of it
		}
		nobody.logIn(ada, last).wantCode("logIn", "INVALID_CREDENTIALS")
		s.lettersEnded(t)
		nobody.redeem("reactivateAccount", back.Token()).wantAccepted("reactivateAccount")
		mailTo(ada, 10, "Your account is back", "")
		p.out()
		p = nobody.another(ada, last)
		p.deactivate(last).wantAccepted("deactivateAccount")
		late := mailTo(ada, 11, "Your account was deactivated", "reactivate")
		nobody.redeem("reactivateAccount", back.Token()).wantCode("reactivateAccount", "INVALID_TOKEN")
		s.lettersEnded(t)
		s.exec(t, "UPDATE users SET purge_after = '2026-01-01 00:00:00+00:00'") // its time goes by
		nobody.redeem("reactivateAccount", late.Token()).wantCode("reactivateAccount", "INVALID_TOKEN")
		if err := s.app.accounts.SweepUsers(t.Context()); err != nil {
			t.Fatal(err)
		}
		waitUntil(t, "the account is deleted", func() bool { return s.number(t, "SELECT count(*) FROM users") == 0 })
		nobody.redeem("reactivateAccount", late.Token()).wantCode("reactivateAccount", "INVALID_TOKEN")
		nobody.logIn(ada, last).wantCode("logIn", "INVALID_CREDENTIALS")

		// The address is free again.
		nobody.register(ada, password)
		nobody.verify(mailTo(ada, 12, signingUp, "verify-email").Token()).wantAccepted("verifyEmail")
		nobody.another(ada, password).must(`{ viewer { id } }`, nil)
		s.lettersEnded(t)
		mails := s.mails.Mails()
		if wantWellFormed(t, mails); len(mails) != 15 {
			t.Errorf("%d mails, want 15", len(mails))
		}
	})
}
