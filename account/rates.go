package account

import (
	"context"
	"fmt"
	"time"

	"kyrochat/kyro"
)

// Limiter counts how often things are done. live.Rates satisfies it.
type Limiter interface {
	// Take counts one more under the key, if the rate allows it, and says so.
	Take(ctx context.Context, key string, rate kyro.Rate) (kyro.Allowance, error)
}

// Rates are how often things may be done that cost something, or that others have to put up with. The zero Rate is no
// limit. A network is Viewer.Network.
type Rates struct {
	SignUps      kyro.Rate // from one network
	Refreshes    kyro.Rate // of one session
	Mails        kyro.Rate // of a kind that are asked for, to one address
	MailPause    kyro.Rate // the same, over a shorter time
	MailsFrom    kyro.Rate // asked for from one network
	Links        kyro.Rate // tokens of mails that are brought from one network, good or not
	APIKeys      kyro.Rate // made by one user
	EmailChanges kyro.Rate // asked for by one user
}

// DefaultRates are those of an installation that says nothing else.
func DefaultRates() Rates {
	return Rates{
		SignUps:      kyro.Rate{Count: 5, Per: time.Hour},
		Refreshes:    kyro.Rate{Count: 30, Per: time.Minute},
		MailPause:    kyro.Rate{Count: 1, Per: time.Minute},
		Mails:        kyro.Rate{Count: 5, Per: time.Hour},
		MailsFrom:    kyro.Rate{Count: 20, Per: time.Hour},
		Links:        kyro.Rate{Count: 30, Per: time.Minute},
		APIKeys:      kyro.Rate{Count: 10, Per: time.Hour},
		EmailChanges: kyro.Rate{Count: 5, Per: time.Hour},
	}
}

// limit counts one more under the key, or refuses it: RATE_LIMITED. what says it in the plural.
func (s *Service) limit(ctx context.Context, what, key string, rate kyro.Rate) error {
	if s.limiter == nil || rate.Unlimited() {
		return nil
	}
	allowance, err := s.limiter.Take(ctx, key, rate)
	if err != nil {
		return fmt.Errorf("count %s: %w", what, err)
	}
	if !allowance.Allowed {
		return allowance.Refusal(what)
	}
	return nil
}

func (s *Service) limitSignUps(ctx context.Context, viewer kyro.Viewer) error {
	return s.limit(ctx, "sign-ups", "sign-ups "+viewer.Network.String(), s.rates.SignUps)
}

func (s *Service) limitRefreshes(ctx context.Context, session kyro.ID) error {
	return s.limit(ctx, "refreshes", "refreshes "+session.String(), s.rates.Refreshes)
}

// limitLinks counts that somebody brings the token of a mail.
func (s *Service) limitLinks(ctx context.Context, viewer kyro.Viewer) error {
	return s.limit(ctx, "links from mails", "links "+viewer.Network.String(), s.rates.Links)
}

func (s *Service) limitAPIKeys(ctx context.Context, viewer kyro.Viewer) error {
	return s.limit(ctx, "new API keys", "api keys "+viewer.UserID.String(), s.rates.APIKeys)
}

func (s *Service) limitEmailChanges(ctx context.Context, viewer kyro.Viewer) error {
	return s.limit(ctx, "changes of the address", "email changes "+viewer.UserID.String(), s.rates.EmailChanges)
}

// mayMail reports whether the viewer may have a mail of the kind sent to the address now, and counts it. Who may not is told
// nothing of it: that would tell what others have asked for. Each kind counts for itself: most kinds are no help to an
// account, and nobody gets a mail of them, so that whoever asks for these in an owner's name would keep the others from them.
// Who uses up a kind that helps sends the owner what they need.
func (s *Service) mayMail(ctx context.Context, viewer kyro.Viewer, kind kyro.LetterKind, address string) bool {
	to := s.tokens.Pseudonym("mails " + addressKey(address))
	for _, count := range []struct {
		key  string
		rate kyro.Rate
	}{
		{"mails from " + viewer.Network.String(), s.rates.MailsFrom},
		{"mail pause " + string(kind) + " " + to, s.rates.MailPause},
		{"mails " + string(kind) + " " + to, s.rates.Mails},
	} {
		if err := s.limit(ctx, "mails", count.key, count.rate); err != nil {
			s.log.InfoContext(ctx, "mail not sent: too many were asked for", "network", viewer.Device.AddressPrefix, "error", err)
			return false
		}
	}
	return true
}

// mayRegister is mayMail for a registration that waits for its mail: it counts by address, apart from the mails that people
// ask for, so that whoever signs up in somebody else's name keeps no other mail from them; and for nobody else, since
// sign-ups are counted already.
func (s *Service) mayRegister(ctx context.Context, address string) bool {
	err := s.limit(ctx, "registrations", "registrations "+s.tokens.Pseudonym("registrations "+address), s.rates.Mails)
	if err != nil {
		s.log.InfoContext(ctx, "registration not mailed: too many were made with the address", "error", err)
	}
	return err == nil
}
