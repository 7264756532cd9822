package ingest_test

import (
	"fmt"
	"testing"
	"time"

	"kyrochat/ingest"
	"kyrochat/internal/testdb"
	"kyrochat/kyro"
	"kyrochat/store"
)

// TestALostJobIsEnqueuedAgain: a document whose job is gone from the queue is not left where it is.
func TestALostJobIsEnqueuedAgain(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, p *store.Pools) {
		pages := &site{}
		h := newWired(t, p, plainly, func(c *ingest.Config) { c.Now = pages.now })
		lost, err := h.AddText(t.Context(), h.owner, h.bot, "Lost", "What was lost is found.")
		if err != nil {
			t.Fatal(err)
		}
		kept, err := h.AddText(t.Context(), h.owner, h.bot, "Kept", "What is kept is not done twice.")
		if err != nil {
			t.Fatal(err)
		}
		statement := fmt.Sprint("DELETE FROM river_job WHERE CAST(args ->> 'key' AS BIGINT) = ", lost.Document.ID.Key)
		if p.Postgres() {
			_, err = p.Pgx.Exec(t.Context(), statement)
		} else {
			_, err = p.SQLite.ExecContext(t.Context(), statement)
		}
		if err != nil {
			t.Fatal(err)
		}
		unfinished := func(when string, want int) {
			t.Helper()
			if err := h.Feed(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n, err := h.queue.Unfinished(t.Context(), kyro.JobIngest); err != nil || n != want {
				t.Errorf("%s there are %d jobs (%v), want %d", when, n, err, want)
			}
		}
		unfinished("at once", 1)
		pages.wait(11 * time.Minute)
		unfinished("after a while", 2)
		unfinished("once more", 2)
		if left, err := h.queue.Lost(t.Context(), []kyro.Job{jobOf(lost.Document), jobOf(kept.Document)}); err != nil || len(left) != 0 {
			t.Errorf("still lost: %v, %v", left, err)
		}
	})
}
