package store

import (
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

func FuzzSliceUTF16(f *testing.F) {
	f.Add("a😀b", 0, 2)
	f.Add("a😀b", 2, 4)
	f.Add("été", -3, 99)
	f.Fuzz(func(t *testing.T, s string, start, end int) {
		if !utf8.ValidString(s) {
			return
		}
		units := utf16.Encode([]rune(s))
		from := min(max(start, 0), len(units))
		to := min(max(end, from), len(units))
		want := string(utf16.Decode(cutPairs(units, from, to)))
		if got := sliceUTF16(s, start, end); got != want {
			t.Fatalf("slice [%d, %d) of %q: %q, want %q", start, end, s, got, want)
		}
	})
}

// cutPairs is the slice without the halves of pairs that it cuts.
func cutPairs(units []uint16, from, to int) []uint16 {
	if from < to && from > 0 && units[from] >= 0xDC00 && units[from] < 0xE000 {
		from++
	}
	if to > from && to < len(units) && units[to] >= 0xDC00 && units[to] < 0xE000 {
		to--
	}
	return units[from:to]
}

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
