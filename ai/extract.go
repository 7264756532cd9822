package ai

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"kyrochat/kyro"
	"kyrochat/text"
)

// What a sentence is worth, in shares of the question's weight.
const (
	nearShare    = 0.45 // what its neighbours match
	headingShare = 0.35 // what its headings and the document's title match
	rankShare    = 0.12 // the passage's place, best first
	kindShare    = 0.12 // it holds the kind of thing that is asked for
	formShare    = 0.05 // the question's words, function words too, in the same form

	maxSentences = 3
	maxItems     = 8    // of a list that is asked for
	addShare     = 0.15 // what another sentence must match anew to be added
)

// How much of the question's weight must be covered to answer at all, and to answer without reserve; and how much
// a match counts for that beside the sentence itself.
const (
	leastCovered  = 0.45
	wellCovered   = 0.65
	nearCovers    = 0.75
	headingCovers = 0.5
)

// statement is one sentence of a passage.
type statement struct {
	passage int
	index   int // among the passage's statements
	span    text.Span
	said    string
	row     *row // where it is a row of a table
	columns bool // the names of a table's columns
	alone   bool // a paragraph by itself
	heading bool // of what follows it: no answer by itself
	matched []float64
	covered float64 // how much of the question it answers for, with its neighbours and headings
	score   float64
}

// source is a passage taken apart.
type source struct {
	passage    kyro.Passage
	title      []float64
	statements []statement
}

// pick chooses the sentences that answer, in reading order within each passage, best passage first.
func pick(a *asked, passages []kyro.Passage) ([]excerpt, kyro.Grounding) {
	if a.total == 0 {
		return nil, kyro.GroundingNotFound
	}
	sources := make([]source, len(passages))
	var all []statement
	for i, p := range passages {
		sources[i] = a.takeApart(i, p)
		for _, s := range sources[i].statements {
			if !s.columns {
				all = append(all, s)
			}
		}
	}
	if len(all) == 0 {
		return nil, kyro.GroundingNotFound
	}
	slices.SortStableFunc(all, func(x, y statement) int { return cmp.Compare(y.score, x.score) })
	chosen, covered := a.choose(all, sources), all[0].covered
	if all[0].row != nil && covered > 0 {
		covered = a.coveredBy(chosen, all[0])
	}
	switch {
	case covered < leastCovered:
		return nil, kyro.GroundingNotFound
	case covered < wellCovered:
		return excerpts(chosen), kyro.GroundedPartly
	}
	return excerpts(chosen), kyro.Grounded
}

// takeApart scores every sentence of a passage.
func (a *asked) takeApart(at int, p kyro.Passage) source {
	s := source{passage: p, title: a.match(p.DocumentTitle+"\n"+strings.Join(p.Chunk.HeadingPath, "\n"), p.Language)}
	for i, span := range text.Sentences(p.Chunk.Text) {
		said := p.Chunk.Text[span.Start:span.End]
		s.statements = append(s.statements, statement{
			passage: at, index: i, span: span, said: said, matched: a.match(said, p.Language),
			alone: isAlone(p.Chunk.Text, span), heading: isHeading(said, p),
		})
	}
	findRows(s.statements, p.Chunk)
	for i := range s.statements {
		a.score(&s, i)
	}
	return s
}

func (a *asked) score(s *source, i int) {
	st := &s.statements[i]
	if st.row != nil {
		a.scoreRow(s, st)
		return
	}
	matched := slices.Clone(st.matched)
	own := a.share(matched)
	for _, n := range []int{i - 1, i + 1} {
		if n >= 0 && n < len(s.statements) {
			raise(matched, s.statements[n].matched)
		}
	}
	near := a.share(matched) - own
	raise(matched, s.title)
	above := a.share(matched) - own - near

	st.covered = own + nearCovers*near + headingCovers*above
	st.score = own + nearShare*near + headingShare*above + rankShare/float64(st.passage+1) + formShare*a.sameForms(st.said)
	if own+near > 0 && a.wants.metBy(st.said) {
		st.score += kindShare
	}
}

// raise lifts each match to that of another text.
func raise(matched, other []float64) {
	for i := range matched {
		matched[i] = max(matched[i], other[i])
	}
}

// isHeading reports a line that is marked as a heading, or is one of those its passage stands under.
func isHeading(s string, p kyro.Passage) bool {
	plain := func(s string) string { return strings.Join(strings.Fields(strings.TrimLeft(s, "# ")), " ") }
	return strings.HasPrefix(s, "#") || slices.ContainsFunc(p.Chunk.HeadingPath, func(h string) bool { return plain(h) == plain(s) })
}

// isAlone reports a sentence between blank lines.
func isAlone(s string, span text.Span) bool {
	before, after := strings.TrimRight(s[:span.Start], " \t"), strings.TrimLeft(s[span.End:], " \t")
	return (before == "" || strings.HasSuffix(before, "\n\n")) && (after == "" || strings.HasPrefix(after, "\n\n"))
}

// below gives what stands under a heading in place of it: that is what was asked about.
func below(heading statement, of source) (first statement, found bool) {
	for _, s := range of.statements[heading.index+1:] {
		if !s.heading {
			return s, true
		}
	}
	return heading, false
}

// choose takes the best sentence, what it cannot be read without, and others that match more of the question. Of a row
// that is what other rows match as well, and what names something else that is asked about.
func (a *asked) choose(all []statement, sources []source) []statement {
	best := all[0]
	have := slices.Clone(best.matched)
	underHeading := false
	if best.heading {
		best, underHeading = below(best, sources[best.passage])
	}
	chosen := []statement{best}
	take := func(s statement, most int) {
		if len(chosen) < most && !slices.ContainsFunc(chosen, func(c statement) bool { return c.passage == s.passage && c.index == s.index }) {
			chosen = append(chosen, s)
			raise(have, s.matched)
		}
	}
	of := sources[best.passage].statements
	switch next := best.index + 1; {
	case best.row != nil:
		for _, s := range all[1:] {
			if best.alike(s) {
				take(s, maxSentences)
			}
		}
	case next < len(of) && isItem(of[next].said) && (underHeading && isItem(best.said) || lastSign(best.said) == ':' || lastSign(best.said) == '：'):
		for ; next < len(of) && isItem(of[next].said); next++ {
			take(of[next], 1+maxItems)
		}
	default:
		if best.index > 0 && leansBack(best.said) && of[best.index-1].row == nil {
			take(of[best.index-1], maxSentences)
		}
		if next < len(of) && !of[next].heading &&
			(underHeading || leadsOn(best.said, best.alone) || a.share(best.matched) < wellCovered && !isRow(best.said) && !isItem(best.said)) {
			take(of[next], maxSentences)
		}
	}
	for _, s := range all[1:] {
		if s.heading || s.row != nil && s.covered == 0 {
			continue
		}
		if a.gain(have, s.matched, best.row != nil) >= addShare && s.score >= best.score/2 {
			take(s, maxSentences)
		}
	}
	return chosen
}

// excerpts puts sentences in order and joins neighbours.
func excerpts(chosen []statement) []excerpt {
	first := chosen[0].passage
	slices.SortFunc(chosen, func(x, y statement) int {
		if (x.passage == first) != (y.passage == first) {
			if x.passage == first {
				return -1
			}
			return 1
		}
		return cmp.Or(x.passage-y.passage, x.index-y.index)
	})
	var joined []excerpt
	for i, s := range chosen {
		if i > 0 && chosen[i-1].passage == s.passage && chosen[i-1].index+1 == s.index && s.row == nil && chosen[i-1].row == nil {
			joined[len(joined)-1].span.End = s.span.End
			continue
		}
		joined = append(joined, excerpt{passage: s.passage, span: s.span, row: s.row})
	}
	return joined
}

// backward are words at the start of a sentence that speak of what the one before named; folded.
var backward = map[string]bool{
	"it": true, "its": true, "he": true, "she": true, "they": true, "his": true, "her": true, "their": true, "this": true, "these": true, "those": true, "such": true,
	"ella": true, "ellos": true, "ellas": true, "su": true, "sus": true, "esto": true, "eso": true, "este": true, "esta": true, "estos": true, "estas": true, "asi": true,
	"er": true, "sie": true, "es": true, "dies": true, "diese": true, "il": true, "elle": true, "ils": true, "elles": true, "cela": true, "ce": true, "cette": true,
}

var denseBackward = []string{"它", "他", "她", "其", "这", "那", "该"}

func leansBack(s string) bool {
	folded := text.Fold(s)
	end := strings.IndexFunc(folded, func(r rune) bool { return !unicode.IsLetter(r) })
	if end > 0 && backward[folded[:end]] {
		return true
	}
	return slices.ContainsFunc(denseBackward, func(w string) bool { return strings.HasPrefix(folded, w) })
}

// leadsOn reports a sentence whose answer comes after it: a question, a lead to a list, a heading. A heading may have a
// number like an item of a list, but stands alone.
func leadsOn(s string, alone bool) bool {
	last := lastSign(s)
	if strings.ContainsRune("?？:：", last) {
		return true
	}
	return !strings.ContainsRune(ends, last) && !strings.ContainsAny(s, "|\t") && len(strings.Fields(s)) <= 10 && !isRow(s) &&
		!startsWithBullet(s) && (alone || !startsWithNumber(s))
}

// isRow reports a line of a table or a list of figures, which is no sentence. The next row speaks of something else.
func isRow(s string) bool {
	_, rest, _ := strings.Cut(s, " ") // what comes first may be the number of a heading
	return !strings.ContainsRune(ends+"?？:：", lastSign(s)) && strings.ContainsFunc(rest, unicode.IsNumber)
}

// ends are the signs that end a statement.
const ends = ".!。！…;；"

func lastSign(s string) rune {
	last, _ := utf8.DecodeLastRuneInString(strings.TrimRight(s, " \"'”»)"))
	return last
}

// isItem reports an item of a list.
func isItem(s string) bool {
	if startsWithBullet(s) {
		return true
	}
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	return digits > 0 && digits < 4 && len(s) > digits+1 && strings.ContainsRune(".)", rune(s[digits])) && s[digits+1] == ' '
}

func startsWithBullet(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return strings.ContainsRune("-*•–·+", r)
}

func startsWithNumber(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsNumber(r)
}
