package extract

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"kyrochat/kyro"
)

// A line longer than this is no hard-wrapped line: where one occurs, every line is a paragraph of its own.
const longestWrapped = 200

// The longest line that may be a heading, in characters.
const longestHeading = 80

// parsePlain finds the structure of a plain text. Paragraphs are set apart by blank lines; headings are taken only
// where the writer's habit is plain: underlined, numbered, in capitals, or a short line alone above a paragraph.
func parsePlain(s string) []kyro.Block {
	var p plain
	p.s = s
	for at := 0; at < len(s); {
		end := at + lineEnd(s[at:])
		if isBlank(s[at:end]) {
			p.paragraph()
		} else {
			p.lines = append(p.lines, span{at, end})
		}
		at = end + 1
	}
	p.paragraph()
	p.settleHeadings()
	return p.blocks
}

// span is a half-open range of bytes.
type span struct{ start, end int }

func (s span) of(text string) string { return text[s.start:s.end] }

type plain struct {
	s      string
	lines  []span // of the paragraph being read
	blocks []kyro.Block
	alone  []int // blocks that are one short line: headings if what follows bears it out
}

func lineEnd(s string) int {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return i
	}
	return len(s)
}

func isBlank(s string) bool { return strings.TrimSpace(s) == "" }

// paragraph turns the lines since the last blank line into blocks.
func (p *plain) paragraph() {
	lines := p.lines
	p.lines = p.lines[:0]
	if len(lines) >= 2 {
		if level := underline(lines[1].of(p.s)); level > 0 && fitsHeading(lines[0].of(p.s)) {
			p.add(kyro.BlockHeading, level, lines[:2])
			lines = lines[2:]
		}
	}
	switch {
	case len(lines) == 0:
	case p.isTable(lines):
		p.add(kyro.BlockTable, 0, lines)
	case p.listFrom(lines) >= 0:
		first := p.listFrom(lines)
		if first > 0 {
			p.add(kyro.BlockParagraph, 0, lines[:first])
		}
		p.add(kyro.BlockList, 0, lines[first:])
	case p.unwrapped(lines):
		for i := range lines {
			p.single(lines[i : i+1])
		}
	case len(lines) == 1:
		p.single(lines)
	default:
		p.add(kyro.BlockParagraph, 0, lines)
	}
}

func (p *plain) add(kind kyro.BlockKind, level int, lines []span) {
	p.blocks = append(p.blocks, kyro.Block{Kind: kind, Level: level, Start: lines[0].start, End: lines[len(lines)-1].end})
}

func (p *plain) single(line []span) {
	s := line[0].of(p.s)
	if level := numberedHeading(s); level > 0 {
		p.alone = append(p.alone, len(p.blocks))
		p.add(kyro.BlockParagraph, level, line)
		return
	}
	if fitsHeading(s) && !strings.HasPrefix(s, " ") {
		p.alone = append(p.alone, len(p.blocks))
	}
	p.add(kyro.BlockParagraph, 0, line)
}

// settleHeadings makes headings of short lines that stand above text. One that nothing follows, or another kept
// paragraph of the same shortness follows, is a paragraph: so do signatures, addresses and verse look.
func (p *plain) settleHeadings() {
	isAlone := make(map[int]bool, len(p.alone))
	for _, i := range p.alone {
		isAlone[i] = true
	}
	for n := len(p.alone) - 1; n >= 0; n-- {
		i := p.alone[n]
		b := &p.blocks[i]
		level := b.Level
		b.Level = 0
		if i+1 == len(p.blocks) {
			continue
		}
		next := p.blocks[i+1]
		line := p.s[b.Start:b.End]
		switch {
		case level > 0 && (!isAlone[i+1] || next.Kind == kyro.BlockHeading):
			b.Kind, b.Level = kyro.BlockHeading, level
		case level > 0:
		case isCapitals(line), i == 0 && next.Kind == kyro.BlockHeading && startsLikeTitle(line):
			b.Kind, b.Level = kyro.BlockHeading, 1
		case !isAlone[i+1] && next.Kind != kyro.BlockHeading && startsLikeTitle(line) && p.isProse(next):
			b.Kind, b.Level = kyro.BlockHeading, 2
		}
	}
}

// isProse reports what a heading can stand above: a text that ends like a sentence or goes on for a while, or a list.
func (p *plain) isProse(b kyro.Block) bool {
	return b.Kind != kyro.BlockParagraph || b.End-b.Start > 120 || endsSentence(p.s[b.Start:b.End])
}

// fitsHeading reports a line that could be a heading by itself: short, with letters, and not ended like a sentence.
func fitsHeading(line string) bool {
	line = strings.TrimSpace(line)
	if line == "" || len(line) > 4*longestHeading || utf8.RuneCountInString(line) > longestHeading {
		return false
	}
	last, _ := utf8.DecodeLastRuneInString(line)
	return !strings.ContainsRune(".!?:;,…。！？：；，、", last) && strings.ContainsFunc(line, unicode.IsLetter)
}

// startsLikeTitle leaves out lines that begin in the middle of a sentence, and lines of more words than a title.
func startsLikeTitle(line string) bool {
	first, _ := utf8.DecodeRuneInString(line)
	return !unicode.IsLower(first) && !unicode.IsPunct(first) && len(strings.Fields(line)) <= 10 && utf8.RuneCountInString(line) <= 60
}

// isCapitals reports at least two words' worth of capitals and no small letter.
func isCapitals(line string) bool {
	capitals := 0
	for _, r := range line {
		switch {
		case unicode.IsUpper(r):
			capitals++
		case unicode.IsLetter(r):
			return false
		}
	}
	return capitals >= 4
}

// underline gives the level of a heading by the line below it: 1 for ===, 2 for ---, 0 for anything else.
func underline(line string) int {
	line = strings.TrimRight(line, " \t")
	switch {
	case len(line) >= 3 && strings.Trim(line, "=") == "":
		return 1
	case len(line) >= 3 && (strings.Trim(line, "-") == "" || strings.Trim(line, "~") == ""):
		return 2
	}
	return 0
}

var (
	numbering = regexp.MustCompile(`^(\d{1,3}(?:\.\d{1,3}){0,5})\.?[ \t]+\p{L}`)
	named1    = regexp.MustCompile(`(?i)^(chapter|part|section|article|annex|appendix|kapitel|teil|abschnitt|artikel|anhang|capítulo|sección|artículo|anexo|chapitre|partie|annexe|глава|раздел|статья)[ \t]+([0-9]{1,3}|[ivxlc]{1,6}|[a-z])\b`)
	chinese   = regexp.MustCompile(`^第[0-9一二三四五六七八九十百零〇]+[章节節条條编編部]`)
)

// numberedHeading gives the level of a line like "1.2 Title", "Chapter 3" or "第三章", 0 for any other.
func numberedHeading(line string) int {
	if !fitsHeading(line) {
		return 0
	}
	if m := numbering.FindStringSubmatch(line); m != nil {
		rest := strings.TrimLeft(line[len(m[1]):], ". \t")
		if first, _ := utf8.DecodeRuneInString(rest); unicode.IsLower(first) {
			return 0
		}
		return min(6, 1+strings.Count(m[1], "."))
	}
	if named1.MatchString(line) || chinese.MatchString(line) {
		return 1
	}
	return 0
}

var listItem = regexp.MustCompile(`^[ \t]*(?:[-*+•‣◦▪●–—]|\(?\d{1,3}[.)]|[a-z][.)]|\([a-zA-Z]\)|[A-Z]\))[ \t]+\S`)

// listFrom gives the line that a list begins with, or -1: every line from there is an item or, indented, goes on
// with one, and there are two items at least or one after a line that ends in a colon.
func (p *plain) listFrom(lines []span) int {
	first, items := -1, 0
	for i, l := range lines {
		s := l.of(p.s)
		switch {
		case isItem(s):
			if first < 0 {
				first = i
			}
			items++
		case first >= 0 && !strings.HasPrefix(s, " ") && !strings.HasPrefix(s, "\t"):
			return -1
		}
	}
	if items >= 2 || items == 1 && first > 0 && strings.HasSuffix(strings.TrimSpace(lines[first-1].of(p.s)), ":") {
		return first
	}
	return -1
}

// isTable reports lines with the same number of tabs between their cells.
func (p *plain) isTable(lines []span) bool {
	tabs := strings.Count(strings.TrimLeft(lines[0].of(p.s), "\t"), "\t")
	if len(lines) < 2 || tabs == 0 {
		return false
	}
	for _, l := range lines[1:] {
		if strings.Count(strings.TrimLeft(l.of(p.s), "\t"), "\t") != tabs {
			return false
		}
	}
	return true
}

// unwrapped reports text whose paragraphs are single long lines.
func (p *plain) unwrapped(lines []span) bool {
	for _, l := range lines {
		if l.end-l.start > longestWrapped {
			return len(lines) > 1
		}
	}
	return false
}
