package text

import "strings"

// Rows of tables are lines, in one of two forms: "| Falcon 3 | 99 EUR |", and "Product: Falcon 3; Price: 99 EUR" where
// the format names the columns in each.

// IsRow reports a row of the first form.
func IsRow(line string) bool {
	line = strings.TrimSpace(line)
	return len(line) > 1 && line[0] == '|'
}

// IsRule reports the line below the names of columns that Markdown asks for.
func IsRule(line string) bool {
	return strings.Contains(line, "--") && strings.Trim(line, " |:-\t") == ""
}

// longestName is the longest name of a column, in bytes, that is looked for in front of a value.
const longestName = 80

// firstName is the name in front of the first value of a row of the second form, or of a line that is one value with its
// name; else "".
func firstName(line string) string {
	line = strings.TrimLeft(line, " \t")
	name, value, found := strings.Cut(line[:min(len(line), longestName+3)], ": ")
	if !found || name == "" || value == "" || len(name) > longestName || strings.ContainsAny(name, ".?!;。？！；") && strings.ContainsAny(name, " ;") {
		return ""
	}
	return name
}

// isRowOf reports a line and one that follows it (next begins with it) that are rows of one table, or values of one record.
func isRowOf(line, next string) bool {
	a := firstName(line)
	if a == "" {
		return false
	}
	next, _, _ = strings.Cut(next[:min(len(next), longestName+3)], "\n")
	b := firstName(next)
	return a == b || b != "" && !strings.ContainsAny(a+b, " \t")
}

// Value is a value of a row with the name of its column, "" where it has none.
type Value struct{ Name, Text string }

// Values takes a row of the second form apart; nil for a line that is none.
func Values(row string) []Value {
	var values []Value
	for part := range strings.SplitSeq(row, "; ") {
		name := firstName(part)
		switch {
		case name != "":
			values = append(values, Value{Name: name, Text: strings.TrimSpace(strings.TrimLeft(part, " \t")[len(name)+2:])})
		case len(values) == 0:
			return nil
		default:
			values[len(values)-1].Text += "; " + part
		}
	}
	return values
}

// Cells are the cells of a row of the first form, each on one line; nil for a line that is none.
func Cells(row string) []string {
	row = strings.TrimSpace(row)
	if !IsRow(row) {
		return nil
	}
	cells := strings.Split(strings.TrimSuffix(row[1:], "|"), "|")
	for i, c := range cells {
		cells[i] = strings.Join(strings.Fields(c), " ")
	}
	return cells
}
