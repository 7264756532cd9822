package ingest_test

import (
	"strings"
	"testing"

	"kyrochat/kyro"
)

// TestDocumentsAreNoted: what comes in and what is deleted, by people and by their keys; not what is refused.
func TestDocumentsAreNoted(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	key := kyro.Viewer{UserID: alice.UserID, KeyID: kyro.APIKeyID(5), Scopes: []kyro.Scope{kyro.ScopeIngest}, RequestID: "r1"}
	file, err := h.Upload(t.Context(), alice, bot, nil, "a.txt", strings.NewReader("content"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := h.AddText(t.Context(), key, bot, "Notes", "text")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = h.AddText(t.Context(), key, bot, "", "text"); err == nil {
		t.Fatal("a text without a title was taken in")
	}
	if err := h.Delete(t.Context(), key, file.Document.ID); err != nil {
		t.Fatal(err)
	}
	if err := h.Delete(t.Context(), key, file.Document.ID); kyro.ErrorCode(err) != kyro.CodeNotFound {
		t.Fatalf("deleted twice: %v", err)
	}
	want := []kyro.AuditEntry{
		alice.Entry(kyro.AuditDocumentAdded, file.Document.ID).Dated(file.Document.CreatedAt),
		key.Entry(kyro.AuditDocumentAdded, text.Document.ID).Dated(text.Document.CreatedAt),
		key.Entry(kyro.AuditDocumentDeleted, file.Document.ID).Dated(h.row(file.Document.ID).UpdatedAt),
	}
	if len(h.lines) != len(want) {
		t.Fatalf("%d lines: %+v", len(h.lines), h.lines)
	}
	for i := range want {
		if h.lines[i] != want[i] {
			t.Errorf("line %d\n got %+v\nwant %+v", i, h.lines[i], want[i])
		}
	}
}
