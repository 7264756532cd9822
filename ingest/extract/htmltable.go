package extract

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"

	"kyrochat/kyro"
)

const (
	// maxSpan is how many rows or columns a cell is spread over.
	maxSpan = 100
	// maxColumns is how many columns of a table of a page are read.
	maxColumns = 500
)

// table adds a table: a line for each row, its cells between strokes. A cell that spans several rows says the same in
// each of them, so that each can be read by itself. A table that only arranges the parts of a page is read as them.
func (w *walker) table(n *html.Node) {
	w.flush()
	rows := tableRows(n, nil)
	if arranges(n, rows) {
		w.walk(n)
		w.flush()
		return
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type == html.ElementNode && c.Data == "caption" {
			w.paragraph(oneLine(c))
		}
	}
	w.add(kyro.BlockTable, 0, rowsText(grid(rows), isHead(rows[0])))
}

// tableRows are the rows of a table, without those of tables within it.
func tableRows(n *html.Node, rows []*html.Node) []*html.Node {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		switch {
		case c.Type != html.ElementNode:
		case c.Data == "tr":
			rows = append(rows, c)
		case isSection(c.Data):
			rows = tableRows(c, rows)
		}
	}
	return rows
}

// isHead reports a row that names the columns.
func isHead(row *html.Node) bool {
	if row.Parent.Data == "thead" {
		return true
	}
	for _, c := range cells(row) {
		if c.Data != "th" {
			return false
		}
	}
	return true
}

func cells(row *html.Node) (list []*html.Node) {
	for c := row.FirstChild; c != nil; c = c.NextSibling {
		if c.Type == html.ElementNode && isCell(c.Data) {
			list = append(list, c)
		}
	}
	return list
}

// arranges reports a table that holds no data: it says so, has a single column, or holds what no cell of data does.
func arranges(n *html.Node, rows []*html.Node) bool {
	if role := value(n, "role"); role == "presentation" || role == "none" {
		return true
	}
	widest := 0
	for _, r := range rows {
		widest = max(widest, len(cells(r)))
	}
	return widest < 2 || holds(n, set("table pre h1 h2 h3 h4 form nav article section"))
}

// grid gives the text of each cell at its place. A cell that spans rows is told in each of them; one that spans columns
// only in the first.
func grid(rows []*html.Node) [][]string {
	type carried struct {
		text string
		left int // rows
	}
	above := map[int]*carried{}
	table := make([][]string, 0, len(rows))
	spare := maxRepeated
	for _, r := range rows {
		var row []string
		fill := func() {
			for c := above[len(row)]; c != nil && c.left > 0 && spare > 0 && len(row) < maxColumns; c = above[len(row)] {
				row = append(row, c.text)
				c.left--
				spare -= 20 + len(c.text)
			}
		}
		for _, cell := range cells(r) {
			fill()
			s := strings.ReplaceAll(oneLine(cell), "|", "¦")
			down := spanned(cell, "rowspan")
			for i := range spanned(cell, "colspan") {
				if len(row) == maxColumns || i > 0 && spare <= 0 {
					break
				}
				if down > 1 {
					above[len(row)] = &carried{s, down - 1}
				}
				row = append(row, s)
				s = ""
				spare -= 20 * min(i, 1)
			}
		}
		fill()
		table = append(table, row)
	}
	return table
}

// maxRepeated is how much of a table is made of cells that span several, in bytes.
const maxRepeated = 4 << 20

func spanned(cell *html.Node, key string) int {
	n, err := strconv.Atoi(strings.TrimSpace(value(cell, key)))
	if err != nil {
		return 1
	}
	return min(max(n, 1), maxSpan)
}

// rowsText writes rows as lines, without columns that are empty. A first row that names the columns is left out where it
// comes again, as it does at the top of each printed page.
func rowsText(table [][]string, head bool) string {
	var used []bool
	for _, row := range table {
		for i, s := range row {
			if i == len(used) {
				used = append(used, false)
			}
			used[i] = used[i] || s != ""
		}
	}
	var b strings.Builder
	first := ""
	for _, row := range table {
		kept := row[:0]
		empty := true
		for i, s := range row {
			if used[i] {
				kept = append(kept, s)
				empty = empty && s == ""
			}
		}
		line := strings.Join(kept, " | ")
		if empty || line == first {
			continue
		}
		if first == "" && head {
			first = line
		}
		b.WriteString("| " + line + " |\n")
	}
	return b.String()
}
