package program

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kyrochat/internal/testdb"
)

const conversationEvents = `subscription($c: ID!, $a: StreamCursor) { conversationEvents(conversationId: $c, after: $a) { __typename
	... on MessageAdded { seq cursor message { ...it } } ... on MessageChanged { seq cursor message { ...it } }
	... on ConversationChanged { seq cursor conversation { id title archived messageCount } } ... on ConversationResync { seq cursor conversation { id title } } } }
	fragment it on Message { id role status text clientMessageId parent { id } siblings { id } citations { quote document { title } } conversation { id title messageCount } }`

// tab is one window of a person's browser that follows a conversation.
type tab struct {
	t      *testing.T
	events chan *reply
	end    chan error
	shut   func()
	seq    float64
	seen   []string
	cursor []any
}

// open follows in the background until the tab is shut or the test ends.
func (p *person) open(conversation string, after any) *tab {
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	c := &tab{t: p.t, events: make(chan *reply, 1_000), end: make(chan error, 1)}
	api := p.api()
	var reading sync.WaitGroup
	reading.Go(func() {
		for raw, err := range api.Subscribe(ctx, conversationEvents, vars{"c": conversation, "a": after}) {
			event := &reply{t: p.t, body: raw, tree: map[string]any{}}
			if err == nil {
				var data map[string]any
				err = json.Unmarshal(raw, &data)
				event.tree["data"] = data
			}
			if err != nil {
				c.end <- err
				return
			}
			c.events <- event
		}
	})
	c.shut = func() { cancel(); reading.Wait() }
	p.t.Cleanup(c.shut)
	return c
}

// next is the next event, said in a few words.
func (c *tab) next() (said string, event *reply) {
	c.t.Helper()
	select {
	case event = <-c.events:
	case err := <-c.end:
		c.t.Fatalf("the stream ended with %v after %q", err, c.seen)
	case <-time.After(patience):
		c.t.Fatalf("nothing comes after %q", c.seen)
	}
	const at = "conversationEvents."
	kind := event.text(at + "__typename")
	if strings.HasPrefix(kind, "Message") {
		said = kind + " " + event.text(at+"message.id") + " " + event.text(at+"message.status")
	} else {
		said = kind + " " + event.text(at+"conversation.title")
	}
	if seq := event.number(at + "seq"); seq <= c.seq && kind != "ConversationResync" {
		c.t.Errorf("%s has seq %g after %g", said, seq, c.seq)
	} else {
		c.seq = seq
	}
	c.seen, c.cursor = append(c.seen, said), append(c.cursor, event.get(at+"cursor"))
	return said, event
}

// until takes events up to the one that is awaited, by the end of what it says.
func (c *tab) until(awaited string) *reply {
	c.t.Helper()
	for {
		if said, event := c.next(); strings.HasSuffix(said, awaited) {
			return event
		}
	}
}

// ended is the error that ends the stream.
func (c *tab) ended() string {
	c.t.Helper()
	for {
		select {
		case <-c.events:
		case err := <-c.end:
			return err.Error()
		case <-time.After(patience):
			c.t.Fatal("the stream does not end")
		}
	}
}

// told is what every tab is told of, however many states it sees: what is new in its order, and the last state of each
// message.
func (c *tab) told() (told []string, states map[string]string) {
	states = map[string]string{}
	for _, said := range c.seen {
		words := strings.Fields(said)
		if strings.HasPrefix(said, "Message") {
			states[words[1]] = words[2]
			said = words[0] + " " + words[1]
		}
		if words[0] != "MessageChanged" {
			told = append(told, said)
		}
	}
	return told, states
}

func TestConversationEvents(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		bot := p.newBot()
		p.know(bot, "Tea Book", teaText)
		conversation := p.must(`mutation($b: ID!) { createConversation(input: {botId: $b}) { conversation { id } errors { code } } }`, vars{"b": bot}).text("createConversation.conversation.id")
		rename := func(title string) {
			p.must(`mutation($c: ID!, $t: String!) { updateConversation(input: {conversationId: $c, title: $t}) { conversation { id } errors { code } } }`, vars{"c": conversation, "t": title})
		}
		regenerate := func(message string) string {
			return p.must(`mutation($m: ID!, $k: String!) { regenerateMessage(input: {messageId: $m, clientMessageId: $k}) { botMessage { id } errors { code } } }`,
				vars{"m": message, "k": newKey()}).text("regenerateMessage.botMessage.id")
		}
		desk, phone := p.open(conversation, nil), p.open(conversation, nil)
		tabs := []*tab{desk, phone}
		for _, c := range tabs {
			c.until("ConversationResync New conversation")
		}

		const title = "Who founded the tea house on Pepper Lane?"
		sent := p.send(vars{"conversationId": conversation, "text": title, "key": "hello-1"})
		question, answer := sent.text("sendMessage.userMessage.id"), sent.text("sendMessage.botMessage.id")
		for _, c := range tabs {
			added := c.until("MessageAdded " + question + " COMPLETED")
			if added.text("conversationEvents.message.text") != title || added.text("conversationEvents.message.clientMessageId") != "hello-1" {
				t.Errorf("%s", added.body)
			}
			done := c.until(answer + " COMPLETED")
			if !strings.Contains(done.text("conversationEvents.message.text"), "Ottilie Brandt") || done.text("conversationEvents.message.citations.0.document.title") != "Tea Book" ||
				done.text("conversationEvents.message.parent.id") != question || done.text("conversationEvents.message.conversation.title") != title ||
				done.number("conversationEvents.message.conversation.messageCount") != 2 {
				t.Errorf("%s", done.body)
			}
		}
		rename("Tea")
		for _, c := range tabs {
			c.until("ConversationChanged Tea")
		}
		newer := regenerate(answer)
		for _, c := range tabs {
			if old := c.until("MessageChanged " + answer + " COMPLETED"); len(old.list("conversationEvents.message.siblings")) != 2 {
				t.Errorf("%s", old.body)
			}
			c.until(newer + " COMPLETED")
		}
		p.must(`mutation($c: ID!) { updateConversation(input: {conversationId: $c, archived: true}) { conversation { id } errors { code } } }`, vars{"c": conversation})
		for _, c := range tabs {
			c.until("ConversationChanged Tea")
		}
		rename("Tea") // changes nothing, and is not told
		rename("The end")
		for _, c := range tabs {
			if last := c.until("ConversationChanged The end"); last.get("conversationEvents.conversation.archived") != true {
				t.Errorf("%s", last.body)
			}
		}
		one, states := desk.told()
		if other, others := phone.told(); !slices.Equal(one, other) || fmt.Sprint(states) != fmt.Sprint(others) {
			t.Errorf("one tab was told %q and %v, the other %q and %v", one, states, other, others)
		}
		want := []string{"ConversationResync New conversation", "MessageAdded " + question, "MessageAdded " + answer, "ConversationChanged " + title,
			"ConversationChanged Tea", "MessageAdded " + newer, "ConversationChanged Tea", "ConversationChanged The end"}
		if !slices.Equal(one, want) {
			t.Errorf("told %q, want %q", one, want)
		}

		// From every place a client comes back to exactly the rest, also to places of the time when more was told.
		whole := p.open(conversation, cursorAt(conversation, 0, 0))
		whole.until("ConversationChanged The end")
		for i, cursor := range whole.cursor[:len(whole.cursor)-1] {
			back := p.open(conversation, cursor)
			back.until("ConversationChanged The end")
			if !slices.Equal(back.seen, whole.seen[i+1:]) {
				t.Errorf("after event %d: %q, want %q", i, back.seen, whole.seen[i+1:])
			}
			back.shut()
		}
		for i, cursor := range desk.cursor[:len(desk.cursor)-1] {
			back := p.open(conversation, cursor)
			back.until("ConversationChanged The end")
			_, known := (&tab{seen: slices.Concat(desk.seen[:i+1], back.seen)}).told()
			if fmt.Sprint(known) != fmt.Sprint(states) || slices.Contains(back.seen, "ConversationResync The end") {
				t.Errorf("back after %q: %q, and then knows %v, want %v", desk.seen[:i+1], back.seen, known, states)
			}
			back.shut()
		}
		late := p.open(conversation, desk.cursor[len(desk.cursor)-1])
		rename("Afterwards")
		if said, _ := late.next(); said != "ConversationChanged Afterwards" {
			t.Errorf("after all of it: %q", said)
		}

		// Who was away for too long is told to read again.
		for range 60 {
			var many strings.Builder
			for i := range 5 {
				fmt.Fprintf(&many, `m%d: updateConversation(input: {conversationId: "%s", title: "%s"}) { errors { code } } `, i, conversation, newKey())
			}
			p.must("mutation { "+many.String()+" }", nil)
		}
		rename("Long after")
		stale := p.open(conversation, desk.cursor[0])
		if said, _ := stale.next(); said != "ConversationResync Long after" {
			t.Errorf("300 changes behind: %q", said)
		}

		stranger := s.signUp(t)
		if end := stranger.open(conversation, nil).ended(); !strings.Contains(end, "NOT_FOUND") || strings.ReplaceAll(end, conversation, "conv_999999") != stranger.open("conv_999999", nil).ended() {
			t.Errorf("a stranger: %s", end)
		}
		if end := p.open(conversation, cursorAt(answer, 1, 1)).ended(); !strings.Contains(end, "BAD_USER_INPUT") {
			t.Errorf("the cursor of another stream: %s", end)
		}
		p.must(`mutation($c: ID!) { deleteConversation(input: {conversationId: $c}) { deletedId errors { code } } }`, vars{"c": conversation})
		for _, c := range append(tabs, stale) {
			if end := c.ended(); !strings.Contains(end, "NOT_FOUND") {
				t.Errorf("after the deletion: %s", end)
			}
		}
	})
}

// TestConversationEventsOfOtherNodes: what one server does is told on another that shares nothing but the database.
func TestConversationEventsOfOtherNodes(t *testing.T) {
	t.Parallel()
	database := testdb.PostgresURL(t)
	here := startServer(t, map[string]string{"DATABASE_URL": database, "KYRO_OFFLINE_PACE": "300ms"})
	there := startServer(t, map[string]string{"DATABASE_URL": database, "KYRO_DATA_DIR": here.env["KYRO_DATA_DIR"]}) // where the secret is
	p := here.signUp(t)
	away := &person{t: t, s: there, token: p.token, email: p.email}
	bot := p.newBot()
	p.know(bot, "Rules", longAnswer)
	sent := p.send(vars{"botId": bot, "text": "What do the harbour rules of Lindau say about lamps?"})
	conversation, answer := sent.text("sendMessage.conversation.id"), sent.text("sendMessage.botMessage.id")
	c := away.open(conversation, cursorAt(conversation, 0, 0))
	c.until(answer + " STREAMING")
	p.must(`mutation($m: ID!) { stopMessage(input: {messageId: $m}) { message { id } errors { code } } }`, vars{"m": answer})
	c.until("MessageChanged " + answer + " STOPPED")
	last := c.cursor[len(c.cursor)-1]
	c.shut()
	next := away.send(vars{"conversationId": conversation, "text": "And the seventh lamp of Lindau?"})
	back := p.open(conversation, last)
	back.until("MessageAdded " + next.text("sendMessage.userMessage.id") + " COMPLETED")
	back.until(next.text("sendMessage.botMessage.id") + " COMPLETED")
}
