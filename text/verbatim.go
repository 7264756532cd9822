package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Verbatim finds quotes in a text: as they stand there, or else with what typesetting changes set aside. These are the
// kinds of quotation marks and dashes, white space, ligatures and other forms of one character (NFKC), words that are
// hyphenated at the end of a line, and Markdown's asterisks and backticks. The case of letters counts. Not for use by
// several goroutines at once.
type Verbatim struct {
	text  string
	plain string  // made when it is first needed
	start []int32 // of each byte of plain: where in text its character begins
	end   []int32 // and ends
}

// NewVerbatim prepares to look for quotes in a text, which must be valid UTF-8.
func NewVerbatim(s string) *Verbatim { return &Verbatim{text: s} }

// Find gives the first place where the quote stands: whole characters of the text. A quote of nothing, or of
// invalid UTF-8, stands nowhere.
func (v *Verbatim) Find(quote string) (Span, bool) {
	quote = strings.TrimSpace(quote)
	if quote == "" || !utf8.ValidString(quote) {
		return Span{}, false
	}
	if at := strings.Index(v.text, quote); at >= 0 {
		return Span{at, at + len(quote)}, true
	}
	if v.start == nil {
		v.plain, v.start, v.end = plainly(v.text)
	}
	wanted, _, _ := plainly(quote)
	at := strings.Index(v.plain, wanted)
	if wanted == "" || at < 0 {
		return Span{}, false
	}
	return Span{int(v.start[at]), int(v.end[at+len(wanted)-1])}, true
}

// glyph is a character of a normalised text and the bytes it was made from.
type glyph struct {
	r          rune
	start, end int32
}

// glyphs normalises a text to NFKC.
func glyphs(s string) []glyph {
	all := make([]glyph, 0, len(s))
	var it norm.Iter
	it.InitString(norm.NFKC, s)
	for !it.Done() {
		start := it.Pos()
		segment := it.Next()
		end := it.Pos()
		for len(segment) > 0 {
			r, size := utf8.DecodeRune(segment)
			all, segment = append(all, glyph{r, int32(start), int32(end)}), segment[size:]
		}
	}
	return all
}

// plainly gives a text without what typesetting changes, and for each byte of it the place it comes from.
func plainly(s string) (plain string, start, end []int32) {
	all := glyphs(s)
	var b strings.Builder
	b.Grow(len(s))
	start, end = make([]int32, 0, len(s)), make([]int32, 0, len(s))
	last := rune(0) // that was kept
	keep := func(r rune, from, to int32) {
		before := b.Len()
		b.WriteRune(r)
		for range b.Len() - before {
			start, end = append(start, from), append(end, to)
		}
		last = r
	}
	for i := 0; i < len(all); {
		g := all[i]
		next, broken := skipSpace(all, i+1)
		switch r := likened(g.r); {
		case r < 0:
			i++
		case unicode.IsSpace(r):
			next, _ = skipSpace(all, i)
			if last != 0 && next < len(all) && !(isDenseRune(last) && isDenseRune(all[next].r)) {
				keep(' ', g.start, all[next-1].end)
			}
			i = next
		case r == '-' && unicode.IsLetter(last) && next < len(all) && unicode.IsLetter(all[next].r) && (broken || next == i+1):
			i = next
		default:
			keep(r, g.start, g.end)
			i++
		}
	}
	return b.String(), start, end
}

// skipSpace finds the next character from i on that is no white space, and whether a line ends before it.
func skipSpace(all []glyph, i int) (next int, broken bool) {
	for i < len(all) && unicode.IsSpace(all[i].r) {
		broken = broken || all[i].r == '\n'
		i++
	}
	return i, broken
}

// likened gives one character for all that stand for the same, and -1 for those that stand for nothing.
func likened(r rune) rune {
	switch r {
	case '“', '”', '„', '‟', '«', '»', '″', '〝', '〞', '「', '」', '『', '』':
		return '"'
	case '‘', '’', '‚', '‛', '‹', '›', '′', '´':
		return '\''
	case '‐', '‑', '‒', '–', '—', '―', '−':
		return '-'
	case '*', '`', 0xAD, 0x200B, 0x200C, 0x200D, 0xFEFF:
		return -1
	}
	return r
}
