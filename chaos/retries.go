package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"kyrochat/internal/gemini"
)

// retries has crowds of impatient clients send the same few messages at once, to every server, while the database and the
// servers are killed under them.
var retries = scenario{
	name:    "retries",
	promise: "what hundreds send at once, again and again, is one message with one answer, and the model is asked once for each attempt at it",
	setups:  []setup{onSQLite, onOne, onNodes},
	short:   size{count: 3, people: 60},
	long:    size{count: 40, people: 200},
	play:    playRetries,
}

const (
	retriedKeys  = 4  // messages of a round
	retrySockets = 40 // clients at once that a person's transport has connections for
)

func playRetries(ctx context.Context, r *round) error {
	p, err := r.newPerson(ctx, "crowd")
	if err != nil {
		return err
	}
	p.calls.MaxIdleConnsPerHost = retrySockets
	bot, err := p.newBot(ctx)
	if err != nil {
		return err
	}
	d, err := r.openData(ctx)
	if err != nil {
		return err
	}
	defer d.close()
	var killers []fault
	for _, f := range r.killers() {
		if !strings.Contains(f.name, "Redis") {
			killers = append(killers, f)
		}
	}
	conversation := "" // every other round goes on with the conversation of the one before
	var all []sent
	for i := range r.size.count {
		r.gemini.Forget()
		acked := &ledger{}
		unanswered := make([]atomic.Int64, retriedKeys)
		var breaking sync.WaitGroup
		broke := make(chan error, 1)
		breaking.Go(func() {
			f := killers[i%len(killers)]
			err := pause(ctx, r.dice.between(0, 300*time.Millisecond))
			if err == nil {
				err = f.do(ctx)
			}
			r.count(f.name, 1)
			broke <- err
		})
		crowd, leave := context.WithCancelCause(ctx)
		var sending sync.WaitGroup
		for n := range r.size.people {
			sending.Go(func() {
				which := n % retriedKeys
				one := &person{name: p.name, clients: p.clients, dice: p.dice, session: p.session, watch: func(_ int, _ time.Time, err error) {
					if err != nil {
						unanswered[which].Add(1)
					}
				}}
				key := fmt.Sprintf("crowd-%d-%d", i, which)
				s, err := one.send(crowd, bot, conversation, key, "This is "+key+".")
				for errors.Is(err, errWait) && pause(crowd, 100*time.Millisecond) == nil {
					s, err = one.send(crowd, bot, conversation, key, "This is "+key+".")
				}
				if err != nil {
					leave(fmt.Errorf("%s: %w", key, err))
					return
				}
				acked.add(s)
				r.count("requests that were repeated", int(one.tried.Load()))
			})
		}
		sending.Wait()
		breaking.Wait()
		err := context.Cause(crowd)
		leave(nil)
		if err := errors.Join(err, <-broke); err != nil {
			return err
		}
		r.checkFinal(ctx, d)
		once, err := r.checkCrowd(ctx, d, acked.all(), unanswered)
		if err != nil {
			return err
		}
		all = append(all, once...)
		if conversation == "" {
			conversation = once[0].Conversation
		} else {
			conversation = ""
		}
		r.say("%d of %d rounds", i+1, r.size.count)
	}
	if err := r.checkFailed(ctx, d); err != nil {
		return err
	}
	return r.checkMessages(ctx, d, inOrder(all))
}

// checkCrowd holds that everybody was told of the same messages, and that the model was asked for them once for each
// attempt. A request that was cut off may have begun an attempt that was never stored. It gives each message once.
func (r *round) checkCrowd(ctx context.Context, d *data, acked []sent, unanswered []atomic.Int64) (once []sent, err error) {
	r.count("acknowledgements", len(acked))
	for which := range unanswered {
		var first *sent
		for _, s := range acked {
			switch {
			case !strings.HasSuffix(s.Key, fmt.Sprintf("-%d", which)):
			case first == nil:
				first = &s
			case s.Message != first.Message || s.Answer != first.Answer || s.Conversation != first.Conversation:
				r.violated("%s was acknowledged as %s and %s, and as %s and %s", s.Key, first.Message, first.Answer, s.Message, s.Answer)
			}
		}
		if first == nil {
			return nil, fmt.Errorf("nobody sent message %d", which)
		}
		once = append(once, *first)
		attempts, err := d.number(ctx, fmt.Sprintf(`SELECT attempt FROM messages WHERE id = %d`, key(first.Answer)))
		if err != nil {
			return nil, err
		}
		calls := 0
		for _, q := range r.gemini.RequestsOf(gemini.KindAnswer) {
			if strings.Contains(q.Prompt, "This is "+first.Key+".") {
				calls++
			}
		}
		r.count("calls of the model", calls)
		if lost := int(unanswered[which].Load()); calls > attempts && calls > attempts+min(lost, len(r.nodes)+1) {
			r.violated("the model was asked %d times for %s, which had %d attempts and %d tries without an answer", calls, first.Key, attempts, lost)
		}
	}
	return once, nil
}

// inOrder puts messages that were sent at once into the order in which they were taken.
func inOrder(list []sent) []sent {
	slices.SortFunc(list, func(a, b sent) int { return cmp.Compare(key(a.Message), key(b.Message)) })
	return list
}
