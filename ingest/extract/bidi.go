package extract

import (
	"slices"
	"unicode"
)

// rightToLeftGap is the white space, in sizes of the type, that is a space between letters written from right to left.
const rightToLeftGap = 0.2

// longestMirrored is the most characters of a line that is put into order.
const longestMirrored = 2_000

// Directions of characters.
const (
	neutral = iota
	leftward
	rightward
)

func direction(c rune) int {
	switch {
	case isRightToLeft(c):
		return leftward
	case unicode.IsLetter(c), unicode.IsDigit(c):
		return rightward
	}
	return neutral
}

func isRightToLeft(c rune) bool {
	return unicode.In(c, unicode.Arabic, unicode.Hebrew, unicode.Syriac, unicode.Thaana) && !unicode.IsDigit(c)
}

// hasRightToLeft reports a line that is mostly written from right to left.
func hasRightToLeft(chars []char) bool {
	if len(chars) > longestMirrored {
		return false
	}
	leftwards, rightwards := 0, 0
	for _, c := range chars {
		switch direction(c.r) {
		case leftward:
			leftwards++
		case rightward:
			rightwards++
		}
	}
	return leftwards > 0 && leftwards >= rightwards
}

// glyph is a character at its place on the line.
type glyph struct {
	char
	from, to float64
	place    int // in the order of the engine
}

// logical puts the characters of a line into the order in which they are read. The engine gives some words of such a line
// as they lie on the page, from left to right, and turns others, so its order is not used at all: characters are taken
// by where they are. Spaces are found anew, for the engine leaves those where they were.
func (r *pageReader) logical(chars []char) []char {
	var glyphs []glyph
	var marks []glyph
	size := 0.0
	for i, c := range chars {
		if isGap(c.r) || c.r == lineHyphen {
			continue
		}
		box, ok := r.box(c.index)
		if !ok {
			return chars
		}
		g := glyph{c, box.left, box.right, i}
		if unicode.IsMark(c.r) {
			marks = append(marks, g)
			continue
		}
		if size == 0 {
			size = r.size(c.index)
		}
		glyphs = append(glyphs, g)
	}
	if len(glyphs) == 0 { // marks over nothing
		return chars
	}
	slices.SortStableFunc(glyphs, func(a, b glyph) int { // from the right
		switch d := (a.from + a.to) - (b.from + b.to); {
		case d > 0:
			return -1
		case d < 0:
			return 1
		}
		return 0
	})
	return withMarks(readable(glyphs, chars, size), marks)
}

// readable turns what is written from left to right within a line of the other direction, and puts spaces in.
func readable(glyphs []glyph, chars []char, size float64) []glyph {
	var out []glyph
	for start := 0; start < len(glyphs); {
		end := start + 1
		if direction(glyphs[start].r) == rightward {
			for i := end; i < len(glyphs) && direction(glyphs[i].r) != leftward; i++ {
				if direction(glyphs[i].r) == rightward {
					end = i + 1
				}
			}
		}
		run := slices.Clone(glyphs[start:end])
		if end-start > 1 {
			slices.Reverse(run)
		} else if mirror, ok := mirrors[run[0].r]; ok {
			run[0].r = mirror
		}
		for i, g := range run {
			if len(out) > 0 {
				last := out[len(out)-1]
				white := max(g.from-last.to, last.from-g.to)
				if i == 0 && start > 0 {
					white = glyphs[start-1].from - glyphs[start].to
				}
				if white > rightToLeftGap*size || white > rightToLeftGap*size/3 && spaceBetween(chars, last.place, g.place) {
					out = append(out, glyph{char: char{' ', g.index}, place: -1})
				}
			}
			out = append(out, g)
		}
		start = end
	}
	return out
}

// spaceBetween reports that the engine has a space between two characters, and nothing else.
func spaceBetween(chars []char, a, b int) bool {
	return a >= 0 && b >= 0 && (a-b == 2 || b-a == 2) && isGap(chars[(a+b)/2].r)
}

// mirrors are the signs that look the other way in a line written from right to left.
var mirrors = map[rune]rune{'(': ')', ')': '(', '[': ']', ']': '[', '{': '}', '}': '{', '<': '>', '>': '<', '«': '»', '»': '«'}

// withMarks puts marks behind the letters that they lie over.
func withMarks(glyphs, marks []glyph) []char {
	over := map[int][]rune{}
	for _, m := range marks {
		best, nearest := -1, 0.0
		for i, g := range glyphs {
			if g.place < 0 {
				continue
			}
			d := (m.from + m.to) - (g.from + g.to)
			if d < 0 {
				d = -d
			}
			if best < 0 || d < nearest {
				best, nearest = i, d
			}
		}
		if best >= 0 {
			over[best] = append(over[best], m.r)
		}
	}
	var out []char
	for i, g := range glyphs {
		out = append(out, g.char)
		for _, m := range over[i] {
			out = append(out, char{m, g.index})
		}
	}
	return out
}
