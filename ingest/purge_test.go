package ingest_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"kyrochat/ingest"
	"kyrochat/kyro"
)

func TestPurge(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	live, gone := h.upload(t, "a.txt", five), h.upload(t, "b.txt", five)
	if err := h.Delete(t.Context(), alice, gone.ID); err != nil {
		t.Fatal(err)
	}
	h.purgeLeft = 3
	for _, d := range []kyro.Document{live, gone} {
		if err := h.Service.Purge(t.Context(), kyro.Job{Kind: kyro.JobPurge, Key: d.ID.Key}); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(h.purged, []kyro.ID{live.ID, gone.ID}) || !slices.Equal(h.removed, []kyro.ID{gone.ID}) {
		t.Errorf("purged rows of %v and files of %v", h.purged, h.removed)
	}
}

func TestPurgeGivesOthersTheirTurn(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *ingest.Config) { c.Turn = time.Nanosecond })
	h.upload(t, "a.txt", five)
	h.purgeLeft = 1
	job := kyro.Job{Kind: kyro.JobPurge, Key: 1}
	if err := h.Service.Purge(t.Context(), job); !errors.Is(err, kyro.ErrJobAgain) {
		t.Errorf("the first turn ended with %v", err)
	}
	if err := h.Service.Purge(t.Context(), job); err != nil {
		t.Errorf("the second turn ended with %v", err)
	}
}

// Nothing else would ever remove what a purge is for, so no number of faults ends it.
func TestPurgeIsNeverGivenUp(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	d := h.upload(t, "a.txt", five)
	if err := h.Delete(t.Context(), alice, d.ID); err != nil {
		t.Fatal(err)
	}
	job := kyro.Job{Kind: kyro.JobPurge, Key: d.ID.Key}
	for _, at := range []string{"Deleted", "Purge"} {
		h.fault = func(call string, _ bool) error {
			if call == at {
				return errBoom
			}
			return nil
		}
		err := h.Service.Purge(t.Context(), job)
		if wait, ok := errors.AsType[*kyro.Error](err); !errors.Is(err, kyro.ErrJobAgain) || !ok || wait.RetryAfter < time.Second {
			t.Errorf("%s: the turn ended with %v", at, err)
		}
	}
	h.fault = nil
	if err := h.Service.Purge(t.Context(), job); err != nil || !slices.Equal(h.removed, []kyro.ID{d.ID}) {
		t.Errorf("then: %v, files of %v are gone", err, h.removed)
	}
}

func TestSweepRemovesFilesWithoutADocument(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.upload(t, "a.txt", five)
	if err := h.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(h.removed, []kyro.ID{kyro.DocumentID(99)}) {
		t.Errorf("removed the files of %v", h.removed)
	}
}
