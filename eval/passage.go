package eval

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"kyrochat/text"
)

// span is a part of a document's text in UTF-16 code units, half open.
type span struct{ start, end int }

// place is a part of a document.
type place struct {
	document int // in the set's order
	span
}

// squeeze is a text as excerpts are compared: in the form texts are stored in, without white space, since the
// extraction of a PDF may break lines anywhere, and in some scripts a line that is broken leaves no space.
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, text.Normalize(s))
}

// occurrences are the places in a stored text where an excerpt stands; squeezed is the stored text squeezed.
func occurrences(storedText, squeezed, excerpt string) []span {
	excerpt = squeeze(excerpt)
	if excerpt == "" {
		return nil
	}
	var found []span
	at, units, seen := 0, 0, 0 // bytes and units of storedText, bytes of squeezed
	next := func() (space bool) {
		r, size := utf8.DecodeRuneInString(storedText[at:])
		at, units = at+size, units+utf16.RuneLen(r)
		if space = unicode.IsSpace(r); !space {
			seen += size
		}
		return space
	}
	for from := 0; ; {
		i := strings.Index(squeezed[from:], excerpt)
		if i < 0 {
			return found
		}
		for seen < from+i {
			next()
		}
		start := units
		for next() { // white space before it
			start = units
		}
		from += i + len(excerpt)
		for seen < from {
			next()
		}
		found = append(found, span{start, units})
	}
}

// rankOf is how many of the places, in their order, it takes to cover at least half of one of the wanted; 0 where all
// of them together do not. One that holds it whole does; so do two neighbours between which it was cut.
func rankOf(wanted, places []place) int {
	for rank := 1; rank <= len(places); rank++ {
		for _, w := range wanted {
			if w.document == places[rank-1].document && 2*covered(w, places[:rank]) >= w.end-w.start {
				return rank
			}
		}
	}
	return 0
}

// covered is how many units of w the places cover together.
func covered(w place, places []place) int {
	n := 0
	open := []span{w.span} // what is not covered yet
	for _, p := range places {
		if p.document != w.document {
			continue
		}
		var left []span
		for _, o := range open {
			from, to := max(o.start, p.start), min(o.end, p.end)
			if from >= to {
				left = append(left, o)
				continue
			}
			n += to - from
			if o.start < from {
				left = append(left, span{o.start, from})
			}
			if to < o.end {
				left = append(left, span{to, o.end})
			}
		}
		open = left
	}
	return n
}

var (
	markers   = regexp.MustCompile(`\s*\[\d+\]`)
	emphasis  = strings.NewReplacer("*", "", "`", "", "_", "")
	openQuote = strings.NewReplacer("“", `"`, "”", `"`, "„", `"`, "’", "'", "‘", "'")
)

// plainWords is a text as answers are compared: without markers of citations, emphasis, case, accents and width, with
// one kind of quotation marks and single spaces.
func plainWords(s string) string {
	return text.Fold(openQuote.Replace(emphasis.Replace(markers.ReplaceAllString(s, ""))))
}

// contains reports whether the answer has one of the expected in it, as whole words and numbers: neither is "no" in
// "know", nor 14 in 14,300.
func contains(answer string, expected []string) bool {
	answer = plainWords(answer)
	for _, e := range expected {
		e = plainWords(e)
		for from := 0; e != "" && from < len(answer); {
			i := strings.Index(answer[from:], e)
			if i < 0 {
				break
			}
			at := from + i
			if !cuts(answer, at) && !cuts(answer, at+len(e)) {
				return true
			}
			_, size := utf8.DecodeRuneInString(answer[at:])
			from = at + size
		}
	}
	return false
}

// cuts reports whether that place of a text is in the middle of a word or a number.
func cuts(s string, at int) bool {
	before, width := utf8.DecodeLastRuneInString(s[:at])
	after, size := utf8.DecodeRuneInString(s[at:])
	if wordy(before) && wordy(after) {
		return true
	}
	further, _ := utf8.DecodeLastRuneInString(s[:at-width])
	beyond, _ := utf8.DecodeRuneInString(s[at+size:])
	point := func(r rune) bool { return r == '.' || r == ',' }
	return unicode.IsDigit(further) && point(before) && unicode.IsDigit(after) ||
		unicode.IsDigit(before) && point(after) && unicode.IsDigit(beyond)
}

// wordy reports what words and numbers are made of, in scripts that have spaces between words.
func wordy(r rune) bool {
	return (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)) &&
		!unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}
