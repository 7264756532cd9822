package ingest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/ingest"
	"kyrochat/kyro"
)

// turnOf does a turn of a document that waits at its end, and gives the pause.
func (h *house) turnOf(t *testing.T, d kyro.Document) time.Duration {
	t.Helper()
	err := h.Work(t.Context(), jobOf(d))
	wait, ok := errors.AsType[*kyro.Error](err)
	if !errors.Is(err, kyro.ErrJobAgain) || !ok {
		t.Fatalf("the turn ended with %v", err)
	}
	return wait.RetryAfter
}

func TestADocumentWaitsForUpstreams(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		code   kyro.Code
		status kyro.DocumentStatus
		reason string
		pause  time.Duration
	}{
		"quota":       {kyro.CodeUpstreamQuota, kyro.DocumentWaitingQuota, "quota", time.Minute},
		"rate":        {kyro.CodeRateLimited, kyro.DocumentWaitingQuota, "quota", time.Minute},
		"failed":      {kyro.CodeUpstreamFailed, kyro.DocumentEmbedding, "embedding model does not answer", 15 * time.Second},
		"slow":        {kyro.CodeTimeout, kyro.DocumentEmbedding, "embedding model does not answer", 15 * time.Second},
		"unavailable": {kyro.CodeUnavailable, kyro.DocumentEmbedding, "embedding model does not answer", 15 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			d := h.upload(t, "a.txt", five)
			h.embedder.fail = func(call int) error {
				if call >= 2 && call <= 8 {
					return away(test.code)
				}
				return nil
			}
			for turn := range 7 { // more than a job may fail
				pause := h.turnOf(t, d)
				r := h.row(d.ID)
				if r.Status != test.status || !strings.Contains(r.StatusReason, test.reason) || strings.Contains(r.StatusReason, "secret") {
					t.Fatalf("the document is %s: %q", r.Status, r.StatusReason)
				}
				if r.RetryAt == nil || r.RetryAt.Sub(r.UpdatedAt) != pause {
					t.Fatalf("it goes on at %v, which is not after %s", r.RetryAt, pause)
				}
				if want := min(test.pause<<turn, 250*time.Second); pause != want {
					t.Errorf("pause %d is %s, want %s", turn+1, pause, want)
				}
				if p := r.Progress(); p.StageDone != 2 || *p.StageTotal != 5 {
					t.Errorf("it is at %d of %d", p.StageDone, *p.StageTotal)
				}
				calls := h.embedder.calls
				if left := h.turnOf(t, d); left > pause || left < pause-time.Second || h.embedder.calls != calls {
					t.Errorf("a turn that is too early asked the model, or waits %s instead of %s", left, pause)
				}
				h.pass(pause)
			}
			h.work(t, d)
			checkReady(t, h, d.ID)
			checkProgress(t, h.board.of(d.ID))
			if n := len(h.embedder.texts); n != 5 {
				t.Errorf("paid for %d texts", n)
			}
			if r := h.row(d.ID); r.RetryAt != nil || r.StatusReason != "" {
				t.Errorf("it still waits: %v %q", r.RetryAt, r.StatusReason)
			}
		})
	}
}

func TestADocumentWaitsForTheIndex(t *testing.T) {
	t.Parallel()
	for _, code := range []kyro.Code{kyro.CodeUpstreamQuota, kyro.CodeUpstreamFailed, kyro.CodeTimeout, kyro.CodeUnavailable} {
		for _, at := range []string{"Upsert", "Visible"} {
			h := newIndexed(t)
			d := h.upload(t, "a.txt", lines(20))
			h.index.fail = func(call string) error {
				if call == at && len(h.index.upserts) > 1 {
					err := away(code)
					err.RetryAfter = 40 * time.Second
					return err
				}
				return nil
			}
			if pause := h.turnOf(t, d); pause != 40*time.Second {
				t.Errorf("%s of %s: it waits %s", code, at, pause)
			}
			r := h.row(d.ID)
			if r.Status != kyro.DocumentEmbedding || !strings.Contains(r.StatusReason, "index does not answer") || r.RetryAt == nil {
				t.Errorf("%s of %s: the document is %s until %v: %q", code, at, r.Status, r.RetryAt, r.StatusReason)
			}
			h.index.fail = nil
			h.pass(40 * time.Second)
			h.work(t, d)
			if !slices.Equal(h.index.upserts, []int{8, 8, 4}) || len(h.embedder.texts) != 20 {
				t.Errorf("%s of %s: put in by %v, embedded %d", code, at, h.index.upserts, len(h.embedder.texts))
			}
			checkProgress(t, h.board.of(d.ID))
		}
	}
}

// A document that goes on does not show that it waits, also where it has to do again what was done before.
func TestWhatGoesOnDoesNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		before := newIndexed(t)
		d := before.upload(t, "a.txt", five)
		before.index.hidden = 1_000
		before.pass(before.turnOf(t, d))
		if r := before.row(d.ID); r.RetryAt == nil || r.StatusReason == "" {
			t.Fatalf("it does not wait: %s", r.Status)
		}
		h := before.with(t, "other", newIndex("two"))
		asked := 0
		h.embedder.wait = func(int) {
			asked++
			if r := h.row(d.ID); r.Status != kyro.DocumentEmbedding || r.RetryAt != nil || r.StatusReason != "" {
				t.Errorf("while it is embedded it is %s until %v: %q", r.Status, r.RetryAt, r.StatusReason)
			}
		}
		h.work(t, d)
		if asked == 0 {
			t.Error("nothing was embedded again")
		}
		checkProgress(t, append(before.board.of(d.ID), h.board.of(d.ID)...))
	})
}

func TestPauses(t *testing.T) {
	t.Parallel()
	spread := 0.0
	h := newHouse(t, func(c *ingest.Config) { c.Random = func() float64 { return spread } })
	d := h.upload(t, "a.txt", lines(10))
	retryAfter, succeed := 10*time.Hour, false
	h.embedder.fail = func(int) error {
		if succeed {
			succeed = false
			return nil
		}
		err := away(kyro.CodeUpstreamQuota)
		err.RetryAfter = retryAfter
		return err
	}
	next := func(what string, want time.Duration) {
		t.Helper()
		if pause := h.turnOf(t, d); pause != want {
			t.Errorf("%s: it waits %s, want %s", what, pause, want)
		}
		h.pass(want)
	}
	next("a daily quota", 10*time.Hour)
	retryAfter = time.Second
	next("a second, where much more did not suffice", 250*time.Second)
	succeed = true
	next("a second, after something went", time.Second)
	next("a second, where a second did not suffice", 2*time.Second)
	spread = 1
	next("four seconds, spread", 4*time.Second+800*time.Millisecond)
	retryAfter = 100 * time.Second
	next("never less than asked for", 120*time.Second)
}

func TestAWaitingDocumentCanBeCanceled(t *testing.T) {
	t.Parallel()
	for _, code := range []kyro.Code{kyro.CodeUpstreamQuota, kyro.CodeUpstreamFailed} {
		h := newHouse(t)
		d := h.upload(t, "a.txt", five)
		h.embedder.fail = func(call int) error {
			if call == 2 {
				return away(code)
			}
			return nil
		}
		pause := h.turnOf(t, d)
		canceled, err := h.Cancel(t.Context(), alice, d.ID)
		if err != nil || canceled.Status != kyro.DocumentCanceled || canceled.RetryAt != nil {
			t.Fatalf("%s: canceled, it is %s until %v: %v", code, canceled.Status, canceled.RetryAt, err)
		}
		h.pass(pause)
		if err := h.Work(t.Context(), jobOf(d)); err != nil || h.embedder.calls != 2 {
			t.Errorf("%s: its job asked the model %d times: %v", code, h.embedder.calls, err)
		}
		// Started again, it does not wait for what it waited for, and pays nothing again.
		if d, err = h.Retry(t.Context(), alice, d.ID); err != nil {
			t.Fatal(err)
		}
		h.work(t, d)
		checkReady(t, h, d.ID)
		if n := len(h.embedder.texts); n != 5 {
			t.Errorf("%s: paid for %d texts", code, n)
		}
	}
}

func TestAModelThatRefusesATextFailsTheDocument(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	d := h.upload(t, "a.txt", five)
	h.embedder.fail = func(int) error {
		return kyro.Errorf(kyro.CodeValidation, "A passage is too long for the model.").Because(errBoom)
	}
	if err := h.Work(t.Context(), jobOf(d)); err != nil {
		t.Fatal(err)
	}
	if r := h.row(d.ID); r.Status != kyro.DocumentFailed || r.StatusReason != "A passage is too long for the model." {
		t.Errorf("the document is %s: %q", r.Status, r.StatusReason)
	}
}

// What an upstream says that is no word of the contract must not end as if the document had been canceled.
func TestAnUpstreamCannotEndTheRun(t *testing.T) {
	t.Parallel()
	for _, code := range []kyro.Code{kyro.CodeNotFound, kyro.CodeConflict} {
		h := newHouse(t)
		d := h.upload(t, "a.txt", five)
		h.embedder.fail = func(int) error { return away(code) }
		if err := h.Work(t.Context(), jobOf(d)); err == nil || errors.Is(err, kyro.ErrJobAgain) {
			t.Errorf("%s: the turn ended with %v", code, err)
		}
	}
}

func TestAModelThatTakesTheWholeTurnIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, func(c *ingest.Config) { c.Now = time.Now; c.Embedder = never{} })
		d := h.upload(t, "a.txt", five)
		ctx, cancel := context.WithTimeout(t.Context(), 45*time.Second)
		defer cancel()
		if err := h.Work(ctx, jobOf(d)); !errors.Is(err, kyro.ErrJobAgain) {
			t.Fatalf("the turn ended with %v", err)
		}
		if r := h.row(d.ID); r.Status != kyro.DocumentEmbedding || r.RetryAt == nil || ctx.Err() != nil {
			t.Errorf("the document is %s until %v", r.Status, r.RetryAt)
		}
	})
}

// never is a model that does not answer.
type never struct{}

func (never) Model() (string, int) { return "test", 3 }

func (never) EmbedPassages(ctx context.Context, _ []string) ([][]float32, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// A model that is asked when little of the turn is left may answer too late: what it made is paid for and lost.
func TestAModelIsAskedWithTimeToAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, func(c *ingest.Config) { c.Now = time.Now })
		d := h.upload(t, "a.txt", five)
		h.reader.extract = func(_ context.Context, body []byte, _ string, _ func(int, int)) (kyro.Extraction, error) {
			time.Sleep(30 * time.Second)
			return kyro.Extraction{Text: string(body)}, nil
		}
		h.embedder.fail = func(int) error { time.Sleep(12 * time.Second); return nil }
		turns := 1
		for ; turns < 10; turns++ {
			ctx, cancel := context.WithTimeout(t.Context(), 45*time.Second)
			err := h.Work(ctx, jobOf(d))
			over := ctx.Err()
			cancel()
			if err == nil {
				break
			}
			if !errors.Is(err, kyro.ErrJobAgain) || over != nil {
				t.Fatalf("turn %d ended with %v", turns, err)
			}
		}
		checkReady(t, h, d.ID)
		if turns != 3 || h.embedder.calls != 3 { // read; two batches; one batch
			t.Errorf("%d turns, %d calls", turns, h.embedder.calls)
		}
	})
}

func TestWhatAModelMadeBeforeItFailedIsKept(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *ingest.Config) { c.Batch = 5; c.Embedder = &half{} })
	d := h.upload(t, "a.txt", five)
	pause := h.turnOf(t, d)
	if len(h.vectors) != 2 {
		t.Errorf("%d embeddings are kept", len(h.vectors))
	}
	h.pass(pause)
	h.work(t, d)
	checkReady(t, h, d.ID)
}

// half fails the first time, with two texts made, and takes no more than three afterwards.
type half struct{ asked bool }

func (*half) Model() (string, int) { return "test", 3 }

func (e *half) EmbedPassages(_ context.Context, texts []string) ([][]float32, error) {
	made := [][]float32{{1, 0, 0}, {1, 0, 0}, {1, 0, 0}}
	if !e.asked {
		e.asked = true
		return [][]float32{nil, {1, 0, 0}, nil, nil, {1, 0, 0}}, away(kyro.CodeUpstreamQuota)
	}
	if len(texts) > 3 {
		return nil, errBoom
	}
	return made[:len(texts)], nil
}

func TestDocumentsThatSayTheSameAreEmbeddedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, func(c *ingest.Config) { c.Now = time.Now })
		first, second := h.upload(t, "a.txt", five), h.upload(t, "a.txt", five)
		release := make(chan struct{})
		h.embedder.wait = func(call int) {
			if call == 1 {
				<-release
			}
		}
		done := make(chan error, 1)
		go func() { done <- h.Work(t.Context(), jobOf(first)) }()
		synctest.Wait()
		if pause := h.turnOf(t, second); pause != time.Second { // it took the other three meanwhile
			t.Errorf("the second waits %s", pause)
		}
		if s := h.row(second.ID).Status; s != kyro.DocumentEmbedding {
			t.Errorf("the second is %s", s)
		}
		close(release)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		h.work(t, second)
		checkReady(t, h, first.ID)
		checkReady(t, h, second.ID)
		if n := len(h.embedder.texts); n != 5 || h.embedder.calls != 3 {
			t.Errorf("paid for %d texts in %d calls", n, h.embedder.calls)
		}
	})
}
