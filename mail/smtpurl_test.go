package mail_test

import (
	"strings"
	"testing"

	"kyrochat/mail"
)

func TestURLs(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"smtp://mail.example.com", "smtp://mail.example.com:2525/", "smtp://user:p%40ss@mail.example.com:587", "smtps://user:pass@mail.example.com",
		"smtps://mail.example.com:4465", "smtp://[::1]:25", "smtp://localhost?tls=none", "smtp://user:pass@127.0.0.1?tls=none", "smtp://mail.example.com?tls=none",
		"smtp://mail.example.com?tls=opportunistic", "smtp://user:pass@mail.example.com?tls=opportunistic", "smtp://127.0.0.1?tls=required",
	} {
		if err := mail.CheckURL(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "mail.example.com", "http://mail.example.com", "smtp://", "smtp://:587", "smtp://user:hunter2@mail.example.com:0", "smtp://user:hunter2@mail.example.com:65536",
		"smtp://user:hunter2@mail.example.com/inbox", "smtp://user:hunter2@mail.example.com#x", "smtp://user:hunter2@mail.example.com?tls=maybe",
		"smtp://user:hunter2@mail.example.com?tls=none", "smtps://user:hunter2@mail.example.com?tls=required", "smtp://user@mail.example.com", "smtp://:hunter2@mail.example.com",
		"smtp://user:hunter2@mail.example.com?timeout=5s", "smtp://user:hunter2@mail.example.com?tls=required&tls=none", "smtp://user:hunter2%zz@mail.example.com",
		"smtp://user:hunter2%0d%0a@mail.example.com", "smtp://user:hun/ter2@mail.example.com", "smtp://user:hunter2@mail.example.com?tls=", "smtp://user:hunter2@mail.example.com?%zz",
	} {
		err := mail.CheckURL(bad)
		if err == nil {
			t.Errorf("%s is taken", bad)
		} else if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "ter2") || strings.Contains(err.Error(), "user@") {
			t.Errorf("%s: the password is shown: %v", bad, err)
		}
	}
}

func TestFrom(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"kyro@example.com", "KyroChat <kyro@example.com>", `"Kyro, Chat" <kyro@example.com>`, mail.DefaultFrom} {
		if err := mail.CheckFrom(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "KyroChat", "a@example.com, b@example.com", "KyroChat <kyro>", "x\r\nBcc: y <kyro@example.com>"} {
		if err := mail.CheckFrom(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
