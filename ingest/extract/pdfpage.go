package extract

import (
	"math"
	"unicode"
	"unicode/utf16"

	"github.com/klippa-app/go-pdfium"
	"github.com/klippa-app/go-pdfium/enums"
	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"
	"github.com/klippa-app/go-pdfium/responses"
	"github.com/klippa-app/go-pdfium/structs"
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

// readPage reads the lines of a page. What a line looks like is measured at a few characters only: every call into
// the engine costs.
func readPage(instance pdfium.Pdfium, doc references.FPDF_DOCUMENT, index int, spaces *spaces) (pdfPage, error) {
	p := pdfPage{number: index + 1}
	loaded, err := loadPage(instance, doc, index)
	if err != nil {
		return p, err
	}
	defer instance.FPDF_ClosePage(&requests.FPDF_ClosePage{Page: loaded.Page})
	r := pageReader{Pdfium: instance, spaces: spaces}
	if r.page, err = uprightText(instance, requests.Page{ByReference: &loaded.Page}); err != nil {
		return p, err
	}
	defer instance.FPDFText_ClosePage(&requests.FPDFText_ClosePage{TextPage: r.page})
	if box, err := instance.FPDF_GetPageBoundingBox(&requests.FPDF_GetPageBoundingBox{Page: requests.Page{ByReference: &loaded.Page}}); err == nil {
		r.bounds = box.Rect
	}
	if p.lines, err = r.lines(); err != nil {
		return p, err
	}
	p.lines = joinRows(p.lines)
	for _, l := range p.lines {
		for _, c := range l.text {
			if unicode.IsLetter(c) {
				p.letters++
			}
		}
	}
	p.picture = p.letters < fewLetters && hasPicture(instance, loaded.Page)
	return p, nil
}

// loadPage loads a page with what was filled into its form fields: an engine asked for the text of a page leaves out
// what lies on top of it, unless that is made a part of the page.
func loadPage(instance pdfium.Pdfium, doc references.FPDF_DOCUMENT, index int) (*responses.FPDF_LoadPage, error) {
	loaded, err := instance.FPDF_LoadPage(&requests.FPDF_LoadPage{Document: doc, Index: index})
	if err != nil {
		return nil, err
	}
	page := requests.Page{ByReference: &loaded.Page}
	if !hasFields(instance, page) {
		return loaded, nil
	}
	flat, err := instance.FPDFPage_Flatten(&requests.FPDFPage_Flatten{Page: page, Usage: requests.FPDFPage_FlattenUsageNormalDisplay})
	if err != nil || flat.Result != responses.FPDFPage_FlattenResultSuccess {
		return loaded, nil
	}
	_, _ = instance.FPDF_ClosePage(&requests.FPDF_ClosePage{Page: loaded.Page})
	return instance.FPDF_LoadPage(&requests.FPDF_LoadPage{Document: doc, Index: index})
}

// uprightText loads the text of a page so that most of it is upright. The engine puts characters into lines as they are
// seen on the page; where those lie on their side, by the page's rotation or without it, it would read them out of order.
func uprightText(instance pdfium.Pdfium, page requests.Page) (references.FPDF_TEXTPAGE, error) {
	chars, err := instance.FPDFText_LoadPage(&requests.FPDFText_LoadPage{Page: page})
	if err != nil {
		return "", err
	}
	shown, err := instance.FPDFPage_GetRotation(&requests.FPDFPage_GetRotation{Page: page})
	if err != nil {
		return chars.TextPage, nil
	}
	turn, ok := quarterTurn(instance, chars.TextPage)
	if !ok || turn == shown.PageRotation {
		return chars.TextPage, nil
	}
	if _, err := instance.FPDFPage_SetRotation(&requests.FPDFPage_SetRotation{Page: page, Rotate: turn}); err != nil {
		return chars.TextPage, nil
	}
	again, err := instance.FPDFText_LoadPage(&requests.FPDFText_LoadPage{Page: page})
	if err != nil {
		return chars.TextPage, nil
	}
	_, _ = instance.FPDFText_ClosePage(&requests.FPDFText_ClosePage{TextPage: chars.TextPage})
	return again.TextPage, nil
}

// quarterTurn is how a page has to be turned for most of its text to be upright, by a look at some of its characters.
func quarterTurn(instance pdfium.Pdfium, page references.FPDF_TEXTPAGE) (enums.FPDF_PAGE_ROTATION, bool) {
	const looks = 24
	count, err := instance.FPDFText_CountChars(&requests.FPDFText_CountChars{TextPage: page})
	if err != nil || count.Count == 0 {
		return 0, false
	}
	var votes [4]int
	for i := range looks {
		a, err := instance.FPDFText_GetCharAngle(&requests.FPDFText_GetCharAngle{TextPage: page, Index: i * count.Count / looks})
		if err != nil || a.CharAngle < 0 {
			continue
		}
		votes[int(math.Round(float64(a.CharAngle)/(math.Pi/2)))%4]++
	}
	for turn, n := range votes {
		if 2*n > looks {
			return enums.FPDF_PAGE_ROTATION(turn), true
		}
	}
	return 0, false
}

// hasFields reports a page with form fields.
func hasFields(instance pdfium.Pdfium, page requests.Page) bool {
	const most = 200 // annotations looked at: a form has fields among its first
	count, err := instance.FPDFPage_GetAnnotCount(&requests.FPDFPage_GetAnnotCount{Page: page})
	if err != nil {
		return false
	}
	for i := range min(count.Count, most) {
		annotation, err := instance.FPDFPage_GetAnnot(&requests.FPDFPage_GetAnnot{Page: page, Index: i})
		if err != nil {
			continue
		}
		kind, err := instance.FPDFAnnot_GetSubtype(&requests.FPDFAnnot_GetSubtype{Annotation: annotation.Annotation})
		_, _ = instance.FPDFPage_CloseAnnot(&requests.FPDFPage_CloseAnnot{Annotation: annotation.Annotation})
		if err == nil && kind.Subtype == enums.FPDF_ANNOT_SUBTYPE_WIDGET {
			return true
		}
	}
	return false
}

// pageReader asks the engine about the characters of a page.
type pageReader struct {
	pdfium.Pdfium
	page   references.FPDF_TEXTPAGE
	bounds structs.FPDF_FS_RECTF // what of the page is seen
	spaces *spaces
}

// char is a character with its index on the page.
type char struct {
	r     rune
	index int
}

func (r pageReader) lines() ([]pdfLine, error) {
	count, err := r.FPDFText_CountChars(&requests.FPDFText_CountChars{TextPage: r.page})
	if err != nil {
		return nil, err
	}
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
	units, err := r.units(count.Count)
	if err != nil {
		return nil, err
	}
	for i, c := range units {
		switch n := len(line); {
		case c == '\n':
			end()
		case c == lineHyphen, c == '\uFFFE':
			line = append(line, char{lineHyphen, i})
			end()
		case c == '\r', c == 0:
		case c == '\u00AD':
			line = append(line, char{lineHyphen, i})
		case n > 0 && utf16.IsSurrogate(c) && utf16.IsSurrogate(line[n-1].r):
			line[n-1].r = utf16.DecodeRune(line[n-1].r, c)
		default:
			line = append(line, char{c, i})
		}
	}
	end()
	return lines, nil
}

// units are the characters of a page as the engine counts them: each a unit of UTF-16. All of them at once where it gives
// as many as it counts, which it does unless some are signs of control; else one by one.
func (r pageReader) units(count int) ([]rune, error) {
	units := make([]rune, 0, count)
	if count == 0 {
		return nil, nil
	}
	if all, err := r.FPDFText_GetText(&requests.FPDFText_GetText{TextPage: r.page, StartIndex: 0, Count: count}); err == nil {
		for _, u := range utf16.Encode([]rune(all.Text)) {
			units = append(units, rune(u))
		}
		if len(units) == count {
			return units, nil
		}
	}
	units = units[:0]
	for i := range count {
		got, err := r.FPDFText_GetUnicode(&requests.FPDFText_GetUnicode{TextPage: r.page, Index: i})
		if err != nil {
			return nil, err
		}
		units = append(units, rune(uint32(got.Unicode)))
	}
	return units, nil
}
