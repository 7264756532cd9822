package extract

import (
	"archive/zip"
	"bytes"
	"io"
	"strings"
	"testing"

	"kyrochat/kyro"
)

// fuzzLimits are small, so that the fuzzer meets them.
func fuzzLimits() kyro.Limits {
	limits := kyro.DefaultLimits()
	limits.MaxExtractedText, limits.MaxPages = 1<<20, 50
	return limits
}

// fuzzOffice reads an archive whose parts the fuzzer makes, with one of them twice its own: as XML, and where it is
// none, as the archive itself.
func fuzzOffice(f *testing.F, read officeReader, part string, base parts, seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s), "")
	}
	f.Add(base.zip(f), "")
	f.Add([]byte(base[part]), base["_rels/.rels"])
	f.Fuzz(func(t *testing.T, data []byte, second string) {
		if len(data) > 1<<20 || len(second) > 1<<20 {
			return
		}
		if !bytes.HasPrefix(data, []byte("PK")) {
			p := base.with(parts{part: string(data)})
			if second != "" {
				p["word/styles.xml"], p["word/numbering.xml"], p["word/footnotes.xml"] = second, second, second
				p["xl/styles.xml"], p["xl/sharedStrings.xml"], p["xl/tables/table1.xml"] = second, second, second
				p["ppt/charts/chart1.xml"], p["ppt/notesSlides/notesSlide1.xml"] = second, second
			}
			data = p.zip(t)
		}
		checkOffice(t, read, data)
	})
}

// checkOffice asserts what holds for every file: text in its stored form with blocks in order, or an error that a person
// can do something about.
func checkOffice(t *testing.T, read officeReader, data []byte) {
	t.Helper()
	a, err := openArchive(bytes.NewReader(data), int64(len(data)))
	var ex kyro.Extraction
	limits := fuzzLimits()
	if err == nil {
		ex, err = read(a, limits, func(done, total int) {
			if done > total {
				t.Errorf("%d of %d are done", done, total)
			}
		})
		if a.unpacked > maxUnpacked+64<<10 {
			t.Errorf("%d bytes were unpacked", a.unpacked)
		}
	}
	if err != nil {
		if !is(err, kyro.CodeValidation) && !is(err, kyro.CodeLimitReached) {
			t.Fatalf("an error without help: %v", err)
		}
		return
	}
	checkExtraction(t, ex)
	if err := sane(&ex, limits); err != nil {
		t.Error(err)
	}
	if len(ex.PageChars) != ex.Pages {
		t.Errorf("%d counts of %d pages", len(ex.PageChars), ex.Pages)
	}
}

func FuzzDOCX(f *testing.F) {
	base := word("").with(parts{"word/styles.xml": wordStylesPart, "word/numbering.xml": wordNumberingPart, "word/footnotes.xml": `<w:footnotes/>`})
	root := func(body string) string {
		return `<w:document ` + wordSpace + `><w:body>` + body + `</w:body></w:document>`
	}
	fuzzOffice(f, readWord, "word/document.xml", base,
		root(wp("Text")+styled("berschrift1", "Head")+item("2", "1", "a")+item("1", "0", "b")),
		root(`<w:tbl><w:tr>`+tc(`<w:gridSpan w:val="9"/><w:vMerge/>`, "a")+`<w:tc><w:tbl><w:tr>`+tc("", "b")+`</w:tr></w:tbl></w:tc></w:tr></w:tbl>`),
		root(`<w:p><w:pPr><w:rPr><w:del/></w:rPr></w:pPr><w:r><w:fldChar w:fldCharType="begin"/><w:sym w:font="Symbol" w:char="F061"/><w:t>x`+"\u3000\ufe0f\u0301"+`</w:t></w:r></w:p>`+styled("SourceCode", "\tx")),
		root(`<w:p><mc:AlternateContent><mc:Choice><wps:txbx><w:txbxContent>`+wp("box")+`</w:txbxContent></wps:txbx></mc:Choice></mc:AlternateContent><w:r><w:footnoteReference w:id="2"/></w:r></w:p>`),
	)
}

func FuzzPPTX(f *testing.F) {
	base := deck("").with(parts{
		"ppt/slides/_rels/slide1.xml.rels": refers("notesSlide", "../notesSlides/notesSlide1.xml", "chart", "../charts/chart1.xml"),
		"ppt/notesSlides/notesSlide1.xml":  `<p:notes/>`, "ppt/charts/chart1.xml": `<c:chartSpace/>`,
	})
	root := func(tree string) string {
		return `<p:sld ` + slideSpace + `><p:cSld><p:spTree>` + tree + `</p:spTree></p:cSld></p:sld>`
	}
	fuzzOffice(f, readPresentation, "ppt/slides/slide1.xml", base,
		root(sp("title", "T")+sp("body", "a", `<a:pPr lvl="3"><a:buAutoNum type="romanLcParenBoth" startAt="9"/></a:pPr><a:r><a:t>b</a:t></a:r>`)),
		root(`<p:graphicFrame><a:tbl><a:tr><a:tc vMerge="1"><a:txBody><a:p><a:t>x</a:t></a:p></a:txBody></a:tc></a:tr></a:tbl><c:chart r:id="r2"/></p:graphicFrame>`),
	)
}

func FuzzXLSX(f *testing.F) {
	base := book("", "").with(parts{
		"xl/worksheets/_rels/sheet1.xml.rels": refers("table", "../tables/table1.xml"), "xl/tables/table1.xml": `<table ref="A1:B3"/>`,
		"xl/sharedStrings.xml": `<sst><si><t>a</t></si></sst>`,
		"xl/styles.xml":        `<styleSheet><numFmts><numFmt numFmtId="164" formatCode="#,##0.0# [$€];[Red](0.0%);h:mm"/></numFmts><cellXfs><xf numFmtId="164"/><xf numFmtId="22"/></cellXfs></styleSheet>`,
	})
	root := func(data, after string) string {
		return `<worksheet ` + sheetSpace + `><sheetData>` + data + `</sheetData>` + after + `</worksheet>`
	}
	fuzzOffice(f, readWorkbook, "xl/worksheets/sheet1.xml", base,
		root(rowsOf("Tea,Price", "green,4.5", "", "x,y,z"), `<mergeCells><mergeCell ref="A1:B9"/></mergeCells><autoFilter ref="A1:B2"/>`),
		root(`<row r="9"><c r="C9" s="1"><v>45350.7</v></c><c r="A9" t="s"><v>0</v></c></row><row r="2" hidden="1"><c t="b"><v>1</v></c></row>`, ""),
		root(`<row><c t="inlineStr"><is><t>_x0301_`+"\u3000\ufe0f"+`</t></is></c><c s="0"><v>-1e300</v></c></row>`, ""),
	)
}

// FuzzNumberFormat shows any number by any code.
func FuzzNumberFormat(f *testing.F) {
	for _, code := range []string{"General", "#,##0.00 [$€-407];[Red]-0;\"none\"", "[h]:mm:ss", "0.0E+0", "# ?/?", "000-00", "yyyy\\-mm", "[$-"} {
		f.Add(code, 45350.25)
	}
	f.Fuzz(func(t *testing.T, code string, v float64) {
		if s := compileFormat(code).show(v, false); len(s) > 2*longestFormat+400 {
			t.Errorf("%v as %q has %d bytes", v, code, len(s))
		}
	})
}

// FuzzArchive opens any bytes, and reads what is in them.
func FuzzArchive(f *testing.F) {
	f.Add(word(wp("Text")).zip(f))
	f.Add(rawZip([]rawEntry{entry("a", "one"), {name: "b", data: bomb(10 << 10), method: zip.Deflate, at: -1}}))
	f.Add(rawZip([]rawEntry{entry("a", "one"), {name: "b", data: []byte("x"), at: 0}}))
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := openArchive(bytes.NewReader(data), int64(len(data)))
		if err == nil {
			for _, e := range a.entries {
				var n int64
				if n, err = io.Copy(io.Discard, a.open(e.name)); n > freeRatio+maxRatio*int64(len(data)) {
					t.Errorf("%d bytes were unpacked from %d", n, len(data))
				}
				if err != nil {
					break
				}
			}
		}
		if err != nil && !is(err, kyro.CodeValidation) && !is(err, kyro.CodeLimitReached) {
			t.Fatalf("an error without help: %v", err)
		}
	})
}
