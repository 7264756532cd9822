package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// readers has clients that read nothing, and clients that vanish at every stage of a connection, while others follow
// answers: the others must not notice, and nothing of the former may stay.
var readers = scenario{
	name:    "readers",
	promise: "clients that do not read, or vanish, hold up nobody, are closed, and leave no goroutine, descriptor or memory behind",
	setups:  []setup{onSQLite, onOne},
	short:   size{count: 300, kills: 1, people: 4, length: 2 * time.Second},
	long:    size{count: 10_000, kills: 10, people: 10, length: 5 * time.Second},
	settings: map[string]string{
		"KYRO_ACCESS_TOKEN_TTL": "4h",                                   // these people do not refresh theirs
		"KYRO_WS_MAX_SOCKETS":   "3000", "KYRO_SSE_MAX_STREAMS": "3000", // of the one person whose clients they are
		// Sooner than by default, so that a run does not last: who follows little and reads nothing is there for 35 s else.
		"KYRO_WS_PING_INTERVAL": "2s", "KYRO_WS_PONG_TIMEOUT": "5s", "KYRO_WS_INIT_TIMEOUT": "3s", "KYRO_HTTP_HEADER_TIMEOUT": "3s",
	},
	play: playReaders,
}

const (
	silentReaders  = 100
	closedWithin   = 15 * time.Second
	roomOfEach     = 3 << 19               // bytes, 1.5 MiB
	roomBesides    = 48 << 20              // for what the collector has not taken yet
	latencyFactor  = 1.1                   // of the 95th percentile without them
	latencyBesides = 50 * time.Millisecond // for what else the machine does
	restWithin     = 60 * time.Second
	moreAtRest     = 10 // goroutines and descriptors
	moreHeap       = 20 << 20
	frozenAtOnce   = 400
	diesAfter      = 3 * time.Second // of a frozen client of an event stream
	vanishers      = 8               // at a time
)

func playReaders(ctx context.Context, r *round) error {
	r.counting(piecePace)
	n := r.nodes[0]
	p, bot, err := r.newOwner(ctx, "silent")
	if err != nil {
		return err
	}
	for i := range 5 {
		if err := p.addLongText(ctx, bot, i); err != nil {
			return err
		}
	}
	if err := p.areRead(ctx, bot); err != nil {
		return err
	}
	var talkers []*person
	var bots []string
	for i := range r.size.people {
		t, b, err := r.newOwner(ctx, fmt.Sprintf("talker-%d", i))
		if err != nil {
			return err
		}
		talkers, bots = append(talkers, t), append(bots, b)
	}
	if err := r.talking(ctx, talkers, bots, func(ctx context.Context, c *clock) error {
		return r.silence(ctx, n, p, bot, c)
	}); err != nil {
		return err
	}
	vanish := func(count int) error {
		return r.talking(ctx, talkers[:2], bots[:2], func(ctx context.Context, _ *clock) error { return r.vanish(ctx, n, p, count) })
	}
	if err := vanish(max(50, r.size.count/50)); err != nil { // fills the pools, which stay
		return err
	}
	rest := func() { p.calls.CloseIdleConnections() }
	for _, t := range talkers {
		former := rest
		rest = func() { former(); t.calls.CloseIdleConnections() }
	}
	rest()
	before, err := n.atRest(ctx)
	if err != nil {
		return err
	}
	if err := vanish(r.size.count); err != nil {
		return err
	}
	rest()
	began := time.Now()
	var now held
	err = await(ctx, restWithin, func() bool {
		held, err := n.holds(ctx)
		if err == nil {
			now = held
		}
		return err == nil && now.goroutines <= before.goroutines+moreAtRest && now.files <= before.files+moreAtRest && now.heap <= before.heap+moreHeap
	})
	if err != nil {
		r.violated("%s after %d clients vanished: %+v, and before %+v", restWithin, r.size.count, now, before)
	}
	r.note("%s after the last of those who vanished: %d goroutines, %d descriptors and %.1f MiB of heap, before %d, %d and %.1f",
		time.Since(began).Round(100*time.Millisecond), now.goroutines, now.files, float64(now.heap)/(1<<20), before.goroutines, before.files, float64(before.heap)/(1<<20))
	return ctx.Err()
}

// atRest is what a server holds once it holds no less for a while.
func (n *node) atRest(ctx context.Context) (held, error) {
	last, err := n.holds(ctx)
	for same, until := 0, time.Now().Add(restWithin); err == nil && same < 4 && time.Now().Before(until); {
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return last, err
		}
		var now held
		if now, err = n.holds(ctx); now.goroutines < last.goroutines || now.files < last.files {
			same = 0
		} else {
			same++
		}
		last = now
	}
	return last, err
}

// addLongText adds a text of some 90 kB.
func (p *person) addLongText(ctx context.Context, bot string, number int) error {
	var made struct {
		AddTextDocument struct {
			Document *struct{ ID string }
			Errors   []problem
		}
	}
	text := fmt.Sprintf("This is number %d. ", number) + strings.Repeat("All work and no play makes a long document. ", 2_000)
	err := p.ask(ctx, `mutation($i: AddTextDocumentInput!) { addTextDocument(input: $i) { document { id } errors { code message } } }`,
		map[string]any{"i": map[string]any{"botId": bot, "title": fmt.Sprintf("Long %d", number), "text": text}}, &made)
	if err == nil && made.AddTextDocument.Document == nil {
		err = fmt.Errorf("a text was not taken: %v", made.AddTextDocument.Errors)
	}
	return err
}

// much asks for all of them, several times: some 1.8 MB.
const much = `query($b: ID!) { bot(id: $b) { documents(last: 5) { nodes { text again: text onceMore: text atLast: text } } } }`

// areRead waits until all of them are there to be read.
func (p *person) areRead(ctx context.Context, bot string) (err error) {
	late := await(ctx, workPatience, func() bool {
		var got struct {
			Bot struct {
				Documents struct{ Nodes []struct{ Text string } }
			}
		}
		if err = p.ask(ctx, much, map[string]any{"b": bot}, &got); err != nil {
			return true
		}
		length := 0
		for _, d := range got.Bot.Documents.Nodes {
			length += len(d.Text)
		}
		return length > 400_000
	})
	return errors.Join(err, late)
}

// silence measures the others alone, and again beside a hundred clients that read nothing, so many times.
func (r *round) silence(ctx context.Context, n *node, p *person, bot string, c *clock) error {
	var alone, beside []time.Duration
	var slowest time.Duration
	var most int64
	if err := pause(ctx, r.size.length); err != nil { // until all of them talk
		return err
	}
	for range r.size.kills {
		took, err := c.measure(ctx, r.size.length)
		if err != nil {
			return err
		}
		alone = append(alone, took...)
		before, err := n.resident()
		if err != nil {
			return err
		}
		silent, err := r.openSilent(n, p, bot, c)
		if err != nil {
			return err
		}
		began := time.Now()
		var measuring sync.WaitGroup
		measuring.Go(func() {
			if pause(ctx, 2*time.Second) != nil { // what they asked for is worked out, and is written
				return
			}
			took, _ := c.measure(ctx, r.size.length)
			beside = append(beside, took...)
		})
		err = await(ctx, closedWithin, func() bool {
			now, err := n.resident()
			most = max(most, now-before)
			open, err2 := n.peers()
			return errors.Join(err, err2) == nil && !slices.ContainsFunc(silent, func(s *raw) bool { return open[s.port] && !s.events })
		})
		measuring.Wait()
		slowest = max(slowest, time.Since(began))
		if err != nil {
			open, err := n.peers()
			for i, s := range silent {
				if err != nil || open[s.port] && !s.events {
					r.violated("client %d that reads nothing is still there after %s (%v)", i, closedWithin, err)
				}
			}
		}
		for _, s := range silent {
			reset(s.TCPConn)
		}
		r.count("clients that read nothing", len(silent))
	}
	a, b := percentile(alone, 95), percentile(beside, 95)
	r.note("95 %% of the words of others took at most %s alone and %s beside them (median %s and %s, of %d and %d words)",
		a.Round(100*time.Microsecond), b.Round(100*time.Microsecond), percentile(alone, 50).Round(100*time.Microsecond), percentile(beside, 50).Round(100*time.Microsecond), len(alone), len(beside))
	r.note("memory grew by at most %.1f MiB, %.2f for each of them", float64(most)/(1<<20), float64(most)/(1<<20)/silentReaders)
	r.note("the last of them was closed %s after it had asked", slowest.Round(100*time.Millisecond))
	if len(alone) == 0 || len(beside) == 0 {
		r.violated("nobody was heard: %d words alone, and %d beside them", len(alone), len(beside))
	}
	if float64(b) > latencyFactor*float64(a)+float64(latencyBesides) {
		r.violated("words take %s beside clients that read nothing, and %s without them", b, a)
	}
	if most > silentReaders*roomOfEach+roomBesides {
		r.violated("the server grew by %d bytes for %d clients that read nothing", most, silentReaders)
	}
	return nil
}

// openSilent opens clients that ask for much, over sockets and event streams, or for an answer, and read nothing of it.
func (r *round) openSilent(n *node, p *person, bot string, c *clock) (list []*raw, err error) {
	for i := range silentReaders {
		conn, err := connect(n.address)
		if err != nil {
			return list, err
		}
		list = append(list, conn)
		variables := map[string]any{"b": bot}
		switch i % 10 {
		case 0:
			err = conn.say(upgrade, "\r\n\r\n")
			if err == nil {
				err = conn.say(p.greeting()+subscribing(much, variables), "")
			}
		case 1:
			conn.events = true
			err = conn.say(p.eventStream(much, variables), "")
		default:
			err = conn.say(upgrade, "\r\n\r\n")
			if err == nil { // it is refused as another's, or followed: nothing is read in either case
				err = conn.say(p.greeting()+subscribing(followAnswer, map[string]any{"m": *c.asked.Load()}), "")
			}
		}
		if err != nil {
			return list, err
		}
	}
	return list, nil
}
