package smtp_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	netsmtp "net/smtp"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"kyrochat/internal/smtp"
)

const letter = "From: hello@example.com\r\nTo: ada@example.com\r\nMessage-ID: <1@example.com>\r\nSubject: =?UTF-8?q?Caf=C3=A9?=\r\n" +
	"Content-Type: multipart/alternative; boundary=b\r\n\r\n" +
	"--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n.\r\n.dots=20=C3=A9 https://chat.example.com/account/x#token=3Dabc\r\n" +
	"--b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: 8bit\r\n\r\n<p>é</p>\r\n--b--\r\n"

// client speaks to the emulator, and is gone when the test ends.
func client(t *testing.T, e *smtp.Emulator) *netsmtp.Client {
	t.Helper()
	c, err := netsmtp.Dial(e.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func deliver(c *netsmtp.Client, to string) error {
	if err := c.Mail("hello@example.com"); err != nil {
		return err
	}
	if err := c.Rcpt(to); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, letter); err != nil {
		return err
	}
	return w.Close()
}

func TestMailsAreKeptAndRead(t *testing.T) {
	t.Parallel()
	e := smtp.Start(t, smtp.Options{User: "kyro", Password: "secret"})
	c := client(t, e)
	if err := c.StartTLS(&tls.Config{RootCAs: e.Roots(), ServerName: "127.0.0.1"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Auth(netsmtp.PlainAuth("", "kyro", "secret", "127.0.0.1")); err != nil {
		t.Fatal(err)
	}
	if err := deliver(c, "ada@example.com"); err != nil {
		t.Fatal(err)
	}
	if err := c.Quit(); err != nil {
		t.Fatal(err)
	}
	m := e.MustWait(t, smtp.To("ADA@example.com", "Café"))
	if m.From != "hello@example.com" || !m.TLS || m.User != "kyro" || m.MessageID != "<1@example.com>" || m.Wrong != "" || m.Number != 1 {
		t.Errorf("it is kept as %+v", m)
	}
	if m.Text != ".\n.dots é https://chat.example.com/account/x#token=abc" || m.HTML != "<p>é</p>" || m.Token() != "abc" || m.Link("/nowhere") != "" {
		t.Errorf("it is read as %q, %q, %q", m.Text, m.HTML, m.Links)
	}
	if m.Raw != strings.ReplaceAll(letter, "\r\n", "\n") {
		t.Errorf("it is kept as %q", m.Raw)
	}
}

func TestWhatIsOutOfOrderIsRefused(t *testing.T) {
	t.Parallel()
	e := smtp.Start(t, smtp.Options{User: "kyro", Password: "secret"})
	conn, err := net.Dial("tcp", e.Address)
	if err != nil {
		t.Fatal(err)
	}
	text := textproto.NewConn(conn)
	t.Cleanup(func() { _ = text.Close() })
	if _, _, err := text.ReadResponse(220); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		say  string
		code int
	}{
		{"MAIL FROM:<a@b>", 503}, {"AUTH PLAIN x", 503}, {"EHLO", 501}, {"EHLO me", 250}, {"MAIL FROM:<a@b>", 530}, {"AUTH GSSAPI", 504},
		{"AUTH PLAIN AGt5cm8Ad3Jvbmc=", 535}, {"AUTH PLAIN !!", 535}, {"AUTH LOGIN", 334}, {"a3lybw==", 334}, {"c2VjcmV0", 235}, {"AUTH LOGIN", 503},
		{"RCPT TO:<a@b>", 503}, {"DATA", 503}, {"MAIL FROM:a@b", 501}, {"MAIL FROM:<a@b> BODY=8BITMIME", 250}, {"MAIL FROM:<a@b>", 503}, {"RCPT TO:<>", 501},
		{"RCPT TO:<a@b", 501}, {"rcpt to:<a@b>", 250}, {"RSET", 250}, {"DATA", 503}, {"NOOP", 250}, {"VRFY a", 500}, {"", 500}, {"QUIT", 221},
	} {
		if err := text.PrintfLine("%s", c.say); err != nil {
			t.Fatal(err)
		}
		if code, message, err := text.ReadResponse(c.code); err != nil {
			t.Errorf("%q is answered %d %s: %v", c.say, code, message, err)
		}
	}
	if _, err := text.ReadLine(); !errors.Is(err, io.EOF) {
		t.Errorf("after QUIT: %v", err)
	}
}

func TestCommandsMayComeTogether(t *testing.T) {
	t.Parallel()
	e := smtp.Start(t)
	conn, err := net.Dial("tcp", e.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: hi\r\n\r\nhello\r\n.\r\nQUIT\r\n"); err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(conn)
	if got := e.Mails(); err != nil || len(got) != 1 || got[0].Subject != "hi" || got[0].Text != "hello\n" || !strings.Contains(string(said), "PIPELINING") {
		t.Errorf("%v, %s, %+v", err, said, got)
	}
}

func TestScriptsCount(t *testing.T) {
	t.Parallel()
	e := smtp.Start(t)
	e.Script(
		smtp.Script{At: smtp.StepTo, To: "bob", Code: 550, Message: "5.1.1 unknown"},
		smtp.Script{At: smtp.StepAccepted, Code: 451, Skip: 1, Times: 2},
	)
	c := client(t, e)
	for i, want := range []string{"", "451", "451", ""} {
		err := deliver(c, "ada@example.com")
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("mail %d: %v", i, err)
		}
	}
	if err := deliver(c, "bob@example.com"); err == nil || !strings.HasPrefix(err.Error(), "550 ") || !strings.Contains(err.Error(), "5.1.1 unknown") {
		t.Errorf("to bob: %v", err)
	}
	if left := e.Scripts(); len(left) != 1 || left[0].To != "bob" || len(e.Mails()) != 2 {
		t.Errorf("left are %+v, and %d mails", left, len(e.Mails()))
	}
}

func TestControl(t *testing.T) {
	t.Parallel()
	e := smtp.Start(t)
	ask := func(method, path, body string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, e.Control+"/_emulator/"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Close = true
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		got, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(got)
	}
	if code, _ := ask("POST", "script", `[{"at": "rcpt", "code": 451, "wait": "1ms"}, {"at": "QUIT", "then": "hang"}]`); code != 204 {
		t.Errorf("scripts: %d", code)
	}
	if code, got := ask("POST", "script", `{"at": "RCPT", "colour": "red"}`); code != 400 {
		t.Errorf("a script of nonsense: %d %s", code, got)
	}
	var list []smtp.Script
	if _, got := ask("GET", "script", ""); json.Unmarshal([]byte(got), &list) != nil || len(list) != 2 || list[0] != (smtp.Script{At: smtp.StepTo, Code: 451, Wait: time.Millisecond}) {
		t.Errorf("scripts: %s", got)
	}
	ask("DELETE", "script", "")
	if err := deliver(client(t, e), "ada@example.com"); err != nil {
		t.Fatal(err)
	}
	var mails []smtp.Mail
	if _, got := ask("GET", "mails?to=ada@example.com", ""); json.Unmarshal([]byte(got), &mails) != nil || len(mails) != 1 || mails[0].Token() != "abc" {
		t.Errorf("mails: %s", got)
	}
	if _, got := ask("GET", "mails?to=bob@example.com", ""); got != "[]\n" {
		t.Errorf("bob's mails: %s", got)
	}
	ask("DELETE", "mails", "")
	if len(e.Mails()) != 0 {
		t.Error("mails are not forgotten")
	}
	ask("POST", "down", "")
	if _, err := netsmtp.Dial(e.Address); err == nil {
		t.Error("connections are taken while they are refused")
	}
	if code, got := ask("POST", "up", ""); code != 204 {
		t.Fatalf("up: %d %s", code, got)
	}
	if err := deliver(client(t, e), "ada@example.com"); err != nil {
		t.Error(err)
	}
}

func TestWaiting(t *testing.T) {
	t.Parallel()
	e := smtp.Start(t)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if m := e.MustWait(t, smtp.To("ada@example.com", "")); m.Subject != "Café" {
			t.Errorf("it is %+v", m)
		}
	})
	if err := deliver(client(t, e), "ada@example.com"); err != nil {
		t.Error(err)
	}
	waiting.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Wait(ctx, smtp.To("bob@example.com", "")); !errors.Is(err, context.Canceled) {
		t.Errorf("it waits with %v", err)
	}
	if err := e.Await(t.Context(), func(e *smtp.Emulator) bool { return e.Connections() == 1 && len(e.Mails()) == 1 }); err != nil {
		t.Error(err)
	}
}

// TestClosingEndsEverything: also what hangs, and those who say nothing. Start would wait for ever otherwise.
func TestClosingEndsEverything(t *testing.T) {
	t.Parallel()
	e, err := smtp.New(smtp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e.Script(smtp.Script{At: smtp.StepFrom, Then: smtp.Hang}, smtp.Script{At: smtp.StepHello, Skip: 2, Wait: time.Hour})
	for range 2 {
		c := client(t, e)
		if err := c.Hello("me"); err != nil {
			t.Fatal(err)
		}
		if err := c.Text.PrintfLine("MAIL FROM:<a@b>"); err != nil {
			t.Fatal(err)
		}
	}
	late := client(t, e)
	if err := late.Text.PrintfLine("EHLO me"); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if err := e.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	if _, err := late.Text.ReadLine(); err == nil {
		t.Error("a connection is still open")
	}
	if err := e.Up(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("up after closing: %v", err)
	}
}

// FuzzSession says anything to the emulator, which must end the conversation, and answer in lines that are answers.
func FuzzSession(f *testing.F) {
	f.Add("EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n" + letter + ".\r\nQUIT\r\n")
	f.Add("EHLO me\r\nAUTH PLAIN AGt5cm8Ac2VjcmV0\r\nAUTH LOGIN\r\na3lybw==\r\nc2VjcmV0\r\nRSET\r\n")
	f.Add("STARTTLS\r\n\x16\x03\x01\x02\x00")
	f.Add("EHLO me\nMAIL FROM:<>\nRCPT TO:<x@y>\nDATA\nContent-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=b\n\n--b\n.\n")
	f.Add("HELO\x00\r\n" + strings.Repeat("NOOP ", 1000))
	e, err := smtp.New(smtp.Options{User: "kyro", Password: "secret", Keep: 10})
	if err != nil {
		f.Fatal(err)
	}
	open, err := smtp.New(smtp.Options{Keep: 10})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = e.Close(); _ = open.Close() })
	f.Fuzz(func(t *testing.T, said string) {
		for _, server := range []*smtp.Emulator{e, open} {
			conn, err := net.Dial("tcp", server.Address)
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
			var writing sync.WaitGroup
			writing.Go(func() {
				_, _ = io.WriteString(conn, said)
				_ = conn.(*net.TCPConn).CloseWrite()
			})
			got, err := io.ReadAll(conn)
			writing.Wait()
			_ = conn.Close()
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				t.Fatalf("the conversation does not end: %q", got)
			}
			if strings.Contains(strings.ToUpper(said), "STARTTLS") {
				continue // what follows is not for people
			}
			for line := range strings.SplitSeq(strings.TrimSuffix(string(got), "\r\n"), "\r\n") {
				if line != "" && (len(line) < 4 || line[0] < '2' || line[0] > '5' || line[3] != ' ' && line[3] != '-') {
					t.Fatalf("an answer is %q", line)
				}
			}
		}
	})
}
