package ingest_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/ingest"
	"kyrochat/kyro"
)

// lines is a text of n different passages.
func lines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func TestAVersionAnswersOnlyOnceTheIndexShowsIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newIndexed(t)
		d := h.upload(t, "a.txt", lines(20))
		h.index.hidden = 3
		h.index.took = func(call string) {
			h.pass(time.Second)
			if r := h.row(d.ID); r.ActiveVersion != 0 || r.Status != kyro.DocumentEmbedding {
				t.Errorf("at %s the document is %s with version %d", call, r.Status, r.ActiveVersion)
			}
		}
		h.work(t, d)
		if n := h.index.of(d.ID, 1); n != 20 || h.index.looks != 4 {
			t.Errorf("%d vectors are in the index, after %d looks", n, h.index.looks)
		}
		if !slices.Equal(h.index.upserts, []int{8, 8, 4}) { // four batches of two
			t.Errorf("put in by %v", h.index.upserts)
		}
		if r := h.row(d.ID); r.embeddedWith != "test@3|one" || len(h.indexings) != 0 {
			t.Errorf("the vectors are %q, on their way: %v", r.embeddedWith, h.indexings)
		}
		changes := h.board.of(d.ID)
		checkProgress(t, changes)
		half := slices.IndexFunc(changes, func(p kyro.DocumentProgress) bool { return p.Status == kyro.DocumentEmbedding && p.StageDone >= 15 })
		if half < 0 || changes[half].StageDone == 20 {
			t.Errorf("the way from the embeddings to the index is not shown: %+v", changes)
		}
	})
}

// The process dies before or after any call of the store or the index, once; the next turn goes on, and pays nothing
// again.
func TestIndexingGoesOnAfterAnyFault(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		h := newIndexed(t)
		d := h.upload(t, "a.txt", lines(10))
		calls, where := 0, ""
		fault := func(call string) error {
			if calls++; calls != n {
				return nil
			}
			where = call
			return errBoom
		}
		h.fault = func(call string, after bool) error { return fault(fmt.Sprintf("%s, after %t", call, after)) }
		h.index.fail = fault
		_ = h.Work(t.Context(), jobOf(d))
		if where == "" {
			if n < 40 {
				t.Fatalf("only %d calls were seen", n)
			}
			return
		}
		embedded := len(h.vectors)
		h.embedder.texts = nil
		if err := h.Work(t.Context(), jobOf(d)); err != nil {
			t.Errorf("%s: the next turn ended with %v", where, err)
		}
		if len(h.embedder.texts)+embedded != 10 {
			t.Errorf("%s: embedded %d, then %d more", where, embedded, len(h.embedder.texts))
		}
		if r := h.row(d.ID); r.Status != kyro.DocumentReady || r.ActiveVersion != 1 || h.index.of(d.ID, 1) != 10 {
			t.Errorf("%s: the document is %s, %d vectors are in the index", where, r.Status, h.index.of(d.ID, 1))
		}
		checkProgress(t, h.board.of(d.ID))
		if t.Failed() {
			t.FailNow()
		}
	}
}

func TestIndexingGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	h := newIndexed(t, func(c *ingest.Config) { c.Turn = time.Nanosecond })
	d := h.upload(t, "a.txt", lines(20))
	turns := 1
	for ; turns < 30; turns++ {
		err := h.Work(t.Context(), jobOf(d))
		if err == nil {
			break
		}
		if !errors.Is(err, kyro.ErrJobAgain) {
			t.Fatal(err)
		}
	}
	if r := h.row(d.ID); r.Status != kyro.DocumentReady || !slices.Equal(h.index.upserts, []int{8, 8, 4}) {
		t.Errorf("after %d turns the document is %s, put in by %v", turns, r.Status, h.index.upserts)
	}
	if turns != 12 { // a turn for each batch of two, the last one and each of the first two batches of the index
		t.Errorf("%d turns", turns)
	}
	checkProgress(t, h.board.of(d.ID))
}

func TestWhatTheIndexLosesIsPutInAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newIndexed(t, func(c *ingest.Config) { c.Now = time.Now })
		d := h.upload(t, "a.txt", five)
		h.index.took = func(call string) {
			if call == "Upsert" && len(h.index.upserts) == 1 {
				clear(h.index.vectors)
			}
		}
		turns := 0
		for began := time.Now(); ; turns++ {
			err := h.Work(t.Context(), jobOf(d))
			if err == nil {
				break
			}
			if !errors.Is(err, kyro.ErrJobAgain) || time.Since(began) > 10*time.Minute {
				t.Fatalf("after %s: %v", time.Since(began), err)
			}
			r := h.row(d.ID)
			if r.Status != kyro.DocumentEmbedding || !strings.Contains(r.StatusReason, "index") || r.RetryAt == nil {
				t.Fatalf("the document is %s until %v: %q", r.Status, r.RetryAt, r.StatusReason)
			}
			time.Sleep(time.Until(*r.RetryAt))
		}
		if turns != 5 || len(h.index.upserts) != 2 || len(h.embedder.texts) != 5 {
			t.Errorf("%d turns, put in %d times, embedded %d", turns, len(h.index.upserts), len(h.embedder.texts))
		}
	})
}

func TestWhatIsDeletedWhileItIsPutInIsTakenBack(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"Upsert", "Visible"} {
		for _, elsewhere := range []bool{false, true} {
			h := newIndexed(t)
			d := h.upload(t, "a.txt", five)
			h.index.took = func(call string) {
				if call != at || h.row(d.ID).deleted {
					return
				}
				remove := func() error { return h.Delete(t.Context(), alice, d.ID) }
				if elsewhere { // where nobody can tell the worker
					remove = func() error { _, err := h.DeleteDocument(t.Context(), alice.UserID, d.ID, h.tick()); return err }
				}
				purge := kyro.Job{Kind: kyro.JobPurge, Key: d.ID.Key}
				if err := errors.Join(remove(), h.Service.Purge(t.Context(), purge)); err != nil {
					t.Error(err)
				}
				// The worker's vectors arrive after the purge.
				h.index.mu.Lock()
				h.index.vectors[kyro.VectorPlace{BotID: bot, DocumentID: d.ID, Version: 1, Index: 4}] = 1
				h.index.mu.Unlock()
			}
			if err := h.Work(t.Context(), jobOf(d)); err != nil {
				t.Errorf("%s: %v", at, err)
			}
			if n := h.index.of(d.ID, 1); n != 0 {
				t.Errorf("deleted at %s, elsewhere %t: %d vectors stay in the index", at, elsewhere, n)
			}
		}
	}
}

// A canceled document may be started again, by somebody who finds its vectors and counts on them.
func TestWhatIsCanceledIsKept(t *testing.T) {
	t.Parallel()
	h := newIndexed(t)
	d := h.upload(t, "a.txt", five)
	h.index.took = func(string) {
		h.index.took = nil
		if _, err := h.Cancel(t.Context(), alice, d.ID); err != nil {
			t.Error(err)
		}
	}
	if err := h.Work(t.Context(), jobOf(d)); err != nil {
		t.Fatal(err)
	}
	if err := h.Reconcile(t.Context()); err != nil || h.index.of(d.ID, 1) != 5 {
		t.Errorf("%d vectors are in the index: %v", h.index.of(d.ID, 1), err)
	}
	d, err := h.Retry(t.Context(), alice, d.ID)
	if err != nil {
		t.Fatal(err)
	}
	h.work(t, d)
	if n := len(h.embedder.texts); n != 5 {
		t.Errorf("embedded %d", n)
	}
}

func TestAFormerVersionLeavesTheIndex(t *testing.T) {
	t.Parallel()
	h := newIndexed(t)
	d := h.ready(t, "a.txt", five)
	h.work(t, h.renew(d.ID, lines(3)))
	if old, now := h.index.of(d.ID, 1), h.index.of(d.ID, 2); old != 5 || now != 3 {
		t.Errorf("before the purge: %d and %d vectors", old, now)
	}
	for _, job := range h.jobs(kyro.JobPurge) {
		if err := h.Service.Purge(t.Context(), job); err != nil {
			t.Fatal(err)
		}
	}
	if old, now := h.index.of(d.ID, 1), h.index.of(d.ID, 2); old != 0 || now != 3 {
		t.Errorf("after the purge: %d and %d vectors", old, now)
	}
}

func TestAPurgeOutlastsTheIndex(t *testing.T) {
	t.Parallel()
	h := newIndexed(t)
	d := h.ready(t, "a.txt", five)
	if err := h.Delete(t.Context(), alice, d.ID); err != nil {
		t.Fatal(err)
	}
	job := h.jobs(kyro.JobPurge)[0]
	answers := []error{away(kyro.CodeUpstreamFailed), away(kyro.CodeUpstreamQuota), errBoom, away(kyro.CodeInternal)}
	for _, answer := range answers {
		h.index.fail = func(string) error { return answer }
		err := h.Service.Purge(t.Context(), job)
		if wait, ok := errors.AsType[*kyro.Error](err); !errors.Is(err, kyro.ErrJobAgain) || !ok || wait.RetryAfter < time.Second {
			t.Errorf("%v: the turn ended with %v", answer, err)
		}
		if len(h.row(d.ID).versions) != 1 || len(h.purged) != 0 {
			t.Fatalf("%v: the rows went before the vectors", answer)
		}
		if err := h.PurgeBot(t.Context(), kyro.Job{Kind: kyro.JobPurgeBot, Key: bot.Key}); !errors.Is(err, kyro.ErrJobAgain) {
			t.Errorf("%v: the turn for the bot ended with %v", answer, err)
		}
	}
	h.index.fail = nil
	if err := h.Service.Purge(t.Context(), job); err != nil || h.index.of(d.ID, 1) != 0 || len(h.row(d.ID).versions) != 0 {
		t.Errorf("%d vectors and %d versions are left: %v", h.index.of(d.ID, 1), len(h.row(d.ID).versions), err)
	}
	if err := h.PurgeBot(t.Context(), kyro.Job{Kind: kyro.JobPurgeBot, Key: bot.Key}); err != nil || !slices.Equal(h.index.bots, []kyro.ID{bot}) {
		t.Errorf("cleared of %v: %v", h.index.bots, err)
	}
}
