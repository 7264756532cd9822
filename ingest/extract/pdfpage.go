package extract

import (
	"encoding/binary"
	"math"
	"unicode"
	"unicode/utf16"
)

// lineHyphen is what PDFium gives for a hyphen that ends a line, in place of the line's end.
const lineHyphen = '\u0002'

// pdfPage is one page as it is printed, in the order of the file's content.
type pdfPage struct {
	number  int // from 1
	lines   []pdfLine
	letters int
	picture bool // it has almost no text, and an image
	broken  bool // it could not be read
}

// pdfLine is one printed line. Lengths are points; x runs along the line as it is read, from right to left for scripts
// that are written so, and y upwards across lines, whichever way the text is turned on the page.
type pdfLine struct {
	text        string
	left, right float64
	y           float64 // of the baseline
	firstWord   float64 // its width
	size        float64 // of most of its type
	bold, mono  bool
	hyphen      bool      // a hyphen that divides a word was at its end and is not in text
	cells       []pdfCell // what wide gaps set apart; nil for a line without any
}

// pageReader reads the pages of a document, one after the other. What a line looks like is measured at a few characters
// only: every call into the engine costs.
type pageReader struct {
	*pdfCalls
	doc    pointer
	page   pointer // the text of the page
	bounds rect    // what of the page is seen
	spaces spaces
	fonts  map[string]typeface // by their names
}

// read reads the lines of a page.
func (r *pageReader) read(index int) pdfPage {
	p := pdfPage{number: index + 1}
	page := r.loadPage(index)
	if page == 0 {
		p.broken = true
		return p
	}
	defer r.call("FPDF_ClosePage", page)
	if r.page = r.uprightText(page); r.page == 0 {
		p.broken = true
		return p
	}
	defer r.call("FPDFText_ClosePage", r.page)
	r.bounds, _ = r.rectangle("FPDF_GetPageBoundingBox", page)
	p.lines = joinRows(r.lines())
	for _, l := range p.lines {
		for _, c := range l.text {
			if unicode.IsLetter(c) {
				p.letters++
			}
		}
	}
	p.picture = p.letters < fewLetters && r.hasPicture(page)
	return p
}

// loadPage loads a page with what was filled into its form fields: an engine asked for the text of a page leaves out
// what lies on top of it, unless that is made a part of the page. 0 is a page that cannot be loaded.
func (r *pageReader) loadPage(index int) pointer {
	const flattened = 1
	page := r.call("FPDF_LoadPage", r.doc, uint64(index))
	if page == 0 || !r.hasFields(page) || r.number("FPDFPage_Flatten", page, 0) != flattened {
		return page
	}
	r.call("FPDF_ClosePage", page)
	return r.call("FPDF_LoadPage", r.doc, uint64(index))
}

// uprightText loads the text of a page so that most of it is upright. The engine puts characters into lines as they are
// seen on the page; where those lie on their side, by the page's rotation or without it, it would read them out of order.
func (r *pageReader) uprightText(page pointer) pointer {
	chars := r.call("FPDFText_LoadPage", page)
	if chars == 0 {
		return 0
	}
	turn, ok := r.quarterTurn(chars)
	if !ok || turn == r.number("FPDFPage_GetRotation", page) {
		return chars
	}
	r.call("FPDFPage_SetRotation", page, uint64(turn))
	again := r.call("FPDFText_LoadPage", page)
	if again == 0 {
		return chars
	}
	r.call("FPDFText_ClosePage", chars)
	return again
}

// quarterTurn is how often a page has to be turned by a quarter for most of its text to be upright, by a look at some of
// its characters.
func (r *pageReader) quarterTurn(page pointer) (int, bool) {
	const looks = 24
	count := r.number("FPDFText_CountChars", page)
	if count < 1 {
		return 0, false
	}
	var votes [4]int
	for i := range looks {
		if angle := r.angle(page, i*count/looks); angle >= 0 {
			votes[int(math.Round(angle/(math.Pi/2)))%4]++
		}
	}
	for turn, n := range votes {
		if 2*n > looks {
			return turn, true
		}
	}
	return 0, false
}

// angle is how far a character is turned, in radians; less than nothing where that is not known.
func (r *pageReader) angle(page pointer, index int) float64 {
	return float64(math.Float32frombits(uint32(r.call("FPDFText_GetCharAngle", page, uint64(index)))))
}

// hasFields reports a page with form fields.
func (r *pageReader) hasFields(page pointer) bool {
	const most = 200 // annotations looked at: a form has fields among its first
	for i := range min(r.number("FPDFPage_GetAnnotCount", page), most) {
		annotation := r.call("FPDFPage_GetAnnot", page, uint64(i))
		if annotation == 0 {
			continue
		}
		kind := r.number("FPDFAnnot_GetSubtype", annotation)
		r.call("FPDFPage_CloseAnnot", annotation)
		if kind == pdfWidget {
			return true
		}
	}
	return false
}

// char is a character with its index on the page.
type char struct {
	r     rune
	index int
}

func (r *pageReader) lines() []pdfLine {
	var lines []pdfLine
	var line []char
	end := func() {
		for _, part := range r.items(line) {
			if l, ok := r.line(part); ok {
				lines = append(lines, l)
			}
		}
		line = line[:0]
	}
	for i, c := range r.units() {
		switch n := len(line); {
		case c == '\n':
			end()
		case c == lineHyphen, c == '\uFFFE':
			line = append(line, char{lineHyphen, i})
			end()
		case c == '\r', c == 0:
		case c == '\u00AD':
			line = append(line, char{lineHyphen, i})
		case n > 0 && isPair(line[n-1].r, c):
			line[n-1].r = utf16.DecodeRune(line[n-1].r, c)
		default:
			line = append(line, char{c, i})
		}
	}
	end()
	return lines
}

// units are the characters of a page as the engine counts them: each a unit of UTF-16. All of them at once where it gives
// as many as it counts, which it does unless some are signs of control; else one by one.
func (r *pageReader) units() []rune {
	count := r.number("FPDFText_CountChars", r.page)
	if count < 1 {
		return nil
	}
	units := make([]rune, count)
	size := 2 * (count + 1)
	if to, err := r.instance.MallocNoZero(uint64(size)); err == nil {
		defer func() { _ = r.instance.Free(to) }()
		if r.number("FPDFText_GetText", r.page, 0, uint64(count), to) == count+1 {
			written := r.at(to, size)
			for i := range units {
				units[i] = rune(binary.LittleEndian.Uint16(written[2*i:]))
			}
			return units
		}
	}
	for i := range units {
		units[i] = rune(uint32(r.call("FPDFText_GetUnicode", r.page, uint64(i))))
	}
	return units
}

// isPair reports the two halves of one character.
func isPair(high, low rune) bool { return utf16.DecodeRune(high, low) != unicode.ReplacementChar }
