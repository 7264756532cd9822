package extract

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"kyrochat/kyro"
)

// addGrid adds what a sheet shows. Rows that follow each other are a table; single cells above it are its title. Where a
// table plainly has a header, each row is told with it, so that it stands for itself wherever it is cut.
func (d *xlsx) addGrid(g *grid) error {
	// A row that comes twice or too late is not in the order of the sheet.
	slices.SortStableFunc(g.rows, func(a, b sheetRow) int { return a.number - b.number })
	var header *sheetRow
	for rows := g.rows; len(rows) > 0; {
		n := 1
		for n < len(rows) && rows[n].number <= rows[n-1].number+1 {
			n++
		}
		var err error
		if header, err = d.addRows(rows[:n], g, header); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// addRows adds rows that follow each other, and gives the header that rows behind a gap may have as well.
func (d *xlsx) addRows(rows []sheetRow, g *grid, last *sheetRow) (*sheetRow, error) {
	widest := 0
	for _, r := range rows {
		widest = max(widest, len(r.cells))
	}
	for len(rows) > 0 && len(rows[0].cells) == 1 && widest > 1 {
		if err := d.add(kyro.BlockParagraph, 0, rows[0].cells[0].text); err != nil {
			return nil, err
		}
		rows = rows[1:]
	}
	var header *sheetRow
	body := rows
	for i := range min(len(rows), 4) {
		if isHeader(rows[i:], g.headers[rows[i].number]) {
			header, body = &rows[i], rows[i+1:]
			if err := d.addTable(rows[:i], nil); err != nil {
				return nil, err
			}
			break
		}
		if 2*len(rows[i].cells) > widest && !g.headers[rows[i].number] {
			break
		}
	}
	if header == nil && last != nil && len(rows) > 0 && len(rows[0].cells) > 1 && within(rows, last) {
		header = last
	}
	if err := d.addTable(body, header); err != nil {
		return nil, err
	}
	if header != nil && len(body) == 0 { // a header without rows is told by itself
		if err := d.addTable([]sheetRow{*header}, nil); err != nil {
			return nil, err
		}
	}
	if header == nil {
		return last, nil
	}
	return header, nil
}

// within reports rows that have cells only below the header.
func within(rows []sheetRow, header *sheetRow) bool {
	for _, r := range rows {
		for _, c := range r.cells {
			if _, found := header.find(int(c.column)); !found {
				return false
			}
		}
	}
	return true
}

// longestColumnName is the most characters of a name of a column.
const longestColumnName = 60

// isHeader reports that the first row names the columns of those below: short texts that differ, one for nearly each
// column in use. The sheet says so itself, or the rows below are of another kind: numbers, dates, or another style.
func isHeader(rows []sheetRow, said bool) bool {
	first, body := rows[0], rows[1:]
	if len(first.cells) < 2 || len(body) == 0 {
		return false
	}
	names := map[string]bool{}
	for _, c := range first.cells {
		year := len(c.text) == 4 && (strings.HasPrefix(c.text, "19") || strings.HasPrefix(c.text, "20"))
		if !c.plain && !year || names[c.text] || utf8.RuneCountInString(c.text) > longestColumnName {
			return false
		}
		names[c.text] = true
	}
	sample := body[:min(len(body), 50)]
	bare, styled, valued, all := map[int32]bool{}, 0, 0, 0
	for _, r := range sample {
		for _, c := range r.cells {
			i, found := first.find(int(c.column))
			if !found {
				bare[c.column] = true
				continue
			}
			all++
			if first.cells[i].style != c.style {
				styled++
			}
			if names[c.text] && !said && len(r.cells) > 1 && c.plain {
				return false
			}
			if first.cells[i].plain && !hasDigit(first.cells[i].text) && (!c.plain || hasDigit(c.text)) {
				valued++
			}
		}
	}
	if len(bare) > 1+len(first.cells)/5 || all == 0 {
		return false
	}
	return said || 10*styled >= 8*all || valued > 0 && valued*len(first.cells) >= all
}

func hasDigit(s string) bool { return strings.ContainsFunc(s, unicode.IsDigit) }

// addTable adds rows as a table: with a header "name: value; name: value", else "| value | value |".
func (d *xlsx) addTable(rows []sheetRow, header *sheetRow) error {
	var columns []int32
	if header == nil {
		used := map[int32]bool{}
		for _, r := range rows {
			for _, c := range r.cells {
				used[c.column] = true
			}
		}
		for c := range used {
			columns = append(columns, c)
		}
		slices.Sort(columns)
	}
	var b strings.Builder
	for _, r := range rows {
		if header != nil && slices.EqualFunc(r.cells, header.cells, func(a, b sheetCell) bool { return a.text == b.text }) {
			continue // it is repeated for those who print
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		if header != nil {
			r.told(&b, header)
		} else {
			r.listed(&b, columns)
		}
		if d.blocks.text.Len()+b.Len() > d.limits.MaxExtractedText {
			return textTooLong(d.limits)
		}
	}
	return d.add(kyro.BlockTable, 0, cleaned(b.String()))
}

// told writes a row with the names of its columns.
func (r *sheetRow) told(b *strings.Builder, header *sheetRow) {
	for i, c := range r.cells {
		if i > 0 {
			b.WriteString("; ")
		}
		if h, found := header.find(int(c.column)); found {
			b.WriteString(strings.TrimSuffix(header.cells[h].text, ":") + ": ")
		}
		b.WriteString(c.text)
	}
}

// listed writes a row with its columns in their places. Columns that are empty in all of the rows are left out, and so
// is what is empty at the end of a row.
func (r *sheetRow) listed(b *strings.Builder, columns []int32) {
	var cells []string
	for _, c := range r.cells {
		place, _ := slices.BinarySearch(columns, c.column)
		for len(cells) < place {
			cells = append(cells, "")
		}
		cells = append(cells, c.text)
	}
	b.WriteString(rowOf(cells))
}
