package mail

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"kyrochat/kyro"
)

func TestPasswordsGoWhereNobodyReadsAlong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		host   string
		tls    bool
		offers string
		way    string // "": nobody signs in
	}{
		{"mail.example.com", true, "LOGIN PLAIN", "PLAIN"},
		{"mail.example.com", true, "LOGIN XOAUTH2", "LOGIN"},
		{"mail.example.com", true, "CRAM-MD5 SCRAM-SHA-256", "SCRAM-SHA-256"},
		{"mail.example.com", true, "CRAM-MD5", ""},
		{"mail.example.com", true, "", ""},
		{"mail.example.com", false, "PLAIN LOGIN SCRAM-SHA-256", ""},
		{"localhost.example.com", false, "PLAIN", ""},
		{"localhost", false, "PLAIN", "PLAIN"},
		{"127.0.0.2", false, "LOGIN", "LOGIN"},
		{"::1", false, "PLAIN", "PLAIN"},
	} {
		s := &server{smtpURL: smtpURL{host: c.host, user: "kyro", password: "hunter2"}}
		signIn := s.signIn()
		way, said, err := signIn.Start(&smtp.ServerInfo{Name: c.host, TLS: c.tls, Auth: strings.Fields(c.offers)})
		if way != c.way || (err == nil) != (c.way != "") || signIn.begun != (c.way != "") || c.way == "" && strings.Contains(string(said), "hunter2") {
			t.Errorf("%+v: by %q, %v", c, way, err)
		}
	}
	if signIn := (&server{}).signIn(); signIn != nil {
		t.Error("somebody signs in where no user is set")
	}
}

func TestWhyNobodySignsInIsTold(t *testing.T) {
	t.Parallel()
	for why, want := range map[error]string{errUnencrypted: "does not encrypt", errNoSignIn: "takes no user"} {
		var log strings.Builder
		s := &server{log: slog.New(slog.NewTextHandler(&log, nil)), now: time.Now}
		err := s.unreached(t.Context(), fmt.Errorf("SMTP AUTH failed: %w", why), &signIn{})
		if kyro.ErrorCode(err) != kyro.CodeUpstreamFailed || !strings.Contains(log.String(), want) {
			t.Errorf("%v: %v, and the operator is told %s", why, err, log.String())
		}
	}
}
