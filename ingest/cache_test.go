package ingest_test

import (
	"testing"

	"kyrochat/kyro"
)

// TestReadyDocumentsAreRemembered until they are deleted; others are read each time.
func TestReadyDocumentsAreRemembered(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	reads := 0
	h.fault = func(call string, after bool) error {
		if call == "Documents" && !after {
			reads++
		}
		return nil
	}
	d := h.upload(t, "a.txt", "hello world")
	read := func(want kyro.DocumentStatus, wantReads int) {
		t.Helper()
		before := reads
		for range 3 {
			if got, err := h.Document(t.Context(), alice, d.ID); err != nil || got.Status != want {
				t.Errorf("got %s, %v, want %s", got.Status, err, want)
			}
		}
		if reads-before != wantReads {
			t.Errorf("%s: %d reads, want %d", want, reads-before, wantReads)
		}
	}
	read(kyro.DocumentQueued, 3)
	canceled, err := h.Cancel(t.Context(), alice, d.ID)
	if err != nil {
		t.Fatal(err)
	}
	read(kyro.DocumentCanceled, 3) // another node may start it again
	again, err := h.Retry(t.Context(), alice, canceled.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Work(t.Context(), jobOf(again)); err != nil {
		t.Fatal(err)
	}
	read(kyro.DocumentReady, 1)
	if _, err := h.Document(t.Context(), bob, d.ID); kyro.ErrorCode(err) != kyro.CodeNotFound {
		t.Errorf("another reads it: %v", err)
	}
	if err := h.Delete(t.Context(), alice, d.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Document(t.Context(), alice, d.ID); kyro.ErrorCode(err) != kyro.CodeNotFound {
		t.Errorf("after the deletion: %v", err)
	}
}
