package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// life is what people do in a storm, and what of it was acknowledged. It is safe for use by many at once.
type life struct {
	*round
	acked  *ledger
	ears   *ears
	enough chan struct{} // closed when the storm is over

	mu      sync.Mutex
	added   []string       // documents that were added, and not deleted
	deleted []string       // documents whose deletion was acknowledged
	signed  []string       // addresses of accounts
	resets  map[string]int // addresses that asked for a link, and how often they had to ask
}

// goesOn says whether the storm is not over yet.
func (l *life) goesOn() bool {
	select {
	case <-l.enough:
		return false
	default:
		return true
	}
}

// talk sends, follows, stops and has answers made anew.
func (l *life) talk(ctx context.Context, p *person, bot string) error {
	var following sync.WaitGroup
	failed := make(chan error, 1)
	fail := func(err error) {
		select {
		case failed <- err:
		default:
		}
	}
	turn, listening := 0, make(chan struct{}, mostEars)
	err := p.say(ctx, bot, 0, l.enough, func(s sent) {
		turn++
		switch turn % 8 {
		case 3:
			if err := p.stopAnswer(ctx, s.Answer); err != nil {
				fail(err)
			}
			l.count("answers stopped", 1)
		case 6: // made anew once it is there
			h, err := p.listen(ctx, s.Answer)
			if err == nil {
				l.ears.add(h)
				var again string
				if again, err = p.makeAnew(ctx, s.Answer, s.Key+"-anew"); err == nil {
					s.Anew = append(s.Anew, again)
					l.count("answers made anew", 1)
				}
			}
			if err != nil {
				fail(err)
			}
		default:
			if len(listening) < cap(listening) { // this alone fills it
				listening <- struct{}{}
				following.Go(func() {
					defer func() { <-listening }()
					h, err := p.listen(ctx, s.Answer)
					if err != nil {
						fail(err)
						return
					}
					l.ears.add(h)
				})
			}
		}
		l.acked.add(s)
	})
	following.Wait()
	select {
	case other := <-failed:
		return errors.Join(err, other)
	default:
		return err
	}
}

// write adds documents and deletes every other one of them, some before they are read.
func (l *life) write(ctx context.Context, p *person, bot string) error {
	for i := 0; l.goesOn(); i++ {
		if i >= 60 { // as many as an account should have to look after
			if err := pause(ctx, 100*time.Millisecond); err != nil {
				return err
			}
			continue
		}
		id, err := p.addText(ctx, bot, fmt.Sprintf("Document %d of %s.", i, p.name))
		if err != nil {
			return err
		}
		if err := pause(ctx, p.dice.between(0, 800*time.Millisecond)); err != nil {
			return err
		}
		if i%2 == 1 {
			l.mu.Lock()
			l.added = append(l.added, id)
			l.mu.Unlock()
			continue
		}
		if err := p.deleteDocument(ctx, id); err != nil {
			return err
		}
		l.mu.Lock()
		l.deleted = append(l.deleted, id)
		l.mu.Unlock()
	}
	return nil
}

// refresh uses one refresh token after another, and sees that what it gets is good.
func (l *life) refresh(ctx context.Context, p *person, _ string) error {
	for l.goesOn() {
		p.session.renewing.Lock()
		err := p.rotate(ctx)
		p.session.renewing.Unlock()
		if err != nil {
			return err
		}
		if err := p.isSomebody(ctx); err != nil {
			return err
		}
		l.count("refreshes", 1)
		if err := pause(ctx, p.dice.between(50*time.Millisecond, 400*time.Millisecond)); err != nil {
			return err
		}
	}
	return nil
}

// comeAndGo has people sign up, and ask for links for new passwords.
func (l *life) comeAndGo(ctx context.Context) error {
	for i := 0; l.goesOn(); i++ {
		p, err := l.newStranger(fmt.Sprintf("comer-%d", i))
		if err != nil {
			return err
		}
		if err := p.signUp(ctx); err != nil {
			return err
		}
		l.mu.Lock()
		l.signed = append(l.signed, p.address())
		l.mu.Unlock()
		before := p.tried.Load()
		if err := p.forgetPassword(ctx); err != nil {
			return err
		}
		l.mu.Lock()
		if l.resets == nil {
			l.resets = map[string]int{}
		}
		l.resets[p.address()] = 1 + int(p.tried.Load()-before)
		l.mu.Unlock()
		p.calls.CloseIdleConnections()
		if err := pause(ctx, l.dice.between(300*time.Millisecond, 1500*time.Millisecond)); err != nil {
			return err
		}
	}
	return nil
}
