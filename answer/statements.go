package answer

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"kyrochat/text"
)

// statement is a sentence of an answer with the markers that stand at it. A marker stands at the sentence it is in. One
// after a full stop belongs to the sentence before, one that begins a line to the sentence behind it.
type statement struct {
	text.Span
	said    string // without markers
	groups  []markedGroup
	cited   bool // a citation was made for it
	dropped bool // one was not, since what it claims is not there

	words map[string][]text.QueryTerm // of said, by the language of a document
}

// markedGroup is one or several markers side by side and the words in quotation marks that stand before them. What stands
// behind the last of a sentence belongs to that.
type markedGroup struct {
	start, end int
	numbers    []int
	quotes     []string
}

// statementsOf takes an answer apart.
func statementsOf(answer string, markers []marked) []statement {
	plain := withoutMarkers(answer, markers)
	quotes := quotesIn(plain)
	var all []statement
	ahead := quotes
	for _, span := range text.Sentences(plain) {
		for len(ahead) > 0 && ahead[0].End <= span.Start {
			ahead = ahead[1:]
		}
		if n := len(all); n > 0 && len(ahead) > 0 && ahead[0].Start < all[n-1].End {
			all[n-1].End = span.End // what is quoted are several sentences
			continue
		}
		all = append(all, statement{Span: span})
	}
	if len(all) == 0 && len(markers) > 0 {
		all = []statement{{}} // markers alone
	}
	for i := range all {
		all[i].said = plain[all[i].Start:all[i].End]
	}
	places := placing{plain: plain, all: all}
	for _, m := range markers {
		all[places.of(m)].add(plain, m)
	}
	at := 0
	for _, q := range quotes {
		for at < len(all)-1 && all[at].End <= q.Start {
			at++
		}
		if at < len(all) {
			all[at].quote(plain, q)
		}
	}
	return all
}

// withoutMarkers blanks markers and blocks of code, so that every other byte keeps its place.
func withoutMarkers(answer string, markers []marked) string {
	plain := []byte(answer)
	blank := func(s text.Span) {
		for i := s.Start; i < s.End; i++ {
			if plain[i] != '\n' {
				plain[i] = ' '
			}
		}
	}
	for _, m := range markers {
		blank(m.Span)
	}
	for _, c := range codeIn(answer) {
		if c.fenced {
			blank(c.Span)
		}
	}
	return string(plain)
}

// placing finds the statements that markers stand at, one marker after another in their order: answers can be markers
// mostly, and what lies between two of them is looked at once.
type placing struct {
	plain  string
	all    []statement
	end    int  // of the marker before
	begins bool // which stands at the beginning of a line
	line   int  // where a line ends, behind that marker or further on
}

// of gives the statement that a marker stands at.
func (p *placing) of(m marked) int {
	between := p.plain[p.end:m.Start]
	if newline := strings.LastIndexByte(between, '\n'); newline >= 0 || p.end == 0 {
		p.begins, between = true, between[newline+1:]
	}
	p.begins = p.begins && strings.Trim(between, " \t>-*+•#|0123456789.") == ""
	p.end = m.End
	after, found := slices.BinarySearchFunc(p.all, m.Start, func(s statement, at int) int {
		switch {
		case s.End <= at:
			return -1
		case s.Start > at:
			return 1
		}
		return 0
	})
	if found {
		return after
	}
	if after < len(p.all) && p.begins && p.lineEnd(m.End) > p.all[after].Start {
		return after
	}
	return max(0, after-1)
}

// lineEnd is where the line of a place ends, which is not before those that were asked for.
func (p *placing) lineEnd(at int) int {
	if p.line < at || p.line == 0 {
		p.line = len(p.plain)
		if n := strings.IndexByte(p.plain[at:], '\n'); n >= 0 {
			p.line = at + n
		}
	}
	return p.line
}

func (s *statement) add(plain string, m marked) {
	if m.bogus {
		s.dropped = true
	}
	if len(m.numbers) == 0 {
		return
	}
	if n := len(s.groups); n > 0 && !strings.ContainsFunc(plain[s.groups[n-1].end:m.Start], isWordRune) {
		g := &s.groups[n-1]
		g.end = m.End
		for _, number := range m.numbers {
			if !slices.Contains(g.numbers, number) {
				g.numbers = append(g.numbers, number)
			}
		}
		return
	}
	s.groups = append(s.groups, markedGroup{start: m.Start, end: m.End, numbers: slices.Clone(m.numbers)})
}

func isWordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }

// quote gives words in quotation marks to the markers they belong to.
func (s *statement) quote(plain string, q text.Span) {
	for i := range s.groups {
		if s.groups[i].start >= q.End || i == len(s.groups)-1 {
			s.groups[i].quotes = append(s.groups[i].quotes, plain[q.Start:q.End])
			return
		}
	}
}

// wordsFor gives the words of substance of the statement as they are searched for in a language.
func (s *statement) wordsFor(language string) []text.QueryTerm {
	words, known := s.words[language]
	if !known {
		words = slices.DeleteFunc(text.Query(s.said, []string{language}), func(t text.QueryTerm) bool { return t.Stop })
		if s.words == nil {
			s.words = make(map[string][]text.QueryTerm)
		}
		s.words[language] = words
	}
	return words
}

// How long words in quotation marks must be to be a quote, and how long they can be. Shorter ones are names or irony.
const (
	leastQuoted      = 15 // characters
	leastQuotedWords = 3
	leastQuotedDense = 6 // characters of a script without spaces
	mostQuoted       = 2 << 10
)

// closings says by what each opening quotation mark is closed.
var closings = map[rune]string{'"': `"`, '“': "”", '„': "“”", '«': "»", '»': "«", '「': "」", '『': "』"}

// quotesIn finds what stands in quotation marks and is long enough to be a quote, in order, without the marks.
func quotesIn(s string) (spans []text.Span) {
	code := codeIn(s)
	before, open := ' ', 0 // open counts the marks that nothing closes
	for at := 0; at < len(s) && open < maxQuotes; {
		if len(code) > 0 && code[0].Start <= at {
			at, before, code = code[0].End, '`', code[1:]
			continue
		}
		sign, size := utf8.DecodeRuneInString(s[at:])
		closing := closings[sign]
		opens := closing != "" && (sign != '"' || !isWordRune(before))
		at, before = at+size, sign
		if !opens {
			continue
		}
		length := quotedLength(s[at:], closing)
		if length == 0 {
			open++
			continue
		}
		if isLongQuote(s[at : at+length]) {
			spans = append(spans, text.Span{Start: at, End: at + length})
		}
		_, mark := utf8.DecodeRuneInString(s[at+length:])
		at += length + mark
	}
	return spans
}

// quotedLength finds how far it is to the closing mark within the same paragraph; 0 where there is none.
func quotedLength(s, closing string) int {
	s = head(s, mostQuoted)
	if blank := strings.Index(s, "\n\n"); blank >= 0 {
		s = s[:blank]
	}
	return max(0, strings.IndexAny(s, closing))
}

func isLongQuote(s string) bool {
	dense, n := 0, 0
	for _, r := range strings.TrimSpace(s) {
		n++
		if r >= 0x2E80 && unicode.IsLetter(r) {
			dense++
		}
	}
	return n >= leastQuoted || dense >= leastQuotedDense || len(strings.Fields(s)) >= leastQuotedWords
}
