package ingest_test

import (
	"context"
	"testing"

	"kyrochat/kyro"
)

func TestEveryUseCaseWantsAViewerAndAnIDOfItsKind(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ctx := t.Context()
	if _, err := h.ChunkList(ctx, kyro.Viewer{}, nil, kyro.PageRequest{}); kyro.ErrorCode(err) != kyro.CodeUnauthenticated {
		t.Errorf("ChunkList: %v", err)
	}
	if _, err := h.List(ctx, kyro.Viewer{}, nil, kyro.DocumentFilter{}, kyro.PageRequest{}); kyro.ErrorCode(err) != kyro.CodeUnauthenticated {
		t.Errorf("List: %v", err)
	}
	if _, err := h.Texts(ctx, kyro.Viewer{}, nil, 0, 1); kyro.ErrorCode(err) != kyro.CodeUnauthenticated {
		t.Errorf("Texts: %v", err)
	}
	document, wrong := kyro.DocumentID(1), kyro.MessageID(1)
	for name, use := range map[string]func(kyro.Viewer, kyro.ID) error{
		"Document": func(v kyro.Viewer, id kyro.ID) error { _, err := h.Document(ctx, v, id); return err },
		"Retry":    func(v kyro.Viewer, id kyro.ID) error { _, err := h.Retry(ctx, v, id); return err },
		"Cancel":   func(v kyro.Viewer, id kyro.ID) error { _, err := h.Cancel(ctx, v, id); return err },
		"Delete":   func(v kyro.Viewer, id kyro.ID) error { return h.Delete(ctx, v, id) },
		"Watch": func(v kyro.Viewer, id kyro.ID) error {
			for _, err := range h.Watch(ctx, v, id) {
				return err
			}
			return nil
		},
		"WatchBot": func(v kyro.Viewer, id kyro.ID) error {
			if id == document {
				id = bot
			}
			for _, err := range h.WatchBot(ctx, v, id) {
				return err
			}
			return nil
		},
	} {
		if err := use(kyro.Viewer{}, document); kyro.ErrorCode(err) != kyro.CodeUnauthenticated {
			t.Errorf("%s by nobody: %v", name, err)
		}
		if err := use(alice, wrong); kyro.ErrorCode(err) != kyro.CodeBadUserInput {
			t.Errorf("%s of a message: %v", name, err)
		}
	}
	if _, err := h.Service.Documents(ctx, kyro.Viewer{}, nil); kyro.ErrorCode(err) != kyro.CodeUnauthenticated {
		t.Errorf("Documents by nobody: %v", err)
	}
	if _, err := h.Service.Chunks(ctx, kyro.Viewer{}, nil); kyro.ErrorCode(err) != kyro.CodeUnauthenticated {
		t.Errorf("Chunks by nobody: %v", err)
	}
}

func TestNotYoursReadsLikeNotThere(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	d := h.upload(t, "a.txt", "secret")
	for name, use := range map[string]func(kyro.Viewer, kyro.ID) error{
		"Document": func(v kyro.Viewer, id kyro.ID) error { _, err := h.Document(t.Context(), v, id); return err },
		"Retry":    func(v kyro.Viewer, id kyro.ID) error { _, err := h.Retry(t.Context(), v, id); return err },
		"Cancel":   func(v kyro.Viewer, id kyro.ID) error { _, err := h.Cancel(t.Context(), v, id); return err },
		"Delete":   func(v kyro.Viewer, id kyro.ID) error { return h.Delete(t.Context(), v, id) },
		"Watch": func(v kyro.Viewer, id kyro.ID) error {
			for _, err := range h.Watch(t.Context(), v, id) {
				return err
			}
			return nil
		},
	} {
		theirs, missing := use(bob, d.ID), use(alice, kyro.DocumentID(999))
		if kyro.ErrorCode(theirs) != kyro.CodeNotFound || theirs.Error() != missing.Error() {
			t.Errorf("%s of another's: %v; of none: %v", name, theirs, missing)
		}
	}
	if h.row(d.ID).Status != kyro.DocumentQueued || h.row(d.ID).deleted {
		t.Error("another could change the document")
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	d := h.upload(t, "a.txt", "hello world")
	if texts, err := h.Texts(t.Context(), alice, []kyro.ID{d.ID}, 0, 5); err != nil || len(texts) != 0 {
		t.Errorf("before the work: %v, %v", texts, err)
	}
	if err := h.Work(t.Context(), jobOf(d)); err != nil {
		t.Fatal(err)
	}
	if texts, err := h.Texts(t.Context(), alice, []kyro.ID{d.ID}, 6, 262_144); err != nil || texts[d.ID] != "world" {
		t.Errorf("after the work: %v, %v", texts, err)
	}
	for _, bad := range [][2]int{{-1, 5}, {0, 0}, {0, 262_145}, {0, -1}} {
		if _, err := h.Texts(context.Background(), alice, []kyro.ID{d.ID}, bad[0], bad[1]); kyro.ErrorCode(err) != kyro.CodeBadUserInput {
			t.Errorf("Text(%d, %d) = %v", bad[0], bad[1], err)
		}
	}
}
