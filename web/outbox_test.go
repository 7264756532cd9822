package web_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"kyrochat/kyro"
	"kyrochat/web"
)

// kept is an outbox of two mails.
type kept struct{ broken error }

const aMail = "20261126T230612Z-password-reset-42.eml"

func (k kept) List() ([]kyro.KeptMail, error) {
	at := time.Date(2026, 11, 26, 23, 6, 12, 0, time.UTC)
	return []kyro.KeptMail{
		{Name: aMail, At: at, Kind: kyro.LetterPasswordReset, To: "ada@example.com", Subject: "Set a <b>new</b> password"},
		{Name: "20261126T220000Z-reactivated-41.eml", At: at.Add(-time.Hour), Kind: kyro.LetterReactivated, To: "bob@example.com", Subject: "Your account is back"},
	}, k.broken
}

func (k kept) Read(name string) (kyro.KeptMail, error) {
	list, _ := k.List()
	if name != aMail {
		return kyro.KeptMail{}, kyro.Errorf(kyro.CodeNotFound, "There is no such mail.")
	}
	m := list[0]
	m.Text = "Open <this>:\nhttp://127.0.0.1:8080/account/reset-password#token=abc\nbye"
	m.HTML = `<p onclick="x()">"Open" <a href="http://127.0.0.1:8080/">this</a></p><script>alert(1)</script>`
	return m, k.broken
}

// look asks for a page of the outbox as a browser on this machine does, with headers in pairs.
func look(mails web.Mails, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host, r.RemoteAddr = "127.0.0.1:8080", "127.0.0.1:50000"
	for i := 0; i < len(headers); i += 2 {
		switch name, value := headers[i], headers[i+1]; name {
		case "Host":
			r.Host = value
		case "Peer":
			r.RemoteAddr = value
		case "Proto":
			r.Proto, r.ProtoMinor = value, 0
		default:
			r.Header.Set(name, value)
		}
	}
	w := httptest.NewRecorder()
	web.Outbox(mails).ServeHTTP(w, r)
	return w
}

func TestTheOutboxIsShown(t *testing.T) {
	t.Parallel()
	w := look(kept{}, "/outbox")
	body := w.Body.String()
	first, second := strings.Index(body, `href="/outbox/`+aMail+`"`), strings.Index(body, "reactivated-41.eml")
	if w.Code != http.StatusOK || first < 0 || second < first {
		t.Errorf("%d %s", w.Code, body)
	}
	for _, want := range []string{"2026-11-26 23:06:12", "password-reset", "ada@example.com", "Set a &lt;b&gt;new&lt;/b&gt; password"} {
		if !strings.Contains(body, want) {
			t.Errorf("the list has no %q", want)
		}
	}
	w = look(kept{}, "/outbox/"+aMail)
	body = w.Body.String()
	for _, want := range []string{
		"Open &lt;this&gt;:\n", `<a href="http://127.0.0.1:8080/account/reset-password#token=abc" rel="noopener noreferrer">http://127.0.0.1:8080/account/reset-password#token=abc</a>`,
		`sandbox="" srcdoc="&lt;p onclick=&#34;x()&#34;&gt;&#34;Open&#34; &lt;a href=&#34;http://127.0.0.1:8080/&#34;&gt;this`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the mail has no %q:\n%s", want, body)
		}
	}
	if strings.Contains(body, "<script") || w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, body)
	}
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "Content-Type": "text/html; charset=utf-8",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	if policy := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "script-src") {
		t.Errorf("the policy is %q", policy)
	}
}

func TestTheOutboxIsForThisMachineAlone(t *testing.T) {
	t.Parallel()
	for _, headers := range [][]string{
		{}, {"Host", "localhost:8080"}, {"Host", "localhost"}, {"Host", "[::1]:8080", "Peer", "[::1]:50000"}, {"Peer", "[::ffff:127.0.0.1]:50000"},
		{"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate"}, {"Sec-Fetch-Site", "same-origin"}, {"Origin", "http://127.0.0.1:8080"},
		{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"},
	} {
		if w := look(kept{}, "/outbox", headers...); w.Code != http.StatusOK {
			t.Errorf("with %q: %d", headers, w.Code)
		}
	}
	for _, headers := range [][]string{
		{"Host", "evil.example"}, {"Host", "127.0.0.1.evil.example:8080"}, {"Host", "localhost.evil.example"}, {"Host", ""}, {"Peer", "192.168.1.7:50000"},
		{"Peer", "[2001:db8::1]:50000"}, {"Peer", "@"}, {"Origin", "http://localhost:3000"}, {"Origin", "null"}, {"Origin", "https://127.0.0.1:8080"},
		{"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"},
		{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"},
		{"X-Forwarded-For", "203.0.113.7"}, {"X-Real-IP", "203.0.113.7"}, {"Forwarded", "for=203.0.113.7"}, {"Via", "1.1 proxy"}, {"X-Forwarded-Host", "chat.example.com"},
		{"Proto", "HTTP/1.0"},
	} {
		for _, path := range []string{"/outbox", "/outbox/" + aMail} {
			if w := look(kept{}, path, headers...); w.Code != http.StatusNotFound || strings.Contains(w.Body.String(), "ada@") {
				t.Errorf("%s with %q: %d", path, headers, w.Code)
			}
		}
	}
}

func TestTheOutboxCanOnlyBeRead(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodPost, "/outbox", nil)
	r.Host, r.RemoteAddr = "localhost", "127.0.0.1:50000"
	w := httptest.NewRecorder()
	web.Outbox(kept{}).ServeHTTP(w, r)
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
	if w := look(kept{}, "/outbox/20261126T230612Z-password-reset-43.eml"); w.Code != http.StatusNotFound {
		t.Errorf("a mail that is not there: %d", w.Code)
	}
	if w := look(kept{broken: errors.New("the disk is gone")}, "/outbox"); w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "the disk is gone") {
		t.Errorf("a broken outbox: %d %s", w.Code, w.Body)
	}
}
