package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"kyrochat/internal/smtp"
)

// mails kills everything while people sign up by mail and ask for new passwords: every mail that was promised comes, as good
// as never twice, and its link does what it says.
var mails = scenario{
	name: "mails",
	promise: "every acknowledged sign-up and password reset brings its mail within 90 s after the end, doubles are at most one for each fault " +
		"and have the same Message-ID, and the links work",
	setups:   []setup{onSQLite, onNodes},
	short:    size{count: 16, kills: 1, people: 4},
	long:     size{count: 1_000, kills: 20, people: 10},
	settings: map[string]string{"KYRO_SIGNUP": "verified"},
	play:     playMails,
}

const (
	mailsWithin   = 90 * time.Second // of the end: a mail waits up to a minute before it is tried again
	firstPassword = "plenty of random words"
	nextPassword  = "quite another lot of words"
)

func playMails(ctx context.Context, r *round) error {
	d, err := r.openData(ctx)
	if err != nil {
		return err
	}
	defer d.close()
	// A quarter have accounts already, and forget their passwords; the others sign up.
	var forgetful []string
	for i := range r.size.count / 4 {
		forgetful = append(forgetful, fmt.Sprintf("forgetful-%d@example.com", i))
	}
	if err := r.calmAccounts(ctx, forgetful); err != nil {
		return err
	}
	calm := len(r.smtp.Mails())
	newcomers, faults, err := r.askAndBreak(ctx, forgetful)
	if err != nil {
		return err
	}
	r.count("acknowledged sign-ups", len(newcomers))
	r.count("acknowledged resets", len(forgetful))
	began := time.Now()
	missing := func() (left []string) {
		came := r.cameTo(calm)
		for _, address := range append(append([]string(nil), newcomers...), forgetful...) {
			if came[address] == nil {
				left = append(left, address)
			}
		}
		return left
	}
	if err := await(ctx, mailsWithin, func() bool {
		open, err := d.number(ctx, `SELECT count(*) FROM letters WHERE ended_at IS NULL`)
		return err == nil && open == 0 && len(missing()) == 0
	}); err != nil {
		open, _ := d.number(ctx, `SELECT count(*) FROM letters WHERE ended_at IS NULL`)
		r.violated("%s after the end %d letters wait, and %d addresses have no mail, such as %.3v", mailsWithin, open, len(missing()), missing())
	}
	r.note("the last mail came %s after the end", time.Since(began).Round(time.Second))
	r.checkDoubles(faults)
	return r.checkLinks(ctx, newcomers, forgetful, r.cameTo(calm))
}

// visitor is somebody without an account.
func (r *round) visitor() (*person, error) {
	p := &person{name: "visitor", dice: r.dice.fork(), calls: &http.Transport{MaxIdleConnsPerHost: 8}, session: &session{}}
	return p, p.meet(r.addresses())
}

// calmAccounts makes accounts before anything breaks.
func (r *round) calmAccounts(ctx context.Context, addresses []string) error {
	p, err := r.visitor()
	if err != nil {
		return err
	}
	for _, address := range addresses {
		if err := p.apply(ctx, address); err != nil {
			return err
		}
	}
	for _, address := range addresses {
		within, cancel := context.WithTimeout(ctx, time.Minute)
		m, err := r.smtp.Wait(within, smtp.To(address, ""))
		cancel()
		if err == nil {
			err = p.accepted(ctx, "verifyEmail", "VerifyEmailInput", map[string]any{"token": m.Token()})
		}
		if err != nil {
			return fmt.Errorf("the account %s: %w", address, err)
		}
	}
	return nil
}

// askAndBreak has people ask for mails until all is acknowledged and all faults are over.
func (r *round) askAndBreak(ctx context.Context, forgetful []string) (newcomers []string, faults int, err error) {
	var asking, breaking sync.WaitGroup
	works, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	enough := make(chan struct{})
	var mu sync.Mutex
	for i := range r.size.people {
		p, err := r.visitor()
		if err != nil {
			return nil, 0, err
		}
		asking.Go(func() {
			for n := i; n < r.size.count; n += r.size.people {
				var err error
				if n < len(forgetful) {
					err = p.accepted(works, "requestPasswordReset", "RequestPasswordResetInput", map[string]any{"email": forgetful[n]})
				} else {
					address := fmt.Sprintf("newcomer-%d@example.com", n)
					if err = p.apply(works, address); err == nil {
						mu.Lock()
						newcomers = append(newcomers, address)
						mu.Unlock()
					}
				}
				if err != nil {
					stop(err)
					return
				}
				select {
				case <-enough:
				default:
					if pause(works, p.dice.between(0, 2*spread(r.size))) != nil {
						return
					}
				}
			}
			r.count("requests that were repeated", int(p.tried.Load()))
		})
	}
	list := append(r.killers(), r.cutters(map[string]*link{"the mail server": r.mails}, []string{"the mail server"}, 3*time.Second)...)
	breaking.Go(func() {
		defer close(enough)
		if err := r.faults(works, list, r.size.kills, 500*time.Millisecond, 2*time.Second); err != nil {
			stop(err)
		}
	})
	asking.Wait()
	breaking.Wait()
	if err := context.Cause(works); err != nil && !errors.Is(err, context.Canceled) {
		return nil, 0, err
	}
	return newcomers, len(list) * r.size.kills, ctx.Err()
}

// apply asks for an account, about which nothing is said but that a mail comes.
func (p *person) apply(ctx context.Context, address string) error {
	var said struct{ RegisterUser struct{ Errors []problem } }
	err := p.ask(ctx, `mutation($i: RegisterUserInput!) { registerUser(input: $i) { errors { code message } } }`,
		map[string]any{"i": map[string]any{"email": address, "password": firstPassword, "name": "Newcomer"}}, &said)
	if err == nil && len(said.RegisterUser.Errors) > 0 {
		err = fmt.Errorf("%s could not sign up: %v", address, said.RegisterUser.Errors)
	}
	return err
}

// accepted runs a mutation that answers no more than that it was accepted.
func (p *person) accepted(ctx context.Context, mutation, input string, values map[string]any) error {
	var said struct {
		Done struct {
			Accepted bool
			Errors   []problem
		}
	}
	err := p.ask(ctx, `mutation($i: `+input+`!) { done: `+mutation+`(input: $i) { accepted errors { code message } } }`, map[string]any{"i": values}, &said)
	if err == nil && !said.Done.Accepted {
		err = fmt.Errorf("%s: %v", mutation, said.Done.Errors)
	}
	return err
}

// cameTo are the mails after so many first ones, by whom they came to.
func (r *round) cameTo(after int) map[string][]smtp.Mail {
	came := map[string][]smtp.Mail{}
	for _, m := range r.smtp.Mails()[after:] {
		for _, to := range m.To {
			came[to] = append(came[to], m)
		}
	}
	return came
}

// checkDoubles looks for mails that came twice: by their ids, which begin with the letter's key.
func (r *round) checkDoubles(faults int) {
	times, ids := map[string]int{}, map[string]string{} // by Message-ID, and by letter
	doubled := 0
	for _, m := range r.smtp.Mails() {
		if m.Wrong != "" {
			r.violated("a mail cannot be read: %s", m.Wrong)
		}
		letter, _, _ := strings.Cut(strings.Trim(m.MessageID, "<>"), ".")
		if other := ids[letter]; other != "" && other != m.MessageID {
			r.violated("letter %s was sent as %s and as %s", letter, other, m.MessageID)
		}
		ids[letter] = m.MessageID
		if times[m.MessageID]++; times[m.MessageID] > 1 {
			doubled++
		}
		if times[m.MessageID] > 3 {
			r.violated("the mail %s came %d times", m.MessageID, times[m.MessageID])
		}
	}
	r.count("mails", len(times))
	r.note("%d mails came once more", doubled)
	if doubled > faults {
		r.violated("%d mails came once more, with %d faults", doubled, faults)
	}
}

// checkLinks opens the links. Of several mails to one address the link of the last one is good, as the others were replaced
// or say the same.
func (r *round) checkLinks(ctx context.Context, newcomers, forgetful []string, came map[string][]smtp.Mail) error {
	p, err := r.visitor()
	if err != nil {
		return err
	}
	for _, address := range newcomers {
		if err := r.follow(ctx, p, address, came[address], "verifyEmail", "VerifyEmailInput", nil, firstPassword); err != nil {
			return err
		}
	}
	for _, address := range forgetful {
		if err := r.follow(ctx, p, address, came[address], "resetPassword", "ResetPasswordInput", map[string]any{"newPassword": nextPassword}, nextPassword); err != nil {
			return err
		}
	}
	return nil
}

// follow opens the link of a mail and signs in with what it allows.
func (r *round) follow(ctx context.Context, p *person, address string, came []smtp.Mail, mutation, input string, values map[string]any, password string) error {
	var last error
	good := false
	for i := len(came) - 1; i >= 0 && !good; i-- {
		with := map[string]any{"token": came[i].Token()}
		for name, value := range values {
			with[name] = value
		}
		last = p.accepted(ctx, mutation, input, with)
		good = last == nil
	}
	if !good {
		if len(came) > 0 {
			r.violated("no link of %d mails to %s works: %v", len(came), address, last)
		}
		return ctx.Err()
	}
	r.count("links that work", 1)
	var in struct {
		LogIn struct {
			AccessToken string
			Errors      []problem
		}
	}
	err := p.ask(ctx, `mutation($i: LogInInput!) { logIn(input: $i) { accessToken errors { code message } } }`,
		map[string]any{"i": map[string]any{"email": address, "password": password}}, &in)
	if err == nil && in.LogIn.AccessToken == "" {
		r.violated("%s cannot sign in by what the link allowed: %v", address, in.LogIn.Errors)
	}
	return err
}
