package export_test

import (
	"bytes"
	"encoding/csv"
	"regexp"
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
		"": "", "a=b": "a=b", "a;b": "a;b", "a;": "a;", "a\r\nb\rc\n": "a\nb\nc\n", "\xff=": "\uFFFD=", "x - y": "x - y", "a; b=c": "a; b=c",

		// What some would pass over does not hide a sign.
		" =1": "' =1", `"=1`: `'"=1`, "\ufeff=1": "'\ufeff=1", "\x00-1": "'\x00-1", "\u00a0@x": "'\u00a0@x",

		// Cells of those who take another separator, and rows of theirs.
		`hi;=HYPERLINK("http://a.test","x")`: `hi;'=HYPERLINK("http://a.test","x")`, "a;＝1": "a;'＝1", "a;b;-1": "a;b;'-1", "a\t+1": "a\t'+1", "a\n@x": "a\n'@x",
		"a\r=1": "a\n'=1", "a\r\n=1": "a\n'=1", `a; "" =1`: `a;' "" =1`, ";=1": ";'=1", ";;\t\n=1": ";;\t\n'=1", "\n\n=1;=2": "'\n\n'=1;'=2", "a;\x0b=1": "a;'\x0b=1",

		// One apostrophe less is what was said.
		"'=": "''=", "a;'=": "a;''=", "it's;'tis": "it's;'tis",
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

// formula is the beginning of one, for any separator that spreadsheets take, and said is one that was guarded.
var (
	formula = regexp.MustCompile("^[\t\r\n]|(?:^|[;\t\r\n])[\\s\"\\p{Z}\\p{Cc}\\p{Cf}]*[=+@＝＋－＠-]")
	guarded = regexp.MustCompile("(^|[;\t\n])'([\"'\\p{Z}\\p{Cf}\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f]*[=+@＝＋－＠-])")
	first   = regexp.MustCompile("^'([\"'\\p{Z}\\p{Cf}\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f]*[\t\n])")
	breaks  = regexp.MustCompile("\r\n?")
)

// FuzzTable: whatever is said, encoding/csv reads back what was written, cell by cell; no cell begins a formula, nor does any
// part of one that others would take for a cell; and what was said can be told from it.
func FuzzTable(f *testing.F) {
	for _, seed := range []string{"", "plain", "=cmd|' /C calc'!A0", "a,b\"c\"\r\nd\re\nf", "\ufeffx", "-1", "\xff\xfe", "＝1", "\"", "\r", " lead", "x\x00y", "hi;=1", "a\n=1", "a\r \"-1", "'=", ";'\t''@", "\v\n=", "a;\u2028=1"} {
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
			if at := formula.FindString(got); at != "" {
				t.Errorf("%q has the beginning of a formula, %q", got, at)
			}
			said := guarded.ReplaceAllString(first.ReplaceAllString(got, "$1"), "$1$2")
			if want := breaks.ReplaceAllString(strings.ToValidUTF8(cell, "\uFFFD"), "\n"); said != want {
				t.Errorf("%q is told as %q, of which %q can be made", want, got, said)
			}
		}
		if !utf8.Valid(file.Bytes()) {
			t.Error("the file is not UTF-8")
		}
	})
}
