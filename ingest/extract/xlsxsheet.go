package extract

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"kyrochat/kyro"
)

// ResultMissing: the sheet holds formulas whose results its program did not store.
const ResultMissing = "RESULT_MISSING"

const (
	// maxSheetRows is the most rows of one sheet, as of a CSV file. More is refused, not cut off: an answer from half a
	// table is wrong.
	maxSheetRows = 100_000
	// maxSheetColumns is the most columns that a sheet can have.
	maxSheetColumns = 16_384
	// maxSheetCells bounds what is held of a sheet.
	maxSheetCells = 2 << 20
	// maxMerges bounds the rows that merged cells reach into.
	maxMerges = 1 << 20
)

// sheetCell is a cell that holds something.
type sheetCell struct {
	column int32 // from 1
	style  int32
	plain  bool // a text, no number and no date
	text   string
}

// sheetRow is a row that holds something.
type sheetRow struct {
	number int
	cells  []sheetCell
}

// grid is what a sheet shows.
type grid struct {
	rows    []sheetRow
	cells   int
	merges  []area
	headers map[int]bool // rows that the sheet itself calls headers, by their numbers
	hidden  []area       // columns
	size    int          // of the text of its cells: many may refer to one that is long
	left    bool         // rows or columns were left out
	missing bool         // formulas without results
	tables  []string     // parts
	zero    bool         // rows that are not mentioned are hidden
}

// area is a range of cells.
type area struct{ left, top, right, bottom int }

// sheet reads a sheet and adds its tables.
func (d *xlsx) sheet(s sheet) error {
	if !d.has(s.part) {
		return brokenFile("a sheet is missing")
	}
	d.blocks.beginPage()
	if err := d.add(kyro.BlockHeading, 1, s.name); err != nil {
		return err
	}
	g := &grid{headers: map[int]bool{}}
	err := d.part(s.part, func(x *xmlPart, _ xml.StartElement) error {
		return x.children(func(e xml.StartElement) error { return d.sheetPart(x, e, g, s) })
	})
	if err != nil {
		return err
	}
	relations, err := d.relations(s.part)
	if err != nil {
		return err
	}
	for _, r := range relations {
		if r.kind == "table" {
			g.tables = append(g.tables, r.target)
		}
	}
	slices.Sort(g.tables)
	for _, part := range g.tables {
		err := d.part(part, func(x *xmlPart, root xml.StartElement) error {
			if a, ok := parseArea(xmlAttr(root, "ref")); ok && xmlAttr(root, "headerRowCount") != "0" {
				g.headers[a.top] = true
			}
			return x.skip()
		})
		if err != nil {
			return err
		}
	}
	g.merge()
	if g.left {
		d.warnings = append(d.warnings, warning(HiddenLeftOut, d.blocks.page, "Hidden rows or columns of sheet %d were left out."))
	}
	if g.missing {
		d.warnings = append(d.warnings, warning(ResultMissing, d.blocks.page,
			"Sheet %d holds formulas without their results. Open the file in a spreadsheet program, save it and upload it again."))
	}
	return d.addGrid(g)
}

// sheetPart reads one part of a sheet.
func (d *xlsx) sheetPart(x *xmlPart, e xml.StartElement, g *grid, s sheet) error {
	switch e.Name.Local {
	case "sheetFormatPr":
		g.zero = xmlAttr(e, "zeroHeight") != "" && xmlOn(e, "zeroHeight")
	case "sheetViews", "sheetView":
		return x.children(func(e xml.StartElement) error { return d.sheetPart(x, e, g, s) })
	case "pane":
		// What stays when the rest is scrolled is a header; more than a few rows are not.
		if n, err := strconv.Atoi(xmlAttr(e, "ySplit")); err == nil && strings.HasPrefix(xmlAttr(e, "state"), "frozen") && n > 0 && n <= 5 {
			g.headers[n] = true
		}
	case "cols":
		return x.children(func(e xml.StartElement) error {
			from, _ := strconv.Atoi(xmlAttr(e, "min"))
			to, _ := strconv.Atoi(xmlAttr(e, "max"))
			if xmlAttr(e, "hidden") != "" && xmlOn(e, "hidden") && len(g.hidden) < maxSheetColumns {
				g.hidden = append(g.hidden, area{left: from, right: to})
			}
			return x.skip()
		})
	case "autoFilter":
		if a, ok := parseArea(xmlAttr(e, "ref")); ok {
			g.headers[a.top] = true
		}
	case "mergeCells":
		return x.children(func(e xml.StartElement) error {
			if a, ok := parseArea(xmlAttr(e, "ref")); ok && len(g.merges) < maxMerges/8 {
				g.merges = append(g.merges, a)
			}
			return x.skip()
		})
	case "sheetData":
		last := 0
		return x.children(func(e xml.StartElement) error {
			if e.Name.Local != "row" {
				return x.skip()
			}
			last++
			if n, err := strconv.Atoi(xmlAttr(e, "r")); err == nil && n > 0 {
				last = n
			}
			r := sheetRow{number: last}
			if n := len(g.rows); n > 0 { // rows are about as long as the ones before
				r.cells = make([]sheetCell, 0, len(g.rows[n-1].cells))
			}
			if err := d.row(x, g, &r); err != nil {
				return err
			}
			if len(r.cells) == 0 {
				return nil
			}
			if xmlAttr(e, "hidden") != "" && xmlOn(e, "hidden") {
				g.left = true
				return nil
			}
			g.cells += len(r.cells)
			g.rows = append(g.rows, r)
			if len(g.rows) > maxSheetRows || g.cells > maxSheetCells {
				return kyro.Errorf(kyro.CodeLimitReached, "The sheet %q has more than %d rows, or more than %d cells. Split it into several files.",
					lineOf(s.name), maxSheetRows, maxSheetCells)
			}
			return nil
		})
	}
	return x.skip()
}

// row reads the cells of a row.
func (d *xlsx) row(x *xmlPart, g *grid, r *sheetRow) error {
	column, ordered := 0, true
	err := x.children(func(e xml.StartElement) error {
		if e.Name.Local != "c" {
			return x.skip()
		}
		before := column
		column++
		if c, _, ok := parseCell(xmlAttr(e, "r")); ok {
			column = c
		}
		if column > maxSheetColumns {
			return brokenFile(fmt.Sprintf("a row has more than %d cells", maxSheetColumns))
		}
		ordered = ordered && column > before
		c, err := d.cell(x, e, g)
		if err != nil || c.text == "" {
			return err
		}
		for _, h := range g.hidden {
			if column >= h.left && column <= h.right {
				g.left = true
				return nil
			}
		}
		if g.size += len(c.text); g.size > d.limits.MaxExtractedText {
			return textTooLong(d.limits)
		}
		c.column = int32(column)
		r.cells = append(r.cells, c)
		if len(r.cells) > maxSheetColumns {
			return brokenFile(fmt.Sprintf("a row has more than %d cells", maxSheetColumns))
		}
		return nil
	})
	if !ordered {
		slices.SortStableFunc(r.cells, func(a, b sheetCell) int { return cmp.Compare(a.column, b.column) })
	}
	return err
}

// cell reads a cell as it is shown: of a formula its result.
func (d *xlsx) cell(x *xmlPart, e xml.StartElement, g *grid) (c sheetCell, err error) {
	value, kind := "", xmlAttr(e, "t")
	formula, known := false, false
	err = x.children(func(e xml.StartElement) error {
		var err error
		switch e.Name.Local {
		case "v":
			known = true
			value, err = x.text()
		case "f":
			formula = true
			err = x.skip()
		case "is":
			value, err = richText(x)
		default:
			err = x.skip()
		}
		return err
	})
	g.missing = g.missing || formula && !known
	style, _ := strconv.Atoi(xmlAttr(e, "s"))
	c.style = int32(min(max(style, 0), maxStyles))
	switch kind {
	case "s":
		i, wrong := strconv.Atoi(strings.TrimSpace(value))
		if wrong != nil {
			i = -1
		}
		value, c.plain = d.strings.at(i), true
	case "str":
		value, c.plain = unescapeCell(value), true
	case "inlineStr":
		c.plain = true
	case "b":
		switch strings.TrimSpace(value) {
		case "1", "true":
			value = "TRUE"
		case "0", "false":
			value = "FALSE"
		}
	case "d":
		value = strings.TrimSuffix(strings.Replace(value, "T", " ", 1), " 00:00:00")
	case "e":
	default:
		value = d.format(c.style, strings.TrimSpace(value))
	}
	c.text = lineOf(value)
	return c, err
}

// merge repeats the value of merged cells in the rows that they reach into, so that each row says all of it. Beside
// each other it stands once.
func (g *grid) merge() {
	visited := 0
	for _, m := range g.merges {
		if m.bottom <= m.top {
			continue
		}
		at, found := slices.BinarySearchFunc(g.rows, m.top, func(r sheetRow, n int) int { return cmp.Compare(r.number, n) })
		if !found {
			continue
		}
		i, found := g.rows[at].find(m.left)
		if !found {
			continue
		}
		c := g.rows[at].cells[i]
		for at++; at < len(g.rows) && g.rows[at].number <= m.bottom; at++ {
			if visited++; visited > maxMerges {
				return
			}
			r := &g.rows[at]
			if i, found := r.find(m.left); !found {
				r.cells = slices.Insert(r.cells, i, c)
			}
		}
	}
}

func (r *sheetRow) find(column int) (int, bool) {
	return slices.BinarySearchFunc(r.cells, int32(column), func(c sheetCell, n int32) int { return cmp.Compare(c.column, n) })
}

// parseArea reads a range such as B2:D5; one cell is a range as well.
func parseArea(s string) (a area, ok bool) {
	from, to, two := strings.Cut(s, ":")
	if !two {
		to = from
	}
	var first, second bool
	a.left, a.top, first = parseCell(from)
	a.right, a.bottom, second = parseCell(to)
	return a, first && second
}

// parseCell reads the name of a cell such as AB12.
func parseCell(s string) (column, row int, ok bool) {
	s = strings.ReplaceAll(s, "$", "")
	i := 0
	for ; i < len(s) && s[i] >= 'A' && s[i] <= 'Z' && i < 4; i++ {
		column = column*26 + int(s[i]-'A') + 1
	}
	row, err := strconv.Atoi(s[i:])
	return column, row, i > 0 && err == nil && row > 0
}
