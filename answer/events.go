package answer

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"sync/atomic"
	"time"

	"kyrochat/kyro"
)

// Events follows a conversation of the viewer: every message that is stored, every change of a message's state, and the
// changes of the conversation itself. Without after it begins with a resync, which holds the present cursor: whoever
// reads the messages after it, and then takes the events, misses nothing. With after it goes on behind that cursor, on
// any node. Changes are not kept but marked on the rows: who was away for several changes of one thing is told of the
// last alone, with the seq of that; a message that was added meanwhile is told as added first, in its place. Rows are
// as they are when they are read, so none is told in an older state after a newer one. Where more than 200 numbers were
// missed, or after is not of this conversation's past, there is a resync instead.
//
// An error is the last thing a sequence gives: UNAUTHENTICATED, NOT_FOUND where the conversation is not the viewer's or
// is no more, BAD_USER_INPUT for the cursor of another stream, ctx's own error. After it a reader can come back with its
// last cursor. A sequence keeps nothing but its place and a few rows, so it may be read slowly.
func (s *Service) Events(
	ctx context.Context, viewer kyro.Viewer, conversation kyro.ID, after *kyro.StreamCursor,
) iter.Seq2[kyro.ConversationEvent, error] {
	return func(yield func(kyro.ConversationEvent, error) bool) {
		w := &watcher{cfg: s.cfg, looks: s.looks, viewer: viewer, id: conversation, yield: yield, found: make(chan struct{}, 1)}
		if err := w.run(ctx, after); err != nil && !w.left {
			yield(nil, err)
		}
	}
}

const (
	mostMissed = 200 // numbers that one who comes back is told of; beyond it a resync costs less
	readAtOnce = 20  // messages, whose texts may be long
)

// watcher is one reader of one conversation.
type watcher struct {
	cfg    Config
	looks  *looks
	viewer kyro.Viewer
	id     kyro.ID
	yield  func(kyro.ConversationEvent, error) bool
	left   bool // the reader wants no more

	seq    int64 // the reader was told of all changes up to this number
	placed bool  // seq is a place that the conversation can be told on from
	begun  bool  // the conversation was read

	read  atomic.Int64  // the last number of the conversation when it was read
	found chan struct{} // something, by a look
}

// run tells until the reader leaves or the conversation is no more. It waits only for wakes that come after it has read.
func (w *watcher) run(ctx context.Context, after *kyro.StreamCursor) error {
	if err := w.viewer.MustFor(w.id, kyro.KindConversation, kyro.ScopeRead, kyro.ScopeChat); err != nil {
		return err
	}
	woken, stop := w.cfg.Wakes.Watch(w.id)
	defer stop()
	w.looks.enter(w)
	defer w.looks.leave(w)
	c, err := w.conversation(ctx)
	if err != nil {
		return err
	}
	if err := w.place(after); err != nil {
		return err
	}
	for !w.left {
		for w.seq != c.Events || !w.placed {
			if err := w.tell(ctx, c); err != nil || w.left {
				return err
			}
		}
		if err := w.wait(ctx, woken); err != nil {
			return err
		}
		if c, err = w.conversation(ctx); err != nil {
			return err
		}
	}
	return nil
}

// place takes the reader's word for what it was told, where that can be.
func (w *watcher) place(after *kyro.StreamCursor) error {
	switch {
	case after == nil:
	case after.Stream != w.id:
		return kyro.Errorf(kyro.CodeBadUserInput, "The cursor belongs to another stream, not to %s.", w.id)
	case after.Attempt == 0:
		w.seq, w.placed = after.Seq, true
	}
	return nil
}

// conversation reads the conversation as the viewer may see it now.
func (w *watcher) conversation(ctx context.Context) (kyro.FollowedConversation, error) {
	patience := beginPatience
	if w.begun {
		patience = rowPatience
	}
	c, err := patiently(ctx, patience, func() (kyro.FollowedConversation, error) {
		return w.cfg.Store.FollowedConversation(ctx, w.viewer.UserID, w.id)
	})
	w.begun = w.begun || err == nil
	w.read.Store(c.Events)
	return c, err
}

// wait waits until the conversation is woken, or whoever is on duty finds that it has something new or is no more: what
// other processes do may not wake.
func (w *watcher) wait(ctx context.Context, woken <-chan struct{}) error {
	select {
	case <-woken:
	case <-w.found:
	case w.looks.duty <- struct{}{}:
		defer func() { <-w.looks.duty }()
		return w.lookOut(ctx, woken)
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// lookOut is wait for the one that is on duty.
func (w *watcher) lookOut(ctx context.Context, woken <-chan struct{}) error {
	timer := time.NewTimer(w.interval() - time.Since(w.looks.last))
	defer timer.Stop()
	for {
		select {
		case <-woken:
			return nil
		case <-w.found:
			return nil
		case <-timer.C:
			w.looks.all(ctx)
			timer.Reset(w.interval())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// interval is how often the conversation is looked at.
func (w *watcher) interval() time.Duration {
	if w.cfg.Exclusive || w.cfg.Wakes.Connected() {
		return w.cfg.FollowPoll
	}
	return w.cfg.FollowPollEmpty
}

// news is one thing to tell: that a message was added or has changed, or, without a message, that the conversation has.
type news struct {
	seq     int64
	message *kyro.Message
	added   bool
}

// tell gives what is new up to the conversation's last number, or the beginning of it.
func (w *watcher) tell(ctx context.Context, c kyro.FollowedConversation) error {
	if !w.placed || w.seq > c.Events || c.Events-w.seq > mostMissed {
		w.seq, w.placed = c.Events, true
		w.give(&kyro.ConversationResync{Seq: w.seq, Cursor: w.cursor(w.seq), Conversation: &c.Conversation})
		return nil
	}
	changed, err := patiently(ctx, rowPatience, func() ([]kyro.ChangedMessage, error) {
		return w.cfg.Store.ChangedMessages(ctx, w.viewer.UserID, w.id, w.seq, c.Events, readAtOnce)
	})
	if err != nil {
		return err
	}
	upTo := c.Events
	if len(changed) == readAtOnce {
		if last := changed[len(changed)-1]; last.Added > w.seq {
			upTo = last.Added
		} else {
			upTo = last.Changed
		}
	}
	for _, n := range w.news(c, changed, upTo) {
		if w.give(n.event(c, w.cursor(n.seq))); w.left {
			break
		}
	}
	w.seq = upTo
	return nil
}

// news is what there is to tell of the rows behind the reader's place and up to a number, in the order of the numbers.
// A message's change right behind its coming is left out, since it came in its present state.
func (w *watcher) news(c kyro.FollowedConversation, changed []kyro.ChangedMessage, upTo int64) []news {
	var all []news
	add := func(n news) {
		if n.seq > w.seq && n.seq <= upTo {
			all = append(all, n)
		}
	}
	add(news{seq: c.Changed})
	for i := range changed {
		m := &changed[i]
		add(news{seq: m.Added, message: &m.Message, added: true})
		if m.Changed != m.Added {
			add(news{seq: m.Changed, message: &m.Message})
		}
	}
	slices.SortFunc(all, func(a, b news) int { return cmp.Compare(a.seq, b.seq) })
	told := all[:0]
	for _, n := range all {
		if last := len(told) - 1; last >= 0 && told[last].added && told[last].message == n.message {
			told[last].seq = n.seq
		} else {
			told = append(told, n)
		}
	}
	return told
}

func (n news) event(c kyro.FollowedConversation, at kyro.StreamCursor) kyro.ConversationEvent {
	switch {
	case n.message == nil:
		return &kyro.ConversationChanged{Seq: n.seq, Cursor: at, Conversation: &c.Conversation}
	case n.added:
		return &kyro.MessageAdded{Seq: n.seq, Cursor: at, Message: n.message}
	}
	return &kyro.MessageChanged{Seq: n.seq, Cursor: at, Message: n.message}
}

func (w *watcher) give(e kyro.ConversationEvent) {
	w.left = w.left || !w.yield(e, nil)
}

// cursor names a place in the conversation, which has no attempts.
func (w *watcher) cursor(seq int64) kyro.StreamCursor {
	return kyro.StreamCursor{Stream: w.id, Seq: seq}
}
