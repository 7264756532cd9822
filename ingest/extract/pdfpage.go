package extract

import (
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/klippa-app/go-pdfium"
	"github.com/klippa-app/go-pdfium/enums"
	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"
	"github.com/klippa-app/go-pdfium/responses"

	"kyrochat/text"
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

// pdfLine is one printed line. Lengths are points; x runs along the line and y upwards across lines, whichever way
// the text is turned on the page.
type pdfLine struct {
	text        string
	left, right float64
	y           float64 // of the baseline
	firstWord   float64 // its width
	size        float64 // of most of its type
	bold        bool
	hyphen      bool // a hyphen that divides a word was at its end and is not in text
}

// readPage reads the lines of a page. What a line looks like is measured at a few characters only: every call into
// the engine costs.
func readPage(instance pdfium.Pdfium, doc references.FPDF_DOCUMENT, index int) (pdfPage, error) {
	p := pdfPage{number: index + 1}
	loaded, err := loadPage(instance, doc, index)
	if err != nil {
		return p, err
	}
	defer instance.FPDF_ClosePage(&requests.FPDF_ClosePage{Page: loaded.Page})
	chars, err := instance.FPDFText_LoadPage(&requests.FPDFText_LoadPage{Page: requests.Page{ByReference: &loaded.Page}})
	if err != nil {
		return p, err
	}
	defer instance.FPDFText_ClosePage(&requests.FPDFText_ClosePage{TextPage: chars.TextPage})
	r := pageReader{Pdfium: instance, page: chars.TextPage}
	if p.lines, err = r.lines(); err != nil {
		return p, err
	}
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
	page references.FPDF_TEXTPAGE
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
		if l, ok := r.line(line); ok {
			lines = append(lines, l)
		}
		line = line[:0]
	}
	for i := range count.Count {
		got, err := r.FPDFText_GetUnicode(&requests.FPDFText_GetUnicode{TextPage: r.page, Index: i})
		if err != nil {
			return nil, err
		}
		c := rune(uint32(got.Unicode))
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

// isSymbol reports characters without a meaning that is known. One that stands alone at the start of a line is a
// bullet out of a symbol font.
func isSymbol(c rune) bool {
	return c < ' ' && c != lineHyphen || c >= 0x7F && c < 0xA0 || unicode.Is(unicode.Co, c)
}

// line measures the characters of one line; false for a blank one.
func (r pageReader) line(chars []char) (pdfLine, bool) {
	for len(chars) > 0 && isGap(chars[len(chars)-1].r) {
		chars = chars[:len(chars)-1]
	}
	for len(chars) > 0 && isGap(chars[0].r) {
		chars = chars[1:]
	}
	if len(chars) == 0 {
		return pdfLine{}, false
	}
	if len(chars) > 2 && isGap(chars[1].r) && isSymbol(chars[0].r) {
		chars[0].r = '•'
	}
	var l pdfLine
	if chars[len(chars)-1].r == lineHyphen {
		l.hyphen = true
		chars = chars[:len(chars)-1]
		if len(chars) == 0 {
			return pdfLine{}, false
		}
	}
	var b strings.Builder
	gap := false
	for _, c := range chars {
		if isGap(c.r) {
			gap = true
			continue
		}
		if gap {
			b.WriteByte(' ')
			gap = false
		}
		if c.r != lineHyphen { // within a line it is a soft hyphen, which nobody sees
			b.WriteRune(c.r)
		}
	}
	l.text = strings.TrimSpace(strings.ReplaceAll(text.Normalize(b.String()), "\n", " "))
	if l.text == "" {
		return pdfLine{}, false
	}
	r.measure(&l, chars)
	return l, true
}

func isGap(c rune) bool { return unicode.IsSpace(c) }

// measure finds where a line is and how it is set.
func (r pageReader) measure(l *pdfLine, chars []char) {
	first, last := chars[0], chars[len(chars)-1]
	var ink []char
	wordEnd := last
	for _, c := range chars {
		switch {
		case !isGap(c.r):
			ink = append(ink, c)
		case wordEnd == last:
			wordEnd = ink[len(ink)-1]
		}
	}
	turn := 0.0
	if a, err := r.FPDFText_GetCharAngle(&requests.FPDFText_GetCharAngle{TextPage: r.page, Index: first.index}); err == nil && a.CharAngle > 0 {
		turn = float64(a.CharAngle)
	}
	l.left, _ = r.extent(first.index, turn)
	_, l.right = r.extent(last.index, turn)
	_, wordRight := r.extent(wordEnd.index, turn)
	l.firstWord = max(0, wordRight-l.left)
	if o, err := r.FPDFText_GetCharOrigin(&requests.FPDFText_GetCharOrigin{TextPage: r.page, Index: first.index}); err == nil {
		_, l.y = rotate(o.X, o.Y, turn)
	}
	// Three places out of the line outvote a superscript or a word in bold.
	var sizes [3]float64
	bold := 0
	for i := range sizes {
		c := ink[len(ink)*(2*i+1)/6]
		sizes[i] = r.size(c.index)
		if r.isBold(c.index) {
			bold++
		}
	}
	slices.Sort(sizes[:])
	l.size = sizes[1]
	l.bold = bold == len(sizes)
}

// extent is from where to where a character reaches along its line.
func (r pageReader) extent(index int, turn float64) (from, to float64) {
	box, err := r.FPDFText_GetCharBox(&requests.FPDFText_GetCharBox{TextPage: r.page, Index: index})
	if err != nil {
		return 0, 0
	}
	a, _ := rotate(box.Left, box.Bottom, turn)
	b, _ := rotate(box.Right, box.Top, turn)
	return min(a, b), max(a, b)
}

// rotate turns a point of the page back by the angle of the text, in radians.
func rotate(x, y, turn float64) (along, across float64) {
	if turn == 0 {
		return x, y
	}
	sin, cos := math.Sincos(turn)
	return x*cos + y*sin, y*cos - x*sin
}

// size is the height of type as printed: the font's size as scaled by the text matrix.
func (r pageReader) size(index int) float64 {
	font, err := r.FPDFText_GetFontSize(&requests.FPDFText_GetFontSize{TextPage: r.page, Index: index})
	if err != nil {
		return 0
	}
	size := font.FontSize
	if m, err := r.FPDFText_GetMatrix(&requests.FPDFText_GetMatrix{TextPage: r.page, Index: index}); err == nil {
		if scale := math.Hypot(float64(m.Matrix.C), float64(m.Matrix.D)); scale > 0 {
			size *= scale
		}
	}
	return math.Round(size*10) / 10
}

func (r pageReader) isBold(index int) bool {
	font, err := r.FPDFText_GetFontInfo(&requests.FPDFText_GetFontInfo{TextPage: r.page, Index: index})
	if err != nil {
		return false
	}
	name := strings.ToLower(font.FontName)
	return strings.Contains(name, "bold") || strings.Contains(name, "black") || strings.Contains(name, "cmbx") || strings.Contains(name, "heavy")
}
