package mail_test

import (
	"flag"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"kyrochat/kyro"
	"kyrochat/mail"
)

var update = flag.Bool("update", false, "write what mails look like into testdata, to be read before it is kept")

const (
	firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	aToken  = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF"
)

var happened = time.Date(2026, 11, 26, 23, 6, 12, 0, time.UTC)

// examples has one mail of each kind, and what its link must be.
var examples = map[kyro.LetterKind]struct {
	change func(*kyro.Mail)
	link   string
}{
	kyro.LetterRegistration:    {func(m *kyro.Mail) { m.Expires = happened.Add(24 * time.Hour) }, "verify-email"},
	kyro.LetterVerification:    {func(m *kyro.Mail) { m.Expires = happened.Add(24 * time.Hour) }, "verify-email"},
	kyro.LetterPasswordReset:   {func(m *kyro.Mail) { m.Expires = happened.Add(30 * time.Minute) }, "reset-password"},
	kyro.LetterEmailChange:     {func(m *kyro.Mail) { m.Expires = happened.Add(kyro.ChangeEmailTTL); m.OldEmail = "old@example.com" }, "change-email"},
	kyro.LetterHasAccount:      {func(m *kyro.Mail) { m.Token = "" }, ""},
	kyro.LetterPasswordChanged: {func(m *kyro.Mail) { m.Token, m.Keys = "", []string{"nightly import", "the <b>bold</b> one"} }, ""},
	kyro.LetterEmailChanged: {func(m *kyro.Mail) {
		m.Expires, m.OldEmail, m.NewEmail = happened.Add(kyro.RevertEmailTTL), m.To, "ada@new.example"
	}, "revert-email"},
	kyro.LetterEmailReverted: {func(m *kyro.Mail) {
		m.Expires, m.OldEmail, m.NewEmail = happened.Add(30*time.Minute), "ada@new.example", m.To
	}, "reset-password"},
	kyro.LetterDeactivated:     {func(m *kyro.Mail) { m.Expires = happened.Add(30 * 24 * time.Hour) }, "reactivate"},
	kyro.LetterReactivated:     {func(m *kyro.Mail) { m.Token = "" }, ""},
	kyro.LetterAPIKeyCreated:   {func(m *kyro.Mail) { m.Token, m.KeyName = "", "nightly import" }, ""},
	kyro.LetterRefreshReused:   {func(m *kyro.Mail) { m.Token = "" }, ""},
	kyro.LetterExportRequested: {func(m *kyro.Mail) { m.Token = "" }, ""},
	kyro.LetterBudgetWarning: {func(m *kyro.Mail) {
		m.Token, m.Device = "", kyro.Device{}
		m.Budget = &kyro.BudgetNotice{
			Name: "the monthly budget of the bot bot_42", What: kyro.BudgetOfTokens, Used: kyro.Spending{Tokens: 810_000}, Limit: kyro.Spending{Tokens: 1_000_000},
			ResetAt: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC),
		}
	}, ""},
}

func example(kind kyro.LetterKind) kyro.Mail {
	m := kyro.Mail{
		ID: "letter-42", Kind: kind, To: "ada@example.com", Name: "Ada Lovelace", Token: aToken, At: happened,
		Device: kyro.Device{UserAgent: firefox, AddressPrefix: "203.0.113.0/24"},
	}
	examples[kind].change(&m)
	return m
}

// keep sends a mail to an outbox, and reads it there.
func keep(t *testing.T, m kyro.Mail) kyro.KeptMail {
	t.Helper()
	post := outboxPost(t, t.TempDir())
	if err := post.Send(t.Context(), m); err != nil {
		t.Fatalf("a %s mail: %v", m.Kind, err)
	}
	list, err := post.Outbox().List()
	if err != nil || len(list) != 1 {
		t.Fatalf("the outbox has %v, %v", list, err)
	}
	kept, err := post.Outbox().Read(list[0].Name)
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

func outboxPost(t *testing.T, folder string) *mail.Post {
	t.Helper()
	post, err := mail.New(mail.Options{
		PublicURL: "https://chat.example.com", Outbox: folder, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return happened },
	})
	if err != nil {
		t.Fatal(err)
	}
	return post
}

// TestEveryKind compares what mails look like with what somebody has read and found good: "go test ./mail -update" writes
// it anew.
func TestEveryKind(t *testing.T) {
	t.Parallel()
	for kind, e := range examples {
		kept := keep(t, example(kind))
		for extension, got := range map[string]string{".txt": "Subject: " + kept.Subject + "\n\n" + kept.Text, ".html": kept.HTML} {
			path := filepath.Join("testdata", string(kind)+extension)
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("a %s mail's %s is not what %s has:\n%s", kind, extension, path, got)
			}
		}
		link := "https://chat.example.com/account/" + e.link + "#token=" + aToken
		if has := strings.Contains(kept.Text, "\n"+link+"\n") && strings.Contains(kept.HTML, `href="`+link+`"`) && strings.Contains(kept.HTML, ">"+link+"<"); has != (e.link != "") {
			t.Errorf("a %s mail has its link: %t", kind, has)
		}
		if e.link == "" && strings.Contains(kept.Text+kept.HTML, "token=") {
			t.Errorf("a %s mail has a token, and should have none", kind)
		}
	}
}

var addresses = regexp.MustCompile(`(?i)(?:src|href|action|background|url)\s*[=(]\s*["']?([^"'\s>)]+)`)

func TestNothingIsLoadedAndLinksLeadHome(t *testing.T) {
	t.Parallel()
	for kind := range examples {
		kept := keep(t, example(kind))
		for _, found := range addresses.FindAllStringSubmatch(kept.HTML, -1) {
			u, err := url.Parse(found[1])
			if err != nil || u.Host != "chat.example.com" || u.Scheme != "https" {
				t.Errorf("a %s mail leads to %s", kind, found[1])
			}
		}
		for _, tag := range []string{"<img", "<script", "<link", "<iframe", "@import", "@font-face"} {
			if strings.Contains(kept.HTML, tag) {
				t.Errorf("a %s mail has %s", kind, tag)
			}
		}
	}
}

func TestWithoutATokenThereIsNoLink(t *testing.T) {
	t.Parallel()
	for kind := range examples {
		m := example(kind)
		m.Token, m.Expires = "", time.Time{}
		if kept := keep(t, m); strings.Contains(kept.Text+kept.HTML, "token=") || strings.Contains(kept.Text, "The link works") {
			t.Errorf("a %s mail without a token speaks of a link:\n%s", kind, kept.Text)
		}
	}
	m := example(kyro.LetterEmailReverted)
	m.Token = ""
	if kept := keep(t, m); !strings.Contains(kept.Text, "https://chat.example.com/account/reset-password\n") {
		t.Errorf("without a token, a reverted address gets no way to a new password:\n%s", kept.Text)
	}
}

// TestWordsOfOthersAreOnlyWords puts what people may have typed into every place that a mail has for it.
func TestWordsOfOthersAreOnlyWords(t *testing.T) {
	t.Parallel()
	for _, evil := range []string{
		"<script>alert(1)</script>", `"><img src=https://evil.example/x>`, "a\r\nBcc: victim@example.com\r\n\r\nhello", "{{.Link}}",
		"\u202egnp.exe", "zero\u200bwidth", "https://evil.example/win", "\x00\x1b[31m", "javascript:alert(1)", strings.Repeat("long ", 200), "\xff\xfe",
	} {
		for kind := range examples {
			m := example(kind)
			m.Name, m.KeyName, m.Keys = evil, evil, []string{evil, evil}
			m.Device.UserAgent, m.Device.AddressPrefix = evil, ""
			kept := keep(t, m)
			if strings.Contains(kept.HTML, "<script") || strings.Contains(kept.HTML, "<img") {
				t.Errorf("a %s mail with %q has markup", kind, evil)
			}
			for _, bad := range []string{"\nBcc:", "\u202e", "\u200b", "\x00", "\x1b", "\xff"} {
				if strings.Contains(kept.HTML, bad) || strings.Contains(kept.Text, bad) {
					t.Errorf("a %s mail with %q has %q", kind, evil, bad)
				}
			}
			if strings.Contains(kept.HTML, `href="http`) && strings.Contains(kept.HTML, `href="https://evil`) || strings.Contains(kept.HTML, `"javascript:`) {
				t.Errorf("a %s mail with %q has a link to it", kind, evil)
			}
			if kept.To != "ada@example.com" {
				t.Errorf("a %s mail with %q goes to %s", kind, evil, kept.To)
			}
		}
	}
}

// TestStrangersHearNoNames: who signs up with somebody else's address must not be able to say anything to them.
func TestStrangersHearNoNames(t *testing.T) {
	t.Parallel()
	for kind, wanted := range map[kyro.LetterKind]bool{
		kyro.LetterRegistration: false, kyro.LetterVerification: false, kyro.LetterEmailChange: false, kyro.LetterHasAccount: false,
		kyro.LetterPasswordReset: true, kyro.LetterPasswordChanged: true, kyro.LetterDeactivated: true,
	} {
		if kept := keep(t, example(kind)); strings.Contains(kept.Text, "Hello Ada Lovelace,") != wanted {
			t.Errorf("a %s mail begins with %.40q", kind, kept.Text)
		}
	}
	for name, greeting := range map[string]string{
		"": "Hello,", "Grace": "Hello Grace,", "José Ñandú-O’Neil Jr.": "Hello José Ñandú-O’Neil Jr.,", "李小龍": "Hello 李小龍,",
		"evil.example": "Hello,", "Win 100": "Hello,", "A\r\nB": "Hello A B,", "you@evil": "Hello,", strings.Repeat("a", 41): "Hello,",
	} {
		m := example(kyro.LetterPasswordReset)
		m.Name = name
		if kept := keep(t, m); !strings.HasPrefix(kept.Text, greeting+"\n") {
			t.Errorf("%q is greeted with %.50q", name, kept.Text)
		}
	}
}

func TestDevicesAreSaidInOurWords(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string]string{
		firefox: "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0":               "Edge on Windows",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36":                         "Chrome on Android",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1": "Safari on iPhone",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15":                   "Safari on macOS",
		"curl/8.14.1": "curl", "Python-urllib/3.11": "a Python program", "go to https://evil.example": "a program", "": "",
	} {
		m := example(kyro.LetterPasswordReset)
		m.Device.UserAgent = agent
		kept := keep(t, m)
		if has := strings.Contains(kept.Text, "\nDevice:  "+want+"\n"); has != (want != "") || strings.Contains(kept.Text, "evil") {
			t.Errorf("%q is not %q in\n%s", agent, want, kept.Text)
		}
	}
}

func TestNetworksAreSaidAsPeopleKnowThem(t *testing.T) {
	t.Parallel()
	for prefix, want := range map[string]string{
		"203.0.113.0/24": "203.0.113.x", "2001:db8:1::/48": "2001:db8:1:x", "2001:db8::/32": "2001:db8::/32", "somewhere": "somewhere", "": "",
	} {
		m := example(kyro.LetterPasswordReset)
		m.Device.AddressPrefix = prefix
		if kept := keep(t, m); strings.Contains(kept.Text, "\nNetwork: "+want+"\n") != (want != "") {
			t.Errorf("%q is not %q in\n%s", prefix, want, kept.Text)
		}
	}
}
