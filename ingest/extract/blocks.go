package extract

import (
	"strings"

	"kyrochat/kyro"
	"kyrochat/text"
)

// blocks puts the text of a document together, block by block, and notes where each is. Blocks are set apart by a blank
// line; the text given is normal already (text.Normalize). An empty block is none.
type blocks struct {
	text  strings.Builder
	list  []kyro.Block
	page  int // of what is added from now on, from 1; 0 where the format has no pages
	chars []int
}

// beginPage begins the next page, slide or sheet.
func (b *blocks) beginPage() {
	b.page++
	b.chars = append(b.chars, 0)
}

// heading adds a heading of a level from 1 to 6, on one line.
func (b *blocks) heading(level int, s string) {
	b.add(kyro.BlockHeading, min(max(level, 1), 6), onOneLine(s))
}

// paragraph adds a paragraph.
func (b *blocks) paragraph(s string) { b.add(kyro.BlockParagraph, 0, s) }

// add adds a block. Items of one list, and rows of one table, are lines of one block. What was normal in its place may
// not be where it was put, beside other text; so it is brought into its stored form once more.
func (b *blocks) add(kind kyro.BlockKind, level int, s string) {
	s = text.Normalize(s)
	if kind != kyro.BlockCode {
		s = strings.TrimSpace(s)
	} else {
		s = strings.Trim(s, "\n")
	}
	if strings.TrimSpace(s) == "" {
		return
	}
	if b.text.Len() > 0 {
		b.text.WriteString("\n\n")
	}
	start := b.text.Len()
	b.text.WriteString(s)
	b.list = append(b.list, kyro.Block{Kind: kind, Level: level, Start: start, End: b.text.Len(), Page: b.page})
	if b.page > 0 {
		b.chars[b.page-1] += kyro.CharCount(s)
	}
}

// extraction is what was put together.
func (b *blocks) extraction() kyro.Extraction {
	return kyro.Extraction{Text: b.text.String(), Blocks: b.list, Pages: b.page, PageChars: b.chars}
}

// onOneLine puts a text on one line, with single spaces between its words. It may be as long as a document.
func onOneLine(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for word := range strings.FieldsSeq(s) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(word)
	}
	return b.String()
}
