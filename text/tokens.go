package text

import "unicode"

// What a character of each class costs, in thousandths of a token. The figures give about 4.5 characters a token
// in English and Spanish and 1.45 in Chinese. They are estimates: no vocabulary is consulted.
const (
	costLatin = 227  // a token holds 4.4 Latin letters
	costOther = 385  // 2.6 letters of other alphabets
	costCJK   = 720  // Han, kana, Hangul
	costDigit = 1000 // each digit is one
	costPunct = 900
)

// Tokens estimates how many tokens of a language model a text takes. It may be off by a quarter; leave room.
func Tokens(s string) int {
	sum := 0
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x80 {
			sum += int(asciiCost[c])
			continue
		}
		for _, r := range s[i:] {
			if r < 0x80 {
				break
			}
			sum += cost(r)
			i += runeLen(r)
		}
		i--
	}
	return (sum + 999) / 1000
}

func runeLen(r rune) int {
	switch {
	case r < 0x80:
		return 1
	case r < 0x800:
		return 2
	case r < 0x10000:
		return 3
	}
	return 4
}

var asciiCost = func() (t [0x80]uint16) {
	for c := '!'; c < 0x7F; c++ {
		switch {
		case c >= '0' && c <= '9':
			t[c] = costDigit
		case c|0x20 >= 'a' && c|0x20 <= 'z':
			t[c] = costLatin
		default:
			t[c] = costPunct
		}
	}
	return t
}()

func cost(r rune) int {
	switch {
	case r >= 0xC0 && r <= 0x24F && r != 0xD7 && r != 0xF7, r >= 0x1E00 && r <= 0x1EFF:
		return costLatin
	case r < 0xC0:
		if unicode.IsSpace(r) {
			return 0
		}
		return costPunct
	case r >= 0x3041 && r <= 0x30FF, r >= 0x3400 && r <= 0x9FFF, r >= 0xAC00 && r <= 0xD7A3, r >= 0x20000 && r <= 0x3FFFF:
		return costCJK
	case r >= 0x370 && r <= 0x1DFF: // alphabets and their marks; their few signs cost no more
		return costOther
	case unicode.IsSpace(r):
		return 0
	case unicode.IsLetter(r), unicode.IsMark(r):
		return costOther
	}
	return costPunct
}
