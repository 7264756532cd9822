package answer_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/answer"
	"kyrochat/kyro"
	"kyrochat/live"
)

// appendLog is a log whose appends go through a function.
type appendLog struct {
	*live.Logs
	through func(append func() error) error
}

func (l *appendLog) Append(ctx context.Context, m kyro.ID, entries ...kyro.LogEntry) error {
	return l.through(func() error { return l.Logs.Append(ctx, m, entries...) })
}

func inWorldWithLog(t *testing.T, through func(append func() error) error, m answer.Model, test func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		logs := live.NewLogs(live.LogsConfig{})
		test(t, newWorld(t, newFakeStore(), logs, m, func(c *answer.Config) { c.Log = &appendLog{logs, through} }))
	})
}

func words(n int, pause time.Duration) model {
	return saying(pause, strings.SplitAfter(strings.Repeat("word ", n), " ")...)
}

func TestLogThatComesBackGetsWhatItMissed(t *testing.T) {
	t.Parallel()
	var away atomic.Bool
	inWorldWithLog(t, func(append func() error) error {
		if away.Load() {
			return errors.New("the log is away")
		}
		return append()
	}, words(40, 100*time.Millisecond), func(t *testing.T, w *world) {
		turn := w.say("Hi")
		time.AfterFunc(time.Second, func() { away.Store(true) })
		time.AfterFunc(2*time.Second, func() { away.Store(false) })
		m := w.final(turn.Bot.ID)
		s, known, err := w.log.Snapshot(t.Context(), turn.Bot.ID)
		if !known || err != nil || s.Text != m.Text || !s.Final || s.Seq != m.Seq {
			t.Errorf("the log has %+v, known %v, %v", s, known, err)
		}
	})
}

// A log that is away for too long is given up: readers follow the row, and only the end is logged.
func TestLogThatIsAwayForLongIsGivenUp(t *testing.T) {
	t.Parallel()
	var away atomic.Bool
	inWorldWithLog(t, func(append func() error) error {
		if away.Load() {
			return errors.New("the log is away")
		}
		return append()
	}, words(3_000, 10*time.Millisecond), func(t *testing.T, w *world) {
		turn := w.say("Hi")
		time.Sleep(time.Second)
		away.Store(true)
		time.Sleep(20 * time.Second)
		away.Store(false)
		r := &reader{t: t, id: turn.Bot.ID}
		r.follow(t.Context(), w.Service, w.viewer, 1)
		if n := len(r.text); n < 8_000 {
			t.Errorf("a reader that arrives sees %d bytes: the log's, not the row's", n)
		}
		r.follow(t.Context(), w.Service, w.viewer, -1)
		if r.finished == nil || r.finished.Status != kyro.MessageCompleted {
			t.Fatalf("got %+v, %v", r.finished, r.err)
		}
		entries, known, err := w.log.Read(t.Context(), turn.Bot.ID, 1, r.seq-1)
		if !known || err != nil || len(entries) != 1 || !entries[0].Final {
			t.Errorf("the log's end: %v, known %v, %v", entries, known, err)
		}
	})
}

// Passing a piece on is not the model's silence.
func TestSlowLogIsNoIdleModel(t *testing.T) {
	t.Parallel()
	inWorldWithLog(t, func(append func() error) error {
		time.Sleep(16 * time.Second)
		return append()
	}, saying(0, "a", "b", "c"), func(t *testing.T, w *world) {
		if m := w.final(w.say("Hi").Bot.ID); m.Status != kyro.MessageCompleted || m.Text != "abc" {
			t.Errorf("got %s %q", m.Status, m.Text)
		}
	})
}

// lateStore tells a worker late that nothing waits.
type lateStore struct{ answer.Store }

func (s lateStore) ClaimNext(ctx context.Context, c kyro.ID, owner string, lease time.Duration) (kyro.Claim, bool, error) {
	claim, found, err := s.Store.ClaimNext(ctx, c, owner, lease)
	if !found {
		time.Sleep(100 * time.Millisecond)
	}
	return claim, found, err
}

func TestTurnThatComesWhileTheWorkerLeavesIsAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	inWorld(t, saying(0, "a"), func(t *testing.T, w *world) {
		first := w.say("one")
		w.final(first.Bot.ID)
		begun := time.Now()
		w.final(w.say("two", first.Conversation.ID).Bot.ID)
		if d := time.Since(begun); d > time.Second {
			t.Errorf("answered after %v", d)
		}
	}, func(c *answer.Config) { c.Store = lateStore{c.Store} })
}
