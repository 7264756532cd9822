package answer_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/answer"
	"kyrochat/kyro"
	"kyrochat/live"
)

// A reader that is slower than a log that forgets goes on from the row.
func TestFollowingALogThatForgets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := live.NewLogs(live.LogsConfig{MaxAttemptBytes: 1_000})
		w := newWorld(t, newFakeStore(), log, saying(50*time.Millisecond, strings.Split(strings.Repeat("word ", 400), " ")...))
		turn := w.say("Hi")
		r := &reader{t: t, id: turn.Bot.ID}
		for event, err := range w.Follow(t.Context(), w.viewer, turn.Bot.ID, nil) {
			if err != nil {
				t.Fatal(err)
			}
			r.show(event)
			if len(r.seen)%20 == 0 {
				time.Sleep(5 * time.Second)
			}
		}
		snapshots := 0
		for _, what := range r.seen {
			if strings.HasPrefix(what, "snapshot") {
				snapshots++
			}
		}
		if r.finished == nil || snapshots < 3 {
			t.Errorf("%d snapshots, end %v", snapshots, r.finished)
		}
	})
}

// endedLog is a log that knows the end before the first look at the row did.
type endedLog struct {
	*live.Logs
	before func()
}

func (l *endedLog) Snapshot(ctx context.Context, m kyro.ID) (kyro.StreamSnapshot, bool, error) {
	if l.before != nil {
		l.before()
	}
	return l.Logs.Snapshot(ctx, m)
}

func TestAnswerThatEndsWhileAReaderArrives(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &endedLog{Logs: live.NewLogs(live.LogsConfig{})}
		w := newWorld(t, newFakeStore(), nil, saying(time.Second, "a", "b"), func(c *answer.Config) { c.Log = log })
		turn := w.say("Hi")
		time.Sleep(1500 * time.Millisecond)
		log.before = func() { time.Sleep(time.Minute) }
		r := &reader{t: t, id: turn.Bot.ID}
		r.follow(t.Context(), w.Service, w.viewer, -1)
		if got, want := strings.Join(r.seen, ", "), `snapshot 1.4 COMPLETED "ab", finished COMPLETED STOP`; got != want {
			t.Errorf("events %s, want %s", got, want)
		}
	})
}

func TestFinishReasonOfARowWithoutOne(t *testing.T) {
	t.Parallel()
	inWorld(t, saying(0, "a"), func(t *testing.T, w *world) {
		turn := w.say("Hi")
		w.final(turn.Bot.ID)
		for status, want := range map[kyro.MessageStatus]string{
			kyro.MessageCompleted: "STOP", kyro.MessageStopped: "STOPPED_BY_USER",
			kyro.MessageFailed: "ERROR", kyro.MessageInterrupted: "INTERRUPTED",
		} {
			w.store.edit(turn.Bot.ID, func(row *fakeRow) { row.FinishReason, row.Status = nil, status })
			r := &reader{t: t, id: turn.Bot.ID}
			r.follow(t.Context(), w.Service, w.viewer, -1)
			if got := r.seen[len(r.seen)-1]; got != "finished "+string(status)+" "+want {
				t.Errorf("%s: %s", status, got)
			}
		}
	})
}

// An answer that was ended by somebody else, after its node was lost, may have shown more than was stored: its readers get a snapshot
// even where their place is the end's.
func TestAnswerThatDidNotEndByItselfShowsWhatIsStored(t *testing.T) {
	t.Parallel()
	for status, reason := range map[kyro.MessageStatus]kyro.FinishReason{
		kyro.MessageInterrupted: kyro.FinishInterrupted, kyro.MessageStopped: kyro.FinishUser,
	} {
		inWorld(t, silent(), func(t *testing.T, w *world) {
			turn := w.say("Hi")
			synctest.Wait()
			w.store.edit(turn.Bot.ID, func(row *fakeRow) {
				row.Text, row.Seq = "stored", 4
				row.end(status, reason, time.Now())
			})
			for seq := int64(3); seq <= 6; seq++ {
				r := &reader{t: t, id: turn.Bot.ID, attempt: 1, seq: seq, text: "stored and more",
					cursor: &kyro.StreamCursor{Stream: turn.Bot.ID, Attempt: 1, Seq: seq}}
				r.follow(t.Context(), w.Service, w.viewer, -1)
				if got, want := strings.Join(r.seen, ", "), fmt.Sprintf(`snapshot 1.4 %s "stored", finished %[1]s %s`, status, reason); got != want {
					t.Errorf("after %d: %s, want %s", seq, got, want)
				}
			}
		})
	}
}

// shortLog is a log that gives less than it says it has.
type shortLog struct{ *live.Logs }

func (l *shortLog) Read(ctx context.Context, m kyro.ID, attempt, seq int64) ([]kyro.LogEntry, bool, error) {
	entries, known, err := l.Logs.Read(ctx, m, attempt, seq)
	return entries[:min(1, len(entries))], known, err
}

// What a log does not give, of an answer that is over, is in the snapshot that takes its place.
func TestFollowingALogThatGivesLessThanItHas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newFakeStore(), nil, saying(time.Second, "a", "b", "c"), func(c *answer.Config) { c.Log = &shortLog{live.NewLogs(live.LogsConfig{})} })
		turn := w.say("Hi")
		time.Sleep(time.Minute)
		r := &reader{t: t, id: turn.Bot.ID, attempt: 1, seq: 3, text: "a", cursor: &kyro.StreamCursor{Stream: turn.Bot.ID, Attempt: 1, Seq: 3}}
		r.follow(t.Context(), w.Service, w.viewer, -1)
		if got, want := strings.Join(r.seen, ", "), `"b", snapshot 1.5 COMPLETED "abc", finished COMPLETED STOP`; got != want {
			t.Errorf("events %s, want %s", got, want)
		}
	})
}

func TestClaimLostAtTheEndStoresNothing(t *testing.T) {
	t.Parallel()
	for _, lose := range []func(*world, kyro.Turn){
		func(w *world, turn kyro.Turn) { w.store.steal(turn.Bot.ID) },
		func(w *world, turn kyro.Turn) {
			w.store.edit(turn.Bot.ID, func(row *fakeRow) { row.Status = kyro.MessageStopped })
		},
	} {
		inWorld(t, saying(500*time.Millisecond, "a"), func(t *testing.T, w *world) {
			turn := w.say("Hi")
			time.Sleep(300 * time.Millisecond)
			lose(w, turn)
			time.Sleep(time.Second)
			if n := w.store.count("Finish"); n != 0 {
				t.Errorf("finished %d times", n)
			}
			if s, _, _ := w.log.Snapshot(t.Context(), turn.Bot.ID); s.Final {
				t.Error("the log has an end")
			}
		})
	}
}
