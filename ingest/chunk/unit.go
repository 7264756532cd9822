package chunk

import (
	"math"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"

	"kyrochat/kyro"
	"kyrochat/text"
)

// unit is a part of the text that stays in one piece: a whole block where it fits, else a sentence, a row, a line.
type unit struct {
	start, end int
	tokens     int // at least as many as text.Tokens gives for it
	page       int
	section    int
	kind       kyro.BlockKind
	glued      bool   // it stays with the next unit: a heading, the sentence before a list, the head of a table
	partial    bool   // a piece of a sentence or a line
	columns    string // of the table it is a part of, where their names stand above it
}

// cut divides a block into units that each hold at most limit tokens.
func (p *packer) cut(b kyro.Block, limit int) []unit {
	s := p.text[b.Start:b.End]
	switch b.Kind {
	case kyro.BlockTable:
		return p.cutLines(b, limit, func(string) bool { return true })
	case kyro.BlockList:
		return p.cutLines(b, limit, itemStart.MatchString)
	case kyro.BlockCode:
		return p.cutCode(b, limit)
	}
	units := p.units[:0]
	spans := text.Sentences(s)
	for i, span := range spans {
		from, to := span.Start, len(s)
		if i == 0 {
			from = 0
		}
		if i+1 < len(spans) {
			to = spans[i+1].Start
		}
		units = p.appendUnits(units, b, b.Start+from, b.Start+to, limit)
	}
	if len(spans) == 0 {
		units = p.appendUnits(units, b, b.Start, b.End, limit)
	}
	p.units = units
	return units
}

var itemStart = regexp.MustCompile(`^[ \t]{0,3}(?:[-*+•‣◦▪●–—]|\(?[0-9A-Za-z]{1,3}[.)])[ \t]`)

// cutLines divides a block before the lines that begin a part of it.
func (p *packer) cutLines(b kyro.Block, limit int, begins func(line string) bool) []unit {
	units := p.units[:0]
	from, at := b.Start, b.Start
	for line := range strings.Lines(p.text[b.Start:b.End]) {
		if at > from && begins(line) {
			units = p.appendUnits(units, b, from, at, limit)
			from = at
		}
		at += len(line)
	}
	units = p.appendUnits(units, b, from, b.End, limit)
	p.units = units
	return units
}

// cutCode divides code at blank lines, and parts that are too large at line ends.
func (p *packer) cutCode(b kyro.Block, limit int) []unit {
	blank := false
	parts := append([]unit(nil), p.cutLines(b, math.MaxInt/16, func(line string) bool {
		was := blank
		blank = strings.TrimSpace(line) == ""
		return was && !blank
	})...)
	units := []unit{}
	for _, part := range parts {
		if part.tokens <= limit {
			units = append(units, part)
			continue
		}
		of := b
		of.Start, of.End = part.start, part.end
		units = append(units, p.cutLines(of, limit, func(string) bool { return true })...)
	}
	return units
}

// appendUnits adds a range as one unit, or as several where it is too large. White space around it is left out,
// but for the indentation of code.
func (p *packer) appendUnits(units []unit, b kyro.Block, start, end, limit int) []unit {
	s := p.text[start:end]
	end -= len(s) - len(strings.TrimRightFunc(s, unicode.IsSpace))
	if b.Kind == kyro.BlockCode {
		for end > start && p.text[start] == '\n' {
			start++
		}
	} else if end > start {
		start += len(s) - len(strings.TrimLeftFunc(s, unicode.IsSpace))
	}
	if start >= end {
		return units
	}
	u := unit{start: start, end: end, page: b.Page, section: p.section, kind: b.Kind}
	if b.Kind == kyro.BlockTable {
		u.columns, u.glued = p.table.above(start), p.table.isHead(start, end)
	}
	if end-start > 8*limit { // then it holds more than limit for sure, unless it is mostly white space
		u.tokens = limit + 1
	} else {
		u.tokens = text.Tokens(p.text[start:end])
	}
	if u.tokens <= limit {
		return append(units, u)
	}
	if b.Kind == kyro.BlockList { // an item as long as a text
		if spans := text.Sentences(p.text[start:end]); len(spans) > 1 {
			paragraph := b
			paragraph.Kind = kyro.BlockParagraph
			for i, span := range spans {
				from, to := start+span.Start, end
				if i == 0 {
					from = start
				}
				if i+1 < len(spans) {
					to = start + spans[i+1].Start
				}
				units = p.appendUnits(units, paragraph, from, to, limit)
			}
			return units
		}
	}
	for start < end {
		size, tokens := piece(p.text[start:end], min(limit, p.Budget))
		to := start + size
		trimmed := to - (size - len(strings.TrimRightFunc(p.text[start:to], unicode.IsSpace)))
		if trimmed > start {
			part := u
			part.start, part.end, part.tokens, part.glued, part.partial = start, trimmed, tokens, false, true
			units = append(units, part)
		}
		start = to
		start += len(p.text[start:end]) - len(strings.TrimLeftFunc(p.text[start:end], unicode.IsSpace))
	}
	return units
}

// stride is how many bytes are counted at once while a piece is measured.
const stride = 64

// piece measures the largest start of a text that holds at most limit tokens, and ends after white space if there
// is any in its second half, else between two characters as a reader sees them. A single such character of more
// than limit tokens is cut between code points.
func piece(s string, limit int) (size, tokens int) {
	for size < len(s) {
		next := min(size+stride, len(s))
		for next < len(s) && !utf8.RuneStart(s[next]) {
			next++
		}
		n := text.Tokens(s[size:next])
		if tokens+n > limit {
			for size < len(s) { // character by character to the limit
				_, w := utf8.DecodeRuneInString(s[size:])
				n := text.Tokens(s[size : size+w])
				if size > 0 && tokens+n > limit {
					break
				}
				size, tokens = size+w, tokens+n
			}
			break
		}
		size, tokens = next, tokens+n
	}
	if size == len(s) {
		return size, tokens
	}
	if i := strings.LastIndexFunc(s[size/2:size], unicode.IsSpace); i >= 0 {
		_, w := utf8.DecodeRuneInString(s[size/2+i:])
		return size/2 + i + w, tokens
	}
	whole := 0
	for g := graphemes.FromString(s[:min(len(s), size+256)]); g.Next() && g.End() <= size; {
		whole = g.End()
	}
	if whole > 0 {
		size = whole
	}
	return size, tokens
}
