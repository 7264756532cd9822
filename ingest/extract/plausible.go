package extract

import (
	"unicode"
	"unicode/utf8"
)

// scripts are those that a text is written in; letters of any other count as one more.
var scripts = []*unicode.RangeTable{
	unicode.Latin, unicode.Cyrillic, unicode.Greek, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul,
	unicode.Arabic, unicode.Hebrew, unicode.Thai, unicode.Devanagari, unicode.Armenian, unicode.Georgian,
}

func scriptOf(r rune) int {
	if r < 0x250 {
		return 0
	}
	for i, s := range scripts {
		if unicode.Is(s, r) {
			return i
		}
	}
	return len(scripts)
}

// plausible reports a text that people could have written: of characters that show or are white space, most of them
// letters of one script and Latin, or of Chinese, Japanese and Korean together.
func plausible(s string) bool {
	all, odd, letters := 0, 0, 0
	var count [32]int
	for _, r := range s {
		all++
		switch {
		case r == '\n' || r == '\r' || r == '\t' || r == '\f' || r == 0xFEFF:
		case r == utf8.RuneError, !unicode.IsPrint(r) && !unicode.IsSpace(r):
			odd++
		case unicode.IsLetter(r):
			letters++
			count[scriptOf(r)]++
		}
	}
	if all == 0 || odd*100 > all || letters*4 < all {
		return false
	}
	most := 0
	for i := 1; i <= len(scripts); i++ {
		most = max(most, count[i])
	}
	most = max(most, count[3]+count[4]+count[5], count[3]+count[6]) // Japanese, Korean
	// What was taken apart wrongly has letters from everywhere, of which Chinese has most.
	return (count[0]+most)*100 >= letters*95
}

// likeness says how far a text looks like one that people wrote, from 0 to 1: signs that only stand alone do not stand
// between letters, capitals do not follow small letters, and words keep to one script.
func likeness(s string) float64 {
	pairs, odd, polish, czech := 0, 0, 0, 0
	before, last := ' ', ' '
	for _, r := range s {
		switch r {
		case 'ł', 'ę', 'ż', 'Ł', 'Ż':
			polish++
		case 'š', 'ľ', 'Ľ', 'ť':
			czech++
		}
		if r >= 0x80 || last >= 0x80 {
			pairs++
			switch {
			case r == utf8.RuneError, unicode.Is(unicode.Co, r), r < ' ' && !unicode.IsSpace(r), r >= 0x7F && r < 0xA0:
				odd += 4
			case unicode.IsLetter(before) && isSign(last) && unicode.IsLetter(r):
				odd += 2
			case unicode.IsLower(last) && unicode.IsUpper(r):
				odd++
			case unicode.IsLetter(last) && unicode.IsLetter(r) && scriptOf(last) != scriptOf(r) && !isEastAsian(last) && !isEastAsian(r):
				odd += 2
			case r >= 0xFF61 && r <= 0xFF9F: // half-width katakana, which nobody writes at length
				odd++
			}
		}
		before, last = last, r
	}
	if pairs == 0 {
		return 1
	}
	if polish > czech { // no text is written in both
		odd += czech
	}
	return max(0, 1-float64(odd)/float64(pairs))
}

// isSign reports signs that do not stand within words.
func isSign(r rune) bool {
	return r >= 0x80 && !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsSpace(r) && r != '’' && r != '·' && r != '‐' && r != '–' && r != '—'
}

func isEastAsian(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}
