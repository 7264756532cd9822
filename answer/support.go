package answer

import (
	"slices"
	"strings"
	"unicode"

	"kyrochat/kyro"
	"kyrochat/text"
)

// neighbourShare is what a neighbour must add to the words that the best sentence shares with a statement to be cited with
// it, of their whole weight.
const neighbourShare = 0.25

// supporting is a passage that statements may rest on. What it is taken apart into is made when it is first needed.
type supporting struct {
	kyro.Passage
	vague     bool            // a statement rests on it, and nothing tells on what of it
	names     map[string]bool // of where it stands, folded
	quotes    *text.Verbatim
	sentences []text.Span
	terms     []map[string]bool // of each sentence
}

// quoted finds what a statement quotes, as it says or with something left out by an ellipsis. Words that only name
// where the passage stands are found, but are no part of it.
func (p *supporting) quoted(quote string) (spans []text.Span, found bool) {
	if p.names == nil {
		p.names = namesOf(p.Passage)
	}
	if p.names[text.Fold(strings.Trim(quote, " .,"))] {
		return nil, true
	}
	if span, whole := p.find(quote); whole {
		return []text.Span{span}, true
	}
	pieces := strings.FieldsFunc(ellipses.Replace(quote), func(r rune) bool { return r == '…' })
	if len(pieces) < 2 {
		return nil, false
	}
	for _, piece := range pieces {
		if strings.TrimSpace(piece) == "" {
			continue
		}
		span, there := p.find(piece)
		if !there {
			return nil, false
		}
		if isLongQuote(piece) {
			spans = append(spans, span)
		}
	}
	return spans, true
}

var ellipses = strings.NewReplacer("[...]", "…", "[…]", "…", "(...)", "…", "(…)", "…", "...", "…")

// find finds a quote, without the sign at its end where that is the answer's own, and without what the output filter put
// into it where it quotes markup.
func (p *supporting) find(quote string) (span text.Span, found bool) {
	if p.quotes == nil {
		p.quotes = text.NewVerbatim(p.Chunk.Text)
	}
	quote = strings.TrimSpace(quote)
	for _, said := range []string{quote, unfiltered.Replace(quote)} {
		if span, found = p.quotes.Find(said); found {
			return span, true
		}
		if bare := strings.TrimRight(said, ".,;:!?。，；：！？ "); bare != said {
			if span, found = p.quotes.Find(bare); found {
				return span, true
			}
		}
	}
	return span, false
}

// unfiltered undoes what Filter does to markup.
var unfiltered = strings.NewReplacer("&lt;", "<", `\!`, "!", `\[`, "[", `\(`, "(", `\:`, ":")

// best gives the part of the passage that supports a statement: the sentence that shares most of its words of substance,
// of which names and numbers count twice, and the neighbour that adds much to it. There is none where nothing is shared, as
// between two languages. A heading supports nothing where there is anything else.
func (p *supporting) best(s *statement) (span text.Span, found bool) {
	p.takeApart()
	words := s.wordsFor(p.Language)
	total, best, most := 0.0, 0, 0.0
	for _, w := range words {
		total += weightOf(w)
	}
	for i := range p.sentences {
		if shared := p.shares(words, i, -1); shared > most {
			best, most = i, shared
		}
	}
	if most == 0 {
		return span, false
	}
	span = p.sentences[best]
	gain, with := 0.0, -1
	for _, near := range []int{best + 1, best - 1} {
		if near >= 0 && near < len(p.sentences) {
			if g := p.shares(words, near, best); g > gain {
				gain, with = g, near
			}
		}
	}
	if with >= 0 && gain >= neighbourShare*total {
		span = text.Span{Start: min(span.Start, p.sentences[with].Start), End: max(span.End, p.sentences[with].End)}
	}
	return span, true
}

// whole is the passage without the white space around it.
func (p *supporting) whole() text.Span {
	s := p.Chunk.Text
	return text.Span{Start: len(s) - len(strings.TrimLeftFunc(s, unicode.IsSpace)), End: len(strings.TrimRightFunc(s, unicode.IsSpace))}
}

// shares is the weight of the words that a sentence has, without those that another one, unless that is -1, has too.
func (p *supporting) shares(words []text.QueryTerm, sentence, besides int) (sum float64) {
	for _, w := range words {
		if p.has(sentence, w) && (besides < 0 || !p.has(besides, w)) {
			sum += weightOf(w)
		}
	}
	return sum
}

func (p *supporting) has(sentence int, w text.QueryTerm) bool {
	return slices.ContainsFunc(w.Variants, func(v string) bool { return !text.IsGram(v) && p.terms[sentence][v] })
}

func weightOf(w text.QueryTerm) float64 {
	if w.Name {
		return 2
	}
	return 1
}

func (p *supporting) isHeading(span text.Span) bool {
	said := p.Chunk.Text[span.Start:span.End]
	return strings.HasPrefix(said, "#") || slices.Contains(p.Chunk.HeadingPath, said)
}

func (p *supporting) takeApart() {
	if p.sentences != nil {
		return
	}
	all := text.Sentences(p.Chunk.Text)
	p.sentences = slices.DeleteFunc(slices.Clone(all), p.isHeading)
	if len(p.sentences) == 0 {
		p.sentences = all
	}
	for _, span := range p.sentences {
		terms := make(map[string]bool)
		for _, term := range text.Terms(p.Chunk.Text[span.Start:span.End], p.Language) {
			terms[term] = true
		}
		p.terms = append(p.terms, terms)
	}
}
