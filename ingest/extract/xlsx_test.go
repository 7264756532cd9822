package extract

import (
	"fmt"
	"strings"
	"testing"

	"kyrochat/kyro"
)

// TestSheets pins what a workbook says in each of the ways that it can say it.
func TestSheets(t *testing.T) {
	t.Parallel()
	warned := func(code, message string) string {
		return fmt.Sprintf("\n\nwarning {\"code\":%q,\"message\":%q,\"page\":1}", code, message)
	}
	for name, c := range map[string]struct{ data, after, want string }{
		"rows with the names of their columns": {rowsOf("Tea,Price", "green,4.5", "black,3"), "", "Tea: green; Price: 4.5\nTea: black; Price: 3"},
		"no header":                            {rowsOf("Anna,Rome", "Ben,Paris"), "", "| Anna | Rome |\n| Ben | Paris |"},
		"a header by a filter":                 {rowsOf("Name,Town", "Anna,Rome"), `<autoFilter ref="A1:B2"/>`, "Name: Anna; Town: Rome"},
		"a title above":                        {rowsOf("Prices of tea", "Tea,Price", "green,4"), "", "Tea: green; Price: 4"},
		"a header that is repeated":            {rowsOf("Tea,Price", "green,4", "Tea,Price", "black,3"), `<autoFilter ref="A1:B2"/>`, "Tea: green; Price: 4\nTea: black; Price: 3"},
		"empty rows and columns":               {rowsOf("", "Anna,,,Rome", "Ben,,,", "Carl,,,Oslo"), "", "| Anna | Rome |\nBen\n| Carl | Oslo |"},
		"a gap in the table":                   {rowsOf("Tea,Price", "green,4", "", "black,3"), "", "Tea: green; Price: 4\n\n[table on page 1]\nTea: black; Price: 3"},
		"years are names too":                  {rowsOf("Region,2023,2024", "North,1.5,7", "South,2,8"), `<autoFilter ref="A1:C3"/>`, "Region: North; 2023: 1.5; 2024: 7\nRegion: South; 2023: 2; 2024: 8"},
		"merged cells": {rowsOf("Tea,Price", "green,4", ",5", "black,6"), `<mergeCells><mergeCell ref="A2:A3"/></mergeCells>`,
			"Tea: green; Price: 4\nTea: green; Price: 5\nTea: black; Price: 6"},
		"shared, rich and pronounced": {`<row><c t="s"><v>0</v></c><c t="s"><v>1</v></c><c t="s"><v>99</v></c></row>`, "", "| plain | two parts x |"},
		"booleans, errors, results":   {`<row r="3"><c r="B3" t="b"><v>1</v></c><c r="C3" t="e"><v>#N/A</v></c><c r="D3" t="str"><f>A1&amp;"x"</f><v>result</v></c><c r="E3"><f>1+1</f><v>2</v></c></row>`, "", "| TRUE | #N/A | result | 2 |"},
		"formulas without results":    {`<row r="1"><c r="A1" t="inlineStr"><is><t>sum</t></is></c><c r="B1"><f>1+1</f></c></row>`, "", "sum" + warned("RESULT_MISSING", "Sheet 1 holds formulas without their results. Open the file in a spreadsheet program, save it and upload it again.")},
		"hidden rows":                 {`<row r="1"><c r="A1"><v>1</v></c></row><row r="2" hidden="1"><c r="A2"><v>2</v></c></row>`, "", "1" + warned("HIDDEN_LEFT_OUT", "Hidden rows or columns of sheet 1 were left out.")},
		"numbers as people see them": {`<row><c s="1"><v>0.256</v></c><c s="2"><v>1234567.891</v></c><c s="3"><v>45350</v></c><c s="4"><v>45350.75</v></c><c s="5"><v>12.5</v></c><c><v>0.30000000000000004</v></c></row>`, "",
			"| 25.60% | 1,234,567.89 | 2024-02-28 | 2024-02-28 18:00 | 12.50 € | 0.3 |"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := shown(t, readWorkbook, book(c.data, c.after).with(parts{
				"xl/sharedStrings.xml": `<sst ` + sheetSpace + `><si><t>plain</t></si><si><r><t>two </t></r><r><rPr/><t>parts_x000D_x</t></r><rPh sb="0" eb="1"><t>reading</t></rPh></si></sst>`,
				"xl/styles.xml": `<styleSheet ` + sheetSpace + `><numFmts><numFmt numFmtId="164" formatCode="#,##0.00\ [$€-407]"/><numFmt numFmtId="165" formatCode="[$-409]d\.\ mmmm\ yyyy;@"/></numFmts>` +
					`<cellStyleXfs><xf numFmtId="9"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="10"/><xf numFmtId="4"/><xf numFmtId="165"/><xf numFmtId="22"/><xf numFmtId="164"/></cellXfs></styleSheet>`,
			}))
			got = strings.TrimPrefix(got, "[heading 1 on page 1]\nOne\n\n")
			got = strings.TrimPrefix(got, "[paragraph on page 1]\nPrices of tea\n\n")
			got = strings.TrimPrefix(got, "[table on page 1]\n")
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// TestHiddenSheets leaves out what people do not see, and says so; pages are those that they do see.
func TestHiddenSheets(t *testing.T) {
	t.Parallel()
	p := book(rowsOf("seen,1"), "").with(parts{
		"xl/worksheets/sheet2.xml": `<worksheet ` + sheetSpace + `><cols><col min="2" max="3" hidden="1"/></cols><sheetData>` + rowsOf("a,b,c,d") + `</sheetData></worksheet>`,
		"xl/workbook.xml":          `<workbook ` + sheetSpace + `><sheets><sheet name="Secret" sheetId="1" state="veryHidden" r:id="r1"/><sheet name="Open" sheetId="2" r:id="r4"/></sheets></workbook>`,
	})
	want := "[heading 1 on page 1]\nOpen\n\n[table on page 1]\n| a | d |\n\n" +
		`warning {"code":"HIDDEN_LEFT_OUT","message":"Hidden rows or columns of sheet 1 were left out.","page":1}` + "\n" +
		`warning {"code":"HIDDEN_LEFT_OUT","message":"Hidden sheets were left out: Secret."}`
	if got := shown(t, readWorkbook, p); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestNumberFormats shows numbers by the codes of formats.
func TestNumberFormats(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code string
		v    float64
		want string
	}{
		{"General", 1234.5, "1234.5"}, {"General", -3, "-3"}, {"General", 1e20, "1E+20"}, {"General", 0.1 + 0.2, "0.3"}, {"@", 42, "42"},
		{"0", 2.5, "3"}, {"0", -0.4, "0"}, {"0.00", 1.005, "1.01"}, {"0.0#", 1.5, "1.5"}, {"0.0#", 1.25, "1.25"}, {"#.##", 0.5, ".5"}, {"000", 7, "007"},
		{"#,##0", 1234567, "1,234,567"}, {"#,##0.00", -1234.5, "-1,234.50"}, {"#,##0,", 1234567, "1,235"}, {"0.0,,\"M\"", 2500000, "2.5M"},
		{"#,##0;(#,##0)", -5, "(5)"}, {"0;-0;\"none\"", 0, "none"}, {";;;", 5, ""}, {"[Red]-0.0", 2, "-2.0"}, {"\"No. \"0", 3, "No. 3"},
		{"0%", 0.5, "50%"}, {"0.0 %", 0.123, "12.3 %"}, {"$#,##0.00", 3, "$3.00"}, {`_-* #,##0.00\ "kr"_-;-* #,##0.00\ "kr"_-`, 8, "8.00 kr"}, {"[$¥-411]#,##0", 900, "¥900"},
		{"0.00E+00", 12345, "1.23E+04"}, {"# ?/?", 0.5, "0.5"}, {"000-0000", 5551234, "555-1234"}, {"[>=1000]0.0;0", 5, "5"},
		{"dd/mm/yyyy", 45350, "2024-02-28"}, {"m/d/yy h:mm", 45350.5, "2024-02-28 12:00"}, {"mmm yyyy", 45350, "2024-02"}, {"yyyy", 45350, "2024"},
		{"h:mm AM/PM", 0.75, "18:00"}, {"h:mm:ss", 0.5000115741, "12:00:01"}, {"[h]:mm", 1.5, "36:00"}, {"yyyy-mm-dd", 1, "1900-01-01"}, {"yyyy-mm-dd", -1, "-1"},
		{"yyyy-mm-dd", 1e12, "1000000000000"}, {"yyyy\"年\"m\"月\"d\"日\"", 45350, "2024-02-28"}, {"[$-F800]dddd, mmmm dd, yyyy", 45350, "2024-02-28"},
	} {
		if got := compileFormat(c.code).show(c.v, false); got != c.want {
			t.Errorf("%v as %s is %q instead of %q", c.v, c.code, got, c.want)
		}
	}
	if got := compileFormat("yyyy-mm-dd").show(43888, true); got != "2024-02-28" {
		t.Errorf("a date since 1904 is %q", got)
	}
}

// TestSheetLimits refuses what is too large, rather than reading half of it.
func TestSheetLimits(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range maxSheetRows {
		fmt.Fprintf(&b, `<row><c><v>%d</v></c></row>`, i+100_000)
	}
	rows := b.String()
	if ex, err := readOffice(readWorkbook, book(rows, "").zip(t)); err != nil || strings.Count(ex.Text, "\n1") != maxSheetRows {
		t.Errorf("as many rows as are allowed: %v", err)
	}
	for name, p := range map[string]parts{
		"a row too many":    book(rows+`<row><c><v>1</v></c></row>`, ""),
		"a million columns": book(`<row>`+strings.Repeat(`<c><v>1</v></c>`, 1_000_000)+`</row>`, ""),
		"a far column":      book(`<row><c r="ZZZ1"><v>1</v></c></row>`, ""),
		"much text":         book(`<row>`+strings.Repeat(`<c t="s"><v>0</v></c>`, 200)+`</row>`, "").with(parts{"xl/sharedStrings.xml": `<sst><si><t>` + strings.Repeat("long ", 20_000) + `</t></si></sst>`}),
	} {
		if _, err := readOffice(readWorkbook, p.zip(t)); !is(err, kyro.CodeLimitReached) && !is(err, kyro.CodeValidation) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A merge over all rows of a sheet fills none that are empty.
	merged := book(rowsOf("a", "b"), `<mergeCells><mergeCell ref="A1:A1048576"/></mergeCells>`)
	if got := shown(t, readWorkbook, merged); !strings.HasSuffix(got, "a\nb") {
		t.Errorf("got %s", got)
	}
}
