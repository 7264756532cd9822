package extract

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"kyrochat/kyro"
)

// writer puts the text of a PDF together and notes where its blocks are.
type writer struct {
	text   strings.Builder
	blocks []kyro.Block
	page   int
	words  map[string]bool // of the document, to tell what a divided word is; nil where no word is divided
	open   openEnd

	outline outline
	head    string // the first row of the table written last, which may go on on the next page
}

// openEnd is how the block written last ended.
type openEnd struct {
	hyphen   bool
	sentence bool // its last sentence is complete
}

// band writes the lines of a band as a heading or as paragraphs and lists.
func (w *writer) band(b band, s style) {
	if b.table {
		w.table(tableRows(b.lines))
		return
	}
	if b.code {
		w.rows(kyro.BlockCode, codeLines(b.lines))
		return
	}
	level := w.outline.level(b.lines)
	if level == 0 {
		level = s.headingLevel(b.lines)
	}
	if level > 0 {
		w.block(kyro.BlockHeading, level, b.lines, 0)
		return
	}
	right := 0.0
	for _, l := range b.lines {
		right = max(right, l.right)
	}
	for i, lines := range b.paragraphs() {
		switch {
		case isItem(lines[0].text):
			w.block(kyro.BlockList, 0, lines, right)
		case i == 0 && b.jump && w.goesOn(lines[0]):
			w.join(lines[0], w.open.hyphen, true)
			w.lines(lines[0], lines[1:], right)
		default:
			w.block(kyro.BlockParagraph, 0, lines, right)
		}
	}
}

// codeLines are lines in typewriter's type, indented as they are printed.
func codeLines(lines []pdfLine) []string {
	left := lines[0].left
	for _, l := range lines {
		left = min(left, l.left)
	}
	texts := make([]string, len(lines))
	for i, l := range lines {
		texts[i] = l.text
		if width := (l.right - l.left) / float64(max(1, utf8.RuneCountInString(l.text))); width > 0 && i > 0 {
			texts[i] = strings.Repeat(" ", min(40, int(math.Round((l.left-left)/width)))) + texts[i]
		}
		if l.hyphen {
			texts[i] += "-"
		}
	}
	return texts
}

// goesOn reports that a line continues the paragraph that the column before ended in.
func (w *writer) goesOn(l pdfLine) bool {
	n := len(w.blocks) - 1
	if n < 0 || w.blocks[n].Page != w.page || w.blocks[n].Kind != kyro.BlockParagraph {
		return false
	}
	first, _ := utf8.DecodeRuneInString(l.text)
	return w.open.hyphen || !w.open.sentence && unicode.IsLower(first)
}

// block begins a block. Blocks are set apart by a blank line, the items of one list by a line end.
func (w *writer) block(kind kyro.BlockKind, level int, lines []pdfLine, right float64) {
	w.complete()
	n := len(w.blocks) - 1
	if n >= 0 && kind == kyro.BlockList && w.blocks[n].Kind == kind && w.blocks[n].Page == w.page {
		w.text.WriteByte('\n')
	} else {
		if n >= 0 {
			w.text.WriteString("\n\n")
		}
		w.blocks = append(w.blocks, kyro.Block{Kind: kind, Level: level, Start: w.text.Len(), Page: w.page})
	}
	w.text.WriteString(lines[0].text)
	w.lines(lines[0], lines[1:], right)
}

// complete gives back a hyphen that nothing follows which would complete the word.
func (w *writer) complete() {
	if n := len(w.blocks) - 1; n >= 0 && w.open.hyphen {
		w.text.WriteByte('-')
		w.blocks[n].End = w.text.Len()
	}
	w.open = openEnd{}
}

// table writes rows, each on a line. A table that goes on on the next page says its first row again there.
func (w *writer) table(rows []string) {
	if n := len(w.blocks) - 1; n >= 0 && w.blocks[n].Kind == kyro.BlockTable && w.blocks[n].Page == w.page-1 && rows[0] == w.head && len(rows) > 1 {
		rows = rows[1:]
	} else {
		w.head = rows[0]
	}
	w.rows(kyro.BlockTable, rows)
}

// rows writes a block whose lines stay as they are.
func (w *writer) rows(kind kyro.BlockKind, rows []string) {
	w.complete()
	if w.text.Len() > 0 {
		w.text.WriteString("\n\n")
	}
	start := w.text.Len()
	w.text.WriteString(strings.Join(rows, "\n"))
	w.blocks = append(w.blocks, kyro.Block{Kind: kind, Start: start, End: w.text.Len(), Page: w.page})
	w.open = openEnd{sentence: true}
}

// lines writes the rest of a paragraph. A line that ended early keeps its end: so verse, addresses and the rows of
// tables look. Headings run on.
func (w *writer) lines(last pdfLine, rest []pdfLine, right float64) {
	for _, l := range rest {
		w.join(l, last.hyphen, right == 0 || last.wraps(l, right))
		last = l
	}
	w.open = openEnd{hyphen: last.hyphen, sentence: endsSentence(last.text)}
	w.blocks[len(w.blocks)-1].End = w.text.Len()
}

// join writes one line after another.
func (w *writer) join(l pdfLine, hyphen, wrapped bool) {
	before, _ := utf8.DecodeLastRuneInString(tail(w.text.String()))
	after, _ := utf8.DecodeRuneInString(l.text)
	switch {
	case hyphen:
		if w.keepsHyphen(l.text) {
			w.text.WriteByte('-')
		}
	case !wrapped:
		w.text.WriteByte('\n')
	case isUnspaced(before) && isUnspaced(after):
	case before == '-' && unicode.IsLetter(after) && dashJoins(tail(w.text.String())):
	default:
		w.text.WriteByte(' ')
	}
	w.text.WriteString(l.text)
}

// tail is the end of a text, enough for a word.
func tail(s string) string { return s[max(0, len(s)-100):] }

// dashJoins reports a hyphen that belongs to the word before it, not a dash between words.
func dashJoins(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(strings.TrimSuffix(s, "-"))
	return unicode.IsLetter(r)
}

// isUnspaced reports characters of scripts that put no spaces between words.
func isUnspaced(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar) ||
		r >= 0x3000 && r <= 0x303F || r >= 0xFF00 && r <= 0xFF60
}

// keepsHyphen decides whether a hyphen at a line end is part of the word: before capitals and digits, and where
// the document writes the word so elsewhere and never as one.
func (w *writer) keepsHyphen(next string) bool {
	first, _ := utf8.DecodeRuneInString(next)
	if !unicode.IsLower(first) {
		return true
	}
	head := tail(w.text.String())
	if i := strings.LastIndexFunc(head, isNoWord); i >= 0 {
		_, size := utf8.DecodeRuneInString(head[i:])
		head = head[i+size:]
	}
	rest := next
	if i := strings.IndexFunc(rest, isNoWord); i >= 0 {
		rest = rest[:i]
	}
	head, rest = strings.ToLower(head), strings.ToLower(rest)
	return w.words[head+"-"+rest] && !w.words[head+rest]
}

func isNoWord(r rune) bool { return !unicode.IsLetter(r) && r != '-' && r != '\'' && r != '’' }

// wordsOf are the words of a document that divides words, nil for any other.
func wordsOf(pages []pdfPage) map[string]bool {
	divides := false
	for _, p := range pages {
		for _, l := range p.lines {
			divides = divides || l.hyphen
		}
	}
	if !divides {
		return nil
	}
	const most = 200_000
	words := map[string]bool{}
	for _, p := range pages {
		for _, l := range p.lines {
			for word := range strings.FieldsFuncSeq(l.text, isNoWord) {
				if len(words) < most && len(word) < 100 {
					words[strings.ToLower(word)] = true
				}
			}
		}
	}
	return words
}
