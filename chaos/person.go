package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"kyrochat/client"
)

// person is a user with an app that does what a good app does: it asks again, at another server if need be, until it has
// an answer, and never gives up what it was asked to do.
type person struct {
	name    string
	clients []*client.Client // one for each server
	session *session
	urls    []string     // of the servers
	tried   atomic.Int64 // requests that brought no answer, and were repeated
	dice    *dice
	calls   *http.Transport
	watch   watch // sees every try; nil: nobody does

	patience time.Duration // of one try; 0: callPatience
}

// watch is told of a try: which server was asked, since when, and what came of it.
type watch func(node int, began time.Time, err error)

const (
	callPatience = 5 * time.Second  // of one try
	workPatience = 10 * time.Minute // until something must have worked, faults and all
	retryFrom    = 50 * time.Millisecond
	retryTo      = 500 * time.Millisecond
)

// newStranger is somebody who has no account.
func (r *round) newStranger(name string) (*person, error) {
	p := &person{name: name, dice: r.dice.fork(), calls: &http.Transport{MaxIdleConnsPerHost: 8}, watch: r.watch, patience: r.patience, session: &session{}}
	return p, p.meet(r.addresses())
}

// newPerson signs up.
func (r *round) newPerson(ctx context.Context, name string) (*person, error) {
	p, err := r.newStranger(name)
	if err != nil {
		return nil, err
	}
	return p, p.signUp(ctx)
}

// newOwner signs up and makes a bot.
func (r *round) newOwner(ctx context.Context, name string) (p *person, bot string, err error) {
	if p, err = r.newPerson(ctx, name); err == nil {
		bot, err = p.newBot(ctx)
	}
	return p, bot, err
}

// problem is an error that a payload tells.
type problem struct{ Code, Message string }

// meet makes a client for each server.
func (p *person) meet(urls []string) error {
	p.urls = urls
	for _, url := range urls {
		c, err := client.New(url, client.Options{HTTPClient: &http.Client{Transport: p.calls}, PingInterval: 5 * time.Second})
		if err != nil {
			return err
		}
		p.clients = append(p.clients, c)
	}
	return nil
}

// any is one of the servers.
func (p *person) any() *client.Client { return p.clients[p.dice.n(len(p.clients))] }

// password is everybody's.
const password = "plenty of random words"

// once asks one server once.
func (p *person) once(ctx context.Context, query string, variables map[string]any, into any) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(p.patience, callPatience))
	defer cancel()
	node, began := p.dice.n(len(p.clients)), time.Now()
	err := p.clients[node].Do(ctx, query, variables, into)
	if p.watch != nil {
		p.watch(node, began, err)
	}
	return err
}

// ask asks until there is an answer, one server or another.
func (p *person) ask(ctx context.Context, query string, variables map[string]any, into any) error {
	return p.insist(ctx, func(ctx context.Context) error { return p.once(ctx, query, variables, into) })
}

// insist does something until it has worked, with a fresh access token where the one there is does not do any more. Errors
// that say that the request itself is wrong are given at once; everything else is what a fault looks like from outside.
func (p *person) insist(ctx context.Context, do func(ctx context.Context) error) error {
	until := time.Now().Add(workPatience)
	for {
		token := p.session.access()
		once, cancel := context.WithTimeout(ctx, cmp.Or(p.patience, callPatience))
		err := do(once)
		cancel()
		if expired(err) && token != "" {
			if err = p.renew(ctx, token); err == nil {
				continue
			}
		}
		if err == nil || ctx.Err() != nil || !passing(err) {
			return err
		}
		if time.Now().After(until) {
			return fmt.Errorf("no answer for %s, at last: %w", workPatience, err)
		}
		p.tried.Add(1)
		if err := pause(ctx, p.dice.between(retryFrom, retryTo)); err != nil {
			return err
		}
	}
}

// passing says whether an error may go away by itself: the server is not there, or says so.
func passing(err error) bool {
	if answered, ok := errors.AsType[client.Errors](err); ok {
		switch client.Code(answered) {
		case "UNAVAILABLE", "RATE_LIMITED", "TIMEOUT":
			return true
		}
		return false
	}
	if status, ok := errors.AsType[*client.StatusError](err); ok {
		return status.Status >= 500
	}
	return true // the network's
}

// newBot makes a bot that answers also where its documents hold nothing.
func (p *person) newBot(ctx context.Context) (string, error) {
	var made struct {
		CreateBot struct {
			Bot    *struct{ ID string }
			Errors []problem
		}
	}
	err := p.ask(ctx, `mutation { createBot(input: {name: "Chaos", strict: false}) { bot { id } errors { code message } } }`, nil, &made)
	if err == nil && made.CreateBot.Bot == nil {
		err = fmt.Errorf("the bot was not made: %v", made.CreateBot.Errors)
	}
	if err != nil {
		return "", err
	}
	return made.CreateBot.Bot.ID, nil
}

// sent is a message that a server acknowledged.
type sent struct {
	Key          string // its clientMessageId
	Text         string
	Conversation string
	Message      string
	Answer       string
	Anew         []string // further answers to it that were acknowledged
	At           time.Time
}

// errWait says that so many messages of the conversation wait that no more are taken now.
var errWait = errors.New("too many messages wait")

// send says something in a conversation, or begins one with a bot, and does not rest before it is acknowledged.
func (p *person) send(ctx context.Context, bot, conversation, key, text string) (sent, error) {
	return p.sendBy(ctx, p.ask, bot, conversation, key, text)
}

// sendBy says something by a way to ask.
func (p *person) sendBy(ctx context.Context, ask func(context.Context, string, map[string]any, any) error, bot, conversation, key, text string) (sent, error) {
	input := map[string]any{"text": text, "clientMessageId": key}
	if conversation != "" {
		input["conversationId"] = conversation
	} else {
		input["botId"] = bot
	}
	var answer struct {
		SendMessage struct {
			Conversation, UserMessage, BotMessage *struct{ ID string }
			Errors                                []problem
		}
	}
	err := ask(ctx, `mutation($i: SendMessageInput!) { sendMessage(input: $i) { conversation { id } userMessage { id } botMessage { id } errors { code message } } }`,
		map[string]any{"i": input}, &answer)
	if err != nil {
		return sent{}, err
	}
	got := answer.SendMessage
	if len(got.Errors) > 0 && got.Errors[0].Code == "LIMIT_REACHED" {
		return sent{}, errWait
	}
	if got.UserMessage == nil || got.BotMessage == nil || got.Conversation == nil {
		return sent{}, fmt.Errorf("%w: message %s: %v", errNotTaken, key, got.Errors)
	}
	return sent{Key: key, Text: text, Conversation: got.Conversation.ID, Message: got.UserMessage.ID, Answer: got.BotMessage.ID, At: time.Now()}, nil
}

// decode reads an event.
func decode(raw json.RawMessage, into any) error { return json.Unmarshal(raw, into) }
