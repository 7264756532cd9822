package extract

import (
	"strings"
	"testing"

	"golang.org/x/text/encoding/unicode"
)

const wordStylesPart = `<w:styles ` + wordSpace + `>
<w:style w:type="paragraph" w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>
<w:style w:type="paragraph" w:styleId="Mine"><w:name w:val="My own"/><w:basedOn w:val="berschrift2"/></w:style>
<w:style w:type="paragraph" w:styleId="berschrift2"><w:name w:val="heading 2"/><w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="Titel"><w:name w:val="Title"/></w:style>
<w:style w:type="paragraph" w:styleId="TOC1"><w:name w:val="toc 1"/></w:style>
<w:style w:type="paragraph" w:styleId="SourceCode"><w:name w:val="Source Code"/></w:style>
<w:style w:type="paragraph" w:styleId="ListNumber"><w:name w:val="List Number"/><w:pPr><w:numPr><w:numId w:val="2"/></w:numPr></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="Round"><w:name w:val="Round"/><w:basedOn w:val="Trip"/></w:style>
<w:style w:type="paragraph" w:styleId="Trip"><w:name w:val="Trip"/><w:basedOn w:val="Round"/></w:style>
<w:style w:type="character" w:styleId="Secret"><w:name w:val="Secret"/><w:rPr><w:vanish/></w:rPr></w:style>
</w:styles>`

const wordNumberingPart = `<w:numbering ` + wordSpace + `>
<w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="bullet"/><w:lvlText w:val="&#xF0B7;"/></w:lvl>
<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="bullet"/><w:lvlText w:val="o"/></w:lvl></w:abstractNum>
<w:abstractNum w:abstractNumId="1"><w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>
<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%2)"/></w:lvl>
<w:lvl w:ilvl="2"><w:start w:val="1"/><w:numFmt w:val="upperRoman"/><w:lvlText w:val="%1.%2.%3"/></w:lvl>
<w:lvl w:ilvl="3"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:isLgl/><w:lvlText w:val="%1.%2.%3.%4"/></w:lvl></w:abstractNum>
<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>
<w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num>
<w:num w:numId="3"><w:abstractNumId w:val="1"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="4"/></w:lvlOverride></w:num>
</w:numbering>`

// styled is a paragraph of a style, item one of a list.
func styled(style, s string) string {
	return `<w:p><w:pPr><w:pStyle w:val="` + style + `"/></w:pPr><w:r><w:t>` + s + `</w:t></w:r></w:p>`
}

func item(id, level, s string) string {
	return `<w:p><w:pPr><w:numPr><w:ilvl w:val="` + level + `"/><w:numId w:val="` + id + `"/></w:numPr></w:pPr><w:r><w:t>` + s + `</w:t></w:r></w:p>`
}

func tc(properties, s string) string {
	return `<w:tc><w:tcPr>` + properties + `</w:tcPr>` + wp(s) + `</w:tc>`
}

// TestWord pins what a Word document says in each of the ways that it can say it.
func TestWord(t *testing.T) {
	t.Parallel()
	run := func(s string) string { return `<w:r><w:t>` + s + `</w:t></w:r>` }
	for name, c := range map[string]struct{ body, want string }{
		"runs of one word": {`<w:p>` + run("Gar") + run("den") + `</w:p>`, "[paragraph]\nGarden"},
		"signs": {`<w:p><w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t><w:noBreakHyphen/><w:t>d</w:t><w:softHyphen/><w:t>e</w:t><w:sym w:font="Symbol" w:char="F061"/><w:sym w:font="Wingdings" w:char="F0FC"/></w:r></w:p>`,
			"[paragraph]\na\tb\nc-deα✓"},
		"tab stops are no tabs":   {`<w:p><w:pPr><w:tabs><w:tab w:val="left" w:pos="720"/></w:tabs></w:pPr>` + run("x") + `</w:p>`, "[paragraph]\nx"},
		"a heading of any tongue": {styled("berschrift1", "Anfang") + wp("Text"), "[heading 1]\nAnfang\n\n[paragraph]\nText"},
		"a heading by its base":   {styled("Mine", "Part"), "[heading 2]\nPart"},
		"a heading of its own": {`<w:p><w:pPr><w:outlineLvl w:val="2"/></w:pPr>` + run("Deep") + `</w:p>` +
			`<w:p><w:pPr><w:pStyle w:val="berschrift1"/><w:outlineLvl w:val="9"/></w:pPr>` + run("body") + `</w:p>`, "[heading 3]\nDeep\n\n[paragraph]\nbody"},
		"styles in a circle":  {styled("Round", "x"), "[paragraph]\nx"},
		"a table of contents": {styled("TOC1", "Anfang 3") + styled("berschrift1", "Anfang"), "[heading 1]\nAnfang"},
		"code":                {styled("SourceCode", "if x {") + styled("SourceCode", "\tgo") + styled("SourceCode", "}"), "[code]\nif x {\n\tgo\n}"},
		"bullets":             {item("1", "0", "a") + item("1", "1", "b") + item("1", "0", "c"), "[list]\n- a\n  - b\n- c"},
		"numbers": {item("2", "0", "a") + item("2", "1", "b") + item("2", "1", "c") + item("2", "2", "d") + item("2", "3", "legal") + item("2", "0", "e") + item("2", "1", "f"),
			"[list]\n1. a\n  a) b\n  b) c\n    1.b.I d\n      1.2.1.1 legal\n2. e\n  a) f"},
		"numbers go on, and begin anew": {item("2", "0", "a") + wp("between") + item("2", "0", "b") + item("3", "0", "c"),
			"[list]\n1. a\n\n[paragraph]\nbetween\n\n[list]\n2. b\n\n[list]\n4. c"},
		"numbers of a style":   {styled("ListNumber", "a") + styled("ListNumber", "b"), "[list]\n1. a\n2. b"},
		"a numbered heading":   {`<w:p><w:pPr><w:pStyle w:val="berschrift1"/><w:numPr><w:ilvl w:val="0"/><w:numId w:val="2"/></w:numPr></w:pPr>` + run("First") + `</w:p>`, "[heading 1]\n1. First"},
		"no number after all":  {`<w:p><w:pPr><w:pStyle w:val="ListNumber"/><w:numPr><w:numId w:val="0"/></w:numPr></w:pPr>` + run("x") + `</w:p>`, "[paragraph]\nx"},
		"an item of two lines": {`<w:p><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr><w:r><w:t>a</w:t><w:br/><w:t>b</w:t></w:r></w:p>`, "[list]\n- a\n  b"},
		"a table": {`<w:tbl><w:tblPr/><w:tr><w:trPr><w:tblHeader/></w:trPr>` + tc("", "Tea") + tc("", "Price") + `</w:tr><w:tr>` + tc("", "green") + tc("", "4") + `</w:tr></w:tbl>`,
			"[table]\n| Tea | Price |\n| green | 4 |"},
		"merged cells": {`<w:tbl><w:tr>` + tc(`<w:gridSpan w:val="2"/>`, "wide") + tc(`<w:vMerge w:val="restart"/>`, "tall") + `</w:tr><w:tr>` + tc("", "a") + tc("", "b") + tc(`<w:vMerge/>`, "hidden by the merge") + `</w:tr></w:tbl>`,
			"[table]\n| wide |  | tall |\n| a | b |  |"},
		"a header row again": {`<w:tbl><w:tr><w:trPr><w:tblHeader/></w:trPr>` + tc("", "A") + tc("", "B") + `</w:tr><w:tr>` + tc("", "1") + tc("", "2") + `</w:tr><w:tr><w:trPr><w:tblHeader/></w:trPr>` + tc("", "A") + tc("", "B") + `</w:tr></w:tbl>`,
			"[table]\n| A | B |\n| 1 | 2 |"},
		"a table in a cell": {`<w:tbl><w:tr>` + tc("", "a") + `<w:tc><w:tbl><w:tr>` + tc("", "b") + tc("", "c") + `</w:tr><w:tr>` + tc("", "d") + tc("", "") + `</w:tr></w:tbl><w:p/></w:tc></w:tr></w:tbl>`,
			"[table]\n| a | b, c; d |"},
		"a frame":         {`<w:tbl><w:tr><w:tc>` + styled("berschrift1", "In a box") + wp("text") + `</w:tc></w:tr></w:tbl>`, "[heading 1]\nIn a box\n\n[paragraph]\ntext"},
		"a deleted row":   {`<w:tbl><w:tr>` + tc("", "a") + tc("", "b") + `</w:tr><w:tr><w:trPr><w:del w:id="1"/></w:trPr>` + tc("", "c") + tc("", "d") + `</w:tr></w:tbl>`, "[table]\n| a | b |"},
		"tracked changes": {`<w:p>` + run("The ") + `<w:del><w:r><w:delText>old</w:delText></w:r></w:del><w:ins>` + run("new") + `</w:ins>` + run(" way") + `<w:moveFrom>` + run("gone") + `</w:moveFrom><w:moveTo>` + run(" here") + `</w:moveTo></w:p>`, "[paragraph]\nThe new way here"},
		"a deleted end":   {`<w:p><w:pPr><w:rPr><w:del w:id="1"/></w:rPr></w:pPr>` + run("one ") + `</w:p>` + wp("two"), "[paragraph]\none two"},
		"old properties": {`<w:p><w:pPr><w:pPrChange><w:pPr><w:pStyle w:val="berschrift1"/></w:pPr></w:pPrChange></w:pPr><w:r><w:rPr><w:rPrChange><w:rPr><w:vanish/></w:rPr></w:rPrChange></w:rPr><w:t>text</w:t></w:r></w:p>`,
			"[paragraph]\ntext"},
		"a field": {`<w:p><w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>IF </w:instrText></w:r><w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>MERGEFIELD</w:instrText></w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r>` + run("inner") + `<w:r><w:fldChar w:fldCharType="end"/></w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r>` + run("result") + `<w:r><w:fldChar w:fldCharType="end"/></w:r>` + run(" after") + `</w:p>`,
			"[paragraph]\nresult after"},
		"a field without an end": {`<w:p><w:r><w:fldChar w:fldCharType="begin"/></w:r></w:p>` + wp("kept"), "[paragraph]\nkept"},
		"links and wraps":        {`<w:p><w:hyperlink r:id="x">` + run("a link") + `</w:hyperlink><w:fldSimple w:instr="DATE">` + run(" today") + `</w:fldSimple><w:smartTag>` + run(" tagged") + `</w:smartTag></w:p>`, "[paragraph]\na link today tagged"},
		"controls":               {`<w:sdt><w:sdtPr><w:alias w:val="no"/></w:sdtPr><w:sdtContent>` + wp("outside") + `<w:p><w:sdt><w:sdtContent>` + run("inside") + `</w:sdtContent></w:sdt></w:p></w:sdtContent></w:sdt>`, "[paragraph]\noutside\n\n[paragraph]\ninside"},
		"hidden text":            {`<w:p>` + run("seen") + `<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r><w:r><w:rPr><w:rStyle w:val="Secret"/></w:rPr><w:t>secret</w:t></w:r><w:r><w:rPr><w:rStyle w:val="Secret"/><w:vanish w:val="0"/></w:rPr><w:t> shown</w:t></w:r></w:p>`, "[paragraph]\nseen shown"},
		"a box of text once": {`<w:p>` + run("before") + `<w:r><mc:AlternateContent><mc:Choice Requires="wps"><w:drawing><wps:txbx><w:txbxContent>` + wp("in the box") + `</w:txbxContent></wps:txbx></w:drawing></mc:Choice><mc:Fallback><w:pict><v:textbox><w:txbxContent>` + wp("in the box") + `</w:txbxContent></v:textbox></w:pict></mc:Fallback></mc:AlternateContent></w:r></w:p>`,
			"[paragraph]\nbefore\n\n[paragraph]\nin the box"},
		"a box in the old form alone": {`<w:p><w:r><mc:AlternateContent><mc:Choice Requires="x"><w:drawing/></mc:Choice><mc:Fallback><w:pict><v:textbox><w:txbxContent>` + wp("old") + `</w:txbxContent></v:textbox></w:pict></mc:Fallback></mc:AlternateContent></w:r></w:p>`, "[paragraph]\nold"},
		"mathematics":                 {`<w:p><m:oMath><m:f><m:num><m:r><m:t>a</m:t></m:r></m:num><m:den><m:r><m:t>b</m:t></m:r></m:den></m:f><m:r><m:t>=c</m:t></m:r></m:oMath></w:p>`, "[paragraph]\na/b=c"},
		"readings":                    {`<w:p><w:r><w:ruby><w:rt><w:r><w:t>かん</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>漢</w:t></w:r></w:rubyBase></w:ruby></w:r></w:p>`, "[paragraph]\n漢"},
		"a diagram":                   {`<w:p><w:r><w:drawing><a:graphic><a:graphicData><dgm:relIds r:dm="r4" r:lo="x"/></a:graphicData></a:graphic></w:drawing></w:r></w:p>`, "[paragraph]\nPlan\n\n[paragraph]\nDo it"},
		"notes, each once": {styled("berschrift1", "A") + `<w:p>` + run("fact") + `<w:r><w:footnoteReference w:id="2"/></w:r>` + run(" and again") + `<w:r><w:footnoteReference w:id="2"/></w:r></w:p>` + styled("berschrift1", "B"),
			"[heading 1]\nA\n\n[paragraph]\nfact[1] and again[1]\n\n[paragraph]\n[1] The source.\n\n[heading 1]\nB"},
		"letters are composed": {wp("Cafe\u0301 \u202Ehid\u202C"), "[paragraph]\nCafé hid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := shown(t, readWord, word(c.body).with(parts{
				"word/styles.xml":         wordStylesPart,
				"word/numbering.xml":      wordNumberingPart,
				"word/footnotes.xml":      `<w:footnotes ` + wordSpace + `><w:footnote w:type="separator" w:id="0">` + wp("line") + `</w:footnote><w:footnote w:id="2">` + wp("The source.") + `</w:footnote></w:footnotes>`,
				"word/comments.xml":       `<w:comments ` + wordSpace + `><w:comment w:id="1">` + wp("a comment") + `</w:comment></w:comments>`,
				"word/header1.xml":        `<w:hdr ` + wordSpace + `>` + wp("a header") + `</w:hdr>`,
				"word/diagrams/data1.xml": `<dgm:dataModel ` + wordSpace + `><dgm:ptLst><dgm:pt><dgm:t><a:p><a:r><a:t>Plan</a:t></a:r></a:p></dgm:t></dgm:pt><dgm:pt><dgm:t><a:p><a:r><a:t>Do</a:t></a:r><a:r><a:t> it</a:t></a:r></a:p></dgm:t></dgm:pt></dgm:ptLst></dgm:dataModel>`,
			}))
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// TestWordTitle takes the title of the properties, and else the paragraph that is set as one.
func TestWordTitle(t *testing.T) {
	t.Parallel()
	styles := parts{"word/styles.xml": wordStylesPart}
	properties := func(title string) parts {
		return parts{
			"_rels/.rels":       refers("officeDocument", "word/document.xml", "metadata/core-properties", "docProps/core.xml"),
			"docProps/core.xml": `<cp:coreProperties xmlns:cp="c" xmlns:dc="d"><dc:title>` + title + `</dc:title></cp:coreProperties>`,
		}
	}
	body := word(styled("Titel", "As it is set") + wp("Text")).with(styles)
	for want, p := range map[string]parts{
		"As it is set":  body,
		"As it is told": body.with(properties(" As it\nis told ")),
	} {
		ex, err := readOffice(readWord, p.zip(t))
		if err != nil || ex.Title != want {
			t.Errorf("%q, %v instead of %q", ex.Title, err, want)
		}
	}
	if ex, err := readOffice(readWord, body.with(properties("Word Document")).zip(t)); err != nil || ex.Title != "As it is set" {
		t.Errorf("a name that programs give is taken for a title: %q, %v", ex.Title, err)
	}
}

// TestWordFormsOfXML reads the strict form, a main part of another name, UTF-16, and prefixes that nobody expects.
func TestWordFormsOfXML(t *testing.T) {
	t.Parallel()
	strict := `<?xml version="1.0"?><x:document xmlns:x="http://purl.oclc.org/ooxml/wordprocessingml/main"><x:body><x:p><x:r><x:t>Tea &amp; größer</x:t></x:r></x:p></x:body></x:document>`
	root := `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="a" Type="http://purl.oclc.org/ooxml/officeDocument/relationships/officeDocument" Target="/other/main2.xml"/></Relationships>`
	wide := func(order unicode.Endianness, mark unicode.BOMPolicy) string {
		s, err := unicode.UTF16(order, mark).NewEncoder().String(strings.Replace(strict, `"1.0"`, `"1.0" encoding="UTF-16"`, 1))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for name, main := range map[string]string{
		"strict": strict, "with a mark": "\xef\xbb\xbf" + strict,
		"UTF-16": wide(unicode.LittleEndian, unicode.UseBOM), "UTF-16, big end first": wide(unicode.BigEndian, unicode.UseBOM),
		"UTF-16 without a mark": wide(unicode.LittleEndian, unicode.IgnoreBOM),
	} {
		if got := shown(t, readWord, parts{"_rels/.rels": root, "other/main2.xml": main}); got != "[paragraph]\nTea & größer" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestNumerals writes numbers as lists do.
func TestNumerals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		format string
		n      int
		want   string
	}{
		{"decimal", 12, "12"}, {"decimalZero", 7, "07"}, {"lowerLetter", 1, "a"}, {"lowerLetter", 28, "bb"}, {"upperLetter", 26, "Z"},
		{"lowerRoman", 4, "iv"}, {"upperRoman", 1999, "MCMXCIX"}, {"chineseCounting", 21, "二十一"}, {"lowerLetter", 0, "0"}, {"upperRoman", 1 << 30, "1073741824"},
	} {
		if got := numeral(c.format, c.n); got != c.want {
			t.Errorf("%s of %d is %q instead of %q", c.format, c.n, got, c.want)
		}
	}
}
