package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/ingest"
	"kyrochat/ingest/chunk"
	"kyrochat/internal/testdb"
	"kyrochat/kyro"
	"kyrochat/store"
)

// mustWork does turns of the document's run until nothing is left to do.
func (h *house) mustWork(t *testing.T, d kyro.Document) kyro.Document {
	t.Helper()
	for {
		err := h.Work(t.Context(), jobOf(d))
		if err == nil {
			return h.row(d.ID).Document
		}
		if !errors.Is(err, kyro.ErrJobAgain) {
			t.Fatal(err)
		}
	}
}

func TestReprocessCutsAsItIsTold(t *testing.T) {
	t.Parallel()
	var sizes []chunk.Options
	h := newHouse(t, func(c *ingest.Config) {
		c.Split = func(ex kyro.Extraction, title string, size chunk.Options) []kyro.Chunk {
			sizes = append(sizes, size)
			return splitLines(ex, title, size)
		}
	})
	d := h.mustWork(t, h.upload(t, "a.txt", "one\ntwo"))
	for _, cut := range []ingest.Cut{
		{ChunkTokens: kyro.Some(64), OverlapTokens: kyro.Some(0)}, {ChunkTokens: kyro.Some(1024), OverlapTokens: kyro.Some(512)},
		{ChunkTokens: kyro.Some(100)}, {OverlapTokens: kyro.Some(200)}, {},
	} {
		again, err := h.Reprocess(t.Context(), alice, d.ID, cut)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Reprocess(t.Context(), alice, d.ID, cut); kyro.ErrorCode(err) != kyro.CodeConflict {
			t.Errorf("a document that is worked on: %v", err)
		}
		h.mustWork(t, again)
	}
	want := []chunk.Options{
		{Budget: 400, Max: 512, Overlap: 60, Tail: 64}, {Budget: 64, Max: 81, Overlap: -1, Tail: 10}, {Budget: 1024, Max: 1310, Overlap: 512, Tail: 163},
		{Budget: 100, Max: 128, Overlap: 50, Tail: 16}, {Budget: 400, Max: 512, Overlap: 200, Tail: 64}, {Budget: 400, Max: 512, Overlap: 60, Tail: 64},
	}
	if !slices.Equal(sizes, want) {
		t.Errorf("cut into %v, want %v", sizes, want)
	}
	for field, cut := range map[string]ingest.Cut{
		"chunkTokens": {ChunkTokens: kyro.Some(63)}, "chunkTokens ": {ChunkTokens: kyro.Some(1025)},
		"overlapTokens": {OverlapTokens: kyro.Some(-1)}, "overlapTokens ": {ChunkTokens: kyro.Some(64), OverlapTokens: kyro.Some(33)},
	} {
		_, err := h.Reprocess(t.Context(), alice, d.ID, cut)
		known, ok := errors.AsType[*kyro.Error](err)
		if !ok || known.Code != kyro.CodeValidation || !slices.Equal(known.Field, []string{strings.TrimSpace(field)}) {
			t.Errorf("%+v: %v", cut, err)
		}
	}
	if _, err := h.Reprocess(t.Context(), bob, d.ID, ingest.Cut{}); kyro.ErrorCode(err) != kyro.CodeNotFound {
		t.Errorf("a stranger: %v", err)
	}
}

func TestAnOriginalThatIsGone(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	d := h.mustWork(t, h.upload(t, "a.txt", "one"))
	h.memory.mu.Lock()
	clear(h.placed)
	h.memory.mu.Unlock()
	again, err := h.Reprocess(t.Context(), alice, d.ID, ingest.Cut{})
	if err != nil {
		t.Fatal(err)
	}
	if got := h.mustWork(t, again); got.Status != kyro.DocumentFailed || !strings.Contains(got.StatusReason, "not there any more") {
		t.Errorf("the document is %s: %s", got.Status, got.StatusReason)
	}
}

func TestTitlesOfFilesWithoutAName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file, given, own, want string
	}{
		{"download.txt", "", "The Tea Book", "The Tea Book"},
		{"document(1).txt", "", " The\nTea  Book ", "The Tea Book"},
		{"Untitled document.txt", "", "", "Untitled document"},
		{"scan_0001.txt", "", "Untitled", "scan_0001"},
		{"prices.txt", "", "The Tea Book", "prices"},
		{"download.txt", "Mine", "The Tea Book", "Mine"},
		{"2024.txt", "", "The Tea Book", "2024"},
	} {
		h := newHouse(t)
		var terms string
		h.reader.extract = func(_ context.Context, body []byte, mimeType string, _ func(int, int)) (kyro.Extraction, error) {
			return kyro.Extraction{MimeType: mimeType, Text: string(body), Title: c.own}, nil
		}
		var title *string
		if c.given != "" {
			title = &c.given
		}
		added, err := h.Upload(t.Context(), alice, bot, title, c.file, strings.NewReader("one"))
		if err != nil {
			t.Fatal(err)
		}
		h.mustWork(t, added.Document)
		r := h.row(added.Document.ID)
		if terms = r.terms[0]; r.Title != c.want {
			t.Errorf("%s, which calls itself %q, is called %q, want %q", c.file, c.own, r.Title, c.want)
		}
		if c.want == "The Tea Book" && !strings.Contains(terms, "tea") {
			t.Errorf("it is not found by its title: %s", terms)
		}
	}
}

// What a search would not find again is prepared once more, and in the end the document says so.
func TestPassagesThatAreNotFound(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	d := h.upload(t, "a.txt", "one\ntwo\nthree")
	lost := true
	h.fault = func(call string, after bool) error {
		if call == "SavePrepared" && after && lost {
			h.rows[0].terms = []string{"one", "", "three"}
		}
		return nil
	}
	err := h.Work(t.Context(), jobOf(d))
	if err == nil || h.row(d.ID).Status.Final() {
		t.Fatalf("a document that cannot be found is %s: %v", h.row(d.ID).Status, err)
	}
	lost = false
	if got := h.mustWork(t, d); got.Status != kyro.DocumentReady || h.row(d.ID).ActiveVersion != 1 {
		t.Errorf("the document is %s", got.Status)
	}
	again, _ := h.Reprocess(t.Context(), alice, d.ID, ingest.Cut{})
	lost = true
	err = h.Work(t.Context(), jobOf(again))
	if err := h.GiveUp(t.Context(), jobOf(again), err); err != nil {
		t.Fatal(err)
	}
	if got := h.row(d.ID); !strings.Contains(got.StatusReason, "cannot be found again") {
		t.Errorf("%s: %s", got.Status, got.StatusReason)
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	failed, ready := h.upload(t, "a.pdf", " "), h.upload(t, "b.txt", "two")
	h.mustWork(t, failed)
	h.mustWork(t, ready)
	ids := []kyro.ID{ready.ID, failed.ID, bot, kyro.DocumentID(99), failed.ID}
	codes := func(results []ingest.Result, err error) (codes []kyro.Code) {
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range results {
			if r.ID != ids[i] {
				t.Errorf("result %d is about %s", i, r.ID)
			}
			codes = append(codes, kyro.ErrorCode(r.Err))
		}
		return codes
	}
	if got, want := codes(h.RetryAll(t.Context(), alice, ids)), []kyro.Code{kyro.CodeConflict, "", kyro.CodeBadUserInput, kyro.CodeNotFound, kyro.CodeValidation}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got, want := codes(h.DeleteAll(t.Context(), alice, ids)), []kyro.Code{"", "", kyro.CodeBadUserInput, kyro.CodeNotFound, kyro.CodeValidation}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if changes := h.board.of(ready.ID); !changes[len(changes)-1].Deleted {
		t.Error("a watcher is not told of the deletion")
	}
	for _, ids := range [][]kyro.ID{nil, make([]kyro.ID, 101)} {
		if _, err := h.DeleteAll(t.Context(), alice, ids); kyro.ErrorCode(err) != kyro.CodeValidation {
			t.Errorf("%d documents: %v", len(ids), err)
		}
	}
}

// A run that ends on another node ends here while the model says nothing.
func TestACancelElsewhereIsNoticed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, func(c *ingest.Config) { c.Shared = true })
		added, err := h.AddText(t.Context(), alice, bot, "Tea", "one")
		if err != nil {
			t.Fatal(err)
		}
		d := added.Document
		hung := make(chan struct{})
		h.reader.extract = func(ctx context.Context, _ []byte, _ string, _ func(int, int)) (kyro.Extraction, error) {
			close(hung)
			<-ctx.Done()
			return kyro.Extraction{}, ctx.Err()
		}
		ended := make(chan error, 1)
		go func() { ended <- h.Work(t.Context(), jobOf(d)) }()
		<-hung
		if _, err := h.memory.CancelDocument(t.Context(), alice.UserID, d.ID, h.tick()); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := <-ended; err != nil {
			t.Errorf("the worker ended with %v", err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("the worker ended after %s", took)
		}
	})
}

// inOrder notes the order in which originals are read.
type inOrder struct {
	onDisk
	mu    sync.Mutex
	order []string
}

func (e *inOrder) Extract(ctx context.Context, original kyro.Original, progress func(done, total int)) (kyro.Extraction, error) {
	ex, err := e.onDisk.Extract(ctx, original, progress)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.order = append(e.order, ex.Text)
	return ex, err
}

// One user's many documents do not keep another's only one waiting: it is worked on after a window of them at most, and those
// that other workers took meanwhile.
func TestManyDocumentsOfOneUserDoNotStarveAnothers(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, p *store.Pools) {
		const many, window, workers = 60, 8, 4
		reader := &inOrder{}
		h := newWired(t, p, func(s ingest.Store) ingest.Store { return s }, func(c *ingest.Config) { c.Extractor = reader })
		other := h.neighbour(t)
		for i := range many {
			if _, err := h.AddText(t.Context(), h.owner, h.bot, "Fruit", fmt.Sprintf("fruit %d", i)); err != nil {
				t.Fatal(err)
			}
		}
		added, err := other.AddText(t.Context(), other.owner, other.bot, "Tea", "tea")
		if err != nil {
			t.Fatal(err)
		}
		h.queue.Handle(kyro.JobIngest, h.Work)
		h.queue.Handle(kyro.JobPurge, h.Purge)
		if err := h.queue.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = h.queue.Stop(context.Background()) })
		for progress, err := range h.Watch(t.Context(), other.owner, added.Document.ID) {
			if err != nil || progress.Status.Final() && !progress.Status.Ready() {
				t.Fatalf("%+v, %v", progress, err)
			}
		}
		for i := range many { // all of the others come to their end as well
			d := kyro.DocumentID(int64(i + 1))
			for progress, err := range h.Watch(t.Context(), h.owner, d) {
				if err != nil || progress.Status.Final() && !progress.Status.Ready() {
					t.Fatalf("%+v, %v", progress, err)
				}
			}
		}
		reader.mu.Lock()
		defer reader.mu.Unlock()
		if at := slices.Index(reader.order, "tea"); at < 0 || at > window+workers || len(reader.order) != many+1 {
			t.Errorf("the only one came after %d of %d", at, len(reader.order))
		}
	})
}
