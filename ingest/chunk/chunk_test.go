package chunk_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"kyrochat/ingest/chunk"
	"kyrochat/kyro"
	"kyrochat/text"
)

// doc builds an extraction block by block.
type doc struct {
	b  strings.Builder
	ex kyro.Extraction
}

func (d *doc) add(kind kyro.BlockKind, level, page int, s string) *doc {
	if d.b.Len() > 0 {
		d.b.WriteString("\n\n")
	}
	start := d.b.Len()
	d.b.WriteString(s)
	d.ex.Blocks = append(d.ex.Blocks, kyro.Block{Kind: kind, Level: level, Start: start, End: d.b.Len(), Page: page})
	return d
}
func (d *doc) h(level int, s string) *doc { return d.add(kyro.BlockHeading, level, 0, s) }
func (d *doc) p(s string) *doc            { return d.add(kyro.BlockParagraph, 0, 0, s) }
func (d *doc) extraction() kyro.Extraction {
	d.ex.Text = d.b.String()
	return d.ex
}

func words(n int, word string) string {
	return strings.TrimSpace(strings.Repeat(word+" ", n))
}

// sentences are n sentences of about 10 tokens.
func sentences(n int, name string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "Sentence number %d of %s tells something. ", i, name)
	}
	return strings.TrimSpace(b.String())
}

// check asserts what holds for every text.
func check(t *testing.T, ex kyro.Extraction, title string, opt chunk.Options, chunks []kyro.Chunk) {
	t.Helper()
	most := opt.Max
	if most == 0 {
		most = 512
	}
	units := make([]int, len(ex.Text)+1) // UTF-16 code units before each byte
	n := 0
	for i, r := range ex.Text {
		units[i] = n
		n += utf16.RuneLen(r)
	}
	units[len(ex.Text)] = n
	covered := 0 // bytes up to here are in a chunk
	for i, c := range chunks {
		if c.Index != i {
			t.Fatalf("chunk %d has index %d", i, c.Index)
		}
		if c.Text != ex.Text[c.ByteStart:c.ByteEnd] {
			t.Fatalf("chunk %d is not the slice of its offsets", i)
		}
		if c.Text == "" || strings.TrimSpace(c.Text) == "" {
			t.Fatalf("chunk %d is blank", i)
		}
		if !utf8.ValidString(c.Text) {
			t.Fatalf("chunk %d cuts a character", i)
		}
		if c.CharStart != units[c.ByteStart] || c.CharEnd != units[c.ByteEnd] {
			t.Fatalf("chunk %d: chars %d to %d, want %d to %d", i, c.CharStart, c.CharEnd, units[c.ByteStart], units[c.ByteEnd])
		}
		if c.TokenCount != text.Tokens(c.Text) || c.TokenCount > most {
			t.Fatalf("chunk %d: %d tokens (%d counted), at most %d", i, c.TokenCount, text.Tokens(c.Text), most)
		}
		sum := sha256.Sum256([]byte(chunk.EmbeddedText(title, c)))
		if c.ContentHash != hex.EncodeToString(sum[:]) {
			t.Fatalf("chunk %d: wrong content hash", i)
		}
		if !c.Enabled || c.HeadingPath == nil {
			t.Fatalf("chunk %d: enabled %v, path %v", i, c.Enabled, c.HeadingPath)
		}
		if c.ByteStart > covered && strings.TrimSpace(ex.Text[covered:c.ByteStart]) != "" {
			t.Fatalf("not in any chunk: %q", ex.Text[covered:c.ByteStart])
		}
		if i > 0 && (c.ByteEnd <= chunks[i-1].ByteEnd || c.ByteStart <= chunks[i-1].ByteStart) {
			t.Fatalf("chunk %d does not come after the one before", i)
		}
		covered = max(covered, c.ByteEnd)
	}
	if strings.TrimSpace(ex.Text[covered:]) != "" {
		t.Fatalf("not in any chunk: %q", ex.Text[covered:])
	}
	if again := chunk.Split(ex, title, opt); !reflect.DeepEqual(again, chunks) {
		t.Fatal("a second run gives other chunks")
	}
}

func split(t *testing.T, ex kyro.Extraction) []kyro.Chunk {
	t.Helper()
	chunks := chunk.Split(ex, "Title", chunk.Options{})
	check(t, ex, "Title", chunk.Options{}, chunks)
	return chunks
}

func TestSmallTextIsOneChunk(t *testing.T) {
	t.Parallel()
	chunks := split(t, new(doc).h(1, "Refunds").p("Within 30 days.").p("Bring the receipt.").extraction())
	if len(chunks) != 1 {
		t.Fatalf("%d chunks", len(chunks))
	}
	c := chunks[0]
	if c.Text != "Refunds\n\nWithin 30 days.\n\nBring the receipt." || !reflect.DeepEqual(c.HeadingPath, []string{"Refunds"}) {
		t.Errorf("got %q under %v", c.Text, c.HeadingPath)
	}
	if got, want := chunk.EmbeddedText("Title", c), "Title > Refunds\n"+c.Text; got != want {
		t.Errorf("embedded %q, want %q", got, want)
	}
	if c.PageStart != nil || c.PageEnd != nil {
		t.Error("pages where there are none")
	}
}

func TestEmptyTextHasNoChunks(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", " \n\n\t"} {
		if got := split(t, kyro.Extraction{Text: s}); len(got) != 0 {
			t.Errorf("%q: %d chunks", s, len(got))
		}
	}
}

func TestEmbeddedTextWithoutTitle(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ title, want string }{{"", "A > B\ntext"}, {"T", "T > A > B\ntext"}} {
		if got := chunk.EmbeddedText(c.title, kyro.Chunk{HeadingPath: []string{"A", "B"}, Text: "text"}); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	if got := chunk.EmbeddedText("", kyro.Chunk{Text: "text"}); got != "text" {
		t.Errorf("got %q", got)
	}
}

func TestHeadingsBreakChunks(t *testing.T) {
	t.Parallel()
	ex := new(doc).h(1, "Manual").
		h(2, "Start").p(sentences(20, "start")).
		h(2, "Stop").p(sentences(20, "stop")).
		h(3, "Emergency").p(sentences(20, "emergency")).
		h(1, "Appendix").p(sentences(20, "appendix")).extraction()
	var got []string
	for _, c := range split(t, ex) {
		got = append(got, strings.Join(c.HeadingPath, "/"))
	}
	want := []string{"Manual/Start", "Manual/Stop", "Manual/Stop/Emergency", "Appendix"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("paths %v, want %v", got, want)
	}
}

func TestSmallSiblingsShareAChunk(t *testing.T) {
	t.Parallel()
	ex := new(doc).h(1, "FAQ").h(2, "One").p("First answer.").h(2, "Two").p("Second answer.").h(1, "Other").p("Else.").extraction()
	chunks := split(t, ex)
	if len(chunks) != 2 {
		t.Fatalf("%d chunks: %+v", len(chunks), chunks)
	}
	if !reflect.DeepEqual(chunks[0].HeadingPath, []string{"FAQ"}) || !strings.Contains(chunks[0].Text, "Second answer.") {
		t.Errorf("got %q under %v", chunks[0].Text, chunks[0].HeadingPath)
	}
	if !reflect.DeepEqual(chunks[1].HeadingPath, []string{"Other"}) {
		t.Errorf("got %v", chunks[1].HeadingPath)
	}
}

func TestOverlapIsWholeSentencesOfTheSection(t *testing.T) {
	t.Parallel()
	chunks := split(t, new(doc).h(1, "A").p(sentences(60, "a")).p(sentences(60, "b")).h(1, "B").p(sentences(30, "c")).extraction())
	overlaps := 0
	for i := 1; i < len(chunks); i++ {
		before, c := chunks[i-1], chunks[i]
		if c.ByteStart >= before.ByteEnd {
			continue
		}
		overlaps++
		repeated := c.Text[:before.ByteEnd-c.ByteStart]
		if !strings.HasPrefix(repeated, "Sentence") || !strings.HasSuffix(repeated, ".") {
			t.Errorf("chunk %d repeats %q", i, repeated)
		}
		if n := text.Tokens(repeated); n > 60 {
			t.Errorf("chunk %d repeats %d tokens", i, n)
		}
		if !reflect.DeepEqual(before.HeadingPath, c.HeadingPath) {
			t.Errorf("chunk %d repeats another section", i)
		}
	}
	if overlaps < 2 {
		t.Errorf("%d overlaps in %d chunks", overlaps, len(chunks))
	}
}

func TestTablesAndCodeDoNotOverlap(t *testing.T) {
	t.Parallel()
	var table, code strings.Builder
	for i := range 200 {
		fmt.Fprintf(&table, "| row %d | some words in a cell |\n", i)
		fmt.Fprintf(&code, "call(%d)\n", i)
		if i%10 == 9 {
			code.WriteString("\n")
		}
	}
	for _, kind := range []kyro.BlockKind{kyro.BlockTable, kyro.BlockCode} {
		s := table.String()
		if kind == kyro.BlockCode {
			s = code.String()
		}
		chunks := split(t, new(doc).add(kind, 0, 0, strings.TrimSpace(s)).extraction())
		if len(chunks) < 3 {
			t.Fatalf("%s: %d chunks", kind, len(chunks))
		}
		for i := 1; i < len(chunks); i++ {
			if chunks[i].ByteStart < chunks[i-1].ByteEnd {
				t.Errorf("%s: chunk %d overlaps", kind, i)
			}
			if kind == kyro.BlockTable && !strings.HasPrefix(chunks[i].Text, "| row") || kind == kyro.BlockCode && !strings.HasPrefix(chunks[i].Text, "call(") {
				t.Errorf("%s: chunk %d begins %q", kind, i, chunks[i].Text[:20])
			}
			if first, _, _ := strings.Cut(chunks[i].Text, "\n"); kind == kyro.BlockCode && !strings.HasSuffix(first, "0)") {
				t.Errorf("code: chunk %d begins within a part: %q", i, first)
			}
		}
	}
}

func TestListKeepsItsLeadIn(t *testing.T) {
	t.Parallel()
	var list strings.Builder
	for i := range 30 {
		fmt.Fprintf(&list, "- item %d has some words that fill the line up\n", i)
	}
	d := new(doc).h(1, "A").p(sentences(38, "a") + " You need these things:")
	chunks := split(t, d.add(kyro.BlockList, 0, 0, strings.TrimSpace(list.String())).extraction())
	for _, c := range chunks {
		if strings.HasSuffix(c.Text, "things:") {
			t.Errorf("a chunk ends with the lead-in: %q", c.Text[len(c.Text)-60:])
		}
	}
}

func TestHeadingNeverStandsAlone(t *testing.T) {
	t.Parallel()
	// A paragraph that fills the budget by itself, and a sentence that exceeds it.
	for _, p := range []string{sentences(39, "a"), words(800, "token") + "."} {
		for i, c := range split(t, new(doc).h(1, "A heading of some words").p(p).extraction()) {
			if c.Text == "A heading of some words" {
				t.Errorf("chunk %d is only the heading", i)
			}
		}
	}
}

func TestTailJoins(t *testing.T) {
	t.Parallel()
	for n := 30; n < 80; n++ {
		chunks := split(t, new(doc).h(1, "A").p(sentences(n, "a")).h(1, "B").p("End of it all.").extraction())
		c := chunks[len(chunks)-2]
		if len(chunks) > 2 && c.TokenCount < 64 && chunks[len(chunks)-3].TokenCount+c.TokenCount < 480 {
			t.Errorf("%d sentences: a tail of %d tokens after %d", n, c.TokenCount, chunks[len(chunks)-3].TokenCount)
		}
	}
}

// TestPages: a chunk over several pages knows where each begins, also one that has no text.
func TestPages(t *testing.T) {
	t.Parallel()
	d := new(doc).add(kyro.BlockParagraph, 0, 2, "On two.").add(kyro.BlockParagraph, 0, 3, "On three.").add(kyro.BlockParagraph, 0, 5, "On five.")
	chunks := split(t, d.extraction())
	if len(chunks) != 1 || *chunks[0].PageStart != 2 || *chunks[0].PageEnd != 5 {
		t.Fatalf("got %+v", chunks)
	}
	c := chunks[0]
	for words, page := range map[string]int{"On two.": 2, "On three.": 3, "On five.": 5} {
		at := strings.Index(c.Text, words)
		if first, last := c.Pages(at, at+len(words)); *first != page || *last != page {
			t.Errorf("%q is on pages %d to %d, want %d", words, *first, *last, page)
		}
	}
	if first, last := c.Pages(0, len(c.Text)); *first != 2 || *last != 5 {
		t.Errorf("the whole is on pages %d to %d", *first, *last)
	}
}

func TestNeverInsideACharacter(t *testing.T) {
	t.Parallel()
	family := "👩‍👩‍👧‍👦"
	for name, s := range map[string]string{
		"emoji":      strings.Repeat(family, 400),
		"flags":      strings.Repeat("🇩🇪", 1500),
		"combining":  strings.Repeat("e\u0323\u0302", 3000),
		"devanagari": strings.Repeat("क्षि", 1500),
	} {
		unit := map[string]string{"emoji": family, "flags": "🇩🇪", "combining": "e\u0323\u0302", "devanagari": "क्षि"}[name]
		chunks := split(t, new(doc).p(s).extraction())
		if len(chunks) < 2 {
			t.Errorf("%s: %d chunks", name, len(chunks))
		}
		for i, c := range chunks {
			if len(c.Text)%len(unit) != 0 || !strings.HasPrefix(c.Text, unit) {
				t.Errorf("%s: chunk %d cuts a character", name, i)
			}
		}
	}
}

func TestHeadingTitles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ mime, heading, want string }{
		{"text/markdown", "## The **best** [guide](https://example.com/a) to `code` ##", "The best guide to code"},
		{"text/markdown", "Setext title\n------------", "Setext title"},
		{"text/plain", "UNDERLINED\n==========", "UNDERLINED"},
		{"text/plain", "# 1 is kept", "# 1 is kept"},
		{"application/pdf", "Two\nlines", "Two lines"},
		{"text/plain", strings.Repeat("ä", 300), strings.Repeat("ä", 80) + "…"},
	} {
		ex := new(doc).h(1, c.heading).p("Text.").extraction()
		ex.MimeType = c.mime
		if got := split(t, ex)[0].HeadingPath; !reflect.DeepEqual(got, []string{c.want}) {
			t.Errorf("%q gives %q, want %q", c.heading, got, c.want)
		}
	}
}
