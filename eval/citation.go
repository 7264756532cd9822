package eval

import (
	"slices"
	"unicode/utf16"
)

// Citation is what came of checking one.
type Citation string

// What a citation can be.
const (
	ValidCitation Citation = "valid"
	WrongDocument Citation = "document" // of no document of the set, or of another version of it
	WrongQuote    Citation = "quote"    // the document's text says something else at the offsets
	WrongPage     Citation = "page"     // the offsets are on other pages
)

// citation is one as the server gives it. Its document is null where it was deleted, and its chunk where that was.
type citation struct {
	Quote              string
	CharStart, CharEnd int
	PageStart, PageEnd *int
	DocumentVersion    int
	Document           struct{ ID string }
	Chunk              *struct{ CharStart, CharEnd int }
}

// check holds a citation against its document.
func (c *citation) check(d *stored) Citation {
	start, end := c.CharStart, c.CharEnd
	switch {
	case c.DocumentVersion != d.version:
		return WrongDocument
	case start < 0 || end > len(d.units) || start >= end || string(utf16.Decode(d.units[start:end])) != c.Quote:
		return WrongQuote
	case d.pages != (c.PageStart != nil) || d.pages != (c.PageEnd != nil):
		return WrongPage
	case d.pages && (!pageMayBe(d.chunks, start, *c.PageStart) || !pageMayBe(d.chunks, end-1, *c.PageEnd) || *c.PageEnd < *c.PageStart):
		return WrongPage
	}
	return ValidCitation
}

// pageMayBe reports whether a place in a text can be on that page, as far as the chunks tell: no earlier than what
// stands before it, no later than what stands behind it. Where a page begins inside of a chunk they do not tell.
func pageMayBe(chunks []chunk, at, page int) bool {
	told := slices.ContainsFunc(chunks, func(c chunk) bool {
		return c.CharStart <= at && at < c.CharEnd && c.PageStart != nil && c.PageEnd != nil
	})
	if !told {
		return false
	}
	for _, c := range chunks {
		if c.PageStart == nil || c.PageEnd == nil {
			continue
		}
		switch {
		case c.CharStart <= at && page < *c.PageStart, // begins before it or with it
			c.CharEnd <= at && page < *c.PageEnd,     // ends before it
			c.CharStart >= at && page > *c.PageStart, // begins behind it or with it
			c.CharEnd > at && page > *c.PageEnd:      // ends behind it
			return false
		}
	}
	return true
}
