package answer_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/answer"
	"kyrochat/kyro"
	"kyrochat/live"
)

// tab is a client that follows a conversation: it notes what it was told, and checks that it may be told that.
type tab struct {
	t      *testing.T
	id     kyro.ID
	mu     sync.Mutex
	cursor *kyro.StreamCursor
	states map[kyro.ID]kyro.MessageStatus // of the messages it knows
	seen   []string
	at     []kyro.StreamCursor
	err    error
	busy   chan struct{} // where set, an event is handled only once something is received
	close  func()
}

// open follows in the background, from the tab's cursor, until close is called or the test ends.
func (c *tab) open(s *answer.Service, v kyro.Viewer) *tab {
	ctx, cancel := context.WithCancel(c.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for event, err := range s.Events(ctx, v, c.id, c.cursor) {
			if err != nil {
				c.err = err
				return
			}
			if c.busy != nil {
				<-c.busy
			}
			c.take(event)
		}
	})
	c.close = func() { cancel(); wg.Wait() }
	c.t.Cleanup(c.close)
	return c
}

func (c *tab) take(event kyro.ConversationEvent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.states == nil {
		c.states = map[kyro.ID]kyro.MessageStatus{}
	}
	at := event.Place()
	said := func(seq int64, what string) {
		if at.Stream != c.id || at.Seq != seq || c.cursor != nil && seq <= c.cursor.Seq && !strings.HasPrefix(what, "resync") {
			c.t.Errorf("%s has seq %d and the cursor %+v after %+v", what, seq, at, c.cursor)
		}
		c.cursor = &at
		c.seen, c.at = append(c.seen, what), append(c.at, at)
	}
	switch e := event.(type) {
	case *kyro.MessageAdded:
		if _, known := c.states[e.Message.ID]; known {
			c.t.Errorf("%s was added twice", e.Message.ID)
		}
		c.states[e.Message.ID] = e.Message.Status
		said(e.Seq, fmt.Sprintf("+%s %s", e.Message.ID, e.Message.Status))
	case *kyro.MessageChanged:
		c.states[e.Message.ID] = e.Message.Status
		said(e.Seq, fmt.Sprintf("%s %s", e.Message.ID, e.Message.Status))
	case *kyro.ConversationChanged:
		said(e.Seq, "titled "+e.Conversation.Title)
	case *kyro.ConversationResync:
		said(e.Seq, "resync "+e.Conversation.Title)
	}
}

func (c *tab) want(after string, want ...string) {
	c.t.Helper()
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Equal(c.seen, want) {
		c.t.Errorf("after %s: %q, want %q", after, c.seen, want)
	}
	c.seen, c.at = nil, nil
}

// begun is a new conversation in which an answer is being made.
func (w *world) begun(text string) kyro.ID {
	id := w.say(text).Conversation.ID
	time.Sleep(time.Second)
	w.store.settle()
	return id
}

// forget lets the tab note anew what it is told.
func (c *tab) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen, c.at = nil, nil
}

// rest is what a client gets that comes back with a cursor.
func (w *world) rest(at kyro.StreamCursor) ([]string, []kyro.StreamCursor) {
	c := (&tab{t: w.t, id: at.Stream, cursor: &at}).open(w.Service, w.viewer)
	synctest.Wait()
	c.close()
	if c.err != nil && c.err != context.Canceled {
		w.t.Errorf("after %+v: %v", at, c.err)
	}
	return c.seen, c.at
}

func TestTabsAreToldAtOnce(t *testing.T) {
	t.Parallel()
	inWorld(t, echo(time.Second), func(t *testing.T, w *world) {
		began := time.Now()
		hold := w.say("Hi")
		id, reply := hold.Conversation.ID, hold.Bot.ID.String()
		synctest.Wait()
		w.store.settle()
		one, other := (&tab{t: t, id: id}).open(w.Service, w.viewer), (&tab{t: t, id: id}).open(w.Service, w.viewer)
		one.want("the start", "resync Hi")
		other.want("the start", "resync Hi")
		if time.Since(began) != 0 {
			t.Fatal("the test is not at the beginning any more")
		}
		w.final(hold.Bot.ID)
		for _, c := range []*tab{one, other} {
			c.want("the answer", reply+" STREAMING", reply+" COMPLETED")
		}
		next := w.say("And?", id)
		synctest.Wait()
		for _, c := range []*tab{one, other} {
			if c.seen[0] != "+"+next.User.ID.String()+" COMPLETED" || c.states[next.Bot.ID] != kyro.MessageRetrieving {
				t.Errorf("after the next question: %q", c.seen)
			}
		}
		if _, err := w.Stop(t.Context(), w.viewer, next.Bot.ID); err != nil {
			t.Fatal(err)
		}
		again, err := w.Regenerate(t.Context(), w.viewer, next.Bot.ID, "again")
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for _, c := range []*tab{one, other} {
			if c.states[again.Bot.ID] != kyro.MessageRetrieving || c.states[next.Bot.ID] != kyro.MessageStopped {
				t.Errorf("after a stop and another answer: %q", c.seen)
			}
		}
	}, func(c *answer.Config) { c.Exclusive = true })
}

func TestChangesAreFoundWithoutWakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		exclusive bool
		wakes     answer.Wakes
		within    time.Duration
	}{
		{"the only process", true, deaf{false}, 2 * time.Second},
		{"wakes of all processes", false, deaf{true}, 2 * time.Second},
		{"others that cannot be heard", false, deaf{false}, 500 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, silent(), func(t *testing.T, w *world) {
				id := w.begun("Hi")
				follower := (&tab{t: t, id: id}).open(w.Service, w.viewer)
				follower.want("the start", "resync Hi")
				w.store.rename(id, "Tea")
				time.Sleep(c.within - time.Millisecond)
				follower.want("too short a time")
				time.Sleep(time.Millisecond)
				follower.want("the time", "titled Tea")
				w.store.deleteConversation(id)
				time.Sleep(c.within)
				synctest.Wait()
				if kyro.ErrorCode(follower.err) != kyro.CodeNotFound {
					t.Errorf("after the deletion: %v", follower.err)
				}
			}, func(cfg *answer.Config) { cfg.Exclusive, cfg.Wakes = c.exclusive, c.wakes })
		})
	}
}

func TestComingBackGivesTheRest(t *testing.T) {
	t.Parallel()
	inWorld(t, echo(0), func(t *testing.T, w *world) {
		first := w.say("1")
		id := first.Conversation.ID
		w.final(first.Bot.ID)
		for i := range 30 { // more than is read at once
			turn := w.say(fmt.Sprint(i), id)
			if i%3 == 0 {
				w.final(turn.Bot.ID)
			}
			synctest.Wait()
			w.rest(kyro.StreamCursor{Stream: id}) // lets the store number what there is
			if i == 10 {
				w.store.rename(id, "Tea")
			}
			w.final(turn.Bot.ID)
		}
		again, err := w.Regenerate(t.Context(), w.viewer, first.Bot.ID, "again")
		if err != nil {
			t.Fatal(err)
		}
		w.final(again.Bot.ID)

		all, cursors := w.rest(kyro.StreamCursor{Stream: id})
		if n := len(all); n < 64 || !slices.Contains(all, "titled Tea") || all[n-1] != "+"+again.Bot.ID.String()+" COMPLETED" {
			t.Fatalf("%d events: %q", n, all)
		}
		if !slices.IsSortedFunc(cursors, func(a, b kyro.StreamCursor) int { return int(a.Seq - b.Seq) }) {
			t.Errorf("cursors out of order: %v", cursors)
		}
		for i := range all {
			if rest, _ := w.rest(cursors[i]); !slices.Equal(rest, all[i+1:]) {
				t.Fatalf("after event %d: %q, want %q", i, rest, all[i+1:])
			}
		}
	})
}

func TestWhoCannotBeToldTheRestReadsAnew(t *testing.T) {
	t.Parallel()
	inWorld(t, echo(0), func(t *testing.T, w *world) {
		turn := w.say("Hi")
		id := turn.Conversation.ID
		w.final(turn.Bot.ID)
		at := func(attempt, seq int64) kyro.StreamCursor {
			return kyro.StreamCursor{Stream: id, Attempt: attempt, Seq: seq}
		}
		rename := func(times int) {
			for i := range times {
				w.store.rename(id, fmt.Sprint(i))
			}
			w.store.rename(id, "Tea")
		}
		_, cursors := w.rest(at(0, 0))
		place := cursors[len(cursors)-1]
		rename(199)
		if rest, _ := w.rest(place); !slices.Equal(rest, []string{"titled Tea"}) {
			t.Errorf("200 changes behind: %q", rest)
		}
		rename(1)
		for name, cursor := range map[string]kyro.StreamCursor{"201 changes behind": place, "the future": at(0, 1<<40), "of an attempt": at(1, 1)} {
			rest, cursors := w.rest(cursor)
			if !slices.Equal(rest, []string{"resync Tea"}) {
				t.Errorf("%s: %q", name, rest)
			}
			if rest, _ := w.rest(cursors[0]); len(rest) != 0 {
				t.Errorf("%s, after the resync: %q", name, rest)
			}
		}
	})
}

func TestWhoMayFollowAConversation(t *testing.T) {
	t.Parallel()
	inWorld(t, silent(), func(t *testing.T, w *world) {
		id := w.say("Hi").Conversation.ID
		other := w.say("Hi again").Conversation.ID
		stranger := kyro.Viewer{UserID: kyro.UserID(99)}
		for name, c := range map[string]struct {
			viewer kyro.Viewer
			id     kyro.ID
			after  *kyro.StreamCursor
			code   kyro.Code
		}{
			"nobody":                     {kyro.Viewer{}, id, nil, kyro.CodeUnauthenticated},
			"a stranger":                 {stranger, id, nil, kyro.CodeNotFound},
			"a stranger with a cursor":   {stranger, id, &kyro.StreamCursor{Stream: id, Seq: 1}, kyro.CodeNotFound},
			"one that is not there":      {w.viewer, kyro.ConversationID(9999), nil, kyro.CodeNotFound},
			"no conversation":            {w.viewer, kyro.MessageID(1), nil, kyro.CodeBadUserInput},
			"the cursor of another":      {w.viewer, id, &kyro.StreamCursor{Stream: other, Seq: 1}, kyro.CodeBadUserInput},
			"the cursor of some message": {w.viewer, id, &kyro.StreamCursor{Stream: kyro.MessageID(id.Key), Seq: 1}, kyro.CodeBadUserInput},
		} {
			follower := (&tab{t: t, id: c.id, cursor: c.after}).open(w.Service, c.viewer)
			synctest.Wait()
			if kyro.ErrorCode(follower.err) != c.code || len(follower.seen) > 0 {
				t.Errorf("%s: %v after %q", name, follower.err, follower.seen)
			}
		}
	})
}

func TestAStoreThatIsAwayForAWhileEndsNoFollowing(t *testing.T) {
	t.Parallel()
	wakes := new(live.Wakes)
	inWorld(t, silent(), func(t *testing.T, w *world) {
		id := w.begun("Hi")
		follower := (&tab{t: t, id: id}).open(w.Service, w.viewer)
		follower.want("the start", "resync Hi")
		away := kyro.Errorf(kyro.CodeUnavailable, "The database does not answer.")
		w.store.failing(func(call string) error {
			if call == "FollowedConversation" || call == "ChangedMessages" || call == "EventCounts" {
				return away
			}
			return nil
		})
		w.say("Hello?", id)
		time.Sleep(5 * time.Second)
		follower.want("five seconds without a store")
		w.store.failing(nil)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(follower.seen) != 2 || follower.err != nil {
			t.Errorf("once it is back: %q, %v", follower.seen, follower.err)
		}
		follower.forget()
		w.store.failing(func(call string) error { return away })
		time.Sleep(time.Minute)
		follower.want("a minute without a store, in which nothing happens")
		w.store.failing(nil)
		w.store.rename(id, "Tea")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !slices.Contains(follower.seen, "titled Tea") {
			t.Errorf("after it: %q, %v", follower.seen, follower.err)
		}
		w.store.failing(func(call string) error { return away })
		wakes.Wake(id)
		time.Sleep(15 * time.Second)
		synctest.Wait()
		if kyro.ErrorCode(follower.err) != kyro.CodeUnavailable {
			t.Errorf("away for too long where there is something to tell: %v", follower.err)
		}
		w.store.failing(nil)
	}, func(c *answer.Config) { c.Wakes = wakes })
}

// TestSlowTabsSkipStates lets a tab handle one event while much happens: it is told of the last states then.
func TestSlowTabsSkipStates(t *testing.T) {
	t.Parallel()
	inWorld(t, echo(time.Second), func(t *testing.T, w *world) {
		first := w.say("Hi")
		id := first.Conversation.ID
		w.final(first.Bot.ID)
		slow := (&tab{t: t, id: id, busy: make(chan struct{})}).open(w.Service, w.viewer)
		watch := (&tab{t: t, id: id}).open(w.Service, w.viewer)
		synctest.Wait()
		second := w.say("And?", id)
		w.final(second.Bot.ID)
		w.store.rename(id, "Tea")
		close(slow.busy)
		slow.want("the work", "resync Hi", "+"+second.User.ID.String()+" COMPLETED", "+"+second.Bot.ID.String()+" COMPLETED", "titled Tea")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := watch.seen[len(watch.seen)-1]; got != "titled Tea" || len(watch.seen) < 6 {
			t.Errorf("who was there saw %q", watch.seen)
		}
	})
}

// TestOneLooksForAll counts what many quiet tabs ask of the store.
func TestOneLooksForAll(t *testing.T) {
	t.Parallel()
	inWorld(t, echo(0), func(t *testing.T, w *world) {
		var ids []kyro.ID
		var tabs []*tab
		for i := range 40 {
			ids = append(ids, w.begun(fmt.Sprint(i)))
			for range 2 {
				tabs = append(tabs, (&tab{t: t, id: ids[i]}).open(w.Service, w.viewer))
				time.Sleep(110 * time.Millisecond)
			}
		}
		synctest.Wait()
		looks, reads := w.store.count("EventCounts"), w.store.count("FollowedConversation")
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if looks, reads := w.store.count("EventCounts")-looks, w.store.count("FollowedConversation")-reads; looks != 10 || reads != 0 {
			t.Errorf("80 tabs looked %d times in 20 s, and read %d times", looks, reads)
		}
		w.store.rename(ids[7], "Tea")
		w.store.deleteConversation(ids[9])
		time.Sleep(2 * time.Second)
		synctest.Wait()
		for i, c := range tabs {
			titled, gone := c.seen[len(c.seen)-1] == "titled Tea", kyro.ErrorCode(c.err) == kyro.CodeNotFound
			if titled != (i/2 == 7) || gone != (i/2 == 9) {
				t.Errorf("tab %d saw %q and ended with %v", i, c.seen, c.err)
			}
		}
	}, func(c *answer.Config) { c.Exclusive, c.Wakes = true, deaf{} })
}

var _ answer.Wakes = (*live.Wakes)(nil)
