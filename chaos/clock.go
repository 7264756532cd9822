package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"kyrochat/client"
)

// clocks step the clock of a server, or of all, forwards and back, while people talk, follow, add documents and refresh
// their tokens. It needs a server with a clock that can be set, built with the tag chaos.
var clocks = scenario{
	name:     "clock",
	promise:  "steps of the clock lose nothing that was acknowledged, hold up no answer and no document, and sign nobody out for good",
	setups:   []setup{onSQLite, onOne, onNodes},
	short:    size{count: 2, people: 4, length: 3 * time.Second},
	long:     size{count: 24, people: 8, length: 15 * time.Second},
	settings: map[string]string{"KYRO_USER_MAX_DOCUMENTS": "0", "KYRO_MAX_UNFINISHED_DOCUMENTS": "0"},
	tags:     "chaos",
	play:     playClocks,
}

// steps are how far a clock is set, from the true time.
var steps = []time.Duration{5 * time.Second, -5 * time.Second, time.Minute, -time.Minute, time.Hour, -time.Hour, 24 * time.Hour}

// clockFile is where a node's clock is set.
func (n *node) clockFile() string { return filepath.Join(n.folder, "clock") }

func (n *node) setClock(ahead time.Duration) error {
	next := n.clockFile() + ".new"
	if err := os.WriteFile(next, []byte(ahead.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(next, n.clockFile())
}

func playClocks(ctx context.Context, r *round) error {
	acked := &ledger{}
	talks, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	enough := make(chan struct{})
	var talking sync.WaitGroup
	var crew []*keeper
	for i := range r.size.people {
		d, err := r.newDweller(ctx, fmt.Sprintf("clock-%d", i))
		if err != nil {
			return err
		}
		k := &keeper{dweller: d, acked: acked}
		crew = append(crew, k)
		talking.Go(func() {
			if err := k.live(talks, enough); err != nil {
				stop(err)
			}
		})
	}
	err := crew[0].seesTheClock(ctx)
	if err == nil {
		err = r.stepClocks(talks, crew)
	}
	close(enough)
	talking.Wait()
	if cause := context.Cause(talks); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	if err != nil {
		return err
	}
	r.count("acknowledged messages", len(acked.all()))
	for _, k := range crew {
		if err := k.stays(ctx); err != nil {
			r.violated("%s is signed out for good: %v", k.name, err)
		}
		r.count("requests that were repeated", int(k.tried.Load()))
		r.count("tokens that were taken anew", k.renewed)
	}
	d, err := r.openData(ctx)
	if err != nil {
		return err
	}
	defer d.close()
	for what, statement := range map[string]string{
		"answers":   `SELECT count(*) FROM messages WHERE status IN ('PENDING', 'RETRIEVING', 'STREAMING')`,
		"documents": `SELECT count(*) FROM documents WHERE deleted_at IS NULL AND status NOT IN ('READY', 'READY_WITH_WARNINGS')`,
	} {
		if err := await(ctx, 2*finalWithin, func() bool {
			left, err := d.number(ctx, statement)
			return err == nil && left == 0
		}); err != nil {
			left, _ := d.number(ctx, statement)
			r.violated("%d %s are not at their end %s after all clocks were right again", left, what, 2*finalWithin)
		}
	}
	if twice, err := d.number(ctx, `SELECT count(*) FROM messages WHERE role = 'BOT' AND attempt > 1`); err != nil || twice > 0 {
		r.violated("%d answers were taken from the server that made them, %v", twice, err)
	}
	return r.checkMessages(ctx, d, acked.all())
}

// seesTheClock makes sure that the clock of a server can be set: what is made at another time says so.
func (k *keeper) seesTheClock(ctx context.Context) error {
	n := k.round.nodes[0]
	if err := n.setClock(5 * time.Second); err != nil {
		return err
	}
	err := await(ctx, startPatience, func() bool {
		asking, cancel := context.WithTimeout(ctx, askPatience)
		defer cancel()
		var made struct {
			CreateBot struct {
				Bot *struct{ CreatedAt time.Time }
			}
		}
		err := k.clients[0].Do(asking, `mutation { createBot(input: {name: "Clock"}) { bot { createdAt } } }`, nil, &made)
		return err == nil && made.CreateBot.Bot != nil && time.Until(made.CreateBot.Bot.CreatedAt) > time.Second
	})
	if err != nil {
		return errors.New("the clock of the server cannot be set: build it with -tags chaos")
	}
	return n.setClock(0)
}

// stepClocks sets the clocks again and again, and back.
func (r *round) stepClocks(ctx context.Context, crew []*keeper) error {
	for i := range r.size.count {
		step := steps[(i+r.dice.n(len(steps)))%len(steps)]
		stepped, which := r.nodes, "all servers"
		if len(r.nodes) > 1 && r.dice.n(3) > 0 {
			stepped, which = r.nodes[1:], r.nodes[1].name
		}
		r.say("%s for %s", step, which)
		tokens := make([]string, len(crew))
		for i, k := range crew {
			token, err := k.fresh(ctx)
			if err != nil {
				return fmt.Errorf("%s is signed out: %w", k.name, err)
			}
			tokens[i] = token
		}
		began := time.Now()
		for _, n := range stepped {
			if err := n.setClock(step); err != nil {
				return err
			}
		}
		if err := pause(ctx, r.size.length); err != nil {
			return err
		}
		for _, n := range stepped {
			if err := n.setClock(0); err != nil {
				return err
			}
		}
		r.count("steps of a clock, and back", 1)
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
		if time.Since(began) > 5*time.Minute {
			continue // by then they may be over
		}
		for i, k := range crew { // whose tokens were made by the true time, and last ten minutes
			for _, n := range r.nodes {
				if err := k.goodAt(ctx, n, tokens[i]); err != nil {
					r.violated("a token of %s from before a step of %s is not good at %s after it was undone: %v", k.name, step, n.name, err)
				}
			}
		}
	}
	return nil
}

// keeper is a person who keeps at it: what is refused because a token is over, or not yet good, is asked for with another.
type keeper struct {
	*dweller
	acked   *ledger
	renewed int
	mu      sync.Mutex // of refreshing
}

// fresh takes another token, which is made by the true time where no clock is wrong.
func (k *keeper) fresh(ctx context.Context) (string, error) {
	if err := k.stays(ctx); err != nil {
		return "", err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.session.access(), nil
}

// goodAt asks with a token, once; what is away for a moment is asked again.
func (k *keeper) goodAt(ctx context.Context, n *node, token string) error {
	c, err := client.New(n.url(), client.Options{Token: token})
	if err != nil {
		return err
	}
	var last error
	_ = await(ctx, 20*time.Second, func() bool {
		asking, cancel := context.WithTimeout(ctx, askPatience)
		defer cancel()
		var got struct{ Viewer *struct{ ID string } }
		last = c.Do(asking, `{ viewer { id } }`, nil, &got)
		if last == nil && got.Viewer == nil {
			last = errors.New("it is nobody's")
		}
		return last == nil || !passing(last)
	})
	return last
}

// stays makes sure that the session lives.
func (k *keeper) stays(ctx context.Context) error {
	until := time.Now().Add(workPatience)
	for {
		err := k.renew(ctx)
		if err == nil || !passing(err) || time.Now().After(until) {
			return err
		}
		if err := pause(ctx, retryTo); err != nil {
			return err
		}
	}
}

// renew takes the next tokens, from any server.
func (k *keeper) renew(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	asking, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	a := &asker{person: k.person}
	err := a.goOn(asking, k.any())
	if err == nil {
		k.renewed++
	}
	return err
}

// insist does something until it is done, with another token where this one is not taken.
func (k *keeper) insist(ctx context.Context, try func(ctx context.Context, c *client.Client) error) error {
	until := time.Now().Add(workPatience)
	for {
		asking, cancel := context.WithTimeout(ctx, askPatience)
		err := try(asking, k.any())
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
		unsigned := client.Code(err) == "UNAUTHENTICATED"
		if closed, ok := errors.AsType[*client.CloseError](err); ok {
			unsigned = closed.Code == 4401 || closed.Code == 4403
		}
		switch {
		case unsigned:
			if err := k.renew(ctx); err != nil && !passing(err) {
				return fmt.Errorf("signed out: %w", err)
			}
		case !passing(err):
			return err
		}
		if time.Now().After(until) {
			return fmt.Errorf("no answer for %s, at last: %w", workPatience, err)
		}
		k.tried.Add(1)
		if err := pause(ctx, k.dice.between(retryFrom, retryTo)); err != nil {
			return err
		}
	}
}

// live talks, reads the answers, adds documents and refreshes.
func (k *keeper) live(ctx context.Context, enough <-chan struct{}) error {
	conversation := ""
	for i := 0; ; i++ {
		select {
		case <-enough:
			return nil
		default:
		}
		key := fmt.Sprintf("%s-%d", k.name, i)
		text := "This is " + key + ". Say more about it."
		input := map[string]any{"text": text, "clientMessageId": key, "botId": k.bot}
		if i%20 != 0 {
			delete(input, "botId")
			input["conversationId"] = conversation
		}
		var got struct {
			SendMessage struct {
				Conversation, UserMessage, BotMessage *struct{ ID string }
				Errors                                []problem
			}
		}
		err := k.insist(ctx, func(ctx context.Context, c *client.Client) error {
			return c.Do(ctx, strings.Replace(send, "botMessage", "userMessage { id } botMessage", 1), map[string]any{"i": input}, &got)
		})
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		m := got.SendMessage
		if m.BotMessage == nil || m.UserMessage == nil || m.Conversation == nil {
			return fmt.Errorf("%s was not taken: %v", key, m.Errors)
		}
		conversation = m.Conversation.ID
		k.acked.add(sent{Key: key, Text: text, Conversation: m.Conversation.ID, Message: m.UserMessage.ID, Answer: m.BotMessage.ID, At: time.Now()})
		began := time.Now()
		if err := k.insist(ctx, func(ctx context.Context, c *client.Client) error {
			_, err := (&asker{person: k.person}).follow(ctx, c, m.BotMessage.ID)
			return err
		}); err != nil {
			return fmt.Errorf("the answer of %s: %w", key, err)
		}
		if took := time.Since(began); took > finalWithin {
			k.round.violated("the answer of %s took %s", key, took.Round(time.Second))
		}
		if i%5 == 1 {
			about := map[string]any{"i": map[string]any{"botId": k.bot, "title": key, "text": text + " It was written down."}}
			if err := k.insist(ctx, func(ctx context.Context, c *client.Client) error { return c.Do(ctx, addText, about, nil) }); err != nil {
				return fmt.Errorf("a document: %w", err)
			}
			k.round.count("documents", 1)
		}
		if i%4 == 2 {
			if err := k.renew(ctx); err != nil && !passing(err) {
				return fmt.Errorf("signed out: %w", err)
			}
		}
		if err := pause(ctx, k.dice.between(10*time.Millisecond, 100*time.Millisecond)); err != nil {
			return err
		}
	}
}
