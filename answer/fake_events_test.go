package answer_test

import (
	"cmp"
	"context"
	"slices"

	"kyrochat/kyro"
)

// fakeEvents numbers what has changed since somebody last asked, as if it had been numbered when it did.
type fakeEvents struct {
	last    map[kyro.ID]int64 // of each conversation
	titles  map[kyro.ID]string
	changed map[kyro.ID]int64 // conversations
	rows    map[kyro.ID]*numbered
}

type numbered struct {
	status         kyro.MessageStatus
	superseded     bool
	added, changed int64
}

// number is called with the store's mutex held.
func (f *fakeStore) number() {
	e := &f.events
	if e.rows == nil {
		*e = fakeEvents{map[kyro.ID]int64{}, map[kyro.ID]string{}, map[kyro.ID]int64{}, map[kyro.ID]*numbered{}}
	}
	next := func(id kyro.ID) int64 { e.last[id]++; return e.last[id] }
	for _, r := range f.rows {
		n := e.rows[r.ID]
		switch {
		case n == nil:
			n = &numbered{added: next(r.ConversationID)}
			n.changed = n.added
			e.rows[r.ID] = n
		case n.status != r.Status || n.superseded != r.Superseded:
			n.changed = next(r.ConversationID)
		}
		n.status, n.superseded = r.Status, r.Superseded
	}
	for id, c := range f.conversations {
		if before, known := e.titles[id]; known && before != c.Title {
			e.changed[id] = next(id)
		}
		e.titles[id] = c.Title
	}
}

func (f *fakeStore) FollowedConversation(ctx context.Context, user, id kyro.ID) (kyro.FollowedConversation, error) {
	if err := f.enter(ctx, "FollowedConversation"); err != nil {
		return kyro.FollowedConversation{}, err
	}
	defer f.mu.Unlock()
	c := f.conversations[id]
	if c == nil || c.UserID != user || f.deleted[id] {
		return kyro.FollowedConversation{}, kyro.NotFound(kyro.KindConversation)
	}
	f.number()
	return kyro.FollowedConversation{Conversation: *c, Events: f.events.last[id], Changed: f.events.changed[id]}, nil
}

func (f *fakeStore) EventCounts(ctx context.Context, conversations []kyro.ID) (map[kyro.ID]int64, error) {
	if err := f.enter(ctx, "EventCounts"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	f.number()
	counts := map[kyro.ID]int64{}
	for _, id := range conversations {
		if f.conversations[id] != nil && !f.deleted[id] {
			counts[id] = f.events.last[id]
		}
	}
	return counts, nil
}

func (f *fakeStore) ChangedMessages(ctx context.Context, _, conversation kyro.ID, after, upTo int64, limit int) ([]kyro.ChangedMessage, error) {
	if err := f.enter(ctx, "ChangedMessages"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	f.number()
	var changed []kyro.ChangedMessage
	first := func(m kyro.ChangedMessage) int64 {
		if m.Added > after {
			return m.Added
		}
		return m.Changed
	}
	for _, r := range f.rows {
		n := f.events.rows[r.ID]
		m := kyro.ChangedMessage{Message: r.Message, Added: n.added, Changed: n.changed}
		if r.ConversationID == conversation && m.Changed > after && first(m) <= upTo {
			changed = append(changed, m)
		}
	}
	slices.SortFunc(changed, func(a, b kyro.ChangedMessage) int { return cmp.Compare(first(a), first(b)) })
	return changed[:min(limit, len(changed))], nil
}

// settle numbers what has changed by now.
func (f *fakeStore) settle() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.number()
}

// rename gives a conversation another title.
func (f *fakeStore) rename(id kyro.ID, title string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.number()
	f.conversations[id].Title = title
}

// deaf are wakes that never arrive.
type deaf struct{ connected bool }

func (deaf) Wake(kyro.ID)                            {}
func (deaf) Watch(kyro.ID) (<-chan struct{}, func()) { return nil, func() {} }
func (d deaf) Connected() bool                       { return d.connected }
