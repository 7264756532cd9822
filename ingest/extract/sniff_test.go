package extract_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"image"
	"image/png"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"kyrochat/ingest/extract"
	"kyrochat/kyro"
)

func pngImage() []byte {
	var b bytes.Buffer
	_ = png.Encode(&b, image.NewGray(image.Rect(0, 0, 40, 40)))
	return b.Bytes()
}

func zipped(entries ...string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i+1 < len(entries); i += 2 {
		w, _ := z.Create(entries[i])
		_, _ = w.Write([]byte(entries[i+1]))
	}
	_ = z.Close()
	return b.Bytes()
}

// office is an Office document with a main part of a content type. So many other entries come first that nothing which
// tells the type is among the first bytes.
func office(main, contentType string) []byte {
	var entries []string
	for i := range 200 {
		entries = append(entries, fmt.Sprintf("media/image%d.png", i), strings.Repeat("x", 100))
	}
	return zipped(append(entries,
		"_rels/.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">`+
			`<Relationship Id="r2" Type="http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties" Target="docProps/core.xml"/>`+
			`<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="`+main+`"/></Relationships>`,
		"[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">`+
			`<Default Extension="xml" ContentType="application/xml"/><Override PartName="/`+main+`" ContentType="`+contentType+`"/></Types>`,
		main, "<xml/>")...)
}

const ooxml = "application/vnd.openxmlformats-officedocument."

// ole is an OLE file whose directory lists streams. Its directory has two sectors, one behind the other.
func ole(streams ...string) []byte {
	b := make([]byte, 512*4)
	copy(b, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
	b[30] = 9                                     // sectors of 512 bytes
	binary.LittleEndian.PutUint32(b[48:], 1)      // the directory begins in the second
	binary.LittleEndian.PutUint32(b[76:], 0)      // their table is in the first
	binary.LittleEndian.PutUint32(b[512+4*1:], 2) // the directory goes on in the third
	binary.LittleEndian.PutUint32(b[512+4*2:], 0xFFFFFFFE)
	for i, s := range append([]string{"Root Entry", "a", "b", "c"}, streams...) {
		copy(b[512*2+128*i:], utf16le(s)[2:])
	}
	return b
}

func sniff(content []byte, fileName string) (string, error) {
	return extract.Sniff(bytes.NewReader(content), int64(len(content)), fileName)
}

func gzipped() []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte("some text that is compressed"))
	_ = w.Close()
	return b.Bytes()
}

func utf16le(s string) []byte {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return b
}

func TestSniffAccepts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		head     string
		fileName string
		want     string
	}{
		"pdf":                          {"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "a.pdf", extract.PDF},
		"pdf under another name":       {"%PDF-1.4\n", "notes.txt", extract.PDF},
		"pdf without a name":           {"%PDF-1.4\n", "", extract.PDF},
		"pdf after a mark":             {"\xef\xbb\xbf\r\n%PDF-1.4\n", "a.pdf", extract.PDF},
		"pdf after some bytes":         {"\x00\x05\x16\x07junk" + strings.Repeat("\x01", 100) + "%PDF-1.4\n\x00", "a.pdf", extract.PDF},
		"text":                         {"Hello world", "a.txt", extract.Plain},
		"text without a name":          {"Hello world", "", extract.Plain},
		"markdown":                     {"# Hello", "README.MD", extract.Markdown},
		"markdown, long name":          {"# Hello", "a.markdown", extract.Markdown},
		"markdown by content only":     {"# Hello\n\n* a\n* b", "a.txt", extract.Plain},
		"text that mentions PDF":       {"A PDF begins with %PDF-1.7 and goes on.", "a.txt", extract.Plain},
		"utf-8":                        {"Größe 中文", "a.txt", extract.Plain},
		"utf-16":                       {string(utf16le("Größe und mehr")), "a.txt", extract.Plain},
		"utf-32":                       {"\xff\xfe\x00\x00H\x00\x00\x00i\x00\x00\x00", "a.txt", extract.Plain},
		"latin-1":                      {"Gr\xf6\xdfe", "a.txt", extract.Plain},
		"csv":                          {"a,b,c\n1,2,3\n", "a.csv", extract.CSV},
		"csv by content only":          {"a,b,c\n1,2,3\n", "a.txt", extract.Plain},
		"csv with semicolons":          {"a;b\n1,5;2\n", "A.CSV", extract.CSV},
		"tsv":                          {"a\tb\n1\t2\n", "a.tsv", extract.CSV},
		"prose that is named csv":      {"One day, in spring.\nNothing happened.\nNobody came.\n", "a.csv", extract.Plain},
		"json":                         {`{"a": 1}`, "a.json", extract.JSON},
		"json that is broken":          {`{"a": `, "a.json", extract.JSON},
		"json lines":                   {"{\"a\": 1}\n{\"a\": 2}", "a.jsonl", extract.JSON},
		"prose that is named json":     {"Hello.", "a.json", extract.Plain},
		"html":                         {"\n<!DOCTYPE html>\n<html><body>x", "a.html", extract.HTML},
		"html under another name":      {"\n<!DOCTYPE html>\n<html><body>x", "a.txt", extract.HTML},
		"html without a name":          {"<html lang=\"de\">", "", extract.HTML},
		"html after a comment":         {"<!-- saved -->\n<html>", "a.htm", extract.HTML},
		"html that is called Markdown": {"<!doctype html><title>x</title>", "a.md", extract.HTML},
		"a piece of html":              {"Hello <b>you</b>.<p>And you.", "a.htm", extract.HTML},
		"text that is called html":     {"1 < 2 and 3 > 2", "a.html", extract.Plain},
		"xhtml":                        {`<?xml version="1.0"?><!DOCTYPE html><html xmlns="x">`, "a.xml", extract.HTML},
		"html in utf-16":               {string(utf16le("<!doctype html><html>")), "a.txt", extract.HTML},
		"utf-16 without a mark":        {string(utf16le("Größe und mehr")[2:]), "a.txt", extract.Plain},
		"docx":                         {string(office("word/document.xml", ooxml+"wordprocessingml.document.main+xml")), "a.docx", extract.DOCX},
		"docx of another program":      {string(office("main.xml", ooxml+"wordprocessingml.document.main+xml")), "a.docx", extract.DOCX},
		"docx without a name":          {string(office("word/document.xml", ooxml+"wordprocessingml.document.main+xml")), "", extract.DOCX},
		"docx with macros":             {string(office("word/document.xml", "application/vnd.ms-word.document.macroEnabled.main+xml")), "a.docm", extract.DOCX},
		"pptx":                         {string(office("ppt/presentation.xml", ooxml+"presentationml.presentation.main+xml")), "a.pptx", extract.PPTX},
		"pptx, a show":                 {string(office("ppt/presentation.xml", ooxml+"presentationml.slideshow.main+xml")), "a.ppsx", extract.PPTX},
		"xlsx":                         {string(office("xl/workbook.xml", ooxml+"spreadsheetml.sheet.main+xml")), "a.xlsx", extract.XLSX},
		"source code":                  {"#!/bin/sh\necho hi\n", "run", extract.Plain},
		"begins like an old program":   {"MZ is a region of Mainz, as everyone there knows very well.", "a.txt", extract.Plain},
		"html inside of markdown":      {"<div align=\"center\">\n\n# Logo\n</div>", "README.md", extract.Markdown},
		"a form feed and a backspace":  {"page one\f page\b two", "a.txt", extract.Plain},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := sniff([]byte(c.head), c.fileName); err != nil || got != c.want {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

func TestSniffRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		head     []byte
		fileName string
		message  string
	}{
		"png":             {pngImage(), "a.png", "This is a PNG image. PDF, DOCX, PPTX, XLSX, HTML, Markdown, CSV, JSON and plain text files are accepted."},
		"png named pdf":   {pngImage(), "a.PDF", "The file is named .pdf, but it is not a PDF: this is a PNG image."},
		"png named txt":   {pngImage(), "a.txt", "This is a PNG image."},
		"text named pdf":  {[]byte("hello"), "a.pdf", "it is not a PDF: this is a text file."},
		"jpeg":            {[]byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01"), "a.jpg", "a JPEG image"},
		"zip":             {zipped("a/b.txt", "x"), "a.zip", "This is a ZIP archive"},
		"zip named docx":  {zipped("word/document.xml", "<xml/>"), "a.docx", "The file is named .docx, but it is not a Word document: this is a ZIP archive."},
		"docx named pdf":  {office("word/document.xml", ooxml+"wordprocessingml.document.main+xml"), "a.pdf", "it is not a PDF: this is a Word document."},
		"docx named xlsx": {office("word/document.xml", ooxml+"wordprocessingml.document.main+xml"), "a.xlsx", "it is not an Excel workbook: this is a Word document."},
		"pdf named docx":  {[]byte("%PDF-1.7\n"), "a.docx", "it is not a Word document: this is a PDF."},
		"html named docx": {[]byte("<html>"), "a.docx", "it is not a Word document: this is an HTML page."},
		"text named pptx": {[]byte("hello"), "a.pptx", "it is not a PowerPoint presentation: this is a text file."},
		"xlsb":            {office("xl/workbook.bin", "application/vnd.ms-excel.sheet.binary.macroEnabled.main"), "a.xlsb", "a binary Excel workbook"},
		"visio":           {office("visio/document.xml", "application/vnd.ms-visio.drawing.main+xml"), "a.vsdx", "a Visio drawing"},
		"half a zip":      {office("word/document.xml", ooxml+"wordprocessingml.document.main+xml")[:3000], "a.docx", "this is a ZIP archive"},
		"epub":            {zippedBook(), "a.epub", "an EPUB book"},
		"doc":             {ole("WordDocument"), "a.doc", "a Word 97–2003 document. Save it as DOCX."},
		"xls":             {ole("Workbook"), "a.xls", "an Excel 97–2003 workbook. Save it as XLSX."},
		"ppt":             {ole("PowerPoint Document"), "a.ppt", "a PowerPoint 97–2003 presentation. Save it as PPTX."},
		"encrypted":       {ole("EncryptionInfo", "EncryptedPackage"), "a.docx", "protected by a password"},
		"outlook":         {ole("__properties_version1.0"), "a.msg", "an Outlook message"},
		"ole in a circle": {circle(), "a.doc", "a Microsoft Office 97–2003 file"},
		"a web archive":   {[]byte("MIME-Version: 1.0\nContent-Type: multipart/related; boundary=x\n\n"), "a.mht", "MHTML"},
		"gzip":            {gzipped(), "a.txt.gz", "a gzip archive"},
		"windows program": {append([]byte("MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff\x00\x00"), make([]byte, 100)...), "a.exe", "a Windows program"},
		"elf":             {append([]byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00"), make([]byte, 100)...), "a", "a Linux program"},
		"svg":             {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), "a.svg", "an SVG image"},
		"rtf":             {[]byte(`{\rtf1\ansi hello}`), "a.rtf", "rich text"},
		"postscript":      {[]byte("%!PS-Adobe-3.0\n"), "a.ps", "PostScript"},
		"text with NUL":   {[]byte("hello\x00world"), "a.txt", "NUL bytes"},
		"noise":           {[]byte("\x01\x02\x03\x9a\x04\x05\x06\xfe\x0e\x0f"), "a.txt", "a binary file"},
		"sqlite":          {append([]byte("SQLite format 3\x00"), make([]byte, 84)...), "a.db", "an SQLite database"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := sniff(c.head, c.fileName)
			wantError(t, name, err, kyro.CodeUnsupportedType, c.message)
		})
	}
	_, err := sniff(nil, "a.txt")
	wantError(t, "empty", err, kyro.CodeFileEmpty, "empty")
}

// zippedBook is an EPUB: its first entry says so.
func zippedBook() []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, _ := z.CreateHeader(&zip.FileHeader{Name: "mimetype", Method: zip.Store})
	_, _ = w.Write([]byte("application/epub+zip"))
	_ = z.Close()
	return b.Bytes()
}

// circle is an OLE file whose directory never ends.
func circle() []byte {
	b := ole("a", "b")
	binary.LittleEndian.PutUint32(b[512+4*2:], 1)
	return b
}

// TestSniffReadsLittle gives an archive whose list of entries is as long as itself.
func TestSniffReadsLittle(t *testing.T) {
	t.Parallel()
	var entries []string
	for i := range 60_000 {
		entries = append(entries, fmt.Sprintf("%060d", i), "")
	}
	_, err := sniff(zipped(entries...), "a.docx")
	wantError(t, "many entries", err, kyro.CodeUnsupportedType, "this is a ZIP archive")
}

func TestSniffFetched(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ content, claimed, url, want string }{
		"html":                      {"<!doctype html><p>x", "text/html; charset=utf-8", "https://a.test/", extract.HTML},
		"html by content":           {"<!doctype html><p>x", "text/plain", "https://a.test/a.txt", extract.HTML},
		"html that is a PDF":        {"%PDF-1.7\n", "text/html", "https://a.test/", extract.PDF},
		"pdf":                       {"%PDF-1.7\n", "application/pdf", "https://a.test/x", extract.PDF},
		"pdf that is a page":        {"<html><p>Log in", "application/pdf", "https://a.test/x.pdf", extract.HTML},
		"pdf that is text":          {"Not found", "application/pdf", "https://a.test/x.pdf", extract.Plain},
		"a piece of html":           {"Hello <b>you</b>", "text/html", "https://a.test/", extract.HTML},
		"no type":                   {"Hello", "", "https://a.test/", extract.Plain},
		"text":                      {"Hello", "text/plain", "https://a.test/a.html", extract.Plain},
		"markdown":                  {"# Hello", "text/markdown; charset=utf-8", "https://a.test/", extract.Markdown},
		"markdown by address":       {"# Hello", "text/plain; charset=utf-8", "https://a.test/README.md?raw=1", extract.Markdown},
		"csv":                       {"a,b\n1,2\n", "text/csv", "https://a.test/export", extract.CSV},
		"csv by address":            {"a,b\n1,2\n", "application/octet-stream", "https://a.test/x.csv", extract.CSV},
		"json":                      {"[1]", "application/json", "https://a.test/api", extract.JSON},
		"docx as a stream of bytes": {string(office("word/document.xml", ooxml+"wordprocessingml.document.main+xml")), "application/octet-stream", "https://a.test/x", extract.DOCX},
		"docx":                      {string(office("word/document.xml", ooxml+"wordprocessingml.document.main+xml")), extract.DOCX, "https://a.test/x.pdf", extract.DOCX},
	} {
		if got, err := extract.SniffFetched(strings.NewReader(c.content), int64(len(c.content)), c.claimed, c.url); err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
	for claimed, content := range map[string]string{
		"image/png": string(pngImage()), "text/css": "p { color: red }", "application/rss+xml": "<?xml version=\"1.0\"?><rss/>",
		"text/javascript": "alert(1)",
	} {
		_, err := extract.SniffFetched(strings.NewReader(content), int64(len(content)), claimed, "https://a.test/x")
		wantError(t, claimed, err, kyro.CodeUnsupportedType, "are accepted")
	}
}

func FuzzSniff(f *testing.F) {
	f.Add([]byte("%PDF-1.7"), "a.pdf")
	f.Add([]byte("hello"), "a.md")
	f.Add(pngImage(), "a.txt")
	f.Add([]byte("\xff\xfe\x00"), "")
	f.Add(office("word/document.xml", ooxml+"wordprocessingml.document.main+xml"), "a.docx")
	f.Add(zipped("a", "b"), "a.docx")
	f.Add(ole("WordDocument"), "a.doc")
	f.Add(circle(), "")
	f.Add([]byte("<html>"), "a.html")
	f.Add([]byte("a,b\n\"1,2\",3"), "a.csv")
	f.Fuzz(func(t *testing.T, head []byte, name string) {
		mime, err := sniff(head, name)
		switch code := kyro.ErrorCode(err); {
		case err == nil && !slices.Contains(extract.Accepted(), mime):
			t.Errorf("type %q", mime)
		case err != nil && (mime != "" || code != kyro.CodeUnsupportedType && code != kyro.CodeFileEmpty):
			t.Errorf("%q with %v", mime, err)
		case err == nil && strings.HasPrefix(string(head), "PK\x03\x04") && mime != extract.DOCX && mime != extract.PPTX && mime != extract.XLSX:
			t.Error("binary data is taken for text")
		}
	})
}
