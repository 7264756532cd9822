package kyro

// Original is a file that text is to be read out of.
type Original struct {
	Path     string `json:"path"`
	MimeType string `json:"mimeType"`          // decided by content
	Claimed  string `json:"claimed,omitempty"` // the Content-Type it came with, such as "text/html; charset=koi8-r"; not to be trusted
	URL      string `json:"url,omitempty"`     // where it was fetched from, which its links are relative to; "" unless a page of the web
}

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
	MimeType  string            `json:"mimeType"`
	Text      string            `json:"text"`
	Blocks    []Block           `json:"blocks"`
	Pages     int               `json:"pages,omitempty"`     // 0 where the format has no pages
	PageChars []int             `json:"pageChars,omitempty"` // UTF-16 units of text found on each page; one for each page, nil where the format has none
	Title     string            `json:"title,omitempty"`     // what the document calls itself; "" where it does not say
	Page      *WebPage          `json:"page,omitempty"`      // of HTML that was fetched; else nil
	Warnings  []DocumentWarning `json:"warnings,omitempty"`
}

// MaxPageLinks is the most links that are told of one page; those behind are left out.
const MaxPageLinks = 2_000

// WebPage is what a page of the web says to whoever walks through its site. All addresses are absolute, http or https,
// without a fragment, at most MaxURL bytes, and not to be trusted.
type WebPage struct {
	Canonical string   `json:"canonical,omitempty"` // the address it calls its own; "" where it names none
	Links     []string `json:"links,omitempty"`     // in their order, each once, without those marked nofollow
	NoIndex   bool     `json:"noIndex,omitempty"`   // it does not want to be found
	NoFollow  bool     `json:"noFollow,omitempty"`  // its links are not to be followed
}

// Prepared is a document version's text and chunks, ready to be stored in one fact.
type Prepared struct {
	Extraction
	Language  string
	CharCount int
	Chunks    []Chunk  // without ids
	Terms     []string // of each chunk: its search terms, joined by spaces
	Lead      string   // of a page: what its chunks stand under; see Document.Lead
	URL       string   // of a page: its address; "" where that stays
	NewTitle  string   // what the document is called from now on; "": as before

	// What embeddings are made with: those of the chunks that are stored already are counted.
	Model string
	Dims  int
}
