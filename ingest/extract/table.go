package extract

import (
	"math"
	"strings"
	"unicode/utf8"
)

// longestCell is how many characters the cells of a table have on average at most: more is prose in columns.
const longestCell = 60

// joinRows joins lines that stand beside each other at one height: the engine ends a line where the text does, and cells
// of a table are texts of their own.
func joinRows(lines []pdfLine) []pdfLine {
	var rows []pdfLine
	for _, l := range lines {
		n := len(rows) - 1
		if n < 0 {
			rows = append(rows, l)
			continue
		}
		last := &rows[n]
		size := max(last.size, l.size, 1)
		if math.Abs(last.y-l.y) >= 0.3*size || l.left < last.right-0.2*size || last.hyphen {
			rows = append(rows, l)
			continue
		}
		cells := append(cellsOf(*last), cellsOf(l)...)
		if at := len(cellsOf(*last)); l.left-last.right < cellGap*size || at == 1 && isMark(last.text) {
			cells[at].text = cells[at-1].text + " " + cells[at].text
			cells[at].left = cells[at-1].left
			cells = append(cells[:at-1], cells[at:]...)
		}
		if last.cells = cells; len(cells) < 2 {
			last.cells = nil
		}
		last.text += " " + l.text
		last.right, last.hyphen = l.right, l.hyphen
		last.bold = last.bold && l.bold
	}
	return rows
}

// cellsOf are the cells of a line, a new list; one without gaps is one.
func cellsOf(l pdfLine) []pdfCell {
	if l.cells == nil {
		return []pdfCell{{l.text, l.left, l.right}}
	}
	return append([]pdfCell(nil), l.cells...)
}

// tableEnd is where the table ends that begins with a line: two rows of three cells, or three of two, that stand below
// each other. It is start where none begins.
func tableEnd(lines []pdfLine, start int) int {
	end, characters, cells := start, 0, 0
	most := 0
	for i := start; i < len(lines); i++ {
		l := lines[i]
		if i > start && !follows(lines[start:i], l) {
			break
		}
		if len(l.cells) < 2 && (i == start || !isContinued(lines[i-1], l)) {
			break
		}
		if len(l.cells) >= 2 {
			most = max(most, len(l.cells))
		}
		for _, c := range cellsOf(l) {
			characters += utf8.RuneCountInString(c.text)
			cells++
		}
		end = i + 1
	}
	rows := end - start
	if rows < 2 || rows*(most-1) < 4 && !(rows == 2 && most >= 3) || characters > longestCell*cells {
		return start
	}
	return end
}

// follows reports a line that is a row below another of the same table.
func follows(rows []pdfLine, l pdfLine) bool {
	last := rows[len(rows)-1]
	step := last.y - l.y
	if step <= 0 || step > 4*max(l.size, last.size) {
		return false
	}
	if len(l.cells) < 2 {
		return true
	}
	for back := 1; back <= 3 && back <= len(rows); back++ {
		if above := rows[len(rows)-back]; len(above.cells) >= 2 && inColumns(above, l) {
			return true
		}
	}
	return false
}

// inColumns reports that most cells of the row with fewer stand below, or above, one of the other's: from the left, to
// the right or in the middle.
func inColumns(a, b pdfLine) bool {
	if len(a.cells) < len(b.cells) {
		a, b = b, a
	}
	near := 0.5 * max(a.size, b.size, 1)
	aligned := 0
	for _, c := range b.cells {
		for _, d := range a.cells {
			if math.Abs(c.left-d.left) < near || math.Abs(c.right-d.right) < near || math.Abs(c.left+c.right-d.left-d.right) < 2*near {
				aligned++
				break
			}
		}
	}
	return aligned >= 2 && 5*aligned >= 3*len(b.cells)
}

// isContinued reports a line that goes on with a cell of the row above, other than its first.
func isContinued(row, l pdfLine) bool {
	if len(row.cells) < 2 || row.y-l.y > 1.5*max(row.size, l.size) {
		return false
	}
	near := 0.5 * max(row.size, l.size, 1)
	for _, c := range row.cells[1:] {
		if math.Abs(c.left-l.left) < near {
			return true
		}
	}
	return false
}

// row is a row of a table as it is stored: its cells on one line, set apart by bars.
func (l pdfLine) row() string {
	texts := make([]string, 0, len(l.cells))
	for _, c := range cellsOf(l) {
		texts = append(texts, c.text)
	}
	if l.hyphen {
		texts[len(texts)-1] += "-"
	}
	return rowOf(texts)
}

// rowOf is a row of a table as every format writes it. A row of one cell is that cell.
func rowOf(cells []string) string {
	if len(cells) < 2 {
		return strings.Join(cells, "")
	}
	return "| " + strings.Join(cells, " | ") + " |"
}

// tableRows puts what goes on in a second line into the row it belongs to.
func tableRows(lines []pdfLine) []string {
	var rows []pdfLine
	for _, l := range lines {
		if n := len(rows) - 1; n >= 0 && len(l.cells) < 2 {
			rows[n].continueCell(l)
			continue
		}
		l.cells = cellsOf(l)
		rows = append(rows, l)
	}
	texts := make([]string, len(rows))
	for i, l := range rows {
		texts[i] = l.row()
	}
	return texts
}

// continueCell adds a line to the cell that begins where it does.
func (l *pdfLine) continueCell(more pdfLine) {
	best := len(l.cells) - 1
	for i, c := range l.cells {
		if math.Abs(c.left-more.left) < math.Abs(l.cells[best].left-more.left) {
			best = i
		}
	}
	l.cells[best].text += " " + more.text
}
