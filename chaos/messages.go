package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"kyrochat/internal/gemini"
)

// messages kills everything while people talk: no acknowledged message may be lost or doubled, and every answer is final
// within half a minute after the last of it is back.
var messages = scenario{
	name:    "messages",
	promise: "acknowledged messages are stored once, in order; every answer becomes final within 30 s of the last restart, and none fails; streams show what is stored",
	setups:  []setup{onSQLite, onOne, onNodes},
	short:   size{count: 300, kills: 2, people: 10},
	long:    size{count: 10_000, kills: 50, people: 20},
	play:    playMessages,
}

// slowly has a message answered in half a second, so that what is broken meanwhile finds answers being written.
const slowly = "Take your time."

// answersSlowly teaches the model to.
func (w *world) answersSlowly() {
	var text strings.Builder
	for i := range 60 {
		fmt.Fprintf(&text, "word%d ", i)
	}
	w.gemini.Script(gemini.Script{Kind: gemini.KindAnswer, Match: slowly, Pace: 20 * time.Millisecond, Text: text.String()})
}

const finalWithin = 30 * time.Second // of the last restart

func playMessages(ctx context.Context, r *round) error {
	r.answersSlowly()
	acked, ears := &ledger{}, &ears{}
	var talking, killing sync.WaitGroup
	talks, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	enough := make(chan struct{}) // closed when all kills are done
	for i := range r.size.people {
		p, bot, err := r.newOwner(ctx, fmt.Sprintf("talker-%d", i))
		if err != nil {
			return err
		}
		talking.Go(func() {
			if err := p.talk(talks, bot, r.size.count/r.size.people, acked, ears, enough); err != nil {
				stop(err)
			}
			r.count("requests that were repeated", int(p.tried.Load()))
		})
	}
	killing.Go(func() {
		defer close(enough)
		if err := r.faults(talks, r.killers(), r.size.kills, 500*time.Millisecond, 2*time.Second); err != nil {
			stop(err)
		}
	})
	d, err := r.openData(ctx)
	if err != nil {
		return err
	}
	defer d.close()
	killing.Wait()
	if talks.Err() == nil {
		r.checkFinal(ctx, d)
	}
	talking.Wait()
	if err := context.Cause(talks); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	list := acked.all()
	r.count("acknowledged messages", len(list))
	r.say("%d messages acknowledged", len(list))
	r.checkFinal(ctx, d)
	if err := r.checkHeard(ctx, d, ears.list); err != nil {
		return err
	}
	if err := r.checkFailed(ctx, d); err != nil {
		return err
	}
	return r.checkMessages(ctx, d, list)
}

// checkFinal waits until every answer there is becomes final, everything being back, and says how long that took.
func (r *round) checkFinal(ctx context.Context, d *data) {
	back, last := time.Now(), 0
	left := func() (n int, err error) {
		if last == 0 {
			if last, err = d.number(ctx, `SELECT coalesce(max(id), 0) FROM messages`); err != nil {
				return 0, err
			}
		}
		return d.number(ctx, fmt.Sprintf(`SELECT count(*) FROM messages WHERE id <= %d AND status IN ('PENDING', 'RETRIEVING', 'STREAMING')`, last))
	}
	if err := await(ctx, finalWithin, func() bool {
		n, err := left()
		return err == nil && n == 0
	}); err != nil {
		n, err := left()
		r.violated("%d answers are not final %s after everything was back (%v)", n, time.Since(back).Round(time.Second), err)
		return
	}
	r.note("all answers final after %s", time.Since(back).Round(100*time.Millisecond))
}

// mostEars is how many answers a person follows at once.
const mostEars = 2

// talk says so many things, one after another, and more until the faults are over: none is given up. Some answers
// are followed to their end.
func (p *person) talk(ctx context.Context, bot string, count int, acked *ledger, ears *ears, enough <-chan struct{}) error {
	listening, following := make(chan struct{}, mostEars), errgroup.Group{}
	err := p.say(ctx, bot, count, enough, func(s sent) {
		acked.add(s)
		select {
		case listening <- struct{}{}:
		default:
			return
		}
		following.Go(func() error {
			defer func() { <-listening }()
			h, err := p.listen(ctx, s.Answer)
			if err == nil {
				ears.add(h)
			}
			return err
		})
	})
	return cmp.Or(err, following.Wait())
}

// say says so many things, and tells of each that was acknowledged.
func (p *person) say(ctx context.Context, bot string, count int, enough <-chan struct{}, said func(sent)) error {
	conversation := ""
	for i := 0; ; i++ {
		if i >= count {
			select {
			case <-enough:
				return nil
			default:
				if err := pause(ctx, 50*time.Millisecond); err != nil { // as many as were wanted are said: no need to hurry
					return err
				}
			}
		}
		if i%20 == 0 {
			conversation = ""
		}
		key := fmt.Sprintf("%s-%d", p.name, i)
		text := "This is " + key + ". Say more about it."
		if p.dice.n(15) == 0 { // those behind it in the conversation are, too
			text += " " + slowly
		}
		s, err := p.send(ctx, bot, conversation, key, text)
		for errors.Is(err, errWait) {
			if err := pause(ctx, 50*time.Millisecond); err != nil {
				return err
			}
			s, err = p.send(ctx, bot, conversation, key, text)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		conversation = s.Conversation
		said(s)
		if p.dice.n(10) == 0 { // an app that was told twice to send: the same turn
			again, err := p.send(ctx, bot, conversationOf(s, i), key, s.Text)
			if err != nil {
				return fmt.Errorf("%s again: %w", key, err)
			}
			if again.Message != s.Message || again.Answer != s.Answer {
				return fmt.Errorf("%s sent again became %s and %s, and was %s and %s", key, again.Message, again.Answer, s.Message, s.Answer)
			}
		}
	}
}

// conversationOf is what the first message of a conversation was sent to: the bot, and no conversation.
func conversationOf(s sent, i int) string {
	if i%20 == 0 {
		return ""
	}
	return s.Conversation
}

// ledger keeps what was acknowledged. It is safe for use by many at once.
type ledger struct {
	mu   sync.Mutex
	list []sent
}

func (l *ledger) add(s sent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, s)
}

// all gives them in the order in which they were acknowledged.
func (l *ledger) all() []sent {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.list)
}
