// Package chunk cuts an extracted text into passages for retrieval and citation. It is a pure function of its
// input: the same extraction gives the same chunks, so that a re-ingested document finds its embeddings again.
package chunk

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"kyrochat/kyro"
	"kyrochat/text"
)

// Options are the sizes of chunks, in tokens as text.Tokens estimates them. Zero means the default; no overlap is -1.
type Options struct {
	Budget  int // what a chunk is filled up to: 400
	Max     int // what no chunk exceeds: 512
	Overlap int // how much of the end of a chunk the next one repeats, in whole sentences: 60
	Tail    int // a last chunk of a section below this joins the one before where that stays below Max: 64
}

func (o Options) withDefaults() Options {
	set := func(v *int, value int) {
		if *v <= 0 {
			*v = value
		}
	}
	set(&o.Budget, 400)
	set(&o.Max, max(o.Budget, 512))
	if o.Overlap == 0 {
		o.Overlap = 60
	}
	set(&o.Tail, 64)
	o.Budget = min(o.Budget, o.Max)
	o.Overlap = max(0, min(o.Overlap, o.Budget/2))
	return o
}

// Sized are the options of chunks that are filled up to budget and overlap by so much, which may be nothing; the others are
// in proportion.
func Sized(budget, overlap int) Options {
	if overlap <= 0 {
		overlap = -1
	}
	return Options{Budget: budget, Max: budget * 32 / 25, Overlap: overlap, Tail: max(1, budget*4/25)}
}

// Split cuts a text along its structure. Chunks come in reading order and together hold every character of the
// text that is not white space; each is a slice of the text. They begin and end at the ends of blocks where they
// can, else of sentences, rows, lines and words, and never cut a character as a reader sees it. A heading begins a
// new chunk and stays with what it heads; a list stays with the sentence that introduces it. Chunks of one section
// overlap by whole sentences. A chunk that begins within a table has the names of its columns as the last heading above
// it: they are not in its text, and its rows say little without them. title enters the content hash only.
func Split(ex kyro.Extraction, title string, opt Options) []kyro.Chunk {
	p := packer{
		Options: opt.withDefaults(), text: ex.Text, title: title,
		markdown: ex.MimeType == "text/markdown", offsets: text.NewOffsets(ex.Text),
	}
	at, page := 0, 0
	for _, b := range ex.Blocks {
		start, end := max(b.Start, at), min(b.End, len(ex.Text))
		if start >= end {
			continue
		}
		p.block(kyro.Block{Kind: kyro.BlockParagraph, Start: at, End: start, Page: page}) // what no block claims
		page = b.Page
		b.Start, b.End = start, end
		p.block(b)
		at = end
	}
	p.block(kyro.Block{Kind: kyro.BlockParagraph, Start: at, End: len(ex.Text), Page: page})
	p.finish()
	return p.chunks
}

// EmbeddedText is what is embedded for a chunk and what its content hash is of: the document's title and the
// headings above the passage in one line, then the passage.
func EmbeddedText(title string, c kyro.Chunk) string {
	var b strings.Builder
	b.Grow(len(title) + len(c.Text) + 100)
	b.WriteString(title)
	for _, h := range c.HeadingPath {
		if b.Len() > 0 {
			b.WriteString(" > ")
		}
		b.WriteString(h)
	}
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	b.WriteString(c.Text)
	return b.String()
}

func contentHash(title string, c kyro.Chunk) string {
	sum := sha256.Sum256([]byte(EmbeddedText(title, c)))
	return hex.EncodeToString(sum[:])
}
