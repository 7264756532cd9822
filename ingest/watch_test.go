package ingest_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/ingest"
	"kyrochat/kyro"
)

// following collects a watch in a goroutine of its own.
type following struct {
	states []kyro.DocumentStatus
	events []kyro.DocumentProgress
	err    error
	ended  bool
}

func follow(events iter.Seq2[kyro.DocumentProgress, error]) *following {
	f := &following{}
	go func() {
		for p, err := range events {
			if err != nil {
				f.err = err
				continue
			}
			f.events = append(f.events, p)
			f.states = append(f.states, p.Status)
		}
		f.ended = true
	}()
	return f
}

func (f *following) want(t *testing.T, states ...kyro.DocumentStatus) {
	t.Helper()
	synctest.Wait()
	if !slices.Equal(f.states, states) {
		t.Errorf("told %v, want %v", f.states, states)
	}
}

// in runs a test in a bubble with a fake clock.
func in(t *testing.T, test func(t *testing.T, ctx context.Context, h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		test(t, ctx, newHouse(t, func(c *ingest.Config) { c.Recheck = time.Minute }))
	})
}

// move stores a step without telling anybody.
func (h *house) move(d kyro.Document, status kyro.DocumentStatus, done int) kyro.Document {
	total := 10
	moved, err := h.memory.Step(context.Background(), d.ID, d.Run, kyro.DocumentStep{
		Status: status, StageDone: done, StageTotal: &total, Now: h.tick(),
	})
	if err != nil {
		panic(err)
	}
	return moved
}

// tell publishes a state.
func (h *house) tell(d kyro.Document) { h.board.Publish(context.Background(), d.BotID, d.Progress()) }

func TestWatchTellsEveryChangeAndEnds(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, ctx context.Context, h *house) {
		d := h.upload(t, "a.txt", five)
		f := follow(h.Watch(ctx, alice, d.ID))
		f.want(t, kyro.DocumentQueued)
		h.upload(t, "another.txt", five)
		if err := h.Work(ctx, jobOf(d)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !f.ended || f.err != nil {
			t.Errorf("ended %t, %v", f.ended, f.err)
		}
		published := h.board.of(d.ID)
		if len(f.events) != len(published) {
			t.Errorf("told %d states of %d published: %v", len(f.events), len(published), f.states)
		}
		checkProgress(t, f.events)

		late := follow(h.Watch(ctx, alice, d.ID))
		late.want(t, kyro.DocumentReady)
		if !late.ended {
			t.Error("a watch of a finished document goes on")
		}
	})
}

func TestWatchOfABotTellsOfAllItsUnfinishedDocuments(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, ctx context.Context, h *house) {
		const many = 450
		for range many {
			h.upload(t, "a.txt", five)
		}
		f := follow(h.WatchBot(ctx, alice, bot))
		synctest.Wait()
		told := map[kyro.ID]bool{}
		for _, e := range f.events {
			told[e.DocumentID] = true
		}
		if len(told) != many || len(f.events) != many || f.err != nil {
			t.Errorf("told of %d documents in %d events, %v", len(told), len(f.events), f.err)
		}
	})
}

func TestAnEndWithoutSuccessStaysWhereTheWayEnded(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, ctx context.Context, h *house) {
		d := h.upload(t, "a.txt", five)
		f := follow(h.Watch(ctx, alice, d.ID))
		synctest.Wait()
		h.tell(h.move(d, kyro.DocumentEmbedding, 5))
		synctest.Wait()
		if _, err := h.Cancel(ctx, alice, d.ID); err != nil {
			t.Fatal(err)
		}
		f.want(t, kyro.DocumentQueued, kyro.DocumentEmbedding, kyro.DocumentCanceled)
		if last, before := f.events[2].Percent(), f.events[1].Percent(); last != before || last != 72 {
			t.Errorf("canceled at %g percent, shown at %g", before, last)
		}
	})
}

func TestWatchEndsWithADelete(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, ctx context.Context, h *house) {
		d := h.upload(t, "a.txt", five)
		f := follow(h.Watch(ctx, alice, d.ID))
		synctest.Wait()
		if err := h.Delete(ctx, alice, d.ID); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := len(f.events); n != 2 || !f.events[1].Deleted || !f.ended || f.err != nil {
			t.Errorf("told %+v, ended %t, %v", f.events, f.ended, f.err)
		}
	})
}

func TestWatchLooksAtTheRowWhenNothingIsTold(t *testing.T) {
	t.Parallel()
	for name, breakIt := range map[string]func(*board){
		"a publish is lost":     func(b *board) { b.drop = true },
		"the board is away":     func(b *board) { b.err = errBoom },
		"the board lost events": func(b *board) { b.lost = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in(t, func(t *testing.T, ctx context.Context, h *house) {
				d := h.upload(t, "a.txt", five)
				breakIt(h.board)
				f := follow(h.Watch(ctx, alice, d.ID))
				f.want(t, kyro.DocumentQueued)
				h.move(d, kyro.DocumentExtracting, 1)
				time.Sleep(61 * time.Second)
				f.want(t, kyro.DocumentQueued, kyro.DocumentExtracting)
				h.move(d, kyro.DocumentFailed, 0)
				time.Sleep(61 * time.Second)
				f.want(t, kyro.DocumentQueued, kyro.DocumentExtracting, kyro.DocumentFailed)
				if !f.ended {
					t.Error("the watch goes on")
				}
			})
		})
	}
}

func TestWatchNoticesWhatIsGone(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, ctx context.Context, h *house) {
		d := h.upload(t, "a.txt", five)
		f := follow(h.Watch(ctx, alice, d.ID))
		synctest.Wait()
		h.memory.mu.Lock()
		h.rows[0].deleted = true // with its bot: nobody tells of each document
		h.memory.mu.Unlock()
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if n := len(f.events); n != 2 || !f.events[1].Deleted || !f.ended {
			t.Errorf("told %+v, ended %t", f.events, f.ended)
		}
	})
}

func TestWatchTellsNothingTwiceAndNothingOld(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, ctx context.Context, h *house) {
		d := h.upload(t, "a.txt", five)
		early := h.move(d, kyro.DocumentExtracting, 2)
		d = h.move(d, kyro.DocumentExtracting, 5)
		f := follow(h.Watch(ctx, alice, d.ID))
		f.want(t, kyro.DocumentExtracting)
		h.tell(d)
		h.tell(early)
		f.want(t, kyro.DocumentExtracting)
		// A failure of the run before, told late: the row knows better.
		failed := d
		failed.Status, failed.StageTotal = kyro.DocumentFailed, nil
		h.tell(failed)
		f.want(t, kyro.DocumentExtracting)
		h.tell(h.move(d, kyro.DocumentChunking, 0))
		f.want(t, kyro.DocumentExtracting, kyro.DocumentChunking)
		if f.ended {
			t.Error("the watch ended")
		}
	})
}

func TestWatchEndsWithItsListener(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, ctx context.Context, h *house) {
		d := h.upload(t, "a.txt", five)
		ctx, cancel := context.WithCancel(ctx)
		f := follow(h.Watch(ctx, alice, d.ID))
		synctest.Wait()
		cancel()
		synctest.Wait()
		if !f.ended || f.err != nil {
			t.Errorf("after its context: ended %t, %v", f.ended, f.err)
		}
		for range h.Watch(t.Context(), alice, d.ID) {
			break // returns, although the document is unfinished
		}
	})
}

func TestWatchBeginsWithAnErrorItCannotReadPast(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, ctx context.Context, h *house) {
		d := h.upload(t, "a.txt", five)
		h.fault = func(string, bool) error { return errBoom }
		f := follow(h.Watch(ctx, alice, d.ID))
		synctest.Wait()
		if !f.ended || !errors.Is(f.err, errBoom) {
			t.Errorf("ended %t, %v", f.ended, f.err)
		}
	})
}

func TestWatchBot(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, ctx context.Context, h *house) {
		ready, waiting := h.upload(t, "a.txt", five), h.upload(t, "b.txt", five)
		if err := h.Work(ctx, jobOf(ready)); err != nil {
			t.Fatal(err)
		}
		f := follow(h.WatchBot(ctx, alice, bot))
		f.want(t, kyro.DocumentQueued)
		if f.events[0].DocumentID != waiting.ID {
			t.Errorf("told %+v first", f.events[0])
		}
		added := h.upload(t, "c.txt", five)
		f.want(t, kyro.DocumentQueued, kyro.DocumentQueued)
		if _, err := h.Cancel(ctx, alice, added.ID); err != nil {
			t.Fatal(err)
		}
		f.want(t, kyro.DocumentQueued, kyro.DocumentQueued, kyro.DocumentCanceled)
		if _, err := h.Retry(ctx, alice, added.ID); err != nil {
			t.Fatal(err)
		}
		f.want(t, kyro.DocumentQueued, kyro.DocumentQueued, kyro.DocumentCanceled, kyro.DocumentQueued)
		if err := h.Delete(ctx, alice, added.ID); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if last := f.events[len(f.events)-1]; !last.Deleted || last.DocumentID != added.ID {
			t.Errorf("last told %+v", last)
		}
		n := len(f.events)
		h.tell(added) // a worker's last word, late
		// What is finished without a word is noticed all the same.
		h.move(waiting, kyro.DocumentFailed, 0)
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if len(f.events) != n+1 || f.events[n].DocumentID != waiting.ID || f.events[n].Status != kyro.DocumentFailed {
			t.Errorf("then told %+v", f.events[n:])
		}
		if f.ended {
			t.Error("the watch ended")
		}
	})
}

func TestWatchBotEndsWhenTheBotIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bots := &oneBot{}
		h := newHouse(t, func(c *ingest.Config) { c.Bots, c.Recheck = bots, time.Minute })
		h.upload(t, "a.txt", five)
		f := follow(h.WatchBot(t.Context(), alice, bot))
		f.want(t, kyro.DocumentQueued)
		bots.gone.Store(true)
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if !f.ended || kyro.ErrorCode(f.err) != kyro.CodeNotFound {
			t.Errorf("ended %t, %v", f.ended, f.err)
		}
	})
}

type oneBot struct{ gone atomic.Bool }

func (o *oneBot) Bots(_ context.Context, owner kyro.ID, _ []kyro.ID) ([]kyro.Bot, error) {
	if o.gone.Load() {
		return nil, nil
	}
	return []kyro.Bot{{ID: bot, OwnerID: owner}}, nil
}
