package mail_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"kyrochat/kyro"
	"kyrochat/mail"
)

func TestTheOutboxKeepsWhatIsNotSent(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "data", "outbox")
	var log bytes.Buffer
	post, err := mail.New(mail.Options{
		PublicURL: "http://127.0.0.1:8080", Outbox: folder, Log: slog.New(slog.NewTextHandler(&log, nil)), Now: func() time.Time { return happened },
	})
	if err != nil {
		t.Fatal(err)
	}
	if list, err := post.Outbox().List(); err != nil || len(list) != 0 {
		t.Errorf("an outbox that is not there yet has %v, %v", list, err)
	}
	if err := post.Send(t.Context(), example(kyro.LetterPasswordReset)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "20261126T230612Z-password-reset-letter-42.eml")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"From: \"KyroChat\" <kyrochat@localhost>\r\n", "To: <ada@example.com>\r\n", "Message-ID: <letter-42@localhost>\r\n", "Auto-Submitted: auto-generated\r\n",
		"Subject: Set a new password\r\n", "Content-Transfer-Encoding: 8bit\r\n", "Date: Thu, 26 Nov 2026 23:06:12 +0000\r\n",
		"\r\nhttp://127.0.0.1:8080/account/reset-password#token=" + aToken + "\r\n",
	} {
		if !strings.Contains(string(raw), line) {
			t.Errorf("the file has no %q:\n%s", line, raw)
		}
	}
	for _, header := range []string{"User-Agent", "X-Mailer", "List-", "quoted-printable"} {
		if strings.Contains(string(raw), header) {
			t.Errorf("the file has %s", header)
		}
	}
	if runtime.GOOS != "windows" {
		for name, want := range map[string]fs.FileMode{path: 0o600, folder: 0o700} {
			if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
				t.Errorf("%s has the mode %v, %v", name, info.Mode(), err)
			}
		}
	}
	told := log.String()
	if strings.Count(told, "\n") != 1 || !strings.Contains(told, `msg="mail kept in the outbox"`) || !strings.Contains(told, "kind=password-reset") || !strings.Contains(told, path) {
		t.Errorf("the log says %s", told)
	}
	for _, secret := range []string{aToken, "ada@example.com", "Lovelace"} {
		if strings.Contains(told, secret) {
			t.Errorf("the log has %s: %s", secret, told)
		}
	}
}

func TestTheSameMailReplacesItsFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	post := outboxPost(t, folder)
	other := example(kyro.LetterRegistration)
	other.ID = "other-letter-42" // ends like the first one's
	for _, m := range []kyro.Mail{other, example(kyro.LetterRegistration), example(kyro.LetterRegistration), example(kyro.LetterHasAccount)} {
		if err := post.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	list, err := post.Outbox().List()
	if err != nil || len(list) != 2 {
		t.Fatalf("the outbox has %+v, %v", list, err)
	}
	for _, m := range list {
		if m.Kind == kyro.LetterRegistration != strings.Contains(m.Name, "other") || m.To != "ada@example.com" || !m.At.Equal(happened) {
			t.Errorf("the outbox has %+v", m)
		}
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 2 {
		t.Errorf("the folder has %v, %v", left, err)
	}
}

func TestTheOutboxKeepsTheNewest(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for i := range mail.MaxKept { // cheaper than to send them
		name := happened.Add(time.Duration(i)*time.Second).Format("20060102T150405Z") + fmt.Sprintf("-reactivated-%d.eml", i)
		if err := os.WriteFile(filepath.Join(folder, name), []byte("Subject: old\n\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "README"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	m := example(kyro.LetterDeactivated)
	m.At = happened.Add(time.Hour)
	post := outboxPost(t, folder)
	if err := post.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	list, err := post.Outbox().List()
	if err != nil || len(list) != mail.MaxKept || list[0].Kind != kyro.LetterDeactivated || !strings.HasSuffix(list[len(list)-1].Name, "-1.eml") {
		t.Errorf("%d mails are kept, %v", len(list), err)
	}
	if _, err := os.Stat(filepath.Join(folder, "README")); err != nil {
		t.Error("what is no mail was removed")
	}
}

func TestManyKeepMailsAtOnce(t *testing.T) {
	t.Parallel()
	post := outboxPost(t, t.TempDir())
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			m := example(kyro.LetterReactivated)
			m.ID = fmt.Sprintf("letter-%d", i%10)
			if err := post.Send(t.Context(), m); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if list, err := post.Outbox().List(); err != nil || len(list) != 10 {
		t.Errorf("%d mails are kept, %v", len(list), err)
	}
}

func TestOnlyMailsAreRead(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "secret"), []byte("Subject: x\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	post := outboxPost(t, filepath.Join(folder, "outbox"))
	if err := post.Send(t.Context(), example(kyro.LetterReactivated)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "../secret", "secret", "20261126T230612Z-reactivated-../../secret.eml", "20261126T230612Z-reactivated-1.eml", "/etc/passwd"} {
		if _, err := post.Outbox().Read(name); kyro.ErrorCode(err) != kyro.CodeNotFound {
			t.Errorf("%q is read: %v", name, err)
		}
	}
}

func TestABrokenFileHidesNoOther(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	post := outboxPost(t, folder)
	if err := post.Send(t.Context(), example(kyro.LetterReactivated)); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"20261126T230613Z-reactivated-1.eml": "no mail", "20261126T230614Z-reactivated-2.eml": "Subject: =?what?x?y?=\n\n",
		"20261126T230616Z-greeting-4.eml": "",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := post.Outbox().Read(name); err == nil {
			t.Errorf("%q is read as a mail", content)
		}
	}
	list, err := post.Outbox().List()
	if err != nil || len(list) != 4 || list[3].Subject != "Your account is back" || !strings.Contains(list[2].Subject, "cannot be read") {
		t.Errorf("the outbox has %+v, %v", list, err)
	}
}

func TestAnOutboxThatCannotBe(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	post := outboxPost(t, path)
	err := post.Send(t.Context(), example(kyro.LetterReactivated))
	if err == nil || kyro.ErrorCode(err) != kyro.CodeInternal || strings.Contains(err.Error(), "ada@") {
		t.Errorf("in place of a folder there is a file: %v", err)
	}
	if _, err := post.Outbox().List(); err == nil {
		t.Error("a file is listed")
	}
}

func TestAMailThatCannotBeOneIsRefused(t *testing.T) {
	t.Parallel()
	post := outboxPost(t, t.TempDir())
	for name, change := range map[string]func(*kyro.Mail){
		"an id that leaves the folder": func(m *kyro.Mail) { m.ID = "../x" },
		"an id with a line break":      func(m *kyro.Mail) { m.ID = "x\r\nBcc: y" },
		"an id that ends with a dot":   func(m *kyro.Mail) { m.ID = "7." },
		"an id with a space inside":    func(m *kyro.Mail) { m.ID = "a b" },
		"no id":                        func(m *kyro.Mail) { m.ID = "" },
		"an unknown kind":              func(m *kyro.Mail) { m.Kind = "greeting" },
		"no address":                   func(m *kyro.Mail) { m.To = "" },
		"two addresses":                func(m *kyro.Mail) { m.To = "a@example.com, b@example.com" },
		"an address with a line break": func(m *kyro.Mail) { m.To = "a@example.com\r\nBcc: b@example.com" },
	} {
		m := example(kyro.LetterReactivated)
		change(&m)
		if err := post.Send(t.Context(), m); err == nil || strings.Contains(err.Error(), "example.com") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if list, err := post.Outbox().List(); err != nil || len(list) != 0 {
		t.Errorf("the outbox has %v, %v", list, err)
	}
}
