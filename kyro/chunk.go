package kyro

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

// ChunksOrder is the one order of chunks: reading order.
const ChunksOrder = "chunks.INDEX.ASC"

// BlockKind is what a block of extracted text is.
type BlockKind string

// The kinds of blocks.
const (
	BlockHeading   BlockKind = "heading"
	BlockParagraph BlockKind = "paragraph"
	BlockList      BlockKind = "list"
	BlockTable     BlockKind = "table"
	BlockCode      BlockKind = "code"
)

// Block is one structural piece of an extracted text, in reading order; blocks do not overlap.
type Block struct {
	Kind  BlockKind `json:"kind"`
	Level int       `json:"level,omitempty"` // of a heading, from 1
	Start int       `json:"start"`           // byte offsets into the text, half open
	End   int       `json:"end"`
	Page  int       `json:"page,omitempty"` // from 1; 0 where the format has no pages
}

// Extraction is what was read out of a document: one text and its structure. The text is NFC with LF line ends
// and no control characters but \n and \t; pages are joined by a blank line.
type Extraction struct {
	MimeType string            `json:"mimeType"`
	Text     string            `json:"text"`
	Blocks   []Block           `json:"blocks"`
	Pages    int               `json:"pages,omitempty"` // 0 where the format has no pages
	Warnings []DocumentWarning `json:"warnings,omitempty"`
}

// Prepared is a document version's text and chunks, ready to be stored in one fact.
type Prepared struct {
	Extraction
	Language  string
	CharCount int
	Chunks    []Chunk  // without ids
	Terms     []string // of each chunk: its search terms, joined by spaces
}
