package export_test

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"kyrochat/export"
)

// TestNoFormulas: nothing that a spreadsheet would compute begins a cell.
func TestNoFormulas(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string]string{
		"=1+1": "'=1+1", "+49": "'+49", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\tx": "'\tx", "\rx": "'\nx", "\nx": "'\nx", "＝1": "'＝1", "－1": "'－1", "＋": "'＋", "＠": "'＠",
		"": "", "a=b": "a=b", "'=": "'=", " =1": " =1", "a\r\nb\rc\n": "a\nb\nc\n", "\xff=": "\uFFFD=",
	} {
		if got := export.Inert(cell); got != want {
			t.Errorf("%q became %q, want %q", cell, got, want)
		}
	}
}

func TestEntryNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"a.pdf": "a.pdf", "../../etc/passwd": "passwd", "..": "file", ".": "file", "": "file", `c:\x.txt`: "x.txt", "a\x00b": "ab", "/": "file"} {
		if got := export.EntryName(name); got != want {
			t.Errorf("%q became %q, want %q", name, got, want)
		}
	}
}

// FuzzTable: whatever is said, encoding/csv reads back what was written, cell by cell, and no cell begins a formula.
func FuzzTable(f *testing.F) {
	for _, seed := range []string{"", "plain", "=cmd|' /C calc'!A0", "a,b\"c\"\r\nd\re\nf", "\ufeffx", "-1", "\xff\xfe", "＝1", "\"", "\r", " lead", "x\x00y"} {
		f.Add(seed, "second")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		var file bytes.Buffer
		table, err := export.NewTable(&file)
		if err != nil {
			t.Fatal(err)
		}
		cells := make([]string, len(export.Columns))
		cells[0], cells[1], cells[len(cells)-1] = "conv_1", a, b
		if err := table.WriteRow(slices.Clone(cells)); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(bytes.NewReader(file.Bytes())).ReadAll()
		if err != nil || len(rows) != 2 || !slices.Equal(rows[0], export.Columns) {
			t.Fatalf("%v: %q", err, rows)
		}
		for i, cell := range cells {
			got := rows[1][i]
			if got != export.Inert(cell) {
				t.Errorf("%q came back as %q", cell, got)
			}
			if first, _ := utf8.DecodeRuneInString(got); got != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", first) {
				t.Errorf("%q begins like a formula", got)
			}
		}
		if !utf8.Valid(file.Bytes()) {
			t.Error("the file is not UTF-8")
		}
	})
}
