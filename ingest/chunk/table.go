package chunk

import (
	"strings"
	"unicode"

	"kyrochat/kyro"
)

// longestColumns is how much of the names of columns, in bytes, enters the path of the chunks that begin below them.
const longestColumns = 320

// longestHead is the longest row, in bytes, that is looked at for names.
const longestHead = 8 << 10

// table is what is known of a table while its rows are cut.
type table struct {
	columns string // its first row where that names the columns, on one line; else ""
	cells   int    // of its first row
	body    int    // where the rows begin that stand below the names
	page    int
}

// next is the table of a block, none for a block that is no table. A table that goes on on the next page is a block of
// its own there, and still has the names of its columns.
func (t table) next(text string, b kyro.Block) table {
	if b.Kind != kyro.BlockTable {
		return table{}
	}
	first, rest, _ := strings.Cut(text[b.Start:b.End], "\n")
	names := cellsOf(first)
	said := false
	if under, _, _ := strings.Cut(rest, "\n"); strings.Contains(under, "--") && strings.Trim(under, " |:-") == "" {
		said, first = true, text[b.Start:b.Start+len(first)+1+len(under)]
	}
	switch {
	case len(names) < 2:
		return table{}
	case said || nameColumns(names):
		return table{columns: shortened(strings.Join(names, " | "), longestColumns), cells: len(names), body: b.Start + len(first), page: b.Page}
	case t.columns != "" && len(names) == t.cells && b.Page == t.page+1:
		return table{columns: t.columns, cells: t.cells, body: b.Start, page: b.Page}
	}
	return table{}
}

// above is the names of the columns for what begins at an offset, where they stand before that.
func (t table) above(start int) string {
	if start < t.body {
		return ""
	}
	return t.columns
}

// isHead reports the part of a table that holds nothing but the names of its columns.
func (t table) isHead(start, end int) bool { return t.columns != "" && start < t.body && end <= t.body }

// cellsOf are the cells of a row, nil for a line that is none.
func cellsOf(row string) []string {
	row = strings.TrimSpace(row)
	if !strings.HasPrefix(row, "|") || len(row) > longestHead {
		return nil
	}
	cells := strings.Split(strings.Trim(row, "|"), "|")
	for i, c := range cells {
		cells[i] = strings.Join(strings.Fields(c), " ")
	}
	return cells
}

// nameColumns reports cells that are names: most are there, and none has a figure in it.
func nameColumns(cells []string) bool {
	named := 0
	for _, c := range cells {
		if strings.ContainsFunc(c, unicode.IsDigit) || len(c) > longestTitle {
			return false
		}
		if c != "" {
			named++
		}
	}
	return 2*named > len(cells)
}
