package ingest_test

import (
	"context"
	"errors"
	"testing"

	"kyrochat/kyro"
)

func TestWorkEndsWhenTheRunIsOver(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		h := newHouse(t)
		d := h.upload(t, "a.txt", five)
		calls, hit := 0, false
		h.fault = func(string, bool) error {
			if calls++; calls == n { // another node cancels: only the row says so
				hit = true
				h.rows[0].Run++
				if !h.rows[0].Status.Final() {
					h.rows[0].Status = kyro.DocumentCanceled
				}
			}
			return nil
		}
		if err := h.Work(t.Context(), jobOf(d)); err != nil {
			t.Errorf("canceled at call %d: %v", n, err)
		}
		if !hit {
			return
		}
		if s := h.row(d.ID).Status; s != kyro.DocumentCanceled && s != kyro.DocumentReady {
			t.Errorf("canceled at call %d: the document is %s", n, s)
		}
	}
}

func TestCancelStopsTheWorkerAtOnce(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*house, kyro.ID) error{
		"Cancel": func(h *house, id kyro.ID) error { _, err := h.Cancel(context.Background(), alice, id); return err },
		"Delete": func(h *house, id kyro.ID) error { return h.Delete(context.Background(), alice, id) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			d := h.upload(t, "a.txt", five)
			extracting := make(chan struct{})
			h.reader.extract = func(ctx context.Context, _ []byte, _ string, _ func(int, int)) (kyro.Extraction, error) {
				close(extracting)
				<-ctx.Done()
				return kyro.Extraction{}, kyro.Errorf(kyro.CodeTimeout, "killed")
			}
			done := make(chan error, 1)
			go func() { done <- h.Work(context.Background(), jobOf(d)) }()
			<-extracting
			if err := end(h, d.ID); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Errorf("the turn ended with %v", err)
			}
			changes := h.board.of(d.ID)
			last := changes[len(changes)-1]
			if name == "Cancel" && last.Status != kyro.DocumentCanceled || name == "Delete" && !last.Deleted {
				t.Errorf("last told: %+v", last)
			}
		})
	}
}

func TestRetryAfterCancelKeepsWhatWasDone(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	d := h.upload(t, "a.txt", five)
	h.embedder.fail = func(call int) error {
		if call == 2 {
			if _, err := h.Cancel(context.Background(), alice, d.ID); err != nil {
				t.Error(err)
			}
		}
		return nil
	}
	if err := h.Work(t.Context(), jobOf(d)); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Cancel(t.Context(), alice, d.ID); kyro.ErrorCode(err) != kyro.CodeConflict {
		t.Errorf("canceled twice: %v", err)
	}
	again, err := h.Retry(t.Context(), alice, d.ID)
	if err != nil || again.Status != kyro.DocumentQueued {
		t.Fatalf("Retry = %+v, %v", again, err)
	}
	if err := h.Work(t.Context(), jobOf(again)); err != nil {
		t.Fatal(err)
	}
	checkReady(t, h, d.ID)
	if h.saved != 1 {
		t.Errorf("prepared %d times, want once", h.saved)
	}
	if _, err := h.Retry(t.Context(), alice, d.ID); kyro.ErrorCode(err) != kyro.CodeConflict {
		t.Errorf("retried when ready: %v", err)
	}
}

func TestShutdownPutsTheWorkBack(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	d := h.upload(t, "a.txt", five)
	ctx, cancel := context.WithCancel(t.Context())
	h.reader.extract = func(ctx context.Context, _ []byte, _ string, _ func(int, int)) (kyro.Extraction, error) {
		cancel()
		<-ctx.Done()
		return kyro.Extraction{}, kyro.Errorf(kyro.CodeTimeout, "killed")
	}
	if err := h.Work(ctx, jobOf(d)); !errors.Is(err, context.Canceled) {
		t.Errorf("the turn ended with %v", err)
	}
	if s := h.row(d.ID).Status; s != kyro.DocumentExtracting {
		t.Errorf("the document is %s", s)
	}
}

func TestCancelOnAnotherNodeEndsTheExtraction(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	d := h.upload(t, "a.txt", five)
	h.reader.extract = func(ctx context.Context, _ []byte, _ string, progress func(int, int)) (kyro.Extraction, error) {
		h.memory.mu.Lock()
		h.rows[0].Run++
		h.memory.mu.Unlock()
		progress(2, 2)
		<-ctx.Done()
		return kyro.Extraction{}, ctx.Err()
	}
	if err := h.Work(t.Context(), jobOf(d)); err != nil {
		t.Errorf("the turn ended with %v", err)
	}
}
