package kyro

import "strings"

// Chunk is a passage of a document version: the unit of retrieval and of citation. Its Text is exactly the slice
// of the stored text between its offsets.
type Chunk struct {
	ID                 ID
	DocumentID         ID
	BotID              ID
	Version            int
	Index              int // from 0, in reading order
	Text               string
	HeadingPath        []string
	PageStart, PageEnd *int   // from 1; nil where the format has no pages
	PageTurns          []int  // the bytes of Text at which the pages after PageStart begin, one for each up to PageEnd
	CharStart, CharEnd int    // UTF-16 code units, half open
	ByteStart, ByteEnd int    // UTF-8 bytes, half open
	TokenCount         int    // an estimate
	ContentHash        string // what its embedding is kept under: SHA-256, in hex, of what is embedded
	Enabled            bool
}

// NodeID makes Chunk a Node.
func (c *Chunk) NodeID() ID { return c.ID }

// Pages are the pages of a slice of the chunk's text, in bytes, half open; nil where the format has no pages.
func (c *Chunk) Pages(start, end int) (first, last *int) {
	if c.PageStart == nil {
		return nil, nil
	}
	from, to := *c.PageStart, *c.PageStart
	for _, turn := range c.PageTurns {
		if turn <= start {
			from++
		}
		if turn < end {
			to++
		}
	}
	return &from, &to
}

// Above is what stands above the chunk: its headings, outermost first, and the names of its columns where it begins within a
// table that names them before it ("Product | Price"); else "".
func (c *Chunk) Above() (headings []string, columns string) {
	last := len(c.HeadingPath) - 1
	if last >= 0 && strings.HasPrefix(c.Text, "|") && strings.Contains(c.HeadingPath[last], " | ") {
		return c.HeadingPath[:last], c.HeadingPath[last]
	}
	return c.HeadingPath, ""
}

// ChunksOrder is the one order of chunks: reading order.
const ChunksOrder = "chunks.INDEX.ASC"
