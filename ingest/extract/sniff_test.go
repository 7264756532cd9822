package extract_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"image"
	"image/png"
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

func zipped(name string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, n := range []string{"[Content_Types].xml", name} {
		w, _ := z.Create(n)
		_, _ = w.Write([]byte("<xml>content</xml>"))
	}
	_ = z.Close()
	return b.Bytes()
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
		"pdf":                         {"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "a.pdf", extract.PDF},
		"pdf under another name":      {"%PDF-1.4\n", "notes.txt", extract.PDF},
		"pdf without a name":          {"%PDF-1.4\n", "", extract.PDF},
		"pdf after a mark":            {"\xef\xbb\xbf\r\n%PDF-1.4\n", "a.pdf", extract.PDF},
		"pdf after some bytes":        {"\x00\x05\x16\x07junk" + strings.Repeat("\x01", 100) + "%PDF-1.4\n\x00", "a.pdf", extract.PDF},
		"text":                        {"Hello world", "a.txt", extract.Plain},
		"text without a name":         {"Hello world", "", extract.Plain},
		"markdown":                    {"# Hello", "README.MD", extract.Markdown},
		"markdown, long name":         {"# Hello", "a.markdown", extract.Markdown},
		"markdown by content only":    {"# Hello\n\n* a\n* b", "a.txt", extract.Plain},
		"text that mentions PDF":      {"A PDF begins with %PDF-1.7 and goes on.", "a.txt", extract.Plain},
		"utf-8":                       {"Größe 中文", "a.txt", extract.Plain},
		"utf-16":                      {string(utf16le("Größe und mehr")), "a.txt", extract.Plain},
		"utf-32":                      {"\xff\xfe\x00\x00H\x00\x00\x00i\x00\x00\x00", "a.txt", extract.Plain},
		"latin-1":                     {"Gr\xf6\xdfe", "a.txt", extract.Plain},
		"csv":                         {"a,b,c\n1,2,3\n", "a.csv", extract.Plain},
		"json":                        {`{"a": 1}`, "a.json", extract.Plain},
		"source code":                 {"#!/bin/sh\necho hi\n", "run", extract.Plain},
		"begins like an old program":  {"MZ is a region of Mainz, as everyone there knows very well.", "a.txt", extract.Plain},
		"html inside of markdown":     {"<div align=\"center\">\n\n# Logo\n</div>", "README.md", extract.Markdown},
		"a form feed and a backspace": {"page one\f page\b two", "a.txt", extract.Plain},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := extract.Sniff([]byte(c.head), c.fileName); err != nil || got != c.want {
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
		"png":             {pngImage(), "a.png", "This is a PNG image. PDF, Markdown and plain text files are accepted."},
		"png named pdf":   {pngImage(), "a.PDF", "The file is named .pdf, but it is not a PDF: this is a PNG image."},
		"png named txt":   {pngImage(), "a.txt", "This is a PNG image."},
		"text named pdf":  {[]byte("hello"), "a.pdf", "it is not a PDF: this is a text file."},
		"jpeg":            {[]byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01"), "a.jpg", "a JPEG image"},
		"zip":             {zipped("a/b.txt"), "a.zip", "a ZIP archive"},
		"docx":            {zipped("word/document.xml"), "a.docx", "a Word document"},
		"xlsx":            {zipped("xl/workbook.xml"), "a.xlsx", "an Excel workbook"},
		"gzip":            {gzipped(), "a.txt.gz", "a gzip archive"},
		"windows program": {append([]byte("MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff\x00\x00"), make([]byte, 100)...), "a.exe", "a Windows program"},
		"elf":             {append([]byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00"), make([]byte, 100)...), "a", "a Linux program"},
		"html":            {[]byte("\n<!DOCTYPE html>\n<html><body>x"), "a.txt", "an HTML page"},
		"xhtml":           {[]byte(`<?xml version="1.0"?><!DOCTYPE html><html xmlns="x">`), "a.xml", "an HTML page"},
		"svg":             {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), "a.svg", "an SVG image"},
		"rtf":             {[]byte(`{\rtf1\ansi hello}`), "a.rtf", "rich text"},
		"postscript":      {[]byte("%!PS-Adobe-3.0\n"), "a.ps", "PostScript"},
		"text with NUL":   {[]byte("hello\x00world"), "a.txt", "NUL bytes"},
		"noise":           {[]byte("\x01\x02\x03\x9a\x04\x05\x06\xfe\x0e\x0f"), "a.txt", "a binary file"},
		"html in utf-16":  {utf16le("<!doctype html><html>"), "a.txt", "an HTML page"},
		"sqlite":          {append([]byte("SQLite format 3\x00"), make([]byte, 84)...), "a.db", "an SQLite database"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := extract.Sniff(c.head, c.fileName)
			wantError(t, name, err, kyro.CodeUnsupportedType, c.message)
		})
	}
	_, err := extract.Sniff(nil, "a.txt")
	wantError(t, "empty", err, kyro.CodeFileEmpty, "empty")
}

func FuzzSniff(f *testing.F) {
	f.Add([]byte("%PDF-1.7"), "a.pdf")
	f.Add([]byte("hello"), "a.md")
	f.Add(pngImage(), "a.txt")
	f.Add([]byte("\xff\xfe\x00"), "")
	f.Fuzz(func(t *testing.T, head []byte, name string) {
		mime, err := extract.Sniff(head, name)
		switch code := kyro.ErrorCode(err); {
		case err == nil && mime != extract.PDF && mime != extract.Markdown && mime != extract.Plain:
			t.Errorf("type %q", mime)
		case err != nil && (mime != "" || code != kyro.CodeUnsupportedType && code != kyro.CodeFileEmpty):
			t.Errorf("%q with %v", mime, err)
		case err == nil && mime != extract.PDF && bytes.IndexByte(head, 0) >= 0 && !bytes.HasPrefix(head, []byte{0xff, 0xfe}) &&
			!bytes.HasPrefix(head, []byte{0xfe, 0xff}) && !bytes.HasPrefix(head, []byte{0, 0, 0xfe, 0xff}):
			t.Error("binary data is taken for text")
		}
	})
}
