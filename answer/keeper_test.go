package answer_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/answer"
	"kyrochat/kyro"
)

// How often the store is written to does not depend on how many answers there are, and each of them is saved in time.
func TestManyAnswersAreKeptTogether(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 300} {
		inWorld(t, words(1_000, 200*time.Millisecond), func(t *testing.T, w *world) {
			var turns []kyro.Turn
			for range n {
				turns = append(turns, w.say("Hi"))
				time.Sleep(3 * time.Millisecond) // so that they are due at different times
			}
			time.Sleep(2 * time.Second)
			before := w.store.count("Keep")
			time.Sleep(10 * time.Second)
			if calls := w.store.count("Keep") - before; calls > 10*10+1 || calls < 9 {
				t.Errorf("%d answers: %d calls of the store in ten seconds", n, calls)
			}
			for _, turn := range turns {
				if m, s := w.message(turn.Bot.ID), w.logText(turn.Bot.ID); len(s)-len(m.Text) > len("word ")*7 {
					t.Fatalf("%d answers: %d bytes are saved of %d", n, len(m.Text), len(s))
				}
			}
		})
	}
}

func TestWhatIsKeptTogetherIsBounded(t *testing.T) {
	t.Parallel()
	for n, text := range map[int]string{600: "So", 30: strings.Repeat("x", 100_000)} {
		inWorld(t, silent(text), func(t *testing.T, w *world) {
			var turns []kyro.Turn
			for range n {
				turns = append(turns, w.say("Hi"))
			}
			time.Sleep(2 * time.Second)
			for _, turn := range turns {
				if m := w.message(turn.Bot.ID); m.Text != text {
					t.Fatalf("%d answers: %d bytes are saved of %d", n, len(m.Text), len(text))
				}
			}
			if rows, bytes := w.store.largest(); rows > 500 || bytes > 1<<20 || rows < 10 {
				t.Errorf("%d answers: %d with %d bytes in one call", n, rows, bytes)
			}
		})
	}
}

func (w *world) logText(id kyro.ID) string {
	w.t.Helper()
	s, _, err := w.log.Snapshot(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return s.Text
}

// A claim is kept for as long as the model is silent, although there is nothing to save.
func TestSilentAnswersKeepTheirClaims(t *testing.T) {
	t.Parallel()
	limits := kyro.DefaultLimits()
	limits.AnswerFirstByte = time.Minute
	inTwoNodes(t, silent(), echo(0), func(t *testing.T, a, b *world, _ *partition) {
		turn := a.say("Hi")
		time.Sleep(50 * time.Second)
		if m := b.message(turn.Bot.ID); m.Attempt != 1 || m.Status != kyro.MessageStreaming {
			t.Errorf("%s in attempt %d", m.Status, m.Attempt)
		}
	}, func(c *answer.Config) { c.Limits = limits })
}

// One answer that the store cannot take is kept as far as it can be, and the others as ever.
func TestOneTextThatIsRefusedKeepsNoOtherFromBeingSaved(t *testing.T) {
	t.Parallel()
	inWorld(t, echo(time.Second), func(t *testing.T, w *world) {
		w.store.refuse("bad")
		w.say("Hi")
		time.Sleep(10 * time.Millisecond)
		var turns []kyro.Turn
		for i := range 100 {
			turns = append(turns, w.say(fmt.Sprint("good ", i)))
		}
		bad := w.say("bad")
		for i := range 100 {
			turns = append(turns, w.say(fmt.Sprint("good ", 100+i)))
		}
		saved := func(pieces string) {
			t.Helper()
			for i, turn := range turns {
				if m := w.message(turn.Bot.ID); m.Text != fmt.Sprintf(pieces, i) {
					t.Errorf("answer %d: %s %q", i, m.Status, m.Text)
				}
			}
		}
		time.Sleep(3500 * time.Millisecond)
		saved("You said: good %d|")
		if m := w.message(bad.Bot.ID); strings.Contains(m.Text, "bad") {
			t.Fatalf("the bad one is saved: %q", m.Text)
		}
		before := w.store.count("Keep")
		time.Sleep(20 * time.Second) // longer than a lease
		if n := w.store.count("Keep") - before; n > 20*2+5*3 {
			t.Errorf("%d calls of the store in twenty seconds because of one", n)
		}
		saved("You said: good %d|")
		if m := w.message(bad.Bot.ID); m.Status.Final() || m.Attempt != 1 {
			t.Errorf("the bad one is %s in attempt %d", m.Status, m.Attempt)
		}
		w.store.refuse("")
		time.Sleep(2 * time.Second)
		if m := w.message(bad.Bot.ID); m.Text != "You said: bad|" {
			t.Errorf("once it can be taken: %q", m.Text)
		}
	}, func(c *answer.Config) {
		c.Model = model(func(ctx context.Context, p kyro.Prompt, yield func(kyro.Delta, error) bool) {
			for _, piece := range []string{"You said: ", p.Question + "|"} {
				if wait(ctx, time.Second) != nil || !yield(kyro.Delta{Text: piece}, nil) {
					return
				}
			}
			<-ctx.Done()
		})
		c.Limits.AnswerIdle = time.Minute
	})
}

// A process that was frozen for longer than its lease writes nothing when it thaws, although nobody has told it.
func TestFrozenNodeWritesNothingWhenItThaws(t *testing.T) {
	t.Parallel()
	var frozen atomic.Int64
	inWorld(t, words(200, 100*time.Millisecond), func(t *testing.T, w *world) {
		turn := w.say("Hi")
		time.Sleep(1550 * time.Millisecond)
		row, log, writes := w.message(turn.Bot.ID), w.logText(turn.Bot.ID), w.store.count("Keep")+w.store.count("Finish")
		frozen.Store(int64(16 * time.Second)) // as a clock is that went on meanwhile
		time.Sleep(4 * time.Second)
		if now := w.message(turn.Bot.ID); now.Text != row.Text || now.Status != row.Status {
			t.Errorf("the row went on from %q to %s %q", row.Text, now.Status, now.Text)
		}
		if now := w.logText(turn.Bot.ID); now != log {
			t.Errorf("the log went on from %q to %q", log, now)
		}
		if n := w.store.count("Keep") + w.store.count("Finish"); n != writes {
			t.Errorf("%d writes of the store", n-writes)
		}
	}, func(c *answer.Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(frozen.Load())) }
		c.Limits.AnswerSweep = time.Hour
	})
}

// Rows that somebody else holds are tried again soon.
func TestHeldRowsAreTriedAgain(t *testing.T) {
	t.Parallel()
	inWorld(t, silent("So"), func(t *testing.T, w *world) {
		turn := w.say("Hi")
		synctest.Wait()
		w.store.edit(turn.Bot.ID, func(r *fakeRow) { r.held = true })
		time.Sleep(3 * time.Second)
		if m := w.message(turn.Bot.ID); m.Text != "" {
			t.Errorf("a held row was written: %q", m.Text)
		}
		w.store.edit(turn.Bot.ID, func(r *fakeRow) { r.held = false })
		time.Sleep(250 * time.Millisecond)
		if m := w.message(turn.Bot.ID); m.Text != "So" || m.Attempt != 1 {
			t.Errorf("%q in attempt %d", m.Text, m.Attempt)
		}
	})
}

// countedStore counts what is asked of it at each time, and refuses what a test wants refused.
type countedStore struct {
	answer.Store
	refuses func(list []kyro.Keeping) error

	mu    sync.Mutex
	calls map[time.Time]int
}

func (c *countedStore) Keep(ctx context.Context, lease time.Duration, list []kyro.Keeping) ([]kyro.Kept, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls == nil {
		c.calls = map[time.Time]int{}
	}
	c.calls[time.Now()]++
	if err := c.refuses(list); err != nil {
		return nil, err
	}
	return c.Store.Keep(ctx, lease, list)
}

// since gives how often it was asked at each time since then, in their order.
func (c *countedStore) since(begin time.Time) (calls []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, at := range slices.SortedFunc(maps.Keys(c.calls), time.Time.Compare) {
		if !at.Before(begin) {
			calls = append(calls, c.calls[at])
		}
	}
	return calls
}

func has(word string) func(k kyro.Keeping) bool {
	return func(k kyro.Keeping) bool { return k.State != nil && strings.Contains(k.State.Text, word) }
}

// A store that is away is asked once a second for all answers together, however much they write.
func TestAStoreThatIsAwayIsAskedNoMoreOften(t *testing.T) {
	t.Parallel()
	c := &countedStore{refuses: func([]kyro.Keeping) error { return kyro.Errorf(kyro.CodeUnavailable, "The database is away.") }}
	pieces := slices.Repeat([]string{strings.Repeat("x", 2_100)}, 20) // each is enough to be saved at once
	inWorld(t, saying(300*time.Millisecond, pieces...), func(t *testing.T, w *world) {
		for range 20 {
			w.say("Hi")
		}
		time.Sleep(5 * time.Second)
		for _, n := range c.since(time.Time{}) {
			if n != 1 {
				t.Errorf("it is asked %d times at once", n)
			}
		}
		if times := len(c.since(time.Time{})); times < 4 || times > 6 {
			t.Errorf("it is asked %d times in five seconds", times)
		}
	}, func(cfg *answer.Config) { c.Store, cfg.Store = cfg.Store, c })
}

// Where the store refuses very many answers, each round looks for a part of them only.
func TestManyRefusedAnswersAreLookedForInTurns(t *testing.T) {
	t.Parallel()
	c := &countedStore{refuses: func(list []kyro.Keeping) error {
		if slices.ContainsFunc(list, has("bad")) {
			return errors.New("the text is refused")
		}
		return nil
	}}
	inWorld(t, silent("bad"), func(t *testing.T, w *world) {
		for range 200 {
			w.say("Hi")
		}
		time.Sleep(1050 * time.Millisecond)
		if first := c.since(time.Time{}); len(first) != 1 || first[0] > 65 || first[0] < 33 {
			t.Errorf("the first rounds are %v", first)
		}
		time.Sleep(time.Second)
		if rounds := c.since(time.Time{}); len(rounds) != 2 || rounds[1] > 130 {
			t.Errorf("the first rounds are %v", rounds)
		}
	}, func(cfg *answer.Config) { c.Store, cfg.Store = cfg.Store, c })
}

// What was refused is kept with the others again once it is not.
func TestWhatIsNotRefusedAnyMoreGoesWithTheOthers(t *testing.T) {
	t.Parallel()
	var refuses atomic.Bool
	refuses.Store(true)
	c := &countedStore{refuses: func(list []kyro.Keeping) error {
		if refuses.Load() && slices.ContainsFunc(list, has("word word")) {
			return errors.New("the text is refused")
		}
		return nil
	}}
	inWorld(t, words(1_000, 100*time.Millisecond), func(t *testing.T, w *world) {
		w.say("Hi")
		w.say("Hi")
		time.Sleep(5 * time.Second)
		refuses.Store(false)
		time.Sleep(2 * time.Second)
		begin := time.Now()
		time.Sleep(10 * time.Second)
		for _, n := range c.since(begin) {
			if n != 1 {
				t.Errorf("%d calls at once for two answers that nobody refuses", n)
			}
		}
	}, func(cfg *answer.Config) { c.Store, cfg.Store = cfg.Store, c })
}
