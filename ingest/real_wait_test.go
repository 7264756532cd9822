package ingest_test

import (
	"context"
	"io"
	"testing"
	"time"

	"kyrochat/ingest"
	"kyrochat/internal/testdb"
	"kyrochat/kyro"
	"kyrochat/live"
	"kyrochat/store"
)

// restarted is the same installation in another process, with another model or index.
func (w *wired) restarted(t *testing.T, p *store.Pools, e *embedder, x ingest.Index) *wired {
	t.Helper()
	next := *w
	next.queue = queueOn(t, p)
	next.store = store.New(p, next.queue)
	next.Service = ingest.New(ingest.Config{
		Store: next.store, Bots: next.store, Heads: heads(t), Files: w.files, Extractor: onDisk{}, Embedder: e, Index: x,
		Progress: live.NewProgress(live.ProgressConfig{}), Sniff: func(io.ReaderAt, int64, string) (string, error) { return "text/plain", nil },
		Split: splitLines, Batch: 2, Shared: p.Postgres(),
	})
	return &next
}

// start works on jobs until the test ends, or until stop is called.
func (w *wired) start(t *testing.T) (stop func()) {
	t.Helper()
	w.queue.Handle(kyro.JobIngest, w.Work)
	w.queue.OnExhausted(kyro.JobIngest, w.GiveUp)
	w.queue.Handle(kyro.JobEmbed, w.Embed)
	w.queue.OnExhausted(kyro.JobEmbed, w.GiveUpEmbed)
	w.queue.Handle(kyro.JobPurge, w.Purge)
	w.queue.Handle(kyro.JobPurgeBot, w.PurgeBot)
	w.queue.Periodic(kyro.JobRefresh, time.Second, w.Refresh)
	w.queue.Periodic(kyro.JobReconcile, time.Second, w.Reconcile)
	if err := w.queue.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		if err := w.queue.Stop(ctx); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// until looks at a document until it is as wanted.
func (w *wired) until(t *testing.T, id kyro.ID, what string, wanted func(kyro.Document) bool) kyro.Document {
	t.Helper()
	var d kyro.Document
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		var err error
		if d, err = w.Document(t.Context(), w.owner, id); err != nil {
			t.Fatal(err)
		}
		if wanted(d) {
			return d
		}
	}
	t.Fatalf("%s: the document is %s: %q", what, d.Status, d.StatusReason)
	return d
}

func isReady(d kyro.Document) bool { return d.Status == kyro.DocumentReady }

func TestRealWaitSurvivesARestart(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, p *store.Pools) {
		refuses := &embedder{fail: func(call int) error {
			if call < 2 {
				return nil
			}
			err := kyro.Errorf(kyro.CodeUpstreamQuota, "used up")
			err.RetryAfter = time.Second
			return err
		}}
		before := newWired(t, p, func(s ingest.Store) ingest.Store { return s }).restarted(t, p, refuses, nil)
		stop := before.start(t)
		added, err := before.AddText(t.Context(), before.owner, before.bot, "Fruit", five)
		if err != nil {
			t.Fatal(err)
		}
		id := added.Document.ID
		waiting := before.until(t, id, "before the restart", func(d kyro.Document) bool { return d.Status == kyro.DocumentWaitingQuota })
		if waiting.RetryAt == nil || waiting.StageDone != 2 {
			t.Errorf("it waits until %v, at %d", waiting.RetryAt, waiting.StageDone)
		}
		stop()
		takes := &embedder{}
		after := before.restarted(t, p, takes, nil)
		after.start(t)
		done := after.until(t, id, "after the restart", isReady)
		if paid := refuses.paid() + takes.paid(); paid != 5 || done.RetryAt != nil {
			t.Errorf("paid for %d texts of 5; it waits until %v", paid, done.RetryAt)
		}
		if n := failures(t, p); n != 0 {
			t.Errorf("to wait was %d failures", n)
		}
	})
}

// failures counts the tries of jobs that failed.
func failures(t *testing.T, p *store.Pools) (n int) {
	t.Helper()
	const count = "SELECT count(*) FROM river_job WHERE errors IS NOT NULL"
	var err error
	if p.Postgres() {
		err = p.Pgx.QueryRow(t.Context(), count).Scan(&n)
	} else {
		err = p.SQLite.QueryRowContext(t.Context(), count).Scan(&n)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Another model and an index are switched on; the document stays what it was meanwhile, and leaves the index when it is
// deleted.
func TestRealChangeOfModelAndIndex(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, p *store.Pools) {
		before := newWired(t, p, func(s ingest.Store) ingest.Store { return s }).restarted(t, p, &embedder{}, nil)
		stop := before.start(t)
		added, err := before.AddText(t.Context(), before.owner, before.bot, "Fruit", lines(20))
		if err != nil {
			t.Fatal(err)
		}
		id := added.Document.ID
		made := before.until(t, id, "at first", isReady)
		stop()

		x := newIndex("one")
		x.put(place(kyro.DocumentID(4711), 1, 0))
		failed := false
		x.fail = func(call string) error {
			if call == "Upsert" && len(x.upserts) == 1 && !failed {
				failed = true
				return errBoom
			}
			return nil
		}
		other := &embedder{name: "other"}
		after := before.restarted(t, p, other, x)
		generation, err := after.store.BotKnowledge(t.Context(), after.bot)
		if err != nil {
			t.Fatal(err)
		}
		after.start(t)
		now := after.until(t, id, "with another model", func(d kyro.Document) bool {
			g, err := after.store.BotKnowledge(t.Context(), after.bot)
			return err == nil && g > generation
		})
		if now.Status != made.Status || now.UpdatedAt != made.UpdatedAt || x.of(id, 1) != 20 || other.paid() != 20 {
			t.Errorf("the document is %s, %d vectors are in the index, %d texts were paid for", now.Status, x.of(id, 1), other.paid())
		}
		vectors := 0
		err = after.store.BotVectors(t.Context(), after.bot, "other", 3, func(kyro.ChunkVector) error { vectors++; return nil })
		if err != nil || vectors != 20 {
			t.Errorf("%d vectors of the other model: %v", vectors, err)
		}
		if err := after.Delete(t.Context(), after.owner, id); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(time.Minute); x.of(id, 1)+x.of(kyro.DocumentID(4711), 1) > 0; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d vectors of the deleted document and %d of nobody's are left", x.of(id, 1), x.of(kyro.DocumentID(4711), 1))
			}
		}
		if n := failures(t, p); n != 1 {
			t.Errorf("%d jobs failed of the one that should", n)
		}
	})
}
