package answer

import (
	"strings"
	"unicode"
)

// lineReader reads a text for its letters and digits, in lower case, and passes over the numbers of lists and lines.
type lineReader struct {
	fresh  bool // the line has marks of quotes, lists and tables only so far
	digits []rune
}

// maxListNumber is how many digits the number of a list or line has at most.
const maxListNumber = 4

// read gives what a character adds: the digits before it that are no number of a list after all, and itself, 0 where it
// is neither letter nor digit.
func (l *lineReader) read(r rune) (before []rune, c rune) {
	if r < 0x80 {
		c = plainLetters[r]
	} else if unicode.IsLetter(r) || unicode.IsNumber(r) {
		c = unicode.ToLower(r)
	}
	if l.fresh || r == '\n' {
		return l.begin(r, c)
	}
	return nil, c
}

// begin is read at the beginning of a line.
func (l *lineReader) begin(r, c rune) ([]rune, rune) {
	before := l.digits
	switch {
	case r == '\n':
		l.fresh, l.digits = true, nil
		return before, 0
	case r >= '0' && r <= '9' && len(before) < maxListNumber:
		l.digits = append(before, r)
		return nil, 0
	case len(before) > 0 && strings.ContainsRune(".):|", r):
		before = nil
	case len(before) == 0 && c == 0 && (unicode.IsSpace(r) || strings.ContainsRune(">-*+#|_`", r)):
		return nil, 0
	}
	l.fresh, l.digits = false, nil
	return before, c
}

// lettersOf gives what a lineReader reads of texts, each on a line of its own.
func lettersOf(texts []string) string {
	var all strings.Builder
	for _, text := range texts {
		lines := lineReader{fresh: true}
		for _, r := range text + "\n" {
			before, c := lines.read(r)
			for _, digit := range before {
				all.WriteRune(digit)
			}
			if c != 0 {
				all.WriteRune(c)
			}
		}
		all.WriteByte('\n')
	}
	return all.String()
}

// plainLetters are the letters and digits of ASCII in lower case, 0 for all else.
var plainLetters = func() (t [0x80]rune) {
	for c := range rune(0x80) {
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			t[c] = unicode.ToLower(c)
		}
	}
	return t
}()
