package main

import (
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// tokens are the words of a text, each with how often it occurs. The text is taken in NFKC, in which a ligature is its
// letters, and keeps its case. A run of letters, marks and digits is a token; so is every other visible character, and
// every character of a script that puts no spaces between words. A row of three or more of the same mark is a rule, a
// leader or the border of a table, and the bar sets cells apart: those are no tokens, nor are the bullets of lists, for
// which every program has its own.
func tokens(s string) map[string]int {
	found := map[string]int{}
	runes := []rune(norm.NFKC.String(s))
	for i := 0; i < len(runes); {
		r := runes[i]
		switch {
		case isWord(r):
			start := i
			for i < len(runes) && (isWord(runes[i]) || isInvisible(runes[i])) {
				i++
			}
			found[visible(runes[start:i])]++
			continue
		case unicode.IsSpace(r), isInvisible(r), isBullet(r):
		case isUnspaced(r):
			found[string(r)]++
		default:
			start := i
			for i < len(runes) && runes[i] == r {
				i++
			}
			if i-start < 3 {
				found[string(r)] += i - start
			}
			continue
		}
		i++
	}
	return found
}

func isWord(r rune) bool {
	return (unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r)) && !isUnspaced(r)
}

// isInvisible reports soft hyphens, marks of direction and other characters without a shape.
func isInvisible(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Cc, unicode.Co) && !unicode.IsSpace(r)
}

func isUnspaced(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai)
}

func isBullet(r rune) bool {
	switch r {
	case '|', '•', '◦', '▪', '–', '-', '*', '‣', '●', '○', '■':
		return true
	}
	return false
}

func visible(runes []rune) string {
	kept := make([]rune, 0, len(runes))
	for _, r := range runes {
		if !isInvisible(r) {
			kept = append(kept, r)
		}
	}
	return string(kept)
}

// score is how well a text agrees with its reference.
type score struct {
	precision, recall, f1 float64
}

// compare counts the tokens that a text and its reference share. Two texts without any agree.
func compare(text, reference string) score {
	got, want := tokens(text), tokens(reference)
	shared, inText, inReference := 0, 0, 0
	for token, n := range got {
		inText += n
		shared += min(n, want[token])
	}
	for _, n := range want {
		inReference += n
	}
	if inText == 0 && inReference == 0 {
		return score{1, 1, 1}
	}
	if shared == 0 {
		return score{}
	}
	return score{
		precision: float64(shared) / float64(inText),
		recall:    float64(shared) / float64(inReference),
		f1:        2 * float64(shared) / float64(inText+inReference),
	}
}
