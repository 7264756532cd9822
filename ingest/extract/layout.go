package extract

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"kyrochat/kyro"
)

const (
	// headingScale is how much larger than the body type a heading is.
	headingScale = 1.15
	// A heading is at most this many characters; what is longer is a text set large.
	longestPDFHeading = 200
)

// layout turns printed lines into paragraphs, lists and headings, and those into one text.
func layout(pages []pdfPage, outline outline) kyro.Extraction {
	style := styleOf(pages)
	dropFurniture(pages, style)
	ex := kyro.Extraction{Pages: len(pages), PageChars: make([]int, len(pages))}
	w := writer{words: wordsOf(pages), outline: outline}
	for i := range pages {
		p := &pages[i]
		switch {
		case p.broken && i > 0 && pages[i-1].broken: //nolint:gosec // told with the first of them; i > 0 comes before
		case p.broken:
			ex.Warnings = append(ex.Warnings, unreadable(pages[i:]))
		case p.picture:
			ex.Warnings = append(ex.Warnings, warning(PageWithoutText, p.number, "Page %d is a picture without readable text."))
		}
		w.page = p.number
		for _, b := range style.bands(p.lines) {
			w.band(b, style)
		}
	}
	w.complete()
	ex.Text, ex.Blocks = w.text.String(), w.blocks
	for _, b := range ex.Blocks {
		ex.PageChars[b.Page-1] += kyro.CharCount(ex.Text[b.Start:b.End])
	}
	return ex
}

// unreadable tells of damaged pages that follow each other in one warning: some files promise thousands.
func unreadable(pages []pdfPage) kyro.DocumentWarning {
	n := 1
	for n < len(pages) && pages[n].broken {
		n++
	}
	w := warning(PageUnreadable, pages[0].number, "Page %d is damaged and was left out.")
	if n > 1 {
		w.Message = fmt.Sprintf("Pages %d to %d are damaged or not there, and were left out.", pages[0].number, pages[n-1].number)
	}
	return w
}

func warning(code string, page int, format string) kyro.DocumentWarning {
	return kyro.DocumentWarning{Code: code, Message: fmt.Sprintf(format, page), Page: &page}
}

// style is how a document is set: what its body looks like and so what stands out.
type style struct {
	size    float64   // of the body type
	leading float64   // from baseline to baseline, as a multiple of the size
	bold    bool      // the body is bold, so that bold means nothing
	mono    bool      // the body is typewriter's type, which then is no code
	large   []float64 // the sizes of headings, largest first
}

func styleOf(pages []pdfPage) style {
	bySize := map[float64]int{}
	var steps []float64
	boldChars, monoChars, allChars := 0, 0, 0
	for _, p := range pages {
		for i, l := range p.lines {
			n := len(l.text)
			allChars += n
			if len(l.cells) > 2 { // tables are set small
				n = (n + 3) / 4
			}
			bySize[l.size] += n
			if l.bold {
				boldChars += n
			}
			if l.mono {
				monoChars += n
			}
			if i > 0 && l.size > 0 && alike(p.lines[i-1].size, l.size) {
				if step := (p.lines[i-1].y - l.y) / l.size; step > 0.8 && step < 3 {
					steps = append(steps, step)
				}
			}
		}
	}
	s := style{leading: 1.2, bold: 2*boldChars > allChars, mono: 2*monoChars > allChars}
	most := 0
	for size, n := range bySize {
		if n > most || n == most && size < s.size {
			s.size, most = size, n
		}
	}
	if len(steps) > 0 {
		slices.Sort(steps)
		s.leading = steps[len(steps)/2]
	}
	for size := range bySize {
		if size > s.size*headingScale {
			s.large = append(s.large, size)
		}
	}
	slices.SortFunc(s.large, func(a, b float64) int { return int(math.Copysign(1, b-a)) })
	s.large = slices.CompactFunc(s.large, func(a, b float64) bool { return min(a, b) > 0.95*max(a, b) })
	return s
}

// alike reports sizes of type that a reader takes for the same.
func alike(a, b float64) bool { return max(a, b) <= 1.12*min(a, b) }

// band is a run of lines that follow each other without a gap in the same type.
type band struct {
	lines []pdfLine
	jump  bool // it begins further up the page than the last one ended: a new column
	table bool // its lines are rows
	code  bool // its lines are in typewriter's type
}

// bands divides the lines of a page where the eye does: at tables, at gaps, at changes of type, and at columns.
func (s style) bands(lines []pdfLine) []band {
	var bands []band
	lines = joinRows(lines)
	for i := 0; i < len(lines); i++ {
		l := lines[i]
		if end := tableEnd(lines, i); end > i {
			bands = append(bands, band{lines: lines[i:end], table: true})
			i = end - 1
			continue
		}
		n := len(bands) - 1
		code := l.mono && !s.mono
		if n < 0 || bands[n].table || bands[n].code != code {
			bands = append(bands, band{lines: []pdfLine{l}, code: code})
			continue
		}
		open := &bands[n]
		last := &open.lines[len(open.lines)-1]
		step := last.y - l.y
		size := max(last.size, l.size, 1)
		switch {
		case step < 0:
			bands = append(bands, band{lines: []pdfLine{l}, code: code, jump: true})
		case step > max(s.leading, 1)*size*1.25, !alike(last.size, l.size), last.bold != l.bold && !s.bold:
			bands = append(bands, band{lines: []pdfLine{l}, code: code})
		default:
			open.lines = append(open.lines, l)
		}
	}
	return bands
}

// headingLevel is the level of a band that stands out, 0 for one that does not. Larger type ranks by its size,
// bold type comes after all of those.
func (s style) headingLevel(lines []pdfLine) int {
	n, letters := 0, 0
	for _, l := range lines {
		if hasLeader(l.text) {
			return 0
		}
		n += utf8.RuneCountInString(l.text) + 1
		for _, r := range l.text {
			if unicode.IsLetter(r) {
				letters++
			}
		}
	}
	if n > longestPDFHeading || len(lines) > 4 || letters < 2 {
		return 0
	}
	if size := lines[0].size; size > s.size*headingScale && !(n > longestHeading && strings.HasSuffix(lines[len(lines)-1].text, ".")) {
		for i, large := range s.large {
			if size > 0.95*large {
				return min(6, i+1)
			}
		}
	}
	if lines[0].bold && !s.bold && len(lines) <= 2 && alike(lines[0].size, s.size) && fitsHeading(lines[len(lines)-1].text) && !isItem(lines[0].text) {
		return min(6, len(s.large)+1)
	}
	return 0
}

// leader is the row of dots that leads to a page number in a table of contents.
var leader = regexp.MustCompile(`(?:\. ?){4,}\s*[0-9ivxlc]*$|…{2,}\s*[0-9ivxlc]*$`)

// hasLeader reports such a row; most lines have not even three dots.
func hasLeader(line string) bool {
	return (strings.Count(line, ".") > 3 || strings.Contains(line, "……")) && leader.MatchString(line)
}

// isItem reports a line that begins with a bullet or a number of a list.
func isItem(line string) bool {
	mark := strings.TrimLeft(line, " \t")
	if len(mark) > 1 && mark[0] < utf8.RuneSelf && mark[1] < utf8.RuneSelf && unicode.IsLetter(rune(mark[0])) && unicode.IsLetter(rune(mark[1])) {
		return false // a word: most lines begin with one
	}
	return listItem.MatchString(line)
}

// itemNumber is the number that a line begins with, -1 for one without. A date that falls to the start of a line looks
// like the number of an item, but for what comes before it.
func itemNumber(line string) int {
	digits := strings.TrimLeft(line, " \t(")
	end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
	if end < 1 {
		return -1
	}
	n, err := strconv.Atoi(digits[:end])
	if err != nil {
		return -1
	}
	return n
}

// endsSentence reports a line whose last character can end a paragraph.
func endsSentence(line string) bool {
	r, _ := utf8.DecodeLastRuneInString(strings.TrimRight(line, `"'”’»)]`))
	return strings.ContainsRune(".!?:;。！？：；…", r)
}

// paragraphs divides a band where a line ends early or the next is indented, and at the items of a list.
func (b band) paragraphs() [][]pdfLine {
	var all [][]pdfLine
	right := 0.0
	for _, l := range b.lines {
		right = max(right, l.right)
	}
	start, number := 0, itemNumber(b.lines[0].text)
	for i := 1; i < len(b.lines); i++ {
		last, l := b.lines[i-1], b.lines[i]
		next := itemNumber(l.text)
		indent := l.left - last.left
		indented := indent > 0.8*l.size && indent < 5*l.size && (i+1 == len(b.lines) || b.lines[i+1].left < l.left-0.5*l.size)
		isItem := isItem(l.text) && (next < 0 || next == number+1 || endsSentence(last.text) || !last.wraps(l, right))
		if isItem || endsSentence(last.text) && (indented || !last.wraps(l, right)) {
			all = append(all, b.lines[start:i])
			start = i
		}
		if isItem && next >= 0 {
			number = next
		}
	}
	return append(all, b.lines[start:])
}

// wraps reports that a line ended because the next word did not fit, not because the writer ended it.
func (l pdfLine) wraps(next pdfLine, right float64) bool {
	if hasLeader(l.text) {
		return false
	}
	return l.hyphen || l.right+0.2*l.size+next.firstWord > right-0.3*l.size
}
