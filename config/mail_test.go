package config

import (
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"kyrochat/internal/envtest"
	"kyrochat/kyro"
)

func TestMailIsSet(t *testing.T) {
	t.Parallel()
	c, err := Read(envtest.Of(nil))
	want := Mail{From: "KyroChat <kyrochat@localhost>", ResetTTL: 30 * time.Minute, VerifyTTL: 24 * time.Hour, Rate: kyro.Rate{Count: 30, Per: time.Minute}}
	if err != nil || c.Mail != want {
		t.Errorf("nothing configured: %+v, %v", c.Mail, err)
	}
	c, err = Read(envtest.Of(map[string]string{
		"SMTP_URL": "smtps://kyro:secret@mail.example.com", "KYRO_MAIL_FROM": "Help <help@example.com>", "KYRO_RESET_TOKEN_TTL": "10m",
		"KYRO_VERIFY_TOKEN_TTL": "48h", "KYRO_MAIL_RATE": "60", "KYRO_RATE_SCALE": "0.5",
	}))
	want = Mail{
		SMTPURL: "smtps://kyro:secret@mail.example.com", From: "Help <help@example.com>", ResetTTL: 10 * time.Minute, VerifyTTL: 48 * time.Hour,
		Rate: kyro.Rate{Count: 30, Per: time.Minute},
	}
	if err != nil || c.Mail != want {
		t.Errorf("everything configured: %+v, %v", c.Mail, err)
	}
	if c, err = Read(envtest.Of(map[string]string{"KYRO_SIGNUP": "verified"})); err != nil || c.SignUp != kyro.SignUpVerified {
		t.Errorf("in development the outbox is enough for verified sign-up: %v", err)
	}
}

func TestMailThatCannotWorkStopsTheStart(t *testing.T) {
	t.Parallel()
	production := map[string]string{"KYRO_ENV": "production", "KYRO_SECRET": envtest.SecretOne}
	with := func(more map[string]string) map[string]string {
		all := maps.Clone(production)
		maps.Copy(all, more)
		return all
	}
	const smtp, from, database = "smtp://kyro:hunter2@mail.example.com", "kyro@example.com", "postgres://localhost/kyro"
	for _, c := range []struct {
		name     string
		settings map[string]string
		refused  string // what the message has to name; empty: it starts
		warned   string // a word of the warning; empty: there is none
	}{
		{"a server without a sender", map[string]string{"SMTP_URL": smtp}, "KYRO_MAIL_FROM", ""},
		{"a sender that is none", map[string]string{"KYRO_MAIL_FROM": "KyroChat"}, "KYRO_MAIL_FROM", ""},
		{"a URL that is none", map[string]string{"SMTP_URL": "smtp://kyro:hunter2@mail.example.com/inbox", "KYRO_MAIL_FROM": from}, "SMTP_URL", ""},
		{"another scheme", map[string]string{"SMTP_URL": "http://kyro:hunter2@mail.example.com", "KYRO_MAIL_FROM": from}, "SMTP_URL", ""},
		{"a password in the open", map[string]string{"SMTP_URL": smtp + "?tls=none", "KYRO_MAIL_FROM": from}, "SMTP_URL", ""},
		{"no mails at all", map[string]string{"KYRO_MAIL_RATE": "0"}, "KYRO_MAIL_RATE", ""},
		{"links that end at once", map[string]string{"KYRO_RESET_TOKEN_TTL": "0"}, "KYRO_RESET_TOKEN_TTL", ""},
		{"production without a server", production, "SMTP_URL", ""},
		{"production without a server, verified", with(map[string]string{"KYRO_SIGNUP": "verified"}), "SMTP_URL", ""},
		{"a worker without a server", with(map[string]string{"KYRO_ROLE": "worker", "DATABASE_URL": database}), "SMTP_URL", ""},
		{"production without a server, open", with(map[string]string{"KYRO_SIGNUP": "open"}), "", "outbox"},
		{"links over plain HTTP", with(map[string]string{"SMTP_URL": smtp, "KYRO_MAIL_FROM": from, "KYRO_PUBLIC_URL": "http://chat.example.com"}), "KYRO_PUBLIC_URL", ""},
		{"links to anywhere", with(map[string]string{"SMTP_URL": smtp, "KYRO_MAIL_FROM": from, "KYRO_ADDR": "0.0.0.0:8080"}), "KYRO_PUBLIC_URL", ""},
		{"links to this machine", with(map[string]string{"SMTP_URL": smtp, "KYRO_MAIL_FROM": from}), "", "this machine"},
		{"production", with(map[string]string{"SMTP_URL": smtp, "KYRO_MAIL_FROM": from, "KYRO_PUBLIC_URL": "https://chat.example.com"}), "", ""},
	} {
		cfg, err := Read(envtest.Of(c.settings))
		if c.refused != "" {
			if err == nil || !strings.Contains(err.Error(), "\n"+c.refused+" ") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		var told strings.Builder
		cfg.Warn(slog.New(slog.NewTextHandler(&told, nil)))
		if err != nil || c.warned == "" && told.String() != "" || !strings.Contains(told.String(), c.warned) || strings.Contains(told.String(), "hunter2") {
			t.Errorf("%s: %v, and it warns %q", c.name, err, told.String())
		}
	}
}
