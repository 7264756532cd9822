package answer_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/kyro"
	"kyrochat/live"
)

// A reader that stays behind for so long that the log has dropped what comes next goes on with a snapshot, in the middle
// of the answer, and misses nothing. One that keeps up needs none.
func TestReaderThatFellBehindGetsASnapshot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var pieces []string
		for i := range 200 {
			pieces = append(pieces, fmt.Sprintf("piece %d of the answer, ", i))
		}
		const pace = 100 * time.Millisecond
		log := live.NewLogs(live.LogsConfig{MaxAttemptBytes: 2 << 10})
		w := newWorld(t, newFakeStore(), log, saying(pace, pieces...))
		turn := w.say("Hi")
		slow, quick := &reader{t: t, id: turn.Bot.ID}, &reader{t: t, id: turn.Bot.ID}
		done := make(chan struct{})
		go func() {
			defer close(done)
			quick.follow(t.Context(), w.Service, w.viewer, -1)
		}()
		events := 0
		for event, err := range w.Follow(t.Context(), w.viewer, turn.Bot.ID, nil) {
			if err != nil {
				t.Fatal(err)
			}
			slow.show(event)
			if events++; events == 10 {
				time.Sleep(150 * pace) // three quarters of the answer; the log holds less than a quarter
			}
		}
		<-done
		for name, r := range map[string]*reader{"slow": slow, "quick": quick} {
			if r.finished == nil || r.finished.Status != kyro.MessageCompleted {
				t.Fatalf("the %s reader saw no end: %s", name, r.seen)
			}
		}
		// Not at the beginning, where the answer begins, and not at the end, where the row may be ahead of the log.
		if n := strings.Count(strings.Join(slow.seen[10:20], "\n"), "snapshot "); n != 1 {
			t.Errorf("when it reads on the slow reader gets %s", slow.seen[10:20])
		}
		if n := strings.Count(strings.Join(quick.seen[10:150], "\n"), "snapshot "); n != 0 {
			t.Errorf("the quick reader gets %s", quick.seen[10:150])
		}
		if !strings.Contains(strings.Join(slow.seen[10:], "\n"), `"piece 199 of the answer, "`) {
			t.Errorf("behind its snapshot the slow reader got no pieces: %s", slow.seen[10:])
		}
	})
}
