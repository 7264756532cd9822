package store_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"kyrochat/kyro"
)

// client follows a conversation and comes back now and then, to any node. What it knows it is told of, or has read after
// a resync.
type client struct {
	*town
	id     kyro.ID
	view   view
	cursor *kyro.StreamCursor
	places []place // some of those it was at
	gone   bool    // the conversation is no more
}

type view struct {
	messages map[kyro.ID]kyro.Message
	title    string
	archived bool
}

// place is what a client knew at a cursor.
type place struct {
	cursor kyro.StreamCursor
	view   view
}

// follow takes events of a node until enough says so after one, or ctx ends.
func (c *client) follow(ctx context.Context, n *node, enough func(seq int64) bool) {
	first := true
	for event, err := range n.Events(ctx, c.viewer, c.id, c.cursor) {
		if c.gone = kyro.ErrorCode(err) == kyro.CodeNotFound; c.gone || ctx.Err() != nil {
			return
		}
		if err != nil {
			c.t.Errorf("following %s: %v", c.id, err)
			return
		}
		at := event.Place()
		_, again := event.(*kyro.ConversationResync)
		if c.cursor != nil && at.Seq <= c.cursor.Seq && !(again && first) {
			c.t.Errorf("%T has seq %d after %d", event, at.Seq, c.cursor.Seq)
		}
		first, c.cursor = false, &at
		c.take(n, event)
		if rand.IntN(8) == 0 && len(c.places) < 20 {
			c.places = append(c.places, place{at, view{maps.Clone(c.view.messages), c.view.title, c.view.archived}})
		}
		if enough(at.Seq) {
			return
		}
	}
}

func (c *client) take(n *node, event kyro.ConversationEvent) {
	switch e := event.(type) {
	case *kyro.ConversationResync:
		c.view = view{map[kyro.ID]kyro.Message{}, e.Conversation.Title, e.Conversation.Archived}
		for _, m := range c.stored(n, c.id) {
			c.view.messages[m.ID] = m
		}
	case *kyro.ConversationChanged:
		c.view.title, c.view.archived = e.Conversation.Title, e.Conversation.Archived
	case *kyro.MessageAdded:
		for id := range c.view.messages {
			if _, known := c.view.messages[e.Message.ID]; !known && id.Key > e.Message.ID.Key {
				c.t.Errorf("%s was added after %s", e.Message.ID, id)
			}
		}
		c.view.messages[e.Message.ID] = *e.Message
	case *kyro.MessageChanged:
		if _, known := c.view.messages[e.Message.ID]; !known {
			c.t.Errorf("%s changed before it was added", e.Message.ID)
		}
		c.view.messages[e.Message.ID] = *e.Message
	}
}

// stored are the messages of a conversation, as a node reads them.
func (w *town) stored(n *node, conversation kyro.ID) (all []kyro.Message) {
	req := kyro.PageRequest{Order: kyro.MessagesOrder, Limit: kyro.MaxPageSize}
	for {
		p, err := n.MessagePage(context.Background(), w.viewer.UserID, conversation, true, req)
		if all = append(all, p.Nodes...); err != nil || !p.HasNextPage {
			if err != nil {
				w.t.Errorf("reading %s: %v", conversation, err)
			}
			return all
		}
		last, err := kyro.ParseCursor(p.CursorAt(len(p.Nodes) - 1))
		if err != nil {
			w.t.Errorf("reading %s: %v", conversation, err)
			return all
		}
		req.Cursor = &last
	}
}

// knows compares what a client knows with what is stored.
func (c *client) knows(when string, stored []kyro.Message, f kyro.FollowedConversation) {
	if c.view.title != f.Title || c.view.archived != f.Archived || len(c.view.messages) != len(stored) {
		c.t.Errorf("%s: %s with %d messages is known as %q with %d", when, c.id, len(stored), c.view.title, len(c.view.messages))
	}
	for _, m := range stored {
		known := c.view.messages[m.ID]
		if known.Status != m.Status || known.Text != m.Text || known.Superseded != m.Superseded || known.Attempt != m.Attempt ||
			!slices.EqualFunc(known.Citations, m.Citations, func(a, b kyro.Citation) bool { return a.Quote == b.Quote }) {
			c.t.Errorf("%s: %s is known as %+v, it is %+v", when, m.ID, known, m)
		}
	}
}

// goesOn follows any node to a number.
func (c *client) goesOn(last int64) {
	if c.cursor == nil || c.cursor.Seq < last {
		ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
		defer cancel()
		c.follow(ctx, c.anyone(), func(seq int64) bool { return seq >= last })
	}
}

// comesBack lets a client go on from where it is, and from each of the places it was at, to the last change that there is
// to tell of.
func (c *client) comesBack(last int64, stored []kyro.Message, f kyro.FollowedConversation) {
	c.goesOn(last)
	c.knows("in the end", stored, f)
	for _, p := range c.places {
		again := &client{town: c.town, id: c.id, view: p.view, cursor: &p.cursor}
		again.goesOn(last)
		again.knows(fmt.Sprint("from ", p.cursor.Seq), stored, f)
	}
}

// read follows an answer to its end, coming back to any node, and sees that what it shows then is what is stored.
func (w *town) read(id kyro.ID) {
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	var after *kyro.StreamCursor
	var text string
	for {
		left := 1 + rand.IntN(6)
		for event, err := range w.anyone().Follow(ctx, w.viewer, id, after) {
			if err != nil {
				if kyro.ErrorCode(err) != kyro.CodeNotFound {
					w.t.Errorf("reading %s: %v", id, err)
				}
				return
			}
			at := event.Place()
			switch e := event.(type) {
			case *kyro.MessageSnapshot:
				text = e.Message.Text
			case *kyro.MessageDelta:
				if text += e.Text; at.Seq != after.Seq+1 || at.Attempt != after.Attempt && after.Seq > 0 {
					w.t.Errorf("%s: %v follows %v", id, at, *after)
				}
			case *kyro.MessageFinished:
				if text != e.Message.Text || !e.Message.Status.Final() {
					w.t.Errorf("%s is shown as %q and stored as %s %q", id, text, e.Message.Status, e.Message.Text)
				}
				return
			}
			after = &at
			if left--; left == 0 {
				break
			}
		}
	}
}
