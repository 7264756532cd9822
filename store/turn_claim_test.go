package store_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/internal/testdb"
	"kyrochat/kyro"
	"kyrochat/store"
)

// saying is a turn that its node would answer at once.
func saying(user, conversation kyro.ID, text string) kyro.NewTurn {
	return kyro.NewTurn{
		SenderID: user, ConversationID: conversation, Title: text, Text: text, ClientMessageID: text, MaxWaiting: 3, Now: start, Owner: "n1", Lease: lease,
	}
}

// Who claims hears of the turn before anybody can see it, and only where there is something to begin.
func TestAnAnswerCanBeBegunBeforeItsTurnIsStored(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, _, id := w.talk(t)
		var begun []kyro.Turn
		save := func(text string) (kyro.Turn, error) {
			turn := saying(user, id, text)
			turn.Begin = func(turn kyro.Turn) {
				begun = append(begun, turn)
				if _, err := w.Message(t.Context(), user, turn.Bot.ID); kyro.ErrorCode(err) != kyro.CodeNotFound {
					t.Errorf("it is there already: %v", err)
				}
			}
			return w.SaveTurn(t.Context(), turn)
		}
		first, err := save("1")
		fine(t, err)
		if len(begun) != 1 || begun[0].Bot.ID != first.Bot.ID || *begun[0].Claim != *first.Claim || begun[0].Job == nil {
			t.Fatalf("begun %+v, stored %+v", begun, first)
		}
		for _, text := range []string{"1", "2"} { // sent again, and behind one that runs
			_, err := save(text)
			fine(t, err)
		}
		w.finish(t, *first.Claim, "done")
		if len(begun) != 1 {
			t.Errorf("%d were begun, want one", len(begun))
		}
	})
}

func TestAnAnswerIsClaimedWithItsTurn(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, bot, id := w.talk(t)
		f := &follower{w: w, user: user, id: id}
		first, err := w.SaveTurn(t.Context(), saying(user, id, "1"))
		fine(t, err)
		want := kyro.Claim{MessageID: first.Bot.ID, ConversationID: id, Attempt: 1, Owner: "n1"}
		if first.Claim == nil || *first.Claim != want || first.Bot.Status != kyro.MessageRetrieving || first.Bot.Attempt != 1 {
			t.Fatalf("%+v, %+v; want the claim %+v", first.Bot, first.Claim, want)
		}
		stored, err := w.Message(t.Context(), user, first.Bot.ID)
		fine(t, err)
		if stored.Status != first.Bot.Status || stored.Attempt != 1 || stored.Seq != 0 {
			t.Errorf("stored %+v", stored)
		}
		f.want(t, "the turn", "+"+first.User.ID.String()+" COMPLETED", "+"+first.Bot.ID.String()+" RETRIEVING", "1 false")
		if j := first.Job; j == nil || j.Bot.ID != bot || j.Bot.Name != "Bot" || j.Question.ID != first.User.ID || j.Question.Text != "1" || j.Unread || !j.Bare || j.History != nil {
			t.Errorf("its job is %+v", first.Job)
		}
		read, err := w.Job(t.Context(), *first.Claim, 20)
		fine(t, err)
		if read.Bot.Name != first.Job.Bot.Name || read.Bot.TopK != first.Job.Bot.TopK || read.Question.Text != "1" || !read.Question.CreatedAt.Equal(first.Job.Question.CreatedAt) {
			t.Errorf("given %+v, read %+v", first.Job, read)
		}

		// What comes while it runs, or while another waits, is not claimed; nor is what was stored before.
		again, err := w.SaveTurn(t.Context(), saying(user, id, "1"))
		fine(t, err)
		second, err := w.SaveTurn(t.Context(), saying(user, id, "2"))
		fine(t, err)
		for name, turn := range map[string]kyro.Turn{"sent again": again, "behind one that runs": second} {
			if turn.Claim != nil || turn.Job != nil {
				t.Errorf("%s: %+v", name, turn.Claim)
			}
		}
		if _, found, err := w.ClaimNext(t.Context(), id, "n2", lease); found || err != nil {
			t.Errorf("claimed twice: %v", err)
		}
		w.finish(t, *first.Claim, "done")
		third, err := w.SaveTurn(t.Context(), saying(user, id, "3"))
		fine(t, err)
		if third.Claim != nil || third.Bot.Status != kyro.MessagePending {
			t.Errorf("behind one that waits: %+v", third.Bot)
		}
		w.finish(t, w.claim(t, id, "n2"), "done")
		w.finish(t, w.claim(t, id, "n2"), "done")

		// The bot is as it is now.
		_, err = w.UpdateBot(t.Context(), user, bot, func(b *kyro.Bot) error { b.NoAnswerText = "No."; return nil })
		fine(t, err)
		fourth, err := w.SaveTurn(t.Context(), saying(user, id, "4"))
		fine(t, err)
		if j := fourth.Job; j == nil || j.Bot.NoAnswerText != "No." || !j.Unread {
			t.Errorf("the job of a later turn is %+v", j)
		}
		history, err := w.History(t.Context(), bot, id, fourth.User.Turn, 3)
		fine(t, err)
		if got := texts(history); !slices.Equal(got, []string{"done", "3", "done"}) {
			t.Errorf("history %q", got)
		}

		// Its lease is one as any other.
		w.setClock(start.Add(lease - time.Second))
		_, waiting, err := w.Recover(t.Context(), kyro.Recovery{Now: start})
		fine(t, err)
		if len(waiting) > 0 {
			t.Error("it was taken away before its lease was over")
		}
		w.setClock(start.Add(lease))
		_, waiting, err = w.Recover(t.Context(), kyro.Recovery{Now: start})
		fine(t, err)
		if !slices.Equal(waiting, []kyro.ID{id}) {
			t.Errorf("waiting %v", waiting)
		}
		if claim := w.claim(t, id, "n2"); claim.Attempt != 2 || claim.MessageID != fourth.Bot.ID {
			t.Errorf("the claim after it is %+v", claim)
		}
		_, err = w.Finish(t.Context(), *fourth.Claim, kyro.Outcome{Status: kyro.MessageCompleted, Text: "late", Now: start})
		wantCode(t, err, kyro.CodeConflict)
	})
}

func texts(messages []kyro.Message) (texts []string) {
	for _, m := range messages {
		texts = append(texts, m.Text)
	}
	return texts
}

func TestANewConversationIsClaimedToo(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, bot, _ := w.talk(t)
		first := saying(user, kyro.ID{}, "1")
		first.BotID = bot
		turn, err := w.SaveTurn(t.Context(), first)
		fine(t, err)
		if turn.Claim == nil || turn.Claim.ConversationID != turn.Conversation.ID || turn.Job == nil || turn.Job.Bot.ID != bot || turn.Job.Unread || !turn.Job.Bare {
			t.Fatalf("%+v %+v", turn.Claim, turn.Job)
		}
		w.finish(t, *turn.Claim, "done")
		c, err := w.FollowedConversation(t.Context(), user, turn.Conversation.ID)
		fine(t, err)
		if c.Conversation != turn.Conversation || c.Events != 3 || c.Changed != 0 || c.MessageCount != 2 {
			t.Errorf("the conversation is %+v, given as %+v", c, turn.Conversation)
		}
		again, err := w.SaveTurn(t.Context(), first)
		fine(t, err)
		if !again.Repeated || again.Claim != nil || again.Conversation.ID != turn.Conversation.ID {
			t.Errorf("sent again: %+v", again)
		}
	})
}

// TestTheDocumentsOfABotAreKnownWithItsClaim: only live ones count, which a search would find something in.
func TestTheDocumentsOfABotAreKnownWithItsClaim(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, p *store.Pools) {
		k := newKnowledge(t, p)
		talked := 0
		bare := func() bool {
			talked++
			turn := saying(k.owner, kyro.ID{}, fmt.Sprint(talked))
			turn.BotID = k.bot
			stored, err := k.store.SaveTurn(t.Context(), turn)
			fine(t, err)
			return stored.Job.Bare
		}
		if !bare() {
			t.Error("a bot without documents is not bare")
		}
		document := k.prepare(t, k.add(t, "A"), "the kiln reaches 1260 degrees")
		if !bare() {
			t.Error("a bot whose document is not ready is not bare")
		}
		k.activate(t, document)
		if bare() {
			t.Error("a bot with a document is bare")
		}
		_, err := k.store.DeleteDocument(t.Context(), k.owner, document.ID, k.tick())
		fine(t, err)
		if !bare() {
			t.Error("a bot whose document was deleted is not bare")
		}
	})
}

func TestOneOfManyTurnsIsClaimed(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, _, id := w.talk(t)
		for round := range 3 {
			var mu sync.Mutex
			var claims []kyro.Claim
			var wg sync.WaitGroup
			took := func(claim *kyro.Claim, err error) {
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				if claim != nil {
					claims = append(claims, *claim)
				}
			}
			for i := range 10 {
				wg.Go(func() {
					turn, err := w.SaveTurn(t.Context(), func() kyro.NewTurn {
						t := saying(user, id, fmt.Sprint(round, "-", i))
						t.MaxWaiting = 20
						return t
					}())
					took(turn.Claim, err)
				})
				wg.Go(func() {
					claim, found, err := w.ClaimNext(t.Context(), id, "n2", lease)
					if !found {
						took(nil, err)
						return
					}
					took(&claim, err)
				})
			}
			wg.Wait()
			if len(claims) != 1 {
				t.Fatalf("round %d: %d attempts run in one conversation", round, len(claims))
			}
			w.finish(t, claims[0], "done")
			for range 9 {
				w.finish(t, w.claim(t, id, "n"), "done")
			}
		}
	})
}

// TestARequestThatIsGivenUpStoresNothing: what is not told is not there, and its connection is of use to others.
func TestARequestThatIsGivenUpStoresNothing(t *testing.T) {
	t.Parallel()
	w := &world{pools: testdb.Postgres(t)}
	w.Store = store.New(w.pools, rowQueue{})
	user, _, id := w.talk(t)
	ctx, cancel := context.WithCancel(t.Context())
	sent := make(chan error, 1)
	err := w.Write(t.Context(), func(ctx2 context.Context, tx bun.Tx) error {
		if _, err := tx.ExecContext(ctx2, "UPDATE conversations SET archived = TRUE WHERE id = ?", id.Key); err != nil {
			return err
		}
		go func() {
			_, err := w.SaveTurn(ctx, saying(user, id, "1"))
			sent <- err
		}()
		for ctx2.Err() == nil && w.number(t, waitingForLocks) == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
		if err := <-sent; err == nil {
			t.Error("stored though it was given up")
		}
		return nil
	})
	fine(t, err)
	if n := w.number(t, "SELECT count(*) FROM messages"); n != 0 {
		t.Errorf("%d messages", n)
	}
	for i := range 40 { // more than there are connections
		turn, err := w.SaveTurn(t.Context(), saying(user, id, fmt.Sprint(i)))
		fine(t, err)
		w.finish(t, *turn.Claim, "done")
	}
}

// TestAChangedColumnIsNoticed: what was prepared before a migration works on behind it.
func TestAChangedColumnIsNoticed(t *testing.T) {
	t.Parallel()
	w := &world{pools: testdb.Postgres(t)}
	w.Store = store.New(w.pools, rowQueue{})
	user, bot, id := w.talk(t)
	for round, change := range []string{"ALTER TABLE conversations ALTER COLUMN title TYPE VARCHAR", "ALTER TABLE documents ALTER COLUMN language TYPE VARCHAR"} {
		for i := range 20 {
			turn, err := w.SaveTurn(t.Context(), saying(user, id, fmt.Sprint(round, "-", i)))
			fine(t, err)
			w.finish(t, *turn.Claim, "done")
			_, err = w.SearchWords(t.Context(), bot, []string{"kiln"}, 10)
			fine(t, err)
			if i == 10 {
				w.exec(t, change)
			}
		}
	}
}

// TestPoolersWithoutPreparedStatements: the URL may ask that nothing is prepared.
func TestPoolersWithoutPreparedStatements(t *testing.T) {
	t.Parallel()
	url := testdb.PostgresURL(t)
	separator := "?"
	if strings.Contains(url, "?") {
		separator = "&"
	}
	pools, err := store.Open(t.Context(), store.Config{DatabaseURL: url + separator + "default_query_exec_mode=exec"})
	fine(t, err)
	t.Cleanup(func() { fine(t, pools.Close()) })
	k := newKnowledge(t, pools)
	w := &world{Store: k.store, pools: pools}
	k.ready(t, "A", "the kiln reaches 1260 degrees")
	first := saying(k.owner, kyro.ID{}, "1")
	first.BotID = k.bot
	turn, err := w.SaveTurn(t.Context(), first)
	fine(t, err)
	if turn.Claim == nil || turn.Job.Bare || turn.Job.Bot.ID != k.bot {
		t.Errorf("%+v, %+v", turn.Claim, turn.Job)
	}
	w.finish(t, *turn.Claim, "done")
	second, err := w.SaveTurn(t.Context(), saying(k.owner, turn.Conversation.ID, "2"))
	fine(t, err)
	if second.Conversation.MessageCount != 4 || second.Claim == nil {
		t.Errorf("%+v", second)
	}
	found, result := k.search(t, "kiln", "reaches")
	if !slices.Equal(found, []string{"the kiln reaches 1260 degrees"}) || result.Total != 1 {
		t.Errorf("found %q, %+v", found, result)
	}
	var prepared int
	fine(t, pools.Pgx.QueryRow(t.Context(), "SELECT count(*) FROM pg_prepared_statements").Scan(&prepared))
	if prepared != 0 {
		t.Errorf("%d statements are prepared", prepared)
	}
}
