package extract

import (
	"encoding/xml"
	"slices"
	"strconv"
	"strings"

	"kyrochat/kyro"
)

// maxColumns is the most columns of a table of Word, which bounds how many a cell may claim to span.
const maxColumns = 63

// wordCell is a cell of a table.
type wordCell struct {
	pieces []wordPiece
	span   int  // columns
	merged bool // it goes on with the cell above, whose text it does not repeat
}

// wordRow is a row of a table.
type wordRow struct {
	cells  []wordCell
	header bool // it is repeated on each page
	hidden bool // or deleted by a tracked change
}

// table reads a table.
func (d *docx) table(x *xmlPart, put func(wordPiece) error) error {
	var rows []wordRow
	if err := d.rows(x, &rows); err != nil {
		return err
	}
	return putTable(rows, put)
}

// putTable gives a table as a piece, or what is in it where it has a single column: then it is a frame.
func putTable(rows []wordRow, put func(wordPiece) error) error {
	wide := false
	for _, r := range rows {
		wide = wide || columnsOf(r) > 1
	}
	if !wide {
		for _, r := range rows {
			for _, c := range r.cells {
				for _, p := range c.pieces {
					if err := put(p); err != nil {
						return err
					}
				}
			}
		}
		return nil
	}
	var lines []string
	headers := map[string]bool{}
	for _, r := range rows {
		s := r.line()
		// Programs that cut a table at the end of a page write its header again.
		if s == "" || r.header && headers[s] {
			continue
		}
		if r.header {
			headers[s] = true
		}
		lines = append(lines, s)
	}
	return put(wordPiece{kind: kyro.BlockTable, text: strings.Join(lines, "\n")})
}

func columnsOf(r wordRow) int {
	n := 0
	for _, c := range r.cells {
		n += c.span
	}
	return n
}

// line is the row as text, "" where nothing is in it.
func (r wordRow) line() string {
	var b strings.Builder
	b.WriteByte('|')
	empty := true
	for _, c := range r.cells {
		var words []string
		if !c.merged {
			for _, p := range c.pieces {
				words = append(words, p.flat())
			}
		}
		s := lineOf(strings.Join(words, " "))
		empty = empty && s == ""
		b.WriteString(" " + s + " |" + strings.Repeat("  |", c.span-1))
	}
	if empty {
		return ""
	}
	return b.String()
}

// rows reads the rows of a table, and what wraps them.
func (d *docx) rows(x *xmlPart, rows *[]wordRow) error {
	return x.children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "tr":
			var r wordRow
			if err := d.cells(x, &r); err != nil {
				return err
			}
			if !r.hidden {
				*rows = append(*rows, r)
			}
			return d.count("")
		case "sdt", "sdtContent", "customXml", "ins", "moveTo":
			return d.rows(x, rows)
		}
		return x.skip()
	})
}

// cells reads the cells of a row.
func (d *docx) cells(x *xmlPart, r *wordRow) error {
	return x.children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "trPr":
			return x.children(func(e xml.StartElement) error {
				switch e.Name.Local {
				case "tblHeader":
					r.header = xmlOn(e, "val")
				case "hidden":
					r.hidden = r.hidden || xmlOn(e, "val")
				case "del":
					r.hidden = true
				}
				return x.skip()
			})
		case "tc":
			c := wordCell{span: 1}
			if err := d.cell(x, &c); err != nil {
				return err
			}
			r.cells = append(r.cells, c)
			return d.count("")
		case "sdt", "sdtContent", "customXml":
			return d.cells(x, r)
		}
		return x.skip()
	})
}

// cell reads a cell: its properties come first, and what follows is like a body.
func (d *docx) cell(x *xmlPart, c *wordCell) error {
	put := func(p wordPiece) error {
		if p.text != "" {
			c.pieces = append(c.pieces, p)
		}
		return nil
	}
	return d.bodyWith(x, put, func(e xml.StartElement) error {
		return x.children(func(e xml.StartElement) error {
			switch e.Name.Local {
			case "gridSpan":
				if n, err := strconv.Atoi(xmlAttr(e, "val")); err == nil {
					c.span = min(max(n, 1), maxColumns)
				}
			case "vMerge", "hMerge":
				c.merged = xmlAttr(e, "val") != "restart"
			}
			return x.skip()
		})
	})
}

// flat is a piece in a cell: a table in a table is told with commas.
func (p wordPiece) flat() string {
	if p.kind != kyro.BlockTable {
		return p.text
	}
	rows := strings.Split(p.text, "\n")
	for i, r := range rows {
		cells := strings.Split(strings.Trim(r, "| "), "|")
		cells = slices.DeleteFunc(cells, func(s string) bool { return strings.TrimSpace(s) == "" })
		for j := range cells {
			cells[j] = strings.TrimSpace(cells[j])
		}
		rows[i] = strings.Join(cells, ", ")
	}
	return strings.Join(rows, "; ")
}
