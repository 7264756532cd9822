package ingest_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/kyro"
)

// refresh looks for what is to be refreshed and does it all, each in one turn. It gives the documents.
func (h *house) refresh(t *testing.T) (ids []kyro.ID) {
	t.Helper()
	if err := h.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, job := range h.jobs(kyro.JobEmbed) {
		if err := h.Embed(t.Context(), job); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, kyro.DocumentID(job.Key))
	}
	return ids
}

func TestAnotherModelEmbedsInTheBackground(t *testing.T) {
	t.Parallel()
	before := newHouse(t)
	first, second := before.ready(t, "a.txt", five), before.ready(t, "a.txt", "one apple\nsix plums")
	gone, canceled := before.ready(t, "a.txt", five), before.upload(t, "a.txt", five)
	if err := before.Delete(t.Context(), alice, gone.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := before.Cancel(t.Context(), alice, canceled.ID); err != nil {
		t.Fatal(err)
	}
	if again := before.refresh(t); len(again) != 0 {
		t.Errorf("the same model embeds %v again", again)
	}

	h := before.with(t, "other", nil)
	if err := h.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := h.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	jobs, knowledge := h.jobs(kyro.JobEmbed), h.knowledge
	if len(jobs) != 2 || jobs[0].Key != first.ID.Key || jobs[1].Key != second.ID.Key {
		t.Fatalf("jobs: %v", jobs)
	}
	h.embedder.wait = func(int) {
		for _, d := range []kyro.Document{first, second} {
			if r := h.row(d.ID); r.Status != kyro.DocumentReady || r.ActiveVersion != 1 || r.UpdatedAt != d.UpdatedAt {
				t.Errorf("meanwhile %s is %s", d.ID, r.Status)
			}
		}
	}
	for i, job := range jobs {
		if err := h.Embed(t.Context(), job); err != nil {
			t.Fatal(err)
		}
		if h.knowledge != knowledge+i+1 {
			t.Error("who keeps the vectors does not hear of the new ones")
		}
	}
	for _, d := range []kyro.Document{first, second} {
		if r := h.row(d.ID); r.embeddedWith != "other@3" || r.refreshingWith != "" || len(h.unembedded(versionOf(r.Document), "other")) != 0 {
			t.Errorf("%s: vectors of %q", d.ID, r.embeddedWith)
		}
	}
	if n := len(h.embedder.texts); n != 6 {
		t.Errorf("paid for %d texts of 6", n)
	}
	if again := h.refresh(t); len(again) != 0 {
		t.Errorf("then %v is done again", again)
	}
	// Back again: nothing is paid for.
	if back := before.refresh(t); len(back) != 2 || len(before.embedder.texts) != 6 {
		t.Errorf("the way back embeds %v, paying for %d texts in all", back, len(before.embedder.texts))
	}
}

func versionOf(d kyro.Document) kyro.IndexedVersion {
	return kyro.IndexedVersion{BotID: d.BotID, DocumentID: d.ID, Version: d.Version, Chunks: d.ChunkCount}
}

func TestANewIndexIsFilledFromTheDatabase(t *testing.T) {
	t.Parallel()
	before := newHouse(t)
	d := before.ready(t, "a.txt", lines(20))
	h := before.with(t, "test", newIndex("two"))
	if done := h.refresh(t); !slices.Equal(done, []kyro.ID{d.ID}) || h.index.of(d.ID, 1) != 20 || h.embedder.calls != 0 {
		t.Errorf("of %v %d vectors are in the index, after %d calls of the model", done, h.index.of(d.ID, 1), h.embedder.calls)
	}
	if r := h.row(d.ID); r.embeddedWith != "test@3|two" {
		t.Errorf("the vectors are %q", r.embeddedWith)
	}
}

func TestEmbeddingAgainOutlastsUpstreams(t *testing.T) {
	t.Parallel()
	h := newHouse(t).ready0(t).with(t, "other", newIndex("two"))
	job := h.begin(t)
	for _, upstream := range []struct {
		name string
		set  func(error)
	}{
		{"model", func(err error) { h.embedder.fail = func(int) error { return err } }},
		{"index", func(err error) { h.index.fail = func(string) error { return err } }},
	} {
		name, set := upstream.name, upstream.set
		for _, code := range []kyro.Code{kyro.CodeUpstreamQuota, kyro.CodeUpstreamFailed, kyro.CodeTimeout, kyro.CodeUnavailable} {
			answer := away(code)
			answer.RetryAfter = time.Hour
			set(answer)
			err := h.Embed(t.Context(), job)
			if wait, ok := errors.AsType[*kyro.Error](err); !errors.Is(err, kyro.ErrJobAgain) || !ok || wait.RetryAfter != time.Hour {
				t.Errorf("%s, %s: the turn ended with %v", name, code, err)
			}
			if r := h.row(kyro.DocumentID(1)); r.Status != kyro.DocumentReady || r.RetryAt != nil {
				t.Errorf("%s, %s: the document is %s", name, code, r.Status)
			}
		}
		set(errBoom)
		if err := h.Embed(t.Context(), job); !errors.Is(err, errBoom) {
			t.Errorf("%s: a fault ends the turn with %v", name, err)
		}
		set(nil)
		if name == "model" && h.embedder.calls != 5 {
			t.Errorf("the model was asked %d times in 5 turns", h.embedder.calls)
		}
	}
	if err := h.Embed(t.Context(), job); err != nil || h.row(kyro.DocumentID(1)).embeddedWith != "other@3|two" {
		t.Errorf("then: %v", err)
	}
}

// ready0 has one document that is ready.
func (h *house) ready0(t *testing.T) *house {
	t.Helper()
	h.ready(t, "a.txt", five)
	return h
}

// begin gives the one job that is to be done.
func (h *house) begin(t *testing.T) kyro.Job {
	t.Helper()
	if err := h.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	jobs := h.jobs(kyro.JobEmbed)
	if len(jobs) != 1 {
		t.Fatalf("jobs: %v", jobs)
	}
	return jobs[0]
}

func TestWhatCannotBeEmbeddedAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t).ready0(t).with(t, "other", nil)
	job := h.begin(t)
	h.embedder.fail = func(int) error { return away(kyro.CodeValidation) }
	err := h.Embed(t.Context(), job)
	if wait, ok := errors.AsType[*kyro.Error](err); !errors.Is(err, kyro.ErrJobAgain) || !ok || wait.RetryAfter < time.Hour {
		t.Errorf("refused, the turn ended with %v", err)
	}
	if r := h.row(kyro.DocumentID(1)); r.Status != kyro.DocumentReady || r.embeddedWith != "test@3" {
		t.Errorf("refused, the document is %s with %q", r.Status, r.embeddedWith)
	}
	if again := h.refresh(t); len(again) != 0 {
		t.Errorf("what is refused has another job: %v", again)
	}
	// The refusal may have been a fault, which an operator has mended by the next time.
	h.embedder.fail = nil
	if err := h.Embed(t.Context(), job); err != nil || h.row(kyro.DocumentID(1)).embeddedWith != "other@3" {
		t.Errorf("what was refused is not tried again: %v", err)
	}
}

// A fault may be gone by the next time.
func TestWhatFailedIsEmbeddedAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t).ready0(t).with(t, "other", nil)
	job := h.begin(t)
	if err := h.GiveUpEmbed(t.Context(), job, errBoom); err != nil {
		t.Fatal(err)
	}
	if again := h.refresh(t); len(again) != 1 || h.row(kyro.DocumentID(1)).embeddedWith != "other@3" {
		t.Errorf("what was given up is not tried again: %v", again)
	}
}

func TestEmbeddingAgainEndsWithItsVersion(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*indexed, kyro.Document) error{
		"deleted": func(h *indexed, d kyro.Document) error { return h.Delete(t.Context(), alice, d.ID) },
		"deleted elsewhere": func(h *indexed, d kyro.Document) error {
			_, err := h.DeleteDocument(t.Context(), alice.UserID, d.ID, h.tick())
			return err
		},
		"renewed": func(h *indexed, d kyro.Document) error { return h.Work(t.Context(), jobOf(h.renew(d.ID, lines(3)))) },
	} {
		h := newHouse(t).ready0(t).with(t, "other", newIndex("two"))
		d, job := h.row(kyro.DocumentID(1)).Document, h.begin(t)
		h.index.took = func(call string) {
			h.index.took = nil
			if err := end(h, d); err != nil {
				t.Error(err)
			}
		}
		for range 2 { // the second finds out what the first was interrupted by
			if err := h.Embed(t.Context(), job); err != nil && !errors.Is(err, kyro.ErrJobAgain) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := h.Embed(t.Context(), job); err != nil {
			t.Errorf("%s: the job has no end: %v", name, err)
		}
		if n := h.index.of(d.ID, 1); n != 0 {
			t.Errorf("%s: %d vectors of a dead version stay in the index", name, n)
		}
		if r := h.row(d.ID); name == "renewed" && (r.embeddedWith != "other@3|two" || h.index.of(d.ID, 2) != 3) {
			t.Errorf("the new version's vectors are %q, %d of them", r.embeddedWith, h.index.of(d.ID, 2))
		}
	}
}

// However many documents there are, all come to their turn, without a pause that grows with them.
func TestRefreshGoesOnWhileThereAreMore(t *testing.T) {
	t.Parallel()
	before := newHouse(t)
	const all = 1_300
	first := before.ready(t, "a.txt", "one")
	for range all - 1 {
		before.copy(first.ID)
	}
	h := before.with(t, "other", nil)
	err := h.Refresh(t.Context())
	if wait, ok := errors.AsType[*kyro.Error](err); !errors.Is(err, kyro.ErrJobAgain) || !ok || wait.RetryAfter <= 0 || wait.RetryAfter > time.Minute {
		t.Errorf("with more than are done at a time it ends with %v", err)
	}
	jobs := h.jobs(kyro.JobEmbed)
	if n := len(jobs); n < 100 || n >= all {
		t.Fatalf("%d jobs at a time", n)
	}
	for _, job := range jobs {
		if err := h.Embed(t.Context(), job); err != nil {
			t.Fatal(err)
		}
	}
	if rest := h.refresh(t); len(rest) != all-len(jobs) {
		t.Errorf("%d of the rest are done", len(rest))
	}
	if n := len(h.embedder.texts); n != 1 {
		t.Errorf("paid for the same text %d times", n)
	}
}

// An index that shows late what it took does not hold the worker that many documents wait for.
func TestEmbeddingAgainDoesNotWaitForTheIndex(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t).ready0(t).with(t, "other", newIndex("two"))
		job, began := h.begin(t), time.Now()
		h.index.hidden = 1
		err := h.Embed(t.Context(), job)
		wait, ok := errors.AsType[*kyro.Error](err)
		if !errors.Is(err, kyro.ErrJobAgain) || !ok || wait.RetryAfter < time.Second || wait.RetryAfter > time.Minute {
			t.Errorf("the turn ended with %v", err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("the worker was held for %v", took)
		}
		if err := h.Embed(t.Context(), job); err != nil || len(h.index.upserts) != 1 {
			t.Errorf("then: %v, after %d upserts", err, len(h.index.upserts))
		}
	})
}
