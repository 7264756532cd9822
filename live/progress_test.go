package live_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/kyro"
	"kyrochat/live"
)

var bot = kyro.BotID(1)

func step(document int64, done int) kyro.DocumentProgress {
	return kyro.DocumentProgress{DocumentID: kyro.DocumentID(document), Status: kyro.DocumentEmbedding, StageDone: done}
}

// steps reads the changes of a topic after a position and gives their StageDone.
func steps(t *testing.T, p *live.Progress, topic kyro.ID, after int64) (done []int, next int64, lost bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	changes, next, lost, err := p.Read(ctx, topic, after)
	if err != nil {
		t.Fatalf("Read(%v, %d): %v", topic, after, err)
	}
	for _, c := range changes {
		done = append(done, c.StageDone)
	}
	return done, next, lost
}

func wantSteps(t *testing.T, p *live.Progress, topic kyro.ID, after int64, want ...int) (next int64) {
	t.Helper()
	done, next, lost := steps(t, p, topic, after)
	if lost || len(done) != len(want) {
		t.Fatalf("Read(%v, %d): %v, lost %v; want %v", topic, after, done, lost, want)
	}
	for i := range want {
		if done[i] != want[i] {
			t.Fatalf("Read(%v, %d): %v; want %v", topic, after, done, want)
		}
	}
	return next
}

func TestProgressReachesDocumentAndBot(t *testing.T) {
	t.Parallel()
	p := live.NewProgress(live.ProgressConfig{})
	_, start, lost := steps(t, p, bot, -1)
	if start != 0 || lost {
		t.Fatalf("the present end is %d, lost %v", start, lost)
	}
	p.Publish(t.Context(), bot, step(7, 1))
	p.Publish(t.Context(), bot, step(8, 2))
	p.Publish(t.Context(), bot, step(7, 3))
	p.Publish(t.Context(), kyro.BotID(2), step(9, 4))

	next := wantSteps(t, p, bot, start, 1, 2, 3)
	wantSteps(t, p, kyro.DocumentID(7), start, 1, 3)
	wantSteps(t, p, kyro.DocumentID(8), start, 2)
	wantSteps(t, p, kyro.BotID(2), start, 4)

	p.Publish(t.Context(), bot, step(8, 5))
	wantSteps(t, p, bot, next, 5)
}

func TestProgressReaderWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := live.NewProgress(live.ProgressConfig{})
		var got [2][]int
		var wg sync.WaitGroup
		for i, topic := range []kyro.ID{bot, kyro.DocumentID(7)} {
			wg.Go(func() { got[i], _, _ = steps(t, p, topic, 0) })
		}
		synctest.Wait()
		p.Publish(t.Context(), bot, step(7, 1))
		wg.Wait()
		for _, g := range got {
			if len(g) != 1 || g[0] != 1 {
				t.Errorf("got %v, want [1]", got)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, next, _, err := p.Read(ctx, bot, 1); !errors.Is(err, context.DeadlineExceeded) || next != 1 {
			t.Errorf("Read: next %d, %v; want 1 and the deadline", next, err)
		}
	})
}

func TestProgressTellsWhatIsLost(t *testing.T) {
	t.Parallel()
	p := live.NewProgress(live.ProgressConfig{TopicSize: 3})
	for i := 1; i <= 4; i++ {
		p.Publish(t.Context(), bot, step(7, i))
	}
	if done, next, lost := steps(t, p, bot, 0); !lost || next != 4 {
		t.Errorf("after 0: %v, next %d, lost %v; want lost, going on at 4", done, next, lost)
	}
	wantSteps(t, p, bot, 1, 2, 3, 4)
	if _, next, lost := steps(t, p, bot, 99); !lost || next != 4 {
		t.Errorf("a position of the future: next %d, lost %v; want lost, going on at 4", next, lost)
	}
}

func TestProgressDropsSilentTopics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := live.NewProgress(live.ProgressConfig{TTL: time.Minute})
		p.Publish(t.Context(), bot, step(7, 1))
		time.Sleep(time.Minute)
		p.Publish(t.Context(), kyro.BotID(2), step(9, 2))
		if _, _, lost := steps(t, p, kyro.DocumentID(7), 0); !lost {
			t.Error("a topic was not dropped, or its loss is not told")
		}
		p.Publish(t.Context(), bot, step(7, 3))
		wantSteps(t, p, kyro.DocumentID(7), 1, 3)
	})
}

func TestProgressBoundsItsTopics(t *testing.T) {
	t.Parallel()
	p := live.NewProgress(live.ProgressConfig{Topics: 4})
	for i := int64(1); i <= 10; i++ {
		p.Publish(t.Context(), bot, step(i, int(i)))
	}
	wantSteps(t, p, kyro.DocumentID(10), 9, 10)
	wantSteps(t, p, bot, 7, 8, 9, 10)
	if _, _, lost := steps(t, p, kyro.DocumentID(1), 0); !lost {
		t.Error("the topic silent for the longest is still there, or its loss is not told")
	}
}

func TestProgressStress(t *testing.T) {
	t.Parallel()
	p := live.NewProgress(live.ProgressConfig{TopicSize: 1_000})
	const changes = 1_000
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for position, seen := int64(0), 0; seen < changes; {
				done, next, lost := steps(t, p, bot, position)
				for _, d := range done {
					if seen++; d != seen || lost {
						t.Errorf("got change %d, want %d; lost %v", d, seen, lost)
						return
					}
				}
				position = next
			}
		})
	}
	for i := 1; i <= changes; i++ {
		p.Publish(t.Context(), bot, step(7, i))
	}
	wg.Wait()
}
