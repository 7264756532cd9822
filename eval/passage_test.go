package eval

import (
	"slices"
	"testing"
	"unicode/utf16"
)

func TestOccurrences(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stored, excerpt string
		want            []string
	}{
		"verbatim":            {"The ferry leaves at nine.", "leaves at nine", []string{"leaves at nine"}},
		"broken lines":        {"The ferry\n leaves  at\tnine.", "ferry leaves at nine", []string{"ferry\n leaves  at\tnine"}},
		"lines without space": {"轮渡九\n点开。", "轮渡九点", []string{"轮渡九\n点"}},
		"twice":               {"A bee, a bee 🐝 and a bee", "bee", []string{"bee", "bee", "bee"}},
		"behind a wide one":   {"🐝🐝 honey 🐝 wax", "honey🐝", []string{"honey 🐝"}},
		"composed otherwise":  {"caf\u00e9 noir", "cafe\u0301", []string{"caf\u00e9"}},
		"other case":          {"The Ferry", "the ferry", nil},
		"not there":           {"The ferry", "the boat", nil},
		"blank":               {"The ferry", " ", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			units := utf16.Encode([]rune(c.stored))
			var got []string
			for _, s := range occurrences(c.stored, squeeze(c.stored), c.excerpt) {
				got = append(got, string(utf16.Decode(units[s.start:s.end])))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestRankOf(t *testing.T) {
	t.Parallel()
	at := func(document, start, end int) place { return place{document, span{start, end}} }
	wanted := []place{at(1, 100, 200)}
	for name, c := range map[string]struct {
		wanted, places []place
		want           int
	}{
		"nothing found":           {wanted, nil, 0},
		"first":                   {wanted, []place{at(1, 0, 300)}, 1},
		"second":                  {wanted, []place{at(1, 200, 300), at(1, 0, 200)}, 2},
		"of another document":     {wanted, []place{at(2, 0, 300), at(0, 0, 300)}, 0},
		"half":                    {wanted, []place{at(1, 150, 300)}, 1},
		"less than half":          {wanted, []place{at(1, 151, 300)}, 0},
		"two parts":               {wanted, []place{at(1, 0, 130), at(2, 0, 300), at(1, 170, 300)}, 3},
		"the same part twice":     {wanted, []place{at(1, 0, 130), at(1, 0, 130)}, 0},
		"parts that overlap":      {wanted, []place{at(1, 0, 130), at(1, 120, 149)}, 0},
		"a part of the middle":    {wanted, []place{at(1, 120, 130), at(1, 0, 145)}, 0},
		"any of several places":   {[]place{at(0, 5, 9), at(1, 100, 200)}, []place{at(3, 0, 9), at(0, 0, 9)}, 2},
		"half of each is no half": {[]place{at(1, 0, 100), at(1, 200, 300)}, []place{at(1, 0, 40), at(1, 200, 240)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := rankOf(c.wanted, c.places); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

func TestContains(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		answer, expected string
		want             bool
	}{
		{"The ferry leaves at **nine** [1].", "leaves at nine.", true},
		{"The ferry leaves at nine [1] o'clock.", "nine o’clock", true},
		{"MÜNCHEN\nnord", "Munchen Nord", true},
		{"It costs 14,300 crowns.", "14,300", true},
		{"It costs 14,300 crowns.", "14", false},
		{"It costs 14,300 crowns.", "300", false},
		{"It costs 3.14 crowns.", "3.1", false},
		{"In 14.", "14", true},
		{"I do not know.", "no", false},
		{"I know: no.", "no", true},
		{"费用是35克朗。", "35", true},
		{"费用是35克朗。", "克朗", true},
		{"nobody", "", false},
		{"", "nine", false},
	} {
		if got := contains(c.answer, []string{"something else", c.expected}); got != c.want {
			t.Errorf("%q in %q: got %v", c.expected, c.answer, got)
		}
	}
}

func page(n int) *int { return &n }

func TestCitationCheck(t *testing.T) {
	t.Parallel()
	text := "One 🐝 here.\n\nTwo bees.\n\nThree."
	doc := func(pages bool) *stored {
		s := &stored{id: "doc_1", version: 2, pages: pages, text: text, units: utf16.Encode([]rune(text))}
		if pages {
			s.chunks = []chunk{{0, 24, page(1), page(2)}, {14, 24, page(2), page(2)}, {25, 31, page(3), page(3)}}
		}
		return s
	}
	for name, c := range map[string]struct {
		citation citation
		pages    bool
		want     Citation
	}{
		"valid":               {citation{Quote: "🐝 here", CharStart: 4, CharEnd: 11, DocumentVersion: 2}, false, ValidCitation},
		"off by one":          {citation{Quote: "🐝 here", CharStart: 3, CharEnd: 10, DocumentVersion: 2}, false, WrongQuote},
		"in code points":      {citation{Quote: "here", CharStart: 6, CharEnd: 10, DocumentVersion: 2}, false, WrongQuote},
		"reworded":            {citation{Quote: "🐝 there", CharStart: 4, CharEnd: 11, DocumentVersion: 2}, false, WrongQuote},
		"behind the text":     {citation{Quote: "x", CharStart: 40, CharEnd: 41, DocumentVersion: 2}, false, WrongQuote},
		"backwards":           {citation{Quote: "", CharStart: 4, CharEnd: 4, DocumentVersion: 2}, false, WrongQuote},
		"negative":            {citation{Quote: "O", CharStart: -1, CharEnd: 1, DocumentVersion: 2}, false, WrongQuote},
		"another version":     {citation{Quote: "🐝 here", CharStart: 4, CharEnd: 11, DocumentVersion: 1}, false, WrongDocument},
		"a page of none":      {citation{Quote: "One", CharStart: 0, CharEnd: 3, DocumentVersion: 2, PageStart: page(1), PageEnd: page(1)}, false, WrongPage},
		"no page":             {citation{Quote: "One", CharStart: 0, CharEnd: 3, DocumentVersion: 2}, true, WrongPage},
		"the right page":      {citation{Quote: "Two", CharStart: 14, CharEnd: 17, DocumentVersion: 2, PageStart: page(2), PageEnd: page(2)}, true, ValidCitation},
		"too late a page":     {citation{Quote: "Three", CharStart: 25, CharEnd: 30, DocumentVersion: 2, PageStart: page(4), PageEnd: page(4)}, true, WrongPage},
		"too early a page":    {citation{Quote: "bees", CharStart: 18, CharEnd: 22, DocumentVersion: 2, PageStart: page(1), PageEnd: page(2)}, true, WrongPage},
		"pages the wrong way": {citation{Quote: "One", CharStart: 0, CharEnd: 3, DocumentVersion: 2, PageStart: page(2), PageEnd: page(1)}, true, WrongPage},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := c.citation.check(doc(c.pages)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
