// Package mail is the post: it writes mails from templates, and hands them to an SMTP server, or keeps them as files in an
// outbox where none is set. What it is given holds addresses, names and tokens, none of which it logs or puts into an
// error.
package mail

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/mail"
	"net/netip"
	"net/url"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"kyrochat/kyro"
)

// DefaultFrom is who mails in the outbox are from where nothing is set.
const DefaultFrom = "KyroChat <kyrochat@localhost>"

// Options say where mails come from and where they go.
type Options struct {
	PublicURL string // where links lead, without a slash at the end; nothing else ever decides it
	From      string // an address, or "Name <address>"; "": DefaultFrom
	SMTPURL   string // see CheckURL; "": mails are kept in the outbox
	Outbox    string // the folder of mails that are kept
	Log       *slog.Logger

	Now   func() time.Time // nil: time.Now
	Roots *x509.CertPool   // who may vouch for the SMTP server; nil: those of the system
}

// Post writes mails and delivers them. It is safe for use by many at once.
type Post struct {
	from      *mail.Address
	host      string // of Message-IDs
	publicURL string
	now       func() time.Time
	server    *server // nil: the outbox
	outbox    *Outbox // nil where there is a server
}

// New makes a post. Nothing is connected or made yet.
func New(o Options) (*Post, error) {
	if o.From == "" {
		o.From = DefaultFrom
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	from, err := parseFrom(o.From)
	if err != nil {
		return nil, err
	}
	public, err := url.Parse(o.PublicURL)
	if err != nil {
		return nil, fmt.Errorf("the public URL is none: %w", err)
	}
	p := &Post{from: from, host: public.Hostname(), publicURL: strings.TrimSuffix(o.PublicURL, "/"), now: o.Now}
	if _, err := netip.ParseAddr(p.host); err == nil || p.host == "" || strings.EqualFold(p.host, "localhost") {
		p.host = from.Address[strings.LastIndexByte(from.Address, '@')+1:]
	}
	if o.SMTPURL == "" {
		p.outbox = &Outbox{folder: o.Outbox, log: o.Log}
		return p, nil
	}
	address, err := parseURL(o.SMTPURL)
	if err != nil {
		return nil, err
	}
	p.server = &server{smtpURL: address, roots: o.Roots, log: o.Log, now: o.Now}
	return p, nil
}

// Outbox is where mails are kept; nil where they are sent.
func (p *Post) Outbox() *Outbox { return p.outbox }

// Send writes the mail and delivers it. The same mail may be sent again: its Message-ID stays the same, so that whoever
// gets it twice can tell, and a file in the outbox is replaced. Errors:
//
//   - UPSTREAM_FAILED: not delivered as far as is known, and worth another try later. What only the operator can mend is in
//     the log as an error besides.
//   - VALIDATION: the server refuses this mail to this address for good.
//
// Any other error is of the outbox's folder, or of a mail that cannot be written, such as one of an unknown kind.
func (p *Post) Send(ctx context.Context, m kyro.Mail) error {
	if err := checkMail(m); err != nil {
		return err
	}
	words, err := write(m, p.publicURL)
	if err != nil {
		return err
	}
	if p.server == nil {
		return p.outbox.keep(m, p.message(m, words, gomail.NoEncoding))
	}
	return p.server.send(ctx, p.message(m, words, gomail.EncodingQP))
}

// checkMail refuses what would not be the header that is meant. Addresses were checked when they came in; a line break in
// one now must not begin another header or command.
func checkMail(m kyro.Mail) error {
	if m.ID == "" || len(m.ID) > 128 || !isAtom(m.ID) {
		return fmt.Errorf("the id of a %s mail cannot be that of a message", m.Kind)
	}
	if address, err := mail.ParseAddress(m.To); err != nil || address.Name != "" || address.Address != m.To || hasControl(m.To) {
		return kyro.Errorf(kyro.CodeValidation, "The mail has no address that it could be sent to.")
	}
	return nil
}

// isAtom reports whether the id can be the local part of a Message-ID, and of a file's name.
func isAtom(id string) bool {
	return strings.Trim(id, idLetters) == "" && strings.Trim(id, ".") == id && !strings.Contains(id, "..")
}

const idLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

// message puts the mail together. The boundary comes from the id, so that the same mail has the same bytes but for the
// date.
func (p *Post) message(m kyro.Mail, w written, encoding gomail.Encoding) *gomail.Msg {
	msg := gomail.NewMsg(gomail.WithEncoding(encoding), gomail.WithNoDefaultUserAgent())
	msg.SetBoundary(boundary(m.ID))
	msg.FromMailAddress(p.from)
	msg.ToMailAddress(&mail.Address{Address: m.To})
	msg.SetMessageIDWithValue(m.ID + "@" + p.host)
	msg.SetDateWithValue(p.now().UTC())
	msg.Subject(w.subject)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no vacation answers
	lines := strings.NewReplacer("\n", "\r\n")
	msg.SetBodyString(gomail.TypeTextPlain, lines.Replace(w.text))
	msg.AddAlternativeString(gomail.TypeTextHTML, lines.Replace(w.html))
	return msg
}

// CheckFrom says whether mails can be from this: an address, or "Name <address>".
func CheckFrom(s string) error {
	_, err := parseFrom(s)
	return err
}

func parseFrom(s string) (*mail.Address, error) {
	address, err := mail.ParseAddress(s)
	if err != nil || hasControl(address.Name+address.Address) {
		return nil, fmt.Errorf("use an address, or a name and an address such as KyroChat <kyrochat@example.com>")
	}
	return address, nil
}
