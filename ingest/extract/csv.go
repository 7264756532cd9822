package extract

import (
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"kyrochat/kyro"
)

const (
	// maxCSVRows is the most rows of a table that is read.
	maxCSVRows = 100_000
	// maxCSVCells is the most cells of a table that is read.
	maxCSVCells = 5_000_000
	// longestCSVCell is the most bytes of a cell: more is a quote without its end, which swallows the rows below it.
	longestCSVCell = 8 << 20
	// longestName is how long the name of a column may be, in characters.
	longestName = 80
	// lookedRows and lookedBytes are how much of a table its separator is told by.
	lookedRows, lookedBytes = 20, 32 << 10
)

// readCSV reads a table of values that commas, semicolons, tabs or strokes set apart: each row as a line that says the
// name of every value with it, so that it can be found and read by itself. LIMIT_REACHED beyond 100,000 rows or five
// million cells, VALIDATION where a value is longer than 8 MiB.
func readCSV(s string) (kyro.Extraction, error) {
	comma := separatorOf(s)
	if comma == 0 {
		comma = ','
	}
	if strings.Count(s, string(comma))+strings.Count(s, "\n") > maxCSVCells {
		return kyro.Extraction{}, kyro.Errorf(kyro.CodeLimitReached,
			"The table has more than %d cells, the most of one document. Split it into several files.", maxCSVCells)
	}
	rows, err := csvRows(s, comma)
	if err != nil {
		return kyro.Extraction{}, err
	}
	var b blocks
	rows = preamble(&b, rows)
	names := columnNames(rows)
	if names == nil {
		b.add(kyro.BlockTable, 0, bareRows(rows))
		return b.extraction(), nil
	}
	var table strings.Builder
	for _, row := range rows[1:] {
		writeRow(&table, names, row)
	}
	b.add(kyro.BlockTable, 0, table.String())
	return b.extraction(), nil
}

// csvRows reads the rows, each cell on one line and without white space around it; empty rows are left out.
func csvRows(s string, comma rune) (rows [][]string, err error) {
	r := csv.NewReader(strings.NewReader(s))
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = comma, true, -1
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, kyro.Errorf(kyro.CodeValidation, "The table cannot be read. Save it as CSV with quotes around its values.").Because(err)
		}
		full := false
		for i, cell := range row {
			if len(cell) > longestCSVCell {
				return nil, kyro.Errorf(kyro.CodeValidation,
					"The table has a value of more than eight million bytes: a quotation mark before it may have no end. Put quotes around whole values only, and double those within them.")
			}
			row[i] = onOneLine(cell)
			full = full || row[i] != ""
		}
		if !full {
			continue
		}
		if rows = append(rows, row); len(rows) > maxCSVRows+1 {
			return nil, kyro.Errorf(kyro.CodeLimitReached,
				"The table has more than %d rows, the most of one document. Split it into several files.", maxCSVRows)
		}
	}
}

// preamble adds the rows above a table that have a single value: its title, a note.
func preamble(b *blocks, rows [][]string) [][]string {
	if len(rows) < 3 || filled(rows[len(rows)-1]) < 2 && filled(rows[len(rows)/2]) < 2 {
		return rows
	}
	for len(rows) > 2 && filled(rows[0]) == 1 {
		b.paragraph(strings.Join(rows[0], ""))
		rows = rows[1:]
	}
	return rows
}

func filled(row []string) (n int) {
	for _, cell := range row {
		if cell != "" {
			n++
		}
	}
	return n
}

// columnNames are the cells of the first row, where it names the columns: short texts, each once, that are no numbers
// and no sentences, above at least one row. It is nil for a table without names.
func columnNames(rows [][]string) []string {
	if len(rows) < 2 || len(rows[0]) < 2 && !plainName(rows[0][0], rows[1][0]) {
		return nil
	}
	seen := map[string]bool{}
	for _, name := range rows[0] {
		if name == "" {
			continue
		}
		if seen[name] || utf8.RuneCountInString(name) > longestName || !strings.ContainsFunc(name, unicode.IsLetter) || looksLikeValue(name) {
			return nil
		}
		seen[name] = true
	}
	if filled(rows[0])*2 < len(rows[0]) {
		return nil
	}
	return rows[0]
}

// plainName reports a name above a single column: one or two words above something longer, or a number.
func plainName(name, below string) bool {
	return len(strings.Fields(name)) <= 2 && (len(below) > 2*len(name) || !strings.ContainsFunc(below, unicode.IsLetter))
}

// looksLikeValue reports what no column is called: addresses, sentences, and what begins with a figure.
func looksLikeValue(s string) bool {
	last, _ := utf8.DecodeLastRuneInString(s)
	return strings.ContainsRune(".?!。？！", last) && strings.Contains(s, " ") || strings.Contains(s, "://") ||
		strings.Contains(s, "@") || s[0] >= '0' && s[0] <= '9' && !strings.Contains(s, " ")
}

// writeRow writes a row that says the name of every value. Values beyond the names are told as they are.
func writeRow(b *strings.Builder, names, row []string) {
	first := true
	for i, cell := range row {
		if cell == "" {
			continue
		}
		if !first {
			b.WriteString("; ")
		}
		first = false
		if i < len(names) && names[i] != "" {
			b.WriteString(names[i] + ": ")
		}
		b.WriteString(cell)
	}
	if !first {
		b.WriteByte('\n')
	}
}

// bareRows writes the rows of a table without names, and without its empty columns.
func bareRows(rows [][]string) string {
	var used []bool
	for _, row := range rows {
		for i, cell := range row {
			if i == len(used) {
				used = append(used, false)
			}
			used[i] = used[i] || cell != ""
		}
	}
	var b strings.Builder
	for _, row := range rows {
		kept := row[:0]
		for i, cell := range row {
			if used[i] {
				kept = append(kept, cell)
			}
		}
		for len(kept) > 0 && kept[len(kept)-1] == "" {
			kept = kept[:len(kept)-1]
		}
		b.WriteString(rowOf(kept))
		b.WriteByte('\n')
	}
	return b.String()
}

// separatorOf tells what sets the values of a table apart: what is in most of its first rows, and most often equally
// often, quotes aside. It is 0 for what is no table of several columns.
func separatorOf(s string) rune {
	s = strings.TrimLeft(s, "\n")
	best, most := rune(0), 0.0
	for _, comma := range []rune{'\t', ';', ',', '|'} {
		counts := separators(s[:min(len(s), lookedBytes)], byte(comma))
		if len(counts) == 0 {
			continue
		}
		often, sum := map[int]int{}, 0
		for _, n := range counts {
			often[n]++
			sum += n
		}
		common, rows := 0, 0
		for n, times := range often {
			if n > 0 && (times > rows || times == rows && n > common) {
				common, rows = n, times
			}
		}
		// Of several that are in every row, the one with more columns sets them apart.
		share := float64(rows) / float64(len(counts))
		if share < 0.6 && !(share > 0.3 && sum >= 2*len(counts)) {
			continue
		}
		if score := share * (1 + 0.1*float64(min(common, 20))); score > most {
			best, most = comma, score
		}
	}
	return best
}

// separators counts a separator in each of the first rows, outside of quotes. A row that the sample cuts off does not
// count, unless it is the only one.
func separators(s string, comma byte) (counts []int) {
	n, quoted, empty := 0, false, true
	for i := 0; i < len(s) && len(counts) < lookedRows; i++ {
		switch c := s[i]; {
		case c == '"' && (quoted || empty || s[i-1] == comma || s[i-1] == '\n'):
			quoted = !quoted
			empty = false
		case c == comma && !quoted:
			n++
			empty = false
		case c == '\n' && !quoted:
			if !empty {
				counts = append(counts, n)
			}
			n, empty = 0, true
		case c != ' ' && c != '\r':
			empty = false
		}
	}
	if !empty && (len(counts) == 0 || len(s) < lookedBytes && len(counts) < lookedRows) {
		counts = append(counts, n)
	}
	return counts
}
