package mail_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"kyrochat/internal/smtp"
	"kyrochat/kyro"
	"kyrochat/mail"
)

// heard is a log that many may write to.
type heard struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (h *heard) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.Write(b)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}

// poster makes a post that sends to the URL.
func poster(t *testing.T, smtpURL string, change ...func(*mail.Options)) (*mail.Post, *heard) {
	t.Helper()
	log := new(heard)
	o := mail.Options{
		PublicURL: "https://chat.example.com", From: "KyroChat Café <hello@example.com>", SMTPURL: smtpURL,
		Log: slog.New(slog.NewTextHandler(log, nil)), Now: func() time.Time { return happened },
	}
	for _, c := range change {
		c(&o)
	}
	post, err := mail.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return post, log
}

func TestAMailArrivesAsItWasMeant(t *testing.T) {
	t.Parallel()
	server := smtp.Start(t)
	post, log := poster(t, server.URL())
	for range 2 {
		if err := post.Send(t.Context(), example(kyro.LetterPasswordReset)); err != nil {
			t.Fatal(err)
		}
	}
	got := server.Mails()
	if len(got) != 2 || got[0].Raw != got[1].Raw {
		t.Fatalf("the same mail has other bytes the second time:\n%s\n%s", got[0].Raw, got[1].Raw)
	}
	m := got[0]
	if m.Wrong != "" || m.From != "hello@example.com" || len(m.To) != 1 || m.To[0] != "ada@example.com" || !m.TLS || m.User != "" {
		t.Errorf("the envelope is %+v", m)
	}
	for name, want := range map[string]string{
		"From": "=?utf-8?q?KyroChat_Caf=C3=A9?= <hello@example.com>", "To": "<ada@example.com>", "Message-Id": "<letter-42@chat.example.com>",
		"Date": "Thu, 26 Nov 2026 23:06:12 +0000", "Auto-Submitted": "auto-generated", "Mime-Version": "1.0",
	} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
	if len(m.Header) != 8 { // these, Subject and Content-Type
		t.Errorf("there are other headers: %v", m.Header)
	}
	kept := keep(t, example(kyro.LetterPasswordReset))
	if m.Subject != kept.Subject || m.Text != kept.Text || m.HTML != kept.HTML {
		t.Errorf("what is sent is not what is kept:\n%s\n%s", m.Text, m.HTML)
	}
	if m.Token() != aToken || m.Link("/account/") != "https://chat.example.com/account/reset-password#token="+aToken {
		t.Errorf("the links are %q", m.Links)
	}
	if log.String() != "" {
		t.Errorf("the log says %s", log)
	}
}

// TestWhatTheServerSays is what comes of each way in which a server may misbehave.
func TestWhatTheServerSays(t *testing.T) {
	t.Parallel()
	const temporary, forGood, fine = kyro.CodeUpstreamFailed, kyro.CodeValidation, kyro.Code("")
	for _, c := range []struct {
		name   string
		script smtp.Script
		code   kyro.Code
		taken  int    // mails that the server has afterwards
		says   string // the error
		told   string // the operator, as an error; "" for nothing
	}{
		{"greets with 421", smtp.Script{At: smtp.StepConnect, Code: 421}, temporary, 0, "421", ""},
		{"greets with 554", smtp.Script{At: smtp.StepConnect, Code: 554}, temporary, 0, "554", ""},
		{"cuts instead of a greeting", smtp.Script{At: smtp.StepConnect, Then: smtp.Drop}, temporary, 0, "cut", ""},
		{"421 to EHLO", smtp.Script{At: smtp.StepHello, Code: 421}, temporary, 0, "", ""},
		{"cuts at EHLO", smtp.Script{At: smtp.StepHello, Then: smtp.Drop}, temporary, 0, "cut", ""},
		{"454 to STARTTLS", smtp.Script{At: smtp.StepSecure, Code: 454}, temporary, 0, "454", ""},
		{"cuts after STARTTLS", smtp.Script{At: smtp.StepSecure, Then: smtp.Cut}, temporary, 0, "cut", ""},
		{"454 to AUTH", smtp.Script{At: smtp.StepSignIn, Code: 454}, temporary, 0, "454", ""},
		{"535 to AUTH", smtp.Script{At: smtp.StepSignIn, Code: 535}, temporary, 0, "SMTP_URL", "refuses the user or the password"},
		{"451 to MAIL", smtp.Script{At: smtp.StepFrom, Code: 451}, temporary, 0, "451 to MAIL", ""},
		{"550 to MAIL", smtp.Script{At: smtp.StepFrom, Code: 550}, temporary, 0, "KYRO_MAIL_FROM", "KYRO_MAIL_FROM"},
		{"530 to MAIL", smtp.Script{At: smtp.StepFrom, Code: 530}, temporary, 0, "SMTP_URL", "wants a user"},
		{"cuts at MAIL", smtp.Script{At: smtp.StepFrom, Then: smtp.Drop}, temporary, 0, "cut", ""},
		{"421 to RCPT", smtp.Script{At: smtp.StepTo, Code: 421}, temporary, 0, "421 to RCPT", ""},
		{"451 to RCPT", smtp.Script{At: smtp.StepTo, Code: 451, Message: "4.7.1 ada@example.com is greylisted"}, temporary, 0, "451 4.7.1 to RCPT", ""},
		{"550 to RCPT", smtp.Script{At: smtp.StepTo, Code: 550, Message: "5.1.1 ada@example.com is unknown"}, forGood, 0, "550 5.1.1 to RCPT", ""},
		{"530 to RCPT", smtp.Script{At: smtp.StepTo, Code: 530}, temporary, 0, "SMTP_URL", "wants a user"},
		{"451 to DATA", smtp.Script{At: smtp.StepData, Code: 451}, temporary, 0, "451 to DATA", ""},
		{"554 to DATA", smtp.Script{At: smtp.StepData, Code: 554}, forGood, 0, "554 to DATA", ""},
		{"cuts at DATA", smtp.Script{At: smtp.StepData, Then: smtp.Drop}, temporary, 0, "cut", ""},
		{"452 to the text", smtp.Script{At: smtp.StepAccepted, Code: 452}, temporary, 0, "452 to the text", ""},
		{"554 to the text", smtp.Script{At: smtp.StepAccepted, Code: 554}, forGood, 0, "554 to the text", ""},
		{"loses the text", smtp.Script{At: smtp.StepAccepted, Then: smtp.Lose}, temporary, 0, "cut", ""},
		{"takes the text and cuts before it says so", smtp.Script{At: smtp.StepAccepted, Then: smtp.Drop}, temporary, 1, "cut", ""},
		{"takes the text, says so and cuts", smtp.Script{At: smtp.StepAccepted, Then: smtp.Cut}, fine, 1, "", ""},
		{"takes the text late", smtp.Script{At: smtp.StepAccepted, Wait: 50 * time.Millisecond}, fine, 1, "", ""},
		{"421 to QUIT", smtp.Script{At: smtp.StepQuit, Code: 421}, fine, 1, "", ""},
		{"cuts at QUIT", smtp.Script{At: smtp.StepQuit, Then: smtp.Drop}, fine, 1, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := smtp.Start(t, smtp.Options{User: "kyro", Password: "hunter2"})
			server.Script(c.script)
			post, log := poster(t, server.URL())
			err := post.Send(t.Context(), example(kyro.LetterPasswordReset))
			if kyro.ErrorCode(err) != c.code || len(server.Mails()) != c.taken || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("it says %v, and the server has %d mails", err, len(server.Mails()))
			}
			told := log.String()
			if c.told == "" && told != "" || !strings.Contains(told, c.told) || c.told != "" && !strings.Contains(told, "level=ERROR") {
				t.Errorf("the operator is told %q", told)
			}
			noSecrets(t, told, err)
			server.Reset()
			if err := post.Send(t.Context(), example(kyro.LetterPasswordReset)); err != nil {
				t.Errorf("when it is well again: %v", err)
			}
			for _, m := range server.Mails() {
				if m.MessageID != "<letter-42@chat.example.com>" || m.User != "kyro" || !m.TLS {
					t.Errorf("the server has %+v", m)
				}
			}
		})
	}
}

// noSecrets sees that neither a log nor an error has what they must not have.
func noSecrets(t *testing.T, log string, err error) {
	t.Helper()
	for _, secret := range []string{"ada@example.com", aToken, "Lovelace", "hunter2"} {
		if strings.Contains(log, secret) || err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s is in %q or in %v", secret, log, err)
		}
	}
}

func TestAServerThatIsNotThere(t *testing.T) {
	t.Parallel()
	server := smtp.Start(t)
	post, log := poster(t, server.URL())
	server.Down()
	err := post.Send(t.Context(), example(kyro.LetterPasswordReset))
	if kyro.ErrorCode(err) != kyro.CodeUpstreamFailed || !strings.Contains(err.Error(), "cannot be reached") || log.String() != "" {
		t.Errorf("it says %v, and logs %s", err, log)
	}
	noSecrets(t, "", err)
	if err := server.Up(); err != nil {
		t.Fatal(err)
	}
	if err := post.Send(t.Context(), example(kyro.LetterPasswordReset)); err != nil || len(server.Mails()) != 1 {
		t.Errorf("when it is back: %v", err)
	}
}

func TestAServerThatHangsIsLeft(t *testing.T) {
	t.Parallel()
	for _, at := range []smtp.Step{smtp.StepConnect, smtp.StepHello, smtp.StepSecure, smtp.StepFrom, smtp.StepTo, smtp.StepData, smtp.StepAccepted} {
		t.Run(string(at), func(t *testing.T) {
			t.Parallel()
			server := smtp.Start(t)
			server.Script(smtp.Script{At: at, Then: smtp.Hang})
			post, _ := poster(t, server.URL())
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond) // in place of the 15 seconds of a mail
			defer cancel()
			err := post.Send(ctx, example(kyro.LetterPasswordReset))
			if kyro.ErrorCode(err) != kyro.CodeUpstreamFailed || !strings.Contains(err.Error(), "took too long") || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("it says %v", err)
			}
			noSecrets(t, "", err)
		})
	}
}

func TestASlowGoodbyeIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	server := smtp.Start(t)
	server.Script(smtp.Script{At: smtp.StepQuit, Then: smtp.Hang})
	post, _ := poster(t, server.URL())
	if err := post.Send(t.Context(), example(kyro.LetterPasswordReset)); err != nil || len(server.Mails()) != 1 {
		t.Errorf("it says %v", err)
	}
}

// TestEncryption is about who may read along. The emulator's certificate is for localhost, and nobody vouches for it but
// itself.
func TestEncryption(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		options smtp.Options
		query   string
		trusted bool
		says    string // "": it is sent
		tls     bool
	}{
		{"offered on this machine", smtp.Options{}, "", false, "", true},
		{"not offered on this machine", smtp.Options{Plain: true}, "", false, "", false},
		{"not offered on this machine, and signed in", smtp.Options{Plain: true, User: "u", Password: "p"}, "", false, "", false},
		{"not wanted", smtp.Options{}, "?tls=none", false, "", false},
		{"required and vouched for", smtp.Options{}, "?tls=required", true, "", true},
		{"required, and anybody's certificate", smtp.Options{}, "?tls=required", false, "certificate is not good", false},
		{"required and not offered", smtp.Options{Plain: true}, "?tls=required", true, "does not encrypt", false},
		{"from the start", smtp.Options{Secure: true}, "", true, "", true},
		{"from the start, signed in", smtp.Options{Secure: true, User: "u", Password: "p"}, "", true, "", true},
		{"from the start, and anybody's certificate", smtp.Options{Secure: true}, "", false, "certificate is not good", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := smtp.Start(t, c.options)
			post, log := poster(t, server.URL()+c.query, func(o *mail.Options) {
				if c.trusted {
					o.Roots = server.Roots()
				}
			})
			err := post.Send(t.Context(), example(kyro.LetterReactivated))
			if c.says == "" {
				if got := server.Mails(); err != nil || len(got) != 1 || got[0].TLS != c.tls || got[0].User != c.options.User {
					t.Errorf("it says %v, and the server has %v", err, got)
				}
				return
			}
			if kyro.ErrorCode(err) != kyro.CodeUpstreamFailed || !strings.Contains(err.Error(), c.says) || !strings.Contains(log.String(), c.says) || len(server.Mails()) != 0 {
				t.Errorf("it says %v, and tells the operator %s", err, log)
			}
		})
	}
}

func TestASecureServerIsNotSpokenToInPlain(t *testing.T) {
	t.Parallel()
	server := smtp.Start(t, smtp.Options{})
	post, log := poster(t, "smtps://"+server.Address)
	err := post.Send(t.Context(), example(kyro.LetterReactivated))
	if kyro.ErrorCode(err) != kyro.CodeUpstreamFailed || !strings.Contains(log.String(), "does not speak TLS") {
		t.Errorf("it says %v, and tells the operator %s", err, log)
	}
}

func TestAServerThatIsNone(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = fmt.Fprint(conn, "HTTP/1.1 400 Bad Request of ada@example.com\r\n")
			_ = conn.Close()
		}
	})
	t.Cleanup(func() { _ = listener.Close(); served.Wait() })
	post, _ := poster(t, "smtp://"+listener.Addr().String())
	err = post.Send(t.Context(), example(kyro.LetterReactivated))
	if kyro.ErrorCode(err) != kyro.CodeUpstreamFailed || !strings.Contains(err.Error(), "does not speak SMTP") {
		t.Errorf("it says %v", err)
	}
	noSecrets(t, "", err)
}

func TestTheOperatorIsToldOnceAMinute(t *testing.T) {
	t.Parallel()
	server := smtp.Start(t, smtp.Options{User: "kyro", Password: "right"})
	now := happened
	post, log := poster(t, "smtp://kyro:hunter2@"+server.Address, func(o *mail.Options) { o.Now = func() time.Time { return now } })
	for i, want := range []int{1, 1, 2} {
		if err := post.Send(t.Context(), example(kyro.LetterReactivated)); kyro.ErrorCode(err) != kyro.CodeUpstreamFailed {
			t.Errorf("it says %v", err)
		}
		if got := strings.Count(log.String(), "level=ERROR"); got != want {
			t.Errorf("after %d mails the operator was told %d times: %s", i+1, got, log)
		}
		now = now.Add(40 * time.Second)
	}
	noSecrets(t, log.String(), nil)
}

func TestManyMailsAtOnce(t *testing.T) {
	t.Parallel()
	server := smtp.Start(t, smtp.Options{User: "kyro", Password: "hunter2"})
	post, _ := poster(t, server.URL())
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			m := example(kyro.LetterReactivated)
			m.ID, m.To = fmt.Sprintf("letter-%d", i), fmt.Sprintf("user%d@example.com", i)
			if err := post.Send(t.Context(), m); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	seen := map[string]string{}
	for _, m := range server.Mails() {
		seen[m.MessageID] = m.To[0]
	}
	for i := range 20 {
		if got := seen[fmt.Sprintf("<letter-%d@chat.example.com>", i)]; got != fmt.Sprintf("user%d@example.com", i) {
			t.Errorf("mail %d went to %q", i, got)
		}
	}
}

// TestMessageIDsHaveAHost of the installation, whichever setting names one.
func TestMessageIDsHaveAHost(t *testing.T) {
	t.Parallel()
	server := smtp.Start(t)
	for public, want := range map[string]string{
		"https://chat.example.com": "chat.example.com", "https://chat.example.com:8443/kyro": "chat.example.com", "http://127.0.0.1:8080": "example.com",
		"http://localhost:8080": "example.com", "http://[::1]:8080": "example.com",
	} {
		post, _ := poster(t, server.URL(), func(o *mail.Options) { o.PublicURL = public })
		m := example(kyro.LetterReactivated)
		m.ID = strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
				return r
			}
			return '-'
		}, public)
		if err := post.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		server.MustWait(t, func(got smtp.Mail) bool {
			return got.MessageID == "<"+m.ID+"@"+want+">" && strings.Contains(got.Text, public+"/account/")
		})
	}
}
