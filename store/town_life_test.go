package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"kyrochat/answer"
	"kyrochat/kyro"
)

// TestManyNodes lets people do everything at once, on three nodes that freeze, thaw, go and come. Nothing is lost or
// doubled, there is no deadlock, every answer ends, and whoever follows it or its conversation knows in the end
// what is stored.
func TestManyNodes(t *testing.T) {
	t.Parallel()
	w := newTown(t, 3)
	bot, doomed := w.bot(t, w.viewer.UserID, "Bot", start), w.bot(t, w.viewer.UserID, "Doomed", start)
	w.document(t, bot, w.viewer.UserID, 1) // whose chunk is what the answers cite
	var talks []kyro.ID                    // the last two are deleted, one with its bot
	for i := range 10 {
		c := kyro.Conversation{BotID: bot, UserID: w.viewer.UserID, LastMessageAt: start, CreatedAt: start, UpdatedAt: start}
		if i == 9 {
			c.BotID = doomed
		}
		c, err := w.CreateConversation(t.Context(), c)
		fine(t, err)
		talks = append(talks, c.ID)
	}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	var clients []*client
	var following, living sync.WaitGroup
	for i := range 2 * len(talks) {
		c := &client{town: w, id: talks[i/2]}
		clients = append(clients, c)
		following.Go(func() {
			for ctx.Err() == nil && !c.gone {
				left := 1 + rand.IntN(20)
				c.follow(ctx, w.anyone(), func(int64) bool { left--; return left == 0 })
			}
		})
	}

	over := time.Now().Add(3000 * time.Millisecond)
	for i := range 16 {
		p := &busyPerson{town: w, name: fmt.Sprint("p", i), sent: map[string]kyro.ID{}}
		living.Go(func() {
			for n := 0; time.Now().Before(over); n++ {
				p.act(talks[rand.IntN(len(talks))], fmt.Sprint(p.name, "-", n))
			}
			p.reading.Wait()
		})
	}
	living.Go(func() {
		for range 2 {
			time.Sleep(200 * time.Millisecond)
			w.anyone().freeze(1300 * time.Millisecond)
		}
	})
	living.Go(func() {
		for i := range 3 {
			time.Sleep(600 * time.Millisecond)
			w.replace(i, fmt.Sprint("n", i, "-later"))
		}
	})
	living.Go(func() {
		time.Sleep(time.Second)
		w.told("deleting a conversation", w.DeleteConversation(t.Context(), w.viewer.UserID, talks[8], start))
		w.told("deleting a bot", w.DeleteBot(t.Context(), w.viewer.UserID, doomed, start))
	})
	living.Wait()
	w.waitFor("answers to end", "SELECT count(*) FROM messages WHERE status IN ('PENDING', 'RETRIEVING', 'STREAMING')")

	end()
	following.Wait()

	for i, talk := range talks {
		of := clients[2*i : 2*i+2]
		if i >= 8 {
			for _, c := range of {
				if c.goesOn(1 << 60); !c.gone {
					t.Errorf("%s is still followed", talk)
				}
			}
			continue
		}
		f, err := w.FollowedConversation(t.Context(), w.viewer.UserID, talk)
		fine(t, err)
		stored := w.stored(w.nodes[0], talk)
		last := f.Changed
		for _, m := range stored {
			last = max(last, int64(w.number(t, fmt.Sprint("SELECT changed FROM messages WHERE id = ", m.ID.Key))))
			w.wroteAlone(m)
		}
		for _, c := range of {
			c.comesBack(last, stored, f)
		}
	}
	w.none("questions have no answer, or several", "SELECT count(*) FROM messages AS q WHERE q.role = 'USER' AND"+
		" (SELECT count(*) FROM messages AS a WHERE a.parent_id = q.id AND NOT a.superseded) <> 1")
	for _, n := range w.nodes {
		n.halt()
		fine(t, n.pools.Close()) // which is when the server adds up what happened on its connections
	}
	w.none("deadlocks", "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
}

// wroteAlone sees that an answer is what its attempt wrote, and cites it once.
func (w *town) wroteAlone(m kyro.Message) {
	w.mu.Lock()
	owner := w.begun[fmt.Sprint(m.ID, ".", m.Attempt)]
	w.mu.Unlock()
	if m.Role == kyro.RoleBot && m.Text != "" && (strings.Count(m.Text, "By ") != 1 || !strings.HasPrefix(m.Text, "By "+owner+",")) {
		w.t.Errorf("attempt %d at %s is of %s, and holds %q", m.Attempt, m.ID, owner, m.Text)
	}
	if m.Status == kyro.MessageCompleted && len(m.Citations) != strings.Count(m.Text, "[1]") {
		w.t.Errorf("%s has %d citations: %q", m.ID, len(m.Citations), m.Text)
	}
}

// waitFor waits until the count is 0.
func (w *town) waitFor(what, query string) {
	for hung := time.Now().Add(5 * time.Minute); w.number(w.t, query) > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(hung) {
			w.t.Fatalf("waited for %s", what)
		}
	}
}

func (w *town) none(what, query string) {
	if n := w.number(w.t, query); n > 0 {
		w.t.Errorf("%d %s", n, what)
	}
}

// told checks what a person is told.
func (w *town) told(what string, err error) (ok bool) {
	switch kyro.ErrorCode(err) {
	case kyro.CodeLimitReached, kyro.CodeConflict, kyro.CodeNotFound:
		return false
	case kyro.CodeUnavailable: // of a node that goes
		if strings.Contains(err.Error(), "restarting") {
			return false
		}
	}
	if err != nil {
		w.t.Errorf("%s: %v", what, err)
	}
	return err == nil
}

// busyPerson does one thing after another.
type busyPerson struct {
	*town
	name    string
	sent    map[string]kyro.ID // answers by the clientMessageId
	answers []kyro.ID
	reading sync.WaitGroup
}

func (p *busyPerson) act(talk kyro.ID, key string) {
	ctx, n := p.t.Context(), p.anyone()
	var some kyro.ID
	if n := len(p.answers); n > 0 {
		some = p.answers[n-1-rand.IntN(min(n, 4))]
	}
	switch what := rand.IntN(10); {
	case what < 5 || some.IsZero():
		for range 1 + rand.IntN(2) { // again, on any node
			turn, err := p.anyone().Send(ctx, p.viewer, answer.SendInput{ConversationID: talk, Text: "Say " + key, ClientMessageID: key})
			if !p.told("sending", err) {
				continue
			}
			if first, again := p.sent[key]; again && first != turn.Bot.ID {
				p.t.Errorf("%s has two answers: %s and %s", key, first, turn.Bot.ID)
			} else if !again {
				p.reading.Go(func() { p.read(turn.Bot.ID) })
			}
			p.sent[key], p.answers = turn.Bot.ID, append(p.answers, turn.Bot.ID)
		}
	case what < 7:
		_, err := n.Stop(ctx, p.viewer, some)
		p.told("stopping", err)
	case what < 8:
		if turn, err := n.Regenerate(ctx, p.viewer, some, key); p.told("regenerating", err) {
			p.answers = append(p.answers, turn.Bot.ID)
		}
	default:
		_, err := n.UpdateConversation(ctx, p.viewer.UserID, talk, func(c *kyro.Conversation) error {
			c.Title, c.Archived = key, !c.Archived
			return nil
		})
		p.told("renaming", err)
	}
}
