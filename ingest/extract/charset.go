package extract

import (
	"bytes"
	"unicode/utf8"

	"github.com/gogs/chardet"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// charset is a character set that a file was found to be in.
type charset struct {
	encoding.Encoding
	name    string
	wide    bool // code units of more than a byte
	guessed bool // nothing in the file says so
}

func (c *charset) decode(b []byte) (string, error) {
	out, err := c.NewDecoder().Bytes(b)
	return string(out), err
}

// byteOrderMark is the character set that a file's first bytes announce, or nil.
func byteOrderMark(b []byte) *charset {
	switch {
	case bytes.HasPrefix(b, utf8BOM):
		return &charset{Encoding: unicode.UTF8BOM, name: "UTF-8"}
	case bytes.HasPrefix(b, []byte{0xff, 0xfe, 0, 0}):
		return &charset{Encoding: utf32.UTF32(utf32.LittleEndian, utf32.UseBOM), name: "UTF-32", wide: true}
	case bytes.HasPrefix(b, []byte{0, 0, 0xfe, 0xff}):
		return &charset{Encoding: utf32.UTF32(utf32.BigEndian, utf32.UseBOM), name: "UTF-32", wide: true}
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}), bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		return &charset{Encoding: unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), name: "UTF-16", wide: true}
	}
	return nil
}

// sampled is how much of a file the guess at its character set looks at.
const sampled = 64 << 10

// trusted is the least confidence, of 100, at which the detector's word is taken.
const trusted = 20

// charsetOf finds the character set of a text: by its byte order mark, else UTF-8 where the text is valid in it,
// else by the frequencies of letters. Where those say nothing it is windows-1252, which gives every byte a letter.
func charsetOf(b []byte) *charset {
	if c := byteOrderMark(b); c != nil {
		return c
	}
	if utf8.Valid(b) {
		return &charset{Encoding: unicode.UTF8, name: "UTF-8"}
	}
	sample := b[:min(len(b), sampled)]
	if damagedUTF8(sample) {
		return &charset{Encoding: unicode.UTF8, name: "UTF-8", guessed: true}
	}
	guesses, err := chardet.NewTextDetector().DetectAll(sample)
	if err == nil {
		for _, g := range guesses {
			if g.Confidence < trusted {
				break
			}
			if c := named(g.Charset); c != nil && decodes(c, sample) {
				return c
			}
		}
	}
	return &charset{Encoding: charmap.Windows1252, name: "windows-1252", guessed: true}
}

// named finds an encoding as browsers do, for whom ISO-8859-1 means windows-1252. UTF-8 and UTF-16 without a mark
// are no guess to follow: the text is not valid in the first and would hold NUL bytes in the other.
func named(name string) *charset {
	e, err := htmlindex.Get(name)
	if err != nil {
		return nil
	}
	canonical, err := htmlindex.Name(e)
	if err != nil || bytes.HasPrefix([]byte(canonical), []byte("utf-")) || canonical == "replacement" || canonical == "x-user-defined" {
		return nil
	}
	return &charset{Encoding: e, name: canonical, guessed: true}
}

// decodes reports that hardly anything of the sample is unreadable in the character set. Its last character may be
// cut in two.
func decodes(c *charset, sample []byte) bool {
	s, err := c.decode(sample)
	if err != nil {
		return false
	}
	bad, all := 0, 0
	for _, r := range s {
		all++
		if r == utf8.RuneError {
			bad++
		}
	}
	return bad <= 1+all/500
}

// damagedUTF8 reports text that is UTF-8 but for a few bytes.
func damagedUTF8(sample []byte) bool {
	good, bad := 0, 0
	for i := 0; i < len(sample); {
		r, size := utf8.DecodeRune(sample[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			bad++
		case size > 1:
			good++
		}
		i += size
	}
	return good > 10*bad
}
