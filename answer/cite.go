package answer

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"kyrochat/kyro"
)

// Cite makes the citations of an answer from the quotes that the model gave: for each marker the text uses, the quotes it
// rests on, in the order of markers and then of the document. A marker without quotes cites its whole passage. What cannot
// be shown is left out: markers without a passage, and quotes that lie outside of their passage or cut a code point. Quotes
// of one marker that touch, or have only white space between them, become one. Where the model gives no quotes at all, the
// answer is resolved.
//
// Verified means that the quote is the stored text between its offsets: it is cut from the chunk's own text, and
// the chunk's offsets agree with that text.
func Cite(passages []kyro.Passage, text string, quotes []kyro.Quote) []kyro.Citation {
	if len(quotes) == 0 {
		return Resolve(passages, text).Citations
	}
	byMarker := make(map[int][]kyro.Quote)
	for _, q := range quotes {
		byMarker[q.Marker] = append(byMarker[q.Marker], q)
	}
	var citations []kyro.Citation
	for _, marker := range usedMarkers(text, len(passages)) {
		p := passages[marker-1]
		asked, quoted := byMarker[marker]
		if !quoted {
			asked = []kyro.Quote{{Marker: marker, ByteStart: 0, ByteEnd: len(p.Chunk.Text)}}
		}
		for _, q := range joinQuotes(p.Chunk.Text, asked) {
			citations = append(citations, citation(p, q))
		}
	}
	return citations
}

func citation(p kyro.Passage, q kyro.Quote) kyro.Citation {
	chunk := p.Chunk
	quote := chunk.Text[q.ByteStart:q.ByteEnd]
	start := chunk.CharStart + kyro.CharCount(chunk.Text[:q.ByteStart])
	pageStart, pageEnd := chunk.Pages(q.ByteStart, q.ByteEnd)
	return kyro.Citation{
		Marker:          q.Marker,
		DocumentID:      chunk.DocumentID,
		ChunkID:         chunk.ID,
		DocumentTitle:   p.DocumentTitle,
		DocumentVersion: chunk.Version,
		Quote:           quote,
		PageStart:       pageStart,
		PageEnd:         pageEnd,
		CharStart:       start,
		CharEnd:         start + kyro.CharCount(quote),
		Score:           p.Score,
		Similarity:      p.Similarity,
		Verified:        offsetsAgree(chunk),
	}
}

// offsetsAgree reports whether a chunk's offsets measure its text, as they do when the text is the stored slice.
func offsetsAgree(c kyro.Chunk) bool {
	return utf8.ValidString(c.Text) && c.CharEnd-c.CharStart == kyro.CharCount(c.Text) && c.ByteEnd-c.ByteStart == len(c.Text)
}

// usedMarkers gives the markers from 1 to limit that a text uses, each once, in ascending order. A marker is
// written [1]; [1, 2] is two. What is followed by a parenthesis is the text of a link and none. It is for models that give
// their quotes themselves, whose markers stand where they put them, also behind a quote that holds half of a code span.
func usedMarkers(text string, limit int) []int {
	used := make([]bool, limit+1)
	for at := 0; ; {
		open := strings.IndexByte(text[at:], '[')
		if open < 0 {
			break
		}
		at += open + 1
		inside, rest, closed := strings.Cut(text[at:], "]")
		if !closed {
			break
		}
		if strings.HasPrefix(rest, "(") || strings.Trim(inside, "0123456789, ") != "" {
			continue
		}
		for _, digits := range strings.FieldsFunc(inside, func(r rune) bool { return r == ',' || r == ' ' }) {
			if n := smallNumber(digits); n >= 1 && n <= limit {
				used[n] = true
			}
		}
	}
	var markers []int
	for n, is := range used {
		if is {
			markers = append(markers, n)
		}
	}
	return markers
}

// joinQuotes drops quotes that are no slice of the text, sorts the others and joins those that touch.
func joinQuotes(text string, quotes []kyro.Quote) []kyro.Quote {
	quotes = slices.DeleteFunc(slices.Clone(quotes), func(q kyro.Quote) bool { return !isSlice(text, q) })
	slices.SortFunc(quotes, func(a, b kyro.Quote) int {
		return cmp.Or(a.ByteStart-b.ByteStart, a.ByteEnd-b.ByteEnd)
	})
	var joined []kyro.Quote
	for _, q := range quotes {
		if n := len(joined); n > 0 {
			last := &joined[n-1]
			if q.ByteStart <= last.ByteEnd || strings.TrimSpace(text[last.ByteEnd:q.ByteStart]) == "" {
				last.ByteEnd = max(last.ByteEnd, q.ByteEnd)
				continue
			}
		}
		joined = append(joined, q)
	}
	return joined
}

func isSlice(text string, q kyro.Quote) bool {
	if q.ByteStart < 0 || q.ByteStart >= q.ByteEnd || q.ByteEnd > len(text) {
		return false
	}
	return utf8.RuneStart(text[q.ByteStart]) && (q.ByteEnd == len(text) || utf8.RuneStart(text[q.ByteEnd]))
}
