package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/kyro"
)

// put places vectors in the index that nobody put there.
func (x *index) put(places ...kyro.VectorPlace) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range places {
		x.vectors[p] = 9
	}
}

func place(document kyro.ID, version, at int) kyro.VectorPlace {
	return kyro.VectorPlace{BotID: bot, DocumentID: document, Version: version, Index: at}
}

func TestTheIndexIsReconciled(t *testing.T) {
	t.Parallel()
	h := newIndexed(t)
	d, gone := h.ready(t, "a.txt", five), h.ready(t, "b.txt", five)
	renewed := h.ready(t, "c.txt", five)
	h.work(t, h.renew(renewed.ID, lines(3)))
	if err := h.Delete(t.Context(), alice, gone.ID); err != nil {
		t.Fatal(err)
	}
	foreign := place(d.ID, 1, 0)
	foreign.BotID = kyro.BotID(77)
	h.index.put(place(d.ID, 1, 5), place(d.ID, 1, 4000), place(kyro.DocumentID(99), 1, 0), foreign)
	if err := h.Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprint(map[string]int{"live": 5, "deleted": 0, "former": 0, "active": 3, "unknown": 0})
	got := fmt.Sprint(map[string]int{
		"live": h.index.of(d.ID, 1), "deleted": h.index.of(gone.ID, 1), "former": h.index.of(renewed.ID, 1),
		"active": h.index.of(renewed.ID, 2), "unknown": h.index.of(kyro.DocumentID(99), 1),
	})
	if got != want {
		t.Errorf("left: %s, want %s", got, want)
	}
	if jobs := h.jobs(kyro.JobEmbed); len(jobs) != 0 {
		t.Errorf("what is complete is put in again: %v", jobs)
	}
}

func TestWhatIsMissingInTheIndexIsPutInAgain(t *testing.T) {
	t.Parallel()
	h := newIndexed(t)
	d, other := h.ready(t, "a.txt", five), h.ready(t, "b.txt", five)
	delete(h.index.vectors, place(d.ID, 1, 1)) // neither the first nor the middle nor the last
	if err := h.Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, job := range h.jobs(kyro.JobEmbed) {
		if job.Key != d.ID.Key {
			t.Errorf("job for document %d", job.Key)
		}
		if err := h.Embed(t.Context(), job); err != nil {
			t.Fatal(err)
		}
	}
	if h.index.of(d.ID, 1) != 5 || h.index.of(other.ID, 1) != 5 || len(h.embedder.texts) != 10 {
		t.Errorf("%d and %d vectors are there, %d texts were paid for", h.index.of(d.ID, 1), h.index.of(other.ID, 1), len(h.embedder.texts))
	}
	clear(h.index.vectors) // by its operator
	if err := h.Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	if jobs := h.jobs(kyro.JobEmbed); len(jobs) != 2 {
		t.Errorf("jobs: %v", jobs)
	}
}

// A version that is made while the index is walked is in no row that was read before, and must stay.
func TestReconcilingSparesWhatIsBeingMade(t *testing.T) {
	t.Parallel()
	h := newIndexed(t)
	d := h.ready(t, "a.txt", five)
	var late kyro.Document
	h.index.took = func(call string) {
		if call != "Walk" {
			return
		}
		h.index.took = nil
		// Listed already: vectors of a version that is half made, and then of one whose row comes only now.
		h.index.onPage = nil
		h.renew(d.ID, lines(3))
		late = h.upload(t, "b.txt", five)
	}
	h.index.put(place(d.ID, 2, 0), place(kyro.DocumentID(2), 1, 0))
	if err := h.Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	if h.index.of(d.ID, 2) != 1 || h.index.of(late.ID, 1) != 1 || h.index.of(d.ID, 1) != 5 {
		t.Errorf("left: %d, %d and %d", h.index.of(d.ID, 2), h.index.of(late.ID, 1), h.index.of(d.ID, 1))
	}
}

// What is put in during the walk is not seen by it, and is not missed.
func TestReconcilingDoesNotMissWhatComesLater(t *testing.T) {
	t.Parallel()
	h := newIndexed(t)
	h.ready(t, "a.txt", five)
	h.index.onPage = func() {
		h.index.onPage = nil
		h.ready(t, "b.txt", five)
	}
	if err := h.Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	if jobs := h.jobs(kyro.JobEmbed); len(jobs) != 0 {
		t.Errorf("jobs: %v", jobs)
	}
}

// Documents are replaced and deleted while the index is compared with them, and a walk may see less than there is: only what two looks
// agree on is told.
func TestComparingSparesWhatChanges(t *testing.T) {
	t.Parallel()
	h := newIndexed(t)
	renewed, late, broken := h.ready(t, "a.txt", five), h.ready(t, "b.txt", five), h.ready(t, "c.txt", five)
	delete(h.index.vectors, place(broken.ID, 1, 1))
	delete(h.index.vectors, place(late.ID, 1, 2))
	h.index.put(place(kyro.DocumentID(99), 1, 0), place(kyro.DocumentID(98), 1, 0))
	h.index.took = func(call string) {
		if call != "Walk" {
			return
		}
		h.index.took = nil
		// The walk has listed what there was: then a version is replaced, and what is late comes.
		h.work(t, h.renew(renewed.ID, lines(3)))
		for i := range 5 { // as its purge does
			delete(h.index.vectors, place(renewed.ID, 1, i))
		}
		h.index.put(place(late.ID, 1, 2))
		delete(h.index.vectors, place(kyro.DocumentID(98), 1, 0))
	}
	dead, missing, err := h.Compare(t.Context())
	if err != nil || len(dead) != 1 || dead[0].DocumentID != kyro.DocumentID(99) || len(missing) != 1 || missing[0] != broken.ID {
		t.Errorf("dead are %v, missing %v, %v", dead, missing, err)
	}
}

func TestReconcilingOutlastsTheIndex(t *testing.T) {
	t.Parallel()
	h := newIndexed(t)
	d := h.ready(t, "a.txt", five)
	h.index.put(place(d.ID, 1, 7))
	for _, at := range []string{"Walk", "RemovePlaces"} {
		h.index.fail = func(call string) error {
			if call == at {
				return away(kyro.CodeUpstreamFailed)
			}
			return nil
		}
		err := h.Reconcile(t.Context())
		if wait, ok := errors.AsType[*kyro.Error](err); !errors.Is(err, kyro.ErrJobAgain) || !ok || wait.RetryAfter < time.Second {
			t.Errorf("%s: it ended with %v", at, err)
		}
		if jobs := h.jobs(kyro.JobEmbed); len(jobs) != 0 || h.index.of(d.ID, 1) != 6 {
			t.Errorf("%s: half a walk puts in %v", at, jobs)
		}
	}
	h.index.fail = nil
	h.fault = func(call string, _ bool) error {
		if call == "VectorStates" {
			return errBoom
		}
		return nil
	}
	if err := h.Reconcile(t.Context()); !errors.Is(err, errBoom) || h.index.of(d.ID, 1) != 6 {
		t.Errorf("without the rows %d vectors are left: %v", h.index.of(d.ID, 1), err)
	}
	h.fault = nil
	if err := h.Reconcile(t.Context()); err != nil || h.index.of(d.ID, 1) != 5 {
		t.Errorf("then %d vectors are left: %v", h.index.of(d.ID, 1), err)
	}
}

// An index that breaks every walk off comes clean all the same, and what was not seen is not taken for missing.
func TestReconcilingRemovesWhatItCameTo(t *testing.T) {
	t.Parallel()
	h := newIndexed(t)
	d := h.ready(t, "a.txt", five)
	h.index.put(place(d.ID, 1, 7))
	h.index.breaks = away(kyro.CodeUpstreamFailed)
	err := h.Reconcile(t.Context())
	if wait, ok := errors.AsType[*kyro.Error](err); !errors.Is(err, kyro.ErrJobAgain) || !ok || wait.RetryAfter < time.Second {
		t.Errorf("it ended with %v", err)
	}
	delete(h.index.vectors, place(d.ID, 1, 1))
	if err := h.Reconcile(t.Context()); !errors.Is(err, kyro.ErrJobAgain) {
		t.Errorf("then it ended with %v", err)
	}
	if n := h.index.of(d.ID, 1); n != 4 || len(h.jobs(kyro.JobEmbed)) != 0 {
		t.Errorf("%d vectors are left", n)
	}
}

// An index may list for a while what was removed from it; so it is not walked again at once.
func TestReconcilingPausesBeforeItRemovesMore(t *testing.T) {
	t.Parallel()
	h := newIndexed(t)
	d := h.ready(t, "a.txt", five)
	const dead = 50_001
	for i := range dead {
		h.index.put(place(kyro.DocumentID(99), 1, i))
	}
	err := h.Reconcile(t.Context())
	if wait, ok := errors.AsType[*kyro.Error](err); !errors.Is(err, kyro.ErrJobAgain) || !ok || wait.RetryAfter < time.Second {
		t.Errorf("the first turn ended with %v", err)
	}
	if n := h.index.of(kyro.DocumentID(99), 1); n != 1 {
		t.Errorf("%d are left after the first turn", n)
	}
	if err := h.Reconcile(t.Context()); err != nil || h.index.of(kyro.DocumentID(99), 1) != 0 || h.index.of(d.ID, 1) != 5 {
		t.Errorf("the second turn ended with %v", err)
	}
}

func TestAnIndexTooLargeForATurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newIndexed(t)
		d := h.ready(t, "a.txt", five)
		h.index.put(place(d.ID, 1, 7))
		h.index.endless = true
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := h.Reconcile(ctx); err != nil || ctx.Err() != nil {
			t.Fatal(err)
		}
		if n := h.index.of(d.ID, 1); n != 5 || len(h.jobs(kyro.JobEmbed)) != 0 {
			t.Errorf("%d vectors are left", n)
		}
	})
}

func TestWithoutAnIndexThereIsNothingToReconcile(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.ready(t, "a.txt", five)
	if err := h.Reconcile(t.Context()); err != nil || len(h.jobs(kyro.JobEmbed)) != 0 {
		t.Error(err)
	}
	if err := h.PurgeBot(t.Context(), kyro.Job{Kind: kyro.JobPurgeBot, Key: 1}); err != nil {
		t.Error(err)
	}
}
