package answer

import (
	"kyrochat/kyro"
	"kyrochat/text"
)

// maxResolved bounds how often an answer is looked up in its passages; markers beyond it cite nothing.
const maxResolved = 1_000

// Resolved is an answer whose markers were looked up in the passages they name.
type Resolved struct {
	Citations  []kyro.Citation
	statements []statement
}

// Resolve makes the citations of an answer that says by markers alone what it rests on. What is in quotation marks, and
// long enough, must stand in the passage word for word; where it does not, the marker cites nothing for that statement.
// A statement without quotes cites what of the passage supports it best; where it shares no word with it, that is for the
// other statements that cite the passage to say, and without such it is the whole. Markers that name no passage cite nothing.
// However it is found, a citation is a slice of the chunk's own text.
func Resolve(passages []kyro.Passage, answer string) Resolved {
	var r Resolved
	markers := findMarkers(answer, len(passages))
	r.statements = statementsOf(answer, markers)
	sources := make([]supporting, len(passages))
	for i, p := range passages {
		sources[i].Passage = p
	}
	quotes := make([][]kyro.Quote, len(passages)) // of each passage
	left := maxResolved
	for i := range r.statements {
		s := &r.statements[i]
		for _, g := range s.groups {
			if left -= len(g.numbers); left < 0 {
				break
			}
			for number, spans := range s.look(sources, g) {
				for _, span := range spans {
					quotes[number-1] = append(quotes[number-1], kyro.Quote{Marker: number, ByteStart: span.Start, ByteEnd: span.End})
				}
				s.cited, s.dropped = s.cited || len(spans) > 0, s.dropped || len(spans) == 0
			}
		}
	}
	for i, p := range passages {
		if sources[i].vague && len(quotes[i]) == 0 {
			whole := sources[i].whole()
			quotes[i] = []kyro.Quote{{Marker: i + 1, ByteStart: whole.Start, ByteEnd: whole.End}}
		}
		for _, q := range joinQuotes(p.Chunk.Text, quotes[i]) {
			if len(r.Citations) < maxQuotes {
				r.Citations = append(r.Citations, citation(p, q))
			}
		}
	}
	return r
}

// look gives, for each marker of a group, the parts of its passage that the statement rests on; none where it claims what
// is not there. Each quote must be in a passage of the group, and each passage must hold one where there are any.
func (s *statement) look(sources []supporting, g markedGroup) map[int][]text.Span {
	found := make(map[int][]text.Span, len(g.numbers))
	for _, number := range g.numbers {
		found[number] = nil
	}
	named := len(g.quotes) == 0 // nothing is quoted, or names alone
	for _, quote := range g.quotes {
		there := false
		for _, number := range g.numbers {
			spans, is := sources[number-1].quoted(quote)
			found[number] = append(found[number], spans...)
			there, named = there || is, named || is && len(spans) == 0
		}
		if !there {
			for _, number := range g.numbers {
				found[number] = nil
			}
			return found
		}
	}
	for _, number := range g.numbers {
		if !named || len(found[number]) > 0 {
			continue
		}
		if span, any := sources[number-1].best(s); any {
			found[number] = []text.Span{span}
			continue
		}
		sources[number-1].vague, s.cited = true, true
		delete(found, number)
	}
	return found
}
