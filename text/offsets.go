package text

import "unicode/utf8"

// Offsets turns byte offsets of a text into UTF-16 offsets. It remembers the last one asked and counts from
// there, so that offsets asked in about rising order cost one pass over the text together. Not for use by several
// goroutines at once.
type Offsets struct {
	s          string
	byte, char int
}

// NewOffsets begins at the start of a text, which must be valid UTF-8.
func NewOffsets(s string) *Offsets { return &Offsets{s: s} }

// Char is the offset in UTF-16 code units of a byte offset. An offset inside a character counts as its start; one
// outside of the text as the nearer end.
func (o *Offsets) Char(offset int) int {
	offset = min(max(offset, 0), len(o.s))
	for offset > 0 && offset < len(o.s) && !utf8.RuneStart(o.s[offset]) {
		offset--
	}
	if offset >= o.byte {
		o.char += units(o.s[o.byte:offset])
	} else {
		o.char -= units(o.s[offset:o.byte])
	}
	o.byte = offset
	return o.char
}

// units counts the UTF-16 code units of valid UTF-8 by its leading bytes.
func units(s string) int {
	n := 0
	for i := 0; i < len(s); i++ {
		n += int(unitsOf[s[i]])
	}
	return n
}

// unitsOf is how many code units a character has that begins with a byte: none for those that begin none.
var unitsOf = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c >= 0xF0:
			t[c] = 2
		case c < 0x80, c >= 0xC0:
			t[c] = 1
		}
	}
	return t
}()

// SliceChars is the part of a text between two UTF-16 offsets, half open. Bounds outside of the text are drawn in;
// a character of two units that a bound cuts through is left out.
func SliceChars(s string, start, length int) string {
	if length <= 0 {
		return ""
	}
	start = max(start, 0)
	end := start + length
	if end < start { // past the largest int
		end = int(^uint(0) >> 1)
	}
	from, to, at := -1, len(s), 0
	for i, r := range s {
		size := 1
		if r > 0xFFFF {
			size = 2
		}
		if from < 0 && at >= start {
			from = i
		}
		if at+size > end {
			to = i
			break
		}
		at += size
	}
	if from < 0 || from >= to {
		return ""
	}
	return s[from:to]
}
