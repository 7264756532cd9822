package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Fold gives the form in which short texts are compared: case, accents and width taken away, the marks that
// readers of Arabic and Hebrew leave out taken away too, and every run of white space one space.
func Fold(s string) string {
	if isFolded(s) {
		return s
	}
	if !norm.NFC.IsNormalString(s) {
		s = norm.NFC.String(s)
	}
	b := make([]byte, 0, len(s)+8)
	for _, r := range s {
		if unicode.IsSpace(r) {
			if len(b) > 0 && b[len(b)-1] != ' ' {
				b = append(b, ' ')
			}
			continue
		}
		b = appendFolded(b, r)
	}
	folded := strings.TrimRight(string(b), " ")
	if !norm.NFC.IsNormalString(folded) {
		folded = norm.NFC.String(folded)
	}
	return folded
}

// isFolded reports ASCII text that is folded as it is.
func isFolded(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x80 || c >= 'A' && c <= 'Z' || c < ' ' {
			return false
		}
		if c == ' ' && (i == 0 || i == len(s)-1 || s[i-1] == ' ') {
			return false
		}
	}
	return true
}

// foldWord folds a word and drops what is no letter, number or mark.
func foldWord(s string) string {
	plain := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 0x80 || asciiClass[c]&(isLower|isDigit) == 0 {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	var room [96]byte
	b := room[:0]
	compose := false
	for _, r := range s {
		switch {
		case r < 0x80:
			if asciiClass[r]&(isLower|isDigit) != 0 {
				b = append(b, byte(r))
			} else if asciiClass[r]&isUpper != 0 {
				b = append(b, byte(r)|0x20)
			}
		case passes(r):
			b = utf8.AppendRune(b, r)
		default:
			compose = compose || r >= 0x700
			from := len(b)
			b = appendFolded(b, r)
			b = keepWordRunes(b, from)
		}
	}
	folded := string(b)
	if compose && !norm.NFC.IsNormalString(folded) {
		folded = norm.NFC.String(folded)
	}
	return folded
}

// keepWordRunes drops from b, after an offset, what is no letter, number or mark.
func keepWordRunes(b []byte, from int) []byte {
	for i := from; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if isWordRune(r) {
			i += size
			continue
		}
		b = append(b[:i], b[i+size:]...)
	}
	return b
}

// passes reports frequent characters that folding leaves alone.
func passes(r rune) bool {
	return r >= 0x4E00 && r <= 0x9FFF || r >= 0xAC00 && r <= 0xD7A3 || r >= 0x3041 && r <= 0x3096 || r >= 0x30A1 && r <= 0x30FE ||
		r >= 0xE01 && r <= 0xE32 || r >= 0xE34 && r <= 0xE4E || r >= 0x904 && r <= 0x94F
}

func appendFolded(b []byte, r rune) []byte {
	switch {
	case r < 0x700:
		return append(b, foldLow[r]...)
	case r >= 0x1E00 && r < 0x2000:
		return append(b, foldHigh[r-0x1E00]...)
	case passes(r):
		return utf8.AppendRune(b, r)
	case r >= 0x966 && r <= 0x96F: // Devanagari digits
		return append(b, byte('0'+r-0x966))
	case norm.NFKD.PropertiesString(string(r)).Decomposition() == nil && unicode.SimpleFold(r) == r && !isAccent(r):
		return utf8.AppendRune(b, r)
	}
	return append(b, foldRune(r)...)
}

// The folds of the alphabets that have accents and case, by code point.
var (
	foldLow  = foldRange(0, 0x700)
	foldHigh = foldRange(0x1E00, 0x2000)
)

func foldRange(from, to rune) []string {
	folds := make([]string, to-from)
	for r := from; r < to; r++ {
		folds[r-from] = foldRune(r)
	}
	return folds
}

// foldRune is the rule that the tables hold.
func foldRune(r rune) string {
	switch {
	case r == 'й' || r == 'Й': // a letter of its own; its breve is no accent
		return "й"
	case r >= 0xAB70 && r <= 0xABBF: // Cherokee, whose capitals are the older letters
		return string(r - 0xAB70 + 0x13A0)
	case r >= 0x13F8 && r <= 0x13FD:
		return string(r - 8)
	case r >= 0x13A0 && r <= 0x13F5:
		return string(r)
	case r >= 0x660 && r <= 0x669:
		return string('0' + r - 0x660)
	case r >= 0x6F0 && r <= 0x6F9:
		return string('0' + r - 0x6F0)
	}
	if s, ok := respelled[r]; ok {
		return s
	}
	var b strings.Builder
	for _, d := range norm.NFKD.String(cases.Fold().String(norm.NFKD.String(string(r)))) {
		if s, ok := respelled[d]; ok {
			b.WriteString(s)
		} else if !isAccent(d) && d != ' ' { // a mark alone decomposes to a space and the mark
			b.WriteRune(d)
		}
	}
	return norm.NFC.String(b.String())
}

// respelled letters have no decomposition, but are written both ways.
var respelled = map[rune]string{
	'ı': "i", 'ł': "l", 'Ł': "l", 'ø': "o", 'Ø': "o", 'đ': "d", 'Đ': "d", 'ħ': "h", 'Ħ': "h",
	'æ': "ae", 'Æ': "ae", 'œ': "oe", 'Œ': "oe",
	'ى': "ي", 'ی': "ي", 'ک': "ك", 'ة': "ه", 'ٱ': "ا", 'ـ': "", // Arabic and Persian spellings; the stretcher
}

// isAccent reports the marks that folding drops: those of Latin, Greek and Cyrillic, the vowel signs of Arabic
// and the points of Hebrew, and variation selectors. Marks of other scripts are parts of their words.
func isAccent(r rune) bool {
	switch {
	case r < 0x300:
		return false
	case r <= 0x36F, r >= 0x483 && r <= 0x487, r >= 0x610 && r <= 0x61A, r >= 0x64B && r <= 0x65F, r == 0x670:
		return true
	case r >= 0x591 && r <= 0x5C7:
		return unicode.IsMark(r)
	case r >= 0x6D6 && r <= 0x6ED:
		return unicode.IsMark(r)
	}
	return r >= 0x1AB0 && r <= 0x1AFF || r >= 0x1DC0 && r <= 0x1DFF || r >= 0x20D0 && r <= 0x20F0 ||
		r >= 0xFE00 && r <= 0xFE0F || r >= 0xFE20 && r <= 0xFE2F || r >= 0xE0100 && r <= 0xE01EF
}
