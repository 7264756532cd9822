package extract

import (
	"bytes"
	"mime"
	"regexp"
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

// wideCharset is the character set of a text in code units of more than a byte, nil for every other: by its mark, or
// by how it looks as UTF-16.
func wideCharset(b []byte) *charset {
	if c := byteOrderMark(b); c != nil {
		if c.wide {
			return c
		}
		return nil
	}
	if bytes.IndexByte(b, 0) < 0 {
		return nil // every text has a space or a line end, and one of its bytes is zero in UTF-16
	}
	sample := b[:min(len(b), sampled)&^1]
	var best *charset
	most := 0
	for _, c := range []*charset{
		{Encoding: unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), name: "UTF-16 (little endian)", wide: true, guessed: true},
		{Encoding: unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), name: "UTF-16 (big endian)", wide: true, guessed: true},
	} {
		// With its bytes exchanged, English is Chinese, but without any space that people type.
		if s, err := c.decode(sample); err == nil && plausible(s) {
			if n := len(ordinary.FindAllString(s, -1)); n > most {
				best, most = c, n
			}
		}
	}
	return best
}

var ordinary = regexp.MustCompile(`[ \n,.。，、]`)

// sampled is how much of a file the guess at its character set looks at.
const sampled = 64 << 10

// trusted is the least confidence, of 100, at which the detector's word is taken.
const trusted = 20

// charsetOf finds the character set of a text: by its byte order mark, else UTF-8 where the text is valid in it,
// else by the frequencies of letters. Where those say nothing it is windows-1252, which gives every byte a letter.
func charsetOf(b []byte) *charset { return guessCharset(b, chardet.NewTextDetector()) }

// certainCharset is the character set that the bytes themselves show: by a byte order mark, by how UTF-16 looks, by escapes,
// or as valid UTF-8, for what is valid by chance does not occur; nil where they do not.
func certainCharset(b []byte) *charset {
	for _, known := range []func([]byte) *charset{byteOrderMark, wideCharset, escaped} {
		if c := known(b); c != nil {
			return c
		}
	}
	if utf8.Valid(b) {
		return &charset{Encoding: unicode.UTF8, name: "UTF-8"}
	}
	return nil
}

func guessCharset(b []byte, detector *chardet.Detector) *charset {
	if c := certainCharset(b); c != nil {
		return c
	}
	sample := b[:min(len(b), sampled)]
	if damagedUTF8(sample) {
		return &charset{Encoding: unicode.UTF8, name: "UTF-8", guessed: true}
	}
	guesses, err := detector.DetectAll(sample)
	if err == nil {
		if c := mostPlausible(guesses, sample); c != nil {
			return c
		}
	}
	return &charset{Encoding: charmap.Windows1252, name: "windows-1252", guessed: true}
}

// mostPlausible takes the best guess whose text could be one: the detector knows letters by their frequency, and not
// that no text has a box drawing between two letters.
func mostPlausible(guesses []chardet.Result, sample []byte) *charset {
	var best *charset
	score := -1.0
	for _, g := range guesses {
		if g.Confidence < trusted {
			break
		}
		for _, name := range append(confused[g.Charset], g.Charset) {
			c := named(name)
			if c == nil || !decodes(c, sample) {
				continue
			}
			s, err := c.decode(sample)
			if err != nil {
				continue
			}
			if n := float64(g.Confidence) * likeness(s); n > score {
				best, score = c, n
			}
		}
	}
	return best
}

// confused are the character sets that the detector does not tell from one it names, for they differ in a few letters.
var confused = map[string][]string{"ISO-8859-2": {"windows-1250"}, "windows-1250": {"iso-8859-2"}}

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

var metaCharset = regexp.MustCompile(`(?i)<meta\s[^>]*?charset\s*=\s*["']?\s*([a-z0-9_:.-]+)|^\s*<\?xml\s[^>]*?encoding\s*=\s*["']([a-z0-9_:.-]+)`)

// charsetOfPage finds the character set of a page of HTML: by its byte order mark; UTF-8 where it is valid in it, for
// what is valid by chance does not occur; as the server claims; as the page says; else by its letters.
func charsetOfPage(b []byte, claimed string) *charset {
	if c := certainCharset(b); c != nil {
		return c
	}
	var said []string
	if _, params, err := mime.ParseMediaType(claimed); err == nil {
		said = append(said, params["charset"])
	}
	if m := metaCharset.FindSubmatch(b[:min(len(b), 8<<10)]); m != nil {
		said = append(said, string(m[1])+string(m[2]))
	}
	for _, name := range said {
		if c := named(name); c != nil && decodes(c, b[:min(len(b), sampled)]) {
			c.guessed = false
			return c
		}
	}
	return guessCharset(b, chardet.NewHtmlDetector())
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

// escaped is the character set of Japanese mails, which goes from Latin to Japanese and back by signs that nothing else
// has; all of its bytes are ASCII. It is nil for every other text.
func escaped(b []byte) *charset {
	sample := b[:min(len(b), sampled)]
	if !bytes.Contains(sample, []byte("\x1b$B")) && !bytes.Contains(sample, []byte("\x1b$@")) || !bytes.Contains(sample, []byte("\x1b(")) {
		return nil
	}
	if c := named("iso-2022-jp"); decodes(c, sample) {
		c.guessed = false
		return c
	}
	return nil
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
