package text

import (
	"unicode"
	"unicode/utf8"
)

// A piece is what the scanner finds: a word with what is written inside of it, such as node.js, don't, 1,024 or
// C++, or a run of characters of a script that puts no spaces between words.
type piece struct {
	start, end int
	has        class // the classes of its characters
	run        bool  // of a script without spaces
}

type class uint8

const (
	isLower  class = 1 << iota // a letter of the ASCII lower case
	isUpper                    // a letter of the ASCII upper case
	isDigit                    // any number
	isLetter                   // a letter or mark beyond ASCII
	isDense                    // a character of a script without spaces
	isJoint                    // inside of a word: ' . , - _
	isSuffix                   // the ++ of C++, the # of C#, the . of .NET
)

const wordy = isLower | isUpper | isDigit | isLetter

var asciiClass = func() (t [0x80]class) {
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-0x20] = isLower, isUpper
	}
	for c := '0'; c <= '9'; c++ {
		t[c] = isDigit
	}
	return t
}()

// classOf tells what a character is to the scanner; zero is a separator.
func classOf(r rune) class {
	switch {
	case r < 0x80:
		return asciiClass[r]
	case r >= 0xC0 && r <= 0x24F:
		if r == 0xD7 || r == 0xF7 {
			return 0
		}
		return isLetter
	case r >= 0x400 && r <= 0x481, r >= 0x48A && r <= 0x52F, r >= 0x620 && r <= 0x64A, r >= 0x5D0 && r <= 0x5EA, r >= 0x388 && r <= 0x3FF && r != 0x3F6:
		if unicode.IsLetter(r) {
			return isLetter
		}
		return 0
	case isDenseRune(r):
		return isDense
	case r >= 0xFE00 && r <= 0xFE0F, r >= 0xE0100 && r <= 0xE01EF: // variation selectors say how, not what
		return 0
	case unicode.IsLetter(r), unicode.IsMark(r):
		return isLetter
	case unicode.IsNumber(r):
		return isDigit
	}
	return 0
}

// isDenseRune reports letters and marks of scripts that put no spaces between words, and of Korean, whose words
// carry their particles.
func isDenseRune(r rune) bool {
	switch {
	case r < 0xE01:
		return false
	case r <= 0xEFF: // Thai, Lao
		return r != 0xE3F && (unicode.IsLetter(r) || unicode.IsMark(r))
	case r >= 0x4E00 && r <= 0x9FFF, r >= 0xAC00 && r <= 0xD7A3, r >= 0x3041 && r <= 0x3096, r >= 0x30A1 && r <= 0x30FA:
		return true
	case r >= 0x1000 && r <= 0x109F, r >= 0x1780 && r <= 0x17DD: // Myanmar, Khmer
		return unicode.IsLetter(r) || unicode.IsMark(r)
	case r >= 0x1100 && r <= 0x11FF, r >= 0x3005 && r <= 0x3007, r >= 0x3099 && r <= 0x309A, r >= 0x309D && r <= 0x309F, r >= 0x30FC && r <= 0x318E,
		r >= 0x31F0 && r <= 0x31FF, r >= 0x3400 && r <= 0x4DBF, r >= 0xF900 && r <= 0xFAFF, r >= 0xFF66 && r <= 0xFFDC, r >= 0x20000 && r <= 0x3FFFF:
		return unicode.IsLetter(r) || unicode.IsMark(r) || r == 0x3007
	}
	return false
}

// scan calls found for every piece of a text, in order.
func scan(s string, found func(piece)) {
	for i := 0; i < len(s); {
		if c := s[i]; c < 0x80 && asciiClass[c] == 0 {
			i++
			continue
		}
		r, size := rune(s[i]), 1
		if r >= 0x80 {
			r, size = utf8.DecodeRuneInString(s[i:])
		}
		switch c := classOf(r); {
		case c == isDense:
			end := i + size
			for end < len(s) {
				r, size := utf8.DecodeRuneInString(s[end:])
				if !isDenseRune(r) {
					break
				}
				end += size
			}
			found(piece{start: i, end: end, has: isDense, run: true})
			i = end
		case c&wordy != 0 && !unicode.Is(unicode.Mn, r):
			p := scanWord(s, i)
			found(p)
			i = p.end
		default:
			i += size
		}
	}
}

// scanWord reads the word that begins at an offset.
func scanWord(s string, start int) piece {
	p := piece{start: start}
	last := class(0)
	i := start
	for i < len(s) {
		c, size := asciiAt(s, i)
		if c == 0 && size > 1 || c == isDense {
			r, n := utf8.DecodeRuneInString(s[i:])
			c, size = classOf(r), n
		}
		if c&wordy != 0 {
			p.has |= c
			last = c
			i += size
			continue
		}
		if c == isDense || last == 0 {
			break
		}
		joint, width := jointAt(s, i)
		if width == 0 {
			break
		}
		r, n := utf8.DecodeRuneInString(s[i+width:])
		next := classOf(r)
		if n == 0 || next&wordy == 0 || !mayJoin(joint, last, next) {
			break
		}
		p.has |= isJoint
		i += width
	}
	p.end = i
	return withAffix(s, p)
}

// asciiAt is the class of the byte at i; beyond ASCII zero and a size above one.
func asciiAt(s string, i int) (class, int) {
	if c := s[i]; c < 0x80 {
		return asciiClass[c], 1
	}
	return 0, 2
}

// jointAt tells which sign that may stand inside of a word is at i, as its ASCII form, and how many bytes it has.
func jointAt(s string, i int) (byte, int) {
	switch c := s[i]; c {
	case '\'', '.', ',', '-', '_', '"':
		return c, 1
	case 0xC2: // · of Catalan
		if len(s) > i+1 && s[i+1] == 0xB7 {
			return '\'', 2
		}
	case 0xD7: // Hebrew quotation marks in abbreviations
		if len(s) > i+1 && (s[i+1] == 0xB3 || s[i+1] == 0xB4) {
			return '"', 2
		}
	case 0xE2:
		if len(s) > i+2 && s[i+1] == 0x80 {
			switch s[i+2] {
			case 0x99:
				return '\'', 3
			case 0x90, 0x91:
				return '-', 3
			}
		}
	case 0xEF:
		if len(s) > i+2 && s[i+1] == 0xBC && s[i+2] == 0x87 {
			return '\'', 3
		}
	}
	return 0, 0
}

// mayJoin follows the word boundaries of Unicode (UAX 29: WB6, WB7, WB11, WB12, WB13), and joins hyphens besides.
func mayJoin(joint byte, before, after class) bool {
	const letter = isLower | isUpper | isLetter
	switch joint {
	case '.':
		return before&letter != 0 && after&letter != 0 || before&after&isDigit != 0
	case ',':
		return before&after&isDigit != 0
	case '\'':
		return before&letter != 0 && after&letter != 0 || before&after&isDigit != 0
	case '"': // an abbreviation of Hebrew
		return before&after&isLetter != 0
	}
	return true
}

// withAffix takes in the signs outside of a word that make another one of it: C++, C#, .NET.
func withAffix(s string, p piece) piece {
	rest := s[p.end:]
	letters := p.has&isDigit == 0
	switch {
	case letters && len(rest) >= 2 && rest[0] == '+' && rest[1] == '+' && (len(rest) == 2 || !startsWordy(rest[2:])):
		p.end += 2
		p.has |= isSuffix
	case letters && p.end-p.start == 1 && len(rest) >= 1 && rest[0] == '#' && (len(rest) == 1 || !startsWordy(rest[1:])):
		p.end++
		p.has |= isSuffix
	case letters && p.start > 0 && s[p.start-1] == '.' && (p.start == 1 || s[p.start-2] == ' ' || s[p.start-2] == '\n'):
		p.start--
		p.has |= isSuffix
	}
	return p
}

func startsWordy(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return classOf(r)&wordy != 0 || r == '+'
}
