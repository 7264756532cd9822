package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"kyrochat/client"
	"kyrochat/internal/gemini"
	"kyrochat/internal/pinecone"
)

// soak has people do everything at once for a long time, while two in a hundred calls of the upstreams fail, connections
// are reset and, where there are two, a server dies now and then: nothing fails but with UNAVAILABLE, and what the servers
// use stays as it is.
var soak = scenario{
	name:    "soak",
	promise: "with 2 % faults no request fails but as UNAVAILABLE, and memory, goroutines and descriptors stay as they are",
	setups:  []setup{onSQLite, onOne, onNodes},
	short:   size{people: 6, kills: 1, length: 12 * time.Second},
	long:    size{people: 8, kills: 10, length: time.Hour},
	settings: map[string]string{"KYRO_USER_MAX_DOCUMENTS": "0", "KYRO_MAX_UNFINISHED_DOCUMENTS": "0", "KYRO_WS_MAX_SOCKETS": "1000",
		"KYRO_ANSWER_FIRST_BYTE_TIMEOUT": "10s"},
	play: playSoak,
}

const (
	faulty     = 50 // one of so many goes wrong
	keptTexts  = 5  // documents that somebody has at most
	soakSlack  = 150
	settleTime = 45 * time.Second // until what the load has left behind is gone; sockets whose client vanished are pinged for 35 s
)

func playSoak(ctx context.Context, r *round) error {
	var crew []*dweller
	for i := range r.size.people {
		d, err := r.newDweller(ctx, fmt.Sprintf("dweller-%d", i))
		if err != nil {
			return err
		}
		crew = append(crew, d)
	}
	if err := r.pinecone.Script(pinecone.Script{Seed: r.seed, Faults: []pinecone.Fault{{Share: 1.0 / faulty, Code: "Unavailable"}}}); err != nil {
		return err
	}
	m := newMeter(r, max(250*time.Millisecond, r.size.length/240))
	before := m.look(ctx)
	soaking, stop := context.WithTimeout(ctx, r.size.length)
	defer stop()
	var working sync.WaitGroup
	for _, d := range crew {
		working.Go(func() {
			for soaking.Err() == nil {
				d.live(ctx, soaking, m)
				_ = pause(soaking, d.dice.between(20*time.Millisecond, 200*time.Millisecond))
			}
		})
	}
	working.Go(func() { m.run(soaking) })
	working.Go(func() { r.disturb(soaking) })
	var killed error
	if r.setup == onNodes {
		working.Go(func() { killed = r.killNow(ctx, soaking) })
	}
	working.Wait()
	if killed != nil {
		return killed
	}
	for _, n := range r.nodes {
		if err := n.becomes(ctx, http.StatusOK, startPatience); err != nil {
			return err
		}
	}
	r.say("the load has ended; waiting for what it left behind to go")
	for _, d := range crew {
		d.calls.CloseIdleConnections()
	}
	var after []usage
	_ = await(ctx, settleTime, func() bool {
		after = m.look(ctx)
		_ = pause(ctx, time.Second)
		return settled(before, after) == ""
	})
	if left := settled(before, after); left != "" {
		r.violated("after the load: %s", left)
	}
	m.tell(before, after)
	if r.plot != "" {
		return m.draw(r.plot)
	}
	return nil
}

// settled says what a server still uses much more of than before the load; "" for nothing. Some pools fill themselves on
// the way.
func settled(before, after []usage) string {
	for i := range after {
		switch {
		case after[i].err != nil:
			return after[i].err.Error()
		case after[i].goroutines > before[i].goroutines+soakSlack:
			return fmt.Sprintf("node %d has %d goroutines, before it had %d", i+1, after[i].goroutines, before[i].goroutines)
		case after[i].files > before[i].files+soakSlack:
			return fmt.Sprintf("node %d has %d descriptors open, before it had %d", i+1, after[i].files, before[i].files)
		}
	}
	return ""
}

// disturb resets connections of a link at a time, by chance.
func (r *round) disturb(ctx context.Context) {
	links := []*link{r.model, r.vectors, r.mails}
	if r.database != nil {
		links = append(links, r.database, r.cache)
	}
	every := min(30*time.Second, r.size.length/4)
	for pause(ctx, r.dice.between(every/2, every)) == nil {
		links[r.dice.n(len(links))].cut()
		r.count("times that connections were reset", 1)
	}
}

// killNow kills a server at a time, so many times over the whole, and starts it again.
func (r *round) killNow(ctx, soaking context.Context) error {
	every := r.size.length / time.Duration(r.size.kills+1)
	for range r.size.kills {
		if pause(soaking, every) != nil {
			return nil //nolint:nilerr // the soak is over
		}
		n := r.nodes[r.dice.n(len(r.nodes))]
		n.kill()
		if err := n.start(ctx); err != nil {
			return err
		}
		r.count("kills of a server", 1)
	}
	return nil
}

// dweller is a person who does all kinds of things.
type dweller struct {
	*person
	round        *round
	bot          string
	conversation string
	texts        []string
	said         int
}

func (r *round) newDweller(ctx context.Context, name string) (*dweller, error) {
	p, err := r.newPerson(ctx, name)
	if err != nil {
		return nil, err
	}
	d := &dweller{person: p, round: r}
	if d.bot, err = p.newBot(ctx); err != nil {
		return nil, err
	}
	var in struct {
		LogIn struct{ AccessToken, RefreshToken string }
	}
	if err := p.ask(ctx, logIn, credentials(name), &in); err != nil {
		return nil, err
	}
	p.use(in.LogIn.AccessToken, in.LogIn.RefreshToken)
	return d, nil
}

// live does one thing. ctx ends what takes too long, soaking tells not to begin again.
func (d *dweller) live(ctx, soaking context.Context, m *meter) {
	switch n := d.dice.n(100); {
	case n < 45:
		d.talk(ctx, soaking, m, false)
	case n < 55:
		d.talk(ctx, soaking, m, true)
	case n < 75:
		d.do(ctx, soaking, m, "query", func(ctx context.Context, c *client.Client) error {
			return c.Do(ctx, `{ viewer { id bots(first: 5) { nodes { id name conversations(last: 3) { nodes { title messages(last: 5) { nodes { id text } } } } } } } }`, nil, nil)
		})
	case n < 80:
		d.do(ctx, soaking, m, "search", func(ctx context.Context, c *client.Client) error {
			return c.Do(ctx, `query($id: ID!) { bot(id: $id) { search(query: "Who keeps the lighthouse?", first: 3) { score } } }`, map[string]any{"id": d.bot}, nil)
		})
	case n < 95:
		d.write(ctx, soaking, m)
	default:
		d.do(ctx, soaking, m, "refresh", func(ctx context.Context, c *client.Client) error {
			a := &asker{person: d.person}
			err := a.goOn(ctx, c)
			return err
		})
	}
}

// do does something until it is done, at one server after another, and notes what came of each try.
func (d *dweller) do(ctx, soaking context.Context, m *meter, what string, try func(ctx context.Context, c *client.Client) error) bool {
	for {
		asking, cancel := context.WithTimeout(ctx, askPatience)
		began := time.Now()
		err := try(asking, d.any())
		cancel()
		m.done(what, time.Since(began), err)
		if err == nil || soaking.Err() != nil || !passing(err) {
			return err == nil
		}
		if pause(soaking, d.dice.between(retryFrom, retryTo)) != nil {
			return false
		}
	}
}

// talk sends a message and reads its answer to the end, or vanishes in the middle of it.
func (d *dweller) talk(ctx, soaking context.Context, m *meter, vanish bool) {
	if d.dice.n(faulty) == 0 {
		d.round.gemini.Script(d.trouble())
		d.round.count("answers that the model made go wrong", 1)
	}
	if d.said%20 == 0 {
		d.conversation = ""
	}
	d.said++
	input := map[string]any{"text": fmt.Sprintf("Who keeps lighthouse %d of %s?", d.said, d.name), "clientMessageId": fmt.Sprintf("%s-%d", d.name, d.said)}
	if d.conversation == "" {
		input["botId"] = d.bot
	} else {
		input["conversationId"] = d.conversation
	}
	var got struct {
		SendMessage struct {
			Conversation, BotMessage *struct{ ID string }
			Errors                   []problem
		}
	}
	if !d.do(ctx, soaking, m, "send", func(ctx context.Context, c *client.Client) error {
		return c.Do(ctx, send, map[string]any{"i": input}, &got)
	}) || got.SendMessage.BotMessage == nil {
		return // with LIMIT_REACHED, while three answers are waited for
	}
	d.conversation = got.SendMessage.Conversation.ID
	answer := map[string]any{"id": got.SendMessage.BotMessage.ID}
	if vanish {
		d.vanish(ctx, answer)
		d.round.count("readers that vanished", 1)
		return
	}
	d.do(ctx, soaking, m, "stream", func(ctx context.Context, c *client.Client) error {
		ctx, cancel := context.WithTimeout(ctx, finalWithin)
		defer cancel()
		for raw, err := range c.Subscribe(ctx, follows, answer) {
			if err != nil {
				return err
			}
			var event struct {
				MessageStream struct {
					Typename string `json:"__typename"`
					Message  ending
				}
			}
			if err := json.Unmarshal(raw, &event); err != nil {
				return err
			}
			if event.MessageStream.Typename == "MessageFinished" {
				m.ended(event.MessageStream.Message)
				return nil
			}
		}
		return errors.New("a stream ended without a finish")
	})
}

// trouble is how an answer of the model goes wrong, once.
func (d *dweller) trouble() gemini.Script {
	all := []gemini.Script{
		{Kind: gemini.KindAnswer, Status: http.StatusServiceUnavailable}, {Kind: gemini.KindAnswer, After: 2, Then: gemini.Cut},
		{Kind: gemini.KindEmbed, Status: http.StatusInternalServerError}, {Kind: gemini.KindAnswer, After: 1, Then: gemini.Break},
	}
	script := all[d.dice.n(len(all))]
	script.Times = 1
	return script
}

// vanish follows an answer, and resets the connection at the first event.
func (d *dweller) vanish(ctx context.Context, answer map[string]any) {
	var mu sync.Mutex
	var conns []net.Conn
	calls := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err == nil {
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
		}
		return conn, err
	}}
	defer calls.CloseIdleConnections()
	c, err := client.New(d.round.nodes[d.dice.n(len(d.round.nodes))].url(), client.Options{Token: d.session.access(), HTTPClient: &http.Client{Transport: calls}})
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	for range c.Subscribe(ctx, follows, answer) {
		mu.Lock()
		for _, conn := range conns {
			reset(conn)
		}
		mu.Unlock()
		cancel()
	}
}

// write adds a document, and deletes the oldest of too many.
func (d *dweller) write(ctx, soaking context.Context, m *meter) {
	if len(d.texts) >= keptTexts {
		id := d.texts[0]
		if d.do(ctx, soaking, m, "delete", func(ctx context.Context, c *client.Client) error {
			err := c.Do(ctx, `mutation($i: DeleteDocumentInput!) { deleteDocument(input: $i) { deletedId } }`, map[string]any{"i": map[string]any{"documentId": id}}, nil)
			if client.Code(err) == "NOT_FOUND" { // by a try whose answer was lost
				return nil
			}
			return err
		}) {
			d.texts = d.texts[1:]
		}
		return
	}
	d.said++
	text := strings.Repeat(fmt.Sprintf("Lighthouse %d of %s has a keeper who is called Tomma. ", d.said, d.name), 20)
	input := map[string]any{"botId": d.bot, "title": fmt.Sprintf("Text %d", d.said), "text": text}
	var got struct {
		AddTextDocument struct{ Document *struct{ ID string } }
	}
	if d.do(ctx, soaking, m, "add", func(ctx context.Context, c *client.Client) error {
		return c.Do(ctx, addText, map[string]any{"i": input}, &got)
	}) && got.AddTextDocument.Document != nil && !slices.Contains(d.texts, got.AddTextDocument.Document.ID) {
		d.texts = append(d.texts, got.AddTextDocument.Document.ID)
	}
}

// outcome names what came of a try, and says whether it may come of one.
func outcome(err error) (name string, allowed bool) {
	var payload undone
	switch code := client.Code(err); {
	case err == nil:
		return "", true
	case errors.As(err, &payload):
		return payload.problems[0].Code, false
	case code != "":
		return code, code == "UNAVAILABLE"
	}
	if status, ok := errors.AsType[*client.StatusError](err); ok {
		return fmt.Sprintf("status %d", status.Status), status.Status == http.StatusServiceUnavailable
	}
	if closed, ok := errors.AsType[*client.CloseError](err); ok {
		return fmt.Sprintf("close code %d", closed.Code), true
	}
	return "broken connections", true
}

// words are counts by their names.
func words(counts map[string]int) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, fmt.Sprintf("%d %s", counts[name], name))
	}
	return strings.Join(list, ", ")
}
