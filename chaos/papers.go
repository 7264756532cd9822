package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
)

// way is how a document is added.
type way int

const (
	asText way = iota
	asPair
	asUpload
	asParts // an upload in parts
)

// paper is something to be added. Every paper is one of some patterns with a mark of its own, a word of always the same
// length, so that all of one pattern become the same chunks but for the mark.
type paper struct {
	pattern, name, mark, title string
	way                        way
	content                    []byte
}

// noMark is the mark of those that are added before anything breaks: what becomes of them the others are compared with.
const noMark = "qqqqqqqqqq"

// markOf is the mark of a number: a word, since numbers may be cut and counted in other ways than words.
func markOf(n int) string {
	mark := []byte(noMark)
	for i := len(mark) - 1; i > 0; i-- {
		mark[i] = "bdfghjklmn"[n%10]
		n /= 10
	}
	return string(mark)
}

// pattern is a sort of paper.
type pattern struct {
	name string
	way  way
	make func(mark string) []byte
}

// patterns are small documents of every kind. Two of them are broken: one is no PDF, and one has no text.
var patterns = []pattern{
	{"note.txt", asText, func(mark string) []byte { return []byte("The harbour keeps " + mark + " in a shed. " + prose(1, 30)) }},
	{"guide.md", asText, func(mark string) []byte {
		return []byte("# Guide\n\nIt is about " + mark + ".\n\n" + prose(2, 90) + "\n\n## Winter\n\n" + prose(3, 90) + "\n\n## Summer\n\n" + prose(4, 90))
	}},
	{"pair", asPair, func(mark string) []byte { return []byte("It lies in the drawer of " + mark + ". " + prose(5, 20)) }},
	{"plain.txt", asUpload, func(mark string) []byte { return []byte("This is " + mark + ".\n\n" + prose(6, 120)) }},
	{"table.csv", asUpload, func(mark string) []byte {
		var b strings.Builder
		b.WriteString("Name,Berth,Tide\n")
		for i := range 12 {
			fmt.Fprintf(&b, "%s boat %d,%d,%d h\n", mark, i, i*7%50, i%12)
		}
		return []byte(b.String())
	}},
	{"page.html", asUpload, func(mark string) []byte {
		return []byte("<!doctype html><html><head><title>Berths</title></head><body><main><h1>Berths</h1><p>All of " + mark + ".</p><p>" + prose(7, 70) +
			"</p><h2>Prices</h2><p>" + prose(8, 70) + "</p></main></body></html>")
	}},
	{"leaf.pdf", asUpload, func(mark string) []byte {
		return paperPDF("BT /F1 12 Tf 72 700 Td (The pilot of " + mark + " comes at noon and asks for the ledger.) Tj ET")
	}},
	{"long.md", asParts, func(mark string) []byte { return []byte("# Ledger\n\nOf " + mark + ".\n\n" + prose(9, 3_200)) }},
	{"broken.pdf", asUpload, func(mark string) []byte { return []byte("%PDF-1.7\nThis is none. " + mark) }},
	{"drawn.pdf", asUpload, func(mark string) []byte { return paperPDF("% " + mark + "\n0 0 m 9 9 l S") }},
}

// often says how often each of them comes among twenty.
var often = []int{0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 6, 0, 1, 2, 3, 7, 8, 9, 0, 2}

// paperOf makes the paper with a number.
func paperOf(n int) paper { return patterns[often[n%len(often)]].paper(markOf(n)) }

func (p pattern) paper(mark string) paper {
	return paper{pattern: p.name, name: mark + "-" + p.name, mark: mark, title: "The " + p.name + " of " + mark, way: p.way, content: p.make(mark)}
}

// prose are so many words of a text that is always the same.
func prose(seed uint64, words int) string {
	const syllables = "ba ke li mo nu ra se ti vo zu da fe gi ho ju ka le mi no pu"
	parts, dice := strings.Fields(syllables), rand.New(rand.NewPCG(seed, 0))
	var b strings.Builder
	for i := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		for range 2 + dice.IntN(3) {
			b.WriteString(parts[dice.IntN(len(parts))])
		}
		switch {
		case dice.IntN(60) == 0:
			b.WriteString(".\n\n")
		case dice.IntN(12) == 0:
			b.WriteByte('.')
		}
	}
	return b.String()
}

// paperPDF is a PDF of one page.
func paperPDF(content string) []byte {
	var b bytes.Buffer
	var places []int
	b.WriteString("%PDF-1.7\n")
	for i, object := range []string{
		"<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(content), content), "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
	} {
		places = append(places, b.Len())
		fmt.Fprintf(&b, "%d 0 obj %s endobj\n", i+1, object)
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(places)+1)
	for _, place := range places {
		fmt.Fprintf(&b, "%010d 00000 n \n", place)
	}
	fmt.Fprintf(&b, "trailer << /Root 1 0 R /Size %d >>\nstartxref\n%d\n%%%%EOF\n", len(places)+1, start)
	return b.Bytes()
}
