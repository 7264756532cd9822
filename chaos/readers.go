package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
	closedWithin   = 20 * time.Second // 15 s are wanted: the rest is for a machine that is busy
	roomOfEach     = 3 << 19          // bytes, 1.5 MiB
	roomBesides    = 48 << 20         // for what the collector has not taken yet
	latencyFactor  = 5                // of the 95th percentile without them; a tenth more is wanted, which a busy machine hides
	latencyBesides = 250 * time.Millisecond
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
	p, err := r.newPerson(ctx, "silent")
	if err != nil {
		return err
	}
	bot, err := p.newBot(ctx)
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
		t, err := r.newPerson(ctx, fmt.Sprintf("talker-%d", i))
		if err != nil {
			return err
		}
		b, err := t.newBot(ctx)
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

// clock measures how long the words of a model take to those who follow its answers.
type clock struct {
	mu    sync.Mutex
	said  map[string]time.Time // by the word
	took  []time.Duration
	on    bool
	asked atomic.Pointer[string] // an answer that is being written
}

var countedWord = regexp.MustCompile(`t\d+x\d+n\d+`)

// hear notes when the model said something.
func (c *clock) hear(b []byte) {
	now := time.Now()
	words := countedWord.FindAll(b, -1)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range words {
		c.said[string(w)] = now
	}
}

// show notes when somebody is shown it.
func (c *clock) show(piece string) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range countedWord.FindAllString(piece, -1) {
		if said, known := c.said[w]; known {
			if c.on {
				c.took = append(c.took, now.Sub(said))
			}
			delete(c.said, w)
		}
	}
}

// measure gives what the words took that were shown in a while.
func (c *clock) measure(ctx context.Context, length time.Duration) ([]time.Duration, error) {
	c.mu.Lock()
	c.took, c.on = nil, true
	c.mu.Unlock()
	err := pause(ctx, length)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.on = false
	return c.took, err
}

// percentile of times; 0 of none.
func percentile(times []time.Duration, percent int) time.Duration {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[min(len(times)-1, len(times)*percent/100)]
}

// talking has people follow one answer after another for as long as something is done.
func (r *round) talking(ctx context.Context, people []*person, bots []string, do func(ctx context.Context, c *clock) error) error {
	c := &clock{said: map[string]time.Time{}}
	r.model.watch(c.hear)
	defer r.model.watch(nil)
	talks, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var over atomic.Bool
	var talking sync.WaitGroup
	for i, p := range people {
		talking.Go(func() {
			if err := r.followOn(talks, p, bots[i], c, i, &over); err != nil {
				stop(err)
			}
		})
	}
	err := do(talks, c)
	over.Store(true)
	talking.Wait()
	return errors.Join(err, context.Cause(talks))
}

// followOn asks for one answer after another and follows each.
func (r *round) followOn(ctx context.Context, p *person, bot string, c *clock, number int, over *atomic.Bool) error {
	for i := 0; !over.Load(); i++ {
		const words = wordsOfPiece * 150
		name := fmt.Sprintf("t%dx%d", number, i)
		s, err := p.send(ctx, bot, "", fmt.Sprintf("%s-%s-%d", p.name, name, time.Now().UnixNano()), countTo(name, words))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		c.asked.Store(&s.Answer)
		l := &listening{tab: &tab{answer: s.Answer, violated: r.violated, disturbed: func() bool { return false }}, asked: noCursor}
		err = p.overSocket(ctx, route{base: r.nodes[0].url()}, followAnswer, map[string]any{"m": s.Answer}, func(e told) error {
			var event struct{ MessageStream streamEvent }
			if err := decode(e.data, &event); err != nil {
				return err
			}
			l.handle(event.MessageStream)
			c.show(event.MessageStream.Piece)
			return nil
		})
		if err != nil || l.text != counted(name, words) {
			r.violated("who followed %s beside them was left with %s: %v", s.Answer, difference(l.text, counted(name, words)), err)
		}
		r.count("answers that were followed beside them", 1)
	}
	return nil
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
	if b > latencyFactor*a+latencyBesides {
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

// stages are how far a client comes before it vanishes.
func (p *person) stages(answer string) []func(c *raw) error {
	greet := func(c *raw) error {
		if err := c.say(upgrade, "\r\n\r\n"); err != nil {
			return err
		}
		return c.say(p.greeting(), `"connection_ack"}`)
	}
	follow := map[string]any{"m": answer}
	return []func(c *raw) error{
		func(c *raw) error { return c.say(upgrade[:len(upgrade)/2], "") },          // in the middle of the request
		func(c *raw) error { return c.say(upgrade, "\r\n\r\n") },                   // before connection_init
		func(c *raw) error { return c.say(upgrade+p.greeting()[:40], "\r\n\r\n") }, // in the middle of it
		greet, // after connection_ack
		func(c *raw) error { return errors.Join(greet(c), c.say(subscribing(followAnswer, follow), `"next"`)) }, // in the middle of an answer
		func(c *raw) error { // and of a message
			return errors.Join(greet(c), c.say(subscribing(followAnswer, follow)+frame("ping", nil)[:9], `"next"`))
		},
		func(c *raw) error {
			c.events = true
			return c.say(p.eventStream(followAnswer, follow), "data: ")
		}, // in the middle of an event stream
	}
}

// vanish has so many clients come and vanish: half by a reset, half by reading and saying nothing any more, as a machine
// does that was put to sleep.
func (r *round) vanish(ctx context.Context, n *node, p *person, count int) error {
	answers, err := r.ownAnswers(ctx, p)
	if err != nil {
		return err
	}
	frozen := make(chan *raw, frozenAtOnce)
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var coming, watching sync.WaitGroup
	var next atomic.Int64
	watching.Go(func() {
		if err := r.seeOff(working, n, frozen); err != nil {
			stop(err)
		}
	})
	for range vanishers {
		coming.Go(func() {
			for i := int(next.Add(1)); i <= count && working.Err() == nil; i = int(next.Add(1)) {
				stages := p.stages(answers())
				conn, err := connect(n.address)
				if err == nil {
					if err = stages[i%len(stages)](conn); err != nil {
						reset(conn.TCPConn)
					}
				}
				if err != nil {
					stop(fmt.Errorf("client %d, at stage %d: %w", i, i%len(stages), err))
					return
				}
				if i/len(stages)%2 == 0 {
					reset(conn.TCPConn)
					r.count("clients that reset", 1)
					continue
				}
				select {
				case frozen <- conn:
				case <-working.Done():
					reset(conn.TCPConn)
				}
			}
		})
	}
	coming.Wait()
	close(frozen)
	watching.Wait()
	return context.Cause(working)
}

// seeOff waits until the server has given up each client that froze. Those of event streams die: as long as systems keep
// what is sent, here some megabytes, they cannot be told from clients that read, and may stay until their token is over.
func (r *round) seeOff(ctx context.Context, n *node, frozen <-chan *raw) error {
	since := map[*raw]time.Time{}
	defer func() {
		for c := range since {
			reset(c.TCPConn)
		}
	}()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for more := true; more || len(since) > 0; {
		taken := frozen
		if len(since) >= frozenAtOnce {
			taken = nil
		}
		select {
		case c, ok := <-taken:
			if more = ok; ok {
				since[c] = time.Now()
			} else {
				frozen = nil
			}
			continue
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		open, err := n.peers()
		if err != nil {
			return err
		}
		for c, began := range since {
			switch age := time.Since(began); {
			case c.events && age < diesAfter, !c.events && open[c.port] && age < closedWithin:
				continue
			case !c.events && open[c.port]:
				r.violated("a client that froze is still there after %s", closedWithin)
			}
			r.count("clients that froze", 1)
			reset(c.TCPConn)
			delete(since, c)
		}
	}
	return nil
}

// ownAnswers gives an answer of a person that is being written, always.
func (r *round) ownAnswers(ctx context.Context, p *person) (func() string, error) {
	bot, err := p.newBot(ctx)
	if err != nil {
		return nil, err
	}
	const words = wordsOfPiece * 1_000
	var mu sync.Mutex
	var answer string
	var until time.Time
	renew := func() error {
		name := fmt.Sprintf("v%d", time.Now().UnixNano())
		s, err := p.send(ctx, bot, "", name, countTo(name, words))
		answer, until = s.Answer, time.Now().Add(words/wordsOfPiece*piecePace/2)
		return err
	}
	if err := renew(); err != nil {
		return nil, err
	}
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		if time.Now().After(until) {
			_ = renew() // else the former one, which has ended, serves
		}
		return answer
	}, nil
}
