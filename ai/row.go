package ai

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"kyrochat/kyro"
	"kyrochat/text"
)

// row is what a row of a table says: values with the names of their columns, where these are known.
type row struct {
	values []text.Value
	named  bool
	table  int // the first statement of its table in the passage, which tells tables apart
}

// said is what the row's values are matched by, and names what its columns are called.
func (r *row) said() (values, names string) {
	for _, v := range r.values {
		values, names = values+v.Text+"\n", names+v.Name+"\n"
	}
	return values, names
}

// findRows finds the rows among the statements of a passage. The line of the columns' names, and the rule below it, answer
// nothing by themselves.
func findRows(statements []statement, chunk kyro.Chunk) {
	_, above := chunk.Above()
	for i := 0; i < len(statements); {
		end := i
		for end < len(statements) && text.IsRow(statements[end].said) && (end == i || follows(chunk.Text, statements[end-1], statements[end])) {
			end++
		}
		if end > i {
			columns := []string(nil)
			if i == 0 && above != "" {
				columns = strings.Split(above, " | ")
			}
			findCells(statements[i:end], i, columns)
			i = end
			continue
		}
		if values := text.Values(statements[i].said); len(values) > 1 && len(text.Values(neighbour(statements, i))) > 1 {
			statements[i].row = &row{values: values, named: true}
		}
		i++
	}
}

// neighbour is what the statement beside one says whose first name is the same: rows come in tables.
func neighbour(statements []statement, i int) string {
	name := text.Values(statements[i].said)[0].Name + ": "
	for _, n := range []int{i - 1, i + 1} {
		if n >= 0 && n < len(statements) && strings.HasPrefix(statements[n].said, name) {
			return statements[n].said
		}
	}
	return ""
}

// follows reports two statements on lines after one another.
func follows(s string, before, next statement) bool {
	return strings.Count(s[before.span.End:next.span.Start], "\n") == 1
}

// findCells makes rows of the lines of a table whose columns have these names, or else those of its first line.
func findCells(lines []statement, table int, columns []string) {
	first := 0
	ruled := len(lines) > 1 && text.IsRule(lines[1].said)
	if head := text.Cells(lines[0].said); columns == nil && len(lines) > 1 && len(head) > 1 && (ruled || nameColumns(head, lines[1:])) {
		columns, first = head, 1
		lines[0].heading, lines[0].columns = true, true
	}
	for i := first; i < len(lines); i++ {
		if text.IsRule(lines[i].said) {
			lines[i].heading, lines[i].columns = true, true
			continue
		}
		cells := text.Cells(lines[i].said)
		r := &row{table: table, named: len(cells) == len(columns)}
		for c, cell := range cells {
			v := text.Value{Text: cell}
			if r.named {
				v.Name = columns[c]
			}
			r.values = append(r.values, v)
		}
		lines[i].row = r
	}
}

// nameColumns reports a first line without a figure over lines that have some: it names what they hold. In a table of
// words alone nothing tells names from the rest.
func nameColumns(head []string, body []statement) bool {
	figures := func(s string) bool { return strings.ContainsFunc(s, unicode.IsDigit) }
	return !slices.ContainsFunc(head, figures) && slices.ContainsFunc(body, func(s statement) bool { return figures(s.said) })
}

// scoreRow says how far a row answers, by its own values, the names of its columns, and what stands above the table. The
// rows beside it speak of something else.
func (a *asked) scoreRow(s *source, st *statement) {
	values, names := st.row.said()
	st.matched = a.match(values, s.passage.Language)
	matched := slices.Clone(st.matched)
	own := a.share(matched)
	raise(matched, a.match(names, s.passage.Language))
	named := a.share(matched) - own
	raise(matched, s.title)
	above := a.share(matched) - own - named
	st.covered = own + nearCovers*named + headingCovers*above
	st.score = own + nearShare*named + headingShare*above + rankShare/float64(st.passage+1)
	if own > 0 && a.wants.metBy(values) {
		st.score += kindShare
	}
	if a.another(matched) {
		st.covered, st.score = 0, 0
	}
}

// another reports that what matches so is something else by its figure: it has the name or the figure of "Falcon 4" alone,
// and no other thing that is asked about as a whole.
func (a *asked) another(matched []float64) bool {
	name, half := -1, false
	for i, t := range a.terms {
		switch {
		case t.context:
		case !strings.ContainsFunc(t.Word, unicode.IsDigit):
			name = i
		case name < 0:
		case matched[name] > 0 && matched[i] > 0:
			return false
		default:
			half = half || matched[name] > 0 || matched[i] > 0
		}
	}
	return half
}

// coveredBy is how far chosen rows cover the question together: each may be about a part of it.
func (a *asked) coveredBy(chosen []statement, best statement) float64 {
	matched := slices.Clone(best.matched)
	own := a.share(matched)
	for _, s := range chosen {
		raise(matched, s.matched)
	}
	return best.covered + a.share(matched) - own
}

// alike reports rows of one table that match a question as another does: all of them answer it.
func (s *statement) alike(other statement) bool {
	return s.row != nil && other.row != nil && s.passage == other.passage && s.row.table == other.row.table && slices.Equal(s.matched, other.matched)
}

// rowPiece is a word of a row as it is shown, and where in the passage it ends.
type rowPiece struct {
	shown string
	end   int
}

// pieces are the words of a row: name: value; name: value, or value | value where the names are not known.
func (e excerpt) pieces(passage string) (pieces []rowPiece) {
	between, at := " | ", e.span.Start
	if e.row.named {
		between = "; "
	}
	for _, v := range e.row.values {
		if v.Text == "" {
			continue
		}
		lead := ""
		if len(pieces) > 0 {
			lead = between
		}
		if v.Name != "" {
			lead += markdownSafe(v.Name, true) + ": "
		}
		from := strings.Index(passage[at:e.span.End], v.Text) // -1 where its white space is another
		for i := 0; i < len(v.Text); lead = "" {
			to := pieceEnd(v.Text, i)
			end := at
			if from >= 0 {
				end = trimmedEnd(passage, at, at+from+to)
			}
			pieces = append(pieces, rowPiece{lead + markdownSafe(v.Text[i:to], to == len(v.Text)), end})
			i = to
		}
		if from >= 0 {
			at += from + len(v.Text)
		}
	}
	return pieces
}

// quoteRow streams a row, in quotation marks only where nothing is in them but what its line says, since the names of its
// columns need not be beside it. Cited is the line of the row, as far as the limit lets it be shown.
func (w *writer) quoteRow(p kyro.Passage, e excerpt, lead string) (complete bool) {
	open, closing := quotationMarks(p.Language)
	if e.row.named {
		open, closing = "", ""
	}
	closing = fmt.Sprintf("%s [%d]", closing, e.passage+1)
	tail := text.Tokens("…" + closing)
	shown := e.span.End
	complete = true
	for i, piece := range e.pieces(p.Chunk.Text) {
		if i == 0 {
			piece.shown = lead + open + piece.shown
		}
		cost := text.Tokens(piece.shown)
		if i > 0 && w.spent+cost+tail > w.limit {
			closing, complete = "…"+closing, false
			break
		}
		w.spent += cost
		if !w.send(kyro.Delta{Text: piece.shown}) {
			return true
		}
		if piece.end > e.span.Start {
			shown = piece.end
		}
	}
	if complete {
		shown = e.span.End
	}
	w.spent += text.Tokens(closing)
	w.send(kyro.Delta{Text: closing, Quotes: []kyro.Quote{{Marker: e.passage + 1, ByteStart: e.span.Start, ByteEnd: shown}}})
	return complete || w.stopped
}
