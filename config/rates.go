package config

import (
	"time"

	"kyrochat/account"
	"kyrochat/kyro"
)

// Rates is how often things may be done, as the settings say and KYRO_RATE_SCALE multiplies it.
type Rates struct {
	Operations kyro.Rate // of one user, or of one network address without one
	Connects   kyro.Rate // websockets opened from one network address
	Socket     kyro.Rate // messages of a client on one websocket
	Accounts   account.Rates
	Messages   kyro.Rate // sent by one user, and answers that are made anew
	Documents  kyro.Rate // added by one user, and tried again
	Exports    kyro.Rate // asked for by one user
	Scale      float64   // of the policies of guesses, which are no settings
}

// readRates reads how often things may be done.
func (r *reader) readRates(c *Config) {
	const most = 1_000_000
	scale := r.float("KYRO_RATE_SCALE", 1, 0, 1000)
	times := func(name string, fallback kyro.Rate) kyro.Rate {
		return kyro.Rate{Count: r.integer(name, fallback.Count, 1, most), Per: fallback.Per}.Scaled(scale)
	}
	d := account.DefaultRates()
	c.Rates = Rates{
		Operations: kyro.Rate{
			Count: r.integer("KYRO_RATE_OPERATIONS", 300, 1, most), Per: r.duration("KYRO_RATE_WINDOW", 10*time.Second),
		}.Scaled(scale),
		Connects: times("KYRO_RATE_CONNECTS", kyro.Rate{Count: pick(c.Production, 30, 600), Per: time.Minute}),
		Socket:   times("KYRO_RATE_SOCKET_MESSAGES", kyro.Rate{Count: 1000, Per: 10 * time.Second}),
		Accounts: account.Rates{
			SignUps:      times("KYRO_RATE_SIGN_UPS", d.SignUps),
			Refreshes:    times("KYRO_RATE_REFRESHES", d.Refreshes),
			MailPause:    kyro.Rate{Count: d.MailPause.Count, Per: r.duration("KYRO_RATE_MAIL_PAUSE", d.MailPause.Per)}.Scaled(scale),
			Mails:        times("KYRO_RATE_MAILS_TO", d.Mails),
			MailsFrom:    times("KYRO_RATE_MAILS_FROM", d.MailsFrom),
			Links:        times("KYRO_RATE_LINKS", d.Links),
			APIKeys:      times("KYRO_RATE_API_KEYS", d.APIKeys),
			EmailChanges: times("KYRO_RATE_EMAIL_CHANGES", d.EmailChanges),
		},
		Messages:  times("KYRO_RATE_MESSAGES", kyro.Rate{Count: 20, Per: time.Minute}),
		Documents: times("KYRO_RATE_DOCUMENTS", kyro.Rate{Count: 10, Per: time.Minute}),
		Exports:   times("KYRO_RATE_EXPORTS", kyro.Rate{Count: 10, Per: time.Hour}),
		Scale:     scale,
	}
}
