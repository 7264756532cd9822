package answer_test

import (
	"testing"
	"unicode/utf16"

	"kyrochat/answer"
	"kyrochat/kyro"
)

// passageOf is a passage that stands in a document after the given lead.
func passageOf(lead, text string) kyro.Passage {
	start := kyro.CharCount(lead)
	return kyro.Passage{
		DocumentTitle: "Handbook", Score: 0.5,
		Chunk: kyro.Chunk{
			ID: kyro.ChunkID(7), DocumentID: kyro.DocumentID(3), Version: 2, Text: text,
			CharStart: start, CharEnd: start + kyro.CharCount(text),
			ByteStart: len(lead), ByteEnd: len(lead) + len(text),
		},
	}
}

func TestCiteMeasuresQuotesInTheStoredText(t *testing.T) {
	t.Parallel()
	lead, body := "Über 🦉. ", "El búho 🦉 duerme. Come de noche."
	p := passageOf(lead, body)
	at := len("El búho 🦉 duerme. ")
	got := answer.Cite([]kyro.Passage{p}, "Come de noche [1]", []kyro.Quote{{Marker: 1, ByteStart: at, ByteEnd: len(body)}})
	if len(got) != 1 {
		t.Fatalf("%d citations, want 1", len(got))
	}
	c := got[0]
	units := utf16.Encode([]rune(lead + body))
	if slice := string(utf16.Decode(units[c.CharStart:c.CharEnd])); slice != c.Quote || c.Quote != "Come de noche." {
		t.Errorf("quote %q, but the stored text has %q there", c.Quote, slice)
	}
	if !c.Verified || c.Marker != 1 || c.DocumentVersion != 2 || c.DocumentTitle != "Handbook" || c.ChunkID != kyro.ChunkID(7) || c.Score != 0.5 {
		t.Errorf("citation %+v", c)
	}
}

func TestCiteKeepsWhatCanBeShown(t *testing.T) {
	t.Parallel()
	passages := []kyro.Passage{passageOf("", "One. Two. Three. Four é."), passageOf("xx", "Only this.")}
	for _, c := range []struct {
		name, text string
		quotes     []kyro.Quote
		want       []string
	}{
		{"order of markers, then of the text", "b [2] a [1]", []kyro.Quote{quote(2, 0, 4), quote(1, 10, 16), quote(1, 0, 4)}, []string{"One.", "Three.", "Only"}},
		{"touching quotes become one", "[1]", []kyro.Quote{quote(1, 5, 9), quote(1, 0, 4), quote(1, 2, 6), quote(1, 10, 16)}, []string{"One. Two. Three."}},
		{"a marker that is not used", "only [2]", []kyro.Quote{quote(1, 0, 4), quote(2, 0, 4)}, []string{"Only"}},
		{"markers without a passage", "[0] [3] [99999] [x] [1](https://a.test)", []kyro.Quote{quote(3, 0, 1)}, nil},
		{"quotes out of bounds", "[1]", []kyro.Quote{quote(1, -1, 4), quote(1, 3, 3), quote(1, 9, 5), quote(1, 0, 99)}, nil},
		{"a marker behind a link", "see [1](https://a.test) and [the table] [2]", []kyro.Quote{quote(1, 0, 4), quote(2, 0, 4)}, []string{"Only"}},
		{"a cut code point", "[1]", []kyro.Quote{quote(1, 0, 23)}, nil},
		{"several in one bracket", "[1, 2]", []kyro.Quote{quote(1, 0, 4), quote(2, 0, 4)}, []string{"One.", "Only"}},
		{"no quote cites the passage", "[2]", nil, []string{"Only this."}},
		{"an open bracket", "[1", []kyro.Quote{quote(1, 0, 4)}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, citation := range answer.Cite(passages, c.text, c.quotes) {
				got = append(got, citation.Quote)
			}
			if len(got) != len(c.want) {
				t.Fatalf("got %q, want %q", got, c.want)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("got %q, want %q", got, c.want)
				}
			}
		})
	}
}

func TestCiteDoesNotVerifyWhatTheOffsetsContradict(t *testing.T) {
	t.Parallel()
	p := passageOf("", "One. Two.")
	p.Chunk.CharEnd++
	if got := answer.Cite([]kyro.Passage{p}, "[1]", nil); len(got) != 1 || got[0].Verified {
		t.Errorf("got %+v", got)
	}
}

func TestCiteNarrowsPages(t *testing.T) {
	t.Parallel()
	first, last := 4, 6
	p := passageOf("", "abc def ghi")
	p.Chunk.PageStart, p.Chunk.PageEnd, p.Chunk.PageTurns = &first, &last, []int{4, 8}
	for _, c := range []struct{ start, end, wantFirst, wantLast int }{
		{0, 3, 4, 4}, {0, 4, 4, 4}, {0, 5, 4, 5}, {4, 7, 5, 5}, {8, 11, 6, 6}, {0, 11, 4, 6}, {5, 9, 5, 6},
	} {
		got := answer.Cite([]kyro.Passage{p}, "[1]", []kyro.Quote{{Marker: 1, ByteStart: c.start, ByteEnd: c.end}})[0]
		if *got.PageStart != c.wantFirst || *got.PageEnd != c.wantLast {
			t.Errorf("%d to %d: pages %d to %d, want %d to %d", c.start, c.end, *got.PageStart, *got.PageEnd, c.wantFirst, c.wantLast)
		}
	}
	p.Chunk.PageStart, p.Chunk.PageEnd, p.Chunk.PageTurns = nil, nil, nil
	if got := answer.Cite([]kyro.Passage{p}, "[1]", nil)[0]; got.PageStart != nil || got.PageEnd != nil {
		t.Errorf("a format without pages: %v", got)
	}
}

func quote(marker, start, end int) kyro.Quote {
	return kyro.Quote{Marker: marker, ByteStart: start, ByteEnd: end}
}
