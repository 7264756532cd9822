package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// addRun adds the pairs of a run of a script without spaces.
func (q *query) addRun(run string) {
	run = foldWord(run)
	function := functionRunes(run)
	i := 0
	for pair := range pairs(run) {
		stop := function[i] != content
		if utf8.RuneCountInString(pair) > 1 {
			stop = function[i] != content && function[i+1] != content || function[i] == surely || function[i+1] == surely
		}
		i++
		if q.seen[pair] {
			for t := range q.terms {
				q.terms[t].Stop = q.terms[t].Stop && (stop || q.terms[t].Word != pair)
			}
			continue
		}
		q.seen[pair] = true
		q.terms = append(q.terms, QueryTerm{Word: pair, Variants: []string{pair}, Stop: stop})
		q.places = append(q.places, place{})
	}
}

// What a character of a run is: a part of a function word or not. A function word of one character may as well be
// a part of another word, as 的 in 目的, so that only pairs of such characters stop. A pair that takes in a
// character that surely is one stops too, for it crosses from one word to the next.
const (
	content byte = iota
	maybe
	surely
)

// functionRunes tells what each character of a run is.
func functionRunes(run string) []byte {
	runes := []rune(run)
	marks := make([]byte, len(runes))
	if len(runes) > 0 && unicode.Is(unicode.Hangul, runes[len(runes)-1]) {
		markKorean(runes, marks)
		return marks
	}
	for i := 0; i < len(runes); {
		n := min(longestDense, len(runes)-i)
		for n > 0 && !denseFunctionWords[string(runes[i:i+n])] {
			n--
		}
		for j := range n {
			marks[i+j] = maybe
			if n > 1 || strings.ContainsRune(surelyAlone, runes[i]) {
				marks[i+j] = surely
			}
		}
		i += max(n, 1)
	}
	for i := range marks {
		if marks[i] == maybe && (isParticle(runes, i) || i > 0 && marks[i-1] == surely) {
			marks[i] = surely
		}
	}
	for i := len(marks) - 2; i >= 0; i-- {
		if marks[i] == maybe && marks[i+1] == surely {
			marks[i] = surely
		}
	}
	return marks
}

const longestDense = 8

// surelyAlone are function words of one character that are hardly ever parts of other words.
const surelyAlone = "吗嗎呢谁誰哪何を"

// isParticle reports a Japanese particle between characters that are not hiragana.
func isParticle(runes []rune, i int) bool {
	return i > 0 && i+1 < len(runes) && unicode.Is(unicode.Hiragana, runes[i]) &&
		!unicode.Is(unicode.Hiragana, runes[i-1]) && !unicode.Is(unicode.Hiragana, runes[i+1])
}

// markKorean marks a word that is a function word, or the ending of one that begins with at least two others.
func markKorean(runes []rune, marks []byte) {
	for start := range runes {
		if start == 1 || !denseFunctionWords[string(runes[start:])] {
			continue
		}
		for i := start; i < len(runes); i++ {
			marks[i] = surely
		}
		return
	}
}
