package config

import (
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"kyrochat/account"
	"kyrochat/kyro"
	"kyrochat/mail"
)

// Mail is how mails are sent, and how long their links are good.
type Mail struct {
	SMTPURL   kyro.Secret // empty: mails are kept in the outbox of the data folder
	From      string
	ResetTTL  time.Duration // of links for a new password
	VerifyTTL time.Duration // of links that confirm an address
	Rate      kyro.Rate     // of the whole installation
}

// MailOptions are what sends mails so, or keeps them in the data folder where no server is set.
func (c Config) MailOptions() mail.Options {
	return mail.Options{PublicURL: c.PublicURL, From: c.Mail.From, SMTPURL: string(c.Mail.SMTPURL), Outbox: filepath.Join(c.DataDir, "outbox")}
}

// readMail reads how mails are sent.
func (r *reader) readMail(c *Config) {
	m := &c.Mail
	m.SMTPURL = kyro.Secret(r.service("SMTP_URL", mail.CheckURL, "smtp", "smtps"))
	m.From = r.text("KYRO_MAIL_FROM", "")
	if m.From == "" {
		m.From = mail.DefaultFrom
		if m.SMTPURL != "" {
			r.wrong("KYRO_MAIL_FROM", "is required with SMTP_URL: who mails are from, such as KyroChat <kyrochat@example.com>")
		}
	} else if err := mail.CheckFrom(m.From); err != nil {
		r.wrong("KYRO_MAIL_FROM", "is refused: %v", err)
	}
	m.ResetTTL = r.duration("KYRO_RESET_TOKEN_TTL", account.DefaultResetTTL)
	m.VerifyTTL = r.duration("KYRO_VERIFY_TOKEN_TTL", account.DefaultVerifyTTL)
	m.Rate = kyro.Rate{Count: r.integer("KYRO_MAIL_RATE", 30, 1, 1_000_000), Per: time.Minute}.Scaled(c.Rates.Scale)
	if c.Production {
		r.checkMail(*c)
	}
}

// checkMail holds the settings of mail against the others, in production. A worker sends mails, too: one that has no server
// would take them from those who have, and keep them.
func (r *reader) checkMail(c Config) {
	if c.SignUp == kyro.SignUpVerified && c.Mail.SMTPURL == "" {
		r.wrong("SMTP_URL", "is required in production where KYRO_SIGNUP is %s: people get in by a link in a mail. Set it, such as smtp://user:password@mail.example.com, with KYRO_MAIL_FROM and an https KYRO_PUBLIC_URL, or set KYRO_SIGNUP to open or closed",
			pick(r.getenv("KYRO_SIGNUP") == "", "verified by default", "verified"))
	}
	if public, err := url.Parse(c.PublicURL); c.Mail.SMTPURL != "" && err == nil && public.Scheme != "https" && !IsLoopback(public.Hostname()) {
		r.wrong("KYRO_PUBLIC_URL", "must begin with https:// in production: links in mails lead there, and what follows them is as good as a password")
	}
}

// warningsOfMail say where mails go that somebody waits for.
func (c Config) warningsOfMail() []Remark {
	if !c.Production {
		return nil
	}
	if c.Mail.SMTPURL == "" {
		return []Remark{{"SMTP_URL", "SMTP_URL is not set, so mails are kept in the data folder's outbox and sent to nobody: set it, so that people can get back in who forgot their password"}}
	}
	if public, err := url.Parse(c.PublicURL); err == nil && IsLoopback(public.Hostname()) {
		return []Remark{{"KYRO_PUBLIC_URL", "links in mails lead to this machine (" + c.PublicURL + "), which nobody else can reach: set KYRO_PUBLIC_URL"}}
	}
	return nil
}

// IsLoopback reports whether a host is this machine.
func IsLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}
