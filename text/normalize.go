package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Normalize gives the form in which text is stored: valid UTF-8 in NFC, lines ended by LF, and no character that
// a reader cannot see. Control characters but \n and \t, zero-width and bidirectional controls, soft hyphens,
// byte order marks, tag characters and noncharacters go; the joiners U+200C and U+200D stay only where a script
// or an emoji needs them, and variation selectors one to a character: rows of them can spell what only a model reads.
// Invalid bytes become U+FFFD. Normalizing twice changes nothing more.
func Normalize(s string) string {
	if isPlain(s) {
		return s
	}
	s = clean(strings.ToValidUTF8(s, "\uFFFD"))
	if norm.NFC.IsNormalString(s) {
		return s
	}
	return norm.NFC.String(s)
}

// isPlain reports ASCII text that is normal as it is.
func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 0x7F || c < ' ' && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}

// clean drops and replaces characters, and leaves their composition to NFC.
func clean(s string) string {
	var b strings.Builder
	copied, last := 0, rune(0) // s[:copied] is in b; last is the rune kept before
	for i := 0; i < len(s); {
		if c := s[i]; c >= ' ' && c < 0x7F || c == '\n' || c == '\t' {
			last = rune(c)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		next := i + size
		put, keep := rune(0), true
		switch {
		case r == '\r':
			if next < len(s) && s[next] == '\n' {
				next++
			}
			put, keep = '\n', false
		case r == '\v' || r == '\f' || r == 0x85 || r == 0x2028 || r == 0x2029:
			put, keep = '\n', false
		case r == 0x200C || r == 0x200D:
			after, _ := utf8.DecodeRuneInString(s[next:])
			keep = joins(r, last, after)
		case isSelector(r):
			keep = last > ' ' && !isSelector(last)
		case isInvisible(r):
			keep = false
		}
		if keep {
			last = r
		} else {
			if b.Cap() == 0 {
				b.Grow(len(s))
			}
			b.WriteString(s[copied:i])
			copied = next
			if put != 0 {
				b.WriteRune(put)
				last = put
			}
		}
		i = next
	}
	if b.Cap() == 0 {
		return s
	}
	b.WriteString(s[copied:])
	return b.String()
}

// isInvisible reports characters that change nothing a reader sees, or that hide what is read.
func isInvisible(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7F && r <= 0x9F, r == 0xAD, r == 0x34F, r == 0x61C, r == 0x180E:
		return true
	case r < 0x200B:
		return false
	case r <= 0x200F, r >= 0x202A && r <= 0x202E, r >= 0x2060 && r <= 0x206F, r == 0xFEFF:
		return true
	case r >= 0xFFF9 && r <= 0xFFFB, r >= 0xFDD0 && r <= 0xFDEF, r&0xFFFE == 0xFFFE:
		return true
	}
	return r >= 0xE0000 && r <= 0xE0FFF && !isSelector(r) || r >= 0x1D173 && r <= 0x1D17A || r >= 0x1BCA0 && r <= 0x1BCA3
}

// isSelector reports the characters that choose between the shapes of the one before.
func isSelector(r rune) bool {
	return r >= 0xFE00 && r <= 0xFE0F || r >= 0xE0100 && r <= 0xE01EF || r >= 0x180B && r <= 0x180D || r == 0x180F
}

// joins reports whether a joiner between two characters changes how they are written: in emoji sequences, and
// between the letters of scripts that shape their letters by neighbours.
func joins(joiner, before, after rune) bool {
	if joiner == 0x200D && isEmojiPart(before) && isEmojiPart(after) {
		return true
	}
	return isShaped(before) && isShaped(after)
}

func isEmojiPart(r rune) bool {
	return r >= 0x1F000 && r <= 0x1FAFF || r >= 0x2190 && r <= 0x2BFF || r == 0xFE0F
}

func isShaped(r rune) bool {
	return r > 0x5FF && unicode.In(r, unicode.Arabic, unicode.Syriac, unicode.Mongolian, unicode.Nko, unicode.Devanagari,
		unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu, unicode.Kannada,
		unicode.Malayalam, unicode.Sinhala, unicode.Khmer, unicode.Myanmar, unicode.Tibetan) && (unicode.IsLetter(r) || unicode.IsMark(r))
}
