package extract

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"kyrochat/kyro"
)

// Namespaces, as they stand in every part.
const (
	wordSpace  = `xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape" xmlns:v="urn:schemas-microsoft-com:vml" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"`
	slideSpace = `xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart"`
	sheetSpace = `xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"`
	relation2  = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
)

// parts are the parts of a document by their names.
type parts map[string]string

// with gives the parts with others.
func (p parts) with(more parts) parts {
	all := parts{}
	for _, set := range []parts{p, more} {
		for name, s := range set {
			all[name] = s
		}
	}
	return all
}

// zip packs the parts.
func (p parts) zip(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(p)) {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		if len(p[name]) > 64<<10 {
			h.Method = zip.Store // what is even shrinks more than is allowed, and takes its time
		}
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, p[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// refers writes the references of a part: pairs of a kind and a target, with the ids r1, r2 …
func refers(pairs ...string) string {
	var b strings.Builder
	b.WriteString(`<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">`)
	for i := 0; i+1 < len(pairs); i += 2 {
		fmt.Fprintf(&b, `<Relationship Id="r%d" Type="%s" Target="%s"/>`, i/2+1, relation2+pairs[i], pairs[i+1])
	}
	return b.String() + `</Relationships>`
}

// word is a Word document with a body.
func word(body string) parts {
	return parts{
		"_rels/.rels":                  refers("officeDocument", "word/document.xml"),
		"word/_rels/document.xml.rels": refers("styles", "styles.xml", "numbering", "numbering.xml", "footnotes", "footnotes.xml", "diagramData", "diagrams/data1.xml"),
		"word/document.xml":            `<?xml version="1.0" encoding="UTF-8"?><w:document ` + wordSpace + `><w:body>` + body + `</w:body></w:document>`,
	}
}

// wp is a paragraph of Word.
func wp(s string) string { return `<w:p><w:r><w:t xml:space="preserve">` + s + `</w:t></w:r></w:p>` }

// deck is a presentation of slides; each is what its tree of shapes holds.
func deck(slides ...string) parts {
	p := parts{"_rels/.rels": refers("officeDocument", "ppt/presentation.xml")}
	var list strings.Builder
	var targets []string
	for i, s := range slides {
		root, tree := "", s
		if rest, ok := strings.CutPrefix(s, "hidden:"); ok {
			root, tree = ` show="0"`, rest
		}
		// The order of the parts' names is not the order of the slides.
		name := fmt.Sprintf("slides/slide%d.xml", len(slides)-i)
		targets = append(targets, "slide", name)
		fmt.Fprintf(&list, `<p:sldId id="%d" r:id="r%d"/>`, 256+i, i+1)
		p["ppt/"+name] = `<p:sld ` + slideSpace + root + `><p:cSld><p:spTree>` + tree + `</p:spTree></p:cSld></p:sld>`
	}
	p["ppt/_rels/presentation.xml.rels"] = refers(targets...)
	p["ppt/presentation.xml"] = `<p:presentation ` + slideSpace + `><p:sldIdLst>` + list.String() + `</p:sldIdLst></p:presentation>`
	return p
}

// sp is a shape that holds the place of something, with paragraphs.
func sp(holds string, paragraphs ...string) string {
	ph := ""
	if holds != "" {
		ph = `<p:ph type="` + holds + `"/>`
	}
	var b strings.Builder
	for _, s := range paragraphs {
		if !strings.HasPrefix(s, "<") {
			s = `<a:r><a:t>` + s + `</a:t></a:r>`
		}
		b.WriteString(`<a:p>` + s + `</a:p>`)
	}
	return `<p:sp><p:nvSpPr><p:cNvPr id="2" name="x"/><p:cNvSpPr/><p:nvPr>` + ph + `</p:nvPr></p:nvSpPr><p:txBody><a:bodyPr/>` + b.String() + `</p:txBody></p:sp>`
}

// book is a workbook of one sheet, given by its data and what follows them.
func book(data, after string) parts {
	return parts{
		"_rels/.rels":                refers("officeDocument", "xl/workbook.xml"),
		"xl/_rels/workbook.xml.rels": refers("worksheet", "worksheets/sheet1.xml", "sharedStrings", "sharedStrings.xml", "styles", "styles.xml", "worksheet", "worksheets/sheet2.xml"),
		"xl/workbook.xml":            `<workbook ` + sheetSpace + `><sheets><sheet name="One" sheetId="7" r:id="r1"/></sheets></workbook>`,
		"xl/worksheets/sheet1.xml":   `<worksheet ` + sheetSpace + `><sheetData>` + data + `</sheetData>` + after + `</worksheet>`,
	}
}

// rowsOf writes rows of texts and numbers.
func rowsOf(rows ...string) string {
	var b strings.Builder
	for i, r := range rows {
		fmt.Fprintf(&b, `<row r="%d">`, i+1)
		for j, c := range strings.Split(r, ",") {
			switch {
			case c == "":
			case strings.Trim(c, "0123456789.") == "":
				fmt.Fprintf(&b, `<c r="%c%d"><v>%s</v></c>`, 'A'+j, i+1, c)
			default:
				fmt.Fprintf(&b, `<c r="%c%d" t="inlineStr"><is><t>%s</t></is></c>`, 'A'+j, i+1, c)
			}
		}
		b.WriteString(`</row>`)
	}
	return b.String()
}

// officeReader reads one of the formats of office programs.
type officeReader func(*archive, kyro.Limits, func(done, total int)) (kyro.Extraction, error)

// readOffice reads a document of bytes.
func readOffice(read officeReader, data []byte) (kyro.Extraction, error) {
	a, err := openArchive(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return kyro.Extraction{}, err
	}
	return read(a, kyro.DefaultLimits(), func(int, int) {})
}

// shown reads a document and shows what was read.
func shown(t *testing.T, read officeReader, p parts) string {
	t.Helper()
	ex, err := readOffice(read, p.zip(t))
	if err != nil {
		t.Fatal(err)
	}
	checkExtraction(t, ex)
	return strings.TrimSpace(show(ex))
}

// is reports an error of a code.
func is(err error, code kyro.Code) bool {
	e, ok := errors.AsType[*kyro.Error](err)
	return ok && e.Code == code
}
