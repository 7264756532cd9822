package program

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kyrochat/internal/envtest"
	"kyrochat/internal/smtp"
	"kyrochat/kyro"
)

var reminder = kyro.Mail{
	ID: "letter-7", Kind: kyro.LetterPasswordReset, To: "ada@example.com", Name: "Ada", Token: strings.Repeat("t", 43),
	At: time.Date(2026, 11, 26, 23, 0, 0, 0, time.UTC), Expires: time.Date(2026, 11, 26, 23, 30, 0, 0, time.UTC),
}

// page gets a page, and what it says.
func page(t *testing.T, url string, headers ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// TestDevelopmentShowsTheOutbox follows a mail from the post to the page that shows it.
func TestDevelopmentShowsTheOutbox(t *testing.T) {
	t.Parallel()
	s := startServer(t, map[string]string{"KYRO_PUBLIC_URL": "http://localhost:8080"})
	if code, body := page(t, s.url+"/outbox"); code != http.StatusOK || !strings.Contains(body, "none yet") {
		t.Errorf("an empty outbox: %d %s", code, body)
	}
	if err := s.app.post.Send(t.Context(), reminder); err != nil {
		t.Fatal(err)
	}
	name := "20261126T230000Z-password-reset-letter-7.eml"
	if _, err := os.Stat(filepath.Join(s.env["KYRO_DATA_DIR"], "outbox", name)); err != nil {
		t.Error(err)
	}
	if code, body := page(t, s.url+"/outbox"); code != http.StatusOK || !strings.Contains(body, "/outbox/"+name) || !strings.Contains(body, "ada@example.com") {
		t.Errorf("the outbox: %d %s", code, body)
	}
	link := "http://localhost:8080/account/reset-password#token=" + reminder.Token
	if code, body := page(t, s.url+"/outbox/"+name); code != http.StatusOK || !strings.Contains(body, `<a href="`+link+`"`) {
		t.Errorf("the mail: %d %s", code, body)
	}
	if code, body := page(t, s.url+"/outbox", "Origin", "http://localhost:3000"); code != http.StatusNotFound || strings.Contains(body, "ada@") {
		t.Errorf("to a page of another server on this machine: %d %s", code, body)
	}
}

// TestNobodyElseShowsTheOutbox: not where mails are sent, and not in production.
func TestNobodyElseShowsTheOutbox(t *testing.T) {
	t.Parallel()
	server := smtp.Start(t)
	sent := startServer(t, map[string]string{"SMTP_URL": server.URL(), "KYRO_MAIL_FROM": "KyroChat <kyro@example.com>", "KYRO_PUBLIC_URL": "https://chat.example.com"})
	if err := sent.app.post.Send(t.Context(), reminder); err != nil {
		t.Fatal(err)
	}
	m := server.MustWait(t, smtp.To("ada@example.com", "Set a new password"))
	if m.Token() != reminder.Token || m.MessageID != "<letter-7@chat.example.com>" {
		t.Errorf("the mail is %+v", m)
	}
	if _, err := os.Stat(filepath.Join(sent.env["KYRO_DATA_DIR"], "outbox")); !os.IsNotExist(err) {
		t.Errorf("a mail that was sent is kept: %v", err)
	}
	production := startServer(t, map[string]string{"KYRO_ENV": "production", "KYRO_SECRET": envtest.SecretOne, "KYRO_SIGNUP": "closed"})
	if err := production.app.post.Send(t.Context(), reminder); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*testServer{sent, production} {
		if code, body := page(t, s.url+"/outbox"); code != http.StatusNotFound || strings.Contains(body, "ada@") {
			t.Errorf("the outbox is shown: %d %s", code, body)
		}
	}
}
