package text

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxQueryTerms bounds the terms of a question.
const MaxQueryTerms = 64

// QueryTerm is one word of a question, or one pair of characters of a script without spaces.
type QueryTerm struct {
	Word     string   // folded
	Variants []string // the index terms it may appear as: first as it is written, grams last
	Stop     bool     // a function or question word, which says nothing about the subject
	Name     bool     // looks like a proper name, a code or a number
}

// Query gives the words of a question in order, each once, with every term under which Terms indexes it in
// documents of the given languages ("" for unknown) or of the question's own. Beyond MaxQueryTerms, stop words
// are left out first, and then the rest.
func Query(question string, languages []string) []QueryTerm {
	q := newQuery(Normalize(question), languages)
	scan(q.text, func(p piece) {
		if p.run {
			q.addRun(q.text[p.start:p.end])
		} else {
			q.addWord(p)
		}
	})
	q.nameFirst()
	return q.bounded()
}

type query struct {
	text      string
	language  string // of the question, "" when unsure
	stops     uint32 // the languages whose function words count
	analyzers []*analyzer
	caps      bool // capitals tell names
	terms     []QueryTerm
	places    []place // of terms, where they are words
	seen      map[string]bool
}

// place is where a word stands and how it is written.
type place struct {
	first, capital bool // first of its sentence; begins with a capital
}

func newQuery(question string, languages []string) *query {
	q := &query{text: question, language: detect(question, 1), seen: map[string]bool{}}
	q.stops = languageMask(q.language)
	if q.stops == 0 {
		for _, l := range languages {
			q.stops |= languageMask(l)
		}
	}
	if q.stops == 0 {
		q.stops = ^uint32(0)
	}
	if q.language != "" || len(languages) == 0 {
		languages = append(slices.Clone(languages), q.language)
	}
	for _, l := range languages {
		if !slices.ContainsFunc(q.analyzers, func(a *analyzer) bool { return a.language == l }) {
			a := newAnalyzer(l)
			a.skip = func(part string) bool { return q.isStop(foldWord(part)) }
			q.analyzers = append(q.analyzers, a)
		}
	}
	q.caps = capitalsTell(question, q.language, q.stops)
	return q
}

// isStop reports a function word of the languages that count.
func (q *query) isStop(folded string) bool { return stopMask[folded]&q.stops != 0 }

// capitalsTell reports whether a capital marks a name: not in German, and not where everything has one.
func capitalsTell(s, language string, stops uint32) bool {
	if language == "de" {
		return false
	}
	words, capitals, all := 0, 0, true
	scan(s, func(p piece) {
		r, _ := utf8.DecodeRuneInString(s[p.start:])
		if p.run || !unicode.IsLetter(r) {
			return
		}
		if words > 0 {
			capital := unicode.IsUpper(r)
			if capital {
				capitals++
			} else if stopMask[foldWord(s[p.start:p.end])]&stops == 0 || p.end-p.start > 3 {
				all = false
			}
		}
		words++
	})
	return !all || capitals <= 2
}

func (q *query) addWord(p piece) {
	surface := q.text[p.start:p.end]
	word := Fold(surface)
	first := startsSentence(q.text[:p.start])
	r, _ := utf8.DecodeRuneInString(surface)
	here := place{first: first, capital: unicode.IsUpper(r)}
	if word == "" || q.seen[word] {
		q.again(word, here)
		return
	}
	q.seen[word] = true
	term := QueryTerm{Word: word, Stop: q.allStop(word)}
	switch {
	case p.has&isDigit != 0:
		term.Name = true
	case q.caps && isAllCaps(surface): // WHO and US are no function words
		term.Name, term.Stop = true, false
	case q.caps && here.capital && !first:
		term.Name = !term.Stop
	}
	if p.has&isJoint != 0 && q.caps && strings.ContainsFunc(surface[1:], unicode.IsUpper) {
		term.Name = true
	}
	term.Variants = q.variants(surface, p.has)
	if len(term.Variants) == 0 {
		return
	}
	q.terms = append(q.terms, term)
	q.places = append(q.places, here)
}

// again lets a word that comes back with a capital be a name.
func (q *query) again(word string, here place) {
	for i := range q.terms {
		if t := &q.terms[i]; t.Word == word && !t.Stop && q.caps && here.capital && !here.first {
			t.Name = true
		}
	}
}

// allStop reports a function word, or a compound of them: what's, qu'est-ce. The dots of U.S. make no words.
func (q *query) allStop(word string) bool {
	if q.isStop(word) {
		return true
	}
	parts := strings.FieldsFunc(word, func(r rune) bool { return r != '.' && isJointRune(r) })
	for i, part := range parts {
		short := i > 0 && englishEnding[part] || i < len(parts)-1 && elided[part]
		if !short && !q.isStop(part) {
			return false
		}
	}
	return len(parts) > 1
}

// variants are the terms of a word under every language, pieces of words last.
func (q *query) variants(surface string, has class) []string {
	var terms, grams []string
	add := func(t string) {
		if IsGram(t) {
			grams = append(grams, t)
		} else if !slices.Contains(terms, t) {
			terms = append(terms, t)
		}
	}
	if has&(isJoint|isSuffix) == 0 {
		add(cut(foldWord(surface)))
	}
	for _, a := range q.analyzers {
		a.out = a.out[:0]
		a.add(surface, has, false)
		for _, t := range a.out {
			if t != "" {
				add(t)
			}
		}
	}
	slices.Sort(grams)
	return append(terms, slices.Compact(grams)...)
}

// startsSentence reports whether what stands before a word is nothing or ends a sentence.
func startsSentence(before string) bool {
	before = strings.TrimRight(before, " \t\"'“”‘’«»¿¡([-–—•*")
	if before == "" {
		return true
	}
	r, _ := utf8.DecodeLastRuneInString(before)
	return strings.ContainsRune(".!?:…\n。！？", r)
}

// isAllCaps reports a word of at least two letters, all capitals.
func isAllCaps(s string) bool {
	n := 0
	for _, r := range s {
		if unicode.IsUpper(r) {
			n++
		} else if unicode.IsLetter(r) {
			return false
		}
	}
	return n >= 2
}

// nameFirst makes a capitalised word at the start of a sentence a name where a name follows it: Marie Curie.
func (q *query) nameFirst() {
	for i := range len(q.terms) - 1 {
		if q.places[i].first && q.places[i].capital && q.caps && !q.terms[i].Stop && q.terms[i+1].Name && q.places[i+1].capital {
			q.terms[i].Name = true
		}
	}
}

func (q *query) bounded() []QueryTerm {
	if len(q.terms) > MaxQueryTerms {
		q.terms = slices.DeleteFunc(q.terms, func(t QueryTerm) bool { return t.Stop })
	}
	return q.terms[:min(len(q.terms), MaxQueryTerms)]
}
