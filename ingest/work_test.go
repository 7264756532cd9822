package ingest_test

import (
	"context"
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

const five = "one apple\ntwo pears\nthree plums\nfour figs\nfive kiwis"

// checkProgress checks what every run promises its watchers: the percentage never falls.
func checkProgress(t *testing.T, changes []kyro.DocumentProgress) {
	t.Helper()
	for i := 1; i < len(changes); i++ {
		if before, after := changes[i-1].Percent(), changes[i].Percent(); after < before {
			t.Errorf("progress falls from %.1f %% (%s) to %.1f %% (%s)", before, changes[i-1].Status, after, changes[i].Status)
		}
	}
}

// checkReady checks that the document of the text five is searchable as a whole and once.
func checkReady(t *testing.T, h *house, id kyro.ID) {
	t.Helper()
	r := h.row(id)
	if r.Status != kyro.DocumentReady || r.ActiveVersion != 1 || r.ChunkCount != 5 || len(r.chunks) != 5 || *r.CharCount != len(five) {
		t.Errorf("the document is %s, version %d, %d chunks, %d stored", r.Status, r.ActiveVersion, r.ChunkCount, len(r.chunks))
	}
	for i, c := range r.chunks {
		if h.vectors[c.ContentHash] == nil {
			t.Errorf("chunk %d has no embedding", i)
		}
		if !strings.Contains(" "+r.terms[i]+" ", " a ") { // the title is among the terms of every chunk
			t.Errorf("chunk %d is found by %q", i, r.terms[i])
		}
	}
	if len(h.vectors) != 5 {
		t.Errorf("%d embeddings, want 5", len(h.vectors))
	}
}

func TestWork(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	d := h.upload(t, "a.txt", five)
	if err := h.Work(t.Context(), jobOf(d)); err != nil {
		t.Fatal(err)
	}
	checkReady(t, h, d.ID)
	changes := h.board.of(d.ID)
	checkProgress(t, changes)
	var states []kyro.DocumentStatus
	for _, c := range changes {
		if n := len(states); n == 0 || states[n-1] != c.Status {
			states = append(states, c.Status)
		}
	}
	want := []kyro.DocumentStatus{
		kyro.DocumentQueued, kyro.DocumentExtracting, kyro.DocumentChunking, kyro.DocumentEmbedding, kyro.DocumentReady,
	}
	if !slices.Equal(states, want) {
		t.Errorf("it passed %v, want %v", states, want)
	}
	if err := h.Work(t.Context(), jobOf(d)); err != nil || h.saved != 1 {
		t.Errorf("the same job again: %v, prepared %d times", err, h.saved)
	}
}

func TestWorkOnAText(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	added, err := h.AddText(t.Context(), alice, bot, "a", five)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Work(t.Context(), jobOf(added.Document)); err != nil {
		t.Fatal(err)
	}
	checkReady(t, h, added.Document.ID)
	if left := h.left(); len(left) != 0 {
		t.Errorf("files left: %v", left)
	}
}

// The process dies before or after any call of the store, once; the next turn goes on.
func TestWorkGoesOnAfterAnyFault(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		h := newHouse(t)
		d := h.upload(t, "a.txt", five)
		calls, where := 0, ""
		h.fault = func(call string, after bool) error {
			if calls++; calls != n {
				return nil
			}
			where = fmt.Sprintf("%s, after %t", call, after)
			return errBoom
		}
		err := h.Work(t.Context(), jobOf(d))
		if where == "" {
			if n < 20 {
				t.Fatalf("only %d calls were seen", n)
			}
			return // every call has had its fault
		}
		if where != "Activate, after true" && !errors.Is(err, errBoom) {
			t.Errorf("%s: the turn ended with %v", where, err)
		}
		embedded := len(h.vectors)
		h.embedder.texts = nil
		if err := h.Work(t.Context(), jobOf(d)); err != nil {
			t.Errorf("%s: the next turn ended with %v", where, err)
		}
		if again := len(h.embedder.texts) + embedded; again != 5 {
			t.Errorf("%s: embedded %d, then %d more", where, embedded, len(h.embedder.texts))
		}
		checkReady(t, h, d.ID)
		checkProgress(t, h.board.of(d.ID))
		if t.Failed() {
			t.Fatalf("with a fault at %s", where)
		}
	}
}

func TestWorkTellsWhatAPersonMustMend(t *testing.T) {
	t.Parallel()
	told := []kyro.DocumentWarning{{Code: "PAGE_WITHOUT_TEXT"}}
	mendable := kyro.Errorf(kyro.CodeValidation, "The PDF is encrypted. Remove the password.").Because(errBoom)
	for name, test := range map[string]struct {
		file   string
		ex     kyro.Extraction
		err    error
		status kyro.DocumentStatus
		reason string
	}{
		"a scan": {file: "a.pdf", ex: kyro.Extraction{Pages: 1, Warnings: told}, status: kyro.DocumentNeedsOCR, reason: "OCR"},
		"a scan with a stamp": {
			file: "a.pdf", ex: kyro.Extraction{Text: "17", Pages: 1, Warnings: told}, status: kyro.DocumentNeedsOCR, reason: "OCR",
		},
		"slides of pictures, and empty ones": {
			file: "a.pptx", ex: kyro.Extraction{Pages: 3, PageChars: []int{0, 0, 0}, Warnings: told}, status: kyro.DocumentNeedsOCR, reason: "OCR",
		},
		"blank pages":   {file: "a.pdf", ex: kyro.Extraction{Pages: 2}, status: kyro.DocumentFailed, reason: "no text"},
		"an empty text": {file: "a.txt", ex: kyro.Extraction{Text: " \n\t"}, status: kyro.DocumentFailed, reason: "no text"},
		"a locked PDF":  {file: "a.pdf", err: mendable, status: kyro.DocumentFailed, reason: "The PDF is encrypted. Remove the password."},
		"too long":      {file: "a.txt", ex: kyro.Extraction{Text: strings.Repeat("x\n", 10)}, status: kyro.DocumentFailed, reason: "Split it"},
		"warnings": {
			file: "a.pdf", ex: kyro.Extraction{Text: "x", Pages: 2, Warnings: told},
			status: kyro.DocumentWarned,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, func(c *ingest.Config) {
				c.Limits = kyro.DefaultLimits()
				c.Limits.MaxChunks = 10
			})
			d := h.upload(t, test.file, "x")
			h.reader.extract = func(context.Context, []byte, string, func(int, int)) (kyro.Extraction, error) {
				return test.ex, test.err
			}
			if err := h.Work(t.Context(), jobOf(d)); err != nil {
				t.Fatal(err)
			}
			r := h.row(d.ID)
			if r.Status != test.status || !strings.Contains(r.StatusReason, test.reason) {
				t.Errorf("the document is %s: %q", r.Status, r.StatusReason)
			}
			if p := test.ex.Pages; test.err == nil && p > 0 && test.status != kyro.DocumentWarned {
				if r.PageCount == nil || *r.PageCount != p || !slices.Equal(r.PageChars, test.ex.PageChars) || len(r.Warnings) != len(test.ex.Warnings) {
					t.Errorf("of its pages it tells %v, %v, %+v", r.PageCount, r.PageChars, r.Warnings)
				}
			}
			if strings.Contains(r.StatusReason, "boom") {
				t.Errorf("the cause is shown: %q", r.StatusReason)
			}
			if changes := h.board.of(d.ID); changes[len(changes)-1].Status != test.status {
				t.Errorf("last told: %+v", changes[len(changes)-1])
			}
		})
	}
}

func TestWorkIsTriedAgainWhereItIsNotThePersonsFault(t *testing.T) {
	t.Parallel()
	for name, cause := range map[string]error{
		"a fault":              errBoom,
		"a fault of its house": kyro.Errorf(kyro.CodeInternal, "broken"),
	} {
		h := newHouse(t)
		d := h.upload(t, "a.txt", five)
		h.embedder.fail = func(int) error { return cause }
		if err := h.Work(t.Context(), jobOf(d)); !errors.Is(err, cause) {
			t.Errorf("%s: the turn ended with %v", name, err)
		}
		if s := h.row(d.ID).Status; s != kyro.DocumentEmbedding {
			t.Errorf("%s: the document is %s", name, s)
		}
		if err := h.GiveUp(t.Context(), jobOf(d), cause); err != nil {
			t.Errorf("%s: giving up: %v", name, err)
		}
		if r := h.row(d.ID); r.Status != kyro.DocumentFailed || r.StatusReason == "" {
			t.Errorf("%s: given up, the document is %s: %q", name, r.Status, r.StatusReason)
		}
		if err := h.GiveUp(t.Context(), jobOf(d), cause); err != nil {
			t.Errorf("%s: giving up twice: %v", name, err)
		}
	}
}

// TestReadingThatHardlyRanIsTriedAgain: a process that hung, or had no processor, says nothing about the file.
func TestReadingThatHardlyRanIsTriedAgain(t *testing.T) {
	t.Parallel()
	for name, stood := range map[string]error{
		"its time":         kyro.Errorf(kyro.CodeTimeout, "The file could not be read within 30s.").Because(kyro.ErrNotRun),
		"that of its turn": errors.Join(context.DeadlineExceeded, kyro.ErrNotRun),
	} {
		h := newHouse(t)
		d := h.upload(t, "a.txt", five)
		read := h.reader.extract
		h.reader.extract = func(context.Context, []byte, string, func(int, int)) (kyro.Extraction, error) {
			return kyro.Extraction{}, stood
		}
		if err := h.Work(t.Context(), jobOf(d)); !errors.Is(err, kyro.ErrNotRun) || errors.Is(err, kyro.ErrJobAgain) {
			t.Errorf("%s: the turn ended with %v, which costs no try", name, err)
		}
		if s := h.row(d.ID).Status; s != kyro.DocumentExtracting {
			t.Errorf("%s: the document is %s", name, s)
		}
		h.reader.extract = read
		h.work(t, d)
		if s := h.row(d.ID).Status; s != kyro.DocumentReady {
			t.Errorf("%s: read again, the document is %s", name, s)
		}
	}
}

// TestAFullDiskCostsNoTry: whatever cannot be stored for lack of room, or since the database is away, is done in a later turn.
func TestAFullDiskCostsNoTry(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		h := newHouse(t)
		d := h.upload(t, "a.txt", five)
		calls, where := 0, ""
		h.fault = func(call string, after bool) error {
			if calls++; calls != n || after {
				return nil
			}
			where = call
			return kyro.NoRoom(errBoom)
		}
		err := h.Work(t.Context(), jobOf(d))
		if where == "" && calls < n {
			if n < 20 {
				t.Fatalf("only %d calls were seen", n)
			}
			return
		}
		if where != "" && !errors.Is(err, kyro.ErrJobAgain) {
			t.Errorf("%s: the turn ended with %v", where, err)
		}
		if err := h.Work(t.Context(), jobOf(d)); err != nil {
			t.Errorf("%s: the next turn ended with %v", where, err)
		}
		checkReady(t, h, d.ID)
	}
}

func TestWorkGivesOthersTheirTurn(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *ingest.Config) { c.Turn = time.Nanosecond })
	d := h.upload(t, "a.txt", five)
	turns := 1
	for ; turns < 10; turns++ {
		err := h.Work(t.Context(), jobOf(d))
		if err == nil {
			break
		}
		if !errors.Is(err, kyro.ErrJobAgain) {
			t.Fatal(err)
		}
	}
	checkReady(t, h, d.ID)
	checkProgress(t, h.board.of(d.ID))
	if turns != 3 || h.saved != 1 { // batches of two
		t.Errorf("%d turns, prepared %d times", turns, h.saved)
	}
}

func TestWorkWaitsForQuota(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	d := h.upload(t, "a.txt", five)
	h.embedder.fail = func(call int) error {
		if call == 2 {
			err := kyro.Errorf(kyro.CodeUpstreamQuota, "The daily quota is used up.")
			err.RetryAfter = 90 * time.Second
			return err
		}
		return nil
	}
	err := h.Work(t.Context(), jobOf(d))
	var pause *kyro.Error
	if !errors.Is(err, kyro.ErrJobAgain) || !errors.As(err, &pause) || pause.RetryAfter != 90*time.Second {
		t.Fatalf("the turn ended with %v", err)
	}
	r := h.row(d.ID)
	if r.Status != kyro.DocumentWaitingQuota || r.RetryAt == nil || !r.RetryAt.After(r.UpdatedAt.Add(89*time.Second)) {
		t.Errorf("the document is %s until %v", r.Status, r.RetryAt)
	}
	h.pass(90 * time.Second)
	if err := h.Work(t.Context(), jobOf(d)); err != nil {
		t.Fatal(err)
	}
	checkReady(t, h, d.ID)
	checkProgress(t, h.board.of(d.ID))
}

func TestADocumentIsNotToBlameForAnEngineThatIsNotReady(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		d := h.upload(t, "a.txt", five)
		h.reader.extract = func(ctx context.Context, _ []byte, _ string, _ func(int, int)) (kyro.Extraction, error) {
			<-ctx.Done()
			return kyro.Extraction{}, errors.Join(kyro.ErrJobAgain, ctx.Err())
		}
		ctx, cancel := context.WithTimeout(t.Context(), 45*time.Second)
		defer cancel()
		if err := h.Work(ctx, jobOf(d)); !errors.Is(err, kyro.ErrJobAgain) {
			t.Fatal(err)
		}
		h.reader.extract = nil
		if err := h.Work(t.Context(), jobOf(d)); err != nil {
			t.Fatal(err)
		}
		checkReady(t, h, d.ID)
	})
}

func TestExtractionLeavesTimeForTheRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		d := h.upload(t, "a.txt", five)
		h.reader.extract = func(ctx context.Context, _ []byte, _ string, _ func(int, int)) (kyro.Extraction, error) {
			<-ctx.Done()
			return kyro.Extraction{}, ctx.Err()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 45*time.Second)
		defer cancel()
		began := time.Now()
		if err := h.Work(ctx, jobOf(d)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 35*time.Second {
			t.Errorf("the extraction had %s, want 35 s", took)
		}
		if r := h.row(d.ID); r.Status != kyro.DocumentFailed || !strings.Contains(r.StatusReason, "too long") {
			t.Errorf("the document is %s: %q", r.Status, r.StatusReason)
		}
	})
}

func TestDocumentsThatWaitToBeReadCostNoTry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, func(c *ingest.Config) { c.Extractions = 1 })
		first, second := h.upload(t, "a.txt", five), h.upload(t, "b.txt", five)
		release := make(chan struct{})
		h.reader.extract = func(_ context.Context, body []byte, _ string, _ func(int, int)) (kyro.Extraction, error) {
			<-release
			return kyro.Extraction{Text: string(body)}, nil
		}
		done := make(chan error, 1)
		go func() { done <- h.Work(t.Context(), jobOf(first)) }()
		synctest.Wait()
		if err := h.Work(t.Context(), jobOf(second)); !errors.Is(err, kyro.ErrJobAgain) {
			t.Errorf("the turn of a document that waits ended with %v", err)
		}
		if s := h.row(second.ID).Status; s != kyro.DocumentQueued {
			t.Errorf("the document that waits is %s", s)
		}
		close(release)
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := h.Work(t.Context(), jobOf(second)); err != nil || h.row(second.ID).Status != kyro.DocumentReady {
			t.Errorf("its next turn ended with %v", err)
		}
	})
}

func TestEmbeddingsAreChecked(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *ingest.Config) { c.Embedder = wrongVectors{} })
	d := h.upload(t, "a.txt", five)
	if err := h.Work(t.Context(), jobOf(d)); err == nil || len(h.vectors) != 0 {
		t.Errorf("wrong vectors are kept: %v", err)
	}
}

// What embeddings take is counted where somebody is to know, once for passages that say the same.
func TestEmbeddingsAreCounted(t *testing.T) {
	t.Parallel()
	for _, metered := range []bool{true, false} {
		h := newHouse(t, func(c *ingest.Config) {
			c.Metered = metered
			c.Prices = kyro.Prices{Models: map[string]kyro.Price{"test": {Prompt: 2 * kyro.MoneyUnit}}}
		})
		d := h.ready(t, "a.txt", five)
		h.ready(t, "b.txt", five)
		tokens, cost := 0, kyro.Money(0)
		for _, used := range h.used {
			if used.BotID != d.BotID || used.At.IsZero() {
				t.Errorf("counted %+v", used)
			}
			tokens, cost = tokens+used.Tokens, cost+used.Cost
		}
		if (tokens > 0) != metered || cost != kyro.Money(2*tokens) {
			t.Errorf("metered %v: %d tokens that cost %d", metered, tokens, cost)
		}
	}
}

type wrongVectors struct{}

func (wrongVectors) Model() (string, int) { return "test", 3 }

func (wrongVectors) EmbedPassages(_ context.Context, texts []string) ([][]float32, error) {
	return make([][]float32, len(texts)), nil
}
