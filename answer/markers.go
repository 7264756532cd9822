package answer

import (
	"slices"
	"strings"
	"unicode/utf8"

	"kyrochat/text"
)

// marked is a place in an answer that names passages: [1], [1, 2], [2-4] or 【3】.
type marked struct {
	text.Span
	numbers []int // of passages that there are
	bogus   bool  // it names one that there is not
}

// findMarkers gives the markers of an answer to as many passages as limit says, in order. None stands in code, none is the
// text of a link or the name of a reference, and (1) is none.
func findMarkers(s string, limit int) []marked {
	if !strings.ContainsAny(s, "[【") {
		return nil
	}
	var found []marked
	code := codeIn(s)
	for at := 0; at < len(s); {
		open := strings.IndexAny(s[at:], "[【")
		if open < 0 {
			break
		}
		at += open
		for len(code) > 0 && code[0].End <= at {
			code = code[1:]
		}
		if len(code) > 0 && code[0].Start <= at {
			at = code[0].End
			continue
		}
		sign, opening := utf8.DecodeRuneInString(s[at:])
		closing := "]"
		if sign == '【' {
			closing = "】"
		}
		near := s[at+opening : min(len(s), at+opening+mostMarker+len(closing))]
		inside, _, closed := strings.Cut(near, closing)
		end := at + opening + len(inside) + len(closing)
		if !closed || !isMarker(inside) || leads(s, at, end) {
			at += opening
			continue
		}
		m := marked{Span: text.Span{Start: at, End: end}}
		m.read(inside, limit)
		found = append(found, m)
		at = end
	}
	return found
}

// leads reports brackets from at to end that belong to a link, [1](…), or define a reference, [1]: … at the start of a
// line, and such as were made inert.
func leads(s string, at, end int) bool {
	if strings.HasPrefix(s[end:], "(") || strings.HasSuffix(s[:at], `\`) {
		return true
	}
	before := strings.TrimRight(s[:at], " \t>")
	return strings.HasPrefix(s[end:], ":") && (before == "" || strings.HasSuffix(before, "\n"))
}

// mostMarker is the most bytes between the brackets of a marker.
const mostMarker = 64

// isMarker reports what can stand between the brackets: numbers, and what lists and ranges are written with.
func isMarker(inside string) bool {
	if len(inside) > mostMarker || !strings.ContainsAny(inside, "0123456789") {
		return false
	}
	return strings.Trim(inside, "0123456789,;，、 -–—") == ""
}

// read takes the numbers out of a marker. A range is taken where both of its ends are there.
func (m *marked) read(inside string, limit int) {
	inside = strings.NewReplacer("–", "-", "—", "-", " -", "-", "- ", "-").Replace(inside)
	for part := range strings.FieldsFuncSeq(inside, func(r rune) bool { return strings.ContainsRune(",;，、 ", r) }) {
		from, to, _ := strings.Cut(part, "-")
		if to == "" {
			to = from
		}
		first, last := smallNumber(from), smallNumber(to)
		if first < 1 || last > limit || first > last {
			m.bogus = true
			continue
		}
		for n := first; n <= last; n++ {
			if !slices.Contains(m.numbers, n) {
				m.numbers = append(m.numbers, n)
			}
		}
	}
}

// smallNumber reads up to four digits; 0 where there is anything else.
func smallNumber(digits string) (n int) {
	if len(digits) > 4 {
		return 0
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0
		}
		n = n*10 + int(d-'0')
	}
	return n
}

// codeSpan is code in a Markdown text: between backticks, or a fenced block of lines.
type codeSpan struct {
	text.Span
	fenced bool
}

// codeIn finds the code of a text, in order. A fence that is not closed reaches to the end.
func codeIn(s string) (spans []codeSpan) {
	if !strings.ContainsAny(s, "`~") {
		return nil
	}
	for at, lineStart := 0, true; at < len(s); {
		if lineStart {
			if end := fenceEnd(s, at); end > 0 {
				spans = append(spans, codeSpan{text.Span{Start: at, End: end}, true})
				at = end
				continue
			}
		}
		lineStart = s[at] == '\n'
		if s[at] != '`' {
			at++
			continue
		}
		ticks := countRun(s[at:], '`')
		if end := closingTicks(s, at+ticks, ticks); end > 0 {
			spans = append(spans, codeSpan{text.Span{Start: at, End: end}, false})
			at = end
		} else {
			at += ticks
		}
	}
	return spans
}

// fenceEnd gives the end of the fenced block that begins with the line at at; 0 where none does.
func fenceEnd(s string, at int) int {
	line, _, _ := strings.Cut(s[at:], "\n")
	sign, length := fenceSign(line)
	if length < 3 || sign == '`' && strings.Contains(strings.TrimLeft(line, " \t>`"), "`") {
		return 0
	}
	for next := at + len(line) + 1; next < len(s); {
		line, _, _ = strings.Cut(s[next:], "\n")
		next += len(line) + 1
		if other, n := fenceSign(line); other == sign && n >= length && strings.Trim(line, " \t>`~") == "" {
			return min(next, len(s))
		}
	}
	return len(s)
}

func fenceSign(line string) (sign byte, length int) {
	line = strings.TrimLeft(line, " \t>")
	if line == "" || line[0] != '`' && line[0] != '~' {
		return 0, 0
	}
	return line[0], countRun(line, line[0])
}

// closingTicks finds the end of a code span whose content begins at from: the next run of just as many backticks in the
// same paragraph; 0 where there is none.
func closingTicks(s string, from, ticks int) int {
	for at := from; at < len(s); {
		tick := strings.IndexByte(s[at:], '`')
		if tick < 0 || strings.Contains(s[at:at+tick], "\n\n") {
			break
		}
		at += tick
		n := countRun(s[at:], '`')
		if at += n; n == ticks {
			return at
		}
	}
	return 0
}
