package answer_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/answer"
	"kyrochat/kyro"
)

func (w *world) title(conversation kyro.ID) string {
	w.t.Helper()
	c, err := w.store.FollowedConversation(w.t.Context(), w.viewer.UserID, conversation)
	if err != nil {
		w.t.Fatal(err)
	}
	return c.Title
}

func TestTitlesAreWrittenAfterTheFirstTurn(t *testing.T) {
	t.Parallel()
	const question = "How hot does the kiln get?"
	for _, c := range []struct{ name, gives, want string }{
		{"plain", "Heat of the kiln", "Heat of the kiln"},
		{"cleaned", "\n  \"**Heat of the `kiln`**.\"\nAnd more of it", "Heat of the kiln"},
		{"a heading", "# Heat of the kiln", "Heat of the kiln"},
		{"controls", "Heat\u202e of\u0007 the\tkiln", "Heat of the kiln"},
		{"Chinese", "「窑的温度」。", "窑的温度"},
		{"long", strings.Repeat("heat ", 30), strings.TrimSpace(strings.Repeat("heat ", 12)) + "…"},
		{"nothing", " \n**", question},
		{"an image", "![x](https://a.test/p.png) Heat", question},
		{"a link", "[Heat](https://a.test)", question},
		{"an address", "Heat https://a.test", question},
		{"markup", "<img src=x> Heat", question},
		{"marks", "<<<question>>>", question},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			with := completer(func(_ context.Context, q kyro.Completion) (kyro.Completed, error) {
				asked.Add(1)
				if !strings.Contains(q.Text, " question>>>\n"+question+"\n<<<") || !strings.Contains(q.Text, " answer>>>\nYou said: ") {
					t.Errorf("asked with\n%s", q.Text)
				}
				return kyro.Completed{Text: c.gives}, nil
			})
			inWorld(t, echo(0), func(t *testing.T, w *world) {
				turn := w.say(question)
				w.final(turn.Bot.ID)
				synctest.Wait()
				if got := w.title(turn.Conversation.ID); got != c.want {
					t.Errorf("title %q, want %q", got, c.want)
				}
				w.final(w.say("Which colour does the roof of the old town hall have?", turn.Conversation.ID).Bot.ID)
				synctest.Wait()
				if asked.Load() != 1 {
					t.Errorf("asked %d times", asked.Load())
				}
			}, reads(with, findsPassage))
		})
	}
}

func TestFollowersSeeTheNewTitle(t *testing.T) {
	t.Parallel()
	with := completer(func(ctx context.Context, _ kyro.Completion) (kyro.Completed, error) {
		return kyro.Completed{Text: "Heat"}, wait(ctx, time.Second)
	})
	inWorld(t, echo(0), func(t *testing.T, w *world) {
		turn := w.say("How hot?")
		begun := time.Now()
		for e, err := range w.Events(t.Context(), w.viewer, turn.Conversation.ID, &kyro.StreamCursor{Stream: turn.Conversation.ID}) {
			if err != nil {
				t.Fatal(err)
			}
			if changed, ok := e.(*kyro.ConversationChanged); ok {
				if changed.Conversation.Title != "Heat" || time.Since(begun) != time.Second {
					t.Errorf("%q after %v", changed.Conversation.Title, time.Since(begun))
				}
				break
			}
		}
	}, reads(with, findsPassage))
}

func TestThePersonsOwnTitleIsNotReplaced(t *testing.T) {
	t.Parallel()
	with := completer(func(ctx context.Context, _ kyro.Completion) (kyro.Completed, error) {
		return kyro.Completed{Text: "Heat"}, wait(ctx, time.Second)
	})
	inWorld(t, echo(0), func(t *testing.T, w *world) {
		turn := w.say("How hot?")
		w.final(turn.Bot.ID)
		w.store.rename(turn.Conversation.ID, "Mine")
		time.Sleep(2 * time.Second)
		if got := w.title(turn.Conversation.ID); got != "Mine" {
			t.Errorf("title %q", got)
		}
	}, reads(with, findsPassage))
}

// An answer whose source is deleted while its title waits is in no prompt any more.
func TestNoTitleFromWhatIsWithdrawn(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	with := completer(func(ctx context.Context, _ kyro.Completion) (kyro.Completed, error) {
		asked.Add(1)
		return kyro.Completed{Text: "Heat"}, wait(ctx, time.Second)
	})
	inWorld(t, echo(0), func(t *testing.T, w *world) {
		var last kyro.Turn
		for range 3 { // two of them are written at once
			last = w.say("How hot?")
			w.final(last.Bot.ID)
		}
		synctest.Wait()
		w.store.withdraw(kyro.ChunkID(3))
		time.Sleep(3 * time.Second)
		if got := w.title(last.Conversation.ID); got != "How hot?" || asked.Load() != 2 {
			t.Errorf("title %q, asked %d times", got, asked.Load())
		}
	}, reads(with, findsPassage))
}

// Titles wait for nobody and nobody waits for them: what is too much is dropped, what hangs is given up, and a drain
// writes no more of them.
func TestTitlesHoldNothingUp(t *testing.T) {
	t.Parallel()
	var asked, running, most atomic.Int32
	hanging := completer(func(ctx context.Context, _ kyro.Completion) (kyro.Completed, error) {
		asked.Add(1)
		most.Store(max(most.Load(), running.Add(1)))
		defer running.Add(-1)
		return kyro.Completed{}, wait(ctx, time.Hour)
	})
	inWorld(t, echo(0), func(t *testing.T, w *world) {
		begun := time.Now()
		for range 100 {
			w.final(w.say("Hi").Bot.ID)
		}
		if d := time.Since(begun); d != 0 {
			t.Errorf("answers waited %v", d)
		}
		time.Sleep(15 * time.Second)
		if most.Load() != 2 || asked.Load() != 4 {
			t.Errorf("%d at once, %d in 15 s", most.Load(), asked.Load())
		}
		begun = time.Now()
		w.halt()
		if d := time.Since(begun); d != 0 || running.Load() != 0 || asked.Load() != 4 {
			t.Errorf("draining took %v; %d still run, %d were asked", d, running.Load(), asked.Load())
		}
	}, reads(hanging, findsPassage))

	asked.Store(0)
	inWorld(t, echo(0), func(t *testing.T, w *world) {
		for range 100 {
			w.final(w.say("Hi").Bot.ID)
		}
		time.Sleep(time.Hour)
		if n := asked.Load(); n != 66 {
			t.Errorf("%d titles were asked for, want those that ran and those that could wait", n)
		}
	}, reads(hanging, findsPassage))
}

func TestNoTitleForWhatIsNotComplete(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	with := completer(func(context.Context, kyro.Completion) (kyro.Completed, error) {
		asked.Add(1)
		panic("secret detail")
	})
	inWorld(t, breaking(kyro.Errorf(kyro.CodeUpstreamFailed, "Away."), "Half"), func(t *testing.T, w *world) {
		w.final(w.say("Hi").Bot.ID)
		synctest.Wait()
		if asked.Load() != 0 {
			t.Error("a title was asked for")
		}
	}, reads(with, findsPassage))
	inWorld(t, echo(0), func(t *testing.T, w *world) { // a panic ends nothing
		for range 3 {
			w.final(w.say("Hi").Bot.ID)
			synctest.Wait()
		}
		if asked.Load() != 3 {
			t.Errorf("%d titles were asked for", asked.Load())
		}
	}, reads(with, findsPassage))
}

func TestTheOfflineModelWritesNoTitles(t *testing.T) {
	t.Parallel()
	inWorld(t, echo(0), func(t *testing.T, w *world) {
		turn := w.say("How hot is it?")
		w.final(turn.Bot.ID)
		time.Sleep(time.Minute)
		if w.title(turn.Conversation.ID) != "How hot is it?" || w.store.count("Retitle") > 0 {
			t.Errorf("title %q", w.title(turn.Conversation.ID))
		}
	}, func(c *answer.Config) { c.Retriever = retriever(findsPassage) })
}
