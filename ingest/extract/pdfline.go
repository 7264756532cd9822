package extract

import (
	"math"
	"slices"
	"strings"
	"unicode"

	"kyrochat/text"
)

const (
	// cellGap is the white space, in sizes of the type, that sets cells of a table apart. Justified lines stretch their
	// spaces to half of that.
	cellGap = 1.0
	// wordGap is the least white space between two letters that is a space even where the file has none.
	wordGap = 0.15
	// spaceLooks is how many characters of a document are looked at for spaces that the file leaves out.
	spaceLooks = 6_000
)

// pdfCell is a part of a line.
type pdfCell struct {
	text        string
	left, right float64
}

// spaces says whether a document needs a look at the distance of its letters. Some programs move to the next word
// instead of writing a space, and the engine misses some of those moves. Measuring every letter takes as long as
// reading it, so that it ends early where none is missing.
type spaces struct {
	looked  int
	missing bool
}

func (s *spaces) look() bool { return s.missing || s.looked < spaceLooks }

// isSymbol reports characters without a meaning that is known. One that stands alone at the start of a line is a
// bullet out of a symbol font.
func isSymbol(c rune) bool {
	return c < ' ' && c != lineHyphen || c >= 0x7F && c < 0xA0 || unicode.Is(unicode.Co, c)
}

func isGap(c rune) bool { return unicode.IsSpace(c) }

// line measures the characters of one line; false for a blank one, and for one that nobody can see because it lies
// beside the page or is smaller than a point.
func (r *pageReader) line(chars []char) (pdfLine, bool) {
	chars = trimGaps(chars)
	if len(chars) == 0 {
		return pdfLine{}, false
	}
	if len(chars) > 2 && isGap(chars[1].r) && isSymbol(chars[0].r) {
		chars[0].r = '•'
	}
	var l pdfLine
	if chars[len(chars)-1].r == lineHyphen {
		l.hyphen = true
		if chars = trimGaps(chars[:len(chars)-1]); len(chars) == 0 {
			return pdfLine{}, false
		}
	}
	turn := max(0, r.angle(r.page, chars[0].index))
	mirrored := hasRightToLeft(chars) && turn == 0
	if mirrored {
		chars = r.logical(chars)
	}
	if !r.measure(&l, chars, turn, mirrored) {
		return pdfLine{}, false
	}
	l.cells = r.cells(chars, turn, l.size, mirrored)
	texts := make([]string, len(l.cells))
	for i, c := range l.cells {
		texts[i] = c.text
	}
	l.text = strings.Join(texts, " ")
	if len(l.cells) < 2 {
		l.cells = nil
	}
	return l, l.text != ""
}

// items divides what the engine took for one line before bullets that lie lower than it: so small a sign does not look to
// it like a line of its own.
func (r *pageReader) items(chars []char) [][]char {
	var parts [][]char
	start := 0
	for i := 1; i < len(chars); i++ {
		if !isBullet(chars[i].r) || !isGap(chars[i-1].r) {
			continue
		}
		_, above, ok := r.origin(chars[start].index)
		if !ok {
			continue
		}
		if _, here, ok := r.origin(chars[i].index); ok && math.Abs(here-above) > 0.7*r.size(chars[i].index) {
			parts = append(parts, chars[start:i])
			start = i
		}
	}
	return append(parts, chars[start:])
}

func trimGaps(chars []char) []char {
	for len(chars) > 0 && isGap(chars[len(chars)-1].r) {
		chars = chars[:len(chars)-1]
	}
	for len(chars) > 0 && isGap(chars[0].r) {
		chars = chars[1:]
	}
	return chars
}

// cells writes the characters of a line, divided where the gaps are wide. A mark and the item of a list that follows
// it belong together.
func (r *pageReader) cells(chars []char, turn, size float64, mirrored bool) []pdfCell {
	var cells []pdfCell
	var b strings.Builder
	left, right := 0.0, 0.0
	end := func() {
		if s := normalLine(b.String()); s != "" {
			if n := len(cells) - 1; n == 0 && isMark(cells[0].text) {
				cells[0].text += " " + s
				cells[0].right = right
			} else {
				cells = append(cells, pdfCell{s, left, right})
			}
		}
		b.Reset()
	}
	look := r.spaces.look() && !mirrored // whose spaces are found already
	tracked := 0.0                       // what lies between the letters of a line that is set wide
	if look {
		tracked = r.tracking(chars, turn)
		r.spaces.looked += len(chars)
	}
	gap, prior := false, -1
	for i, c := range chars {
		if isGap(c.r) {
			gap = true
			continue
		}
		white := 0.0
		if prior < 0 {
			left, _ = r.extent(c.index, turn, mirrored)
		} else if gap || look && joins(chars[prior].r) && joins(c.r) || prior == 0 && isBullet(chars[0].r) {
			var from float64
			_, right = r.extent(chars[prior].index, turn, mirrored)
			from, _ = r.extent(c.index, turn, mirrored)
			white = from - right
			if !gap && white > wordGap*size+1.5*tracked {
				gap, r.spaces.missing = true, r.spaces.missing || prior > 0
			}
			if gap && white >= cellGap*size {
				end()
				left, gap = from, false
			}
		}
		if gap {
			b.WriteByte(' ')
			gap = false
		}
		if c.r != lineHyphen { // within a line it is a soft hyphen, which nobody sees
			b.WriteRune(c.r)
		}
		prior = i
	}
	if prior >= 0 {
		_, right = r.extent(chars[prior].index, turn, mirrored)
	}
	end()
	return cells
}

// isBullet reports a sign that items of lists begin with, and nothing else does.
func isBullet(c rune) bool { return strings.ContainsRune("•‣◦▪●", c) }

// joins reports characters between which white space means something.
func joins(c rune) bool { return (unicode.IsLetter(c) || unicode.IsDigit(c)) && !isUnspaced(c) }

// tracking is the usual distance between neighbouring letters.
func (r *pageReader) tracking(chars []char, turn float64) float64 {
	const looks = 40
	var gaps []float64
	for i := 1; i < len(chars) && len(gaps) < looks; i++ {
		if joins(chars[i-1].r) && joins(chars[i].r) {
			_, right := r.extent(chars[i-1].index, turn, false)
			left, _ := r.extent(chars[i].index, turn, false)
			gaps = append(gaps, left-right)
		}
	}
	if len(gaps) == 0 {
		return 0
	}
	slices.Sort(gaps)
	return max(0, gaps[len(gaps)/2])
}

// isMark reports a bullet or a number that an item of a list begins with.
func isMark(s string) bool { return listItem.MatchString(s+" x") && !strings.ContainsAny(s, " ") }

// normalLine is text in its stored form, on one line, with accents that were printed over letters put onto them.
func normalLine(s string) string {
	return strings.TrimSpace(strings.ReplaceAll(text.Normalize(composed(s)), "\n", " "))
}

// accents are those that old fonts print before the letter that they belong to, and what they are on it.
var accents = map[rune]rune{
	'´': 0x301, '¨': 0x308, 'ˆ': 0x302, '˜': 0x303, 'ˇ': 0x30C, '˘': 0x306, '˚': 0x30A, '˝': 0x30B, '˙': 0x307,
}

// composed joins accents with the letters they were printed over.
func composed(s string) string {
	if !strings.ContainsFunc(s, func(c rune) bool { return accents[c] != 0 }) {
		return s
	}
	runes := []rune(s)
	out := make([]rune, 0, len(runes))
	for i := 0; i < len(runes); i++ {
		mark := accents[runes[i]]
		if mark == 0 || i+1 == len(runes) || !unicode.IsLetter(runes[i+1]) {
			out = append(out, runes[i])
			continue
		}
		letter := runes[i+1]
		if letter == 'ı' {
			letter = 'i'
		}
		out = append(out, letter, mark)
		i++
	}
	return string(out)
}

// measure finds where a line is and how it is set; false where nobody can see it.
func (r *pageReader) measure(l *pdfLine, chars []char, turn float64, mirrored bool) bool {
	first, last := chars[0], chars[len(chars)-1]
	if r.isOutside(first.index) && r.isOutside(last.index) {
		return false
	}
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
	l.left, _ = r.extent(first.index, turn, mirrored)
	_, l.right = r.extent(last.index, turn, mirrored)
	_, wordRight := r.extent(wordEnd.index, turn, mirrored)
	l.firstWord = max(0, wordRight-l.left)
	if x, y, ok := r.origin(first.index); ok {
		_, l.y = rotate(x, y, turn)
	}
	// Three places out of the line outvote a superscript or a word in bold.
	var sizes [3]float64
	bold, mono := 0, 0
	for i := range sizes {
		c := ink[len(ink)*(2*i+1)/6]
		sizes[i] = r.size(c.index)
		face := r.typeface(c.index)
		if face.bold {
			bold++
		}
		if face.mono {
			mono++
		}
	}
	slices.Sort(sizes[:])
	l.size = sizes[1]
	l.bold, l.mono = bold == len(sizes), mono == len(sizes)
	return l.size >= 1 || l.size == 0
}

// isOutside reports a character that lies beside the page.
func (r *pageReader) isOutside(index int) bool {
	if r.bounds.right <= r.bounds.left || r.bounds.top <= r.bounds.bottom {
		return false
	}
	box, ok := r.box(index)
	return ok && (box.right < r.bounds.left || box.left > r.bounds.right || box.top < r.bounds.bottom || box.bottom > r.bounds.top)
}

// box is the rectangle of a character, with the white space that belongs to it.
func (r *pageReader) box(index int) (rect, bool) {
	return r.rectangle("FPDFText_GetLooseCharBox", r.page, uint64(index))
}

// origin is where a character stands on its line.
func (r *pageReader) origin(index int) (x, y float64, ok bool) {
	if r.number("FPDFText_GetCharOrigin", r.page, uint64(index), r.room, r.room+8) == 0 {
		return 0, 0, false
	}
	return r.double(0), r.double(1), true
}

// extent is from where to where a character reaches along its line, with the white space that belongs to it.
func (r *pageReader) extent(index int, turn float64, mirrored bool) (from, to float64) {
	box, ok := r.box(index)
	if !ok {
		return 0, 0
	}
	a, _ := rotate(box.left, box.bottom, turn)
	b, _ := rotate(box.right, box.top, turn)
	from, to = min(a, b), max(a, b)
	if mirrored {
		width := r.bounds.right + r.bounds.left
		from, to = width-to, width-from
	}
	return from, to
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
func (r *pageReader) size(index int) float64 {
	size := math.Float64frombits(r.call("FPDFText_GetFontSize", r.page, uint64(index)))
	if r.number("FPDFText_GetMatrix", r.page, uint64(index), r.room) != 0 {
		const c, d = 2, 3 // of the numbers of a matrix
		if scale := math.Hypot(float64(r.float(c)), float64(r.float(d))); scale > 0 {
			size *= scale
		}
	}
	return math.Round(size*10) / 10
}

// typeface is what the name of a font says about it.
type typeface struct{ bold, mono bool }

// typeface is that of a character.
func (r *pageReader) typeface(index int) typeface {
	n := r.number("FPDFText_GetFontInfo", r.page, uint64(index), r.room, roomBytes, 0)
	if n < 1 || n > roomBytes { // a name with the zero at its end
		return typeface{}
	}
	name := r.at(r.room, n-1)
	face, ok := r.fonts[string(name)]
	if !ok {
		font := strings.ToLower(string(name))
		face = typeface{isOf(font, boldFonts), isOf(font, monoFonts)}
		if len(r.fonts) < mostFonts {
			r.fonts[string(name)] = face
		}
	}
	return face
}

// mostFonts is of how many fonts of a document is remembered what their names say.
const mostFonts = 1_000

var (
	boldFonts = []string{"bold", "black", "cmbx", "heavy"}
	monoFonts = []string{"mono", "courier", "consol", "cmtt", "lmtt", "typewriter", "menlo", "inconsolata", "sourcecode"}
)

// isOf reports a font whose name has one of the parts.
func isOf(font string, parts []string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(font, part) })
}
