package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MaxTermBytes bounds an index term; longer words are cut.
const MaxTermBytes = 64

// The signs that mark terms which are no words. Both are letters to every index. Folding turns the first into a
// plain h, so that no word can begin with it.
const (
	gramSign = "ʰ" // before a 4-gram
	partSign = "ˑ" // between numbers: 3ˑ14
)

// IsGram reports a term that is a piece of a word, not a word: many words share it, so it is worth less.
func IsGram(term string) bool { return strings.HasPrefix(term, gramSign) }

// Terms gives the terms by which a text in a language (ISO 639-1, "" for unknown) is found, in order and as often
// as they occur. Each is 1 to MaxTermBytes bytes of letters, numbers and marks, folded.
//
//   - Words of English, Spanish, French, Russian, Swedish, Norwegian and Hungarian are stemmed. A word whose stem
//     depends on its accents also gives the stem of its plain spelling.
//   - Words of other alphabets give themselves and their 4-grams, which IsGram knows.
//   - Chinese, Japanese, Korean, Thai, Lao, Khmer and Burmese give pairs of characters, or the one there is.
//   - Numbers give their digits: 1,024 is 1024. A compound such as node.js, foo_bar, wi-fi or getUserName gives
//     the whole and its parts; C++ and C# give cplusplus and csharp.
//
// No stop word is left out: what is common is for the search to weigh.
func Terms(s, language string) []string {
	if !isPlain(s) && !norm.NFC.IsNormalString(s) {
		s = norm.NFC.String(s)
	}
	a := newAnalyzer(language)
	a.out = make([]string, 0, len(s)/6+1)
	scan(s, func(p piece) { a.add(s[p.start:p.end], p.has, p.run) })
	return a.out
}

// analyzer turns pieces into terms under one language.
type analyzer struct {
	language string
	stem     func(string) string // nil: the language has no stemmer
	latin    bool                // the stemmer is for Latin letters, otherwise for Cyrillic
	out      []string
	stems    map[string]string      // stems made in this text
	skip     func(part string) bool // parts of compounds to leave out; nil: none
}

func newAnalyzer(language string) *analyzer {
	s := stemmers[language]
	return &analyzer{language: language, stem: s, latin: language != "ru", stems: map[string]string{}}
}

func (a *analyzer) add(word string, has class, run bool) {
	switch {
	case run:
		a.addPairs(word)
	case has&(isJoint|isSuffix) != 0:
		a.addCompound(word, has)
	case has&isDigit != 0:
		a.addCode(word)
	default:
		a.addWord(word, has)
	}
}

// addWord adds a word of letters only.
func (a *analyzer) addWord(word string, has class) {
	if a.stem == nil || !a.stemsWord(word, has) {
		folded := cut(foldWord(word))
		a.put(folded)
		a.addGrams(folded)
		return
	}
	lower := word
	if has&^isLower != 0 {
		lower = strings.ToLower(word)
	}
	if len(lower) <= 2 {
		a.put(foldWord(lower))
		return
	}
	stem, ok := a.stems[lower]
	if !ok {
		stem = a.stemOf(lower, has)
		a.stems[lower] = stem
	}
	first, second, two := strings.Cut(stem, " ")
	a.put(first)
	if two {
		a.put(second)
	}
	if has&isUpper != 0 && has&isLower != 0 {
		a.addHumps(word)
	}
}

// stemOf is the stem of a word, and after a space that of its plain spelling where it is another one.
func (a *analyzer) stemOf(lower string, has class) string {
	stem := cut(foldWord(a.stem(lower)))
	if has&isLetter != 0 && a.latin {
		if plain := cut(foldWord(a.stem(foldWord(lower)))); plain != stem {
			return stem + " " + plain
		}
	}
	return stem
}

// stemsWord reports whether the stemmer is for the letters of a word.
func (a *analyzer) stemsWord(word string, has class) bool {
	if has&isLetter == 0 {
		return a.latin
	}
	for _, r := range word {
		if r >= 0x80 {
			if a.latin {
				return r < 0x250 || r >= 0x1E00 && r <= 0x1EFF
			}
			return r >= 0x400 && r <= 0x52F
		}
	}
	return false
}

// addHumps adds the words of an identifier in camel case. Names such as YouTube begin with a capital, and are
// left whole.
func (a *analyzer) addHumps(word string) {
	if c := word[0]; c < 'a' || c > 'z' {
		return
	}
	start := 0
	for i := 1; i <= len(word); i++ {
		if i < len(word) && !(word[i] >= 'A' && word[i] <= 'Z' && word[i-1] >= 'a' && word[i-1] <= 'z') {
			continue
		}
		if hump := word[start:i]; len(hump) > 1 && (start > 0 || i < len(word)) {
			a.addPart(strings.ToLower(hump))
		}
		start = i
	}
}

// addPart adds a part of a compound.
func (a *analyzer) addPart(part string) {
	if a.skip != nil && a.skip(part) {
		return
	}
	has := classesOf(part)
	if has&isDigit != 0 {
		a.put(cut(foldWord(part)))
	} else {
		a.addWord(part, has)
	}
}

func classesOf(s string) (has class) {
	for _, r := range s {
		has |= classOf(r)
	}
	return has
}

// addCode adds a word with digits, such as B2B or 10kg. What a number counts is also found apart from it.
func (a *analyzer) addCode(word string) {
	folded := cut(foldWord(word))
	a.put(folded)
	n := 0
	for n < len(folded) && folded[n] >= '0' && folded[n] <= '9' {
		n++
	}
	if n > 0 && n < len(folded) {
		a.put(folded[:n])
		if unit := folded[n:]; utf8.RuneCountInString(unit) > 1 {
			a.put(unit)
		}
	}
}

// addGrams adds the 4-grams of a folded word of at least four characters.
func (a *analyzer) addGrams(word string) {
	if len(word) < 4 {
		return
	}
	var room [MaxTermBytes + 1]int
	at := room[:0] // where characters begin
	for i := range word {
		at = append(at, i)
	}
	at = append(at, len(word))
	if len(at) < 5 {
		return
	}
	var b strings.Builder
	b.Grow((len(at) - 4) * (len(gramSign) + 4*4))
	from := 0
	for i := 0; i+4 < len(at); i++ {
		b.WriteString(gramSign)
		b.WriteString(word[at[i]:at[i+4]])
		a.put(b.String()[from:])
		from = b.Len()
	}
}

// addPairs adds the pairs of characters of a run of a script without spaces.
func (a *analyzer) addPairs(run string) {
	for pair := range pairs(foldWord(run)) {
		a.put(pair)
	}
}

// pairs gives every two neighbouring characters of a run, or the only one.
func pairs(run string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		before, at := -1, 0
		for i := range run {
			if before >= 0 {
				_, size := utf8.DecodeRuneInString(run[i:])
				if !yield(run[before : i+size]) {
					return
				}
			}
			before, at = i, at+1
		}
		if at == 1 {
			yield(run)
		}
	}
}

func (a *analyzer) put(term string) {
	if term != "" {
		a.out = append(a.out, term)
	}
}

// cut bounds a term, between characters.
func cut(term string) string {
	if len(term) <= MaxTermBytes {
		return term
	}
	n := MaxTermBytes
	for !utf8.RuneStart(term[n]) {
		n--
	}
	return term[:n]
}

// isWordRune reports what a term may consist of.
func isWordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) }
