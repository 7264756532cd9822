package program

import (
	"log/slog"
	"time"

	"kyrochat/account"
	"kyrochat/auth"
	"kyrochat/config"
	"kyrochat/kyro"
	"kyrochat/live"
	"kyrochat/mail"
	"kyrochat/setup"
	"kyrochat/store"
)

// sweepUsersEvery is how often accounts are looked for whose grace is over.
const sweepUsersEvery = 10 * time.Minute

// newAccounts makes the use cases of accounts, and gives the queue their handlers. Whoever sends mails makes their tokens,
// and so needs the secret too.
func (a *app) newAccounts(st *store.Store) {
	a.accounts = account.New(st, a.caches.account(), auth.NewHasher(a.hooks.hasher), a.tokens, account.Options{
		SignUp: a.cfg.SignUp, RefreshTTL: a.cfg.RefreshTTL, Documents: a.documents, Exports: a.exports, Log: a.log,
		Ended: func(credential kyro.ID) {
			a.connections.CloseCredential(credential)
			live.Send(a.nodes.bus, setup.SignalEnded, credential)
		},
		Post: a.door(), MailRate: a.cfg.Mail.Rate, VerifyTTL: a.cfg.Mail.VerifyTTL, ResetTTL: a.cfg.Mail.ResetTTL,
		Strength: auth.Strength{}, Attempts: a.nodes.attempts, Scale: a.cfg.Rates.Scale, Limiter: a.nodes.rates, Rates: a.cfg.Rates.Accounts, Now: a.hooks.now,
	})
	a.queue.Handle(kyro.JobPurgeUser, a.accounts.PurgeUser)
	a.queue.Periodic(kyro.JobSweepUsers, sweepUsersEvery, a.accounts.SweepUsers)
	a.queue.Handle(kyro.JobMail, a.accounts.Deliver)
	a.queue.OnExhausted(kyro.JobMail, a.accounts.GiveUp)
	a.queue.Periodic(kyro.JobSweepMails, time.Hour, a.accounts.Sweep)
}

// newPost makes what sends mails, or keeps them in the data folder where no server is set.
func newPost(cfg config.Config, now func() time.Time, log *slog.Logger) (*mail.Post, error) {
	o := cfg.MailOptions()
	o.Log, o.Now = log, now
	return mail.New(o)
}

// door is the post as accounts use it.
func (a *app) door() account.Post {
	if a.measured.calls == nil || a.post.Outbox() != nil {
		return a.post
	}
	return measuredPost{a.post, a.measured.calls}
}

// outbox is where mails are kept that a page of development shows; nil where they are sent, and in production.
func (a *app) outbox() *mail.Outbox {
	if a.cfg.Production {
		return nil
	}
	return a.post.Outbox()
}

// newTokens makes tokens under the server's secrets.
func (a *app) newTokens() (*auth.Tokens, error) {
	secrets, err := a.cfg.PlainSecrets()
	if err != nil {
		return nil, err
	}
	tokens, err := auth.NewTokens(secrets, auth.TokenOptions{AccessTTL: a.cfg.AccessTTL, Now: a.hooks.now})
	a.tokens = tokens
	return tokens, err
}
