package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"kyrochat/client"
)

// session is what somebody is signed in with.
type session struct {
	renewing sync.Mutex // held while a refresh token is used, which is good once

	mu            sync.Mutex
	token, latest string // the access token and the newest refresh token
	late          int    // sessions that ended since an answer came later than their grace
}

func (s *session) access() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token
}

// newest is the refresh token that is good now.
func (s *session) newest() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latest
}

// use goes on with other tokens.
func (p *person) use(access, refresh string) {
	p.session.mu.Lock()
	defer p.session.mu.Unlock()
	p.session.token, p.session.latest = access, refresh
	for _, c := range p.clients {
		c.SetToken(access)
	}
}

// expired says whether a fresh access token is needed.
func expired(err error) bool {
	if closed, ok := errors.AsType[*client.CloseError](err); ok {
		return closed.Code == 4403
	}
	answered, ok := errors.AsType[client.Errors](err)
	return ok && client.Code(answered) == "UNAUTHENTICATED"
}

// renew gets fresh tokens in place of an access token, unless somebody did meanwhile.
func (p *person) renew(ctx context.Context, stale string) error {
	p.session.renewing.Lock()
	defer p.session.renewing.Unlock()
	if p.session.access() != stale {
		return nil
	}
	return p.rotate(ctx)
}

// grace is how long after it was used a refresh token gives the same next one, for those who lost the answer.
const grace = 10 * time.Second

// rotate uses the refresh token, and the same one again until there is an answer: whatever was lost on the way, nobody may
// be signed out for that within the grace. Who is, later, signs in again. The caller holds renewing.
func (p *person) rotate(ctx context.Context) error {
	latest := p.session.newest()
	var got struct {
		RefreshSession struct {
			AccessToken, RefreshToken string
			Errors                    []problem
		}
	}
	for began, tries := time.Now(), 1; ; tries++ {
		err := p.once(ctx, `mutation($i: RefreshSessionInput!) { refreshSession(input: $i) { accessToken refreshToken errors { code message } } }`,
			map[string]any{"i": map[string]any{"refreshToken": latest}}, &got)
		answer := got.RefreshSession
		switch {
		case err == nil && answer.AccessToken != "":
			p.use(answer.AccessToken, answer.RefreshToken)
			return nil
		case err == nil && tries > 1 && time.Since(began) > grace:
			p.session.mu.Lock()
			p.session.late++
			p.session.mu.Unlock()
			return p.signIn(ctx)
		case err == nil:
			return fmt.Errorf("%s was signed out %s after the refresh token was first sent, with try %d: %v", p.name, time.Since(began), tries, answer.Errors)
		case ctx.Err() != nil || !passing(err):
			return err
		case time.Since(began) > workPatience:
			return fmt.Errorf("no refresh for %s, at last: %w", workPatience, err)
		}
		p.tried.Add(1)
		if err := pause(ctx, p.dice.between(retryFrom, retryTo)); err != nil {
			return err
		}
	}
}

// signIn signs in with the password.
func (p *person) signIn(ctx context.Context) error {
	var got struct {
		LogIn struct {
			AccessToken, RefreshToken string
			Errors                    []problem
		}
	}
	input := map[string]any{"email": p.address(), "password": password}
	err := p.ask(ctx, `mutation($i: LogInInput!) { logIn(input: $i) { accessToken refreshToken errors { code message } } }`, map[string]any{"i": input}, &got)
	if err == nil && got.LogIn.AccessToken == "" {
		err = fmt.Errorf("%s cannot sign in: %v", p.name, got.LogIn.Errors)
	}
	if err == nil {
		p.use(got.LogIn.AccessToken, got.LogIn.RefreshToken)
	}
	return err
}

// address is where mails to the person go.
func (p *person) address() string { return p.name + "@example.com" }
