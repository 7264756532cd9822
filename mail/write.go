package mail

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	html "html/template"
	"strings"
	text "text/template"
	"time"

	"kyrochat/kyro"
)

//go:embed templates
var templates embed.FS

// kinds says for each kind of letter what the token of its link is for; "" where it has none. Each has a template of text
// and one of HTML under its name.
var kinds = map[kyro.LetterKind]kyro.TokenPurpose{
	kyro.LetterRegistration:    kyro.TokenVerifyEmail,
	kyro.LetterVerification:    kyro.TokenVerifyEmail,
	kyro.LetterPasswordReset:   kyro.TokenResetPassword,
	kyro.LetterEmailChange:     kyro.TokenChangeEmail,
	kyro.LetterHasAccount:      "",
	kyro.LetterPasswordChanged: "",
	kyro.LetterEmailChanged:    kyro.TokenRevertEmail,
	kyro.LetterEmailReverted:   kyro.TokenResetPassword,
	kyro.LetterDeactivated:     kyro.TokenReactivate,
	kyro.LetterReactivated:     "",
	kyro.LetterAPIKeyCreated:   "",
	kyro.LetterRefreshReused:   "",
	kyro.LetterExportRequested: "",
	kyro.LetterBudgetWarning:   "",
}

// strangers are the kinds that go to an address of which nobody knows yet whose it is. They greet nobody by a name: it
// would be words of whoever typed the address, in a mail of ours to anybody they like.
var strangers = map[kyro.LetterKind]bool{
	kyro.LetterRegistration: true, kyro.LetterVerification: true, kyro.LetterEmailChange: true, kyro.LetterHasAccount: true,
}

// template of a kind, in both forms.
type template struct {
	text *text.Template
	html *html.Template
}

// byKind has the templates, read once. That each can be is what TestEveryKind is for.
var byKind = readTemplates()

func readTemplates() map[kyro.LetterKind]template {
	plain := text.Must(text.ParseFS(templates, "templates/layout.txt"))
	rich := html.Must(html.ParseFS(templates, "templates/layout.html"))
	all := make(map[kyro.LetterKind]template, len(kinds))
	for kind := range kinds {
		path := "templates/" + string(kind)
		all[kind] = template{
			text: text.Must(text.Must(plain.Clone()).ParseFS(templates, path+".txt")),
			html: html.Must(html.Must(rich.Clone()).ParseFS(templates, path+".html")),
		}
	}
	return all
}

// facts is what templates are filled with. All of it that somebody may have typed was made one line of plain text.
type facts struct {
	Subject string
	Name    string // to greet by; "" for nobody's
	Link    string // with the token; "" where there is none
	Reset   string // the page that asks for an address and mails a link for a new password
	Until   string // when Link ends
	For     string // how long that is after At
	At      string
	Device  string
	Network string

	To, OldEmail, NewEmail string
	KeyName                string
	Keys                   []string
	PublicURL              string

	BudgetName, BudgetWhat, BudgetUsed, BudgetLimit, BudgetReset string
	WarnAt                                                       int
}

// written is a mail's words.
type written struct{ subject, text, html string }

// write fills the templates of the mail's kind.
func write(m kyro.Mail, publicURL string) (written, error) {
	t, known := byKind[m.Kind]
	if !known {
		return written{}, fmt.Errorf("there is no template for a mail of the kind %q", m.Kind)
	}
	f := factsOf(m, publicURL)
	var subject, plain, rich bytes.Buffer
	if err := t.text.ExecuteTemplate(&subject, "subject", f); err != nil {
		return written{}, fmt.Errorf("write the subject of a %s mail: %w", m.Kind, err)
	}
	f.Subject = subject.String()
	if err := t.text.ExecuteTemplate(&plain, "layout", f); err != nil {
		return written{}, fmt.Errorf("write the text of a %s mail: %w", m.Kind, err)
	}
	if err := t.html.ExecuteTemplate(&rich, "layout", f); err != nil {
		return written{}, fmt.Errorf("write the HTML of a %s mail: %w", m.Kind, err)
	}
	return written{subject: f.Subject, text: plain.String(), html: rich.String()}, nil
}

func factsOf(m kyro.Mail, publicURL string) facts {
	f := facts{
		Reset: page(publicURL, kyro.TokenResetPassword),
		At:    moment(m.At), Device: device(m.Device.UserAgent), Network: network(m.Device.AddressPrefix),
		To: line(m.To), OldEmail: line(m.OldEmail), NewEmail: line(m.NewEmail), KeyName: line(m.KeyName), PublicURL: publicURL,
	}
	if !strangers[m.Kind] {
		f.Name = greetable(m.Name)
	}
	if b := m.Budget; b != nil {
		f.BudgetName, f.BudgetWhat, f.BudgetReset, f.WarnAt = line(b.Name), b.What, moment(b.ResetAt), kyro.BudgetWarnAt
		f.BudgetUsed, f.BudgetLimit = amount(b.What, b.Used), amount(b.What, b.Limit)
		if b.What == kyro.BudgetOfMoney {
			f.BudgetWhat = "units of money"
		}
	}
	for _, key := range m.Keys {
		f.Keys = append(f.Keys, line(key))
	}
	if purpose := kinds[m.Kind]; purpose != "" && m.Token != "" {
		f.Link = page(publicURL, purpose) + "#token=" + token(m.Token)
		f.Until, f.For = moment(m.Expires), span(m.Expires.Sub(m.At))
	}
	return f
}

// amount writes how much of something is spent.
func amount(what string, s kyro.Spending) string {
	switch what {
	case kyro.BudgetOfMessages:
		return fmt.Sprint(s.Messages)
	case kyro.BudgetOfTokens:
		return fmt.Sprint(s.Tokens)
	default:
		return fmt.Sprintf("%.2f", s.Cost.Units())
	}
}

// page is where the link of a purpose leads. The token follows in the fragment, which browsers send to nobody.
func page(publicURL string, purpose kyro.TokenPurpose) string {
	return publicURL + "/account/" + string(purpose)
}

// moment writes a time for people, in UTC since nobody knows where they are.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2 January 2006, 15:04 UTC")
}

// span writes how long something lasts, to the minute; "" for what does not.
func span(d time.Duration) string {
	d = d.Round(time.Minute)
	count := func(n time.Duration, unit string) string {
		if n == 1 {
			return "1 " + unit
		}
		return fmt.Sprintf("%d %ss", n, unit)
	}
	const day = 24 * time.Hour
	switch {
	case d <= 0:
		return ""
	case d >= 2*day:
		return count(d.Round(day)/day, "day")
	case d >= 2*time.Hour:
		return count(d.Round(time.Hour)/time.Hour, "hour")
	default:
		return count(d/time.Minute, "minute")
	}
}

// token leaves what tokens are made of. Others cannot come; a link is a bad place to trust that.
func token(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(idLetters, r) {
			return r
		}
		return -1
	}, s)
}

// boundary stands between the parts. Thirty-two digits of a hash are in no text by chance.
func boundary(id string) string {
	sum := sha256.Sum256([]byte(id))
	return "part-" + hex.EncodeToString(sum[:16])
}
