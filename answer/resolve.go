package answer

import (
	"slices"

	"kyrochat/kyro"
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
// A statement without quotes cites what of the passage supports it best. Markers that name no passage cite nothing.
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
			for _, number := range g.numbers {
				if left--; left < 0 {
					break
				}
				spans := s.look(&sources[number-1], g)
				for _, q := range spans {
					q.Marker = number
					quotes[number-1] = append(quotes[number-1], q)
				}
				s.cited, s.dropped = s.cited || len(spans) > 0, s.dropped || len(spans) == 0
			}
		}
	}
	for i, p := range passages {
		for _, q := range joinQuotes(p.Chunk.Text, quotes[i]) {
			if len(r.Citations) < maxQuotes {
				r.Citations = append(r.Citations, citation(p, q))
			}
		}
	}
	return r
}

// look gives the parts of a passage that a statement rests on by one of its markers; none where it claims what is not
// there.
func (s *statement) look(p *supporting, g markedGroup) (found []kyro.Quote) {
	spans, there := p.verbatim(g.quotes)
	if !there {
		return nil
	}
	if len(spans) == 0 {
		span, any := p.best(s)
		if !any {
			return nil
		}
		spans = append(spans, span)
	}
	for _, span := range spans {
		found = append(found, kyro.Quote{ByteStart: span.Start, ByteEnd: span.End})
	}
	return slices.DeleteFunc(found, func(q kyro.Quote) bool { return !isSlice(p.Chunk.Text, q) })
}
