package store

import (
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

func TestSplitText(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("x", textPartBytes-1) + strings.Repeat("😀é", textPartBytes/3)
	parts := splitText(4, 2, text)
	var whole strings.Builder
	at := 0
	for _, p := range parts {
		if p.DocumentID != 4 || p.Version != 2 || p.CharStart != at || len(p.Body) > textPartBytes || !utf8.ValidString(p.Body) {
			t.Fatalf("part of document %d version %d at %d (want %d), %d bytes", p.DocumentID, p.Version, p.CharStart, at, len(p.Body))
		}
		at += len(utf16.Encode([]rune(p.Body)))
		if p.CharEnd != at {
			t.Fatalf("the part ends at %d, want %d", p.CharEnd, at)
		}
		whole.WriteString(p.Body)
	}
	if whole.String() != text || len(parts) < 3 {
		t.Errorf("%d parts that make another text", len(parts))
	}
	if parts := splitText(1, 1, ""); len(parts) != 0 {
		t.Errorf("an empty text has %d parts", len(parts))
	}
}
