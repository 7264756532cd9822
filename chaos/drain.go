package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// drain tells a server to stop, again and again, while hundreds of sockets are open, answers are followed and people
// send. Where there are two, they are replaced one after the other, and who is refused at one is taken at the other.
var drain = scenario{
	name:    "drain",
	promise: "SIGTERM loses nothing acknowledged, closes every socket with 1001, and ends with 0 within 30 s; streams go on",
	setups:  []setup{onSQLite, onOne, onNodes},
	short:   size{count: 2, people: 10, length: 3 * time.Second},
	long:    size{count: 20, people: 10, length: 14 * time.Second}, // some longer than the drain waits
	settings: map[string]string{
		"KYRO_ACCESS_TOKEN_TTL": "4h", // these people do not refresh theirs
		"KYRO_WS_MAX_SOCKETS":   "100", "KYRO_DRAIN_TIMEOUT": "8s",
	},
	play: playDrain,
}

const (
	drainSockets = 200 // open at a time
	drainStreams = 50  // of them follow an answer
	drainPace    = 100 * time.Millisecond
	endsWithin   = 30 * time.Second
	goingAway    = 1001
	sendPatience = 15 * time.Second // of one try: longer than a server takes to refuse what its database does not take
)

func playDrain(ctx context.Context, r *round) error {
	r.counting(drainPace)
	var people []*person
	var bots []string
	for i := range r.size.people {
		p, bot, err := r.newOwner(ctx, fmt.Sprintf("guest-%d", i))
		if err != nil {
			return err
		}
		people, bots = append(people, p), append(bots, bot)
	}
	acked := &ledger{}
	talks, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var talking sync.WaitGroup
	var over atomic.Bool
	for i, p := range people {
		talking.Go(func() {
			if err := r.sendOn(talks, p, bots[i], acked, &over); err != nil {
				stop(err)
			}
		})
	}
	var slowest time.Duration
	for i := range r.size.count {
		took, err := r.restart(talks, i, people, bots, acked)
		if err != nil {
			stop(err)
			break
		}
		slowest = max(slowest, took)
		r.say("%d of %d restarts, after %s", i+1, r.size.count, took.Round(10*time.Millisecond))
	}
	over.Store(true)
	talking.Wait()
	if err := context.Cause(talks); err != nil {
		return err
	}
	r.note("the slowest end took %s", slowest.Round(100*time.Millisecond))
	list := acked.all()
	r.count("acknowledged messages", len(list))
	d, err := r.openData(ctx)
	if err != nil {
		return err
	}
	defer d.close()
	if err := await(ctx, finalWithin, func() bool {
		left, err := d.unfinishedAnswers(ctx)
		return err == nil && left == 0
	}); err != nil {
		r.violated("answers are not final %s after the end", finalWithin)
	}
	return r.checkMessages(ctx, d, list)
}

// sendOn sends one message after another until it is over. Who has no answer from one of two servers asks the other
// one, which must take it.
func (r *round) sendOn(ctx context.Context, p *person, bot string, acked *ledger, over *atomic.Bool) error {
	conversation := ""
	for i := 0; !over.Load(); i++ {
		if i%10 == 0 {
			conversation = ""
		}
		key := fmt.Sprintf("%s-%d", p.name, i)
		first := p.dice.n(len(p.clients))
		for try := 0; ; try++ {
			s, err := p.sendAt(ctx, (first+try)%len(p.clients), bot, conversation, key, "This is "+key+".")
			if err == nil {
				conversation = s.Conversation
				acked.add(s)
				break
			}
			switch {
			case ctx.Err() != nil:
				return context.Cause(ctx)
			case errors.Is(err, errWait):
				try--
			case !passing(err):
				return fmt.Errorf("%s: %w", key, err)
			case len(r.nodes) == 1:
				r.count("sends that were tried again", 1)
			case try == 0:
				r.count("sends that were tried again at the other server", 1)
				continue
			default:
				r.violated("%s was refused by both servers, at last: %v", key, err)
			}
			if err := pause(ctx, p.dice.between(retryFrom, retryTo)); err != nil {
				return err
			}
		}
		if err := pause(ctx, p.dice.between(0, 200*time.Millisecond)); err != nil {
			return err
		}
	}
	return nil
}

// sendAt sends a message to one server, once.
func (p *person) sendAt(ctx context.Context, server int, bot, conversation, key, text string) (sent, error) {
	ctx, cancel := context.WithTimeout(ctx, sendPatience)
	defer cancel()
	input := map[string]any{"text": text, "clientMessageId": key, "botId": bot}
	if conversation != "" {
		delete(input, "botId")
		input["conversationId"] = conversation
	}
	var answer struct {
		SendMessage struct {
			Conversation, UserMessage, BotMessage *struct{ ID string }
			Errors                                []problem
		}
	}
	if err := p.clients[server].Do(ctx, `mutation($i: SendMessageInput!) { sendMessage(input: $i) { conversation { id } userMessage { id } botMessage { id } errors { code message } } }`,
		map[string]any{"i": input}, &answer); err != nil {
		return sent{}, err
	}
	got := answer.SendMessage
	switch {
	case len(got.Errors) > 0 && got.Errors[0].Code == "LIMIT_REACHED":
		return sent{}, errWait
	case got.UserMessage == nil || got.BotMessage == nil || got.Conversation == nil:
		return sent{}, fmt.Errorf("the message %s was not taken: %v", key, got.Errors)
	}
	return sent{Key: key, Text: text, Conversation: got.Conversation.ID, Message: got.UserMessage.ID, Answer: got.BotMessage.ID, At: time.Now()}, nil
}

// guest is a socket that is open while its server is told to stop.
type guest struct {
	p         *person
	conn      *websocket.Conn
	listening *listening // of an answer; nil where it follows something without end, or nothing
	said      string     // what the model says
	begun     chan struct{}
	end       error // why it ended
}

// restart fills a server with sockets and streams, tells it to stop, and starts it again.
func (r *round) restart(ctx context.Context, i int, people []*person, bots []string, acked *ledger) (took time.Duration, err error) {
	n := r.nodes[i%len(r.nodes)]
	guests := make([]*guest, drainSockets)
	var opening, open sync.WaitGroup
	errs := make([]error, len(people))
	for k, p := range people {
		opening.Go(func() {
			for g := k; g < drainSockets; g += len(people) {
				if guests[g], errs[k] = r.guest(ctx, n, p, bots[k], g, fmt.Sprintf("d%dg%d", i, g), acked); errs[k] != nil {
					return
				}
				open.Go(func() { guests[g].stay(ctx) })
			}
		})
	}
	opening.Wait()
	defer func() {
		for _, g := range guests {
			if g != nil {
				_ = g.conn.CloseNow()
			}
		}
		open.Wait()
	}()
	if err := errors.Join(errs...); err != nil {
		return 0, err
	}
	for _, g := range guests[:drainStreams] {
		select {
		case <-g.begun:
		case <-time.After(workPatience):
			return 0, fmt.Errorf("nothing is heard of %s", g.listening.answer)
		}
	}
	if err := pause(ctx, r.dice.between(0, r.size.length/2)); err != nil {
		return 0, err
	}
	code, took, err := n.stop(endsWithin)
	if err != nil {
		return 0, err
	}
	r.count("SIGTERMs", 1)
	if code != 0 {
		r.violated("%s ended with %d: %s", n.name, code, n.last())
	}
	open.Wait() // the process is gone, and so are they
	for k, g := range guests {
		if status := websocket.CloseStatus(g.end); status != goingAway {
			r.violated("socket %d of %s ended with %d, not %d: %v", k, n.name, status, goingAway, g.end)
		}
		r.count("sockets", 1)
	}
	if err := n.start(ctx); err != nil {
		return 0, err
	}
	for _, g := range guests[:drainStreams] {
		if err := r.goOn(ctx, g); err != nil {
			return 0, err
		}
	}
	return took, nil
}

// guest opens a socket: the first ones follow an answer, the others a conversation, documents, or nothing.
func (r *round) guest(ctx context.Context, n *node, p *person, bot string, number int, name string, acked *ledger) (*guest, error) {
	g := &guest{p: p, begun: make(chan struct{})}
	query, variables := "", map[string]any{}
	switch {
	case number < drainStreams:
		words := wordsOfPiece * (5 + r.dice.n(int(r.size.length/drainPace)))
		s, err := p.send(ctx, bot, "", name, countTo(name, words))
		if err != nil {
			return nil, err
		}
		acked.add(s)
		g.said = counted(name, words)
		t := &tab{answer: s.Answer, violated: r.violated, disturbed: func() bool { return false }}
		g.listening = &listening{tab: t, asked: noCursor}
		query, variables = followAnswer, map[string]any{"m": s.Answer}
	case number%3 == 0:
		query, variables = `subscription($b: ID!) { documentProgress(botId: $b) { status } }`, map[string]any{"b": bot}
	case number%3 == 1:
		list := acked.all()
		for i := len(list) - 1; i >= 0 && query == ""; i-- {
			if strings.HasPrefix(list[i].Key, p.name+"-") { // a conversation of their own
				query, variables = `subscription($c: ID!) { conversationEvents(conversationId: $c) { kind: __typename } }`, map[string]any{"c": list[i].Conversation}
			}
		}
	}
	// Who is asked to try again later, as on a busy machine, does so.
	var err error
	if late := await(ctx, workPatience, func() bool {
		g.conn, err = p.openSocket(ctx, route{base: n.url()})
		return err == nil
	}); late != nil {
		return nil, fmt.Errorf("socket %d at %s: %w", number, n.name, err)
	}
	if query != "" {
		err = say(ctx, g.conn, "subscribe", map[string]any{"query": query, "variables": variables})
	}
	return g, err
}

// stay reads until the socket ends.
func (g *guest) stay(ctx context.Context) {
	for {
		kind, payload, err := hear(ctx, g.conn, workPatience)
		switch {
		case err != nil:
			g.end = err
			return
		case g.listening == nil || kind != "next":
			continue
		}
		var event struct{ MessageStream streamEvent }
		data, err := dataOf(payload)
		if err == nil {
			err = decode(data, &event)
		}
		if err != nil {
			g.end = err
			return
		}
		if g.listening.handle(event.MessageStream); g.listening.events == 1 {
			close(g.begun)
		}
	}
}

// goOn brings a stream to its end, which may have come before, and compares.
func (r *round) goOn(ctx context.Context, g *guest) error {
	t := g.listening.tab
	if t.finished != nil {
		r.count("streams that ended before", 1)
	} else {
		r.count("streams that went on afterwards", 1)
	}
	for until := time.Now().Add(workPatience); t.finished == nil; {
		l := &listening{tab: t, asked: goodCursor}
		err := g.p.overSocket(ctx, route{base: r.nodes[r.dice.n(len(r.nodes))].url()}, followAnswer, map[string]any{"m": t.answer, "a": t.cursor}, func(e told) error {
			var event struct{ MessageStream streamEvent }
			if err := decode(e.data, &event); err != nil {
				return err
			}
			l.handle(event.MessageStream)
			return nil
		})
		if t.finished == nil && time.Now().After(until) {
			return fmt.Errorf("%s does not come to its end: %w", t.answer, err)
		}
	}
	status, text, err := r.storedAnswer(ctx, t.answer)
	if err != nil {
		return err
	}
	r.count("streams of answers "+status, 1)
	if t.text != text || t.finished.Message.Status != status {
		r.violated("%s: a socket shows %s, which is stored; %s and %s", t.answer, difference(t.text, text), t.finished.Message.Status, status)
	}
	if status == "COMPLETED" && text != g.said || !strings.HasPrefix(g.said, text) {
		r.violated("%s: stored as %s is %s, which the model said", t.answer, status, difference(text, g.said))
	}
	return nil
}
