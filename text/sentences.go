package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/sentences"
)

// Span is a part of a text, in bytes, half open.
type Span struct{ Start, End int }

// Sentences finds the sentences of a text, in order, without the white space around them. A line end inside of a
// paragraph is no sentence end, but a blank line is, and so is the end of a line that is a heading or an item of a list. A
// row of a table is one sentence, whatever its cells say.
// Abbreviations and initials end no sentence either, unless the next word mostly begins one.
func Sentences(s string) []Span {
	spans := make([]Span, 0, len(s)/80+1)
	for from := 0; from < len(s); {
		to, next := paragraphEnd(s, from)
		spans = appendParagraph(spans, s, from, to)
		from = next
	}
	return spans
}

// paragraphEnd finds the end of the paragraph that begins at from, and where the next begins.
func paragraphEnd(s string, from int) (end, next int) {
	for i := from; ; {
		n := strings.IndexByte(s[i:], '\n')
		if n < 0 {
			return len(s), len(s)
		}
		end = i + n
		for i = end + 1; i < len(s) && (s[i] == ' ' || s[i] == '\t'); {
			i++
		}
		if i < len(s) && s[i] == '\n' {
			return end, i + 1
		}
	}
}

// appendParagraph cuts a paragraph into blocks of lines that belong together, and each into sentences.
func appendParagraph(spans []Span, s string, from, to int) []Span {
	paragraph := s[from:to]
	if strings.IndexByte(paragraph, '\n') < 0 {
		if IsRow(paragraph) {
			return appendTrimmed(spans, s, from, to)
		}
		return appendSentences(spans, s, from, to)
	}
	longest := 0
	for line := range strings.SplitSeq(paragraph, "\n") {
		longest = max(longest, len(line))
	}
	start, row := from, false // the block being read, and whether it is a row
	add := func(end int) {
		if row || IsRow(s[start:end]) {
			spans = appendTrimmed(spans, s, start, end)
		} else {
			spans = appendSentences(spans, s, start, end)
		}
	}
	for i := from; ; {
		n := strings.IndexByte(s[i:to], '\n')
		if n < 0 {
			break
		}
		line, rest := s[i:i+n], s[i+n+1:to]
		next, after, _ := strings.Cut(rest, "\n")
		rows := isRowOf(line, next)
		if rows || isRowOf(next, after) || endsBlock(line, rest, longest) {
			row = row || rows && start == i
			add(i + n)
			start, row = i+n+1, rows
		}
		i += n + 1
	}
	add(to)
	return spans
}

// endsBlock reports whether a line end is more than the width of a page: before an item of a list, between the
// rows of a table, and after a line too short to have been wrapped.
func endsBlock(line, rest string, longest int) bool {
	rest = strings.TrimLeft(rest, " \t")
	line = strings.TrimSpace(line)
	if line == "" || rest == "" || isItem(rest) {
		return true
	}
	if line[0] == '|' || rest[0] == '|' || line[0] == '#' || rest[0] == '#' {
		return true
	}
	last, _ := utf8.DecodeLastRuneInString(line)
	if len(line)*5 > longest*3 || last == ',' || last == '-' || last == ';' || last == '、' || last == '，' {
		return false
	}
	first, _ := utf8.DecodeRuneInString(rest)
	return !unicode.IsLower(first)
}

// isItem reports a line that begins as an item of a list does.
func isItem(line string) bool {
	r, size := utf8.DecodeRuneInString(line)
	rest := line[size:]
	switch {
	case strings.ContainsRune("-*+•‣▪●○◦–—·", r):
		return strings.HasPrefix(rest, " ") || strings.HasPrefix(rest, "\t") || r == '•'
	case r >= '0' && r <= '9':
		n := strings.IndexFunc(line, func(r rune) bool { return r < '0' || r > '9' })
		return n > 0 && n < 4 && len(line) > n+1 && (line[n] == '.' || line[n] == ')') && line[n+1] == ' '
	case r >= 'a' && r <= 'z':
		return strings.HasPrefix(rest, ") ")
	}
	return false
}

// appendSentences adds the sentences of lines that belong together.
func appendSentences(spans []Span, s string, from, to int) []Span {
	block := s[from:to]
	iter := sentences.FromString(shortened(unwrapped(block)))
	start := 0
	for iter.Next() {
		end := iter.End()
		if end < len(block) && (end-start < minSentence || !endsSentence(block[start:end], block[end:])) {
			continue
		}
		if end < len(block) {
			end = start + len(strings.TrimRight(block[start:end], openers))
		}
		spans = appendTrimmed(spans, s, from+start, from+end)
		start = end
	}
	return spans
}

// openers begin what they stand before, also where no space tells which side they are on.
const openers = "“‘「『（《〈【([¿¡"

// minSentence is the least bytes of a sentence: less is a number of an item or a stray sign.
const minSentence = 3

// unwrapped is a block with its line ends as spaces, byte for byte as long.
func unwrapped(block string) string {
	if strings.IndexByte(block, '\n') < 0 {
		return block
	}
	return strings.ReplaceAll(block, "\n", " ")
}

// longRun is how many bytes of spaces and signs may follow each other as they are. Behind a full stop each of them is
// looked at with all that follow it, which for a hundred thousand takes a minute.
const longRun = 64

// shortened is a block in whose long runs of spaces and signs all but the beginning and the end are soft hyphens, which do
// not count; byte for byte as long.
func shortened(block string) string {
	if !hasLongRun(block) { // as nearly all
		return block
	}
	var b []byte
	start := 0 // of the run
	for i, r := range block {
		if !endsRun(r) {
			continue
		}
		b = shorten(b, block, start, i)
		start = i + utf8.RuneLen(r)
	}
	b = shorten(b, block, start, len(block))
	if b == nil {
		return block
	}
	return string(b)
}

// hasLongRun reports such a run, a byte at a time where it can.
func hasLongRun(block string) bool {
	run := 0
	for i := 0; i < len(block); {
		ends, size := false, 1
		if c := block[i]; c < utf8.RuneSelf {
			ends = asciiEndsRun[c]
		} else {
			var r rune
			r, size = utf8.DecodeRuneInString(block[i:])
			ends = endsRun(r)
		}
		if ends {
			run = 0
		} else if run += size; run > longRun {
			return true
		}
		i += size
	}
	return false
}

var asciiEndsRun = func() (ends [utf8.RuneSelf]bool) {
	for c := range ends {
		ends[c] = endsRun(rune(c))
	}
	return ends
}()

// endsRun reports what is neither space nor a sign, and the signs that sentences end with.
func endsRun(r rune) bool { return isWord(r) || strings.ContainsRune(".?!。？！…．｡", r) }

// shorten does so with the run from start to end, in a copy of the block that it makes where there is none.
func shorten(b []byte, block string, start, end int) []byte {
	if end-start <= longRun {
		return b
	}
	if b == nil {
		b = []byte(block)
	}
	_, first := utf8.DecodeRuneInString(block[start:])
	_, last := utf8.DecodeLastRuneInString(block[:end])
	for start, end = start+first, end-last; end-start >= 2; start += 2 {
		copy(b[start:], "\u00AD")
	}
	if start < end {
		b[start] = ' '
	}
	return b
}

func isWord(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}
	return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r)
}

func appendTrimmed(spans []Span, s string, start, end int) []Span {
	part := s[start:end]
	end = start + len(strings.TrimRightFunc(part, unicode.IsSpace))
	start = start + len(part) - len(strings.TrimLeftFunc(part, unicode.IsSpace))
	if start >= end {
		return spans
	}
	return append(spans, Span{start, end})
}

// endsSentence reports whether the end of a candidate is one, by its last word and by what follows.
func endsSentence(candidate, next string) bool {
	if r, _ := utf8.DecodeRuneInString(next); unicode.IsLower(r) { // "Stop!" he said.
		return false
	}
	body := strings.TrimRightFunc(candidate, unicode.IsSpace)
	if !strings.HasSuffix(body, ".") {
		return true
	}
	body = body[:len(body)-1]
	word := body[strings.LastIndexFunc(body, isBeforeWord)+1:]
	if r, size := utf8.DecodeRuneInString(word); size > 0 && unicode.IsSpace(r) {
		word = word[size:]
	}
	word = strings.TrimLeft(word, "([\"“«‘/")
	follow := firstWord(next)
	switch kind := abbreviations[strings.ToLower(word)]; {
	case kind == beforeName:
		return false
	case kind == anywhere || isInitials(word):
		return starters[follow]
	case isNumber(word):
		return len(word) != len(body) && (len(word) > 2 || !months[strings.ToLower(follow)])
	}
	return true
}

// isBeforeWord reports what words stand behind.
func isBeforeWord(r rune) bool {
	switch r {
	case '(', '[', '"', '“', '«', '‘', '/':
		return true
	}
	return unicode.IsSpace(r)
}

func firstWord(s string) string {
	s = strings.TrimLeftFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
	end := strings.IndexFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
	if end < 0 {
		end = len(s)
	}
	return s[:end]
}

// isInitials reports J, U.S and z.B: single letters with dots between them.
func isInitials(word string) bool {
	if word == "" || word == "I" {
		return false
	}
	letters := 0
	for i, part := range strings.Split(word, ".") {
		r, size := utf8.DecodeRuneInString(part)
		if size == 0 || size != len(part) || !unicode.IsLetter(r) || i == 0 && unicode.Is(unicode.Han, r) {
			return false
		}
		letters++
	}
	return letters > 1 || len(word) <= 2
}

func isNumber(word string) bool {
	return word != "" && strings.Trim(word, "0123456789") == ""
}

const (
	beforeName = 1 + iota // never ends a sentence
	anywhere              // ends one only before a word that mostly begins one
)

// abbreviations are words that are written with a dot, in lower case and without their last dot.
var abbreviations = func() map[string]int {
	kinds := map[string]int{}
	for kind, list := range map[int]string{
		beforeName: `dr mr mrs ms prof sr sra srta st rev hon capt cpt col gen lt sgt maj gov sen rep pres fr hr frl ee dra dña mme mlle mgr
			e.g i.e z.b d.h u.a p.ej cf vs fig figs abb nr núm num pág págs pp vol bd art abs ca approx eq sec ch т.е т.к ул им гр проф св`,
		anywhere: `jr etc al inc ltd co corp ave dept est ed eds usw bzw p no jan feb mar apr jun jul aug sep sept oct nov dec u.s u.k u.n a.m
			p.m ph.d b.c a.d b.sc m.sc uu ee.uu т.д т.п г гг в вв стр рис`,
	} {
		for w := range strings.FieldsSeq(list) {
			kinds[w] = kind
		}
	}
	return kinds
}()

// starters are words that, with a capital, mostly begin a sentence.
var starters = func() map[string]bool {
	words := map[string]bool{}
	for w := range strings.FieldsSeq(`The A An It Its In On At This That These Those He She They We You I If When While After Before However But And As For
		To There Here His Her Their Our My What Who Why How Where No Not With Since Although Because So Then Also Both Each Many Most Some
		El La Los Las Un Una En Es Se Su Sus Por Para Con Como Pero Al Este Esta Le Les Il Elle Ils Ce Cette Dans Une Der Die Das Ein Eine Es Er Sie
		Wir Im Am Mit Diese Dieser Dieses О В На Он Она Они Это Но И По С`) {
		words[w] = true
	}
	return words
}()

// months follow ordinals, which some languages write with a dot.
var months = func() map[string]bool {
	words := map[string]bool{}
	for w := range strings.FieldsSeq(`januar februar märz april mai juni juli august september oktober november dezember jänner januari februari
		marts mars maj desember december jahrhundert jahrhunderts`) {
		words[w] = true
	}
	return words
}()
