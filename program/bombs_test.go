package program

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"strings"
)

// bomb is a small file that asks for far more than it is.
type bomb struct {
	name    string
	content func() []byte
	reads   bool // its text is found; else it is refused, or FAILED with a reason
}

const (
	wordMain = `<?xml version="1.0" encoding="UTF-8"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>`
	wordEnd  = `</w:body></w:document>`
	rels     = `<?xml version="1.0" encoding="UTF-8"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="%s"/>%s</Relationships>`
	types    = `<?xml version="1.0" encoding="UTF-8"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/%s" ContentType="application/vnd.openxmlformats-officedocument.%s.main+xml"/></Types>`
)

// bombs are those that are tried on a whole server, one for each trick and format.
func bombs() []bomb {
	return []bomb{
		{"a text of one line.txt", func() []byte { return bytes.Repeat([]byte("word"), 1<<20) }, true},
		{"letters without end.txt", func() []byte { return bytes.Repeat([]byte("a"), 32<<20) }, false},
		{"quotes in quotes.md", func() []byte { return []byte(strings.Repeat(">", 1_000_000) + "x") }, true},
		{"brackets.md", func() []byte { return []byte(strings.Repeat("[", 500_000) + strings.Repeat("*a _b ", 100_000)) }, true},

		{"a million divs in each other.html", func() []byte {
			return []byte("<!doctype html><html><body>" + strings.Repeat("<div>", 1_000_000) + "deep</body></html>")
		}, false},
		{"a million divs side by side.html", func() []byte {
			return []byte("<!doctype html><html><body>" + strings.Repeat("<div>a</div>", 1_000_000) + "</body></html>")
		}, false},
		{"links in links.html", func() []byte {
			return []byte("<!doctype html><html><body>" + strings.Repeat("<a href=x><b><i>", 300_000) + "x</body></html>")
		}, true},
		{"tables in tables.html", func() []byte {
			return []byte("<!doctype html><html><body>" + strings.Repeat("<table><tr><td colspan=1000 rowspan=65000>x", 50_000) + "</body></html>")
		}, true},
		{"attributes.html", func() []byte {
			var b strings.Builder
			b.WriteString("<!doctype html><html><body><p ")
			for i := range 100_000 {
				fmt.Fprintf(&b, "a%d=1 ", i)
			}
			return []byte(b.String() + ">x</p></body></html>")
		}, true},
		{"entities.html", func() []byte {
			return []byte("<!doctype html><html><body><p>" + strings.Repeat("&amp;&#x41;&none;&", 200_000) + "</p></body></html>")
		}, true},
		{"styles.html", func() []byte {
			return []byte("<!doctype html><html><head><style>" + strings.Repeat("a>b{c:d}", 1_000_000) + "</style></head><body>" +
				strings.Repeat("<p style='color:red;"+strings.Repeat("x:y;", 100)+"'>word</p>", 5_000) + "</body></html>")
		}, true},
		{"comments.html", func() []byte {
			return []byte("<!doctype html><html><body><p>A page.</p>" + strings.Repeat("<!--", 2_000_000) + "</body></html>")
		}, true},
		{"tags without end.html", func() []byte {
			return []byte("<!doctype html><html><body><p>A page.</p>" + strings.Repeat("<a <b '", 300_000))
		}, true},

		{"one line of commas.csv", func() []byte { return bytes.Repeat([]byte("a,"), 6<<20) }, false},
		{"one line without commas.csv", func() []byte { return append([]byte("a,b\n"), bytes.Repeat([]byte("a "), 9<<20)...) }, false},
		{"a quote that does not end.csv", func() []byte { return append([]byte("a,b\n\""), bytes.Repeat([]byte("x,\n"), 9<<20)...) }, false},
		{"depth.json", func() []byte { return bytes.Repeat([]byte("["), 10<<20) }, false},
		{"numbers.json", func() []byte { return []byte("[" + strings.Repeat("1,", 3<<20) + "1]") }, false},
		{"paths.json", func() []byte {
			name := strings.Repeat("k", 60_000)
			return []byte(strings.Repeat(`{"`+name+`":`, 150) + "{" + strings.TrimSuffix(strings.Repeat(`"a":{"b":1},`, 10_000), ",") + "}" + strings.Repeat("}", 150))
		}, true},

		{"ten gigabytes.docx", func() []byte {
			return office("word/document.xml", "wordprocessingml.document", "", piece{"word/document.xml", inflating([]byte(wordMain), 10<<10, []byte(wordEnd)), 10 << 30, true})
		}, false},
		{"entities.docx", func() []byte {
			laughs := `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha">`
			for c := 'b'; c <= 'k'; c++ {
				laughs += fmt.Sprintf(`<!ENTITY %c "%s">`, c, strings.Repeat(fmt.Sprintf("&%c;", c-1), 10))
			}
			return office("word/document.xml", "wordprocessingml.document", "", plain("word/document.xml", laughs+`]><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>&k;</w:t></w:r></w:p></w:body></w:document>`))
		}, false},
		{"depth.docx", func() []byte {
			return office("word/document.xml", "wordprocessingml.document", "", plain("word/document.xml", wordMain+strings.Repeat("<w:sdt>", 1_000_000)))
		}, false},
		{"many parts.docx", func() []byte {
			parts := []piece{plain("word/document.xml", wordMain+"<w:p><w:r><w:t>x</w:t></w:r></w:p>"+wordEnd)}
			for i := range 60_000 {
				parts = append(parts, plain(fmt.Sprintf("p%d", i), ""))
			}
			return office("word/document.xml", "wordprocessingml.document", "", parts...)
		}, false},
		{"overlapping parts.docx", func() []byte {
			return overlapping(office("word/document.xml", "wordprocessingml.document", "", plain("word/document.xml", wordMain+strings.Repeat("<w:p><w:r><w:t>again and again</w:t></w:r></w:p>", 100_000)+wordEnd)), 1_000)
		}, false},
		{"archives in archives.docx", func() []byte {
			inner := bytes.Repeat([]byte{0}, 1<<20)
			for range 6 {
				inner = zipOf(plain("a.zip", string(inner)), plain("b.zip", string(inner)))
			}
			return zipOf(plain("word/document.zip", string(inner)))
		}, false},
		{"tables in tables.docx", func() []byte {
			var b strings.Builder
			for i := range 60 {
				b.WriteString("<w:tbl>")
				for j := range 300 {
					fmt.Fprintf(&b, "<w:tr><w:tc><w:p><w:r><w:t>%x</w:t></w:r></w:p></w:tc><w:tc/></w:tr>", 7919*(300*i+j)*(j+1))
				}
				b.WriteString("<w:tr><w:tc>")
			}
			return office("word/document.xml", "wordprocessingml.document", "", plain("word/document.xml",
				wordMain+b.String()+strings.Repeat("<w:p/></w:tc></w:tr></w:tbl>", 60)+wordEnd))
		}, true},
		{"ten gigabytes.pptx", func() []byte {
			return show(1, piece{"ppt/slides/slide1.xml", inflating([]byte(slideMain), 10<<10, []byte(slideEnd)), 10 << 30, true})
		}, false},
		{"depth.pptx", func() []byte {
			return show(1, plain("ppt/slides/slide1.xml", slideMain+strings.Repeat("<p:grpSp>", 1_000_000)))
		}, false},
		{"one slide many times.pptx", func() []byte {
			return show(50_000, plain("ppt/slides/slide1.xml", slideMain+strings.Repeat("<p:sp><p:txBody><a:p><a:r><a:t>again and again</a:t></a:r></a:p></p:txBody></p:sp>", 2_000)+slideEnd))
		}, false},
		{"ten gigabytes.xlsx", func() []byte {
			return workbook(`<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData/></worksheet>`, "",
				piece{"xl/sharedStrings.xml", inflating([]byte("<sst>"), 10<<10, []byte("</sst>")), 10 << 30, true})
		}, false},
		{"merged cells.xlsx", func() []byte {
			var b strings.Builder
			for column := range 5_000 {
				fmt.Fprintf(&b, `<mergeCell ref="%s1:%s1048576"/>`, columnName(column), columnName(column))
			}
			return workbook(`<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>`+
				strings.Repeat(`<row><c t="inlineStr"><is><t>x</t></is></c></row>`, 50_000)+`</sheetData><mergeCells>`+b.String()+`</mergeCells></worksheet>`, "")
		}, true},
		{"columns.xlsx", func() []byte {
			var b strings.Builder
			b.WriteString(`<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><dimension ref="A1:XFD1048576"/><sheetData>`)
			for row := 1; row <= 200; row++ {
				fmt.Fprintf(&b, `<row r="%d"><c r="XFD%d" t="inlineStr"><is><t>x</t></is></c></row>`, row*5_000, row*5_000)
			}
			return workbook(b.String()+`</sheetData></worksheet>`, "")
		}, true},
		{"strings.xlsx", func() []byte {
			return workbook(`<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>`+
				strings.Repeat(`<row><c t="s"><v>0</v></c><c t="s"><v>0</v></c></row>`, 20_000)+`</sheetData></worksheet>`,
				`<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>`+strings.Repeat("x", 1<<20)+`</t></si></sst>`)
		}, false},

		{"a count that lies.pdf", func() []byte {
			return pdf("/Count 2000000000 /Kids [3 0 R]", "BT /F1 12 Tf 72 700 Td (A page is here.) Tj ET")
		}, true},
		{"one page many times.pdf", func() []byte {
			return pdf("/Count 1900 /Kids ["+strings.Repeat("3 0 R ", 1_900)+"]", "BT /F1 12 Tf 72 700 Td (A page is here.) Tj ET")
		}, true},
		{"objects that are not there.pdf", func() []byte {
			p := pdf("/Count 1 /Kids [3 0 R]", "BT /F1 12 Tf 72 700 Td (A page is here.) Tj ET")
			p = bytes.Replace(p, []byte("xref\n0 6\n"), []byte("xref\n0 2000000000\n"), 1)
			return bytes.Replace(p, []byte("/Size 6"), []byte("/Size 2000000000"), 1)
		}, true},
		{"objects in a stream.pdf", func() []byte {
			return pdf("/Count 1 /Kids [6 0 R]", "", "<< /Type /ObjStm /N 2000000000 /First 2000000000 /Length 8 >> stream\n6 0 7 0 \nendstream")
		}, false},
		{"pages that go round.pdf", func() []byte { return pdf("/Count 1000 /Kids [2 0 R 2 0 R 2 0 R]", "BT ET") }, false},
		{"references that go round.pdf", func() []byte {
			p := pdf("/Count 1 /Kids [3 0 R]", "BT ET")
			at := bytes.LastIndex(p, []byte("trailer"))
			return append(p[:at:at], fmt.Appendf(nil, "trailer << /Root 1 0 R /Size 6 /Prev %d >>\nstartxref\n%d\n%%%%EOF", at-120, at)...)
		}, false},
		{"ten gigabytes.pdf", func() []byte {
			return pdf("/Count 1 /Kids [3 0 R]", "", rawStream("/Filter /FlateDecode", zlibOf(inflating([]byte("BT "), 10<<10, []byte(" ET")))))
		}, false},
		{"filters on filters.pdf", func() []byte {
			data := bytes.Repeat([]byte(" "), 1<<20)
			for range 6 {
				data = zlibbed(data)
			}
			return pdf("/Count 1 /Kids [3 0 R]", "", rawStream("/Filter ["+strings.Repeat("/FlateDecode ", 6)+"]", data))
		}, false},
		{"a stream without end.pdf", func() []byte {
			return append([]byte("%PDF-1.7\n1 0 obj << /Type /Catalog /Pages 2 0 R >> endobj\n4 0 obj << /Length 9999999999 >> stream\n"), bytes.Repeat([]byte("q "), 2<<20)...)
		}, false},
		{"depth.pdf", func() []byte {
			return append([]byte("%PDF-1.7\n1 0 obj "), bytes.Repeat([]byte("["), 2<<20)...)
		}, false},
		{"words without end.pdf", func() []byte {
			return pdf("/Count 1 /Kids [3 0 R]", "BT /F1 1 Tf "+strings.Repeat("1 0 0 1 10 10 Tm (word) Tj ", 100_000)+"ET")
		}, true},
	}
}

// piece is a file of a zip archive.
type piece struct {
	name     string
	content  []byte
	size     uint64 // that is declared, of what is deflated already
	deflated bool
}

func plain(name, content string) piece { return piece{name: name, content: []byte(content)} }

func zipOf(parts ...piece) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, p := range parts {
		if p.deflated {
			w, _ := z.CreateRaw(&zip.FileHeader{Name: p.name, Method: zip.Deflate, CompressedSize64: uint64(len(p.content)), UncompressedSize64: p.size})
			_, _ = w.Write(p.content)
			continue
		}
		method := zip.Deflate
		if len(p.content) == 0 {
			method = zip.Store // what deflates takes its tables for every part, of tens of thousands
		}
		w, _ := z.CreateHeader(&zip.FileHeader{Name: p.name, Method: method})
		_, _ = w.Write(p.content)
	}
	_ = z.Close()
	return b.Bytes()
}

// office is an office document with the parts that every one has.
func office(main, kind, more string, parts ...piece) []byte {
	return zipOf(append([]piece{
		plain("[Content_Types].xml", fmt.Sprintf(types, main, kind)), plain("_rels/.rels", fmt.Sprintf(rels, main, more)),
	}, parts...)...)
}

const (
	slideMain = `<?xml version="1.0" encoding="UTF-8"?><p:sld xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><p:cSld><p:spTree>`
	slideEnd  = `</p:spTree></p:cSld></p:sld>`
)

// show is a presentation that shows its one slide so many times.
func show(times int, parts ...piece) []byte {
	const head = `<?xml version="1.0" encoding="UTF-8"?>`
	return office("ppt/presentation.xml", "presentationml.presentation", "", append([]piece{
		plain("ppt/presentation.xml", head+`<p:presentation xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><p:sldIdLst>`+
			strings.Repeat(`<p:sldId r:id="r1"/>`, times)+`</p:sldIdLst></p:presentation>`),
		plain("ppt/_rels/presentation.xml.rels", head+`<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/slide" Target="slides/slide1.xml"/></Relationships>`),
	}, parts...)...)
}

// columnName is the name of a column of a sheet, from A.
func columnName(n int) string {
	if n < 26 {
		return string(rune('A' + n))
	}
	return columnName(n/26-1) + columnName(n%26)
}

func workbook(sheet, strings string, more ...piece) []byte {
	const head = `<?xml version="1.0" encoding="UTF-8"?>`
	parts := []piece{
		plain("xl/workbook.xml", head+`<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>`),
		plain("xl/_rels/workbook.xml.rels", head+`<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="r2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" Target="sharedStrings.xml"/></Relationships>`),
		plain("xl/worksheets/sheet1.xml", head+sheet),
	}
	if strings != "" {
		parts = append(parts, plain("xl/sharedStrings.xml", head+strings))
	}
	return office("xl/workbook.xml", "spreadsheetml.sheet", "", append(parts, more...)...)
}

// inflating is deflated data of so many megabytes of white space between a head and an end, made of few blocks that are
// repeated.
func inflating(head []byte, megabytes int, end []byte) []byte {
	some := func(b []byte) []byte {
		var out bytes.Buffer
		w, _ := flate.NewWriter(&out, flate.BestCompression)
		_, _ = w.Write(b)
		_ = w.Flush() // which ends at a byte, and refers to nothing before it
		return out.Bytes()
	}
	var last bytes.Buffer
	w, _ := flate.NewWriter(&last, flate.BestCompression)
	_, _ = w.Write(end)
	_ = w.Close()
	out := some(head)
	out = append(out, bytes.Repeat(some(bytes.Repeat([]byte(" "), 1<<20)), megabytes)...)
	return append(out, last.Bytes()...)
}

// zlibOf puts deflated data into an envelope whose sum is wrong, which nobody can know before its end.
func zlibOf(deflated []byte) []byte {
	return append(append([]byte{0x78, 0x9c}, deflated...), 0, 0, 0, 0)
}

func zlibbed(b []byte) []byte {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

// overlapping has the directory of an archive name its last file a thousand times.
func overlapping(archive []byte, times int) []byte {
	end := bytes.LastIndex(archive, []byte("PK\x05\x06"))
	size, at := binary.LittleEndian.Uint32(archive[end+12:]), binary.LittleEndian.Uint32(archive[end+16:])
	directory := archive[at : at+size]
	last := directory[bytes.LastIndex(directory, []byte("PK\x01\x02")):]
	out := append([]byte{}, archive[:at]...)
	out = append(out, directory...)
	for i := range times {
		entry := append([]byte{}, last...)
		name := fmt.Sprintf("%0*d", int(binary.LittleEndian.Uint16(entry[28:])), i)
		copy(entry[46:], name)
		out = append(out, entry...)
	}
	tail := append([]byte{}, archive[end:]...)
	count := binary.LittleEndian.Uint16(tail[8:]) + uint16(times)
	binary.LittleEndian.PutUint16(tail[8:], count)
	binary.LittleEndian.PutUint16(tail[10:], count)
	binary.LittleEndian.PutUint32(tail[12:], uint32(len(out))-at)
	return append(out, tail...)
}

// rawStream is a content stream with its own filters.
func rawStream(filters string, data []byte) string {
	return fmt.Sprintf("<< %s /Length %d >> stream\n%s\nendstream", filters, len(data), data)
}

// pdf is a file of one page, whose tree of pages says what it likes.
func pdf(tree, content string, stream ...string) []byte {
	if len(stream) == 0 {
		stream = []string{rawStream("", []byte(content))}
	}
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages " + tree + " >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
		stream[0], "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
	}
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n")
	var places []int
	for i, object := range objects {
		places = append(places, b.Len())
		fmt.Fprintf(&b, "%d 0 obj %s endobj\n", i+1, object)
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, place := range places {
		fmt.Fprintf(&b, "%010d 00000 n \n", place)
	}
	fmt.Fprintf(&b, "trailer << /Root 1 0 R /Size %d >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, start)
	return b.Bytes()
}
