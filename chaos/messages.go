package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// messages kills everything while people talk: no acknowledged message may be lost or doubled, and every answer is final
// within half a minute after the last of it is back.
var messages = scenario{
	name:    "messages",
	promise: "acknowledged messages are stored once, in order, and every answer becomes final",
	setups:  []setup{onSQLite, onOne, onNodes},
	short:   size{count: 300, kills: 2, people: 10},
	long:    size{count: 10_000, kills: 50, people: 20},
	play:    playMessages,
}

const finalWithin = 30 * time.Second // of the last restart

func playMessages(ctx context.Context, r *round) error {
	acked := &ledger{}
	var talking, killing sync.WaitGroup
	talks, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	enough := make(chan struct{}) // closed when all kills are done
	for i := range r.size.people {
		p, err := r.newPerson(ctx, fmt.Sprintf("talker-%d", i))
		if err != nil {
			return err
		}
		bot, err := p.newBot(ctx)
		if err != nil {
			return err
		}
		talking.Go(func() {
			if err := p.talk(talks, bot, r.size.count/r.size.people, acked, enough); err != nil {
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
	killing.Wait()
	talking.Wait()
	if err := context.Cause(talks); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	back := time.Now()
	list := acked.all()
	r.count("acknowledged messages", len(list))
	r.say("%d messages acknowledged", len(list))
	d, err := r.openData(ctx)
	if err != nil {
		return err
	}
	defer d.close()
	if err := await(ctx, finalWithin, func() bool {
		left, err := d.unfinishedAnswers(ctx)
		return err == nil && left == 0
	}); err != nil {
		left, _ := d.unfinishedAnswers(ctx)
		r.violated("%d answers are not final %s after the end", left, time.Since(back).Round(time.Second))
	}
	return r.checkMessages(ctx, d, list)
}

// talk says so many things, one after another, and more until the faults are over: none is given up.
func (p *person) talk(ctx context.Context, bot string, count int, acked *ledger, enough <-chan struct{}) error {
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
		s, err := p.send(ctx, bot, conversation, key, "This is "+key+". Say more about it.")
		for errors.Is(err, errWait) {
			if err := pause(ctx, 50*time.Millisecond); err != nil {
				return err
			}
			s, err = p.send(ctx, bot, conversation, key, "This is "+key+". Say more about it.")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		conversation = s.Conversation
		acked.add(s)
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
